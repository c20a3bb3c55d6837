"""`get_block` by its short way: what it leaves, and what comes from elsewhere while it asks."""

from __future__ import annotations

import threading

import pytest

from bitswap import Bitswap, Block, Closed, Timeout
from bitswap.blockstore import MemoryBlockstore
from bitswap.testnet import LoopbackHub
from bitswap.testutils import make_blocks
from tests.client.mute import Mute
from tests.client.racing import Racing
from tests.client.waiting import asked

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""


def nothing_is_left(node: Bitswap) -> bool:
    sessions = node.client._machine._sessions
    return not node.wantlist() and not sessions._sessions


def test_a_request_is_over_with_its_block(pair: tuple[Bitswap, Bitswap]) -> None:
    ours, theirs = pair
    blocks = make_blocks(3)
    theirs.add_blocks(blocks)
    assert ours.get_block(blocks[0].cid, SECONDS) == blocks[0]
    assert ours.client.get_block(blocks[1].cid, SECONDS) == blocks[1]
    assert nothing_is_left(ours)
    with ours.new_session() as session:
        assert session.get_block(blocks[2].cid, SECONDS) == blocks[2]
        assert ours.wantlist() == []
        assert session.stats.blocks == 1
    assert nothing_is_left(ours)


def test_or_with_its_error() -> None:
    with LoopbackHub() as hub, Bitswap(hub.network("ours"), MemoryBlockstore()) as node:
        mute = Mute()
        hub.network("mute").start(mute)
        node.connect("/loopback/mute")
        (block,) = make_blocks(1)
        with pytest.raises(Timeout):
            node.get_block(block.cid, 0.01)
        assert nothing_is_left(node)
        session = node.new_session()
        session.close()
        with pytest.raises(Closed):
            session.get_block(block.cid, SECONDS)
        assert nothing_is_left(node)


def test_a_block_stored_between_look_up_and_asking_is_not_missed() -> None:
    """Nobody would tell: the look-up was too early and the notice too."""

    store = Racing()
    with LoopbackHub() as hub, Bitswap(hub.network("ours"), store) as node:
        store.node = node
        (store.late,) = (block,) = make_blocks(1)
        assert node.get_block(block.cid, SECONDS) == block
        assert nothing_is_left(node)


def test_closing_the_client_ends_the_wait() -> None:
    errors: list[BaseException] = []
    (block,) = make_blocks(1)
    with LoopbackHub() as hub:
        mute = Mute()
        hub.network("mute").start(mute)
        node = Bitswap(hub.network("ours"), MemoryBlockstore())
        node.connect("/loopback/mute")

        def wait() -> None:
            with pytest.raises(Closed) as raised:
                node.get_block(block.cid, SECONDS)
            errors.append(raised.value)

        thread = threading.Thread(target=wait)
        thread.start()
        assert mute.heard.wait(SECONDS)
        node.close()
        thread.join()
    assert len(errors) == 1


def test_a_second_request_for_the_same_block_gets_it_too(pair: tuple[Bitswap, Bitswap]) -> None:
    ours, theirs = pair
    (block,) = make_blocks(1)
    got: list[Block] = []
    threads = [
        threading.Thread(target=lambda: got.append(ours.get_block(block.cid, SECONDS))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    asked(theirs, ours.network.self_id, block.cid)
    theirs.add_block(block)
    for thread in threads:
        thread.join()
    assert got == [block] * 4
    assert nothing_is_left(ours)
