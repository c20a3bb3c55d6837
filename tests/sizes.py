"""How much a test does: a sample by default, all of it with BITSWAP_FUZZ=long (`make fuzz`)."""

from __future__ import annotations

import os

LONG = os.environ.get("BITSWAP_FUZZ") == "long"
