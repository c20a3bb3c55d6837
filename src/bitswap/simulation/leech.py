"""A node that carries out one `Fetching` of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bitswap.cid import CID
from bitswap.session import Session
from bitswap.simulation.patterns import rounds
from bitswap.simulation.result import NodeResult
from bitswap.simulation.scenario import Fetching
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode

_MOST_MISSING = 100


class Leech:
    """Makes the requests of a pattern, round after round. `came` is told how many blocks came each time."""

    def __init__(
        self,
        network: VirtualNetwork,
        node: VirtualNode,
        fetching: Fetching,
        cids: Sequence[CID],
        peers: Sequence[VirtualNode] | None,
        *,
        came: Callable[[int], None],
        finished: Callable[[], None],
    ) -> None:
        self.node = node
        self.done = False
        self._network = network
        self._fetching = fetching
        self._cids = cids
        self._rounds = rounds(fetching, cids)
        self._peers = peers
        self._came = came
        self._finished = finished
        self._session: Session | None = None
        self._under_way = 0
        self._found = 0
        self._missing: list[str] = []
        self._started = 0.0
        self._end: tuple[float, _Counts] | None = None

    @property
    def wanted(self) -> int:
        """Blocks that it is after."""
        return len(self._cids)

    def start(self) -> None:
        self._started = self.node.now
        self._next_round()

    def _next_round(self) -> None:
        requests = next(self._rounds, None)
        if requests is None:
            self._finish()
            return
        self._under_way = len(requests)
        for place, cids in enumerate(requests):
            if place and self._fetching.pattern == "arrivals":
                self._network.at(place * self._fetching.every, self._request, cids)
            else:
                self._request(cids)

    def _request(self, cids: Sequence[CID]) -> None:
        fetching = self._fetching
        session = self._session
        if session is None:
            session = self.node.session(self._peers, broadcast=fetching.broadcast)
            if fetching.sessions == "one":
                self._session = session
        fetch = self.node.fetch(
            cids,
            session,
            keep=fetching.keep,
            finished=partial(self._ended, cids),
            came=self._came,
        )
        if fetching.timeout is not None and not fetch.done:
            self._network.at(fetching.timeout, self._give_up, fetch, cids)

    def _give_up(self, fetch: Fetch, cids: Sequence[CID]) -> None:
        if not fetch.done:
            fetch.close()
            self._ended(cids, fetch)

    def _ended(self, cids: Sequence[CID], fetch: Fetch) -> None:
        self._found += len(fetch.blocks)
        if len(fetch.blocks) < len(cids) and len(self._missing) < _MOST_MISSING:
            got = {block.cid for block in fetch.blocks}
            missing = [str(cid) for cid in cids if cid not in got]
            self._missing += missing[: _MOST_MISSING - len(self._missing)]
        if fetch.session is not self._session:
            self.node.close_session(fetch.session)
        self._under_way -= 1
        if not self._under_way:
            self._next_round()

    def _finish(self) -> None:
        self.done = True
        self._end = (self.node.now - self._started, _Counts(self.node))
        if self._session is not None:
            self.node.close_session(self._session)
        self._finished()

    def result(self) -> NodeResult:
        """What it came to so far."""
        now = _Counts(self.node)
        seconds, counts = self._end or (None, now)
        return NodeResult(
            name=self.node.name,
            seconds=seconds,
            wanted=len(self._cids),
            found=self._found,
            blocks_received=counts.blocks,
            messages_sent=counts.sent,
            messages_received=counts.received,
            bytes_sent=counts.bytes_sent,
            bytes_received=counts.bytes_received,
            late_blocks=now.blocks - counts.blocks,
            late_messages=now.sent + now.received - counts.sent - counts.received,
            missing=tuple(self._missing),
        )


class _Counts:
    def __init__(self, node: VirtualNode) -> None:
        self.sent = node.sent
        self.received = node.received
        self.bytes_sent = node.bytes_sent
        self.bytes_received = node.bytes_received
        self.blocks = node.wants.stat().blocks_received
