"""multistream-select 1.0: which protocol a connection or stream speaks (libp2p connections/README.md).

Each side sends lines: a length, the text, a newline. The initiator proposes, the listener echoes what it
agrees to or says "na". The machines here take bytes and give bytes; they serve connections and streams alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from bitswap.errors import RemoteError, UsageError
from bitswap.options import NetworkOptions

HEADER = "/multistream/1.0.0"
MAX_LINE = 1024
"""Bytes of a line, newline included (go-multistream refuses longer ones)."""

_NA = "na"
_LS = "ls"


class NegotiationError(RemoteError):
    """No protocol in common, or bytes that are not multistream-select."""


class Negotiator(ABC):
    """What both sides share: feed `receive`, send `data_to_send`, until `selected` is set.

    `selected` is the agreed protocol, None until then. `leftover` holds the bytes that came after the
    agreement; they belong to the selected protocol.
    """

    def __init__(self) -> None:
        self.selected: str | None = None
        self.leftover = b""
        self._received = bytearray()
        self._out = encode_line(HEADER)
        self._header_seen = False

    def receive(self, data: bytes | memoryview) -> None:
        """Take bytes of the peer, who is not asked to send them in one piece. Raises NegotiationError."""
        if self.selected is not None:
            self.leftover += data
            return
        self._received += data
        at = 0
        while self.selected is None:
            line, after = _read_line(self._received, at)
            if line is None:
                break
            at = after
            if self._header_seen:
                self._line(line)
            elif line != HEADER:
                raise NegotiationError(f"the peer speaks {line[:40]!r} instead of {HEADER}")
            self._header_seen = True
        if self.selected is not None:
            self.leftover = bytes(self._received[at:])
            self._received.clear()
        else:
            del self._received[:at]

    def data_to_send(self) -> bytes:
        """Take the bytes to send, b"" when there are none."""
        out, self._out = self._out, b""
        return out

    @abstractmethod
    def _line(self, line: str) -> None:
        """Take one line in."""


class Initiator(Negotiator):
    """Proposes `protocols` in order; header and first proposal go out together.

    Payload may be sent right after the first proposal, before the answer; it is lost when that one is
    refused.
    """

    def __init__(self, protocols: Sequence[str]) -> None:
        super().__init__()
        if not protocols:
            raise UsageError("no protocol to propose")
        self._protocols = tuple(protocols)
        self._proposed = 0
        self._out += encode_line(self._protocols[0])

    def _line(self, line: str) -> None:
        proposal = self._protocols[self._proposed]
        if line == proposal:
            self.selected = proposal
        elif line != _NA:
            raise NegotiationError(f"the peer answered {line[:40]!r} to the proposal {proposal}")
        elif self._proposed + 1 == len(self._protocols):
            raise NegotiationError(f"none of {', '.join(self._protocols)} is supported by the peer")
        else:
            self._proposed += 1
            self._out += encode_line(self._protocols[self._proposed])


class Listener(Negotiator):
    """Agrees to the first proposal that is in `protocols`.

    Its header is queued at once and may be sent together with the first answer.
    """

    def __init__(
        self, protocols: Collection[str], *, max_proposals: int = NetworkOptions.max_proposals
    ) -> None:
        super().__init__()
        self._protocols = protocols
        self._proposals_left = max_proposals

    def _line(self, line: str) -> None:
        if self._proposals_left == 0:
            raise NegotiationError("the peer made too many proposals")
        self._proposals_left -= 1
        if line in self._protocols:
            self.selected = line
            self._out += encode_line(line)
        elif line == _LS:
            body = b"".join(encode_line(protocol) for protocol in self._protocols)
            self._out += _length(len(body) + 1) + body + b"\n"
        else:
            self._out += encode_line(_NA)


def encode_line(text: str) -> bytes:
    """One line as it goes on the wire. Raises UsageError when it is too long."""
    data = text.encode()
    if len(data) >= MAX_LINE:
        raise UsageError(f"a protocol id of {len(data)} bytes, at most {MAX_LINE - 1} are possible")
    return _length(len(data) + 1) + data + b"\n"


def _length(size: int) -> bytes:
    return bytes((size,)) if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))


def _read_line(data: bytearray, at: int) -> tuple[str | None, int]:
    """The line that starts at `at`, and where the next one starts; None while it is not complete."""
    if at >= len(data):
        return None, at
    size, start = data[at], at + 1
    if size & 0x80:
        if start >= len(data):
            return None, at
        size, start = size & 0x7F | data[start] << 7, start + 1
    # A third byte of length sets the second one's high bit, and so the size is over the limit.
    if not 0 < size <= MAX_LINE:
        raise NegotiationError(f"not multistream-select: a line of more than {MAX_LINE} bytes, or of none")
    end = start + size
    if end > len(data):
        return None, at
    if data[end - 1] != 0x0A:
        raise NegotiationError("not multistream-select: a line without its end")
    try:
        return data[start : end - 1].decode(), end
    except UnicodeDecodeError:
        raise NegotiationError("not multistream-select: a line that is not text") from None
