"""What breaks ties between peers is the same hash in both cores."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from bitswap.decision.implementations import implementations
from bitswap.options import ServerOptions

if "c" not in implementations():
    pytest.skip("the compiled core is not built", allow_module_level=True)

SALTS = st.integers(0, 2**64 - 1)
ASCII = st.text(st.characters(max_codepoint=127), max_size=200)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
"""Lone surrogates too."""


@given(name=ASCII | ANY, salt=SALTS)
def test_it_is_xxh64(name: str, salt: int) -> None:
    core = implementations()["c"].DecisionCore(ServerOptions(), salt)
    assert core.tie_of(name) == xxhash.xxh64_intdigest(name.encode("utf-8", "surrogatepass"), salt)


@pytest.mark.parametrize("length", range(100))
def test_names_of_every_length(length: int) -> None:
    name = "".join(chr(33 + i * 7 % 90) for i in range(length))
    core = implementations()["c"].DecisionCore(ServerOptions(), 2**63 + length)
    assert core.tie_of(name) == xxhash.xxh64_intdigest(name.encode(), 2**63 + length)
