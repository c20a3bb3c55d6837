"""The corpus, theme by theme: what it may do to its stream, and must not do to anything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bitswap.cid import CID
from bitswap.conform.case import ANSWER, IGNORE, Case
from bitswap.conform.check import BOXO, Checks
from bitswap.conform.corpus import themes
from bitswap.conform.ear import Ear, Fate
from bitswap.conform.peer import Peer
from bitswap.conform.talk import Talk
from bitswap.conform.verdict import Lost, NotSpoken, Result, Silent, Unreachable, differs, failed, passed

CHECKS = Checks()

BATCH = 8
"""Cases that are under way together; after each batch the peer has to answer an ordinary question."""
_SHOWN = 3


class Tally:
    """What became of the cases of a theme."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = 0
        self.unanswered: list[str] = []
        self.spoilt: list[str] = []
        """Good messages whose streams were reset."""
        self.lenient: list[str] = []
        """Bad messages that were taken."""
        self.strict: list[str] = []
        """Good messages that a peer may refuse, refused."""
        self.unclosed = 0

    def add(self, case: Case, ear: Ear, talk: Talk, asks: bool) -> None:
        self.sent += 1
        reset = ear.fate is Fate.RESET
        self.closed += reset
        self.unclosed += ear.fate is Fate.OPEN
        if case.error is None and reset:
            (self.spoilt if case.peer in (ANSWER, IGNORE) else self.strict).append(case.name)
        elif case.error is not None and ear.fate is Fate.ENDED:
            self.lenient.append(case.name)
        if asks and any(not talk.of(CID(cid)) for cid in case.asks):
            self.unanswered.append(case.name)

    def result(self) -> Result:
        """In one line; harm to a good message is a failure."""
        seen = f"{self.sent} sent, {self.closed} streams reset, all else unharmed"
        if self.spoilt:
            return failed(f"{seen}; reset on good messages: {_names(self.spoilt)}")
        if self.unanswered:
            return failed(f"{seen}; no answer to {_names(self.unanswered)}")
        notes = []
        if self.lenient:
            notes.append(f"taken: {_names(self.lenient)}")
        if self.strict:
            notes.append(f"refused: {_names(self.strict)}")
        if self.unclosed:
            notes.append(f"{self.unclosed} streams neither ended nor reset")
        return differs(f"{seen}; {'; '.join(notes)}") if notes else passed(seen)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _batches(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """A full wantlist goes alone: it drops answers that wait for wants of other streams."""
    alone = [case for case in cases if any(message.full for message in case.messages)]
    together = [case for case in cases if case not in alone]
    for at in range(0, len(together), BATCH):
        yield together[at : at + BATCH]
    for case in alone:
        yield [case]


def _throw(peer: Peer, cases: Sequence[Case], tally: Tally) -> str | None:
    """Send all cases over one connection; what harm was done, or None."""
    with peer.talk() as talk:
        talk.main  # noqa: B018  (opened before anything hostile)
        for batch in _batches(cases):
            names = _names([case.name for case in batch])
            try:
                _throw_batch(peer, talk, batch, tally)
            except Lost as error:
                return f"the connection was lost at {names}: {error}"
            except Silent as error:
                return f"{error}, after {names}"
    return None


def _throw_batch(peer: Peer, talk: Talk, batch: Sequence[Case], tally: Tally) -> None:
    thrown = [(case, ear) for case in batch if (ear := talk.throw(case)) is not None]
    asks = peer.says_dont_have
    cids = [CID(cid) for case, _ in thrown for cid in case.asks] if asks else []
    ears = [ear for _, ear in thrown]
    talk.line.wait(lambda: talk.line.settled(ears) and len(talk.answered(cids)) == len(cids), peer.patience)
    for case, ear in thrown:
        tally.add(case, ear, talk, asks)
        if not ear.stream.closed:
            ear.stream.reset()
    if asks:
        talk.barrier()
    elif not talk.line.alive():
        raise Silent("no echo on the connection")


def _theme(theme: str, cases: Sequence[Case]) -> None:
    hostile = any(case.error is not None for case in cases)
    expected = "closes at most the stream of a bad message" if hostile else "takes every message"

    @CHECKS.add(
        f"corpus-{theme}",
        f"{expected}; the connection, its other streams and other peers are unharmed ({len(cases)} cases)",
        f"Wire Format and Protocol Format of all versions; verdicts {BOXO}",
        barriers=False,
    )
    def look(peer: Peer) -> Result:
        tally = Tally()
        harm = _throw(peer, cases, tally)
        try:
            if peer.says_dont_have:
                peer.still_serves()
            else:
                peer.line().close()
        except (Lost, NotSpoken, Silent, Unreachable) as error:
            harm = f"{harm or 'other peers are not served any more'}: {error}"
        return failed(harm) if harm is not None else tally.result()


for _name, _cases in themes().items():
    _theme(_name, [case for case in _cases if case.send])
