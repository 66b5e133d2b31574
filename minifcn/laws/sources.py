"""The papers that several modules of laws cite."""

DUMOULIN = "Dumoulin and Visin 2016, section "
LONG = "Long et al. 2015, section "
ZEILER = "Zeiler and Fergus 2014, section 2.1"
NAIR = "Nair and Hinton 2010, section 2"
