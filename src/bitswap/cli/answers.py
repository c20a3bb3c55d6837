"""Questions about a running node, and their answers as JSON takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bitswap.errors import UsageError
from bitswap.network.libp2p.peer_id import peer_id_from_text

if TYPE_CHECKING:
    from bitswap import Bitswap
    from bitswap.stat import Stat

METRICS = "/metrics"
"""Answered apart, as text."""

Query = dict[str, str]
Record = dict[str, Any]


def stat_record(stat: Stat) -> Record:
    """Statistics as JSON takes them."""
    return {**asdict(stat), "wantlist": [str(cid) for cid in stat.wantlist]}


def _stat(node: Bitswap, query: Query) -> Record:
    return {
        "peer_id": node.network.self_id,
        "connected": len(node.peers()),
        **stat_record(node.stat()),
    }


def _wantlist(node: Bitswap, query: Query) -> Record:
    peer = peer_id_from_text(query["peer"]) if "peer" in query else node.network.self_id
    return {"peer": peer, "wantlist": [str(cid) for cid in node.wantlist_for_peer(peer)]}


def _ledger(node: Bitswap, query: Query) -> Record:
    if "peer" not in query:
        raise UsageError("a ledger is kept with a peer: add ?peer=ID")
    return node.ledger_for_peer(peer_id_from_text(query["peer"]))._asdict()


def _peers(node: Bitswap, query: Query) -> Record:
    latency = node.network.latency
    return {"peers": [{"peer": peer, "latency_seconds": latency(peer)} for peer in node.peers()]}


ANSWERS: dict[str, Callable[[Bitswap, Query], Record]] = {
    "/stat": _stat,
    "/wantlist": _wantlist,
    "/ledger": _ledger,
    "/peers": _peers,
}
