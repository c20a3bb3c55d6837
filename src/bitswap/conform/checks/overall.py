"""What all connections of the run together show."""

from __future__ import annotations

from bitswap.conform.check import BOXO, FRAMES, MESSAGES, Checks
from bitswap.conform.peer import Peer
from bitswap.conform.verdict import Result, failed, passed, skipped

CHECKS = Checks()

_NOTHING = "no message came in this run"


@CHECKS.add(
    "well-formed",
    "all that it sent could be decoded, in messages of at most 4 MiB",
    f"{FRAMES}: MUST; Wire Format",
    barriers=False,
)
def well_formed(peer: Peer) -> Result:
    log = peer.log
    if log.bad:
        return failed(f"{len(log.bad)} times not: {log.bad[0]}")
    if not log.messages:
        return skipped(_NOTHING)
    return passed(
        f"{log.messages:,} messages with {log.answers:,} answers and {log.wants:,} wants of its own"
    )


@CHECKS.add(
    "nothing-unasked",
    "no block and no presence that nobody asked for, and DONT_HAVE only where it was asked for",
    f"{MESSAGES} 2; {BOXO}",
    barriers=False,
)
def nothing_unasked(peer: Peer) -> Result:
    log = peer.log
    if not log.messages:
        return skipped(_NOTHING)
    if log.unasked:
        return failed(f"{len(log.unasked)} answers without a question: {log.unasked[0]}")
    if log.unasked_dont_haves:
        return failed(f"{len(log.unasked_dont_haves)} DONT_HAVEs unasked: {log.unasked_dont_haves[0]}")
    return passed(f"{log.answers:,} answers, each to a question")


@CHECKS.add("clean-end", "serves a new peer after all that", BOXO, barriers=False)
def clean_end(peer: Peer) -> Result:
    if peer.says_dont_have:
        peer.still_serves()
        return passed("an ordinary question is answered")
    with peer.talk() as talk:
        talk.main.write(b"\x02\x0a\x00")
        if not talk.line.alive():
            return failed("no echo on the connection")
    return passed("it takes a connection, a stream and a message")
