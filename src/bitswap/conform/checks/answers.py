"""Questions about blocks that the peer does not have."""

from __future__ import annotations

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.check import BOXO, FORMAT, INTRODUCTION, MESSAGES, Checks
from bitswap.conform.ear import DONT_HAVE
from bitswap.conform.peer import Peer
from bitswap.conform.talk import BLOCK_WANT, HAVE_WANT, unknown_cid, unknown_cids
from bitswap.conform.verdict import Result, differs, failed, passed
from bitswap.message import Message

CHECKS = Checks()


def _asked_for(peer: Peer, want_type: int) -> Result:
    with peer.talk() as talk:
        cid = unknown_cid()
        talk.want([cid], want_type)
        talk.await_answers([cid])
        words = talk.of(cid)
    if words == [DONT_HAVE]:
        return passed(DONT_HAVE)
    if not words:
        return differs("no answer in time; it should say DONT_HAVE, but need not")
    return failed(f"{', '.join(words)} about a block that nobody has")


@CHECKS.add(
    "dont-have-to-want-have", "DONT_HAVE to a want-have that asks for it", f"{MESSAGES} 2.2", barriers=False
)
def dont_have_to_have(peer: Peer) -> Result:
    return _asked_for(peer, HAVE_WANT)


@CHECKS.add(
    "dont-have-to-want-block",
    "DONT_HAVE to a want-block that asks for it",
    f"{MESSAGES} 1.3; {BOXO}",
    barriers=False,
)
def dont_have_to_block(peer: Peer) -> Result:
    return _asked_for(peer, BLOCK_WANT)


@CHECKS.add(
    "no-dont-have-unasked", "silence to wants that do not ask for DONT_HAVE", f"{MESSAGES} 1.3 and 2.2"
)
def no_dont_have_unasked(peer: Peer) -> Result:
    with peer.talk() as talk:
        cids = unknown_cids(8)
        talk.want(cids[:4], HAVE_WANT, dont_have=False)
        talk.want(cids[4:], BLOCK_WANT, dont_have=False)
        talk.settle()
        answered = talk.answered(cids)
        words = talk.of(answered[0]) if answered else []
    if answered:
        return failed(
            f"{', '.join(words)} to {len(answered)} of {len(cids)} wants that asked for no DONT_HAVE"
        )
    return passed(f"no answer to {len(cids)} wants")


