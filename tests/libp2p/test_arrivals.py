"""Messages of blocks that come together are told together, and in order with everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bitswap import Block
from bitswap.message import Message
from bitswap.network.libp2p.arrivals import Arrivals
from bitswap.testutils import make_blocks


class Turn:
    """What was told, and what waits for the end of the turn."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[Message]]] = []
        self.deferred: list[Callable[[], None]] = []
        self.arrivals = Arrivals(self._tell, self.deferred.append)

    def _tell(self, peer: str, messages: Sequence[Message]) -> None:
        self.told.append((peer, list(messages)))

    def over(self) -> None:
        deferred, self.deferred[:] = list(self.deferred), []
        for step in deferred:
            step()


def of(*blocks: Block) -> Message:
    message = Message()
    for block in blocks:
        message.add_block(block)
    return Message.from_body(message.to_body())


SMALL = [of(block) for block in make_blocks(6)]


def test_what_a_turn_brings_is_told_at_its_end() -> None:
    turn = Turn()
    for _ in range(2):
        assert all(turn.arrivals.add("A", message) for message in SMALL)
        assert len(turn.deferred) == 1
        turn.over()
    assert turn.told == [("A", SMALL), ("A", SMALL)]
    turn.over()
    assert len(turn.told) == 2


def test_each_peer_is_told_of_by_itself() -> None:
    turn = Turn()
    for peer, message in zip("AABBA", SMALL, strict=False):
        assert turn.arrivals.add(peer, message)
    turn.over()
    assert turn.told == [("A", SMALL[:2]), ("B", SMALL[2:4]), ("A", SMALL[4:5])]


def test_anything_else_comes_after_what_came_before() -> None:
    block = make_blocks(1)[0]
    others = [Message() for _ in range(3)]
    others[0].add_have(block.cid)
    others[1].add_dont_have(block.cid)
    others[2].add_entry(block.cid, 1)
    for other in others:
        other.add_block(make_blocks(2)[1])
        turn = Turn()
        assert turn.arrivals.add("A", SMALL[0])
        assert not turn.arrivals.add("A", other)
        assert turn.told == [("A", SMALL[:1])]
        turn.over()
        assert len(turn.told) == 1


def test_much_is_told_at_once() -> None:
    turn = Turn()
    large = [of(Block.of(bytes([number]) * 300_000)) for number in range(3)]
    for message in large:
        assert turn.arrivals.add("A", message)
    assert turn.told == [("A", large[:2])]
    turn.arrivals.tell()
    assert turn.told == [("A", large[:2]), ("A", large[2:])]


def test_without_somebody_who_takes_many_nothing_is_kept() -> None:
    turn = Turn()
    assert not Arrivals(None, turn.deferred.append).add("A", SMALL[0])
    assert turn.deferred == []
