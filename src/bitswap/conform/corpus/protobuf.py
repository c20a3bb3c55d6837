"""Protobuf itself: wire types, unknown fields, groups, odd varints, bytes that are no protobuf at all.

Verdicts as Go's runtime gives them, which most peers run: a known field of another wire type is an unknown
field, and an unknown field is read over.
"""

from __future__ import annotations

from collections.abc import Iterator

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.case import BAD_CID, IGNORE, MAY_CLOSE, PROTOBUF, Case, Draft, accepted, key, refused
from bitswap.conform.wire import BYTES, END_GROUP, FIXED32, FIXED64, GROUP, VARINT

UNKNOWN, TYPES, BROKEN, ODD = "unknown-fields", "wire-types", "broken-protobuf", "odd-protobuf"

_KIND_NAMES = {VARINT: "varint", FIXED64: "fixed64", BYTES: "bytes", GROUP: "group", FIXED32: "fixed32"}


def cases() -> Iterator[Case]:
    yield from _unknown()
    yield from _wrong_types()
    yield from _odd()
    yield from _broken()


def _unknown() -> Iterator[Case]:
    for field in (6, 15, 16, 1000, 19000, 2**29 - 1):
        for kind, name in _KIND_NAMES.items():
            odd = wire.value_of(kind, field)
            label = f"field {field} {name}"
            about = f"field {field}, which no version has, as {name}"
            before = Draft().raw(odd).want(key(f"before {label}"))
            yield accepted(UNKNOWN, f"unknown-{field}-{name}-first", f"{about}, before the wantlist", before)
            if field > 16:
                continue
            cid = key(f"inside {label}")
            inside = Draft([wire.wantlist(odd + wire.entry(cid, dont_have=True) + odd)])
            inside.means(entries=[(cid, 1, 0, False, True)])
            yield accepted(UNKNOWN, f"unknown-{field}-{name}-in-entry", f"{about}, inside an entry", inside)
    cid = key("unknown in wantlist")
    entries = wire.content(wire.ENTRIES, wire.entry(cid, dont_have=True))
    draft = Draft([wire.content(wire.WANTLIST, wire.number(9, 5) + entries + wire.content(10, b"x"))])
    draft.means(entries=[(cid, 1, 0, False, True)])
    yield accepted(UNKNOWN, "unknown-in-wantlist", "unknown fields inside the wantlist", draft)
    nothing = Draft([wire.content(77, b"nothing else")])
    yield accepted(UNKNOWN, "unknown-alone", "a message of one unknown field", nothing)


def _wrong_types() -> Iterator[Case]:
    """Each known field with each wire type that it does not have."""
    levels = (
        ("message", {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: VARINT}),
        ("wantlist", {1: BYTES, 2: VARINT}),
        ("entry", {2: VARINT, 3: VARINT, 4: VARINT, 5: VARINT}),
        ("presence", {2: VARINT}),
    )
    for level, fields in levels:
        for field, own in fields.items():
            for kind, name in _KIND_NAMES.items():
                if kind != own:
                    about = f"field {field} of the {level} as {name}: an unknown field"
                    draft = _wrong(level, wire.value_of(kind, field), key(f"{level} {field} {name}"))
                    yield accepted(TYPES, f"{level}-{field}-as-{name}", about, draft)
    for kind, name in _KIND_NAMES.items():
        if kind != BYTES:
            body = wire.wantlist(wire.value_of(kind, 1) + wire.number(wire.PRIORITY, 1))
            about = f"an entry whose CID is a {name}, so that it has none"
            yield refused(TYPES, f"entry-1-as-{name}", about, body, BAD_CID)
            body = wire.content(wire.PRESENCES, wire.value_of(kind, 1))
            about = f"a presence whose CID is a {name}, so that it has none"
            yield refused(TYPES, f"presence-1-as-{name}", about, body, BAD_CID)


def _wrong(level: str, odd: bytes, cid: CID) -> Draft:
    row = (cid, 1, 0, False, True)
    entry = wire.entry(cid, dont_have=True)
    if level == "message":
        return Draft([odd, wire.wantlist(entry)]).means(entries=[row])
    if level == "wantlist":
        inside = odd + wire.content(wire.ENTRIES, entry)
        return Draft([wire.content(wire.WANTLIST, inside)]).means(entries=[row])
    if level == "entry":
        return Draft([wire.wantlist(entry + odd)]).means(entries=[row])
    told = wire.content(wire.PRESENCES, wire.content(wire.PRESENCE_CID, cid) + odd)
    return Draft([told]).means(presences=[(cid, 0)])


