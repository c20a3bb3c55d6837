"""The SHA-256 of the compiled core beside `hashlib`'s."""

from __future__ import annotations

import hashlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap._core import IMPLEMENTATION

if IMPLEMENTATION != "compiled":
    pytest.skip("needs the compiled core", allow_module_level=True)

from bitswap._core import sha256_c


@given(st.binary(max_size=300) | st.integers(0, 300_000).map(lambda size: b"\x5a" * size))
def test_digests(data: bytes) -> None:
    assert sha256_c.digest(data) == hashlib.sha256(data).digest()


def test_only_bytes_are_taken() -> None:
    with pytest.raises(TypeError):
        sha256_c.digest(None)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="where hashlib's library is found depends on the build")
def test_openssl_is_called_directly() -> None:
    hashed = pytest.importorskip("_hashlib")
    assert sha256_c.FOUND or not hasattr(hashed, "__file__")
