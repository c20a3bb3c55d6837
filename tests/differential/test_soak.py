"""Large tables in the compiled core; BITSWAP_DIFFERENTIAL lengthens it as it does the random histories."""

from __future__ import annotations

import os

import pytest

from bitswap.decision.implementations import implementations

pytestmark = [
    pytest.mark.skipif("c" not in implementations(), reason="there is no compiled core"),
    pytest.mark.timeout(3600),
]


def test_large_tables_grow_churn_and_come_back() -> None:
    from .soak import soak

    operations = max(int(os.environ.get("BITSWAP_DIFFERENTIAL", "0")) // 5, 30_000)
    assert soak(1, operations, 100_000).most > 50_000