def _odd() -> Iterator[Case]:
    """What parsers differ on; Go's takes it."""
    for padding in (1, 4, 8):
        cid = key(f"padded tag {padding}")
        inside = wire.content(wire.ENTRIES, wire.entry(cid, dont_have=True))
        body = wire.tag(1, BYTES, padding) + wire.varint(len(inside)) + inside
        draft = Draft([body]).means(entries=[(cid, 1, 0, False, True)])
        about = f"a tag with {padding} needless bytes"
        yield accepted(ODD, f"tag-padded-{padding}", about, draft, peer=MAY_CLOSE)
        cid = key(f"padded length {padding} inside")
        inside = wire.content(wire.ENTRIES, wire.entry(cid, dont_have=True))
        draft = Draft([wire.content(wire.WANTLIST, inside, padding)])
        draft.means(entries=[(cid, 1, 0, False, True)])
        about = f"a length inside with {padding} needless bytes"
        yield accepted(ODD, f"inner-length-padded-{padding}", about, draft, peer=MAY_CLOSE)
        cid = key(f"padded priority {padding}")
        inside = wire.content(1, cid) + wire.number(2, 7, padding) + wire.number(5, 1)
        draft = Draft([wire.wantlist(inside)]).means(entries=[(cid, 7, 0, False, True)])
        yield accepted(ODD, f"value-padded-{padding}", f"a priority with {padding} needless bytes", draft)
    for depth in (2, 90, 1000, 10_001):
        groups = wire.tag(9, GROUP) * depth + wire.tag(9, END_GROUP) * depth
        about = f"an unknown group, {depth} deep"
        peer = IGNORE if depth < 100 else MAY_CLOSE
        yield accepted(ODD, f"groups-{depth}", about, Draft([groups]), peer=peer)
    yield refused(ODD, "groups-10002", "an unknown group, 10,002 deep", wire.tag(9, GROUP) * 10_002, PROTOBUF)
    draft = Draft([wire.tag(9, GROUP) + wire.number(2**29, 1) + wire.tag(9, END_GROUP)])
    about = "field 2**29 inside a group, where Go does not mind"
    yield accepted(ODD, "group-with-high-field", about, draft, peer=MAY_CLOSE)


def _broken() -> Iterator[Case]:
    cid = key("broken")
    good = wire.wantlist(wire.entry(cid))
    bodies = {
        "field-0": (wire.tag(0, VARINT) + b"\x01", "field number 0"),
        "field-0-bytes": (wire.tag(0, BYTES) + b"\x00", "field number 0 with content"),
        "field-2-29": (wire.number(2**29, 1), "field number 2**29, one more than there is"),
        "field-2-60": (wire.number(2**60, 1), "field number 2**60"),
        "type-6": (wire.tag(7, 6) + b"\x00", "wire type 6, which does not exist"),
        "type-7": (wire.tag(7, 7) + b"\x00", "wire type 7, which does not exist"),
        "type-6-known-field": (wire.tag(1, 6) + b"\x00", "the wantlist with wire type 6"),
        "group-end-alone": (wire.tag(7, END_GROUP), "the end of a group that never began"),
        "group-open": (wire.tag(7, GROUP) + wire.number(1, 1), "a group without its end"),
        "group-crossed": (wire.tag(7, GROUP) + wire.tag(8, END_GROUP), "a group that ends as another"),
        "length-too-long": (wire.tag(1, BYTES) + b"\x7f" + b"\x00" * 5, "more content than there is"),
        "length-huge": (wire.tag(1, BYTES) + wire.varint(2**31 - 1), "2 GiB of content announced"),
        "length-2-63": (wire.tag(1, BYTES) + wire.varint(2**63), "2**63 bytes of content announced"),
        "length-all-ones": (wire.tag(1, BYTES) + wire.varint(2**64 - 1), "2**64 - 1 bytes announced"),
        "tag-cut": (b"\x8a", "a tag without its end"),
        "tag-11-bytes": (b"\x8a" + b"\x80" * 9 + b"\x00", "a tag of eleven bytes"),
        "varint-cut": (wire.tag(5, VARINT) + b"\x80", "a number without its end"),
        "varint-11-bytes": (wire.tag(5, VARINT) + b"\x80" * 10 + b"\x00", "a number of eleven bytes"),
        "varint-65-bits": (wire.tag(5, VARINT) + b"\xff" * 9 + b"\x02", "a number of 65 bits"),
        "varint-absent": (wire.tag(5, VARINT), "a tag and no number"),
        "fixed32-cut": (wire.tag(7, FIXED32) + b"\x01" * 3, "three of four bytes"),
        "fixed64-cut": (wire.tag(7, FIXED64) + b"\x01" * 7, "seven of eight bytes"),
        "entry-cut": (wire.wantlist(wire.entry(cid)[:-1]), "an entry whose last number is missing"),
        "entry-inner-length": (wire.wantlist(b"\x0a\x25" + cid), "a CID that is longer than its entry"),
        "wantlist-of-ones": (wire.content(1, b"\xff" * 12), "a wantlist of twelve bytes 0xff"),
        "presence-of-ones": (wire.content(4, b"\xff" * 12), "a presence of twelve bytes 0xff"),
        "block-of-ones": (wire.content(3, b"\xff" * 12), "a block of twelve bytes 0xff"),
        "zeros": (b"\x00" * 16, "sixteen zeros"),
        "ones": (b"\xff" * 16, "sixteen bytes 0xff"),
        "text": (b"GET / HTTP/1.1\r\nHost: bitswap\r\n\r\n", "a request of another protocol"),
        "json": (b'{"wantlist": {"entries": []}}', "the message as JSON"),
        "multistream": (b"\x13/multistream/1.0.0\n", "a line of stream negotiation"),
    }
    for name, (body, about) in bodies.items():
        yield refused(BROKEN, name, about, body, PROTOBUF)
        if name in ("field-0", "type-7", "varint-cut", "length-too-long", "group-open"):
            about = f"a good wantlist, then {about}"
            yield refused(BROKEN, f"good-then-{name}", about, good + body, PROTOBUF)
