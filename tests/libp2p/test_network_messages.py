"""Messages between networks over loopback TCP: whole, in order, one a lane, none while a peer is paused."""

from __future__ import annotations

import os
import threading
import time

import pytest

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.errors import RemoteError, UsageError
from bitswap.message import Message
from bitswap.network.interface import ANSWERS, WANTS, AnyThread, SendDone
from bitswap.options import KIB, MIB, NetworkOptions
from tests.libp2p.nodes import Done, MakeNode, Node, datas, join, message_of, send
from tests.libp2p.puppet import WAIT

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("security", ["tls", "noise"])
def test_messages_go_both_ways(make_node: MakeNode, security: str) -> None:
    left, right = make_node(security=(security,)), make_node(security=(security,))
    one, two = join(left, right)
    for number in range(20):
        assert send(left[0], two, message_of(b"from left %d" % number)) is None
        assert send(right[0], one, message_of(b"from right %d" % number), ANSWERS) is None
    left[1].wait(lambda: len(left[1].messages) == 20)
    right[1].wait(lambda: len(right[1].messages) == 20)
    assert datas(right[1]) == [b"from left %d" % number for number in range(20)]
    assert datas(left[1]) == [b"from right %d" % number for number in range(20)]
    assert {peer for peer, _ in right[1].messages} == {one}
    assert right[1].order[0] == "connected"


@pytest.mark.parametrize("security", ["tls", "noise"])
def test_big_messages_arrive_whole(make_node: MakeNode, security: str) -> None:
    left, right = make_node(security=(security,)), make_node(security=(security,))
    _, two = join(left, right)
    sizes = [2 * MIB, 1, 4 * MIB - 200, 256 * KIB, 3 * MIB + 7]
    sent = [os.urandom(size) for size in sizes]
    for data in sent:
        assert send(left[0], two, message_of(data), ANSWERS) is None
    right[1].wait(lambda: len(right[1].messages) == len(sizes))
    assert datas(right[1]) == sent
    assert right[0].stat.bytes_received > sum(sizes)


