"""Blocks that the peer has not asked for, true ones and false ones."""

from __future__ import annotations

import os

from bitswap.block import Block
from bitswap.conform import wire
from bitswap.conform.check import BOXO, FORMAT, SIZES, Checks
from bitswap.conform.corpus.streams import frame_of
from bitswap.conform.ear import BLOCK, HAVE, Fate
from bitswap.conform.peer import Peer
from bitswap.conform.talk import BLOCK_WANT, HAVE_WANT, unknown_cid
from bitswap.conform.verdict import NotSpoken, Result, differs, failed, passed, skipped
from bitswap.message import Message
from bitswap.message.protocols import BITSWAP_1_0_0, BITSWAP_1_1_0, BITSWAP_1_2_0
from bitswap.options import MAX_BLOCK

CHECKS = Checks()

_UNWANTED = f"Bitswap 1.0.0: Message 2, blocks that the receiver has requested; {BOXO}"


def _given_back(peer: Peer, blocks: list[Block]) -> list[str]:
    """What the peer says of these blocks to a stranger, apart from denials."""
    with peer.talk() as talk:
        cids = [block.cid for block in blocks]
        talk.want(cids, HAVE_WANT)
        talk.await_answers(cids)
        talk.want(cids, BLOCK_WANT)
        talk.settle()
        return [f"{word} for {cid}" for cid in cids for word in talk.of(cid) if word in (HAVE, BLOCK)]


@CHECKS.add(
    "unsolicited-block",
    "blocks that it did not ask for are not kept, and so not handed out",
    _UNWANTED,
)
def unsolicited_block(peer: Peer) -> Result:
    blocks: list[Block] = []
    with peer.talk() as talk:
        for protocol in (BITSWAP_1_2_0, BITSWAP_1_1_0, BITSWAP_1_0_0):
            try:
                ear = talk.line.open(protocol)
            except NotSpoken:
                continue
            for size in (32, 2000):
                # What 1.0.0 carries is read as a CIDv0.
                version = 0 if protocol == BITSWAP_1_0_0 else 1
                block = Block.of(os.urandom(size), version=version, codec=0x55 if version else 0x70)
                message = Message()
                message.add_block(block)
                talk.send(message, ear)
                blocks.append(block)
        talk.barrier()
        told = _given_back(peer, blocks)
    if told:
        return failed(f"{len(told)} of {len(blocks)} blocks can be fetched by others: {told[0]}")
    return passed(f"{len(blocks)} blocks sent, none can be fetched by others")


@CHECKS.add(
    "unsolicited-for-waiting",
    "a block that nobody but the sender wants is not sent back to it",
    _UNWANTED,
)
def unsolicited_for_waiting(peer: Peer) -> Result:
    block = Block.of(os.urandom(500))
    with peer.talk() as waiting, peer.talk() as sender:
        waiting.want([block.cid], dont_have=False)
        waiting.barrier()
        message = Message()
        message.add_block(block)
        sender.send(message)
        sender.barrier()
        waiting.settle()
        words = waiting.of(block.cid)
    if words:
        return failed(f"{', '.join(words)} to one stranger by a block from another")
    return passed("a want of one stranger is not met by a block from another")


@CHECKS.add(
    "false-have",
    "a HAVE that it did not ask for is not believed nor passed on",
    _UNWANTED,
)
def false_have(peer: Peer) -> Result:
    block = Block.of(os.urandom(40))
    with peer.talk() as talk:
        message = Message()
        message.add_have(block.cid)
        talk.send(message)
        talk.barrier()
        told = _given_back(peer, [block])
    if told:
        return failed(told[0])
    return passed("to others it says that it does not have the block")


@CHECKS.add(
    "false-block",
    "other data under the prefix of a block that it has does not take that block's place",
    f"{FORMAT}: Block, prefix and data; a CID is computed, not believed",
    held=1,
)
def false_block(peer: Peer) -> Result:
    cids = list(peer.held())[:4]
    if not cids:
        return skipped("it sent none of the blocks named by --cid")
    with peer.talk() as talk:
        for cid in cids:
            data = bytearray(peer.held()[cid] or b"\x00")
            data[-1] ^= 1
            talk.main.write(wire.frame(wire.presence(cid) + wire.payload(cid.prefix, bytes(data))))
        talk.barrier()
        talk.want(cids)
        talk.await_answers(cids)
        wrong = [cid for cid in cids if talk.arrivals.blocks.get(cid) != peer.held()[cid]]
    if wrong:
        return failed(f"after it was sent other data, {wrong[0]} does not come as before")
    return passed(f"{len(cids)} blocks come as before")


@CHECKS.add(
    "unknown-hash-block",
    "a block whose hash function nobody has closes at most its stream",
    f"{FORMAT}; {BOXO}, which refuses the message",
)
def unknown_hash_block(peer: Peer) -> Result:
    with peer.talk() as talk:
        ear = talk.line.open()
        ear.write(wire.frame(wire.payload(b"\x01\x55\x99\x01\x20", b"data")))
        talk.line.wait(lambda: ear.fate is not Fate.OPEN, peer.patience)
        fate = ear.fate
        talk.barrier()
    if fate is Fate.RESET:
        return passed("the stream was reset, others are answered")
    return differs(f"the stream is {fate.value}; others are answered")


@CHECKS.add("block-2-mib", "takes a block of 2 MiB", f"{SIZES}: MUST")
def block_2_mib(peer: Peer) -> Result:
    with peer.talk() as talk:
        ear = talk.line.open()
        ear.write(wire.frame(wire.payload(b"\x01\x55\x12\x20", os.urandom(MAX_BLOCK))))
        cid = unknown_cid()
        talk.want([cid], HAVE_WANT, ear=ear)
        came = talk.await_answers([cid])
        fate = ear.fate
    if came:
        return passed("taken: a want behind it on the same stream is answered")
    return failed(f"no answer to a want behind a block of 2 MiB; the stream is {fate.value}")


@CHECKS.add("message-4-mib", "takes a message of exactly 4 MiB", "Bitswap 1.0.0: Protocol Format: MUST")
def message_4_mib(peer: Peer) -> Result:
    with peer.talk() as talk:
        ear = talk.line.open()
        ear.write(frame_of(4 * 1024 * 1024))
        cid = unknown_cid()
        talk.want([cid], HAVE_WANT, ear=ear)
        came = talk.await_answers([cid])
        fate = ear.fate
    if came:
        return passed("taken: a want behind it on the same stream is answered")
    return failed(f"no answer to a want behind a message of 4 MiB; the stream is {fate.value}")
