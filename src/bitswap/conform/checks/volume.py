"""Many wants at once."""

from __future__ import annotations

from bitswap.conform.check import BOXO, INTRODUCTION, Checks
from bitswap.conform.peer import Peer
from bitswap.conform.talk import BLOCK_WANT, HAVE_WANT, unknown_cids
from bitswap.conform.verdict import Result, differs, failed, passed

CHECKS = Checks()


def _many(count: int) -> None:
    @CHECKS.add(
        f"wants-{count}",
        f"answers each of {count:,} wants of one message",
        f"{INTRODUCTION}: SHOULD eventually respond; boxo keeps 1,024 of a peer and drops the rest unsaid",
    )
    def look(peer: Peer) -> Result:
        with peer.talk() as talk:
            cids = unknown_cids(count)
            talk.want(cids, HAVE_WANT)
            # A barrier would take a place among the wants that are kept.
            before = -1
            while before < len(talk.answered(cids)) < count:
                before = len(talk.answered(cids))
                talk.await_answers(cids, peer.patience)
            came = len(talk.answered(cids))
            talk.cancel(cids)
            talk.settle()
        if came == count:
            return passed(f"{came:,} answers")
        if not came:
            return failed(f"no answer to any of {count:,} wants")
        return differs(f"{came:,} answers, silence to the other {count - came:,}")


for _count in (1024, 1025, 5000):
    _many(_count)


@CHECKS.add(
    "wants-in-turn",
    "2,048 wants in messages of 128, each after the answers to the one before, are all answered",
    f"{INTRODUCTION}; {BOXO}, if answered wants are cancelled",
)
def wants_in_turn(peer: Peer) -> Result:
    came = 0
    with peer.talk() as talk:
        for _ in range(16):
            cids = unknown_cids(128)
            talk.want(cids, HAVE_WANT)
            if not talk.await_answers(cids, 2 * peer.patience):
                came += len(talk.answered(cids))
                break
            came += len(cids)
            talk.cancel(cids)
        talk.settle()
    if came == 2048:
        return passed("2,048 answers")
    return differs(f"{came:,} of 2,048 wants were answered, though those before were cancelled")


@CHECKS.add(
    "waiting-wants",
    "1,000 wants that wait for blocks do not keep later ones from being answered",
    f"{INTRODUCTION}; {BOXO}, up to 1,024",
)
def waiting_wants(peer: Peer) -> Result:
    with peer.talk() as talk:
        waiting = unknown_cids(1000)
        talk.want(waiting, BLOCK_WANT, dont_have=False)
        talk.settle()
        answered = len(talk.answered(waiting))
        talk.cancel(waiting)
        talk.barrier()
    if answered:
        return failed(f"answers to {answered} wants for blocks that nobody has")
    return passed("1,000 wants wait, the next ones are answered")
