"""What a session can say of one of its wants: a reader of its machine, which changes nothing."""

from __future__ import annotations

from typing import NamedTuple

from bitswap.cid import CID
from bitswap.errors import Cause, Reason
from bitswap.explanation import PeerView, Sought, State, Step, Wait
from bitswap.messagequeue.standing import Standing
from bitswap.network.interface import Peer
from bitswap.providerquerymanager import Ended
from bitswap.session.reasons import At, reasons, standings
from bitswap.session.search import EVERYBODY, FIRST
from bitswap.session.session import Session
from bitswap.session.want import Want

_WAVES = {FIRST: "more peers are asked", FIRST + 1: "everybody else is asked"}


class _Place(NamedTuple):
    """Where a want is in its session."""

    state: State
    words: str = ""
    ahead: int = 0
    next: tuple[Step, ...] = ()


def explain(session: Session, want: Want, now: float) -> Wait:
    """How `want` stands, and everybody who is connected or counts for it."""
    at = standings(want, session._network, now)
    place = _place(session, want, at, now)
    sought = _sought(session, want.cid, now)
    if sought is not None and not sought.over and place.state in (State.NO_PEERS, State.RESTING):
        place = place._replace(state=State.SOUGHT)
    return Wait(
        session.number,
        place.state,
        place.words,
        place.ahead,
        want.rounds,
        tuple(_views(session, want, place, at, now)),
        (*place.next, *_resends(at, now), *_next_search(session, want.cid, now)),
        sought,
    )


def _sought(session: Session, cid: CID, now: float) -> Sought | None:
    """The search for providers that is under way, or the last one."""
    progress = session.providers.progress(cid)
    if progress is not None:
        return Sought(
            over=False,
            found=progress.found,
            connected=progress.connected,
            waiting=progress.waiting,
            dialling=progress.dialling,
            failed=progress.failed,
            asking=progress.asking,
        )
    ended = session.providers.ended(cid)
    if ended is None:
        return None
    outcome, when = ended
    refused = outcome.ended is Ended.REFUSED
    return Sought(
        over=True,
        found=outcome.found,
        connected=outcome.connected,
        failed=outcome.failed,
        ended_ago=now - when,
        error=outcome.error or ("time ran out" if outcome.ended is Ended.TIMED_OUT else None),
        refused=refused,
    )


def _next_search(session: Session, cid: CID, now: float) -> list[Step]:
    """When routers are asked for it next."""
    if session.providers.waits(cid):
        return [Step("routers are asked once they have answered for others")]
    turn = session.providers.next_turn(cid)
    return [] if turn is None else [Step("routers may be asked again", max(turn - now, 0.0))]


def _resends(at: At, now: float) -> list[Step]:
    """The next time that somebody who is silent is told once more."""
    times = [(stands.resent, peer) for peer, stands in at.items() if stands and stands.resent is not None]
    return [Step(f"{peer} is told once more", when - now) for when, peer in sorted(times)[:1]]


# -- where it is


def _place(session: Session, want: Want, at: At, now: float) -> _Place:
    wants, cid = session.wants, want.cid
    if want.asked is not None:
        return _asked(want.asked.peer, at.get(want.asked.peer), now)
    if not any(session._may_ask(peer) for peer in session._network.peers()):
        return _nobody(session, now)
    if cid in wants.fresh or cid in wants.again:
        waiting = wants.fresh if cid in wants.fresh else wants.again
        return _no_room(session, list(waiting).index(cid) + (len(wants.again) * (cid in wants.fresh)))
    if cid in wants.held:
        again = Step("others are asked", max(session._held_until - now, 0.0))
        return _Place(State.SEARCHED, "whoever was asked lacks it", next=(again,))
    if want.group is not None:
        return _searched(session, want, now)
    if want.probing:
        due = max(want.probing.values()) - now
        return _Place(State.SEARCHED, next=(Step("others are asked, or once all have answered", due),))
    if cid in wants.lost:
        words = f"{len(session._search)} others are looked for, as many as may be at a time"
        return _Place(State.NO_ROOM, words, list(wants.lost).index(cid))
    if cid in wants.barred:
        words = "somebody may have it now, and what has come is to be taken first"
        return _Place(State.NO_ROOM, words, list(wants.barred).index(cid))
    if cid in session.shelf:
        ahead = session.shelf.ahead(cid)
        words = f"{len(session.shelf)} that everybody lacks are asked for in turns; {ahead} come before it"
        return _Place(State.RESTING, words, ahead, (_round(session, now, "the next of them are asked for"),))
    return _Place(State.RESTING, next=(_round(session, now),))


