"""Questions about the whole node, put together from what its workers answer."""

from __future__ import annotations

from collections.abc import Callable

from bitswap.cli.answers import METRICS, Query, Record
from bitswap.errors import UsageError
from bitswap.network.libp2p.peer_id import peer_id_from_text
from bitswap.processes.exposition import merged
from bitswap.processes.sums import added
from bitswap.processes.supervisor import Supervisor


def _stat(supervisor: Supervisor, query: Query) -> Record:
    """The sum, and the part of each worker; what workers that ended had counted is in the sum alone."""
    workers: list[Record] = []
    parts: list[Record] = [place.before for place in supervisor.places]
    for place, answer in supervisor.ask("/stat", {}):
        answer.pop("peer_id")
        parts.append(answer)
        workers.append({"worker": place.number, "pid": place.pid, "starts": place.starts, **answer})
    return {"peer_id": supervisor.peer_id, **added(parts), "workers": workers}


def _wantlist(supervisor: Supervisor, query: Query) -> Record:
    """Of the worker that has the peer; of several what is wanted from any."""
    peer = peer_id_from_text(query["peer"]) if "peer" in query else supervisor.peer_id
    found = supervisor.ask("/wantlist", {"peer": peer})
    return {"peer": peer, **added({"wantlist": answer["wantlist"]} for _, answer in found)}


def _ledger(supervisor: Supervisor, query: Query) -> Record:
    """Of the worker that has the peer; a peer with connections to several has the sum, with its debt anew."""
    if "peer" not in query:
        raise UsageError("a ledger is kept with a peer: add ?peer=ID")
    peer = peer_id_from_text(query["peer"])
    found = [answer for _, answer in supervisor.ask("/ledger", {"peer": peer})]
    total = added({name: answer[name] for name in ("sent", "recv", "exchanged")} for answer in found)
    sent, received = total.get("sent", 0), total.get("recv", 0)
    return {
        "peer": peer,
        "value": sent / (received + 1),
        "sent": sent,
        "recv": received,
        "exchanged": total.get("exchanged", 0),
    }


def _peers(supervisor: Supervisor, query: Query) -> Record:
    found = supervisor.ask("/peers", {})
    return {"peers": [{**peer, "worker": place.number} for place, told in found for peer in told["peers"]]}


def metrics_text(supervisor: Supervisor) -> bytes:
    """Every worker's metrics under its number. Raises UsageError where there are none."""
    texts = {place.number: answer["text"] for place, answer in supervisor.ask(METRICS, {})}
    if not texts:
        raise UsageError("no worker answers")
    return merged(texts).encode()


ANSWERS: dict[str, Callable[[Supervisor, Query], Record]] = {
    "/stat": _stat,
    "/wantlist": _wantlist,
    "/ledger": _ledger,
    "/peers": _peers,
}
