"""How many inputs: a few hundred a test by default, 60,000 in all with BITSWAP_FUZZ=long."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

settings.register_profile("short", max_examples=300, **_COMMON)
settings.register_profile("long", max_examples=12_000, **_COMMON)
settings.load_profile("long" if os.environ.get("BITSWAP_FUZZ") == "long" else "short")
