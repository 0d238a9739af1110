"""`python -m bench`: exits with 1 when a target is missed."""

import sys

from bench.api_process import main

if __name__ == "__main__":
    sys.exit(main())
