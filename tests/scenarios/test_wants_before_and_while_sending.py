"""What is answered to wants, before anything has been taken for the peer and while its answer is under way.

Letters are blocks that we have, digits are missing. HAVE requests are never answered with blocks.
"""

from __future__ import annotations

import pytest

from bitswap.options import ServerOptions
from tests.decision.support import ALPHABET, CONSONANTS, VOWELS, Answer, Node, one

pytestmark = pytest.mark.usefixtures("implementation")

NO_REPLACE = ServerOptions(want_have_replace_size=0)

Wants = tuple[str, str, bool]
"""A message: blocks, HAVEs, whether DONT_HAVE is asked for."""


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        pytest.param([("aeiou", "", False)], ("aeiou", "", ""), id="blocks"),
        pytest.param([("aeiou", "fgh", False)], ("aeiou", "fgh", ""), id="blocks-and-haves"),
        pytest.param([("", "fgh123", False)], ("", "fgh", ""), id="missing-haves-in-silence"),
        pytest.param([("", "fgh123", True)], ("", "fgh", "123"), id="missing-haves-told"),
        pytest.param([("aeiou123", "fgh456", False)], ("aeiou", "fgh", ""), id="missing-in-silence"),
        pytest.param([("aeiou123", "fgh456", True)], ("aeiou", "fgh", "123456"), id="missing-told"),
        pytest.param(
            [("ae", "", False), ("io", "", False), ("u", "", False)],
            ("aeiou", "", ""),
            id="blocks-of-three-messages",
        ),
        pytest.param(
            [("ae", "jk", False), ("io", "lm", False), ("u", "", False)],
            ("aeiou", "jklm", ""),
            id="haves-of-three-messages",
        ),
        pytest.param(
            [("ae12", "jk", True), ("io34", "lm5", True), ("u", "6", True)],
            ("aeiou", "jklm", "123456"),
            id="missing-of-three-messages",
        ),
        pytest.param([("a", "", False), ("", "a", False)], ("a", "", ""), id="block-then-have"),
        pytest.param([("", "b", False), ("b", "", False)], ("b", "", ""), id="have-then-block"),
        pytest.param([("a", "", False), ("a", "", False)], ("a", "", ""), id="block-twice"),
        pytest.param([("", "a", False), ("", "a", False)], ("", "a", ""), id="have-twice"),
    ],
)
def test_all_that_is_wanted_before_the_first_send_goes_into_one_envelope(
    messages: list[Wants], answer: tuple[str, str, str]
) -> None:
    node = Node(NO_REPLACE)
    for blocks, haves, ask in messages:
        node.want("A", blocks, haves, ask=ask)
    assert one(node.drain()) == Answer("A", *answer)


@pytest.mark.parametrize("envelopes_per_peer", [1, 8])
@pytest.mark.parametrize(
    ("first", "second", "answers"),
    [
        pytest.param(("a", ""), ("", "a"), [("a", "")], id="block-then-have"),
        pytest.param(("", "b"), ("b", ""), [("", "b"), ("b", "")], id="have-then-block"),
        pytest.param(("a", ""), ("a", ""), [("a", "")], id="block-twice"),
        pytest.param(("", "a"), ("", "a"), [("", "a")], id="have-twice"),
    ],
)
def test_a_want_repeated_while_its_answer_is_under_way_is_answered_only_if_it_asks_for_more(
    first: tuple[str, str], second: tuple[str, str], answers: list[tuple[str, str]], envelopes_per_peer: int
) -> None:
    """boxo sends both at a time; a node here sends the second answer when the first has left."""
    node = Node(NO_REPLACE, envelopes_per_peer=envelopes_per_peer)
    node.want("A", *first)
    begun = node.begin()
    assert begun is not None
    node.want("A", *second)
    seen = [begun[1]]
    if envelopes_per_peer == 1:
        assert node.begin() is None
        node.engine.envelope_sent(begun[0], node.now)
    while (begun := node.begin()) is not None:
        seen.append(begun[1])
    assert [(answer.blocks, answer.haves) for answer in seen] == answers


def test_cancels_of_the_one_peer_leave_the_wants_of_the_other() -> None:
    node = Node()
    for _ in range(10):
        node.want("A", ALPHABET)
        node.want("A", cancels=VOWELS)
        node.want("B", ALPHABET)
        node.want("B", cancels=CONSONANTS)
        assert {answer.peer: answer.blocks for answer in node.drain()} == {"A": CONSONANTS, "B": VOWELS}
        assert node.engine.peers() == []
