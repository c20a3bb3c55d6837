"""Random histories: what a peer wants and we have is owed, under way or was sent; bounds and counts hold."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.core import DecisionCore
from bitswap.decision.envelope import Envelope as PureEnvelope
from bitswap.decision.implementations import implementations
from bitswap.decision.interface import Envelope
from bitswap.message import Message, WantType
from bitswap.options import ServerOptions
from tests.sizes import LONG

from .invariants import check
from .support import Node, block

PEERS = ("A", "B", "C")
BLOCKS = [
    block(name, size) for name, size in zip("abcdefgh", (1, 1, 0, 1024, 1025, 3000, 3000, 9000), strict=True)
]
LIMIT = 5

peers = st.sampled_from(PEERS)
some_blocks = st.lists(st.sampled_from(BLOCKS), max_size=6, unique_by=lambda item: item.cid)
wants = st.lists(
    st.tuples(
        st.sampled_from(BLOCKS), st.integers(0, 9), st.sampled_from(WantType), st.booleans(), st.booleans()
    ),
    max_size=8,
)


class Histories(RuleBasedStateMachine):
    implementation: str

    @initialize(
        envelopes=st.sampled_from([1, 3]),
        size=st.sampled_from([1, 2000, 100_000]),
        outstanding=st.sampled_from([0, 1, 4000]),
        limit=st.sampled_from([LIMIT, 1000]),
        total=st.sampled_from([8, 1000]),
        adaptive=st.booleans(),
    )
    def start(
        self, envelopes: int, size: int, outstanding: int, limit: int, total: int, adaptive: bool
    ) -> None:
        options = ServerOptions(
            target_message_size=size,
            max_outstanding_bytes=outstanding,
            max_wantlist_entries=limit,
            min_wantlist_entries=3,
            max_total_wantlist_entries=total,
            adaptive=adaptive,
        )
        self.limit = limit
        self.node = Node(options, stored="", envelopes_per_peer=envelopes, implementation=self.implementation)
        self.node.names.update((item.cid, name) for item, name in zip(BLOCKS, "abcdefgh", strict=True))
        self.engine = self.node.engine
        self.out: list[Envelope] = []
        # Those among them whose peer has left since.
        self.stale: set[int] = set()
        self.filled: dict[int, set[CID]] = {}
        # Asked for by the peer and not withdrawn since.
        self.asked: set[tuple[str, CID]] = set()
        # Asked at any time to be told DONT_HAVE.
        self.curious: set[tuple[str, CID]] = set()
        # Asked for again after the answer was on its way: kept, and answered when the block comes again.
        self.lingering: set[tuple[str, CID]] = set()

    @rule(peer=peers, entries=wants, full=st.booleans())
    def message(self, peer: str, entries: list[tuple[Block, int, WantType, bool, bool]], full: bool) -> None:
        message = Message(full and len(entries) % 3 == 0)
        for item, priority, kind, ask, cancel in entries:
            if cancel:
                message.cancel(item.cid)
            else:
                message.add_entry(item.cid, priority, kind, ask)
        if message.full:
            self.asked = {pair for pair in self.asked if pair[0] != peer}
        on_its_way = self.on_its_way(peer)
        for entry in message.wantlist():
            if entry.cancel:
                self.asked.discard((peer, entry.cid))
            else:
                self.asked.add((peer, entry.cid))
                if entry.send_dont_have:
                    self.curious.add((peer, entry.cid))
                if entry.cid in on_its_way:
                    self.lingering.add((peer, entry.cid))
        self.node.receive(peer, message)

    @rule(items=some_blocks)
    def blocks_come(self, items: list[Block]) -> None:
        for peer in PEERS:
            # Those whose answer is on its way are not sent twice at a time.
            on_its_way = self.on_its_way(peer)
            self.lingering -= {(peer, item.cid) for item in items if item.cid not in on_its_way}
        self.node.arrive(items)

    @rule(items=some_blocks)
    def blocks_go(self, items: list[Block]) -> None:
        for item in items:
            self.node.store.pop(item.cid, None)

    @rule(fill=st.booleans())
    def take(self, fill: bool) -> None:
        envelope = self.engine.next_envelope(self.node.now)
        if envelope is None:
            return
        assert {(envelope.peer, c) for c in envelope.cids} <= self.asked
        self.out.append(envelope)
        if fill:
            self.fill(envelope)

    @precondition(lambda self: any(id(envelope) not in self.filled for envelope in self.out))
    @rule(data=st.data())
    def fill_later(self, data: st.DataObject) -> None:
        self.fill(data.draw(st.sampled_from([e for e in self.out if id(e) not in self.filled])))

    def fill(self, envelope: Envelope) -> None:
        message = self.node.fill(envelope)
        if message is None:
            assert envelope.ended
            self.forget(envelope)
            return
        assert id(envelope) not in self.stale
        assert not message.empty()
        assert len(message.to_frames()) == 1
        assert {(envelope.peer, c) for c in message.dont_haves()} <= self.curious
        told = {item.cid for item in message.blocks()} | set(message.haves())
        self.filled[id(envelope)] = told

    @precondition(lambda self: self.filled)
    @rule(data=st.data(), sent=st.booleans())
    def send(self, data: st.DataObject, sent: bool) -> None:
        envelope = data.draw(st.sampled_from([e for e in self.out if id(e) in self.filled]))
        self.end(envelope, sent)

    def end(self, envelope: Envelope, sent: bool) -> None:
        self.forget(envelope)
        del self.filled[id(envelope)]
        (self.engine.envelope_sent if sent else self.engine.envelope_failed)(envelope, self.node.now)

    @rule()
    def all_that_is_due_is_done(self) -> None:
        """Then the next time is a later one; else whoever drives the engine would turn in circles."""
        now = self.node.now
        while (envelope := self.engine.next_envelope(now)) is not None:
            self.out.append(envelope)
            self.fill(envelope)
        due = self.engine.next_deadline()
        assert due is None or due > now

    def forget(self, envelope: Envelope) -> None:
        self.out.remove(envelope)
        self.stale.discard(id(envelope))

    @rule(seconds=st.sampled_from([0.01, 0.1, 5.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.node.clock.advance(seconds)

    @rule(peer=peers)
    def leaves(self, peer: str) -> None:
        self.engine.peer_disconnected(peer)
        self.stale |= {id(envelope) for envelope in self.out if envelope.peer == peer}
        self.asked = {pair for pair in self.asked if pair[0] != peer}
        self.lingering = {pair for pair in self.lingering if pair[0] != peer}
        self.curious = {pair for pair in self.curious if pair[0] != peer}
        assert self.engine.wantlist_for_peer(peer) == []

    @invariant()
    def consistent(self) -> None:
        self.check(self.out)

    @invariant()
    def bounded(self) -> None:
        for peer in PEERS:
            # What failed comes back even if its room was taken meanwhile.
            assert len(self.engine.wantlist_for_peer(peer)) <= self.limit + len(BLOCKS)

    def check(self, out: list[Envelope]) -> None:
        """What holds inside; what another implementation makes sure of itself is no business of ours."""

    def on_its_way(self, peer: str) -> set[CID]:
        current = [e for e in self.out if e.peer == peer and id(e) not in self.stale]
        return {c for e in current for c in self.filled.get(id(e), ())}

    def teardown(self) -> None:
        if not hasattr(self, "node"):
            return
        for envelope in list(self.out):
            if id(envelope) not in self.filled:
                self.fill(envelope)
        for envelope in list(self.out):
            self.end(envelope, True)
        for _ in range(3):
            self.node.drain()
            self.node.clock.advance(11)
        stat = self.engine.stat
        assert (stat.pending_tasks, stat.active_tasks) == (0, 0)
        for peer in PEERS:
            left = {(peer, c) for c in self.engine.wantlist_for_peer(peer) if c in self.node.store}
            assert left <= self.lingering
            self.engine.peer_disconnected(peer)
        self.check([])
        assert self.engine.peers() == []
        assert self.engine.queued_peers() == []
        assert self.engine.scores() == {}


class InPython(Histories):
    """With a look inside."""

    implementation = "py"

    @property
    def core(self) -> DecisionCore:
        core = self.engine._core
        assert isinstance(core, DecisionCore)
        return core

    def check(self, out: list[Envelope]) -> None:
        check(self.core, [envelope for envelope in out if isinstance(envelope, PureEnvelope)])

    @invariant()
    def nothing_is_forgotten(self) -> None:
        core = self.core
        for peer in PEERS:
            queue = core._queue.queue(peer)
            for wanted in core.wantlist_for_peer(peer):
                if wanted not in self.node.store or (peer, wanted) in self.lingering:
                    continue
                assert queue is not None
                want = core._ledger.get(peer, wanted)
                assert want is not None
                owed = [*queue.active.get(wanted, [])]
                if wanted in queue.pending:
                    owed.append(queue.pending[wanted])
                assert any(t.have and (t.want_block or want.want_type) for t in owed), (peer, wanted, owed)

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "node"):
            assert not len(self.core._queue._lanes)
            assert not self.core._queue._lanes._under_way


class Compiled(Histories):
    implementation = "c"


SETTINGS = settings(max_examples=300 if LONG else 60, stateful_step_count=40, deadline=None)
TestInPython = InPython.TestCase
TestInPython.settings = SETTINGS
if "c" in implementations():
    TestCompiled = Compiled.TestCase
    TestCompiled.settings = SETTINGS
