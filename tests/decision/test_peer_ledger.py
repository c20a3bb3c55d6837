"""Who wants what, both ways (boxo `peer_ledger.go`)."""

from __future__ import annotations

import random

from bitswap.decision.peer_ledger import BLOCK, PeerLedger, Want

from .invariants import check_ledger
from .support import block, cid

HAVE = 1


def want(name: str, priority: int = 1, kind: int = BLOCK, *, available: bool = False) -> Want:
    return Want(cid(name), priority, kind, False, available)


def wanters(ledger: PeerLedger, name: str) -> list[tuple[str, int, int]]:
    return sorted((peer, found.priority, found.want_type) for peer, found in ledger.wanters(cid(name)))


def test_both_directions() -> None:
    ledger = PeerLedger()
    ledger.add("A", [want("a", 5), want("b", 4, HAVE)], 10)
    ledger.add("B", [want("a", 3)], 10)
    assert wanters(ledger, "a") == [("A", 5, BLOCK), ("B", 3, BLOCK)]
    assert wanters(ledger, "b") == [("A", 4, HAVE)]
    assert wanters(ledger, "c") == []
    assert ledger.wantlist("A") == [cid("a"), cid("b")]
    assert sorted(ledger.peers()) == ["A", "B"]
    assert ledger.size == 3
    ledger.clear("A")
    assert wanters(ledger, "a") == [("B", 3, BLOCK)]
    assert "A" not in ledger
    ledger.clear("A")
    assert ledger.size == 1


def test_a_repeat_replaces_priority_and_type() -> None:
    ledger = PeerLedger()
    ledger.add("A", [want("a", 5)], 1)
    assert ledger.add("A", [want("a", 2, HAVE)], 1) == ([], [])
    assert wanters(ledger, "a") == [("A", 2, HAVE)]
    assert ledger.size == 1


def test_cancels_say_what_was_wanted() -> None:
    ledger = PeerLedger()
    ledger.add("A", [want("a"), want("b")], 10)
    assert ledger.cancel("A", [cid("b"), cid("c")]) == [cid("b")]
    assert ledger.cancel("B", [cid("a")]) == []
    assert ledger.cancel("A", [cid("a")]) == [cid("a")]
    assert "A" not in ledger


def test_a_have_answers_a_want_have_only() -> None:
    ledger = PeerLedger()
    ledger.add("A", [want("a"), want("b", 1, HAVE)], 10)
    assert ledger.answered("A", cid("a"), with_block=False) is None
    assert ledger.answered("A", cid("b"), with_block=False) is not None
    assert ledger.answered("A", cid("b"), with_block=True) is None
    assert ledger.answered("A", cid("a"), with_block=True) is not None
    assert ledger.answered("A", cid("a"), with_block=True) is None
    assert ledger.peers() == []


def test_restoring_leaves_what_is_newer() -> None:
    ledger = PeerLedger()
    old = want("a", 5)
    ledger.add("A", [want("a", 2, HAVE)], 1)
    ledger.restore("A", [old, want("b")])
    assert wanters(ledger, "a") == [("A", 2, HAVE)]
    assert ledger.count("A") == 2
    ledger.restore("B", [])
    assert ledger.peers() == ["A"]


def test_too_many() -> None:
    ledger = PeerLedger()
    refused, evicted = ledger.add("A", [want(name, number) for number, name in enumerate("abcdef")], 4)
    assert [w.cid for w in refused] == [cid("b"), cid("a")]
    assert evicted == []
    refused, evicted = ledger.add("A", [want("g", 3), want("h", 2)], 4)
    assert [w.cid for w in refused] == [cid("h")]
    assert [w.cid for w in evicted] == [cid("c")]
    assert ledger.count("A") == 4


def test_a_repeated_want_keeps_its_age() -> None:
    ledger = PeerLedger()
    for name in "abc":
        ledger.add("A", [want(name)], 3)
    ledger.add("A", [want("c")], 3)
    _, evicted = ledger.add("A", [want("d", available=True)], 3)
    assert [w.cid for w in evicted] == [cid("c")]


def test_a_block_that_came_keeps_its_want() -> None:
    ledger = PeerLedger()
    ledger.add("A", [want(name) for name in "abcd"], 4)
    ledger.add("A", [want("e")], 4)
    for found in list(ledger.wanters(cid("d"))):
        ledger.found(*found)
    refused, evicted = ledger.add("A", [want("f", 1, available=True)], 4)
    assert refused == []
    assert [w.cid for w in evicted] == [cid("c")]
    check_ledger(ledger)


def test_random_changes_keep_both_directions_in_step() -> None:
    rng = random.Random(5)
    ledger = PeerLedger()
    blocks = [block(f"n{number}").cid for number in range(40)]
    for _ in range(3000):
        peer = rng.choice("AB")
        chosen = rng.sample(blocks, rng.randrange(1, 8))
        action = rng.randrange(5)
        before = {c: ledger.get(peer, c) for c in ledger.wantlist(peer)}
        if action < 3:
            new = [Want(c, rng.randrange(4), rng.randrange(2), False, rng.random() < 0.5) for c in chosen]
            refused, evicted = ledger.add(peer, new, 12)
            gone = {id(w) for w in refused} | {id(w) for w in evicted}
            kept = [ledger.get(peer, c) for c in ledger.wantlist(peer)]
            assert len(kept) <= 12
            assert not any(id(w) in gone for w in kept)
            if gone:
                lowest = min((w.priority, w.available) for w in kept if w is not None)
                assert all((w.priority, w.available) <= lowest for w in [*refused, *evicted])
                assert len(kept) == 12
            assert {c for c in before if ledger.get(peer, c) is None} == {
                w.cid for w in evicted if w.cid in before
            }
        elif action == 3:
            ledger.cancel(peer, chosen)
            assert not any(ledger.get(peer, c) for c in chosen)
        elif rng.random() < 0.05:
            ledger.clear(peer)
        else:
            ledger.answered(peer, chosen[0], with_block=True)
        check_ledger(ledger)
