"""One profile for every property: a busy machine must not fail a run, so no example is timed."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
