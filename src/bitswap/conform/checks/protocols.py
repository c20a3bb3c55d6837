"""Which protocols the peer speaks, and how it answers those who speak only an old one."""

from __future__ import annotations

from bitswap.conform.check import BOXO, MESSAGES, VERSIONS, Checks
from bitswap.conform.ear import BLOCK
from bitswap.conform.peer import Peer
from bitswap.conform.verdict import NotSpoken, Result, differs, failed, passed, skipped
from bitswap.message.protocols import (
    BITSWAP_1_0_0,
    BITSWAP_1_1_0,
    BITSWAP_1_2_0,
    BITSWAP_NO_VERSION,
    PROTOCOLS,
)

CHECKS = Checks()


@CHECKS.add(
    "identify",
    "says by identify which protocols it speaks, Bitswap among them",
    "libp2p identify; other nodes choose the version by it",
    barriers=False,
)
def identify(peer: Peer) -> Result:
    line = peer.line()
    try:
        told = line.ask_who()
    finally:
        line.close()
    if told is None:
        return differs("it does not answer identify")
    found = [name for name in PROTOCOLS if name in told.protocols]
    name = told.agent_version or "an unnamed node"
    if not found:
        return differs(f"{name}, which names no Bitswap protocol")
    return passed(f"{name}: {', '.join(found)}")


def _speaks(peer: Peer, protocol: str) -> bool:
    line = peer.line()
    try:
        line.open(protocol)
    except NotSpoken:
        return False
    finally:
        line.close()
    return True


@CHECKS.add("protocol-1.2.0", f"agrees to {BITSWAP_1_2_0}", VERSIONS, barriers=False)
def newest(peer: Peer) -> Result:
    if _speaks(peer, BITSWAP_1_2_0):
        return passed("agreed")
    return failed("it does not speak the current version")


def _old(name: str, protocol: str) -> None:
    @CHECKS.add(f"protocol-{name}", f"agrees to {protocol}", VERSIONS, barriers=False)
    def look(peer: Peer) -> Result:
        if _speaks(peer, protocol):
            return passed("agreed")
        return differs("not spoken; no node has to speak an old version")


for _name, _protocol in (
    ("1.1.0", BITSWAP_1_1_0),
    ("1.0.0", BITSWAP_1_0_0),
    ("unversioned", BITSWAP_NO_VERSION),
):
    _old(_name, _protocol)


@CHECKS.add(
    "answer-stream",
    "answers on a stream that it opens itself",
    f"{MESSAGES} 2 (s_receive); {BOXO}, which reads nothing on the stream it asks on",
)
def answer_stream(peer: Peer) -> Result:
    with peer.talk() as talk:
        talk.barrier()
        ear = talk.arrivals.messages[-1].ear
    if ear.inbound:
        return passed(f"a stream of its own, {ear.protocol}")
    return differs("on the stream that asked; a boxo client never sees such an answer")


def _old_answer(name: str, protocol: str) -> None:
    @CHECKS.add(
        f"answers-{name}",
        f"sends a block to a peer that speaks only {protocol}, in the form of that version",
        f"Bitswap {'1.1.0' if name == '1.1.0' else '1.0.0'}: Wire Format",
        barriers=False,
        held=1,
    )
    def look(peer: Peer) -> Result:
        if not _speaks(peer, protocol):
            return skipped(f"it does not speak {protocol}")
        # A block of 1.0.0 carries no CID: it is read as a CIDv0.
        cids = peer.small() + peer.large()
        if not cids:
            return skipped("it sent none of the blocks named by --cid")
        cid = cids[0]
        with peer.talk(protocols=[protocol], protocol=protocol) as talk:
            talk.want([cid], dont_have=False)
            data = peer.held()[cid]
            came = talk.line.wait(lambda: data in talk.arrivals.blocks.values())
            protocols = {arrival.ear.protocol for arrival in talk.arrivals.messages}
            if came:
                found = next(key for key, value in talk.arrivals.blocks.items() if value == data)
                # What comes as a CIDv0 was asked for all the same.
                talk.asked.add(found)
                talk.note([(found, False)])
                return passed(f"{len(data)} bytes as {found} on {', '.join(protocols)}")
            if protocols and BLOCK not in talk.of(cid):
                return failed(
                    f"answered {', '.join(talk.of(cid)) or 'nothing'} where only a block is an answer"
                )
        return failed("no block came")


for _name, _protocol in (
    ("1.1.0", BITSWAP_1_1_0),
    ("1.0.0", BITSWAP_1_0_0),
    ("unversioned", BITSWAP_NO_VERSION),
):
    _old_answer(_name, _protocol)
