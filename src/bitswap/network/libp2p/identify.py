"""identify: who a peer is, what it speaks, where it listens (libp2p specification identify/README.md).

The answer is one length-prefixed message or several that merge (go-libp2p splits large ones), up to the end
of the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bitswap import varint
from bitswap.errors import RemoteError
from bitswap.network.libp2p.protobuf import ProtobufError, bytes_field, fields
from bitswap.network.libp2p.yamux_stream import YamuxStream
from bitswap.options import NetworkOptions

IDENTIFY_ID = "/ipfs/id/1.0.0"
IDENTIFY_PUSH_ID = "/ipfs/id/push/1.0.0"
PROTOCOL_VERSION = "ipfs/0.1.0"

_PUBLIC_KEY, _LISTEN_ADDR, _PROTOCOL, _OBSERVED, _PROTOCOL_VERSION, _AGENT = 1, 2, 3, 4, 5, 6
_MAX_TEXT = 256


class IdentifyError(RemoteError):
    """An identify message that cannot be read, or is too large."""


@dataclass(frozen=True)
class Identity:
    """What one side says of itself; empty where it said nothing."""

    public_key: bytes = b""
    listen_addrs: tuple[bytes, ...] = ()
    """Multiaddrs in binary form."""
    protocols: tuple[str, ...] = ()
    observed_addr: bytes = b""
    """The other side's address as this side sees it."""
    protocol_version: str = ""
    agent_version: str = ""

    def encode(self) -> bytes:
        """Length-prefixed message."""
        body = b"".join(
            (
                bytes_field(_PUBLIC_KEY, self.public_key),
                *(bytes_field(_LISTEN_ADDR, address) for address in self.listen_addrs),
                *(bytes_field(_PROTOCOL, protocol.encode()) for protocol in self.protocols),
                bytes_field(_OBSERVED, self.observed_addr) if self.observed_addr else b"",
                bytes_field(_PROTOCOL_VERSION, self.protocol_version.encode()),
                bytes_field(_AGENT, self.agent_version.encode()),
            )
        )
        return varint.encode(len(body)) + body

    @classmethod
    def decode(cls, data: bytes, options: NetworkOptions) -> Identity:
        """Read all messages of one answer, merged; what exceeds the limits is cut. Raises IdentifyError."""
        found: dict[int, list[bytes]] = {}
        try:
            at = 0
            while at < len(data):
                size, at = varint.decode(data, at)
                if size > len(data) - at:
                    raise IdentifyError("identify: a message is longer than the stream")
                for number, value in fields(memoryview(data)[at : at + size]):
                    if isinstance(value, bytes):
                        found.setdefault(number, []).append(value)
                at += size
        except (ProtobufError, RemoteError) as error:
            raise IdentifyError(f"identify: {error}") from None

        def last(number: int) -> bytes:
            return found.get(number, [b""])[-1]

        return cls(
            public_key=last(_PUBLIC_KEY),
            listen_addrs=tuple(found.get(_LISTEN_ADDR, [])[: options.max_peer_addrs]),
            protocols=tuple(map(_text, found.get(_PROTOCOL, [])[: options.max_peer_protocols])),
            observed_addr=last(_OBSERVED),
            protocol_version=_text(last(_PROTOCOL_VERSION)),
            agent_version=_text(last(_AGENT)),
        )


def _text(value: bytes) -> str:
    return value[:_MAX_TEXT].decode("utf-8", "replace")


class IdentifyReader:
    """Owner of a stream on which the peer sends its identity: an answer to ours, or a push."""

    def __init__(
        self, stream: YamuxStream, options: NetworkOptions, done: Callable[[Identity], None]
    ) -> None:
        self._stream = stream
        self._options = options
        self._done = done
        self._data = bytearray()

    def data_received(self, data: memoryview) -> None:
        self._data += data
        self._stream.consume(len(data))
        if len(self._data) > self._options.max_identify_bytes:
            self._stream.reset()

    def end_received(self) -> None:
        try:
            identity = Identity.decode(bytes(self._data), self._options)
        except IdentifyError:
            self._stream.reset()
            return
        self._stream.end()
        self._done(identity)

    def closed(self, error: BaseException | None) -> None: ...

    def drained(self) -> None: ...


class IdentifyWriter:
    """Owner of a stream on which we say who we are; what the peer sends on it is not looked at."""

    def __init__(self, stream: YamuxStream, identity: Identity) -> None:
        self._stream = stream
        stream.write(identity.encode())
        stream.end()

    def data_received(self, data: memoryview) -> None:
        self._stream.consume(len(data))

    def end_received(self) -> None: ...

    def closed(self, error: BaseException | None) -> None: ...

    def drained(self) -> None: ...


def supported(identity: Identity, protocols: Sequence[str]) -> frozenset[str]:
    """Those of `protocols` that the peer listed."""
    return frozenset(protocols).intersection(identity.protocols)
