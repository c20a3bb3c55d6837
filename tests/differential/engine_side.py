"""One engine, or bare core, of one implementation: it is told operations and gives outcomes to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bitswap import _core
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.decision.implementations import implementations
from bitswap.options import ServerOptions
from tests.decision import invariants

from .catalogue import CIDS, PEERS, Entry, block, encode
from .scarcity import allow
from .world import Operation, World

KEPT = 8
"""Envelopes that have ended and may still be asked about, and messages looked up and not yet taken in."""

FORMS = ("receive", "body", "made", "other body", "other made", "with blocks")
"""How a message comes: as bytes; as a `Message` read or made; as one of another implementation."""


class Refusal(Exception):
    """A store that fails."""


SETTLE: tuple[Operation, ...] = (("finish",), ("clock", 100.0), ("serve", 100_000), ("ask",))
"""Ends what is under way and sends all that is left."""
LEAVE: tuple[Operation, ...] = (
    ("forget",),
    *(("disconnect", peer) for peer in range(len(PEERS))),
    ("removed", tuple(range(len(CIDS)))),
    ("ask",),
)


class EngineSetup(NamedTuple):
    """What a history of an engine starts from."""

    options: dict[str, Any]
    """Of `ServerOptions`, those that are not the default."""
    salt: int = 7
    envelopes_per_peer: int = 1
    layer: str = "engine"
    """Or "core": without accounts and scores."""
    now: float = 1000.0
    stored: int = 0
    """The store has the CIDs below this number."""
    filtered: bool = False
    """Whether there is a filter; what it denies is changed by operations."""
    renumber: int = 0
    """Age at which the compiled core numbers the wants of a peer anew; 0 = when it has to."""
    scarce: bool = False
    """Whether memory of the compiled core is short again and again."""
    settle = SETTLE
    leave = LEAVE

    def sides(self, implementations: Sequence[str]) -> tuple[World, list[EngineSide]]:
        world = World(self.now, self.stored)
        options = ServerOptions(
            **self.options, peer_block_request_filter=world.allows if self.filtered else None
        )
        return world, [EngineSide(name, world, options, self) for name in implementations]


class EngineSide:
    """An engine with the envelopes and messages that are under way."""

    def __init__(self, implementation: str, world: World, options: ServerOptions, setup: EngineSetup) -> None:
        self.world = world
        self.implementation = implementation
        self.has_accounts = setup.layer == "engine"
        args = options, setup.salt
        self.engine: Any
        if self.has_accounts:
            self.engine = Engine(
                "me", *args, envelopes_per_peer=setup.envelopes_per_peer, implementation=implementation
            )
        else:
            self.engine = implementations()[implementation].DecisionCore(*args, setup.envelopes_per_peer)
        self.core: Any = self.engine._core if self.has_accounts else self.engine
        if setup.renumber and implementation == "c":
            self.core.renumber_at(setup.renumber)
        codecs = _core.implementations()
        others = [name for name in codecs if name != implementation] or [implementation]
        self.message_type: Any = codecs[implementation].Message
        self.other_type: Any = codecs[others[0]].Message
        self.open: list[Any] = []
        """Envelopes that have not ended."""
        self.filled: list[Any] = []
        self.ended: list[Any] = []
        self.lookups: list[Any] = []

    def apply(self, operation: Operation) -> Any:
        """The outcome, made of plain values; an error of a kind that can be expected is one too."""
        method = getattr(self, "do_" + operation[0], None)
        if method is None:
            return None  # it concerns the world only
        try:
            return method(*operation[1:])
        except (ValueError, Refusal) as error:
            return "raised", type(error).__name__, str(error)

    # Peers

    def do_connect(self, peer: int) -> None:
        if self.has_accounts:
            self.engine.peer_connected(PEERS[peer])

    def do_disconnect(self, peer: int) -> Any:
        self.engine.peer_disconnected(PEERS[peer])
        return self.of_peer(peer)

    def do_received(self, peer: int, byte_count: int, blocks: int) -> Any:
        if self.has_accounts:
            self.engine.blocks_received(PEERS[peer], byte_count, blocks)
        return self.of_peer(peer)

    # Messages

    def do_message(self, peer: int, form: str, full: bool, entries: Sequence[Entry]) -> Any:
        if form in ("receive", "with blocks"):
            asked: list[list[CID]] = []

            def sizes(cids: list[CID]) -> list[int | None]:
                asked.append(plain(cids))
                return self.world.sizes(cids)

            self.engine.receive(PEERS[peer], self._body(form, full, entries), sizes, self.world.now)
            return asked, self.of_peer(peer)
        lookup = self.engine.lookup(self._message(form, full, entries))
        cids = lookup.cids
        self.engine.message_received(PEERS[peer], lookup, self.world.sizes(cids), self.world.now)
        return plain(cids), self.of_peer(peer)

    def do_lookup(self, form: str, full: bool, entries: Sequence[Entry]) -> Any:
        """A message whose sizes are still being looked up while other things happen."""
        lookup = self.engine.lookup(self._message(form, full, entries))
        self.lookups = [*self.lookups[1 - KEPT :], lookup]
        return plain(lookup.cids)

    def do_looked_up(self, peer: int, place: int, extra: int) -> Any:
        """`extra` sizes more than there should be."""
        if not self.lookups:
            return None
        lookup = self.lookups[place % len(self.lookups)]
        sizes = [*self.world.sizes(lookup.cids), *[1] * extra][: len(lookup.cids) + extra]
        self.engine.message_received(PEERS[peer], lookup, sizes, self.world.now)
        self.lookups.remove(lookup)
        return self.of_peer(peer)

    def do_nested(self, peer: int, full: bool, entries: Sequence[Entry], inner: Operation) -> Any:
        """The store calls back into the core, or fails, while it is asked for the sizes of a message."""
        outcomes: list[Any] = []

        def sizes(cids: list[CID]) -> list[int | None]:
            outcomes.append((plain(cids), self.apply(inner)))
            if inner[0] == "fail":
                raise Refusal("the store is away")
            found = self.world.sizes(cids)
            return found[:-1] if inner[0] == "short" else found

        try:
            self.engine.receive(PEERS[peer], encode(entries, full), sizes, self.world.now)
        except (ValueError, Refusal) as error:
            outcomes.append((type(error).__name__, str(error)))
        return outcomes, self.of_peer(peer)

    def do_garbage(self, peer: int, entries: Sequence[Entry], cut: int) -> Any:
        """A body that ends too early or has a byte too many."""
        body = encode(entries)
        body = body[:-cut] if cut > 0 else body + b"\x0f"
        self.engine.receive(PEERS[peer], body, self.world.sizes, self.world.now)
        return self.of_peer(peer)

    def do_forget(self) -> None:
        """No message is looked up any more."""
        self.lookups = []

    # Blocks

    def do_notify(self, found: Sequence[tuple[int, int]]) -> None:
        self.engine.notify_new_blocks({CIDS[number]: size for number, size in found}, self.world.now)

    def do_stored(self, found: Sequence[tuple[int, int]]) -> None:
        self.engine.blocks_stored({CIDS[number]: size for number, size in found})

    def do_removed(self, numbers: Sequence[int]) -> None:
        self.engine.blocks_removed([CIDS[number] for number in numbers])

    # Envelopes

    def do_next(self) -> Any:
        envelope = self.engine.next_envelope(self.world.now)
        if envelope is None:
            return None
        self.open.append(envelope)
        return of_envelope(envelope)

    def do_fill(self, place: int, pattern: str = ".") -> Any:
        return self._fill(self._pick(self.open, place), pattern)

    def do_sent(self, place: int) -> Any:
        return self._end(self._pick(self.open, place), self.engine.envelope_sent)

    def do_failed(self, place: int) -> Any:
        return self._end(self._pick(self.open, place), self.engine.envelope_failed)

    def do_again(self, place: int, what: str) -> Any:
        """A call too many, with an envelope that has ended."""
        envelope = self._pick(self.ended, place)
        if envelope is None or what == "fill":
            return self._fill(envelope, ".")
        call = self.engine.envelope_sent if what == "sent" else self.engine.envelope_failed
        return call(envelope, self.world.now), of_envelope(envelope)

    def do_finish(self) -> Any:
        """End all that is under way."""
        return [self._deliver(envelope) for envelope in self.open]

    def do_serve(self, count: int) -> Any:
        """Up to `count` messages sent, one after the other."""
        return [outcome for _ in range(count) if (outcome := self._serve()) is not None]

    def _serve(self) -> Any:
        taken = self.do_next()
        return taken and (taken, *self._deliver(self.open[-1]))

    def _deliver(self, envelope: Any) -> Any:
        filled = None if envelope in self.filled else self._fill(envelope, ".")
        return filled, None if envelope.ended else self._end(envelope, self.engine.envelope_sent)

    def _pick(self, envelopes: list[Any], place: int) -> Any:
        return envelopes[place % len(envelopes)] if envelopes else None

    def _fill(self, envelope: Any, pattern: str) -> Any:
        if envelope is None:
            return None
        blocks = self.world.blocks(envelope.cids, pattern)
        if "s" in pattern:  # a list that is too short, which is refused
            blocks = blocks[:-1]
        message = self.engine.fill(envelope, blocks)
        outcome = of_envelope(envelope), message and message.to_frame()
        self.filled = [*self.filled, envelope]
        self._sort_out(envelope)
        return outcome

    def _end(self, envelope: Any, call: Callable[[Any, float], bool]) -> Any:
        if envelope is None:
            return None
        outcome = call(envelope, self.world.now), of_envelope(envelope)
        self._sort_out(envelope)
        return outcome

    def _sort_out(self, envelope: Any) -> None:
        if envelope.ended:
            self.open = [other for other in self.open if other is not envelope]
            self.filled = [other for other in self.filled if other is not envelope]
            self.ended = [*(other for other in self.ended if other is not envelope), envelope][-KEPT:]

    # Questions

    def glance(self) -> Any:
        """What costs little to ask, and is asked after every operation."""
        engine = self.engine
        return engine.ready, engine.next_deadline(), tuple(self.core.counts()), engine.too_large

    def of_peer(self, peer: int) -> Any:
        allow(None)  # what was to be tried with little memory is done
        return plain(self.engine.wantlist_for_peer(PEERS[peer]))

    def do_ask(self) -> Any:
        """All that can be asked."""
        engine = self.engine
        peers = sorted(engine.peers(), key=repr)
        questions = [self.glance(), peers, sorted(engine.queued_peers(), key=repr)]
        questions += [(peer, plain(engine.wantlist_for_peer(peer))) for peer in peers]
        questions += [of_envelope(envelope) for envelope in self.open]
        if self.has_accounts:
            questions += [engine.stat, engine.scores()]
            questions += [engine.ledger_for_peer(peer) for peer in PEERS[:16]]
        return questions

    # What must hold

    def check(self) -> None:
        """Look over all that the core keeps."""
        if self.implementation == "c":
            self.core.check()
        else:
            invariants.check(self.core, self.open)

    def check_settled(self) -> None:
        counts = self.core.counts()
        assert (counts.pending_tasks, counts.active_tasks, self.open) == (0, 0, []), counts

    def check_empty(self) -> None:
        counts = self.core.counts()
        assert (counts.wants, counts.pending_tasks, counts.active_tasks) == (0, 0, 0), counts

    # How messages are made

    def _body(self, form: str, full: bool, entries: Sequence[Entry]) -> bytes:
        blocks = [block(number % 7, 100) for number, *_ in entries] if form == "with blocks" else ()
        return encode(entries, full, blocks)

    def _message(self, form: str, full: bool, entries: Sequence[Entry]) -> Any:
        kind = self.other_type if form.startswith("other") else self.message_type
        if form.endswith("body"):
            return kind.from_body(encode(entries, full))
        message = kind(full)
        for number, priority, want_type, cancel, dont_have in entries:
            if cancel:
                message.cancel(CIDS[number])
            else:
                message.add_entry(CIDS[number], priority, want_type, dont_have)
        return message


def plain(cids: Sequence[CID]) -> list[CID]:
    assert all(type(cid) is CID for cid in cids), cids
    return list(cids)


def of_envelope(envelope: Any) -> tuple[Any, ...]:
    counts = envelope.block_count, envelope.block_bytes
    return envelope.peer, plain(envelope.cids), envelope.pending_bytes, *counts, envelope.ended
