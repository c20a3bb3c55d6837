"""What only the compiled core has: records in C, whole however short memory is, and given back."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from bitswap import _core
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.implementations import implementations
from bitswap.decision.interface import Task
from bitswap.options import ServerOptions

if TYPE_CHECKING:
    from bitswap._core.decision_c import DecisionCore, RequestQueue
    from bitswap._core.wire_c import Message

if "c" not in implementations():
    pytest.skip("the compiled core is not built", allow_module_level=True)

CORE: type[DecisionCore] = implementations()["c"].DecisionCore
QUEUE: type[RequestQueue] = implementations()["c"].RequestQueue
MESSAGE: type[Message] = _core.implementations()["c"].Message
COUNTED = [
    importlib.import_module(f"bitswap._core.{name}_c").fail_after
    for name in ("lookup", "lanes", "requestqueue", "decision")
]
"""Each compiled module counts its own allocations."""

Snapshot = tuple[Any, ...]


def cid(number: int, digest: int = 32) -> CID:
    """A CIDv1; `digest` bytes of a hash that allows any number of them."""
    data = hashlib.shake_128(b"%d" % number).digest(digest)
    length = bytes([digest]) if digest < 128 else bytes([digest & 0x7F | 0x80, digest >> 7])
    return CID.from_bytes(b"\x01\x55" + (b"\x12" if digest == 32 else b"\x1e") + length + data)


LONG = 300
"""Bytes of a digest that makes a CID too long for a place among the others."""


def message(
    wants: Sequence[CID] = (), cancels: Sequence[CID] = (), *, priority: int = 1, full: bool = False
) -> Message:
    made = MESSAGE(full)
    for wanted in wants:
        made.add_entry(wanted, priority, 0, True)
    for gone in cancels:
        made.cancel(gone)
    return made


def tell(core: DecisionCore, peer: str, said: Message, size: int | None = 100, now: float = 0.0) -> None:
    lookup = core.lookup(said)
    core.message_received(peer, lookup, [size] * len(lookup.cids), now)


def snapshot(core: DecisionCore) -> Snapshot:
    peers = sorted(core.peers())
    wants = [(peer, core.wantlist_for_peer(peer)) for peer in peers]
    return core.counts(), wants, sorted(core.queued_peers()), core.ready, core.next_deadline()


def drain(core: DecisionCore, now: float = 1000.0) -> list[bytes]:
    """All that can be sent, as frames."""
    frames = []
    while (envelope := core.next_envelope(now)) is not None:
        filled = core.fill(envelope, [Block(wanted, b"x" * 100) for wanted in envelope.cids])
        if filled is not None:
            frames.append(envelope.peer.encode() + filled.to_frame())
            core.envelope_sent(envelope, now)
    return frames


def allow(*allocations: int | None) -> None:
    """Let so many allocations of each module succeed and none after them; None = all."""
    for fail_after, count in zip(COUNTED, allocations or [None] * len(COUNTED), strict=True):
        fail_after(count)


@pytest.fixture(autouse=True)
def enough_memory_afterwards() -> Iterator[None]:
    yield
    allow()


def shortages() -> Iterator[tuple[int | None, ...]]:
    """First the modules that are called first have little memory, and the others none; then those."""
    for place in range(len(COUNTED)):
        for count in range(60 if place >= 2 else 4):
            yield (*[None] * place, count, *[0] * (len(COUNTED) - place - 1))
    for count in range(60):
        yield (None, None, count, count)


def with_little_memory(
    act: Callable[[], object], look: Callable[[], Snapshot], check: Callable[[], None]
) -> int:
    """Let the first allocation of `act` fail, then the second, until it gets through; how often it failed."""
    before = look()
    for failures, shortage in enumerate(shortages()):
        allow(*shortage)
        try:
            act()
            return failures
        except MemoryError:
            pass
        finally:
            allow()
        check()
        assert look() == before
    raise AssertionError("memory is short, however much there is")


class Twins:
    """Two compiled cores that are told the same; the first of them while memory is short."""

    def __init__(self, options: ServerOptions | None = None, envelopes_per_peer: int = 2) -> None:
        self.options = options or ServerOptions()
        self.short = CORE(self.options, 7, envelopes_per_peer)
        self.plain = CORE(self.options, 7, envelopes_per_peer)
        self.failures = 0

    def tell(self, peer: str, said: Message, size: int | None = 100) -> None:
        tell(self.plain, peer, said, size)
        self._try(lambda: tell(self.short, peer, said, size))

    def notify(self, cids: Sequence[CID]) -> None:
        self.plain.notify_new_blocks(dict.fromkeys(cids, 100), 0.0)
        self._try(lambda: self.short.notify_new_blocks(dict.fromkeys(cids, 100), 0.0))

    def take(self) -> list[Any]:
        """The next envelope of both."""
        taken: list[Any] = []
        taken.append(self.plain.next_envelope(1.0))
        self._try(lambda: taken.append(self.short.next_envelope(1.0)))
        assert (taken[0] is None) == (taken[1] is None)
        if taken[0] is not None:
            assert (taken[0].peer, taken[0].cids) == (taken[1].peer, taken[1].cids)
        return taken

    def _try(self, act: Callable[[], object]) -> None:
        self.failures += with_little_memory(act, lambda: snapshot(self.short), self.short.check)
        self.same()

    def same(self) -> None:
        self.short.check()
        assert snapshot(self.short) == snapshot(self.plain)

    def end(self) -> None:
        """What is left to be sent is the same as well."""
        assert drain(self.short) == drain(self.plain)
        self.same()


class TestShortMemory:
    """A call for which there is not enough memory has not been made."""

    def test_a_message(self) -> None:
        twins = Twins()
        twins.tell("A", message([cid(n) for n in range(100)]))
        twins.tell("A", message([cid(n) for n in range(90, 120)], [cid(n) for n in range(20)]), None)
        twins.tell("A", message([cid(n) for n in range(50, 500)], full=True))
        assert twins.failures > 10
        twins.end()

    def test_long_cids(self) -> None:
        twins = Twins(ServerOptions(max_cid_size=0))
        twins.tell("A", message([cid(n, LONG) for n in range(5)] + [cid(n) for n in range(5)]))
        assert twins.failures > 5
        twins.end()

    def test_a_message_with_too_many_wants(self) -> None:
        twins = Twins(ServerOptions(max_wantlist_entries=20, min_wantlist_entries=5))
        twins.tell("A", message([cid(n) for n in range(30)]))
        twins.tell("A", message([cid(n) for n in range(30, 60)], [cid(0), cid(1)], priority=2), None)
        twins.tell("A", message([cid(n) for n in range(70, 100)], priority=3, full=True))
        assert twins.failures > 10
        twins.end()

    def test_what_many_want(self) -> None:
        # The tables in which such wants are found are made when they can be, and done without until then.
        twins = Twins()
        for peer in range(30):
            twins.tell(f"peer {peer}", message([cid(n) for n in range(40)]), None)
        twins.notify([cid(n) for n in range(10, 20)])
        for peer in range(0, 30, 3):
            twins.tell(f"peer {peer}", message(cancels=[cid(n) for n in range(5, 15)]))
        twins.end()

    def test_known_blocks(self) -> None:
        core = CORE(ServerOptions(max_known_blocks=500))
        known = dict.fromkeys(map(cid, range(100)), 10)
        with_little_memory(lambda: core.blocks_stored({cid(0): 10}), lambda: snapshot(core), core.check)
        for allocations in range(10):
            allow(None, None, None, allocations)
            with contextlib.suppress(MemoryError):
                core.blocks_stored(known)
            allow()
            core.check()
        core.blocks_stored(known)
        assert core.lookup(message(list(known))).cids == []

    def test_envelopes(self) -> None:
        twins = Twins(ServerOptions(target_message_size=5000))
        twins.tell("A", message([cid(n) for n in range(200)]))
        twins.tell("B", message([cid(n) for n in range(100, 120)]), None)
        taken = [twins.take() for _ in range(3)]
        assert twins.failures > 10
        for others, ours in taken:
            blocks = [Block(wanted, b"x" * 100) for wanted in ours.cids]
            filled = [core.fill(one, blocks) for core, one in ((twins.short, ours), (twins.plain, others))]
            assert filled[0] is not None
            assert filled[1] is not None
            assert filled[0].to_frame() == filled[1].to_frame()
        # Putting back needs no memory at all.
        allow(0, 0, 0, 0)
        for others, ours in taken:
            assert twins.short.envelope_failed(ours, 2.0)
            assert twins.plain.envelope_failed(others, 2.0)
        allow()
        twins.same()
        twins.end()

    def test_a_queue_of_its_own(self) -> None:
        short, plain = QUEUE(), QUEUE()
        taken: list[Any] = []

        def scarcely(act: Callable[[], object]) -> int:
            return with_little_memory(act, lambda: short.stat, short.check)

        for start in range(0, 300, 60):
            cids = [cid(n, LONG if n % 7 == 0 else 32) for n in range(start, start + 60)]
            tasks = [Task(wanted, place % 5, 100, True) for place, wanted in enumerate(cids)]
            plain.push("A", tasks, 0.0)
            assert scarcely(functools.partial(short.push, "A", tasks, 0.0)) > 3
        assert scarcely(lambda: short.topics("A")) > 0
        assert short.topics("A") == plain.topics("A")
        assert scarcely(lambda: taken.append(short.pop(2000, 0.0))) > 1
        expected = plain.pop(2000, 0.0)
        assert expected is not None
        assert taken[0].tasks == expected.tasks
        assert short.topics("A")[0] == plain.topics("A")[0]

    def test_a_peer_of_which_nothing_came(self) -> None:
        queue = QUEUE()
        allow(None, None, 1, None)
        with pytest.raises(MemoryError):
            queue.push("A", [Task(cid(1), 1, 100, True)], 0.0)
        allow()
        queue.check()
        assert queue.stat == (0, 0, 0)


class TestAges:
    """Numbers that say what came first are made smaller when they get large, and say the same."""

    @pytest.mark.parametrize("at", [1, 5, 40])
    def test_nothing_changes(self, at: int) -> None:
        often, never = (
            CORE(ServerOptions(target_message_size=300), 1, 3),
            CORE(ServerOptions(target_message_size=300), 1, 3),
        )
        often.renumber_at(at)
        for number in range(60):
            out = []
            for core in (often, never):
                tell(
                    core,
                    "A",
                    message([cid(number * 3 % 50 + n) for n in range(5)], [cid(number)], priority=number % 3),
                )
                out.append([envelope for _ in range(2) if (envelope := core.next_envelope(float(number)))])
                for place, envelope in enumerate(out[-1]):
                    core.fill(envelope, [Block(wanted, b"x") for wanted in envelope.cids])
                    (core.envelope_failed if place else core.envelope_sent)(envelope, float(number))
                core.check()
            assert [envelope.cids for envelope in out[0]] == [envelope.cids for envelope in out[1]]
            assert often.wantlist_for_peer("A") == never.wantlist_for_peer("A")
        assert drain(often) == drain(never)

    def test_what_is_under_way_keeps_its_place(self) -> None:
        core = CORE(ServerOptions(target_message_size=1, adaptive=False))
        core.renumber_at(4)
        tell(core, "A", message([cid(n) for n in range(10)]))
        envelope = core.next_envelope(0.0)
        assert envelope is not None
        core.fill(envelope, [Block(cid(0), b"x")])
        tell(core, "A", message([cid(n) for n in range(10, 20)]))
        core.envelope_failed(envelope, 1.0)
        core.check()
        assert core.wantlist_for_peer("A") == [cid(n) for n in range(20)]
        order = []
        while (envelope := core.next_envelope(100.0)) is not None:
            order += envelope.cids
            core.envelope_sent(envelope, 100.0)
        assert order == [cid(n) for n in range(20)]


class TestMemory:
    def test_it_comes_back(self) -> None:
        core = CORE(ServerOptions(max_known_blocks=10_000))
        tell(core, "A", message([cid(0)]))
        core.peer_disconnected("A")
        empty = core.memory()
        for _ in range(2):
            for peer in range(20):
                tell(core, f"peer {peer}", message([cid(n) for n in range(peer * 500, peer * 500 + 1000)]))
            core.blocks_stored(dict.fromkeys(map(cid, range(5000)), 10))
            assert core.memory() > 10 * empty
            for peer in range(0, 20, 2):
                core.peer_disconnected(f"peer {peer}")
            for peer in range(1, 20, 2):
                tell(core, f"peer {peer}", message(full=True))
            core.blocks_removed([cid(n) for n in range(5000)])
            core.check()
            assert core.counts()[:3] == (0, 0, 0)
            for peer in range(20):
                core.peer_disconnected(f"peer {peer}")
            # One segment of each kind of record is kept.
            assert core.memory() <= empty + 200 * 1024

    def test_wants_that_are_answered_leave_nothing(self) -> None:
        core = CORE(ServerOptions())
        tell(core, "A", message([cid(n) for n in range(10_000)]))
        full = core.memory()
        drain(core)
        core.check()
        assert core.counts()[:3] == (0, 0, 0)
        assert core.memory() < full // 4

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere malloc rounds up differently")
    @pytest.mark.parametrize(
        ("peers", "each", "shared", "limit"),
        [(100, 1000, False, 100), (100, 1000, True, 60), (10_000, 10, False, 120)],
        ids=["many wants", "the same wants", "few wants each"],
    )
    def test_what_a_want_takes(self, peers: int, each: int, shared: bool, limit: int) -> None:
        core = CORE(ServerOptions())
        cids = [cid(n) for n in range(each if shared else peers * each)]
        for peer in range(peers):
            start = 0 if shared else peer * each
            tell(core, f"peer {peer}", message(cids[start : start + each]))
        assert core.counts()[:2] == (peers * each, peers * each)
        assert core.memory() / (peers * each) <= limit

    def test_a_repeated_wantlist_takes_no_more(self) -> None:
        core = CORE(ServerOptions())
        wants = message([cid(n) for n in range(2000)])
        tell(core, "A", wants)
        once = core.memory()
        for _ in range(5):
            tell(core, "A", wants)
        assert core.memory() <= once + 64 * 1024


class TestEnvelopes:
    def taken(self, core: DecisionCore, peer: str = "A") -> Any:
        tell(core, peer, message([cid(n) for n in range(10)]))
        envelope = core.next_envelope(0.0)
        assert envelope is not None
        return envelope

    def test_one_of_another_core_is_refused(self) -> None:
        core, other = CORE(ServerOptions()), CORE(ServerOptions())
        envelope = self.taken(core)
        for call in (
            lambda: other.fill(envelope, [None] * 10),
            lambda: other.envelope_sent(envelope, 0.0),
            lambda: other.envelope_failed(envelope, 0.0),
        ):
            with pytest.raises(ValueError, match="another core's envelope"):
                call()
        assert core.envelope_sent(envelope, 0.0)

    def test_one_that_is_thrown_away_is_still_under_way(self) -> None:
        core = CORE(ServerOptions())
        core.renumber_at(3)
        envelope = self.taken(core)
        del envelope
        gc.collect()
        assert core.counts().active_tasks == 10
        tell(core, "A", message([cid(n) for n in range(20, 30)]))
        assert core.next_envelope(100.0) is None
        core.peer_disconnected("A")
        assert core.counts()[:3] == (0, 0, 0)

    def test_one_outlives_the_core(self) -> None:
        core = CORE(ServerOptions())
        envelope = self.taken(core)
        del core
        gc.collect()
        assert (envelope.peer, len(envelope.cids), envelope.ended) == ("A", 10, False)

    def test_one_whose_peer_came_back_says_nothing_of_the_new_wants(self) -> None:
        core = CORE(ServerOptions(), 0, 2)
        old = self.taken(core)
        assert core.fill(old, [Block(wanted, b"x") for wanted in old.cids]) is not None
        core.peer_disconnected("A")
        new = self.taken(core)
        assert not core.envelope_failed(old, 1.0)
        assert not core.envelope_sent(old, 1.0)
        assert core.wantlist_for_peer("A") == new.cids
        core.check()
        assert core.envelope_failed(new, 1.0)
        core.check()

    def test_its_lists_may_be_tampered_with(self) -> None:
        core = CORE(ServerOptions())
        envelope = self.taken(core)
        blocks = [Block(wanted, b"x") for wanted in envelope.cids]
        envelope.cids.clear()
        with pytest.raises(IndexError):
            core.fill(envelope, blocks)
        core.check()
        assert core.envelope_failed(envelope, 1.0)

    def test_blocks_that_are_none(self) -> None:
        core = CORE(ServerOptions())
        envelope = self.taken(core)
        with pytest.raises(AttributeError):
            core.fill(envelope, [object()] * 10)  # type: ignore[list-item]
        core.check()
        assert core.fill(envelope, [Block(wanted, b"x") for wanted in envelope.cids]) is not None


class TestMisuse:
    def test_a_message_that_was_changed_after_it_was_looked_up(self) -> None:
        core = CORE(ServerOptions())
        said = message([cid(n) for n in range(20)])
        lookup = core.lookup(said)
        said.add_entry(cid(100), 1)
        with pytest.raises(ValueError, match="changed after it was looked up"):
            core.message_received("A", lookup, [None] * 20, 0.0)
        said.reset(False)
        with pytest.raises(ValueError, match="changed after it was looked up"):
            _ = core.lookup(said), lookup.cids
        assert core.peers() == []
        core.check()

    @pytest.mark.parametrize("size", [-1, -(2**70)])
    def test_sizes_below_nothing(self, size: int) -> None:
        core = CORE(ServerOptions())
        with pytest.raises(ValueError, match="cannot have"):
            tell(core, "A", message([cid(1)]), size)
        with pytest.raises(ValueError, match="cannot have"):
            core.notify_new_blocks({cid(1): 1, cid(2): size}, 0.0)
        assert core.peers() == []

    def test_sizes_that_are_numbers_of_another_kind(self) -> None:
        class Ten:
            def __index__(self) -> int:
                return 10

        core = CORE(ServerOptions())
        ten: Any = Ten()
        tell(core, "A", message([cid(1)]), ten)
        tell(core, "B", message([cid(2)]), None)
        core.notify_new_blocks({cid(2): ten}, 0.0)
        drain(core)
        assert core.counts().wants == 0

    def test_a_peer_that_is_no_text(self) -> None:
        core = CORE(ServerOptions())
        nobody: Any = 5
        with pytest.raises(TypeError):
            tell(core, nobody, message([cid(1)]))
        core.check()

    def test_without_having_been_set_up(self) -> None:
        core = CORE.__new__(CORE)
        assert core.next_envelope(0.0) is None
        assert core.lookup(message([cid(1)])).cids == []
        core.check()

    def test_an_order_of_ones_own_is_for_the_core_in_python(self) -> None:
        with pytest.raises(ValueError, match="no task_order"):
            CORE(ServerOptions(task_order=lambda task: task.priority))
