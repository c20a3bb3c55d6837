"""The records of a session's wants, and the steps for many of them, in both implementations."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import pytest

from bitswap._core import implementations, sessionwants_py
from bitswap.cid import CID, RAW
from bitswap.multihash import SHA2_256, multihash

KINDS: dict[str, ModuleType] = {"py": sessionwants_py}
if "c" in implementations():
    from bitswap._core import sessionwants_c

    KINDS["c"] = sessionwants_c

CIDS = [CID.v1(RAW, multihash(SHA2_256, b"%d" % number)) for number in range(60)]
HIGHEST = (1 << 31) - 1


class Member:
    def __init__(self) -> None:
        self.outstanding = 0


@pytest.fixture(params=list(KINDS))
def core(request: pytest.FixtureRequest) -> ModuleType:
    return KINDS[request.param]


def kind_of(core: ModuleType) -> Any:
    class Want(core.WantRecord):  # type: ignore[name-defined, misc]
        __slots__ = ()

    return Want


def test_a_new_want_is_asked_of_nobody(core: ModuleType) -> None:
    want = kind_of(core)(CIDS[0], 7)
    assert (want.cid, want.priority) == (CIDS[0], 7)
    assert (want.asked, want.probing, want.tried, want.group) == (None, None, None, None)
    assert (want.rounds, want.wave) == (0, 0)
    assert (want.blind, want.absent, want.doubted) == (False, False, False)


def test_earlier_wants_have_higher_priority_and_none_has_less_than_one(core: ModuleType) -> None:
    wants: dict[CID, Any] = {}
    fresh: dict[CID, Any] = {}
    kind = kind_of(core)
    assert core.begin(kind, wants, fresh, CIDS[:3], 0) == 3
    assert core.begin(kind, wants, fresh, CIDS[3:5], HIGHEST - 1) == HIGHEST + 1
    assert [want.priority for want in wants.values()] == [HIGHEST, HIGHEST - 1, HIGHEST - 2, 1, 1]
    assert list(wants.items()) == list(fresh.items())
    assert all(type(want) is kind and want.asked is None and not want.wave for want in wants.values())


def test_the_first_are_taken_and_the_others_keep_their_order(core: ModuleType) -> None:
    wants: dict[CID, Any] = {}
    fresh: dict[CID, Any] = {}
    core.begin(kind_of(core), wants, fresh, CIDS[:10], 0)
    del fresh[CIDS[1]]
    assert [want.cid for want in core.take_first(fresh, 3)] == [CIDS[0], CIDS[2], CIDS[3]]
    assert list(fresh) == CIDS[4:10]
    assert core.take_first(fresh, 0) == []
    assert len(core.take_first(fresh, 100)) == 6
    assert not fresh
    assert len(wants) == 10


def test_whoever_is_asked_is_noted(core: ModuleType) -> None:
    kind, member = kind_of(core), Member()
    wants = [kind(cid, 9 - number) for number, cid in enumerate(CIDS[:3])]
    assert core.hand_over(wants, member) == [(CIDS[0], 9), (CIDS[1], 8), (CIDS[2], 7)]
    assert all(want.asked is member and want.blind for want in wants)


def test_what_came_is_sorted(core: ModuleType) -> None:
    kind, member, other = kind_of(core), Member(), Member()
    wants: dict[CID, Any] = {}
    core.begin(kind, wants, {}, CIDS[:8], 0)
    every = list(wants.values())
    core.hand_over(every[:4], member)
    core.hand_over(every[4:6], other)
    member.outstanding, other.outstanding = 4, 2
    every[1].blind = False
    every[2].wave = 1
    every[5].group = object()
    known, left, strange = core.came(wants, [*CIDS[:7], CIDS[0], CIDS[20]])
    assert known == 1
    assert left == [every[2], every[5], every[6]]
    assert strange == [CIDS[0], CIDS[20]]
    assert list(wants) == [CIDS[7]]
    assert (member.outstanding, other.outstanding) == (0, 0)


@pytest.mark.skipif(len(KINDS) < 2, reason="needs the compiled core")
@pytest.mark.parametrize("seed", range(20))
def test_both_do_the_same(seed: int) -> None:
    ends = []
    for core in KINDS.values():
        chance, kind = random.Random(seed), kind_of(core)
        members = [Member() for _ in range(3)]
        wants: dict[CID, Any] = {}
        fresh: dict[CID, Any] = {}
        made, told = 0, []
        for _ in range(40):
            new = [cid for cid in chance.sample(CIDS, 10) if cid not in wants]
            made = core.begin(kind, wants, fresh, new, made)
            member = chance.choice(members)
            mine = core.take_first(fresh, chance.randrange(12))
            member.outstanding += len(mine)
            told.append(core.hand_over(mine, member))
            for want in mine:
                want.blind, want.wave = chance.random() < 0.5, chance.randrange(3)
            known, left, strange = core.came(wants, chance.sample(CIDS, 15))
            for want in left:
                fresh.pop(want.cid, None)
            told.append([known, [want.cid for want in left], strange, list(wants), list(fresh)])
        ends.append((told, [member.outstanding for member in members]))
    assert ends[0] == ends[1]
