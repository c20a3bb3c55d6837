"""Blocks that not everybody may have: to whom may not, they are missing."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.options import ServerOptions
from tests.decision.support import Answer, Node, block, cid, one

pytestmark = pytest.mark.usefixtures("implementation")


def test_each_peer_is_answered_by_what_it_may_have() -> None:
    allowed = {"p0": {cid(name) for name in "abcde1"}, "p1": {cid("c"), cid("d")}, "p2": {cid("d")}}
    options = ServerOptions(
        want_have_replace_size=0, peer_block_request_filter=lambda peer, wanted: wanted in allowed[peer]
    )
    node = Node(options, stored="abcde")
    for peer, blocks, haves, answer in [
        ("p0", "a", "", ("a", "", "")),
        ("p0", "", "b1", ("", "b", "1")),
        ("p1", "", "ac", ("", "c", "a")),
        ("p1", "bd", "", ("d", "", "b")),
        ("p2", "bcd1", "a", ("d", "", "1abc")),
    ]:
        node.want(peer, blocks, haves, ask=True)
        assert one(node.drain()) == Answer(peer, *answer)
    # p0 may have what comes; p2 was refused, so nothing of it is kept.
    node.arrive([block("1")])
    assert one(node.drain()) == Answer("p0", haves="1")


def test_a_filter_may_change_its_mind_while_answers_are_under_way() -> None:
    allowed: set[CID] = set()
    options = ServerOptions(
        want_have_replace_size=0, peer_block_request_filter=lambda _, wanted: wanted in allowed
    )
    node = Node(options, envelopes_per_peer=15)

    def ask(names: str, blocks: str, haves: str = "") -> Answer:
        allowed.clear()
        allowed.update(map(cid, names))
        node.want("A", blocks, haves, ask=True)
        begun = node.begin()
        assert begun is not None
        return begun[1]

    assert ask("", "a") == Answer("A", dont_haves="a")
    assert ask("a", "a") == Answer("A", blocks="a")
    assert ask("bc", "", "bc") == Answer("A", haves="bc")
    assert ask("c", "bc") == Answer("A", blocks="c", dont_haves="b")
    assert ask("", "", "d") == Answer("A", dont_haves="d")
    assert ask("d", "", "d") == Answer("A", haves="d")
