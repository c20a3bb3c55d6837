"""More keys that nobody has than a window holds: what follows comes, and so do they once somebody has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bitswap import Options
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.explanation import State
from bitswap.message import Message
from bitswap.options import ClientOptions
from bitswap.testinstance import instances
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import arrives, at_peers, came, leftovers, play, say, swarm
from tests.sizes import LONG

pytestmark = pytest.mark.usefixtures("implementation")

ABSENT, PRESENT = (10_000, 40_000) if LONG else (5000, 2000)
SMALL = ClientOptions(
    window_blocks=100, expected_block_bytes=1024, resting_wants=20, turn_wants=40, max_shelved_wants=1000
)
"""As many places as there are in a window, and what may be beside it, all ten to fifty times smaller."""


def stocked(others: int, absent: int) -> tuple[VirtualNetwork, list[VirtualNode], Fetch, list[Block]]:
    """A small window, half a minute after so many blocks were asked for that nobody has."""
    net, nodes = swarm(1 + others, client=SMALL)
    blocks = make_blocks(absent, 2000, "absent")
    fetch = nodes[0].fetch(cids_of(blocks))
    net.run(seconds=30)
    assert not fetch.blocks
    assert len(fetch.session.shelf) == absent - SMALL.resting_wants
    return net, nodes, fetch, blocks


class TestWhatFollows:
    @pytest.mark.parametrize("others", [1, 3, 30])
    def test_it_comes(self, others: int) -> None:
        net, (ours, theirs, *_) = swarm(1 + others, client=SMALL)
        absent, blocks = make_blocks(400, 2000, "absent"), make_blocks(200, 2000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of([*absent, *blocks]))
        assert net.run(lambda: len(fetch.blocks) == 200, seconds=60)
        assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(blocks))
        net.run(seconds=5)
        assert sorted(ours.wants.wantlist()) == sorted(cids_of(absent))

    @pytest.mark.timeout(120)
    def test_of_a_usual_window(self) -> None:
        net, (ours, theirs) = swarm(2)
        absent, blocks = make_blocks(ABSENT, 32, "absent"), make_blocks(PRESENT, 32)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of([*absent, *blocks]))
        assert net.run(lambda: len(fetch.blocks) == PRESENT, seconds=20)
        assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(blocks))
        theirs.add(*absent)
        arrives(net, fetch, [*absent, *blocks], within=60)
        net.run(seconds=60)
        assert leftovers(net) == []

    def test_peers_that_say_nothing(self) -> None:
        """One tells what it lacks, the other does not; both are taken to lack it."""
        net, (ours, theirs, silent) = swarm(3, client=SMALL)
        play(net, silent, lambda peer, message: None)
        absent, blocks = make_blocks(300, 2000, "absent"), make_blocks(50, 2000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of([*absent, *blocks]))
        assert net.run(lambda: len(fetch.blocks) == 50, seconds=60)


class TestBounds:
    def test_a_lazy_request_is_read_as_far_as_there_is_room(self) -> None:
        net, (ours, *_) = swarm(3, client=SMALL)
        drawn = [0]

        def endless() -> Iterator[CID]:
            for block in make_blocks(5000, 32, "absent"):
                drawn[0] += 1
                yield block.cid

        fetch = ours.fetch(endless())
        net.run(lambda: drawn[0] > SMALL.window_blocks, seconds=1)
        assert drawn[0] < 1000  # it is not read before it is known that nobody has the first ones
        net.run(seconds=300)
        most = SMALL.window_blocks + SMALL.max_shelved_wants
        assert most - SMALL.window_blocks // 8 <= drawn[0] <= most
        fetch.close()

    @pytest.mark.parametrize("others", [1, 30])
    def test_peers_and_what_is_known_of_them(self, others: int) -> None:
        """At any moment of some rounds."""
        net, (ours, *_), fetch, _ = stocked(others, 300)
        most = SMALL.resting_wants + SMALL.turn_wants
        presence = fetch.session._presence

        def too_much() -> bool:
            sizes = [len(fetch.session.wants), len(presence), *at_peers(net, ours).values()]
            # A message under way may tell of as many as are asked for after it.
            return max(sizes) > 2 * most

        assert not net.run(too_much, seconds=60)

    def test_everything_is_asked_for_in_turns(self) -> None:
        net, (_, theirs, *_), _, blocks = stocked(5, 500)
        asked: set[CID] = set()

        def note(peer: str, message: Message) -> None:
            asked.update(entry.cid for entry in message.wantlist() if not entry.cancel)

        play(net, theirs, note)
        # One round a minute at last.
        net.run(lambda: len(asked) == 500, seconds=60 * (500 // SMALL.turn_wants + 2))
        assert asked == {*cids_of(blocks)}

    @pytest.mark.parametrize("cancelled", [True, False])
    def test_nothing_is_left(self, cancelled: bool) -> None:
        net, (ours, *_), fetch, blocks = stocked(5, 300)
        if cancelled:
            fetch.cancel(cids_of(blocks))
        else:
            ours.add(*blocks)
            came(fetch, blocks)
        assert not fetch.session.shelf
        net.run(seconds=60)
        assert leftovers(net) == []
        assert not fetch.session.shelf._newcomers


class TestWhatTurnsUp:
    @pytest.mark.parametrize("how", ["added", "joins", "joins-and-is-found"])
    @pytest.mark.parametrize("others", [1, 3, 30])
    def test_all_of_it(self, how: str, others: int) -> None:
        net, (ours, theirs, *_), fetch, blocks = stocked(others, 300)
        if how == "added":
            theirs.add(*blocks)
        else:
            late = net.node("late")
            late.blocks.update((block.cid, block) for block in blocks)
            net.connect(ours, late)
            if how == "joins-and-is-found":
                fetch.session.provider_found("late", blocks[-1].cid, net.clock.now())
                ours.pump()
        # A round is a minute away.
        arrives(net, fetch, blocks, within=20)
        net.run(seconds=60)
        assert leftovers(net) == []

    @pytest.mark.parametrize("others", [1, 3, 30])
    def test_a_newcomer_has_one_that_is_not_its_turn(self, others: int) -> None:
        """It is asked for all of them, a slice after the other, as it answers."""
        net, (ours, *_), fetch, blocks = stocked(others, 300)
        late = net.node("late")
        one = next(block for block in blocks if block.cid in fetch.session.shelf)
        late.blocks[one.cid] = one
        net.connect(ours, late)
        assert net.run(lambda: fetch.blocks == [one], seconds=2)

    def test_a_newcomer_that_leaves_while_it_is_asked(self) -> None:
        net, (ours, *_), fetch, _ = stocked(5, 300)
        late = net.node("late")
        net.connect(ours, late)
        net.run(seconds=0.015)
        assert fetch.session.shelf._newcomers
        net.disconnect(ours, late)
        net.run(seconds=1)
        assert not fetch.session.shelf._newcomers

    def test_a_router_names_the_holder_of_one(self) -> None:
        net, (ours, theirs, *_), fetch, blocks = stocked(5, 300)
        one = next(block for block in blocks if block.cid in fetch.session.shelf)
        theirs.blocks[one.cid] = one
        fetch.session.provider_found(theirs.name, one.cid, net.clock.now())
        ours.pump()
        assert net.run(lambda: fetch.blocks == [one], seconds=1)

    @pytest.mark.parametrize("wanted", [True, False])
    def test_somebody_says_so_unasked(self, wanted: bool) -> None:
        net, (ours, theirs, *_), fetch, blocks = stocked(5, 300)
        one = next(block for block in blocks if block.cid in fetch.session.shelf)
        told = Message()
        if wanted:
            theirs.blocks[one.cid] = one
            told.add_have(one.cid)
        else:
            told.add_block(one)
        say(net, theirs, ours.name, told)
        assert net.run(lambda: fetch.blocks == [one], seconds=1)
        assert one.cid not in fetch.session.shelf


class TestOtherRequests:
    def test_of_the_same_session(self) -> None:
        """It asks again, at once."""
        net, (ours, theirs, *_), fetch, blocks = stocked(5, 300)
        part = [block for block in blocks if block.cid in fetch.session.shelf][:5]
        theirs.blocks.update((block.cid, block) for block in part)
        other = ours.fetch(cids_of(part), fetch.session)
        arrives(net, other, part, within=2)
        assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(part))

    def test_of_another_session(self) -> None:
        """What one has put away the other goes on asking for, and the other way round."""
        net, (ours, theirs, *_), fetch, blocks = stocked(5, 300)
        other = ours.fetch(cids_of(blocks))
        net.run(seconds=30)
        other.cancel(cids_of(blocks[:150]))
        theirs.add(*blocks)
        assert net.run(lambda: fetch.done and other.done, seconds=60)
        came(fetch, blocks)
        came(other, blocks[150:])
        net.run(seconds=60)
        assert leftovers(net) == []

    def test_where_it_is_told_to_be(self) -> None:
        net, (ours, *_), fetch, _ = stocked(2, 300)
        told = ours.wants.explain(list(fetch.session.shelf._rounds)[7], net.clock.now())
        assert told.state is State.RESTING
        assert "280 that everybody lacks are asked for in turns; 7 come before it" in str(told)
        assert told.waits[0].ahead == 7
        assert told.waits[0].rounds >= 0
        assert told.next[0].due is not None


@pytest.mark.timeout(60)
def test_real_nodes() -> None:
    """A lazy request over a node with a store."""
    absent, blocks = make_blocks(400, 10, "absent"), make_blocks(10, 5000)
    with instances(2, options=Options(client=SMALL)) as (ours, theirs):
        theirs.add_blocks(blocks)
        found = ours.get_blocks(iter(cids_of([*absent, *blocks])), timeout=40)
        assert {next(found).cid for _ in blocks} == {*cids_of(blocks)}
        theirs.add_blocks(absent)
        assert {block.cid for block in found} == {*cids_of(absent)}