def test_a_message_above_the_frame_limit_is_split(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    _, two = join(left, right)
    sent = [os.urandom(MIB) for _ in range(9)]
    assert send(left[0], two, message_of(*sent), ANSWERS) is None
    right[1].wait(lambda: len(datas(right[1])) == 9)
    assert sorted(datas(right[1])) == sorted(sent)


def test_a_block_that_fits_in_no_frame_is_the_senders_error(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    _, two = join(left, right)
    error = send(left[0], two, message_of(bytes(4 * MIB)))
    assert isinstance(error, UsageError)
    assert send(left[0], two, message_of(b"after")) is None
    right[1].wait(lambda: datas(right[1]) == [b"after"])


def test_thousands_of_messages_keep_their_order(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    _, two = join(left, right)
    count, errors = 5000, []
    finished = threading.Event()
    numbers = iter(range(count))

    def next_one(error: BaseException | None) -> None:
        if error is not None:
            errors.append(error)
        number = next(numbers, None)
        if number is None or errors:
            finished.set()
        else:
            left[0].send(two, message_of(b"%d" % number), WANTS, next_one)

    next_one(None)
    assert finished.wait(WAIT)
    assert not errors
    right[1].wait(lambda: len(right[1].messages) == count)
    assert datas(right[1]) == [b"%d" % number for number in range(count)]


def test_only_one_send_a_lane_but_lanes_are_independent(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    _, two = join(left, right)
    first, second, other = Done(), Done(), Done()
    big = message_of(os.urandom(4 * MIB - 100))
    release = threading.Event()

    def hold() -> None:
        release.wait(WAIT)

    left[0]._reactor.call(hold)  # type: ignore[union-attr]
    left[0].send(two, big, ANSWERS, first)
    left[0].send(two, big, ANSWERS, second)
    left[0].send(two, message_of(b"wants"), WANTS, other)
    release.set()
    assert isinstance(second.wait(), UsageError)
    assert first.wait() is None
    assert other.wait() is None
    right[1].wait(lambda: len(right[1].messages) == 2)
    assert len(first.calls) == 1


def test_sends_from_many_threads(make_node: MakeNode) -> None:
    hub, others = make_node(), [make_node() for _ in range(6)]
    for other in others:
        join(other, hub)
    outcomes: list[BaseException | None] = []

    def work(node: Node) -> None:
        outcomes.extend(send(node[0], hub[0].self_id, message_of(os.urandom(50_000))) for _ in range(30))

    threads = [threading.Thread(target=work, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [None] * 180
    hub[1].wait(lambda: len(hub[1].messages) == 180)


def test_a_paused_peer_is_not_heard_while_others_are_and_nothing_is_lost(make_node: MakeNode) -> None:
    hub, slow, fast = make_node(), make_node(), make_node()
    join(slow, hub)
    join(fast, hub)
    network, receiver = hub
    # Pausing inside the callback stops at once, also for messages that came in the same piece.
    receiver.on_message = lambda peer, _: network.pause(peer) if peer == slow[0].self_id else None
    sent = [b"slow %d" % number for number in range(50)]
    for data in sent:
        assert send(slow[0], network.self_id, message_of(data)) is None
    for number in range(50):
        assert send(fast[0], network.self_id, message_of(b"fast %d" % number)) is None
    receiver.wait(lambda: sum(data.startswith(b"fast") for data in datas(receiver)) == 50)
    assert [data for data in datas(receiver) if data.startswith(b"slow")] == [b"slow 0"]
    for expected in range(2, 6):
        network.resume(slow[0].self_id)
        receiver.wait(lambda: sum(data.startswith(b"slow") for data in datas(receiver)) == expected)  # noqa: B023
    receiver.on_message = None
    network.resume(slow[0].self_id)
    receiver.wait(lambda: len(receiver.messages) == 100)
    assert [data for data in datas(receiver) if data.startswith(b"slow")] == sent


def test_the_window_of_a_paused_peer_fills_and_it_waits(make_node: MakeNode) -> None:
    options = NetworkOptions(receive_window=MIB, max_unread_bytes=64 * MIB)
    hub, slow = make_node(options=options), make_node()
    join(slow, hub)
    network, receiver = hub
    network.pause(slow[0].self_id)
    sent = [os.urandom(MIB) for _ in range(2)]
    done = [Done(), Done()]
    slow[0].send(network.self_id, message_of(sent[0]), ANSWERS, done[0])
    assert done[0].wait() is None
    # The second message does not fit in the window, so its sender is not called.
    slow[0].send(network.self_id, message_of(sent[1]), ANSWERS, done[1])
    link = network._swarm.peers[slow[0].self_id].links[0]
    while link.unread < MIB - 100:
        slow[0].ping(network.self_id, WAIT)
    slow[0].ping(network.self_id, WAIT)
    assert link.unread <= MIB
    assert done[1].calls == []
    assert receiver.messages == []
    network.resume(slow[0].self_id)
    assert done[1].wait() is None
    receiver.wait(lambda: datas(receiver) == sent)
    assert link.unread == 0


def test_a_paused_peer_beyond_what_is_kept_is_left_in_the_socket(make_node: MakeNode) -> None:
    hub, slow = make_node(options=NetworkOptions(max_unread_bytes=256 * KIB)), make_node()
    join(slow, hub)
    network, receiver = hub
    network.pause(slow[0].self_id)
    sent = [os.urandom(2 * MIB) for _ in range(20)]
    finished = threading.Event()
    rest = iter(sent)

    def next_one(error: BaseException | None) -> None:
        data = next(rest, None)
        if data is None or error is not None:
            finished.set()
        else:
            slow[0].send(network.self_id, message_of(data), ANSWERS, next_one)

    next_one(None)
    link = network._swarm.peers[slow[0].self_id].links[0]
    condition = threading.Event()

    def look() -> None:
        if link._reading:
            network._reactor.later(0.01, look)  # type: ignore[union-attr]
        else:
            condition.set()

    network._reactor.call(look)  # type: ignore[union-attr]
    assert condition.wait(WAIT)
    assert 256 * KIB < link.unread < 256 * KIB + 2 * MIB
    network.resume(slow[0].self_id)
    receiver.wait(lambda: len(receiver.messages) == 20)
    assert datas(receiver) == sent
    assert finished.wait(WAIT)
    assert (link.unread, link.partial, network._host.buffered) == (0, 0, 0)


@pytest.mark.parametrize("known", [False, True])
def test_an_older_protocol_is_agreed_and_encoded(make_node: MakeNode, known: bool) -> None:
    left, right = make_node(), make_node(protocols=("/ipfs/bitswap/1.0.0",))
    _, two = join(left, right)
    assert left[0].supports_have(two)
    while known and not left[0]._swarm.peers[two].identified:
        left[0].ping(two)
    assert send(left[0], two, message_of(b"old")) is None
    assert not left[0].supports_have(two)
    right[1].wait(lambda: datas(right[1]) == [b"old"])
    assert right[1].messages[0][1].blocks()[0].cid.version == 0  # type: ignore[attr-defined]


def test_a_peer_without_bitswap_is_an_error_of_the_send(make_node: MakeNode) -> None:
    left, right = make_node(), make_node(protocols=())
    _, two = join(left, right)
    error = send(left[0], two, message_of(b"x"))
    assert isinstance(error, RemoteError)
    assert "Bitswap" in str(error)
    assert left[0].is_connected(two)


def test_what_was_sent_before_close_still_arrives(make_node: MakeNode) -> None:
    left, right = make_node(), make_node()
    one, two = join(left, right)
    assert send(left[0], two, message_of(b"first")) is None
    done = Done()
    left[0].send(two, message_of(b"last"), WANTS, done)
    left[0].close()
    assert done.wait() is None
    right[1].wait(lambda: right[1].disconnected == [(one, None)])
    assert datas(right[1]) == [b"first", b"last"]


def test_a_short_send_that_any_thread_may_end_is_made_by_the_caller_or_the_network(
    make_node: MakeNode,
) -> None:
    """By whom is a matter of chance, except that both happen; nothing is lost, doubled or out of order."""
    left, right = make_node(), make_node()
    _, two = join(left, right)
    count, by = 300, set[int]()
    sent: list[CID] = []
    while len(by) < 2 or len(sent) < count:
        message, ended = Message(), Done()
        sent.append(Block.of(b"%d" % len(sent)).cid)
        message.add_entry(sent[-1], 1)

        def done(error: BaseException | None, ended: Done = ended) -> None:
            by.add(threading.get_ident())
            ended(error)

        if len(sent) % 3 == 0:
            left[0].ping(two)  # the thread is about to go to sleep
        left[0].send(two, message, WANTS, AnyThread(done))
        assert ended.wait() is None
        assert len(sent) < 100_000, "one and the same thread sends all"
    right[1].wait(lambda: len(right[1].messages) == len(sent))
    assert [entry.cid for _, message in right[1].messages for entry in message.wantlist()] == sent  # type: ignore[attr-defined]
    assert by == {threading.get_ident(), left[0]._reactor._thread.ident}  # type: ignore[union-attr]


def test_a_send_that_is_interrupted_costs_its_peer(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right, other = make_node(), make_node(), make_node()
    _, two = join(left, right)
    join(left, other)
    message, caller, began = Message(), threading.get_ident(), time.monotonic()
    message.add_entry(Block.of(b"wanted").cid, 1)

    def send_or_be_interrupted(remote: object, message: Message, lane: int, done: SendDone) -> None:
        if threading.get_ident() == caller:
            raise KeyboardInterrupt
        done(None)

    def send_until_interrupted() -> None:
        while time.monotonic() < began + WAIT:
            done = Done()
            left[0].send(two, message, WANTS, AnyThread(done))
            done.wait()

    with monkeypatch.context() as patched:
        patched.setattr(left[0]._host, "send", send_or_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            send_until_interrupted()
    left[1].wait(lambda: [peer for peer, _ in left[1].disconnected] == [two])
    assert isinstance(left[1].disconnected[0][1], RemoteError)
    assert send(other[0], left[0].self_id, message_of(b"unharmed")) is None
    left[1].wait(lambda: datas(left[1]) == [b"unharmed"])
    assert left[0].connect(right[0].addrs[0]) == two
    assert send(left[0], two, message_of(b"again")) is None
