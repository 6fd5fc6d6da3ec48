"""What the machine must not decide: how long an example takes, and how wide a page is."""

import os

from hypothesis import settings

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A shell's, or the 80 that a parallel run of the tests sets, would break lines elsewhere.
for _name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(_name, None)
