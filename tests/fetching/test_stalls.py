"""What could stop a fetch for ever, and must not: each ends right, and leaves no want at any peer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.options import ClientOptions, ServerOptions
from bitswap.testnet import VirtualNetwork, VirtualNode, fixed
from bitswap.testutils import cids_of, make_blocks
from tests.fetching.swarm import arrives, at_peers, came, givers, leftovers, play, swarm

pytestmark = pytest.mark.usefixtures("implementation")


def ends(net: VirtualNetwork) -> None:
    """A minute later nobody wants anything, or is taken to."""
    net.run(seconds=60)
    assert leftovers(net) == []


def liar(net: VirtualNetwork, node: VirtualNode) -> list[int]:
    """`node` says HAVE to every question, and never sends anything; returns the count of its HAVEs."""
    said = [0]

    def answers(peer: str, message: Message) -> Message | None:
        wanted = [entry for entry in message.wantlist() if not entry.cancel]
        answer = Message()
        for entry in wanted:
            if entry.want_type == WantType.HAVE:
                answer.add_have(entry.cid)
                said[0] += 1
        return None if answer.empty() else answer

    play(net, node, answers)
    return said


class TestAPeerThatTakesFewWants:
    """Servers keep 1,024 wants of a peer; some tell what they drop, others do not."""

    @pytest.mark.parametrize("tells", [True, False])
    def test_fifty_thousand_keys_in_one_call(self, tells: bool) -> None:
        net = VirtualNetwork()
        ours = net.node("ours", serves=False)
        server = ServerOptions(max_wantlist_entries=1024, min_wantlist_entries=1024, send_dont_haves=tells)
        theirs = net.node("theirs", server=server)
        net.connect(ours, theirs)
        blocks = make_blocks(50_000, 32)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        arrives(net, fetch, blocks)
        assert theirs.largest_wantlist["ours"] <= 1000
        assert theirs.engine is not None
        assert theirs.engine.stat.wants_refused == 0
        assert fetch.session.duplicates == 0
        ends(net)

    @pytest.mark.parametrize("tells", [True, False])
    def test_one_that_takes_fewer_than_others(self, tells: bool) -> None:
        net = VirtualNetwork()
        ours = net.node("ours", serves=False)
        server = ServerOptions(max_wantlist_entries=200, min_wantlist_entries=200, send_dont_haves=tells)
        theirs = net.node("theirs", server=server)
        net.connect(ours, theirs)
        blocks = make_blocks(2000, 32)
        theirs.add(*blocks)
        arrives(net, ours.fetch(cids_of(blocks)), blocks, within=120)
        ends(net)

    def test_many_requests_at_once(self) -> None:
        """Fifty of a thousand keys each, all at the same peer."""
        net = VirtualNetwork()
        ours = net.node("ours", serves=False, client=ClientOptions(expected_block_bytes=1024))
        server = ServerOptions(max_wantlist_entries=1024, min_wantlist_entries=1024)
        theirs = net.node("theirs", server=server)
        net.connect(ours, theirs)
        blocks = make_blocks(10_000, 32)
        theirs.add(*blocks)
        parts = [blocks[start : start + 200] for start in range(0, 10_000, 200)]
        fetches = [ours.fetch(cids_of(part)) for part in parts]
        assert net.run(lambda: all(fetch.done for fetch in fetches), seconds=120)
        for fetch, part in zip(fetches, parts, strict=True):
            came(fetch, part)
        assert theirs.largest_wantlist["ours"] <= 1000
        ends(net)


class TestAPeerThatSaysHaveAndNeverSends:
    @pytest.mark.parametrize("others", [0, 1, 3, 20])
    @pytest.mark.parametrize("count", [1, 50])
    def test_somebody_else_has_it(self, others: int, count: int) -> None:
        net, (ours, theirs, false, *_) = swarm(3 + others)
        liar(net, false)
        blocks = make_blocks(count, 5000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of(blocks))
        arrives(net, fetch, blocks, within=30)
        assert givers(fetch.session) == {theirs.name: count}
        ends(net)

    @pytest.mark.parametrize("liars", [1, 4, 25])
    def test_somebody_gets_it_later(self, liars: int) -> None:
        net, (ours, theirs, *false) = swarm(2 + liars)
        for node in false:
            liar(net, node)
        (block,) = make_blocks(1, 5000)
        fetch = ours.fetch([block.cid])
        net.run(seconds=100)
        assert not fetch.done
        theirs.add(block)
        # Whoever is just waited for keeps it waiting, and none of the others.
        arrives(net, fetch, [block], within=2.5)
        ends(net)

    @pytest.mark.parametrize("liars", [1, 4, 25])
    def test_somebody_comes_later(self, liars: int) -> None:
        net, (ours, *false) = swarm(1 + liars)
        for node in false:
            liar(net, node)
        (block,) = make_blocks(1, 5000)
        fetch = ours.fetch([block.cid])
        net.run(seconds=100)
        theirs = net.node("theirs")
        theirs.add(block)
        net.connect(ours, theirs)
        arrives(net, fetch, [block], within=10)
        ends(net)

    @pytest.mark.parametrize("liars", [1, 2, 5])
    def test_nobody_else_may_be_asked(self, liars: int) -> None:
        """The request fails, with the reason of each."""
        net, (ours, *false) = swarm(1 + liars)
        for node in false:
            liar(net, node)
        absent = cids_of(make_blocks(3))
        fetch = ours.fetch(absent, peers=false, broadcast=False)
        assert net.run(lambda: fetch.done, seconds=300)
        assert sorted(fetch.missing) == sorted(absent)
        assert set(fetch.reasons) == {node.name for node in false}
        ends(net)

    def test_it_is_left_in_peace_after_a_cancel(self) -> None:
        net, (ours, false) = swarm(2)
        said = liar(net, false)
        fetch = ours.fetch(cids_of(make_blocks(20)))
        net.run(seconds=20)
        fetch.close()
        net.run(seconds=5)
        received, before = false.received, said[0]
        net.run(seconds=600)
        assert (false.received, said[0]) == (received, before)
        ends(net)


@pytest.mark.parametrize("quiet", [0, 1, 2, 5])
def test_members_that_never_say_no(quiet: int) -> None:
    """Some members have denied so much that each is asked for a HAVE first; the new ones say nothing to that,
    and the one that has the block does not know what a HAVE is."""
    net, (ours, *telling) = swarm(3)
    server = ServerOptions(send_dont_haves=False)
    silent = [net.node(f"quiet-{index}", server=server) for index in range(quiet)]
    old = net.node("old", legacy=True)
    blocks = make_blocks(50, 2000)
    session = ours.session([*telling, *silent, old])
    absent = ours.fetch(cids_of(blocks[1:]), session)
    net.run(seconds=5)
    absent.close()
    old.add(blocks[0])
    for node in (*silent, old):
        net.connect(ours, node)
    arrives(net, ours.fetch(cids_of(blocks[:1]), session), blocks[:1], within=60)
    ends(net)


@pytest.mark.parametrize("moment", range(40))
def test_a_peer_that_leaves_in_the_middle(moment: int) -> None:
    """At any moment of a fetch from two, of which each has everything."""
    net = VirtualNetwork(moment, delay=fixed(0.02))
    ours, first, second = net.node("ours"), net.node("first"), net.node("second")
    net.mesh()
    blocks = make_blocks(300, 2000)
    first.add(*blocks)
    second.add(*blocks)
    fetch = ours.fetch(cids_of(blocks))
    net.run(seconds=moment * 0.004)
    net.disconnect(ours, (first, second)[moment % 2], "gone")
    arrives(net, fetch, blocks, within=1)
    assert fetch.session.duplicates == 0
    ends(net)


class TestAHolderThatComesLate:
    @pytest.mark.parametrize("bystanders", [0, 2, 5, 30])
    def test_after_five_seconds(self, bystanders: int) -> None:
        net, (ours, *_) = swarm(1 + bystanders)
        blocks = make_blocks(200, 2000)
        fetch = ours.fetch(cids_of(blocks))
        net.run(seconds=5)
        theirs = net.node("theirs")
        theirs.add(*blocks)
        net.connect(ours, theirs)
        arrives(net, fetch, blocks, within=3)
        assert givers(fetch.session) == {"theirs": 200}
        ends(net)

    def test_one_after_the_other(self) -> None:
        """Each has a part, comes five seconds after the one before, and has left by then."""
        net = VirtualNetwork()
        ours = net.node("ours")
        blocks = make_blocks(100, 2000)
        fetch = ours.fetch(cids_of(blocks))
        for start in range(0, 100, 20):
            net.run(seconds=5)
            theirs = net.node()
            theirs.add(*blocks[start : start + 20])
            net.connect(ours, theirs)
            assert net.run(lambda until=start + 20: len(fetch.blocks) == until, seconds=1)  # type: ignore[misc]
            net.disconnect(ours, theirs)
        came(fetch, blocks)
        ends(net)


class TestManyAbsentKeys:
    """A window full of what nobody has must not keep the rest away."""

    @pytest.mark.parametrize("nodes", [2, 6, 30])
    def test_absent_ones_before_present_ones(self, nodes: int) -> None:
        net, (ours, theirs, *_) = swarm(nodes)
        absent, blocks = make_blocks(300, 5000, "absent"), make_blocks(10, 5000)
        theirs.add(*blocks)
        fetch = ours.fetch(cids_of([*absent, *blocks]))
        net.run(lambda: len(fetch.blocks) == 10, seconds=120)
        assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(blocks))

    def test_more_than_a_session_looks_for_at_once(self) -> None:
        net, (ours, theirs, *_) = swarm(30, client=ClientOptions(expected_block_bytes=1024))
        blocks = make_blocks(2500)
        theirs.add(blocks[2000])
        fetch = ours.fetch(cids_of(blocks))
        assert net.run(lambda: fetch.blocks == [blocks[2000]], seconds=30)
        # A round of 256 wants is some messages for each of 29 peers, with what leaves their full lists.
        assert ours.sent < 10 * 29 * 4


def moments(net: VirtualNetwork, *actions: tuple[float, Callable[[], None]]) -> None:
    """Do these at their times, in seconds from now, and let them happen."""
    for when, action in actions:
        net.at(when, action)
    net.run(seconds=max(when for when, _ in actions))


class TestACancelThatRacesItsWant:
    """A message takes 20 ms to leave and 10 ms to arrive, so that wants and cancels meet on the way."""

    @staticmethod
    def slow_pair(
        size: int,
    ) -> tuple[VirtualNetwork, VirtualNode, VirtualNode, list[CID], Callable[[], None]]:
        net = VirtualNetwork()
        ours, theirs = net.node("ours"), net.node("theirs")
        blocks = make_blocks(20, size)
        # 20 wants are about a kilobyte.
        net.connect(ours, theirs, latency=0.01, rate=50_000)
        return net, ours, theirs, cids_of(blocks), lambda: theirs.add(*blocks)

    @pytest.mark.parametrize("step", range(0, 80, 4))
    def test_the_cancel_wins(self, step: int) -> None:
        net, ours, theirs, cids, add = self.slow_pair(100)
        fetch = ours.fetch(cids)
        moments(net, (step / 1000, fetch.close))
        net.run(seconds=2)
        assert at_peers(net, ours) == {}
        before = ours.received
        add()
        net.run(seconds=2)
        assert ours.received == before
        assert ours.wants.unwanted(theirs.name) == 0
        ends(net)

    @pytest.mark.parametrize("step", range(0, 80, 4))
    @pytest.mark.parametrize("gap", [0, 3, 15, 40])
    def test_the_want_that_follows_wins(self, step: int, gap: int) -> None:
        net, ours, _, cids, add = self.slow_pair(100)
        fetch = ours.fetch(cids)
        again = []
        moments(
            net,
            (step / 1000, fetch.close),
            ((step + gap) / 1000, lambda: again.append(ours.fetch(cids[10:]))),
        )
        net.run(seconds=2)
        add()
        assert net.run(lambda: again[0].done, seconds=2)
        assert sorted(cids_of(again[0].blocks)) == sorted(cids[10:])
        ends(net)

    @pytest.mark.parametrize("step", range(0, 80, 4))
    def test_the_block_comes_meanwhile(self, step: int) -> None:
        net, ours, _, cids, add = self.slow_pair(1000)
        add()
        fetch = ours.fetch(cids)
        moments(net, (step / 1000, lambda: fetch.cancel(cids[:10])))
        assert net.run(lambda: fetch.done, seconds=5)
        assert {*cids[10:]} <= {*cids_of(fetch.blocks)}
        assert len(fetch.blocks) == len({*cids_of(fetch.blocks)})
        ends(net)


class TestTwoRequestsForTheSame:
    @pytest.mark.parametrize("shared", [True, False], ids=["one-session", "two-sessions"])
    @pytest.mark.parametrize("nodes", [2, 6, 30])
    @pytest.mark.parametrize("ending", [0, 1])
    @pytest.mark.parametrize("after", [0.0, 0.005, 0.015, 0.5, 5.0])
    def test_one_is_cancelled_and_the_other_gets_it(
        self, shared: bool, nodes: int, ending: int, after: float
    ) -> None:
        """boxo withdraws the want of both, where they share a session; here wants are counted by request."""
        net, (ours, theirs, *_) = swarm(nodes)
        (block,) = make_blocks(1, 2000)
        session = ours.session()
        fetches = [
            ours.fetch([block.cid], session),
            ours.fetch([block.cid], session if shared else None),
        ]
        net.run(seconds=after)
        fetches[ending].close()
        net.run(seconds=after)
        theirs.add(block)
        arrives(net, fetches[1 - ending], [block], within=5)
        assert fetches[ending].blocks == []
        ends(net)
