"""Every error that the library raises on purpose; split by whose fault it is.

Each is also a fitting built-in, so that code which knows nothing of Bitswap can still catch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


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


class Incomplete(BitswapError):
    """Not all blocks could be had; what came before was handed out and kept.

    `missing` holds the CIDs (as text), `reasons` says for each peer why not ("answered DONT_HAVE").
    """

    def __init__(
        self,
        message: str,
        *,
        missing: Iterable[object] = (),
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.missing = tuple(str(cid) for cid in missing)
        self.reasons = dict(reasons or {})


class NotFound(Incomplete, KeyError):
    """Nobody who was asked has it."""

    # KeyError shows the repr of its argument; people want the sentence.
    __str__ = Exception.__str__


class Timeout(Incomplete, TimeoutError):
    """Time ran out; of blocks, `missing` and `reasons` say which were still waited for, and at whom."""


class Closed(BitswapError, RuntimeError):
    """The node, session, store or network was closed."""
