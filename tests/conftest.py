"""For all tests: how hypothesis runs."""

from __future__ import annotations

from hypothesis import settings

# A deadline would fail a test because the machine is busy.
settings.register_profile("bitswap", deadline=None)
settings.load_profile("bitswap")