def _asked(peer: Peer, stands: Standing | None, now: float) -> _Place:
    if stands is None:
        return _Place(State.ASKED)
    if stands.hold is not None:
        due = None if stands.free is None else stands.free - now
        return _Place(State.ASKED, "", next=(Step(f"{peer} is told {stands.hold.value}", due),))
    steps: list[Step] = []
    if stands.silent is not None:
        steps.append(Step(f"{peer} counts as lacking it", stands.silent - now))
    return _Place(State.ASKED, next=tuple(steps))


def _nobody(session: Session, now: float) -> _Place:
    who = "a peer" if session._broadcast else "one of the named peers"
    return _Place(State.NO_PEERS, next=(Step(f"it is asked for when {who} connects"),))


def _no_room(session: Session, ahead: int) -> _Place:
    members = session.peers.candidates()
    busy = sum(member.outstanding for member in members)
    if members:
        words = (
            f"{busy} blocks are outstanding at {_count(len(members), 'peer')}, as many as they may have now"
        )
        step = Step("it is asked for when enough of those have come")
    else:
        words = f"{len(session._search)} others are looked for first"
        step = Step("it is asked for when somebody has one of those")
    return _Place(State.NO_ROOM, f"{words}; {ahead} come before it", ahead, (step,))


def _searched(session: Session, want: Want, now: float) -> _Place:
    group = want.group
    due = None if group is None else group.due - now
    if want.wave >= EVERYBODY:
        return _Place(State.SEARCHED, "everybody was asked", next=(Step("the round is over", due),))
    what = _WAVES[want.wave]
    return _Place(State.SEARCHED, next=(Step(f"{what}, or once all have answered", due),))


def _round(session: Session, now: float, what: str = "all are asked again") -> Step:
    due = session._round_due
    return Step(what, None if due is None else due - now)


# -- the peers


def _views(session: Session, want: Want, place: _Place, at: At, now: float) -> list[PeerView]:
    network, said = session._network, session._presence.of(want.cid)
    known = reasons(want, session.peers, said, network, now, at, session.providers.unreached(want.cid))
    order = dict.fromkeys([*(peer for peer in at if at[peer]), *known, *network.peers()])
    views = []
    for peer in order:
        reason = known.get(peer) or _not_asked(session, want, place, peer)
        stands, heard, queue = at.get(peer), said.get(peer), network.queue(peer)
        view = PeerView(
            peer,
            reason,
            connected=queue is not None,
            member=peer in session.peers,
            asked=None if stands is None else "block" if stands.for_block else "have",
            asked_ago=None if stands is None or stands.sent is None else now - stands.sent,
            answer=None if heard is None else "HAVE" if heard else "DONT_HAVE",
            answered_ago=None if heard is None else now - heard.when,
            outstanding=0 if queue is None else queue.outstanding,
        )
        views.append(view)
    return views


def _not_asked(session: Session, want: Want, place: _Place, peer: Peer) -> Reason:
    """For somebody who is connected."""
    member = session.peers.get(peer)
    if not session._may_ask(peer):
        why = "the session asks nobody but the peers it was given"
    elif want.asked is not None:
        why = f"{want.asked.peer} may still answer"
    elif place.state is State.NO_ROOM and member is not None:
        why = f"{_count(member.outstanding, 'block')} outstanding of {member.limit} that it may have now"
    elif place.state is State.SEARCHED:
        why = "others are asked first"
    else:
        why = "not its turn yet"
    return Reason(f"not asked: {why}", Cause.NOT_ASKED)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
