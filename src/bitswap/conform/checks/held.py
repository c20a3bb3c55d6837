"""Questions about blocks that the peer has, as the user says by --cid."""

from __future__ import annotations

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.check import BOXO, INTRODUCTION, MESSAGES, SIZES, Checks
from bitswap.conform.ear import BLOCK, DONT_HAVE, HAVE
from bitswap.conform.peer import Peer
from bitswap.conform.talk import BLOCK_WANT, HAVE_WANT, unknown_cids
from bitswap.conform.verdict import Result, differs, failed, passed, skipped
from bitswap.message import Message
from bitswap.multihash import SHA2_256

CHECKS = Checks()

_NO_SMALL = "none of the blocks named by --cid has 1 to 1,024 bytes"
_NO_LARGE = "none of the blocks named by --cid has more than 1,024 bytes"


@CHECKS.add(
    "want-block", "sends each block named by --cid", f"{INTRODUCTION}; {SIZES}", barriers=False, held=1
)
def want_block(peer: Peer) -> Result:
    held = peer.held()
    missing = [cid for cid in peer.cids if cid not in held]
    if missing:
        return failed(f"{len(held)} of {len(peer.cids)} blocks came; not {missing[0]}")
    return passed(f"{len(held)} blocks, {sum(map(len, held.values())):,} bytes; each hashes to its CID")


def _ask(peer: Peer, cid: CID, want_type: int, *, dont_have: bool) -> list[str]:
    with peer.talk() as talk:
        talk.want([cid], want_type, dont_have=dont_have)
        talk.await_answers([cid])
        if peer.says_dont_have:
            talk.settle(1)
        return talk.of(cid)


@CHECKS.add(
    "want-have-large", "HAVE to a want-have for a block of more than 1 KiB", f"{MESSAGES} 2.1", held=1
)
def want_have_large(peer: Peer) -> Result:
    if not peer.large():
        return skipped(_NO_LARGE)
    for dont_have in (True, False):
        words = _ask(peer, peer.large()[0], HAVE_WANT, dont_have=dont_have)
        if words == [BLOCK]:
            return differs("the block itself, which it may send instead")
        if words != [HAVE]:
            return failed(f"{', '.join(words) or 'no answer'} to a want-have for a block that it has")
    return passed(HAVE)


@CHECKS.add(
    "want-have-small",
    "the block itself to a want-have for a block of at most 1 KiB",
    f"{MESSAGES} 2.1; {BOXO}",
    held=1,
)
def want_have_small(peer: Peer) -> Result:
    if not peer.small():
        return skipped(_NO_SMALL)
    words = _ask(peer, peer.small()[0], HAVE_WANT, dont_have=True)
    if words == [BLOCK]:
        return passed("the block")
    if words == [HAVE]:
        return differs(HAVE)
    return failed(f"{', '.join(words) or 'no answer'} to a want-have for a block that it has")


@CHECKS.add(
    "no-dont-have-for-held",
    "never DONT_HAVE for a block that it has",
    f"{MESSAGES} 2",
    held=1,
)
def no_dont_have_for_held(peer: Peer) -> Result:
    cids = list(peer.held())
    with peer.talk() as talk:
        for want_type in (HAVE_WANT, BLOCK_WANT):
            talk.want(cids, want_type)
        talk.await_answers(cids)
        talk.settle()
        wrong = [cid for cid in cids if DONT_HAVE in talk.of(cid)]
    if wrong:
        return failed(f"DONT_HAVE for {len(wrong)} of {len(cids)} blocks that it sent before")
    return passed(f"{len(cids)} blocks asked for in both ways")


@CHECKS.add(
    "want-again",
    "sends a block again to a peer that asks again",
    f"{INTRODUCTION}; {BOXO}",
    barriers=False,
    held=1,
)
def want_again(peer: Peer) -> Result:
    cids = list(peer.held())[:3]
    if not cids:
        return skipped("it sent none of the blocks named by --cid")
    with peer.talk() as talk:
        for times in (1, 2):
            talk.want(cids)
            if not talk.line.wait(lambda n=times: all(talk.of(cid).count(BLOCK) >= n for cid in cids)):  # type: ignore[misc]
                return differs(f"asked for the {('first', 'second')[times - 1]} time: not every block came")
    return passed("sent twice")


