"""Wants that are odd and yet allowed."""

from __future__ import annotations

import hashlib

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.check import BOXO, FORMAT, MESSAGES, Checks
from bitswap.conform.ear import BLOCK, DONT_HAVE, HAVE
from bitswap.conform.peer import Peer
from bitswap.conform.talk import HAVE_WANT, HIGHEST, LOWEST, unknown_cid, unknown_cids
from bitswap.conform.verdict import Result, differs, failed, passed
from bitswap.message import Message

CHECKS = Checks()


@CHECKS.add(
    "unknown-fields",
    "fields that no version has are read over",
    f"{FORMAT} (proto3); later versions add fields",
)
def unknown_fields(peer: Peer) -> Result:
    with peer.talk() as talk:
        cid = unknown_cid()
        talk.note([(cid, True)])
        odd = b"".join(wire.value_of(kind, field) for field in (6, 100, 2**29 - 1) for kind in (0, 1, 2, 5))
        item = odd + wire.entry(cid, dont_have=True) + odd
        talk.main.write(wire.frame(odd + wire.wantlist(item) + odd))
        came = talk.await_answers([cid])
    if came:
        return passed("a want among 60 unknown fields is answered")
    return failed("no answer to a want among unknown fields")


@CHECKS.add(
    "field-order",
    "the fields of an entry and of a message may come in any order",
    f"{FORMAT} (protobuf)",
)
def field_order(peer: Peer) -> Result:
    with peer.talk() as talk:
        cid = unknown_cid()
        talk.note([(cid, True)])
        item = wire.number(5, 1) + wire.number(4, 1) + wire.number(2, 3) + wire.content(1, cid)
        told = wire.presence(unknown_cid(), 1)
        talk.main.write(wire.frame(wire.number(5, 9) + told + wire.wantlist(item)))
        came = talk.await_answers([cid])
    return passed("answered") if came else failed("no answer when the fields come in reverse")


@CHECKS.add(
    "no-wantlist",
    "messages without a wantlist, and without anything, are taken",
    f"{FORMAT}; {BOXO} since 0.33, before it ended the process",
)
def no_wantlist(peer: Peer) -> Result:
    with peer.talk() as talk:
        ear = talk.main
        for body in (b"", wire.number(5, 1), wire.presence(unknown_cid()), wire.wantlist()):
            ear.write(wire.frame(body))
        talk.barrier(ear=ear)
        same = talk.main is ear
    if same:
        return passed("four such messages, then a want on the same stream: answered")
    return failed("the stream was closed")


@CHECKS.add("priorities-extreme", "any 32 bits are a priority", f"{FORMAT}: int32 priority")
def priorities_extreme(peer: Peer) -> Result:
    with peer.talk() as talk:
        priorities = (LOWEST, LOWEST + 1, -1, 0, 1, HIGHEST - 1, HIGHEST)
        cids = unknown_cids(len(priorities))
        message = Message()
        for cid, priority in zip(cids, priorities, strict=True):
            message.add_entry(cid, priority, HAVE_WANT, True)
        talk.send(message)
        talk.await_answers(cids)
        silent = [priority for cid, priority in zip(cids, priorities, strict=True) if not talk.of(cid)]
    if silent:
        return failed(f"no answer at priority {', '.join(map(str, silent))}")
    return passed(f"answered at each of {', '.join(map(str, priorities))}")


@CHECKS.add(
    "want-type-unknown",
    "a want of a type that no version has does no harm to the others",
    f"{FORMAT} (proto3: enums are open); {BOXO}, which takes it as a want-have",
)
def want_type_unknown(peer: Peer) -> Result:
    with peer.talk() as talk:
        odd, plain = unknown_cid(), unknown_cid()
        message = Message()
        message.add_entry(odd, 1, 7, True)
        message.add_entry(plain, 1, HAVE_WANT, True)
        talk.send(message)
        came = talk.await_answers([plain])
        talk.settle()
        words = talk.of(odd)
    if not came:
        return failed("the ordinary want in the same message got no answer")
    if words not in ([], [DONT_HAVE]):
        return failed(f"{', '.join(words)} to a want of type 7")
    return passed(f"{', '.join(words) or 'silence'} to type 7, and the ordinary want was answered")


