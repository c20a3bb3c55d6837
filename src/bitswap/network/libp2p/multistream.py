"""multistream-select 1.0: which protocol a connection or stream speaks (libp2p connections/README.md)."""

from __future__ import annotations

from collections.abc import Sequence

from bitswap.errors import RemoteError

HEADER = "/multistream/1.0.0"


class NegotiationError(RemoteError):
    """No protocol in common, or bytes that are not multistream-select."""


class Negotiator:
    """What both sides share. Feed `receive`, send `data_to_send`, until `selected` is set."""

    selected: str | None
    """The agreed protocol; None while not agreed."""
    leftover: bytes
    """Bytes that came after the agreement: they belong to the selected protocol."""

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes of the peer. Raises NegotiationError."""
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """Take the bytes to send, b"" when there are none."""
        raise NotImplementedError


class Initiator(Negotiator):
    """Proposes `protocols` in order; header and first proposal go out together.

    Payload may be sent right after the first proposal, before the answer; it is lost when that one is
    refused.
    """

    def __init__(self, protocols: Sequence[str]) -> None:
        raise NotImplementedError


class Listener(Negotiator):
    """Answers proposals with the first that is in `protocols`.

    Its header is queued at once and may be sent together with the first answer.
    """

    def __init__(self, protocols: Sequence[str]) -> None:
        raise NotImplementedError
