"""What the machine wants done. Each, but for StopAsking, is answered by a call with its number."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from bitswap.cid import CID
from bitswap.network.interface import Peer


class Ask(NamedTuple):
    """Ask the routers for at most `limit` providers: `found` for what comes, then `asked` once."""

    number: int
    cid: CID
    limit: int


class StopAsking(NamedTuple):
    """Nobody waits for the answer to Ask `number` any more; `asked` all the same, once it has ended."""

    number: int


class Connect(NamedTuple):
    """Dial a peer at one address (its id where none is known), for `timeout` seconds at most: `dialled`."""

    number: int
    peer: Peer
    address: str
    timeout: float


class LookUp(NamedTuple):
    """Ask the routers where a peer is, for `timeout` seconds at most: `looked_up`."""

    number: int
    peer: Peer
    timeout: float


Command: TypeAlias = Ask | StopAsking | Connect | LookUp
