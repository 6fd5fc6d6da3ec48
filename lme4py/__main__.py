"""``python -m lme4py`` is the command ``lme4py``."""

import sys

from lme4py.cli import main

if __name__ == "__main__":
    sys.exit(main())