@CHECKS.add("mixed-wants", "in one message, DONT_HAVE for exactly those that ask for it", f"{MESSAGES} 2.2")
def mixed_wants(peer: Peer) -> Result:
    with peer.talk() as talk:
        cids = unknown_cids(20)
        message = Message()
        for at, cid in enumerate(cids):
            message.add_entry(cid, 100 - at, at // 2 % 2, at % 2 == 0)
        asked = cids[::2]
        talk.send(message)
        all_came = talk.await_answers(asked)
        talk.settle()
        wrong = talk.answered(cids[1::2])
        count = len(talk.answered(asked))
    if wrong:
        return failed(f"answers to {len(wrong)} of 10 wants that did not ask for DONT_HAVE")
    if not all_came:
        return differs(f"DONT_HAVE to {count} of 10 wants that asked for it")
    return passed("DONT_HAVE to the 10 that asked, silence to the 10 others")


@CHECKS.add("one-answer-each", "one DONT_HAVE to a want that is sent once", INTRODUCTION)
def one_answer_each(peer: Peer) -> Result:
    with peer.talk() as talk:
        cids = unknown_cids(50)
        talk.want(cids, HAVE_WANT)
        talk.await_answers(cids)
        talk.settle()
        more = [cid for cid in cids if len(talk.of(cid)) > 1]
        missing = len(cids) - len(talk.answered(cids))
    if missing:
        return differs(f"no answer to {missing} of {len(cids)} wants")
    if more:
        return differs(f"{len(more)} of {len(cids)} wants were answered more than once")
    return passed(f"{len(cids)} wants, {len(cids)} answers")


@CHECKS.add(
    "duplicate-wants",
    "one answer to wants for one CID in one message",
    f"{FORMAT}; {BOXO}, which merges them",
)
def duplicate_wants(peer: Peer) -> Result:
    with peer.talk() as talk:
        cid = unknown_cid()
        items = [wire.entry(cid, priority, priority % 2, dont_have=True) for priority in (1, 2, 3, 4)]
        talk.note([(cid, True)])
        talk.main.write(wire.frame(wire.wantlist(*items)))
        talk.settle()
        words = talk.of(cid)
    if words == [DONT_HAVE]:
        return passed("four wants for one CID, one DONT_HAVE")
    if set(words) == {DONT_HAVE}:
        return differs(f"{len(words)} DONT_HAVEs to one message")
    return failed(f"{', '.join(words) or 'nothing'} to four wants for one CID")


@CHECKS.add(
    "repeated-want",
    "a want that is sent again after its DONT_HAVE is answered again",
    f"{MESSAGES} 1.1 and 1.2; {BOXO}",
)
def repeated_want(peer: Peer) -> Result:
    with peer.talk() as talk:
        cid = unknown_cid()
        for times in (1, 2, 3):
            talk.want([cid], HAVE_WANT)
            if not talk.line.wait(lambda count=times: len(talk.of(cid)) >= count):  # type: ignore[misc]
                return differs(
                    f"no answer when it was asked the {('first', 'second', 'third')[times - 1]} time"
                )
    return passed("three times asked, three times DONT_HAVE")


@CHECKS.add(
    "cancel-in-message",
    "silence to a want that the same message cancels",
    f"{FORMAT}: cancel revokes an entry; {BOXO}, where it counts whatever the order",
)
def cancel_in_message(peer: Peer) -> Result:
    answered: list[str] = []
    with peer.talk() as talk:
        first, second = unknown_cids(2)
        for cid, cancel_first in ((first, False), (second, True)):
            items = [wire.entry(cid, dont_have=True), wire.entry(cid, 0, cancel=True)]
            talk.note([(cid, True)])
            talk.main.write(wire.frame(wire.wantlist(*(reversed(items) if cancel_first else items))))
        talk.settle()
        for name, cid in (("want, cancel", first), ("cancel, want", second)):
            if talk.of(cid):
                answered.append(f"{', '.join(talk.of(cid))} to {name}")
    if answered:
        return differs("; ".join(answered))
    return passed("silence, in both orders")


@CHECKS.add(
    "cancel-unknown",
    "the cancel of what was never asked for does nothing",
    f"{MESSAGES} 3",
)
def cancel_unknown(peer: Peer) -> Result:
    with peer.talk() as talk:
        cids = unknown_cids(100)
        talk.cancel(cids)
        talk.settle()
        answered = talk.answered(cids)
    if answered:
        return failed(f"answers to {len(answered)} cancels")
    return passed("silence to 100 cancels, then an ordinary answer")


@CHECKS.add(
    "want-after-cancel", "a want that comes again after its cancel is answered", f"{MESSAGES} 1.2 and 3"
)
def want_after_cancel(peer: Peer) -> Result:
    with peer.talk() as talk:
        cid: CID = unknown_cid()
        talk.want([cid], HAVE_WANT, dont_have=False)
        talk.cancel([cid])
        talk.want([cid], HAVE_WANT)
        came = talk.await_answers([cid])
        words = talk.of(cid)
    if came and words == [DONT_HAVE]:
        return passed("want, cancel, want: DONT_HAVE")
    return failed(f"want, cancel, want: {', '.join(words) or 'no answer'}")


@CHECKS.add(
    "full-wantlist",
    "a full wantlist is answered as any other, an empty one too does no harm",
    f"{MESSAGES} 1.1",
)
def full_wantlist(peer: Peer) -> Result:
    with peer.talk() as talk:
        first, second = unknown_cids(5), unknown_cids(5)
        talk.want(first, HAVE_WANT, full=True)
        talk.send(Message(True))
        talk.want(second, HAVE_WANT, full=True)
        came = talk.await_answers(second)
        talk.settle()
        early = len(talk.answered(first))
    if not came:
        return failed("no answer to a full wantlist")
    return passed(f"all 5 of the last list answered, {early} of 5 of the first one, which it replaced")
