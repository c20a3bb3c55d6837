"""Blocks: prefixes, hash functions, sizes; `payload` of 1.1.0 and later, `blocks` of 1.0.0.

Nothing on the wire says which CID a block is meant to have: a receiver hashes the data (go-cid `Prefix.Sum`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.case import (
    BAD_HASH,
    BAD_PREFIX,
    Case,
    Draft,
    accepted,
    key,
    refused,
)
from bitswap.conform.wire import varint
from bitswap.message.protocols import BITSWAP_1_0_0, BITSWAP_1_1_0, BITSWAP_NO_VERSION

PAYLOAD, BAD, OLD, PRESENCES = "blocks", "bad-blocks", "old-versions", "presences"

_RAW = b"\x01\x55\x12\x20"
_HELLO = b"bitswap corpus: a block that nobody asked for"


def cases() -> Iterator[Case]:
    yield from _payload()
    yield from _hashes()
    yield from _bad()
    yield from _old()
    yield from _presences()


def _sha256(data: bytes, head: bytes = _RAW) -> CID:
    return CID.from_trusted(head + hashlib.sha256(data).digest())


def _given(prefix: bytes, data: bytes, cid: CID) -> Draft:
    return Draft([wire.payload(prefix, data)]).means(blocks=[(cid, data)])


def _payload() -> Iterator[Case]:
    for size in (0, 1, 2, 127, 128, 1024, 1025, 16384):
        data = b"\xb5" * size
        yield accepted(PAYLOAD, f"size-{size}", f"a block of {size} bytes", _given(_RAW, data, _sha256(data)))
    written = wire.content(wire.PAYLOAD, wire.content(1, _RAW) + wire.content(2, b""))
    draft = Draft([written]).means(blocks=[(_sha256(b""), b"")])
    yield accepted(PAYLOAD, "size-0-written", "a block of no bytes whose field is written", draft)
    for name, head in (
        ("v0", b""),
        ("dag-pb", b"\x01\x70"),
        ("dag-cbor", b"\x01\x71"),
        ("json", b"\x01\x80\x04"),
    ):
        cid = _sha256(_HELLO, head + b"\x12\x20")
        prefix = head + b"\x12\x20" if head else b"\x00\x70\x12\x20"
        yield accepted(PAYLOAD, f"prefix-{name}", f"a {name} block", _given(prefix, _HELLO, cid))
    cid = _sha256(_HELLO, b"\x12\x20")
    about = "a CIDv0 has no codec, whatever its prefix says"
    yield accepted(PAYLOAD, "v0-codec-raw", about, _given(b"\x00\x55\x12\x20", _HELLO, cid))
    about = "what follows the four numbers of a prefix is not looked at"
    yield accepted(PAYLOAD, "prefix-and-more", about, _given(_RAW + b"more", _HELLO, _sha256(_HELLO)))
    for size in (0, 1, 20, 31):
        head = b"\x01\x55\x12" + varint(size)
        cid = CID.from_trusted(head + hashlib.sha256(_HELLO).digest()[:size])
        about = f"sha2-256 cut to {size} bytes"
        yield accepted(PAYLOAD, f"digest-{size}", about, _given(head, _HELLO, cid))
    for size in (0, 3, 45, 200):
        cid = CID.from_trusted(b"\x01\x55\x00" + varint(len(_HELLO)) + _HELLO)
        about = f"identity with a digest of {size} bytes announced, which is not looked at"
        yield accepted(
            PAYLOAD, f"identity-{size}", about, _given(b"\x01\x55\x00" + varint(size), _HELLO, cid)
        )
    yield from _forms()


def _forms() -> Iterator[Case]:
    """The same block written in other ways, and several."""
    swapped = wire.content(wire.PAYLOAD, wire.content(2, _HELLO) + wire.content(1, _RAW))
    draft = Draft([swapped]).means(blocks=[(_sha256(_HELLO), _HELLO)])
    yield accepted(PAYLOAD, "data-first", "the data before its prefix", draft)
    odd = wire.content(3, b"x") + wire.number(4, 1)
    inside = odd + wire.content(1, _RAW) + odd + wire.content(2, _HELLO) + odd
    draft = Draft([wire.content(wire.PAYLOAD, inside)]).means(blocks=[(_sha256(_HELLO), _HELLO)])
    yield accepted(PAYLOAD, "unknown-fields-inside", "unknown fields inside a block", draft)
    inside = (
        wire.content(1, b"\x05") + wire.content(2, b"no") + wire.content(1, _RAW) + wire.content(2, _HELLO)
    )
    draft = Draft([wire.content(wire.PAYLOAD, inside)]).means(blocks=[(_sha256(_HELLO), _HELLO)])
    yield accepted(PAYLOAD, "fields-twice", "prefix and data twice: the last ones count", draft)
    draft = Draft([wire.payload(_RAW, _HELLO) * 2]).means(blocks=[(_sha256(_HELLO), _HELLO)])
    yield accepted(PAYLOAD, "twice", "the same block twice", draft)
    draft = Draft().block(_sha256(b"one"), b"one").block(_sha256(b"two"), b"two").block(_sha256(b"3"), b"3")
    yield accepted(PAYLOAD, "three", "three blocks", draft)
    both = Draft().block(_sha256(_HELLO), _HELLO).block(_sha256(_HELLO, b"\x01\x70\x12\x20"), _HELLO)
    yield accepted(PAYLOAD, "same-data-two-codecs", "the same data under two CIDs", both)
    yield accepted(
        PAYLOAD,
        "block-and-want",
        "a block and a want",
        Draft().want(key("with a block")).block(_sha256(b"1"), b"1"),
    )


def _hashes() -> Iterator[Case]:
    sums = {
        ("sha1", 0x11): hashlib.sha1(_HELLO, usedforsecurity=False).digest(),
        ("sha2-512", 0x13): hashlib.sha512(_HELLO).digest(),
        ("sha3-512", 0x14): hashlib.sha3_512(_HELLO).digest(),
        ("sha3-384", 0x15): hashlib.sha3_384(_HELLO).digest(),
        ("sha3-256", 0x16): hashlib.sha3_256(_HELLO).digest(),
        ("sha3-224", 0x17): hashlib.sha3_224(_HELLO).digest(),
        ("shake-128", 0x18): hashlib.shake_128(_HELLO).digest(32),
        ("shake-256", 0x19): hashlib.shake_256(_HELLO).digest(64),
        ("sha2-384", 0x20): hashlib.sha384(_HELLO).digest(),
        ("dbl-sha2-256", 0x56): hashlib.sha256(hashlib.sha256(_HELLO).digest()).digest(),
        ("sha2-224", 0x1013): hashlib.sha224(_HELLO).digest(),
        ("blake2b-8", 0xB201): hashlib.blake2b(_HELLO, digest_size=1).digest(),
        ("blake2b-256", 0xB220): hashlib.blake2b(_HELLO, digest_size=32).digest(),
        ("blake2b-512", 0xB240): hashlib.blake2b(_HELLO, digest_size=64).digest(),
        ("blake2s-256", 0xB260): hashlib.blake2s(_HELLO).digest(),
    }
    for (name, code), digest in sums.items():
        head = b"\x01\x55" + varint(code) + varint(len(digest))
        cid = CID.from_trusted(head + digest)
        yield accepted(PAYLOAD, f"hash-{name}", f"a block under {name}", _given(head, _HELLO, cid))
        head = b"\x01\x55" + varint(code) + varint(len(digest) + 1)
        about = f"{name} with a digest of {len(digest) + 1} bytes announced; it has {len(digest)}"
        yield refused(BAD, f"hash-{name}-longer", about, wire.payload(head, _HELLO), BAD_HASH)


def _bad() -> Iterator[Case]:
    whole = b"\x01\x80\x04\x90\x40\x20"
    for end in range(len(whole)):
        about = f"{end} of the {len(whole)} bytes of a prefix"
        yield refused(BAD, f"prefix-cut-{end}", about, wire.payload(whole[:end], _HELLO), BAD_PREFIX)
    told = {
        "version-2": (b"\x02\x55\x12\x20", "version 2", BAD_PREFIX),
        "version-18": (b"\x12\x20\x12\x20", "a CIDv0 itself where its prefix belongs", BAD_PREFIX),
        "version-2-62": (varint(2**62) + b"\x55\x12\x20", "version 2**62", BAD_PREFIX),
        "version-padded": (b"\x81\x00\x55\x12\x20", "version 1 in two bytes", BAD_PREFIX),
        "codec-padded": (b"\x01\xd5\x00\x12\x20", "a codec with a needless byte", BAD_PREFIX),
        "length-padded": (b"\x01\x55\x12\xa0\x00", "a digest length with a needless byte", BAD_PREFIX),
        "codec-10-bytes": (b"\x01" + b"\xff" * 9 + b"\x01\x12\x20", "a codec of ten bytes", BAD_PREFIX),
        "v0-sha1": (b"\x00\x70\x11\x14", "a CIDv0 under sha1", BAD_PREFIX),
        "v0-digest-31": (b"\x00\x70\x12\x1f", "a CIDv0 with 31 bytes of digest", BAD_PREFIX),
        "hash-unknown": (b"\x01\x55\x99\x01\x20", "hash function 0x99, which nobody has", BAD_HASH),
        "hash-unknown-2-62": (b"\x01\x55" + varint(2**62) + b"\x20", "hash function 2**62", BAD_HASH),
        "hash-keccak-224": (b"\x01\x55\x1a\x1c", "keccak-224, which Go does not compute", BAD_HASH),
        "sha2-256-33": (b"\x01\x55\x12\x21", "33 bytes of sha2-256", BAD_HASH),
        "sha2-256-2-31": (b"\x01\x55\x12" + varint(2**31), "2**31 bytes of sha2-256", BAD_HASH),
        "sha2-256-2-62": (b"\x01\x55\x12" + varint(2**62), "2**62 bytes of sha2-256", BAD_HASH),
        "blake3-0": (b"\x01\x55\x1e\x00", "blake3 with no bytes of digest", BAD_HASH),
        "blake3-129": (b"\x01\x55\x1e\x81\x01", "129 bytes of blake3", BAD_HASH),
    }
    for name, (prefix, about, error) in told.items():
        yield refused(BAD, f"prefix-{name}", about, wire.payload(prefix, _HELLO), error)
    yield refused(BAD, "empty", "a block without any field", wire.content(wire.PAYLOAD, b""), BAD_PREFIX)
    about = "data without a prefix"
    yield refused(BAD, "no-prefix", about, wire.content(wire.PAYLOAD, wire.content(2, _HELLO)), BAD_PREFIX)
    good, bad = wire.payload(_RAW, _HELLO), wire.payload(b"\x02\x55\x12\x20", _HELLO)
    about = "one bad block spoils its message"
    yield refused(BAD, "good-then-bad", about, good + bad, BAD_PREFIX)
    yield refused(BAD, "bad-then-good", about, bad + good, BAD_PREFIX)
    want = wire.wantlist(wire.entry(key("beside a bad block"), dont_have=True))
    yield refused(BAD, "want-then-bad", "and the wants in it", want + bad, BAD_PREFIX)


def _old() -> Iterator[Case]:
    v0 = _sha256(_HELLO, b"\x12\x20")
    one = Draft([wire.content(wire.BLOCKS, _HELLO)]).means(blocks=[(v0, _HELLO)])
    yield accepted(OLD, "blocks-one", "a block in the field of 1.0.0: it is a CIDv0", one)
    empty = Draft([wire.content(wire.BLOCKS, b"")]).means(blocks=[(_sha256(b"", b"\x12\x20"), b"")])
    yield accepted(OLD, "blocks-empty", "a block of no bytes in the field of 1.0.0", empty)
    parts = [b"one", b"two", b"three"]
    three = Draft([wire.content(wire.BLOCKS, part) for part in parts])
    three.means(blocks=[(_sha256(part, b"\x12\x20"), part) for part in parts])
    yield accepted(OLD, "blocks-three", "three blocks in the field of 1.0.0", three)
    twice = Draft([wire.content(wire.BLOCKS, _HELLO) * 2]).means(blocks=[(v0, _HELLO)])
    yield accepted(OLD, "blocks-twice", "the same block twice in the field of 1.0.0", twice)
    mixed = Draft([wire.payload(_RAW, _HELLO), wire.content(wire.BLOCKS, _HELLO)])
    mixed.means(blocks=[(v0, _HELLO), (_sha256(_HELLO), _HELLO)])
    yield accepted(OLD, "blocks-and-payload", "both fields: `blocks` is read first", mixed)
    plain = Draft([wire.content(wire.BLOCKS, _HELLO), wire.payload(b"\x00\x70\x12\x20", _HELLO)])
    yield accepted(
        OLD,
        "blocks-and-same-payload",
        "one CIDv0 in both fields is one block",
        plain.means(blocks=[(v0, _HELLO)]),
    )
    for protocol, name in (
        (BITSWAP_1_1_0, "1-1-0"),
        (BITSWAP_1_0_0, "1-0-0"),
        (BITSWAP_NO_VERSION, "unversioned"),
    ):
        want = Draft().want(key(f"want on {name}"), 1, 0, dont_have=False)
        yield accepted(OLD, f"want-on-{name}", f"a want on a stream of {protocol}", want, protocol=protocol)
        have = Draft().want(key(f"have on {name}"), 1, 1)
        about = f"a want-have on a stream of {protocol}, which does not know it"
        yield accepted(OLD, f"have-on-{name}", about, have, protocol=protocol, peer="ignore")
        given = (
            Draft().raw(wire.wantlist()).raw(wire.content(wire.BLOCKS, _HELLO)).means(blocks=[(v0, _HELLO)])
        )
        yield accepted(OLD, f"blocks-on-{name}", f"a block of 1.0.0 on {protocol}", given, protocol=protocol)
        given = Draft().raw(wire.wantlist()).block(_sha256(_HELLO), _HELLO)
        yield accepted(OLD, f"payload-on-{name}", f"a block of 1.1.0 on {protocol}", given, protocol=protocol)
        told = Draft().presence(key(f"told on {name}"), 1)
        yield accepted(OLD, f"presence-on-{name}", f"a presence on {protocol}", told, protocol=protocol)
        about = f"rubbish on a stream of {protocol}"
        body = wire.wantlist(wire.entry(b"rubbish"))
        yield refused(OLD, f"rubbish-on-{name}", about, body, "cid", protocol=protocol)


def _presences() -> Iterator[Case]:
    for kind in (0, 1, 2, 7, 128, 2**31 - 1, -1, -(2**31)):
        draft = Draft().presence(key(f"presence {kind}"), kind)
        name = {0: "HAVE", 1: "DONT_HAVE"}.get(kind, "a type that no version has")
        yield accepted(PRESENCES, f"type-{kind}", f"presence type {kind}: {name}", draft)
    cid = key("told twice")
    for first, last in ((0, 1), (1, 0), (7, 1), (0, 0)):
        draft = Draft([wire.presence(cid, first), wire.presence(cid, last)]).means(presences=[(cid, last)])
        about = "two presences of one CID: the last one counts"
        yield accepted(PRESENCES, f"twice-{first}-{last}", about, draft)
    block = _sha256(_HELLO)
    for name, pieces in (
        ("presence-then-block", [wire.presence(block, 1), wire.payload(_RAW, _HELLO)]),
        ("block-then-presence", [wire.payload(_RAW, _HELLO), wire.presence(block, 1)]),
    ):
        draft = Draft(pieces).means(blocks=[(block, _HELLO)])
        yield accepted(PRESENCES, name, "a presence of a block in the message is dropped", draft)
    swapped = wire.content(wire.PRESENCES, wire.number(2, 1) + wire.content(1, cid))
    draft = Draft([swapped]).means(presences=[(cid, 1)])
    yield accepted(PRESENCES, "type-first", "the type before its CID", draft)
    many = Draft()
    for number in range(100):
        many.presence(key(f"many told {number}"), number % 2)
    yield accepted(PRESENCES, "many", "a hundred presences", many)
    for value, read in (
        (0, 0),
        (1, 1),
        (2**31 - 1, 2**31 - 1),
        (-1, -1),
        (-(2**31), -(2**31)),
        (2**31, -(2**31)),
        (2**40, 0),
    ):
        draft = Draft([wire.number(wire.PENDING_BYTES, value)]).means(pending_bytes=read)
        yield accepted(PRESENCES, f"pending-{value}", f"pendingBytes {value}, read as {read}", draft)
    draft = Draft([wire.number(5, 3) + wire.number(5, 9)]).means(pending_bytes=9)
    yield accepted(PRESENCES, "pending-twice", "pendingBytes twice: the last one counts", draft)
