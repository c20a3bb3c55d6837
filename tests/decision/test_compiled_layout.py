"""What the compiled core keeps in another form than it was given, or elsewhere once it is large."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from bitswap import _core
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.implementations import implementations
from bitswap.options import ServerOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bitswap._core.decision_c import DecisionCore

if "c" not in implementations():
    pytest.skip("the compiled core is not built", allow_module_level=True)

CORE: type[DecisionCore] = implementations()["c"].DecisionCore
MESSAGE = _core.implementations()["c"].Message

STARTS = (
    b"\x12\x20",  # CIDv0
    b"\x01\x55\x12\x20",  # of raw blocks
    b"\x01\x70\x12\x20",  # of DAG-PB nodes
    b"\x01\x71\x12\x20",  # others, which are kept whole
    b"\x01\x55\x16\x20",
    b"\x01\xa9\x02\x12\x20",
    b"\x01\x80\x80\x04\x12\x20",
)


def digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def sized(length: int) -> CID:
    """Of so many bytes in all, with a hash that may have any length."""
    size = length - 5 if length > 131 else length - 4
    head = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return CID.from_bytes(b"\x01\x55\x1e" + head + hashlib.shake_128(b"%d" % length).digest(size))


def tell(core: DecisionCore, peer: str, wants: Sequence[CID] = (), cancels: Sequence[CID] = ()) -> None:
    message = MESSAGE(False)
    for place, wanted in enumerate(wants):
        message.add_entry(wanted, place * 7919 % 65536, 0, True)
    for gone in cancels:
        message.cancel(gone)
    lookup = core.lookup(message)
    core.message_received(peer, lookup, [100] * len(lookup.cids), 0.0)


class TestKeys:
    """Digests are kept without what comes before them."""

    def test_alike_but_for_the_start(self) -> None:
        cids = [CID.from_bytes(start + digest(number)) for number in range(60) for start in STARTS]
        core = CORE(ServerOptions())
        tell(core, "A", cids)
        core.check()
        assert core.wantlist_for_peer("A") == cids
        some = cids[::3]
        tell(core, "A", cancels=some)
        core.check()
        assert core.wantlist_for_peer("A") == [cid for cid in cids if cid not in set(some)]

    def test_all_lengths(self) -> None:
        cids = [sized(length) for length in (*range(5, 70), *range(245, 262))]
        core = CORE(ServerOptions(max_cid_size=0))
        core.blocks_stored(dict.fromkeys(cids[::2], 100))
        tell(core, "A", cids)
        core.check()
        assert core.wantlist_for_peer("A") == cids
        core.peer_disconnected("A")
        core.blocks_removed(cids)
        core.check()

    def test_what_is_asked_for_and_sent(self) -> None:
        cids = [CID.from_bytes(start + digest(number)) for number in range(5) for start in STARTS]
        core = CORE(ServerOptions())
        tell(core, "A", cids)
        envelope = core.next_envelope(0.0)
        assert envelope is not None
        assert sorted(envelope.cids) == sorted(cids)
        message = core.fill(envelope, [None] * len(cids))
        assert message is not None
        assert sorted(message.dont_haves()) == sorted(cids)


class TestLargeQueues:
    @pytest.mark.timeout(60)
    def test_grow_and_shrink(self) -> None:
        # Around the size from which a peer's slots have pages of their own.
        core = CORE(ServerOptions(max_wantlist_entries=200_000, max_total_wantlist_entries=1 << 30))
        cids = [CID.from_bytes(STARTS[1] + digest(number)) for number in range(100_000)]
        empty = core.memory()
        for first in range(0, len(cids), 10_000):
            tell(core, "A", cids[first : first + 10_000])
        core.check()
        grown = core.memory()
        assert grown - empty > 12 * len(cids)
        for first in range(0, 60_000, 10_000):
            tell(core, "A", cancels=cids[first : first + 10_000])
            core.check()
        assert core.memory() < grown
        assert core.wantlist_for_peer("A") == cids[60_000:]
        tell(core, "A", cids[:60_000])
        core.check()
        core.peer_disconnected("A")
        core.check()
        assert core.memory() < empty + (1 << 20)


class TestLanding:
    def test_what_was_withdrawn_and_postponed_is_gone_before_the_message_lands(self) -> None:
        core = CORE(ServerOptions(max_target_message_size=8 << 20, target_message_size=8 << 20))
        cids = [CID.from_bytes(STARTS[1] + digest(number)) for number in range(60)]
        tell(core, "A", cids)
        envelope = core.next_envelope(0.0)
        assert envelope is not None
        # Larger than they were said to be: not all of them fit.
        blocks = [Block(cid, bytes(256 * 1024)) for cid in envelope.cids]
        tell(core, "A", cancels=envelope.cids)
        message = core.fill(envelope, blocks)
        assert message is not None
        assert 0 < len(message.blocks()) < len(cids) - 20
        core.check()
        assert core.envelope_sent(envelope, 0.1)
        core.check()
        assert core.wantlist_for_peer("A") == []
