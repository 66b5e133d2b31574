"""The paper's comparisons, each one command with a table and a picture."""
