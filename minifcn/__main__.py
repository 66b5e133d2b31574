"""``python -m minifcn``: the command line."""

import sys

from minifcn.cli import main

if __name__ == "__main__":
    sys.exit(main())
