"""CIDs of wants and presences: versions, codecs, multihashes, identity, bytes that are none.

Source: go-cid `Cast`, go-multihash `MHFromBytes`; the length of a digest is not held against its function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.case import ANSWER, BAD_CID, IGNORE, Case, Draft, accepted, key, refused
from bitswap.conform.wire import varint

GOOD, BAD, IDENTITY = "cids", "bad-cids", "identity-cids"

_SHA = b"\x12\x20"


def cases() -> Iterator[Case]:
    yield from _good()
    yield from _identity()
    yield from _bad()


def _digest(label: str, size: int = 32) -> bytes:
    out, part = b"", 0
    while len(out) < size:
        out += hashlib.sha256(f"bitswap corpus digest: {label} {part}".encode()).digest()
        part += 1
    return out[:size]


def _both(theme: str, name: str, about: str, raw: bytes, peer: str = IGNORE) -> Iterator[Case]:
    """As a want and as a presence."""
    cid = CID.from_trusted(raw)
    want = Draft([wire.wantlist(wire.entry(raw, 1, 1, dont_have=True))])
    want.means(entries=[(cid, 1, 1, False, True)])
    yield accepted(theme, f"{name}-wanted", about, want, peer=peer)
    yield accepted(theme, f"{name}-told", about, Draft([wire.presence(raw, 1)]).means(presences=[(cid, 1)]))


def _good() -> Iterator[Case]:
    yield from _both(GOOD, "v0", "a CIDv0", _SHA + _digest("v0"), ANSWER)
    codecs = {0: "", 0x51: "cbor", 0x55: "raw", 0x70: "dag-pb", 0x71: "dag-cbor", 0x72: "libp2p-key"}
    for codec in (*codecs, 0x78, 0x85, 0x0129, 0x0200, 0x300000, 2**32, 2**62, 2**63 - 1):
        name = codecs.get(codec) or f"{codec:#x}"
        raw = b"\x01" + varint(codec) + _SHA + _digest(f"codec {codec}")
        yield from _both(GOOD, f"codec-{name}", f"CIDv1 of codec {codec:#x}", raw, ANSWER)
    functions = {0x11: 20, 0x13: 64, 0x14: 64, 0x16: 32, 0x1B: 32, 0x1E: 32, 0x20: 48, 0xB220: 32, 0xB240: 64}
    for code, size in functions.items():
        raw = b"\x01\x55" + varint(code) + varint(size) + _digest(f"hash {code}", size)
        about = f"hash function {code:#x}, {size} bytes of digest"
        yield from _both(GOOD, f"hash-{code:#x}", about, raw)
    for code in (0x99, 0x7FFF, 0x1012, 2**40, 2**63 - 1):
        raw = b"\x01\x55" + varint(code) + b"\x20" + _digest(f"hash {code}")
        about = f"hash function {code:#x}, which nobody has: what it hashes is not asked here"
        yield from _both(GOOD, f"hash-unknown-{code:#x}", about, raw)
    for size in (0, 1, 8, 19, 20, 31, 33, 64, 127, 128, 129, 200):
        raw = b"\x01\x55\x12" + varint(size) + _digest(f"size {size}", size)
        yield from _both(GOOD, f"digest-{size}", f"sha2-256 with {size} bytes of digest", raw)
    for size in (163, 164, 165, 1000, 8192):
        raw = b"\x01\x55\x12" + varint(size) + b"\x07" * size
        about = f"a CID of {len(raw)} bytes; boxo ignores more than 168"
        yield from _both(GOOD, f"long-{len(raw)}", about, raw)


def _identity() -> Iterator[Case]:
    for size in (0, 1, 5, 32, 127, 128, 129, 168, 1024):
        raw = b"\x01\x55\x00" + varint(size) + _digest(f"identity {size}", size)
        about = f"an identity CID that holds {size} bytes itself"
        yield from _both(IDENTITY, f"identity-{size}", about, raw)
    raw = b"\x01\x70\x00\x02\x0a\x00"
    yield from _both(IDENTITY, "identity-dag-pb", "an identity CID of codec dag-pb", raw)
    cid = key("beside an identity CID")
    inline = CID.from_trusted(b"\x01\x55\x00\x05hello")
    draft = Draft([wire.wantlist(wire.entry(inline, dont_have=True), wire.entry(cid, dont_have=True))])
    draft.means(entries=[(inline, 1, 0, False, True), (cid, 1, 0, False, True)])
    yield accepted(
        IDENTITY, "identity-beside-want", "an identity CID beside an ordinary one", draft, peer=IGNORE
    )
    draft = Draft().want(inline, 0, cancel=True, dont_have=False)
    yield accepted(IDENTITY, "identity-cancelled", "the cancel of an identity CID", draft)


def _bad() -> Iterator[Case]:
    digest = _digest("bad")
    v1 = b"\x01\x55" + _SHA + digest
    told = {
        "v0-33-bytes": ((_SHA + digest)[:33], "a CIDv0 whose last byte is missing"),
        "v0-3-bytes": ((_SHA + digest)[:3], "three bytes of a CIDv0"),
        "v0-35-bytes": (_SHA + digest + b"\x00", "a CIDv0 and one byte more"),
        "version-0": (b"\x00\x55" + _SHA + digest, "version 0 written as CIDv1 is"),
        "version-2": (b"\x02\x55" + _SHA + digest, "version 2"),
        "version-3": (b"\x03\x55" + _SHA + digest, "version 3"),
        "version-127": (b"\x7f\x55" + _SHA + digest, "version 127"),
        "version-2-62": (varint(2**62) + b"\x55" + _SHA + digest, "version 2**62"),
        "version-padded": (b"\x81\x00\x55" + _SHA + digest, "version 1 in two bytes"),
        "version-alone": (b"\x01", "a version and nothing else"),
        "codec-padded": (b"\x01\xd5\x00" + _SHA + digest, "a codec with a needless byte"),
        "codec-10-bytes": (b"\x01" + b"\xff" * 9 + b"\x01" + _SHA + digest, "a codec of ten bytes"),
        "codec-alone": (b"\x01\x55", "a version and a codec"),
        "hash-alone": (b"\x01\x55\x12", "everything but digest and length"),
        "hash-padded": (b"\x01\x55\x92\x00\x20" + digest, "a hash function with a needless byte"),
        "length-padded": (b"\x01\x55\x12\xa0\x00" + digest, "a digest length with a needless byte"),
        "no-digest": (b"\x01\x55" + _SHA, "a digest of 32 bytes announced and none there"),
        "digest-31": (v1[:-1], "a digest of 32 bytes announced and 31 there"),
        "digest-33": (v1 + b"\x00", "a digest of 32 bytes announced and 33 there"),
        "two-cids": (v1 + v1, "two CIDs one after the other"),
        "digest-2-31-1": (
            b"\x01\x55\x12" + varint(2**31 - 1) + digest,
            "a digest of 2**31 - 1 bytes announced",
        ),
        "digest-2-31": (b"\x01\x55\x12" + varint(2**31) + digest, "a digest of 2**31 bytes announced"),
        "digest-2-62": (b"\x01\x55\x12" + varint(2**62) + digest, "a digest of 2**62 bytes announced"),
        "digest-2-63": (b"\x01\x55\x12" + varint(2**63) + digest, "a digest of 2**63 bytes announced"),
        "identity-short": (b"\x01\x55\x00\x05hell", "an identity CID that lacks a byte of its content"),
        "identity-long": (b"\x01\x55\x00\x05hello!", "an identity CID with a byte too many"),
        "zeros": (b"\x00" * 36, "36 zeros"),
        "ones": (b"\xff" * 36, "36 bytes 0xff"),
        "one-byte": (b"\x12", "the first byte of a CIDv0"),
        "two-bytes": (_SHA, "the first two bytes of a CIDv0"),
        "text": (str(CID.from_trusted(v1)).encode(), "the text of a CIDv1"),
        "text-v0": (str(CID.from_trusted(_SHA + digest)).encode(), "the text of a CIDv0"),
        "multibase": (b"b" + v1, "a multibase character before the bytes"),
        "tag-42": (b"\x00" + v1, "a CID as dag-cbor writes links"),
        "digest-alone": (digest, "a digest without anything before it"),
    }
    for name, (raw, about) in told.items():
        yield refused(BAD, f"{name}-wanted", about, wire.wantlist(wire.entry(raw, dont_have=True)), BAD_CID)
        yield refused(BAD, f"{name}-told", about, wire.presence(raw, 1), BAD_CID)
    yield from _spoilt(v1[:-1])


def _spoilt(rubbish: bytes) -> Iterator[Case]:
    """One bad element among good ones, or where only a name matters."""
    good = wire.entry(key("good beside bad"), dont_have=True)
    bad = wire.entry(rubbish)
    for name, entries in (("good-then-bad", (good, bad)), ("bad-then-good", (bad, good))):
        about = "one bad entry spoils its message, and the good one in it"
        yield refused(BAD, name, about, wire.wantlist(*entries), BAD_CID)
    about = "the cancel of something that is no CID"
    yield refused(
        BAD, "cancel-of-rubbish", about, wire.wantlist(wire.entry(b"rubbish", 0, cancel=True)), BAD_CID
    )
    yield refused(BAD, "empty-told", "a presence without a CID", wire.presence(b"", 1), BAD_CID)
