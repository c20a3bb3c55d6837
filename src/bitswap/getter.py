"""The Getter that a session hands out, and `get_block` and `get_blocks` above it (boxo `getter`)."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from bitswap.block import Block
from bitswap.cid import CID, DAG_CBOR, DAG_PB, RAW
from bitswap.cidsource import AnyCid, CidSource, to_cid, to_cids
from bitswap.errors import (
    Cause,
    InvalidCid,
    NotFound,
    RemoteError,
    Timeout,
    WireError,
    as_reason,
    nearness,
)
from bitswap.multihash import IDENTITY, SHA2_256, digest, multihash
from bitswap.network.interface import Peer
from bitswap.spans import SpanTracer, span

if TYPE_CHECKING:
    from typing_extensions import Self

    from bitswap.client import Client
    from bitswap.explanation import Wait
    from bitswap.notifications import Subscription
    from bitswap.options import ClientOptions

_SHOWN = 3  # CIDs and peers that an error's sentence names; its attributes have all
_NO_BYTES = multihash(SHA2_256, b"")
_USUAL = frozenset(bytes((1, codec, SHA2_256, 32)) for codec in (RAW, DAG_PB, DAG_CBOR))
"""How nearly all CIDs begin, those of version 0 apart: neither inline nor unknown."""
_EMPTY = frozenset(head[:2] + _NO_BYTES for head in _USUAL)
_HEAD = itemgetter(slice(4))
_NAP = 1.0  # seconds after which a waiting thread looks whether it was interrupted


def _is_usual(cid: CID) -> bool:
    """Whether peers are the ones to ask, which is so for nearly every CID."""
    return cid[:4] in _USUAL and not cid.endswith(_NO_BYTES)


def _are_usual(cids: Sequence[CID]) -> bool:
    """`_is_usual` of all of them, without a step in Python for each."""
    return _USUAL.issuperset(map(_HEAD, cids)) and _EMPTY.isdisjoint(cids)


def data_of(cid: CID) -> bytes | None:
    """The data of a CID that gives it away, so that nobody need be asked; None for all others.

    An identity CID holds its data. The block of no bytes is known too, and has to be: boxo's server takes
    it for missing and answers DONT_HAVE.
    """
    # Nearly every CID is settled by its first bytes: a CIDv0, or a short codec before the hash code.
    if (cid[0] != 0x12 and (cid[1] >= 0x80 or cid[2] == IDENTITY)) and cid.hash_code == IDENTITY:
        return cid.digest
    return b"" if cid.endswith(_NO_BYTES) else None


def check_verifiable(cid: CID) -> None:
    """Raises InvalidCid for a CID whose blocks cannot be told from others, so that none would ever do."""
    trouble = _trouble(cid.hash_code, len(cid.digest))
    if trouble is not None:
        raise InvalidCid(f"{cid} cannot be fetched, because no block could be verified: {trouble}")


@lru_cache(maxsize=1024)
def _trouble(code: int, length: int) -> str | None:
    """Why digests of this length cannot be computed."""
    try:
        digest(code, b"", length)
    except WireError as error:
        return str(error)
    return None


class PeersLost(NotFound, RemoteError):
    """Blocks that could not be had because connections were lost on the way; `peer` is one of those lost."""

    def __init__(
        self,
        message: str,
        *,
        missing: Iterable[object] = (),
        reasons: Mapping[str, str] | None = None,
        peer: str | None = None,
    ) -> None:
        NotFound.__init__(self, message, missing=missing, reasons=reasons)
        self.peer = peer


def describe(cids: Collection[CID], reasons: Mapping[Peer, str]) -> str:
    """Which blocks are missing and why, in one sentence; who came nearest to sending them is named first."""
    what = f"block {_some(cids)}" if len(cids) == 1 else f"{len(cids)} blocks ({_some(cids)})"
    if not reasons:
        return what
    by_peer = {peer: as_reason(reason) for peer, reason in reasons.items()}
    if len(by_peer) > 1 and all(reason.cause is Cause.DONT_HAVE for reason in by_peer.values()):
        return f"{what}: every peer that was asked answered DONT_HAVE ({_some(by_peer)})"
    groups: dict[str, list[Peer]] = {}
    for peer in sorted(by_peer, key=lambda peer: nearness(by_peer[peer]), reverse=True):
        groups.setdefault(by_peer[peer], []).append(peer)
    said = [f"{_some(peers)}: {reason}" for reason, peers in islice(groups.items(), _SHOWN)]
    if len(groups) > _SHOWN:
        said.append(f"and {sum(map(len, islice(groups.values(), _SHOWN, None)))} more")
    return f"{what}: {'; '.join(said)}"


def _some(things: Collection[object]) -> str:
    named = ", ".join(map(str, islice(things, _SHOWN)))
    return f"{named} and {len(things) - _SHOWN} more" if len(things) > _SHOWN else named


class BlockGetter(Protocol):
    """What `Getter` and the getter of a node with a store have in common; safe from any thread."""

    @property
    def outstanding(self) -> int:
        """Blocks wanted that have neither come nor been given up."""

    @property
    def room(self) -> int:
        """How many CIDs more it would ask for at once; 0 until that is worth a message."""

    def want(self, cids: Iterable[AnyCid]) -> None:
        """Want these as well; what is outstanding is ignored, what exceeds the window waits for its turn."""

    def take(self, timeout: float | None = None, *, until_room: bool = False) -> list[Block]:
        """Wait for at least one block and return all that have come, in order of arrival.

        Empty only when nothing is outstanding or, with `until_room`, when there is room for more wants: what
        nobody has keeps no place. Raises NotFound, or its subclass PeersLost, once all that is
        left was given up; Timeout after `timeout` seconds without a block (default: what the getter was made
        with); Closed.
        """

    def poll(self, *, patient: bool = True) -> list[Block]:
        """What has come so far, without waiting.

        Raises Closed; unless `patient`, also NotFound, once `ClientOptions.window_blocks` were given up.
        """

    def timed_out(self, limit: float, waiter: Waiter | None = None) -> Timeout:
        """The error of whoever waited `limit` seconds; `waiter` will not be released any more."""

    def cancel(self, cids: Iterable[AnyCid]) -> None:
        """Stop wanting these."""

    def close(self) -> None:
        """Cancel the rest; a second call does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Waiter(Protocol):
    """Whoever waits for something to come for a getter: a locked lock, or what tells an event loop."""

    def release(self) -> None:
        """Something came, or will not; called from any thread, must neither wait nor raise."""


