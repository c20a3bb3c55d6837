"""Sessions of whole nodes: who gives what to them, what they hear of later, what is left of them."""

from __future__ import annotations

import pytest

from bitswap.errors import UsageError
from bitswap.options import ClientOptions
from bitswap.testnet import VirtualNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import arrives, at_peers, came, givers, leftovers, swarm

pytestmark = pytest.mark.usefixtures("implementation")


def test_a_session_knows_who_gave_it_a_block() -> None:
    net, (ours, giver, _) = swarm(3)
    (block,) = make_blocks(1)
    giver.add(block)
    session = ours.session()
    arrives(net, ours.fetch([block.cid], session), [block])
    assert givers(session) == {giver.name: 1}
    assert (session.blocks, session.bytes, session.duplicates) == (1, 64, 0)


def test_those_who_have_nothing_for_a_session_are_asked_once_at_most() -> None:
    """Ten nodes, one of which has a root and a hundred leaves: the bystanders hear of the root at most."""
    options = ClientOptions(simulate_dont_haves=False)
    net, (ours, giver, *bystanders) = swarm(10, latency=0.001, client=options)
    blocks = make_blocks(101)
    giver.add(*blocks)
    session = ours.session()
    arrives(net, ours.fetch([blocks[0].cid], session), blocks[:1])
    net.run(seconds=0.05)
    for start in range(1, 101, 10):
        part = blocks[start : start + 10]
        arrives(net, ours.fetch(cids_of(part), session), part, within=1)
    assert givers(session) == {giver.name: 101}
    net.run(seconds=10)
    # A question and its withdrawal.
    assert max(node.received for node in bystanders) <= 2
    assert leftovers(net) == []


def test_a_session_finds_each_part_where_it_is() -> None:
    """Ten nodes have ten blocks each; a session that has had one part from one finds the next at another."""
    net, nodes = swarm(11)
    ours = nodes.pop()
    blocks = make_blocks(100)
    for place, node in enumerate(nodes):
        node.add(*blocks[place * 10 : place * 10 + 10])
    session = ours.session()
    for place, node in enumerate(nodes):
        part = blocks[place * 10 : place * 10 + 10]
        before = givers(session)
        arrives(net, ours.fetch(cids_of(part), session), part, within=5)
        assert givers(session) == before | {node.name: 10}
    assert session.duplicates == 0
    net.run(seconds=10)
    assert leftovers(net) == []


def test_a_peer_that_comes_back_with_more_is_asked_for_the_rest() -> None:
    net, (ours, giver) = swarm(2)
    blocks = make_blocks(10)
    giver.add(*blocks[:5])
    fetch = ours.fetch(cids_of(blocks))
    assert net.run(lambda: len(fetch.blocks) == 5, seconds=5)
    net.disconnect(ours, giver)
    net.run(seconds=0.02)
    giver.add(*blocks[5:])
    net.run(seconds=2)
    assert len(fetch.blocks) == 5
    net.connect(ours, giver)
    arrives(net, fetch, blocks, within=0.1)


def test_an_early_want_is_not_lost_behind_thousands_of_later_ones() -> None:
    net, (ours, giver) = swarm(2)
    blocks = make_blocks(2049)
    session = ours.session()
    early = ours.fetch([blocks[0].cid], session)
    late = ours.fetch(cids_of(blocks[1:]), session)
    net.run(seconds=0.05)
    giver.add(blocks[0])
    arrives(net, early, blocks[:1], within=5)
    assert late.blocks == []
    late.close()
    net.run(seconds=5)
    assert leftovers(net) == []


@pytest.mark.parametrize("nodes", [2, 6])
def test_a_want_behind_thousands_is_found_once_somebody_has_it(nodes: int) -> None:
    """A peer is told of 1,000 wants at most; the others take their turn."""
    net, (ours, giver, *_) = swarm(nodes, client=ClientOptions(expected_block_bytes=1024))
    blocks = make_blocks(2500)
    fetch = ours.fetch(cids_of(blocks))
    net.run(seconds=1)
    giver.add(blocks[2000])
    assert net.run(lambda: fetch.blocks == [blocks[2000]], seconds=20)


def test_a_block_of_our_own_reaches_a_session_that_wants_thousands() -> None:
    net = VirtualNetwork()
    lone = net.node()
    blocks = make_blocks(2499)
    fetch = lone.fetch(cids_of(blocks))
    net.run(seconds=0.05)
    lone.add(blocks[17])
    assert fetch.blocks == [blocks[17]]


def test_sessions_are_independent() -> None:
    """The first asks and ends; the second, which asks for the same, gets it when somebody has it."""
    net, (ours, giver) = swarm(2)
    (block,) = make_blocks(1)
    first, second = ours.session(), ours.session()
    given_up = ours.fetch([block.cid], first)
    wanted = ours.fetch([block.cid], second)
    net.run(seconds=0.05)
    ours.close_session(first)
    net.run(seconds=0.01)
    giver.add(block)
    arrives(net, wanted, [block], within=5)
    assert given_up.blocks == []
    assert givers(second) == {giver.name: 1}


def test_a_session_begun_after_another_was_closed_asks_anew() -> None:
    net, (ours, giver) = swarm(2)
    (block,) = make_blocks(1)
    first = ours.session()
    ours.fetch([block.cid], first)
    net.run(seconds=0.05)
    ours.close_session(first)
    wanted = ours.fetch([block.cid])
    net.run(seconds=0.01)
    giver.add(block)
    arrives(net, wanted, [block], within=5)


def test_closing_a_session_takes_back_all_its_wants() -> None:
    net, (ours, other) = swarm(2)
    absent = cids_of(make_blocks(15))
    session = ours.session()
    ours.fetch(absent[:10], session)
    ours.fetch(absent[5:], session)
    net.run(seconds=0.05)
    assert at_peers(net, ours) == {other.name: 15}
    ours.close_session(session)
    assert ours.wants.wantlist() == []
    net.run(seconds=0.1)
    assert leftovers(net) == []
    # Whoever holds it still is told so, and asks nobody.
    assert ours.wants.subscribe(session).closed


def test_timeouts_are_checked() -> None:
    """The times of silence have usable defaults, and no others are taken."""
    options = ClientOptions()
    assert 0 < options.min_dont_have_timeout <= options.dont_have_timeout <= options.max_dont_have_timeout
    for wrong in (
        {"dont_have_timeout": 0.0},
        {"min_dont_have_timeout": -1.0},
        {"min_dont_have_timeout": 6.0},
        {"max_dont_have_timeout": 4.0},
    ):
        with pytest.raises(UsageError):
            ClientOptions(**wrong)  # type: ignore[arg-type]
    net, (ours, giver) = swarm(2, client=ClientOptions(dont_have_timeout=2.0, min_dont_have_timeout=0.01))
    blocks = make_blocks(3)
    giver.add(*blocks)
    fetch = ours.fetch(cids_of(blocks))
    arrives(net, fetch, blocks)
    came(fetch, blocks)
