"""Entries of a wantlist: priorities, types, flags, how equal ones merge, field order, the full flag.

Merging is that of boxo's message: the priority follows requests of the same type, a cancel and a want-block
stay what they are, and so does the wish to be told DONT_HAVE.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.case import BAD_CID, IGNORE, Case, Draft, accepted, key, refused

FIELDS, MERGES, LISTS = "entry-fields", "merges", "wantlists"

_MIN, _MAX = -(2**31), 2**31 - 1


def cases() -> Iterator[Case]:
    yield from _numbers()
    yield from _flags()
    yield from _order()
    yield from _merges()
    yield from _lists()


def _numbers() -> Iterator[Case]:
    for priority in (0, 1, 2, 127, 128, 65536, _MAX, -1, -128, _MIN):
        draft = Draft().want(key(f"priority {priority}"), priority)
        yield accepted(FIELDS, f"priority-{priority}", f"priority {priority}", draft)
    for written, read in (
        (2**31, _MIN),
        (2**32, 0),
        (2**32 + 5, 5),
        (2**63, 0),
        (2**64 - 1, -1),
        (-(2**40), 0),
    ):
        cid = key(f"wide priority {written}")
        draft = Draft([wire.wantlist(wire.entry(cid, written, dont_have=True))])
        draft.means(entries=[(cid, read, 0, False, True)])
        about = f"priority {written}: protobuf keeps the low 32 bits, {read}"
        yield accepted(FIELDS, f"priority-wide-{written}", about, draft)
    for want_type in (1, 2, 3, 7, 128, _MAX, -1, _MIN):
        draft = Draft().want(key(f"want type {want_type}"), 1, want_type)
        about = f"want type {want_type}" + (", which no version has" if want_type != 1 else ": have")
        peer = {} if want_type == 1 else {"peer": IGNORE}
        yield accepted(FIELDS, f"want-type-{want_type}", about, draft, **peer)
    for value in (2, 128, 2**32, 2**63, 2**64 - 1):
        for field, name in ((wire.CANCEL, "cancel"), (wire.SEND_DONT_HAVE, "send-dont-have")):
            cid = key(f"{name} {value}")
            draft = Draft([wire.wantlist(wire.content(1, cid) + wire.number(field, value))])
            draft.means(entries=[(cid, 0, 0, name == "cancel", name != "cancel")])
            yield accepted(FIELDS, f"{name}-as-{value}", f"{name} as {value}, which is true", draft)


def _flags() -> Iterator[Case]:
    for want_type, cancel, ask, priority in product((0, 1), (False, True), (False, True), (0, 1)):
        name = f"type-{want_type}-cancel-{cancel:d}-dont-have-{ask:d}-priority-{priority}"
        draft = Draft().want(key(name), priority, want_type, cancel=cancel, dont_have=ask)
        yield accepted(FIELDS, name, "fields of an entry together", draft)
    cid = key("zeros written")
    inside = wire.content(1, cid) + b"".join(wire.number(field, 0) for field in (2, 3, 4)) + wire.number(5, 1)
    draft = Draft([wire.wantlist(inside)]).means(entries=[(cid, 0, 0, False, True)])
    yield accepted(FIELDS, "zeros-written", "zeros that proto3 would leave out", draft)


def _order() -> Iterator[Case]:
    for number, chosen in enumerate(permutations((1, 2, 4, 5))):
        cid = key(f"order {number}")
        fields = {
            1: wire.content(1, cid),
            2: wire.number(2, 9),
            4: wire.number(4, 1),
            5: wire.number(5, 1),
        }
        draft = Draft([wire.wantlist(b"".join(fields[field] for field in chosen))])
        draft.means(entries=[(cid, 9, 1, False, True)])
        name = "".join(map(str, chosen))
        yield accepted(FIELDS, f"order-{name}", f"fields of an entry in the order {name}", draft)
    cid, other = key("repeated"), key("repeated, not this")
    for field, first, last in ((2, 3, 8), (4, 1, 0), (5, 0, 1), (3, 1, 0)):
        inside = wire.content(1, cid) + wire.number(field, first) + wire.number(field, last)
        row = {2: (last, 0, False, False), 4: (0, last, False, False), 5: (0, 0, False, True)}
        draft = Draft([wire.wantlist(inside)])
        draft.means(entries=[(cid, *row.get(field, (0, 0, False, False)))])
        about = f"field {field} twice in an entry: the last one counts"
        yield accepted(FIELDS, f"field-{field}-twice", about, draft)
    inside = wire.content(1, other) + wire.content(1, cid) + wire.number(5, 1)
    draft = Draft([wire.wantlist(inside)]).means(entries=[(cid, 0, 0, False, True)])
    yield accepted(FIELDS, "cid-twice", "two CIDs in one entry: the last one counts", draft)
    inside = wire.content(1, b"rubbish") + wire.content(1, cid) + wire.number(5, 1)
    draft = Draft([wire.wantlist(inside)]).means(entries=[(cid, 0, 0, False, True)])
    yield accepted(FIELDS, "bad-cid-then-good", "what the last one replaces is not looked at", draft)
    inside = wire.content(1, cid) + wire.content(1, b"")
    about = "a CID, then an empty one, which counts"
    yield refused(FIELDS, "cid-then-none", about, wire.wantlist(inside), BAD_CID)
    yield refused(FIELDS, "entry-empty", "an entry without any field", wire.wantlist(b""), BAD_CID)
    about = "an entry of a priority alone"
    yield refused(FIELDS, "entry-without-cid", about, wire.wantlist(wire.number(2, 1)), BAD_CID)
    about = "a cancel that does not say of what"
    yield refused(FIELDS, "cancel-without-cid", about, wire.wantlist(wire.number(3, 1)), BAD_CID)


_Ask = tuple[int, int, bool, bool]
"""(priority, want type, cancel, send DONT_HAVE)"""


def _merges() -> Iterator[Case]:
    """Two or three entries for one CID in one message."""
    have, block, cancel = (3, 1, False, True), (5, 0, False, False), (0, 0, True, False)
    told: list[tuple[str, tuple[_Ask, ...], _Ask]] = [
        ("have-then-block", (have, block), (3, 0, False, True)),
        ("block-then-have", (block, have), (5, 0, False, True)),
        ("have-then-have", (have, (9, 1, False, False)), (9, 1, False, True)),
        ("block-then-block", (block, (1, 0, False, True)), (1, 0, False, True)),
        ("block-then-cancel", (block, cancel), (0, 0, True, False)),
        ("have-then-cancel", (have, cancel), (3, 0, True, True)),
        ("cancel-then-block", (cancel, block), (5, 0, True, False)),
        ("cancel-then-have", (cancel, have), (0, 0, True, True)),
        ("cancel-then-cancel", (cancel, cancel), (0, 0, True, False)),
        ("have-block-block", (have, block, (6, 0, False, False)), (6, 0, False, True)),
        ("unknown-then-block", ((3, 7, False, False), block), (3, 7, False, False)),
        ("unknown-then-have", ((3, 7, False, False), have), (3, 7, False, True)),
        ("block-then-unknown", (block, (3, 7, False, True)), (5, 0, False, True)),
        ("have-then-unknown", (have, (8, 7, False, True)), (3, 1, False, True)),
    ]
    for name, asks, (priority, want_type, off, ask) in told:
        cid = key(name)
        coded = [wire.entry(cid, p, kind, cancel=gone, dont_have=dont) for p, kind, gone, dont in asks]
        meaning = [(cid, priority, want_type, off, ask)]
        about = "entries for one CID are one want"
        known = {"peer": IGNORE} if want_type == 7 else {}
        draft = Draft([wire.wantlist(*coded)]).means(entries=meaning)
        yield accepted(MERGES, name, about, draft, **known)
        apart = Draft([wire.wantlist(item) for item in coded]).means(entries=meaning)
        about += ", also when each comes in a wantlist of its own"
        yield accepted(MERGES, f"{name}-apart", about, apart, **known)


def _lists() -> Iterator[Case]:
    for count in (2, 10, 100):
        draft = _many(count)
        yield accepted(LISTS, f"wants-{count}", f"{count} wants", draft)
    cid = key("full")
    row = (cid, 1, 0, False, True)
    coded = wire.entry(cid, dont_have=True)
    draft = Draft([wire.wantlist(coded, full=True)]).means(entries=[row], full=True)
    yield accepted(LISTS, "full", "a full wantlist", draft)
    inside = wire.number(2, 1) + wire.content(1, coded)
    draft = Draft([wire.content(1, inside)]).means(entries=[row], full=True)
    yield accepted(LISTS, "full-first", "the full flag before the entries", draft)
    for name, flags, full in (("full-then-not", (1, 0), False), ("not-then-full", (0, 1), True)):
        inside = b"".join(wire.number(2, flag) for flag in flags) + wire.content(1, coded)
        draft = Draft([wire.content(1, inside)]).means(entries=[row], full=full)
        yield accepted(LISTS, name, "the full flag twice: the last one counts", draft)
    draft = Draft([wire.wantlist(full=True), wire.wantlist(coded)]).means(entries=[row], full=True)
    yield accepted(LISTS, "full-apart", "the full flag in a wantlist of its own", draft)
    draft = Draft([wire.wantlist(full=True)]).means(full=True)
    yield accepted(LISTS, "full-empty", "a full wantlist of nothing", draft)
    draft = Draft([wire.content(1, wire.number(2, 2**63))]).means(full=True)
    yield accepted(LISTS, "full-as-2-63", "the full flag as 2**63, which is true", draft)
    for value in (0, 2**63, 1):
        draft = Draft([wire.content(1, wire.number(2, value) * 3)]).means(full=bool(value))
        yield accepted(LISTS, f"full-thrice-{value}", f"the full flag three times as {value}", draft)
    yield accepted(LISTS, "wantlists-empty", "ten empty wantlists", Draft([wire.wantlist() * 10]))
    some = (
        Draft()
        .want(key("cancel and want"), 1, 1)
        .want(key("want and cancel"), 0, cancel=True, dont_have=False)
    )
    yield accepted(LISTS, "want-and-cancel", "a want and the cancel of another", some)


def _many(count: int) -> Draft:
    cids: list[CID] = [key(f"many {count} {number}") for number in range(count)]
    coded = [wire.entry(cid, count - at, at % 2, dont_have=True) for at, cid in enumerate(cids)]
    rows = [(cid, count - at, at % 2, False, True) for at, cid in enumerate(cids)]
    return Draft([wire.wantlist(*coded)]).means(entries=rows)
