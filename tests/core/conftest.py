"""Everything here runs on each implementation of the core: ids `py` and `c`."""

from __future__ import annotations

from types import ModuleType

import pytest

from bitswap import _core

CODECS = _core.implementations()


@pytest.fixture(params=list(CODECS))
def codec(request: pytest.FixtureRequest) -> ModuleType:
    """A module with `Message` and `FrameReader`."""
    return CODECS[request.param]