def _ignored(peer: Peer, odd: list[CID], allowed: set[str], what: str) -> Result:
    """Ask for odd CIDs beside an ordinary one."""
    with peer.talk() as talk:
        plain = unknown_cid()
        message = Message()
        for cid in (*odd, plain):
            message.add_entry(cid, 1, HAVE_WANT, True)
        talk.send(message)
        came = talk.await_answers([plain])
        talk.settle()
        words = sorted({word for cid in odd for word in talk.of(cid)})
    if not came:
        return failed(f"the ordinary want beside {what} got no answer")
    if not words:
        return passed(f"silence to {what}, and the ordinary want was answered")
    if set(words) <= allowed:
        return differs(f"{', '.join(words)} to {what}, and the ordinary want was answered")
    return failed(f"{', '.join(words)} to {what}")


@CHECKS.add(
    "identity-cids",
    "CIDs that hold their block themselves are ignored",
    f"{BOXO} since 0.38; the specification says nothing of them",
)
def identity_cids(peer: Peer) -> Result:
    odd = [CID.v1(0x55, b"\x00" + bytes([size]) + b"i" * size) for size in (0, 1, 32, 127)]
    return _ignored(peer, odd, {HAVE, BLOCK, DONT_HAVE}, "identity CIDs")


@CHECKS.add(
    "oversized-cids",
    "CIDs of more than 168 bytes are ignored",
    f"{BOXO}; the specification sets no limit",
)
def oversized_cids(peer: Peer) -> Result:
    odd = [
        CID.from_trusted(b"\x01\x55\x12" + wire.varint(size) + b"o" * size) for size in (165, 1000, 10_000)
    ]
    return _ignored(peer, odd, {DONT_HAVE}, "CIDs of 170 to 10,005 bytes")


@CHECKS.add(
    "unknown-hashes",
    "a CID whose hash function nobody has is a block that it does not have",
    f"{BOXO}; a decoder does not look at the function",
)
def unknown_hashes(peer: Peer) -> Result:
    odd = [CID.v1(0x55, wire.varint(code) + b"\x20" + unknown_cid()[-32:]) for code in (0x99, 0x7FFF, 2**40)]
    found = _ignored(peer, odd, {DONT_HAVE}, "CIDs of unknown hash functions")
    if found.seen.startswith(DONT_HAVE):
        return passed(found.seen)
    if found.seen.startswith("silence"):
        return differs(found.seen)
    return found


@CHECKS.add(
    "empty-block",
    "a want for the block of no bytes is answered in some way",
    f"{MESSAGES} 2; {BOXO}, which says DONT_HAVE even if it has it",
)
def empty_block(peer: Peer) -> Result:
    cid = CID.v1(0x55, b"\x12\x20" + hashlib.sha256(b"").digest())
    with peer.talk() as talk:
        talk.want([cid])
        talk.await_answers([cid], peer.patience)
        talk.settle()
        words = talk.of(cid)
        right = talk.arrivals.blocks.get(cid, b"") == b""
    if not right:
        return failed("something else came under the CID of the empty block")
    if words in ([DONT_HAVE], [BLOCK]):
        return passed(words[0])
    return differs(f"{', '.join(words) or 'silence'} to a want-block")


@CHECKS.add(
    "cid-versions",
    "a CIDv0 and the CIDv1 of the same block are two wants, each answered under its own name",
    f"Bitswap 1.1.0; {BOXO}, where a want is a whole CID",
)
def cid_versions(peer: Peer) -> Result:
    with peer.talk() as talk:
        digest = unknown_cid()[-32:]
        names = [CID.v0(digest), CID.v1(0x70, b"\x12\x20" + digest), CID.v1(0x55, b"\x12\x20" + digest)]
        talk.want(names, HAVE_WANT)
        talk.await_answers(names)
        silent = [cid for cid in names if talk.of(cid) != [DONT_HAVE]]
    if not silent:
        return passed("CIDv0, dag-pb and raw: three wants, three answers")
    if len(silent) == len(names):
        return failed("no DONT_HAVE to any of three names")
    return differs(f"no answer of its own to {', '.join(map(str, silent))}")
