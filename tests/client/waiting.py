"""Waiting for what another node does, without a clock."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bitswap import CID, Bitswap


def asked(node: Bitswap, peer: str, cid: CID) -> None:
    """Wait until `node` knows that `peer` wants `cid`."""
    while cid not in node.wantlist_for_peer(peer):
        threading.Event().wait(0.001)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells of; the test's own time limit is the end of that."""
    while not holds():
        threading.Event().wait(0.001)
