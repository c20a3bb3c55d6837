"""What the peer does with answers that wait: priorities, cancels, full lists, peers that go.

The asker returns no credit for a while (Line.hold), so that what the peer cannot have sent yet is known to
wait. That needs many blocks of 256 KiB.
"""

from __future__ import annotations

from collections.abc import Callable

from bitswap.cid import CID
from bitswap.conform.check import BOXO, MESSAGES, Checks
from bitswap.conform.ear import BLOCK
from bitswap.conform.peer import ENOUGH_BLOCKS, ENOUGH_BYTES, Peer
from bitswap.conform.talk import HIGHEST, Talk
from bitswap.conform.verdict import Result, differs, failed, passed, skipped
from bitswap.message import Message
from bitswap.network.libp2p.identity import PeerIdentity

CHECKS = Checks()

UNDER_WAY = 16
"""Blocks that may have been on their way although the peer sends 8 messages at a time."""


_Look = Callable[[Peer, list[CID]], Result]


def _check(name: str, expected: str, rule: str) -> Callable[[_Look], _Look]:
    """Decorator of a function that looks, given held blocks that more than fill what a peer sends ahead."""

    def keep(look: _Look) -> _Look:
        def with_enough(peer: Peer) -> Result:
            cids = peer.large(ENOUGH_BYTES)
            if len(cids) < ENOUGH_BLOCKS:
                return skipped(
                    f"needs {ENOUGH_BLOCKS} blocks of at least 256 KiB, named by --cid; there are {len(cids)}"
                )
            return look(peer, cids)

        CHECKS.add(name, expected, rule, held=ENOUGH_BLOCKS)(with_enough)
        return look

    return keep


def _blocks(talk: Talk, cids: list[CID]) -> int:
    return sum(BLOCK in talk.of(cid) for cid in cids)


def _hold_up(peer: Peer, talk: Talk, cids: list[CID]) -> None:
    """Want these and return no credit, until the first answer is under way."""
    talk.line.hold()
    talk.want(cids)
    talk.line.wait(lambda: bool(talk.arrivals.messages or talk.line.ears), peer.patience)


@_check(
    "priorities",
    "what has a higher priority is answered first",
    f"{MESSAGES} 2.4: SHOULD",
)
def priorities(peer: Peer, cids: list[CID]) -> Result:
    # The order in the message is not that of the priorities.
    shuffled = cids[1::2] + cids[::2][::-1]
    with peer.talk() as talk:
        message = Message()
        for cid in shuffled:
            message.add_entry(cid, len(cids) - cids.index(cid), 0, True)
        talk.send(message)
        talk.await_answers(cids)
        came = [cid for cid in talk.arrivals.answers if cid in set(cids)]
    if len(came) < len(cids):
        return failed(f"{len(came)} of {len(cids)} blocks came")
    ranks = [cids.index(cid) for cid in came]
    pairs = [(a, b) for at, a in enumerate(ranks) for b in ranks[at + 1 :]]
    right = sum(a < b for a, b in pairs) / len(pairs)
    if right >= 0.8:
        return passed(f"{right:.0%} of all pairs of {len(cids)} blocks came in the order of their priorities")
    return differs(f"only {right:.0%} of all pairs came in the order of their priorities")


@_check(
    "cancel-waiting",
    "answers that wait are dropped when their wants are cancelled",
    f"{MESSAGES} 3; {BOXO}",
)
def cancel_waiting(peer: Peer, cids: list[CID]) -> Result:
    with peer.talk() as talk:
        _hold_up(peer, talk, cids)
        talk.cancel(cids)
        # All that follows goes ahead of any block that still waits.
        talk.line.alive()
        talk.line.release()
        talk.barrier(HIGHEST)
        before = _blocks(talk, cids)
        talk.settle(3)
        after = _blocks(talk, cids)
    if after == len(cids) and after - before > UNDER_WAY:
        return failed(f"all {after} blocks came, {after - before} of them after the cancels had been handled")
    if after == len(cids):
        return differs(f"all {after} blocks were under way before the cancels came")
    return passed(f"{after} of {len(cids)} blocks came, those that were under way")


@_check(
    "full-replaces",
    "a full wantlist drops answers that wait for wants which are not on it",
    f"{MESSAGES} 1.1: a complete wantlist",
)
def full_replaces(peer: Peer, cids: list[CID]) -> Result:
    with peer.talk() as talk:
        _hold_up(peer, talk, cids)
        kept = cids[-1]
        talk.want([kept], full=True)
        talk.line.alive()
        talk.line.release()
        talk.await_answers([kept])
        talk.settle(3)
        came = _blocks(talk, cids)
        there = BLOCK in talk.of(kept)
    if not there:
        return failed("the block on the full wantlist did not come")
    if came == len(cids):
        return differs(f"all {came} blocks came: a full list leaves alone what is queued, {BOXO}")
    return passed(f"{came} of {len(cids)} blocks came: that of the full list and those under way")


@_check(
    "forgotten-on-disconnect",
    "what a peer wanted is forgotten when it goes",
    f"{BOXO}; the specification ties wantlists to connections nowhere",
)
def forgotten(peer: Peer, cids: list[CID]) -> Result:
    identity = PeerIdentity.generate()
    first = peer.talk(identity=identity)
    try:
        _hold_up(peer, first, cids)
    finally:
        first.drop(peer.patience)
    # Somebody else is served meanwhile: boxo takes a peer that is back at once for one that never left.
    peer.still_serves()
    with peer.talk(identity=identity) as second:
        second.settle(3)
        came = _blocks(second, cids)
        second.note((cid, True) for cid in cids)
    if not came:
        return passed("nothing came after the peer was back")
    if came <= UNDER_WAY:
        return differs(f"{came} of {len(cids)} blocks, which were under way, came after the peer was back")
    return failed(
        f"{came} of {len(cids)} blocks came to a peer that was gone and back and had not asked again"
    )


@_check(
    "slow-reader",
    "a peer that does not read its answers holds up no other",
    "no rule of Bitswap; anybody can be slow",
)
def slow_reader(peer: Peer, cids: list[CID]) -> Result:
    with peer.talk() as slow:
        _hold_up(peer, slow, cids)
        with peer.talk() as quick:
            quick.want(cids[:3])
            came = quick.await_answers(cids[:3])
        slow.line.release()
        rest = slow.await_answers(cids)
    if not came:
        return failed("another peer got no blocks meanwhile")
    if not rest:
        return differs("another peer was served meanwhile; the slow one did not get everything afterwards")
    return passed("another peer was served meanwhile, and the slow one in the end")
