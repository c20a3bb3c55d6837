"""The network inside the process, against what `network.interface` asks for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty, Queue

import pytest

from bitswap.errors import Closed, RemoteError, UsageError
from bitswap.message import Message
from bitswap.network.interface import WANTS
from bitswap.testnet import LoopbackHub, LoopbackNetwork
from bitswap.testutils import make_blocks

pytestmark = pytest.mark.timeout(30)
SECONDS = 10.0


class Recorder:
    """A receiver that notes what it is told."""

    def __init__(self) -> None:
        self.events: Queue[tuple[object, ...]] = Queue()
        self.threads: set[str] = set()

    def _note(self, *event: object) -> None:
        self.threads.add(threading.current_thread().name)
        self.events.put(event)

    def peer_connected(self, peer: str) -> None:
        self._note("connected", peer)

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None:
        self._note("disconnected", peer, reason)

    def message_received(self, peer: str, message: Message) -> None:
        self._note("message", peer, [entry.priority for entry in message.wantlist()])

    def receive_error(self, peer: str, error: BaseException) -> None:
        self._note("error", peer, error)

    def next(self) -> tuple[object, ...]:
        return self.events.get(timeout=SECONDS)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


def node(hub: LoopbackHub, name: str, *, supports_have: bool = True) -> tuple[LoopbackNetwork, Recorder]:
    network, recorder = hub.network(name, supports_have=supports_have), Recorder()
    network.start(recorder)
    return network, recorder


def want(priority: int) -> Message:
    message = Message()
    message.add_entry(make_blocks(1)[0].cid, priority, 0, True)
    return message


def send(network: LoopbackNetwork, peer: str, priority: int) -> Queue[BaseException | None]:
    done: Queue[BaseException | None] = Queue()
    network.send(peer, want(priority), WANTS, done.put)
    return done


def test_connecting_sending_and_disconnecting(hub: LoopbackHub) -> None:
    (first, heard), (second, other) = node(hub, "a"), node(hub, "b")
    assert first.connect(second.addrs[0]) == "b"
    assert first.connect(second.addrs[0]) == "b"
    assert heard.next() == ("connected", "b")
    assert other.next() == ("connected", "a")
    assert first.is_connected("b")
    assert (first.peers(), second.peers()) == (["b"], ["a"])
    assert first.ping("b") >= 0
    assert send(first, "b", 7).get(timeout=SECONDS) is None
    assert other.next() == ("message", "a", [7])
    second.disconnect("a")
    assert heard.next() == ("disconnected", "b", None)
    assert other.next() == ("disconnected", "a", None)
    assert heard.threads | other.threads == {"bitswap-loopback"}


def test_bad_addresses_and_absent_nodes(hub: LoopbackHub) -> None:
    first, _ = node(hub, "a")
    with pytest.raises(UsageError):
        first.connect("/ip4/127.0.0.1/tcp/1")
    with pytest.raises(RemoteError):
        first.connect("/loopback/nobody")
    hub.network("unstarted")
    with pytest.raises(RemoteError):
        first.connect("/loopback/unstarted")
    with pytest.raises(RemoteError):
        first.ping("nobody")
    assert isinstance(send(first, "nobody", 1).get(timeout=SECONDS), RemoteError)
    with pytest.raises(UsageError):
        hub.network("a")


def test_pausing_keeps_the_order(hub: LoopbackHub) -> None:
    (first, _), (second, other) = node(hub, "a"), node(hub, "b")
    first.connect("/loopback/b")
    other.next()
    second.pause("a")
    done = [send(first, "b", priority) for priority in (1, 2, 3)]
    with pytest.raises(Empty):
        done[0].get_nowait()
    second.resume("a")
    assert [other.next()[2] for _ in range(3)] == [[1], [2], [3]]
    assert [queue.get(timeout=SECONDS) for queue in done] == [None, None, None]


def test_every_send_ends_once_when_the_connection_is_cut(hub: LoopbackHub) -> None:
    (first, heard), (second, other) = node(hub, "a"), node(hub, "b")
    first.connect("/loopback/b")
    second.pause("a")
    done = [send(first, "b", priority) for priority in (1, 2)]
    reason = RemoteError("cut")
    hub.disconnect("a", "b", reason)
    assert [heard.next(), heard.next()] == [("connected", "b"), ("disconnected", "b", reason)]
    for queue in done:
        assert isinstance(queue.get(timeout=SECONDS), RemoteError)
    assert [other.next(), other.next()] == [("connected", "a"), ("disconnected", "a", reason)]
    first.connect("/loopback/b")
    assert send(first, "b", 3).get(timeout=SECONDS) is None


def test_closing(hub: LoopbackHub) -> None:
    (first, _), (second, other) = node(hub, "a"), node(hub, "b", supports_have=False)
    first.connect("/loopback/b")
    assert other.next() == ("connected", "a")
    assert first.supports_have("b") is False
    assert second.supports_have("a") is True
    assert first.supports_have("nobody") is True
    first.close()
    first.close()
    assert other.next() == ("disconnected", "a", None)
    with pytest.raises(Closed):
        first.connect("/loopback/b")
    with pytest.raises(Closed):
        send(first, "b", 1)


def test_chosen_failures(hub: LoopbackHub) -> None:
    (first, _), (_, other) = node(hub, "a"), node(hub, "b")
    first.connect("/loopback/b")
    other.next()
    error = RemoteError("as told")
    first.failures.append(error)
    assert send(first, "b", 1).get(timeout=SECONDS) is error
    assert send(first, "b", 2).get(timeout=SECONDS) is None
    assert other.next() == ("message", "a", [2])
