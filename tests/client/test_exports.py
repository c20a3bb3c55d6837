"""What `import bitswap` offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bitswap


def test_every_name_is_there() -> None:
    for name in bitswap.__all__:
        assert getattr(bitswap, name) is not None
        assert name in dir(bitswap)
    assert bitswap.IMPLEMENTATION in ("compiled", "pure")


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = bitswap.nonsense


def test_heavy_parts_are_loaded_when_used() -> None:
    program = (
        "import sys, bitswap; "
        "heavy = {'bitswap.bitswap', 'bitswap._core', 'lmdb', 'google'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "assert bitswap.Client and bitswap.Server and bitswap.Bitswap"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
