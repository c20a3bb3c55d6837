"""The message as an object: what merges, what replaces, what counts (boxo `bitswap/message`)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from bitswap.block import Block
from bitswap.cid import CID, DAG_PB
from bitswap.errors import InvalidCid, UsageError
from bitswap.message import Entry, PresenceType, WantType

BLOCKS = [Block.of(bytes([i])) for i in range(40)]
CIDS = [block.cid for block in BLOCKS]
A, B, C = CIDS[:3]
BLOCK, HAVE = WantType.BLOCK, WantType.HAVE


def entry(message: Any, cid: CID = A) -> tuple[int, int, bool, bool]:
    """Priority, type, cancel, send_dont_have of the one entry for `cid`."""
    (found,) = (item for item in message.wantlist() if item.cid == cid)
    return found[1:]


def test_a_new_message_is_empty(codec: ModuleType) -> None:
    message = codec.Message()
    assert message.empty()
    assert message.full is False
    assert message.pending_bytes == 0
    assert message.size() == 0
    assert message.body_size == 2
    for held in (message.wantlist, message.blocks, message.haves, message.dont_haves, message.presences):
        assert held() == []


def test_full_and_pending_bytes_do_not_make_a_message_count_as_filled(codec: ModuleType) -> None:
    message = codec.Message(True)
    message.pending_bytes = 7
    assert message.full is True
    assert message.empty()


@pytest.mark.parametrize("fill", ["add_entry", "cancel", "add_have", "add_dont_have", "add_block"])
def test_any_element_fills_it(codec: ModuleType, fill: str) -> None:
    message = codec.Message()
    arguments: dict[str, tuple[Any, ...]] = {"add_entry": (A, 1), "add_block": (BLOCKS[0],)}
    getattr(message, fill)(*arguments.get(fill, (A,)))
    assert not message.empty()


def test_wants_are_read_as_they_were_added(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_entry(A, 5, HAVE, True)
    message.add_entry(B, -3, BLOCK, False)
    message.cancel(C)
    assert message.wantlist() == [
        Entry(A, 5, HAVE, False, True),
        Entry(B, -3, BLOCK, False, False),
        Entry(C, 0, BLOCK, True, False),
    ]
    first = message.wantlist()[0]
    assert type(first) is Entry
    assert type(first.cid) is CID
    assert type(first.cancel) is bool
    assert type(first.send_dont_have) is bool


def test_order_is_that_of_first_addition(codec: ModuleType) -> None:
    message = codec.Message()
    for cid in CIDS:
        message.add_entry(cid, 1)
        message.add_dont_have(cid)
    message.add_entry(CIDS[3], 2)
    message.add_have(CIDS[3])
    message.remove(CIDS[1])
    message.add_entry(CIDS[1], 1)
    assert [item.cid for item in message.wantlist()] == [CIDS[0], *CIDS[2:], CIDS[1]]
    assert [cid for cid, _ in message.presences()] == CIDS


def test_a_server_can_tell_whether_there_is_anything_to_do(codec: ModuleType) -> None:
    message = codec.Message()
    assert message.has_wants is False
    message.add_block(BLOCKS[0])
    message.add_have(B)
    message.pending_bytes = 5
    assert message.has_wants is False
    assert codec.Message.from_body(message.to_body()).has_wants is False
    message.add_entry(C, 1)
    assert message.has_wants is True
    assert codec.Message.from_body(message.to_body()).has_wants is True
    message.remove(C)
    assert message.has_wants is False
    message.cancel(C)
    assert message.has_wants is True
    message.reset(False)
    assert message.has_wants is False
    message.full = True
    assert message.has_wants is True
    assert message.empty()
    assert codec.Message.from_body(message.to_body()).has_wants is True


# Merging into an entry


def test_sizes_are_those_of_the_encoded_entry_and_0_when_merged(codec: ModuleType) -> None:
    message = codec.Message()
    assert message.add_entry(A, 0) == 38
    assert message.add_entry(A, 1) == 0
    assert message.add_entry(B, 1, HAVE, True) == 44
    assert message.cancel(C) == 40
    assert message.cancel(C) == 0
    assert message.add_entry(CIDS[3], 2**31 - 1) == 44
    assert message.add_entry(CIDS[4], -1) == 49


def test_the_scenario_of_have_block_cancel(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_entry(A, 1, HAVE, False)
    message.add_entry(A, 2, BLOCK, True)
    assert entry(message) == (1, BLOCK, False, True)
    message.add_entry(A, 2, BLOCK, False)
    assert entry(message) == (2, BLOCK, False, True)
    message.add_entry(A, 3, HAVE, False)
    assert entry(message) == (2, BLOCK, False, True)
    message.cancel(A)
    assert entry(message) == (0, BLOCK, True, True)
    message.add_entry(A, 10, BLOCK, True)
    assert entry(message) == (10, BLOCK, True, True)


def test_entries_are_counted_without_the_wantlist(codec: ModuleType) -> None:
    message = codec.Message()
    assert message.entry_count == 0
    for cid in CIDS:
        message.add_entry(cid, 1)
    message.cancel(A)
    message.add_block(BLOCKS[0])
    message.add_have(B)
    assert message.entry_count == len(message.wantlist()) == len(CIDS)
    for cid in CIDS[::3]:
        message.remove(cid)
    message.remove(A)
    assert message.entry_count == len(message.wantlist()) == len(CIDS) - len(CIDS[::3])
    read = codec.Message.from_body(message.to_body())
    assert read.entry_count == message.clone().entry_count == message.entry_count
    message.reset(False)
    assert message.entry_count == 0


def test_cancelling_a_want_have_keeps_its_priority_and_makes_it_a_want_block(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_entry(A, 7, HAVE, False)
    message.cancel(A)
    assert entry(message) == (7, BLOCK, True, False)


def test_an_unknown_want_type_stays(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_entry(A, 7, 9, False)
    message.add_entry(A, 1, BLOCK, False)
    message.add_entry(A, 2, HAVE, False)
    assert entry(message) == (7, 9, False, False)
    message.add_entry(A, 3, 9, True)
    assert entry(message) == (3, 9, False, True)


def test_a_want_after_remove_is_new(codec: ModuleType) -> None:
    message = codec.Message()
    message.cancel(A)
    message.remove(A)
    message.remove(A)
    assert message.empty()
    assert message.add_entry(A, 1) == 40
    assert entry(message) == (1, BLOCK, False, False)


def test_remove_touches_the_wantlist_only(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_block(BLOCKS[0])
    message.add_have(B)
    message.remove(A)
    message.remove(B)
    assert message.blocks() == [BLOCKS[0]]
    assert message.haves() == [B]


def test_both_versions_of_one_hash_are_two_wants(codec: ModuleType) -> None:
    message = codec.Message()
    v0 = Block.of(b"x", version=0).cid
    message.add_entry(v0, 1)
    message.add_entry(v0.to_v1(), 2)
    assert [item.priority for item in message.wantlist()] == [1, 2]


# Blocks and presences


def test_a_block_replaces_a_presence_and_keeps_others_away(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_have(A)
    message.add_dont_have(B)
    message.add_have(C)
    message.add_block(BLOCKS[0])
    message.add_block(BLOCKS[1])
    assert message.presences() == [(C, PresenceType.HAVE)]
    message.add_dont_have(A)
    message.add_have(B)
    assert message.presences() == [(C, PresenceType.HAVE)]
    assert message.blocks() == BLOCKS[:2]


def test_the_last_presence_counts(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_have(A)
    message.add_have(B)
    message.add_dont_have(A)
    assert message.haves() == [B]
    assert message.dont_haves() == [A]
    message.add_presence(A, 5)
    assert message.dont_haves() == []
    assert message.presences() == [(A, 5), (B, PresenceType.HAVE)]


def test_a_block_twice_is_one(codec: ModuleType) -> None:
    message = codec.Message()
    first, second = Block(A, b"one"), Block(A, b"two")
    message.add_block(first)
    message.add_block(second)
    assert [block.data for block in message.blocks()] == [b"two"]


def test_size_counts_data_entries_and_presences_as_have(codec: ModuleType) -> None:
    message = codec.Message(True)
    message.pending_bytes = 100
    message.add_entry(A, 1)
    message.add_have(A)
    message.add_dont_have(B)
    message.add_have(Block.of(b"", version=0).cid)
    message.add_block(Block.of(b"12345"))
    assert message.size() == 40 + 38 + 38 + 36 + 5


# What is accepted


def test_wants_may_be_named_by_text_or_bytes(codec: ModuleType) -> None:
    message = codec.Message()
    message.add_entry(str(A), 1)
    message.add_entry(bytes(A), 2)
    message.cancel(str(B))
    message.add_have(bytes(C))
    message.remove(str(B))
    assert [item.cid for item in message.wantlist()] == [A]
    assert message.haves() == [C]
    with pytest.raises(InvalidCid):
        message.add_entry("not a CID", 1)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**63, 2**64, -(2**70)])
def test_numbers_fit_in_32_bits(codec: ModuleType, number: int) -> None:
    message = codec.Message()
    with pytest.raises(UsageError, match=f"^priority {number} does not fit in 32 bits$"):
        message.add_entry(A, number)
    with pytest.raises(UsageError, match=f"^want type {number} does not fit in 32 bits$"):
        message.add_entry(A, 1, number)
    with pytest.raises(UsageError, match=f"^presence type {number} does not fit in 32 bits$"):
        message.add_presence(A, number)
    with pytest.raises(UsageError, match=f"^pending bytes {number} does not fit in 32 bits$"):
        message.pending_bytes = number
    assert message.empty()
    for limit in (2**31 - 1, -(2**31)):
        message.add_entry(A, limit, limit)
        message.add_presence(B, limit)
        message.pending_bytes = limit


def test_numbers_are_integers(codec: ModuleType) -> None:
    message = codec.Message()
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        message.add_entry(A, 1.5)
    with pytest.raises(TypeError, match="'str' object cannot be interpreted as an integer"):
        message.pending_bytes = "1"
    assert message.empty()


# The whole


def filled(codec: ModuleType) -> Any:
    message = codec.Message(True)
    message.add_entry(A, 1, HAVE, True)
    message.cancel(B)
    message.add_block(BLOCKS[5])
    message.add_have(C)
    message.pending_bytes = 9
    return message


def contents(message: Any) -> tuple[Any, ...]:
    return (
        message.full,
        message.wantlist(),
        [(block.cid, block.data) for block in message.blocks()],
        message.presences(),
        message.pending_bytes,
        message.size(),
        message.body_size,
    )


def test_reset_forgets_everything(codec: ModuleType) -> None:
    message = filled(codec)
    message.reset(True)
    assert contents(message) == contents(codec.Message(True))
    message.reset(False)
    assert contents(message) == contents(codec.Message(False))
    message.add_entry(A, 1)
    assert len(message.wantlist()) == 1


def test_a_clone_is_equal_and_independent(codec: ModuleType) -> None:
    message = filled(codec)
    before = contents(message)
    copy = message.clone()
    assert contents(copy) == before
    copy.add_entry(A, 5, BLOCK)
    copy.add_block(BLOCKS[7])
    copy.add_dont_have(C)
    copy.remove(B)
    copy.full = False
    copy.pending_bytes = 1
    assert contents(message) == before


def test_a_clone_of_what_was_read_outlives_it(codec: ModuleType) -> None:
    message = codec.Message()
    for cid in CIDS:
        message.add_entry(cid, 1)
        message.add_have(cid)
    read = codec.Message.from_body(message.to_body())
    copy, before = read.clone(), contents(read)
    read.reset(False)
    del read
    assert contents(copy) == before


def test_repr_counts(codec: ModuleType) -> None:
    assert repr(filled(codec)) == "<Message full=True entries=2 blocks=1 presences=1 pending_bytes=9>"


def test_what_was_read_can_be_changed(codec: ModuleType) -> None:
    message = filled(codec)
    message.add_block(Block.of(b"dag", codec=DAG_PB))
    read = codec.Message.from_body(message.to_body())
    read.add_entry(A, 3, BLOCK, False)
    read.add_entry(CIDS[9], 4)
    read.remove(B)
    read.add_dont_have(CIDS[8])
    read.add_block(Block(C, BLOCKS[2].data))
    assert read.wantlist() == [Entry(A, 1, BLOCK, False, True), Entry(CIDS[9], 4, BLOCK, False, False)]
    assert read.presences() == [(CIDS[8], PresenceType.DONT_HAVE)]
    assert len(read.blocks()) == 3


def test_many_wants_with_removals_keep_their_order(codec: ModuleType) -> None:
    cids = [Block.of(i.to_bytes(4, "big")).cid for i in range(3000)]
    message = codec.Message()
    kept: dict[CID, int] = {}
    for step, cid in enumerate(cids):
        message.add_entry(cid, step)
        kept[cid] = step
        if step % 3 == 0:
            message.remove(cids[step // 2])
            kept.pop(cids[step // 2], None)
        if step % 7 == 0:
            again = cids[step // 4]
            message.add_entry(again, -step)
            kept[again] = -step
    assert [(item.cid, item.priority) for item in message.wantlist()] == list(kept.items())
    read = codec.Message.from_body(message.to_body())
    assert read.wantlist() == message.wantlist()


def test_a_want_that_comes_and_goes_does_not_grow_the_message(codec: ModuleType) -> None:
    message = codec.Message()
    for step in range(10_000):
        message.add_entry(CIDS[step % 20], 1)
        message.remove(CIDS[(step + 10) % 20])
    assert [item.cid for item in message.wantlist()] == [CIDS[step % 20] for step in range(9990, 10_000)]
