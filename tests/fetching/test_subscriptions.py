"""What reaches a request: each block once, whatever else is asked, nothing after its end."""

from __future__ import annotations

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.testnet import VirtualNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness
from tests.fetching.swarm import came, leftovers

pytestmark = pytest.mark.usefixtures("implementation")


@pytest.fixture
def run(implementation: str) -> Harness:
    return Harness("a")


def test_each_block_once(run: Harness, blocks: list[Block], cids: list[CID]) -> None:
    sub = run.want(cids[:2])
    run.answer("a", blocks[:1])
    run.answer("a", blocks[:1])
    run.answer("a", blocks[1:2])
    assert run.take(sub) == blocks[:2]
    assert run.take(sub) == []


def test_in_the_order_in_which_they_come(run: Harness, blocks: list[Block], cids: list[CID]) -> None:
    sub = run.want(cids)
    for place in (3, 1, 2):
        run.answer("a", blocks[place : place + 1])
    run.machine.blocks_added(blocks[7:8], run.now)
    run.answer("a", blocks[5:7])
    assert run.take(sub) == [blocks[place] for place in (3, 1, 2, 7, 5, 6)]


def test_everybody_who_waits(run: Harness, blocks: list[Block], cids: list[CID]) -> None:
    first = run.want(cids[:1])
    second = run.want(cids[:2], first.session)
    third = run.want(cids[:1])
    run.answer("a", blocks[:1])
    assert [run.take(sub) for sub in (first, second, third)] == [blocks[:1]] * 3
    # Whoever asks later asks anew: what came is not kept here.
    fourth = run.want(cids[:1])
    assert run.take(fourth) == []
    assert fourth.outstanding == 1


def test_a_request_that_ended_after_everything_else(run: Harness, cids: list[CID]) -> None:
    sub = run.want(cids)
    run.machine.close_all(run.now)
    run.machine.close(sub, run.now)
    run.machine.cancel(sub, cids, run.now)
    assert sub.closed
    assert run.machine.woken() == [sub]


def test_a_request_for_nothing_waits_for_nothing(run: Harness) -> None:
    sub = run.want([])
    assert sub.outstanding == 0
    assert run.sent() == {}
    net = VirtualNetwork()
    fetch = net.node().fetch([])
    assert fetch.done
    assert fetch.blocks == []


def test_a_request_given_up_at_once_gets_nothing(run: Harness, blocks: list[Block], cids: list[CID]) -> None:
    sub = run.want(cids)
    run.machine.close(sub, run.now)
    assert run.sent() == {}
    run.answer("a", blocks)
    assert run.take(sub) == []
    assert run.machine.unwanted("a") == 10


def test_one_that_is_never_read_holds_nobody_up() -> None:
    """A thousand blocks wait for a consumer that does not come, while another reads the same ones."""
    net = VirtualNetwork()
    ours, theirs = net.node(), net.node()
    net.connect(ours, theirs)
    blocks = make_blocks(1000, 500)
    theirs.add(*blocks)
    idle = ours.fetch(cids_of(blocks), pause=1e6)
    busy = ours.fetch(cids_of(blocks))
    assert net.run(lambda: busy.done, seconds=10)
    came(busy, blocks)
    assert not idle.done
    idle.close()
    net.run(seconds=10)
    assert leftovers(net) == []


def test_cancelling_what_came_keeps_it_for_taking(run: Harness, blocks: list[Block], cids: list[CID]) -> None:
    sub = run.want(cids[:2])
    run.answer("a", blocks[:1])
    assert run.machine.cancel(sub, cids[:2], run.now) == cids[1:2]
    assert run.take(sub) == blocks[:1]
    assert run.machine.wantlist() == []


def test_the_same_bytes_under_two_cids_are_two_wants(run: Harness) -> None:
    data = b"the same bytes"
    raw, other = Block.of(data), Block.of(data, codec=0x70)
    assert raw.cid.multihash == other.cid.multihash
    sub = run.want([raw.cid, other.cid])
    run.answer("a", [raw])
    assert run.take(sub) == [raw]
    assert run.machine.wantlist() == [other.cid]
    run.answer("a", [other])
    assert run.take(sub) == [other]
