"""What errors say of each way in which a block can stay away: to people, and to programs."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bitswap import Bitswap, Closed, NotFound, RemoteError, Timeout
from bitswap.blockstore import MemoryBlockstore
from bitswap.clock import VirtualClock
from bitswap.errors import Cause, Incomplete, Reason, nearness
from bitswap.getter import PeersLost, describe
from bitswap.message import Message
from bitswap.network.interface import ANSWERS
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.testnet import LoopbackHub, LoopbackNetwork
from bitswap.testutils import cids_of, make_blocks
from tests.client.harness import Harness
from tests.client.mute import Mute
from tests.explain.conftest import Pair

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
SOON = 0.05
"""For what is expected to time out."""
BLOCK = make_blocks(1)[0]


class Played(Mute):
    """A peer that says HAVE to everything, or nothing, and never sends a block."""

    def __init__(self, network: LoopbackNetwork, answers: bool) -> None:
        super().__init__()
        self._network = network
        self._answers = answers
        self.answered = threading.Event()

    def message_received(self, peer: str, message: Message) -> None:
        super().message_received(peer, message)
        if self._answers and not self.answered.is_set():
            answer = Message()
            for entry in message.wantlist():
                answer.add_have(entry.cid)
            self._network.send(peer, answer, ANSWERS, lambda error: self.answered.set())


def played(hub: LoopbackHub, node: Bitswap, name: str, *, answers: bool = False) -> Played:
    network = hub.network(name)
    peer = Played(network, answers)
    network.start(peer)
    node.connect(f"/loopback/{name}")
    return peer


class TestTexts:
    def test_nobody_to_ask(self, hub: LoopbackHub) -> None:
        with Bitswap(hub.network("alone"), MemoryBlockstore()) as node, pytest.raises(Timeout) as caught:
            node.get_block(BLOCK.cid, timeout=SOON)
        assert caught.value.cause is Cause.NO_PROVIDERS
        assert str(caught.value) == f"nothing came in 0.05 s: block {BLOCK.cid}: no peer to ask"

    def test_nobody_of_those_named(self, hub: LoopbackHub) -> None:
        with (
            Bitswap(hub.network("alone"), MemoryBlockstore()) as node,
            node.new_session(peers=["x", "y"], broadcast=False) as session,
            pytest.raises(NotFound) as caught,
        ):
            session.get_block(BLOCK.cid)
        assert caught.value.cause is Cause.NOT_CONNECTED
        assert str(caught.value) == f"could not be had: block {BLOCK.cid}: x, y: not connected"

    def test_dial_failed(self) -> None:
        with (
            Bitswap(Libp2pNetwork(), MemoryBlockstore()) as node,
            pytest.raises(RemoteError, match=r"dial failed: /ip4/127\.0\.0\.1/tcp/1: .*refused"),
        ):
            node.connect("/ip4/127.0.0.1/tcp/1", timeout=SECONDS)

    def test_everybody_lacks_it(self, hub: LoopbackHub) -> None:
        names = [f"peer-{number}" for number in range(5)]
        with Bitswap(hub.network("ours"), MemoryBlockstore()) as node:
            others = [Bitswap(hub.network(name), MemoryBlockstore()) for name in names]
            for name in names:
                node.connect(f"/loopback/{name}")
            with node.new_session(peers=names, broadcast=False) as session:
                for count in (1, 2):
                    with pytest.raises(NotFound) as caught:
                        list(session.get_blocks(cids_of(make_blocks(count))))
            for other in others:
                other.close()
        assert caught.value.cause is Cause.DONT_HAVE
        assert set(caught.value.reasons) == set(names)
        assert "every peer that was asked answered DONT_HAVE (peer-" in str(caught.value)
        assert "and 2 more)" in str(caught.value)
        assert "2 blocks (" in str(caught.value)

    def test_a_silent_peer(self, hub: LoopbackHub) -> None:
        clock = VirtualClock()
        with Bitswap(hub.network("ours"), MemoryBlockstore(), clock=clock) as node:
            silent = played(hub, node, "silent")
            with node.getter(SOON) as getter, ThreadPoolExecutor(1) as pool:
                getter.want([BLOCK.cid])
                assert silent.heard.wait(SECONDS)
                clock.advance(2.5)
                with pytest.raises(Timeout) as caught:
                    pool.submit(getter.take).result(SECONDS)
        assert caught.value.cause is Cause.UNANSWERED
        assert str(caught.value) == (
            f"nothing came in 0.05 s: block {BLOCK.cid}: "
            "silent: asked for the block 2.5 s ago, has not answered"
        )
        assert caught.value.reasons["silent"].when == 0.0

    def test_many_silent_peers_are_all_named(self, hub: LoopbackHub) -> None:
        """Those too that were asked only whether they have it."""
        names = {f"silent-{number}" for number in range(6)}
        with Bitswap(hub.network("ours"), MemoryBlockstore()) as node:
            peers = [played(hub, node, name) for name in sorted(names)]
            while len(node.client._machine.peers()) < 6:
                threading.Event().wait(0.001)
            with node.getter() as getter:
                getter.want([BLOCK.cid])
                for peer in peers:
                    assert peer.heard.wait(SECONDS)  # everybody is asked in the end
                with pytest.raises(Timeout) as caught:
                    getter.take(SOON)
        assert set(caught.value.reasons) == names
        assert caught.value.cause is Cause.UNANSWERED
        assert "no peer to ask" not in str(caught.value)

    def test_have_and_then_silence(self, hub: LoopbackHub) -> None:
        with Bitswap(hub.network("ours"), MemoryBlockstore()) as node:
            liar = played(hub, node, "liar", answers=True)
            with node.new_session(peers=["liar"], broadcast=False) as session, session.getter() as getter:
                getter.want([BLOCK.cid])
                assert liar.answered.wait(SECONDS)
                while node.explain(BLOCK.cid).peers["liar"].answer is None:
                    threading.Event().wait(0.001)
                with pytest.raises(Timeout) as caught:
                    getter.take(SOON)
        assert caught.value.cause is Cause.WITHHELD
        assert "liar: answered HAVE; asked for the block" in str(caught.value)

    def test_a_lost_connection(self, hub: LoopbackHub) -> None:
        with Bitswap(hub.network("ours"), MemoryBlockstore()) as node:
            silent = played(hub, node, "silent")
            with node.new_session(peers=["silent", "x"], broadcast=False) as session:
                getter = session.getter(SECONDS)
                getter.want([BLOCK.cid])
                assert silent.heard.wait(SECONDS)
                hub.disconnect("ours", "silent", RemoteError("reset by peer"))
                with pytest.raises(PeersLost) as caught:
                    getter.take()
        assert caught.value.cause is Cause.CONNECTION_LOST
        assert caught.value.peer == "silent"
        assert str(caught.value) == (
            f"could not be had: block {BLOCK.cid}: silent: connection lost: reset by peer; x: not connected"
        )

    def test_closed(self, pair: Pair) -> None:
        ours, _ = pair()
        with ours.new_session() as session:
            getter = session.getter()
            getter.want([BLOCK.cid])
        with pytest.raises(Closed, match="the session or getter was closed"):
            getter.take()
        with pytest.raises(Closed, match="the session was closed"):
            session.getter()
        getter = ours.getter()
        getter.want([BLOCK.cid])
        ours.close()
        with pytest.raises(Closed, match="the client was closed"):
            getter.take()
        with pytest.raises(Closed, match="the client was closed"):
            ours.get_block(BLOCK.cid)
        assert not ours.explain(BLOCK.cid).wanted

    def test_words_are_bounded(self) -> None:
        blocks = cids_of(make_blocks(1000))
        reasons = {f"peer-{number}": Reason(f"reason {number % 7}") for number in range(5000)}
        text = describe(blocks, reasons)
        assert len(text) < 600
        assert "and 997 more)" in text
        assert "and 2856 more" in text

    def test_the_nearest_is_named_first(self) -> None:
        reasons = {
            "a": Reason("not connected", Cause.NOT_CONNECTED),
            "b": "something else",
            "c": Reason("no answer in 5 s", Cause.TIMED_OUT),
            "d": Reason("not connected", Cause.NOT_CONNECTED),
        }
        assert describe([BLOCK.cid], reasons) == (
            f"block {BLOCK.cid}: c: no answer in 5 s; b: something else; a, d: not connected"
        )


class TestTimeouts:
    def test_look_at_a_bounded_number_of_wants(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        """A time-out of thousands of blocks must not keep the node from everything else."""
        ours, _ = pair(window_bytes=1 << 40)
        looked_at = []
        machine = ours.client._machine
        reasons = machine.reasons

        def counted(cid, now=None):  # type: ignore[no-untyped-def]
            looked_at.append(cid)
            return {f"peer-{number}": Reason("silent", Cause.UNANSWERED) for number in range(1000)}

        monkeypatch.setattr(machine, "reasons", counted)
        with ours.client.getter() as getter:
            getter.want(cids_of(make_blocks(4000)))
            error = getter.timed_out(1.0)
        assert len(error.missing) == 4000
        assert len(error.reasons) == 1000
        assert len(looked_at) <= 5
        assert reasons(BLOCK.cid) == {}


class TestReasons:
    def test_are_texts(self) -> None:
        reason = Reason("no answer in 5 s", Cause.TIMED_OUT, 3.0)
        assert reason == "no answer in 5 s"
        assert json.dumps({"a": reason}) == '{"a": "no answer in 5 s"}'
        for twin in (copy.deepcopy(reason), pickle.loads(pickle.dumps(reason))):
            assert (twin, twin.cause, twin.when) == (reason, Cause.TIMED_OUT, 3.0)
        assert (Reason("x").cause, Reason("x").when) == (Cause.OTHER, None)

    def test_travel_with_their_error(self) -> None:
        error = NotFound(
            "no", missing=[BLOCK.cid], reasons={"a": Reason("no", Cause.DONT_HAVE), "b": "words"}
        )
        twin = pickle.loads(pickle.dumps(error))
        assert (str(twin), twin.missing) == ("no", (str(BLOCK.cid),))
        assert [reason.cause for reason in twin.reasons.values()] == [Cause.DONT_HAVE, Cause.OTHER]

    def test_the_cause_of_all_is_the_nearest(self) -> None:
        assert Incomplete("x").cause is Cause.NO_PROVIDERS
        causes = [Cause.NOT_CONNECTED, Cause.DONT_HAVE, Cause.TIMED_OUT, Cause.DIAL_FAILED]
        reasons = {cause.name: Reason(cause.value, cause) for cause in causes}
        assert Incomplete("x", reasons=reasons).cause is Cause.TIMED_OUT
        assert sorted(reasons.values(), key=nearness)[0].cause is Cause.NOT_CONNECTED

    def test_a_silent_peer_is_named_with_when_it_was_asked(self) -> None:
        blocks = make_blocks(10)
        run = Harness("a")
        run.now = 10.0
        sub = run.want(cids_of(blocks), peers=["a"], broadcast=False)
        run.wait(60.0)
        assert sorted(sub.missing) == sorted(cids_of(blocks))
        assert sub.reasons == {"a": "no answer in 5 s"}
        reason = sub.reasons["a"]
        assert isinstance(reason, Reason)
        assert reason.cause is Cause.TIMED_OUT
        assert reason.when is not None
        assert reason.when > 10.0  # the last attempt of several
