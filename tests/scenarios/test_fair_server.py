"""The same through a server on its threads: peers whose sends end when the test says so."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Sequence

import pytest

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.clock import VirtualClock
from bitswap.message import Message
from bitswap.network.interface import SendDone
from bitswap.options import KIB, ServerOptions
from bitswap.server import Server
from tests.decision.fake_network import PATIENCE, FakeNetwork

pytestmark = [pytest.mark.usefixtures("implementation"), pytest.mark.timeout(120)]

BLOCKS = [Block.of(number.to_bytes(2, "big") * (KIB // 2)) for number in range(1024)]
BUSY = [f"busy {number}" for number in range(19)]


class Turns(FakeNetwork):
    """Keeps every send of the peers named `slow`, and tells whose each was."""

    def __init__(self, slow: Sequence[str]) -> None:
        super().__init__()
        self.turns: queue.Queue[str] = queue.Queue()
        self.manner.update(dict.fromkeys(slow, "keep"))

    def send(self, peer: str, message: Message, lane: int, done: SendDone) -> None:
        super().send(peer, message, lane, done)
        self.turns.put(peer)

    def turn(self) -> str:
        return self.turns.get(timeout=PATIENCE)


class Store(MemoryBlockstore):
    """Tells of each look-up. With one worker thread what is posted after it is handled after its message."""

    def __init__(self) -> None:
        super().__init__()
        self.put_many(BLOCKS)
        self._look_ups: queue.Queue[int] = queue.Queue()

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self._look_ups.put(len(cids))
        return super().sizes(cids)

    def looked_up(self, times: int) -> None:
        for _ in range(times):
            self._look_ups.get(timeout=PATIENCE)


def wants(count: int = len(BLOCKS)) -> Message:
    message = Message()
    for place, item in enumerate(BLOCKS[:count]):
        message.add_entry(item.cid, len(BLOCKS) - place)
    return message


def one_at_a_time() -> ServerOptions:
    """A line that takes one message at a time."""
    return ServerOptions(task_workers=1, max_total_outstanding_bytes=1)


def test_busy_peers_take_turns_and_a_newcomer_is_next() -> None:
    network, store = Turns([*BUSY, "newcomer"]), Store()
    with Server(network, store, one_at_a_time()) as server:
        network.start(server)
        for peer in BUSY:
            network.deliver(peer, wants())
        store.looked_up(len(BUSY))
        rounds = []
        for _ in range(3 * len(BUSY)):
            rounds.append(network.turn())
            network.end(rounds[-1])
        for start in range(0, len(rounds), len(BUSY)):
            assert sorted(rounds[start : start + len(BUSY)]) == sorted(BUSY)
        under_way = network.turn()
        network.deliver("newcomer", wants(1))
        store.looked_up(1)
        network.end(under_way)
        assert network.turn() == "newcomer"
        assert len(network.next("newcomer").blocks()) == 1
    network.close()
    assert network.faults == []


def test_eight_peers_that_never_read_take_nothing_from_the_ninth() -> None:
    """It gets the same blocks in the same messages as when it is alone."""
    deaf = [f"deaf {number}" for number in range(8)]

    def messages(*others: str) -> list[list[CID]]:
        network, store = Turns(deaf), Store()
        with Server(network, store, clock=VirtualClock()) as server:
            network.start(server)
            for peer in others:
                network.deliver(peer, wants())
            store.looked_up(len(others))
            network.deliver("ninth", wants())
            got: list[list[CID]] = []
            while sum(map(len, got)) < len(BLOCKS):
                got.append([item.cid for item in network.next("ninth").blocks()])
            assert Counter(peer for peer in others if network.sent[peer].qsize() == 1) == Counter(others)
        network.close()
        assert network.faults == []
        return got

    alone = messages()
    assert messages(*deaf) == alone
    assert [item for part in alone for item in part] == [item.cid for item in BLOCKS]