class Queue(Protocol):
    """Where wants wait before they come to a Getter."""

    def queued(self, cid: CID) -> Wait | None:
        """How a want that has not gone further stands; never waits."""


class Getter:
    """A request of one session: CIDs in, blocks out as they come (contract: `BlockGetter`).

    At most `ClientOptions.window_blocks` blocks, and `window_bytes` by their average size, are asked for or
    wait to be taken.
    """

    def __init__(
        self, client: Client, subscription: Subscription, timeout: float | None, *, alone: bool
    ) -> None:
        self._client = client
        self._subscription = subscription
        self._timeout = timeout
        self._alone = alone
        self._waiters: list[Waiter] = []
        self._interrupted = False
        subscription.owner = self
        self.before: Queue | None = None
        """What stands between the caller and this."""

    @property
    def outstanding(self) -> int:
        return self._subscription.outstanding

    @property
    def room(self) -> int:
        return self._subscription.room

    def want(self, cids: Iterable[AnyCid]) -> None:
        wanted: list[CID] = []
        inline: dict[CID, Block] = {}
        given = to_cids(cids)
        if _are_usual(given):
            self._client._want(self._subscription, given, ())
            return
        for cid in given:
            if _is_usual(cid):
                wanted.append(cid)
                continue
            data = data_of(cid)
            if data is None:
                check_verifiable(cid)
                wanted.append(cid)
            else:
                inline[cid] = Block(cid, data)
        self._client._want(self._subscription, wanted, list(inline.values()))

    def take(self, timeout: float | None = None, *, until_room: bool = False) -> list[Block]:
        limit = self._timeout if timeout is None else timeout
        deadline = None if limit is None else time.monotonic() + limit
        while True:
            blocks, waiter = self._client._take(self._subscription, self, held_lock, until_room)
            if waiter is None:
                return blocks
            while not waiter.acquire(timeout=nap(deadline)):
                if deadline is not None and time.monotonic() >= deadline:
                    raise self.timed_out(limit or 0.0, waiter)

    def try_take(self, waiter: Waiter) -> list[Block] | None:
        """`take` without waiting; None when nothing has come: `waiter` is released once something has."""
        blocks, waiting = self._client._take(self._subscription, self, lambda: waiter)
        return blocks if waiting is None else None

    def timed_out(self, limit: float, waiter: Waiter | None = None) -> Timeout:
        return self._client._timed_out(self._subscription, limit, self, waiter)

    def interrupt(self) -> None:
        """Let a `take` that waits, or the next that would, return nothing: its caller looks elsewhere."""
        self._client._interrupt(self)

    def poll(self, *, patient: bool = True) -> list[Block]:
        return self._client._poll(self._subscription, patient)

    @property
    def session(self) -> int:
        """The number of the session."""
        return self._subscription.session.number

    def cancel(self, cids: Iterable[AnyCid]) -> None:
        self.withdraw([to_cid(cid) for cid in cids])

    def withdraw(self, cids: Iterable[CID]) -> list[CID]:
        """Stop wanting these; returns those that were outstanding, so that none of them will be taken."""
        return self._client._cancel(self._subscription, list(cids))

    def close(self) -> None:
        if self._alone:
            self._client._close_session(self._subscription.session)
        else:
            self._client._close_getter(self._subscription)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def held_lock() -> threading.Lock:
    """A waiter for a thread."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def nap(deadline: float | None) -> float:
    """How long a thread waits before it looks around: at the time, and whether it was interrupted."""
    return _NAP if deadline is None else min(max(deadline - time.monotonic(), 0.0), _NAP)


class Fetcher(ABC):
    """Whatever can make a getter can fetch blocks: clients, nodes and their sessions."""

    _spans: SpanTracer | None = None
    _spans_prefix = ""

    @abstractmethod
    def getter(self, timeout: float | None = None) -> BlockGetter:
        """A request to fill and empty at will; `timeout` is what its `take` uses by default, in seconds."""

    @property
    @abstractmethod
    def _client_options(self) -> ClientOptions: ...

    def get_block(self, cid: AnyCid, timeout: float | None = None) -> Block:
        """Fetch one block.

        Raises InvalidCid; Timeout after `timeout` seconds (None: waits for ever); NotFound where only named
        peers are asked and none has it; Closed.
        """
        with span(self._spans, f"{self._spans_prefix}GetBlock", cid=cid):
            known = to_cid(cid)
            if _is_usual(known):
                return self._get_one(known, timeout)
            with self.getter(timeout) as getter:
                getter.want([known])
                return getter.take()[0]

    @abstractmethod
    def _get_one(self, cid: CID, timeout: float | None) -> Block:
        """`get_block` for what peers are to be asked for."""

    def get_blocks(self, cids: Iterable[AnyCid], timeout: float | None = None) -> Iterator[Block]:
        """Fetch many blocks; yields them as they come, each once. Closing the iterator cancels the rest.

        `cids` is read as far as the window allows, so it may be endless, and a part at a time, so it may be
        slow; nothing is asked before the first `next`. A CID given twice counts once; where `cids` is no
        collection, `ClientOptions.max_repetitions` of the last ones are remembered for that. `timeout` is how
        many seconds may pass without a block. Errors come after everything that has come has been yielded:
        InvalidCid, and whatever `cids` raises, which ends the request; NotFound (with what is missing, and
        why for each peer) once nothing else is outstanding or to be read; Timeout; Closed.
        """
        spanned = span(self._spans, f"{self._spans_prefix}GetBlocks")
        with spanned, self.getter(timeout) as getter:
            source = CidSource(cids, self._client_options.max_repetitions)
            quiet_since = time.monotonic()
            while True:
                room = getter.room if source.more else 0
                if room:
                    try:
                        getter.want(source.read(room))
                    except Exception:
                        yield from getter.poll()
                        raise
                if not (source.more and getter.room):
                    blocks = getter.take(until_room=source.more)
                    if not blocks and not source.more:
                        return
                else:
                    blocks = getter.poll(patient=False)
                if not blocks and getter.outstanding:
                    # The source is slow, or there is room for more of it, so it is read on.
                    if timeout is not None and time.monotonic() - quiet_since >= timeout:
                        raise getter.timed_out(timeout)
                    continue
                quiet_since = time.monotonic()
                if spanned:
                    for block in blocks:
                        spanned.event("received block", cid=block.cid)
                # What was handed out is kept no longer: the caller may have dropped it.
                blocks.reverse()
                while blocks:
                    yield blocks.pop()
