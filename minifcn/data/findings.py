"""What can be wrong with a data set: every rule of the checker, with its reason."""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING = "error", "warning"


class Rule(NamedTuple):
    """What a rule says of all files that break it."""

    level: str
    title: str
    why: str
    advice: str


class Finding(NamedTuple):
    """One file, list or set that breaks a rule.

    Attributes:
        rule: a name in ``RULES``.
        file: its path below the data set's folder.
        what: what was found, in words.
        split: the list through which it was found, if any.
        id: the pair to which the file belongs, if any.
    """

    rule: str
    file: str
    what: str
    split: str | None = None
    id: str | None = None

    @property
    def level(self) -> str:
        """Either "error" or "warning"."""
        return RULES[self.rule].level


def _error(title: str, why: str, advice: str) -> Rule:
    return Rule(ERROR, title, why, advice)


def _warning(title: str, why: str, advice: str) -> Rule:
    return Rule(WARNING, title, why, advice)


RULES = {
    "list": _error(
        "a list, or the file of class names, cannot be used",
        "it says which files belong to the data set",
        "mend what the sentence names",
    ),
    "repeated": _error(
        "an entry stands twice",
        "the pair would count twice in training and in the scores",
        "take one of the two out",
    ),
    "outside": _error(
        "an entry leads out of the data set's folder",
        "a data set is one folder, and its lists must not open any other file",
        "put the files into the folder, and write the id alone",
    ),
    "suffix": _error(
        "an id is written with its suffix",
        "the reader puts the suffix on itself, and finds no such file",
        "take the suffix out of the list",
    ),
    "case": _error(
        "upper and lower case differ between list and file",
        "they count on most machines, even if not on the one where the set was made",
        "rename the file, or correct the list",
    ),
    "missing": _error(
        "a file is missing",
        "its list names it",
        "put the file there, or take its id out of the list",
    ),
    "empty": _error(
        "a file is empty",
        "it has 0 bytes: copying or unpacking did not finish",
        "fetch the file again",
    ),
    "damaged": _error(
        "a file is damaged, or no picture",
        "it cannot be decoded to its end",
        "fetch the file again",
    ),
    "swapped": _error(
        "image and label are swapped",
        "the label's file holds a photograph, and the image's file a label",
        "exchange the two files",
    ),
    "photograph": _error(
        "the label's file holds a photograph",
        "it has far more values or colours than there are classes",
        "put the label in its place",
    ),
    "colours": _error(
        "a label has colours for classes",
        "a label's pixel values must be class indices, in one channel",
        "write for each pixel the index of its colour, as a grey or palette PNG",
    ),
    "jpeg": _error(
        "a label is a JPEG",
        "compression changes the values, above all at the borders of regions",
        "take the label from its source, and save it as PNG",
    ),
    "stray": _error(
        "a label holds values that are no class",
        "each value must be a class index, or the value of pixels to ignore",
        "add the class, or write 255 (ignore) for the value",
    ),
    "size": _error(
        "image and label differ in size",
        "each pixel of the image needs its label",
        "take both from one source; scale no label but by nearest neighbour",
    ),
    "no-list": _warning(
        "there is no such list",
        "training reads train, and validation reads val",
        "make the list, or name another with --split",
    ),
    "overlap": _warning(
        "an image stands in more than one list",
        "a net that is scored on what it has learnt by heart scores too well",
        "take the id out of one of the lists",
    ),
    "across": _warning(
        "the same photograph stands in more than one list, under two ids",
        "a net that is scored on what it has learnt by heart scores too well",
        "take one of the two out",
    ),
    "copies": _warning(
        "the same photograph stands twice in a list, under two ids",
        "it counts twice, and its two labels may differ",
        "take one of the two out",
    ),
    "absent": _warning(
        "a class never occurs",
        "it cannot be learnt, and its IU is not defined",
        "see whether its labels carry another value, or take it out of the classes",
    ),
    "off-by-one": _warning(
        "the labels' values seem to be one too high",
        "value 0 never occurs, and the value just behind the last class does",
        "subtract 1 from all values but the ignore value",
    ),
    "void": _warning(
        "a label is all void",
        "none of its pixels counts, and nothing is learnt from it",
        "take the id out of the list, or label the image",
    ),
    "blank": _warning(
        "a label holds nothing but the value 0",
        "that is right for an image of the first class alone, and else no label yet",
        "look at the image, and label what it shows",
    ),
    "shifted": _warning(
        "a label's palette is shifted by one index",
        "its colours are those of the classes' neighbours, so its values may be too",
        "compare values and colours, and write the label anew",
    ),
    "palette": _warning(
        "a label's palette is that of another data set",
        "its values may number that set's classes",
        "compare its values with the class names",
    ),
    "gif": _warning(
        "a label is a GIF",
        "programs that write GIFs may number the colours anew",
        "take the label from its source, and save it as PNG",
    ),
    "drawing": _warning(
        "an image looks like a label",
        "it has no more colours than there are classes",
        "see whether a label was put in the photograph's place",
    ),
    "turned": _warning(
        "a photograph carries a mark to turn or mirror it (EXIF)",
        "the pixels are read as they are stored, and the label must fit these",
        "see that the label fits; then take the mark out",
    ),
    "depth": _warning(
        "a photograph is no 8-bit RGB or grey picture",
        "it is converted when it is read, and something is lost",
        "convert it yourself, and look at the result",
    ),
    "twins": _warning(
        "names differ in nothing but upper and lower case",
        "on some machines they are one file, and one of the two is lost",
        "rename one of them",
    ),
    "ambiguous": _warning(
        "two pictures have one id",
        "only one of them is read",
        "take the other out of the folder, or rename it",
    ),
    "unlisted": _warning(
        "no list names these files",
        "they are not read",
        "add their ids to a list, if they belong to the data set",
    ),
}
