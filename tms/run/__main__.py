"""`python -m tms.run` brings the whole system up."""

import sys

from tms.run.up import main

if __name__ == "__main__":
    sys.exit(main())
