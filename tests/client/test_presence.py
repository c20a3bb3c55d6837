from __future__ import annotations

from bitswap.cid import CID
from bitswap.presence import BlockPresence


def test_the_last_word_counts(cids: list[CID]) -> None:
    presence = BlockPresence()
    assert cids[0] not in presence
    assert presence.of(cids[0]) == {}
    presence.received("p", [cids[0]], [cids[1]])
    assert (presence.of(cids[0]), presence.of(cids[1])) == ({"p": True}, {"p": False})
    presence.received("p", [cids[1]], [cids[0]])
    assert (presence.of(cids[0]), presence.of(cids[1])) == ({"p": False}, {"p": True})


def test_have_outweighs_dont_have_of_one_message(cids: list[CID]) -> None:
    presence = BlockPresence()
    presence.received("p", [cids[0]], [cids[0]])
    assert presence.of(cids[0]) == {"p": True}


def test_forgetting(cids: list[CID]) -> None:
    presence = BlockPresence()
    presence.received("p", cids[:2], cids[2:4])
    presence.received("q", [], cids[:4])
    presence.forget([cids[0], cids[9]])
    assert cids[0] not in presence
    presence.forget_denials(cids[1])
    presence.forget_denials(cids[9])
    assert presence.of(cids[1]) == {"p": True}
    presence.forget_denials(cids[2])
    assert cids[2] not in presence
    presence.forget_peer("q")
    assert presence.of(cids[3]) == {"p": False}
    presence.forget_peer("p")
    assert len(presence) == 0
