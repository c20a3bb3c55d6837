"""Our own server passes every check: over TLS and Noise, with the compiled core and the pure one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bitswap import CID, Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.conform.line import parse_target
from bitswap.conform.runner import chosen, run
from bitswap.conform.verdict import Verdict
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.network.libp2p.connection import security_ids
from tests.conform.held import HELD
from tests.interop.process import JsonProcess
from tests.sizes import LONG

pytestmark = pytest.mark.timeout(240)

TIMEOUT = 60.0
"""Of a check; for a peer that behaves no wait goes on to its end, so a busy machine changes nothing."""


@contextmanager
def in_process(security: str, folder: Path) -> Iterator[str]:
    store = MemoryBlockstore()
    store.put_many(HELD)
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[security])
    with Bitswap(network, store):
        yield network.addrs[0]


@contextmanager
def pure(security: str, folder: Path) -> Iterator[str]:
    """Which core runs is chosen at import, so the pure one has a process of its own."""
    command = [sys.executable, "-m", "tests.conform.serve", security]
    with JsonProcess(command, folder, env={**os.environ, "BITSWAP_PURE": "1"}) as server:
        ready = server.line()
        assert ready["implementation"] == "pure"
        yield ready["address"]


WAYS = [(in_process, "tls"), (pure, "noise"), (in_process, "noise"), (pure, "tls")]


@pytest.mark.parametrize(("serving", "security"), WAYS if LONG else WAYS[:2])
def test_everything_passes(serving: object, security: str, tmp_path: Path) -> None:
    cids: list[CID] = [block.cid for block in HELD]
    with serving(security, tmp_path) as address:  # type: ignore[operator]
        target = parse_target(address, security_ids([security]))
        found = list(run(target, chosen(), cids=cids, timeout=TIMEOUT))
    others = {one.check.name: one.result for one in found if one.verdict is not Verdict.PASS}
    assert others == {}
    assert len(found) == len(chosen()) > 60
