"""`python -m bench`: exits with 1 when a target is missed."""

import sys

from bench.command import main

if __name__ == "__main__":
    sys.exit(main())
