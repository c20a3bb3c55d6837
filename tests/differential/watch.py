"""Holds what an engine does against the model, and the model against what every peer may rely on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bitswap._core.wire_py import Message
from bitswap.cid import CID
from bitswap.options import MAX_FRAME, ServerOptions

from .catalogue import CIDS, PEERS, Entry, encode
from .engine_side import KEPT, EngineSetup
from .model import Model
from .model_peer import Envelope, Peer
from .show import shorten
from .world import Operation, World


class Pending(NamedTuple):
    """A message whose sizes are being looked up."""

    message: Message
    asked: list[CID]
    known: dict[CID, int]


class Watcher:
    """Shown each operation after it was applied, with its outcome. Raises AssertionError."""

    def __init__(self, setup: EngineSetup, world: World) -> None:
        allows = world.allows if setup.filtered else None
        self.options = ServerOptions(**setup.options, peer_block_request_filter=allows)
        self.model = Model(self.options, setup.salt, setup.envelopes_per_peer)
        self.world = world
        self.open: list[Envelope] = []
        self.ended: list[Envelope] = []
        self.lookups: list[Pending] = []
        self.sent = [0, 0, 0, 0]
        """Messages, blocks, bytes of blocks; failed sends."""

    def watch(self, operation: Operation, outcome: Any, glance: Any) -> None:
        """`glance` is what `EngineSide.glance` gave after it."""
        self.follow(operation, outcome)
        ready, deadline, counts, _ = glance
        assert counts == self.model.counts(), f"the rules say {self.model.counts()}"
        assert min(counts) >= 0
        assert ready == bool(self.model.ready()), f"the rules say {not ready}"
        for peer in self.model.peers.values():
            late = peer.retry_at is not None and (deadline is None or deadline > peer.retry_at)
            assert not late, f"{peer.name!r} should be served again at {peer.retry_at}"
            self.promises(peer)

    def follow(self, operation: Operation, outcome: Any) -> None:
        name, *args = operation
        method = getattr(self, "do_" + name, None)
        if method is not None:
            expected = method(outcome, *args)
            assert expected is None or outcome == expected, f"the rules say {shorten(expected)}"

    # What every peer may rely on

    def promises(self, peer: Peer) -> None:
        options = self.options
        for want in peer.wants.values():
            owed = [*peer.answers(want.cid), *filter(None, [peer.queued.get(want.cid)])]
            assert not want.available or want.excused or any(answer.answers(want) for answer in owed), (
                f"{want} of {peer.name!r} is forgotten"
            )
        most = options.max_wantlist_entries
        assert len(peer.wants) <= most + peer.returned, f"{peer.name!r} has {len(peer.wants)} wants"
        blocks = sum(answer.size is not None for answer in peer.queued.values())
        assert blocks <= most + peer.returned, f"{blocks} blocks are queued for {peer.name!r}"
        others = len(peer.queued) - blocks
        assert others <= 3 * most + peer.returned, f"{others} refusals are queued for {peer.name!r}"
        works = [answer.work for answer in (*peer.queued.values(), *peer.under_way)]
        assert min(works, default=0) >= 0, f"an answer to {peer.name!r} weighs less than nothing"

    def settled(self) -> None:
        """After all was sent, what is still wanted is not there."""
        for peer in self.model.peers.values():
            assert not peer.queued
            assert not peer.under_way
            left = [want for want in peer.wants.values() if want.available and not want.excused]
            assert not left, f"{peer.name!r} still waits for {left}"

    # Messages

    def do_disconnect(self, outcome: Any, peer: int) -> Any:
        self.model.disconnect(PEERS[peer])
        return []

    def do_message(self, outcome: Any, peer: int, form: str, full: bool, entries: Sequence[Entry]) -> Any:
        pending = self._look_up(form, full, entries)
        self._take_in(peer, pending)
        asked = pending.asked
        if form in ("receive", "with blocks"):  # what the store was asked, if it was
            return [asked] if asked else [], self.model.wantlist(PEERS[peer])
        return asked, self.model.wantlist(PEERS[peer])

    def do_lookup(self, outcome: Any, form: str, full: bool, entries: Sequence[Entry]) -> Any:
        self.lookups = [*self.lookups[1 - KEPT :], self._look_up(form, full, entries)]
        return self.lookups[-1].asked

    def do_looked_up(self, outcome: Any, peer: int, place: int, extra: int) -> Any:
        if not self.lookups:
            return None
        pending = self.lookups[place % len(self.lookups)]
        if extra > 0 or (extra < 0 and pending.asked):
            assert outcome[:2] == ("raised", "ValueError"), outcome
            return None
        self.lookups.remove(pending)
        self._take_in(peer, pending)
        return self.model.wantlist(PEERS[peer])

    def do_nested(
        self, outcome: Any, peer: int, full: bool, entries: Sequence[Entry], inner: Operation
    ) -> Any:
        pending = self._look_up("receive", full, entries)
        said, wantlist = outcome
        assert [asked for asked, _ in said[:1]] == ([pending.asked] if pending.asked else [])
        if said:
            self.follow(inner, said[0][1])
        failed = len(said) > 1
        assert failed == bool(said and inner[0] in ("fail", "short"))
        if not failed:
            self._take_in(peer, pending)
        assert wantlist == self.model.wantlist(PEERS[peer])

    def do_garbage(self, outcome: Any, peer: int, entries: Sequence[Entry], cut: int) -> Any:
        if cut < len(encode(entries)):
            assert outcome[:2] == ("raised", "WireError"), outcome

    def do_forget(self, outcome: Any) -> Any:
        self.lookups = []

    def _look_up(self, form: str, full: bool, entries: Sequence[Entry]) -> Pending:
        if form.endswith("made"):
            message = Message(full)
            for number, priority, want_type, cancel, asks in entries:
                if cancel:
                    message.cancel(CIDS[number])
                else:
                    message.add_entry(CIDS[number], priority, want_type, asks)
        else:
            message = Message.from_body(encode(entries, full))
        return Pending(message, self.model.asks(message.wantlist()), dict(self.model.known))

    def _take_in(self, peer: int, pending: Pending) -> None:
        wantlist = pending.message.wantlist()
        cids = [entry.cid for entry in wantlist]
        sizes: dict[CID, int | None] = dict(zip(cids, self.world.sizes(cids), strict=True))
        sizes.update(pending.known)
        self.model.message(PEERS[peer], wantlist, pending.message.full, sizes)

    # Blocks

    def do_notify(self, outcome: Any, found: Sequence[tuple[int, int]]) -> Any:
        self.model.notify({CIDS[number]: size for number, size in found})

    def do_stored(self, outcome: Any, found: Sequence[tuple[int, int]]) -> Any:
        self.model.stored({CIDS[number]: size for number, size in found})

    def do_removed(self, outcome: Any, numbers: Sequence[int]) -> Any:
        self.model.removed(CIDS[number] for number in numbers)

    # Envelopes

    def do_next(self, outcome: Any) -> Any:
        envelope = self.model.next(self.world.now)
        if envelope is None:
            assert outcome is None, "nobody can be served"
            return None
        self.open.append(envelope)
        return envelope.shown()

    def do_fill(self, outcome: Any, place: int, pattern: str) -> Any:
        return self._fill(outcome, self._pick(self.open, place), pattern)

    def _fill(self, outcome: Any, envelope: Envelope | None, pattern: str) -> Any:
        if envelope is None:
            return None
        blocks = self.world.blocks(envelope.cids, pattern)
        current = not envelope.ended and self.model.peers.get(envelope.peer.name) is envelope.peer
        if (blocks and "s" in pattern) or (current and envelope.filled):
            assert outcome[:2] == ("raised", "ValueError"), outcome
            return None
        message = self.model.fill(envelope, blocks)
        frame = message and message.to_frame()
        assert frame is None or len(frame) <= MAX_FRAME + 4
        self._sort_out(envelope)
        return envelope.shown(), frame

    def do_sent(self, outcome: Any, place: int) -> Any:
        return self._sent(self._pick(self.open, place))

    def _sent(self, envelope: Envelope | None) -> Any:
        if envelope is None:
            return None
        ended = self.model.sent(envelope, self.world.now)
        if ended:
            for place, count in enumerate((1, envelope.blocks, envelope.block_bytes)):
                self.sent[place] += count
        self._sort_out(envelope)
        return ended, envelope.shown()

    def do_failed(self, outcome: Any, place: int) -> Any:
        envelope = self._pick(self.open, place)
        if envelope is None:
            return None
        self.sent[3] += not envelope.ended
        back = self.model.failed(envelope, self.world.now)
        self._sort_out(envelope)
        return back, envelope.shown()

    def do_again(self, outcome: Any, place: int, what: str) -> Any:
        envelope = self._pick(self.ended, place)
        if envelope is None or what == "fill":
            return self._fill(outcome, envelope, ".")
        return False, envelope.shown()

    def do_serve(self, outcome: Any, count: int) -> Any:
        for place, (taken, *rest) in enumerate(outcome):
            expected = self.do_next(taken)
            assert taken == expected, f"the rules say, of envelope {place}, {shorten(expected)}"
            sent = self._deliver(rest[0], self.open[-1])
            assert rest == sent, f"the rules say, of envelope {place}, {shorten(sent)}"
        assert len(outcome) == count or not self.model.next(self.world.now), "somebody could be served"

    def do_finish(self, outcome: Any) -> Any:
        return [
            tuple(self._deliver(got[0], envelope))
            for got, envelope in zip(outcome, list(self.open), strict=True)
        ]

    def _deliver(self, outcome: Any, envelope: Envelope) -> list[Any]:
        filled = None if envelope.filled else self._fill(outcome, envelope, ".")
        return [filled, None if envelope.ended else self._sent(envelope)]

    def _pick(self, envelopes: list[Envelope], place: int) -> Envelope | None:
        return envelopes[place % len(envelopes)] if envelopes else None

    def _sort_out(self, envelope: Envelope) -> None:
        if envelope.ended:
            self.open = [other for other in self.open if other is not envelope]
            self.ended = [*(other for other in self.ended if other is not envelope), envelope][-KEPT:]

    # Questions

    def do_ask(self, outcome: Any) -> Any:
        _, peers, queued, *rest = outcome
        model = self.model
        assert peers == sorted((peer.name for peer in model.peers.values() if peer.wants), key=repr)
        busy = [peer.name for peer in model.peers.values() if peer.queued or peer.under_way]
        assert queued == sorted(busy, key=repr)
        assert rest[: len(peers)] == [(peer, model.wantlist(peer)) for peer in peers]
        envelopes = rest[len(peers) : len(peers) + len(self.open)]
        assert envelopes == [envelope.shown() for envelope in self.open]
        if len(rest) > len(peers) + len(self.open):
            stat = rest[len(peers) + len(self.open)]
            sent = [stat.messages_sent, stat.blocks_sent, stat.data_sent, stat.sends_failed]
            assert sent == self.sent, (sent, self.sent)
