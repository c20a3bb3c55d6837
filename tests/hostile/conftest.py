"""Nodes under attack: closed at the end, with no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bitswap import Options
from bitswap.blockstore import Blockstore
from tests.decision.conftest import implementation as implementation
from tests.hostile.town import Town, node_of
from tests.libp2p.puppet import Puppet

MakeTown = Callable[..., Town]
MakePuppet = Callable[..., Puppet]


@pytest.fixture
def make_town() -> Iterator[MakeTown]:
    """Makes a node to attack and its friend; the options are those of the node."""
    with ExitStack() as stack:

        def make(
            options: Options | None = None, store: Blockstore | None = None, *, security: str = "tls"
        ) -> Town:
            node = stack.enter_context(node_of(options, store, security=security))
            return Town(node, stack.enter_context(node_of(security=security)))

        yield make
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("bitswap-")]
    assert not left, f"threads are left: {left}"


@pytest.fixture
def make_puppet() -> Iterator[MakePuppet]:
    """Makes peers that do what the test says."""
    with ExitStack() as stack:

        def make(address: str, **more: object) -> Puppet:
            puppet = Puppet(address, **more)  # type: ignore[arg-type]
            stack.callback(puppet.close)
            return puppet

        yield make
