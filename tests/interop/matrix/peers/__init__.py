"""One module an implementation, each with its PEER; they are found by being here."""

from __future__ import annotations

import importlib
import pkgutil

from tests.interop.matrix.peer import Peer

ORDER = ("boxo", "helia", "beetswap", "py-libp2p", "kubo", "bitswap")


def peers() -> list[Peer]:
    """Every peer there is a module for, in the order of the page."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return sorted((module.PEER for module in modules), key=_place)


def _place(peer: Peer) -> tuple[int, str]:
    return (ORDER.index(peer.name) if peer.name in ORDER else len(ORDER), peer.name)
