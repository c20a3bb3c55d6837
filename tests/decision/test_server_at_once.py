"""What a server does on the thread that tells it, because nothing need be waited for."""

from __future__ import annotations

import logging
import threading

import pytest

from bitswap.blockstore import MemoryBlockstore
from bitswap.message import Message
from bitswap.options import ServerOptions
from bitswap.server import Server

from .fake_network import FakeNetwork
from .serving import GatedStore, data, wants
from .support import block, cid

pytestmark = pytest.mark.timeout(120)


def store_with(names: str) -> MemoryBlockstore:
    store = MemoryBlockstore()
    store.put_many([block(name) for name in names])
    return store


def acquaint(network: FakeNetwork, server: Server, *peers: str) -> None:
    """The peers are known, what they said was handled, and what they got was taken."""
    network.start(server)
    for peer in peers:
        network.deliver(peer, wants("1"))
        network.next(peer)
    network.flush()


def sent(network: FakeNetwork, peer: str) -> list[list[bytes]]:
    """The blocks of what was sent so far."""
    messages = []
    while not network.sent[peer].empty():
        messages.append(data(network.next(peer)))
    return messages


def test_a_few_wants_are_answered_from_memory(network: FakeNetwork) -> None:
    with Server(network, store_with("ab")) as server:
        acquaint(network, server, "A")
        server.message_received("A", wants("ab"))
        assert sent(network, "A") == [[b"a", b"b"]]
        network.flush()
        stat = server.stat()
        assert (stat.blocks_sent, stat.pending_tasks, stat.active_tasks) == (2, 0, 0)


def test_credit_is_given(network: FakeNetwork) -> None:
    with Server(network, store_with("")) as server:
        acquaint(network, server, "A")
        server.blocks_received("A", [block("a"), block("large", 5000)])
        assert server.ledger_for_peer("A").recv == 5001
        server.blocks_received("unknown", [block("a")])
        assert server.ledger_for_peer("unknown").recv == 0


@pytest.mark.parametrize(
    "options",
    [
        ServerOptions(peer_block_request_filter=lambda peer, cid: True),
        ServerOptions(task_order=lambda task: 0),
    ],
    ids=["filter", "order"],
)
def test_but_not_where_a_callback_may_wait(network: FakeNetwork, options: ServerOptions) -> None:
    with Server(network, store_with("a"), options) as server:
        assert answers_elsewhere(network, server)


def test_nor_where_a_store_may_wait(network: FakeNetwork) -> None:
    store = GatedStore()
    store.put(block("a"))
    with Server(network, store) as server:
        assert answers_elsewhere(network, server)


def answers_elsewhere(network: FakeNetwork, server: Server, message: Message | None = None) -> bool:
    """Whether another thread than this one sends the answer."""
    senders: list[threading.Thread] = []
    send = network.send

    def noted(*args: object) -> None:
        senders.append(threading.current_thread())
        send(*args)  # type: ignore[arg-type]

    acquaint(network, server, "A")
    vars(network)["send"] = noted
    server.message_received("A", wants("a") if message is None else message)
    assert data(network.next("A")) == [b"a"]
    return threading.current_thread() not in senders


def test_nor_while_the_engine_is_busy(network: FakeNetwork) -> None:
    """Then nobody waits for it on the network's thread; a worker does."""
    with Server(network, store_with("a")) as server:
        acquaint(network, server, "A")
        with server._engine_lock:
            server.message_received("A", wants("a"))
            server.blocks_received("A", [block("b")])
            assert sent(network, "A") == []
        assert data(network.next("A")) == [b"a"]
        network.deliver("A", wants("2"))
        network.next("A")
        assert server.ledger_for_peer("A").recv == 1


def test_nor_before_what_came_earlier(network: FakeNetwork) -> None:
    with Server(network, store_with("a")) as server:
        acquaint(network, server, "A")
        with server._engine_lock:
            server.message_received("A", wants("2"))
            server.message_received("A", wants("3", cancels="12"))
        network.deliver("A", wants("a"))
        while not data(network.next("A")):
            pass
        assert server.wantlist_for_peer("A") == [cid("3")]


def test_nor_where_there_is_much_to_do(network: FakeNetwork) -> None:
    many = wants("a")
    for number in range(200):
        many.cancel(block(f"other {number}").cid)
    with Server(network, store_with("a")) as server:
        assert answers_elsewhere(network, server, Message.from_body(many.to_body()))


def test_a_fault_costs_the_message_and_no_more(
    network: FakeNetwork, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(network, store_with("ab")) as server, caplog.at_level(logging.ERROR):
        acquaint(network, server, "A")
        with monkeypatch.context() as patch:
            patch.setattr(server._reader, "blocks", lambda cids: 1 // 0)
            server.message_received("A", wants("a"))
        assert "a step of the server failed" in caplog.text
        # It is owed again, after a pause, as after a send that failed.
        assert data(network.next("A")) == [b"a"]
        network.flush()
        server.message_received("A", wants("b"))
        assert sent(network, "A") == [[b"b"]]


def test_nothing_after_the_end(network: FakeNetwork) -> None:
    with Server(network, store_with("a")) as server:
        acquaint(network, server, "A")
    server.message_received("A", wants("a"))
    server.blocks_received("A", [block("b")])
    assert sent(network, "A") == []
    assert server.ledger_for_peer("A").recv == 0
