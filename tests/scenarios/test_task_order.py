"""An order of one's own in place of priority and fairness."""

from __future__ import annotations

import random

import pytest

from bitswap.decision.interface import TaskInfo
from bitswap.options import ServerOptions
from tests.decision.support import ALPHABET, Node

pytestmark = pytest.mark.usefixtures("implementation")


def ordered() -> Node:
    """Answers leave in the order of their letters; this engine is always the one in Python."""

    def letter(task: TaskInfo) -> str:
        return node.names[task.cid]

    node = Node(ServerOptions(target_message_size=1, adaptive=False, task_order=letter))
    assert node.engine.implementation == "py"
    return node


def test_ten_peers_are_served_in_the_order_of_what_they_want() -> None:
    node = ordered()
    names = list(ALPHABET[:10])
    random.Random(3).shuffle(names)
    for name in names:
        node.want(f"peer of {name}", name)
    assert [(answer.peer, answer.blocks) for answer in node.drain()] == [
        (f"peer of {name}", name) for name in sorted(names)
    ]


def test_the_same_order_holds_within_a_peer() -> None:
    node = ordered()
    node.want("A", "cab")
    node.want("B", "fd")
    node.want("A", "e", priority=1000)
    assert [answer.blocks for answer in node.drain()] == list("abcdef")