@CHECKS.add(
    "upgrade",
    "a want-have that becomes a want-block brings the block",
    f"{MESSAGES} 1.3; {BOXO}",
    held=1,
)
def upgrade(peer: Peer) -> Result:
    cids = peer.large()
    if not cids:
        return skipped(_NO_LARGE)
    with peer.talk() as talk:
        for wait in (True, False):
            cid = cids[0] if wait else cids[-1]
            before = talk.of(cid).count(BLOCK)
            talk.want([cid], HAVE_WANT)
            if wait:
                talk.await_answers([cid])
            talk.want([cid], BLOCK_WANT)
            if not talk.line.wait(lambda c=cid, n=before: talk.of(c).count(BLOCK) > n):  # type: ignore[misc]
                return failed(f"{', '.join(talk.of(cid)) or 'nothing'} to a want-have and then a want-block")
    return passed("the block, whether HAVE had come before or not")


@CHECKS.add(
    "upgrade-in-message",
    "a want-have and a want-block for one CID in one message bring the block",
    f"{BOXO}, which merges them to a want-block",
    held=1,
)
def upgrade_in_message(peer: Peer) -> Result:
    cids = peer.large()
    if not cids:
        return skipped(_NO_LARGE)
    cid = cids[0]
    with peer.talk() as talk:
        talk.note([(cid, True)])
        items = (
            wire.entry(cid, 1, HAVE_WANT, dont_have=True),
            wire.entry(cid, 1, BLOCK_WANT, dont_have=True),
        )
        talk.main.write(wire.frame(wire.wantlist(*items)))
        talk.line.wait(lambda: BLOCK in talk.of(cid), peer.patience)
        words = talk.of(cid)
    if BLOCK in words:
        return passed("the block")
    return differs(f"{', '.join(words) or 'nothing'}")


@CHECKS.add(
    "mixed-held",
    "one message about blocks that it has and has not: each is answered as it is",
    f"{MESSAGES} 2",
    held=1,
)
def mixed_held(peer: Peer) -> Result:
    held, absent = list(peer.held())[:8], unknown_cids(8)
    with peer.talk() as talk:
        message = Message()
        for at, cid in enumerate([cid for pair in zip(held, absent, strict=False) for cid in pair]):
            message.add_entry(cid, 100 - at, BLOCK_WANT, True)
        talk.send(message)
        asked = [entry.cid for entry in message.wantlist()]
        talk.await_answers(asked)
        wrong = [cid for cid in asked if talk.of(cid) != [BLOCK if cid in held else DONT_HAVE]]
        words = talk.of(wrong[0]) if wrong else []
    if wrong:
        return failed(f"{', '.join(words) or 'no answer'} about {wrong[0]}, and {len(wrong) - 1} more")
    return passed(f"{len(held)} blocks and as many DONT_HAVEs")


@CHECKS.add(
    "cid-versions-held",
    "a block is sent under each name that it is asked by, CIDv0 and CIDv1",
    f"Bitswap 1.1.0; {BOXO}, whose store knows blocks by their multihash",
    held=1,
)
def cid_versions_held(peer: Peer) -> Result:
    cids = [cid for cid in peer.held() if cid.hash_code == SHA2_256 and len(cid.digest) == 32]
    if not cids:
        return skipped("none of the blocks named by --cid has a sha2-256 of 32 bytes")
    digest = cids[0].digest
    names = [CID.v0(digest), CID.v1(0x70, b"\x12\x20" + digest), CID.v1(0x55, b"\x12\x20" + digest)]
    with peer.talk() as talk:
        talk.want(names)
        talk.await_answers(names)
        got = [cid for cid in names if talk.of(cid) == [BLOCK]]
    if len(got) == len(names):
        return passed("under CIDv0, CIDv1 dag-pb and CIDv1 raw")
    if cids[0] in got:
        return differs(f"under {len(got)} of 3 names, among them the one that was given")
    return failed("not even under the name that was given")


@CHECKS.add(
    "pending-bytes",
    "says how much more is queued when an answer leaves something behind",
    f"{MESSAGES} 2.3: MAY; {BOXO}",
    held=8,
)
def pending_bytes(peer: Peer) -> Result:
    cids = list(peer.held())
    if sum(len(peer.held()[cid]) for cid in cids) < 256 * 1024:
        return skipped("needs blocks of 256 KiB together")
    with peer.talk() as talk:
        talk.want(cids)
        talk.await_answers(cids)
        told = [arrival.message.pending_bytes for arrival in talk.arrivals.messages]
    if any(value < 0 for value in told):
        return failed(f"pendingBytes {min(told)}")
    if any(told):
        return passed(f"up to {max(told):,} in {len(told)} messages")
    return differs(f"0 in each of {len(told)} messages")
