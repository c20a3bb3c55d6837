"""Blocks that come after they were wanted."""

from __future__ import annotations

import pytest

from bitswap.message import Message, WantType
from tests.decision.support import Answer, Node, block, one

pytestmark = pytest.mark.usefixtures("implementation")

LARGE = [block(name, 8 * 1024) for name in "wxyz"]


def node_that_lacks(ask: str) -> Node:
    """A node without blocks, of which "A" wants HAVE of w and x, and y and z; it asks about `ask`."""
    node = Node(stored="")
    node.add(LARGE)
    node.store.clear()
    message = Message()
    for place, (item, kind) in enumerate(
        zip(LARGE, (WantType.HAVE, WantType.HAVE, WantType.BLOCK, WantType.BLOCK), strict=True)
    ):
        message.add_entry(item.cid, 4 - place, kind, node.names[item.cid] in ask)
    node.receive("A", message)
    return node


def test_whoever_waits_is_sent_what_comes() -> None:
    node = node_that_lacks(ask="")
    assert node.drain() == []
    node.arrive([LARGE[0], LARGE[2]])
    assert one(node.drain()) == Answer("A", blocks="y", haves="w")
    assert node.wantlist("A") == "xz"


def test_dont_have_is_told_to_whom_asks_and_the_want_lives_on() -> None:
    node = node_that_lacks(ask="xz")
    assert one(node.drain()) == Answer("A", dont_haves="xz")
    assert node.wantlist("A") == "wxyz"
    node.arrive(LARGE)
    assert one(node.drain()) == Answer("A", blocks="yz", haves="wx")
    assert node.wantlist("A") == ""
