"""Closing a server at any moment."""

from __future__ import annotations

import threading

import pytest

from bitswap.message import Message
from bitswap.network.interface import Peer
from bitswap.options import ServerOptions
from bitswap.server import Server

from .fake_network import PATIENCE, FakeNetwork
from .serving import Recorder, store_with, wants
from .support import block

pytestmark = pytest.mark.timeout(120)


def test_nothing_is_done_after_closing_and_a_second_one_does_nothing(network: FakeNetwork) -> None:
    server = Server(network, store_with("a"))
    network.start(server)
    server.close()
    server.close()
    network.connect("A")
    network.deliver("A", wants("a"))
    network.drop("A")
    network.flush()
    server.blocks_received("A", [block("a")])
    server.notify_new_blocks([block("a")])
    assert network.sent["A"].empty()
    assert server.stat().wants == 0
    assert server.wantlist_for_peer("A") == []


def test_closing_while_a_send_is_under_way(network: FakeNetwork) -> None:
    network.manner["A"] = "keep"
    server = Server(network, store_with("a"))
    network.start(server)
    network.deliver("A", wants("a"))
    network.next("A")
    server.close()
    network.end("A")
    network.flush()


class _Busy:
    """A lock that is never free at once."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def acquire(self, blocking: bool = True) -> bool:
        return blocking and self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_sent_counts_to_the_end(network: FakeNetwork, when: str) -> None:
    network.manner["A"] = "keep"
    server = Server(network, store_with("a"))
    vars(server)["_engine_lock"] = _Busy(vars(server)["_engine_lock"])
    network.start(server)
    network.deliver("A", wants("a"))
    network.next("A")
    if when == "after":
        server.close()
    network.end("A")
    network.flush()
    server.close()
    assert server.stat().blocks_sent == 1


@pytest.mark.parametrize("stage", ["sizes", "reads"])
def test_closing_while_the_store_is_read(network: FakeNetwork, stage: str) -> None:
    store = store_with("a")
    gate = store.sizes_gate if stage == "sizes" else store.reads_gate
    gate.clear()
    server = Server(network, store)
    network.start(server)
    network.deliver("A", wants("a"))
    assert (store.at_sizes if stage == "sizes" else store.at_reads).wait(PATIENCE)
    closers = [threading.Thread(target=server.close) for _ in range(2)]
    for closer in closers:
        closer.start()
    gate.set()
    for closer in closers:
        closer.join()


def test_closing_while_messages_wait(network: FakeNetwork) -> None:
    store = store_with("a")
    store.sizes_gate.clear()
    server = Server(network, store, ServerOptions(task_workers=1))
    network.start(server)
    for _ in range(10):
        network.deliver("A", wants("a"))
    network.flush()
    assert store.at_sizes.wait(PATIENCE)
    closer = threading.Thread(target=server.close)
    closer.start()
    store.sizes_gate.set()
    closer.join()


def test_closing_from_one_of_its_own_threads(network: FakeNetwork) -> None:
    closed = threading.Event()

    class Closer(Recorder):
        def message_sent(self, peer: Peer, message: Message) -> None:
            server.close()
            closed.set()

    server = Server(network, store_with("a"), tracer=Closer(network))
    network.start(server)
    network.deliver("A", wants("a"))
    assert closed.wait(PATIENCE)
    server.close()


def test_closing_before_anything_has_happened(network: FakeNetwork) -> None:
    Server(network, store_with("")).close()


def test_closing_does_not_wait_for_a_peer_to_be_tried_again(network: FakeNetwork) -> None:
    network.manner["A"] = "fail"
    hour = ServerOptions(task_workers=1, retry_delay=3600.0, max_retry_delay=3600.0)
    with Server(network, store_with("a"), hour) as server:
        network.start(server)
        network.connect("A")
        network.deliver("A", wants("a"))
        network.next("A")
        network.deliver("B", wants("a"))
        network.next("B")


def test_who_is_paused_is_not_left_so(network: FakeNetwork) -> None:
    store = store_with("")
    store.sizes_gate.clear()
    server = Server(network, store, ServerOptions(task_workers=1, max_inbound_messages=1))
    network.start(server)
    network.deliver("A", wants("1"))
    assert store.at_sizes.wait(PATIENCE)
    network.deliver("B", wants("2"))
    network.flush()
    assert network.paused == {"A", "B"}
    closer = threading.Thread(target=server.close)
    closer.start()
    assert [network.pauses.get(timeout=PATIENCE)[0] for _ in range(4)] == [
        "pause",
        "pause",
        "resume",
        "resume",
    ]
    store.sizes_gate.set()
    closer.join()
    assert network.paused == set()


def test_closing_while_everybody_is_busy(network: FakeNetwork) -> None:
    for peer, manner in (("B", "fail"), ("C", "keep"), ("D", "raise")):
        network.manner[peer] = manner
    server = Server(network, store_with("abc"), ServerOptions(task_workers=3, retry_delay=0.001))
    network.start(server)
    closed = threading.Event()

    def use() -> None:
        while not closed.is_set():
            for peer in "ABCDE":
                if peer not in network.paused:
                    network.deliver(peer, wants("abc123", full=True))
            server.notify_new_blocks([block("a")])
            server.blocks_received("A", [block("b")])
            server.stat()
            network.drop("E")
            network.flush()

    users = [threading.Thread(target=use) for _ in range(2)]
    for user in users:
        user.start()
    for peer in "ABCD":
        network.next(peer)
    server.close()
    closed.set()
    for user in users:
        user.join()
    network.end("C")
    network.flush()


def test_its_threads_are_few_named_and_no_reason_to_stay(network: FakeNetwork) -> None:
    with Server(network, store_with(""), ServerOptions(task_workers=3)):
        mine = [t for t in threading.enumerate() if t.name.startswith("bitswap-server")]
        assert sorted(t.name for t in mine) == [f"bitswap-server-{n}" for n in range(3)]
        assert all(t.daemon for t in mine)
