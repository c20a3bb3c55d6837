"""Every error that the library raises on purpose; split by whose fault it is.

Each is also a fitting built-in, so that code which knows nothing of Bitswap can still catch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum


class BitswapError(Exception):
    """Base of all errors of this library."""


class UsageError(BitswapError, ValueError):
    """The caller asked for something that has no meaning: a bad CID, option, address or path."""


class InvalidCid(UsageError):
    """Text or bytes that are not a CID; the message says what is wrong with them."""


class RemoteError(BitswapError, ConnectionError):
    """A peer, or the way to it, failed: refused dial, broken protocol, lost connection."""

    def __init__(self, message: str, *, peer: str | None = None) -> None:
        super().__init__(message)
        self.peer = peer


class WireError(RemoteError, ValueError):
    """Bytes from a peer that are not a Bitswap message; closes that stream and nothing else."""


class HashMismatch(RemoteError, ValueError):
    """Data that does not hash to its CID."""


class Cause(Enum):
    """What kept a block away, for programs; further down is nearer to the block."""

    NO_PROVIDERS = "no peer to ask"
    ROUTING_FAILED = "the routers failed"
    NOT_ASKED = "was not asked"
    NOT_CONNECTED = "is not connected"
    DIAL_FAILED = "could not be dialled"
    DONT_HAVE = "answered DONT_HAVE"
    OTHER = "failed"
    CONNECTION_LOST = "was lost on the way"
    SEND_FAILED = "could not be sent to"
    TIMED_OUT = "did not answer in time"
    UNANSWERED = "was asked and may still answer"
    WITHHELD = "answered HAVE, but has not sent the block"


class Reason(str):
    """Why one peer has not sent a block: a text for people, and its `cause` for programs.

    `when`: when the peer was asked in vain, or lost, in seconds of the node's clock (`time.monotonic`).
    """

    __slots__ = ("cause", "when")
    cause: Cause
    when: float | None

    def __new__(cls, words: str, cause: Cause = Cause.OTHER, when: float | None = None) -> Reason:
        self = super().__new__(cls, words)
        self.cause = cause
        self.when = when
        return self

    def __getnewargs__(self) -> tuple[str, Cause, float | None]:  # type: ignore[override]
        return str(self), self.cause, self.when


def as_reason(words: str, cause: Cause = Cause.OTHER) -> Reason:
    """`words` as they are if they are a Reason already, else with `cause`."""
    return words if isinstance(words, Reason) else Reason(words, cause)


class Incomplete(BitswapError):
    """Not all blocks could be had; what came before was handed out and kept.

    `missing` holds the CIDs (as text), `reasons` says for each peer why not ("answered DONT_HAVE"), `search`
    why the last search for providers connected nobody, if there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        missing: Iterable[object] = (),
        reasons: Mapping[str, str] | None = None,
        search: Reason | None = None,
    ) -> None:
        super().__init__(message)
        self.missing = tuple(str(cid) for cid in missing)
        self.reasons = {peer: as_reason(reason) for peer, reason in (reasons or {}).items()}
        self.search = search

    @property
    def cause(self) -> Cause:
        """What the reasons come to: that of the peer which came nearest; if nobody counted, that of the
        search, or NO_PROVIDERS."""
        nearest = max(self.reasons.values(), key=nearness, default=self.search)
        return Cause.NO_PROVIDERS if nearest is None else nearest.cause


class NotFound(Incomplete, KeyError):
    """Nobody who was asked has it."""

    # KeyError shows the repr of its argument; people want the sentence.
    __str__ = Exception.__str__


class Timeout(Incomplete, TimeoutError):
    """Time ran out; of blocks, `missing` and `reasons` say which were still waited for, and at whom."""


_NEARNESS = {cause: place for place, cause in enumerate(Cause)}


def nearness(reason: Reason) -> int:
    """How near a peer came to sending the block, beside others."""
    return _NEARNESS[reason.cause]


class Closed(BitswapError, RuntimeError):
    """The node, session, store or network was closed."""
