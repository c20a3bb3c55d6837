"""Multiaddrs: self-describing addresses such as /ip4/127.0.0.1/tcp/4001/p2p/12D3Koo….

Text and binary form (multiformats/multiaddr, protocols.csv). Names are kept as they are; nothing is looked up
here. Besides what this node can dial (TCP), the usual protocols of other nodes are understood, so that their
addresses can be read, compared and passed on.
"""

from __future__ import annotations

import ipaddress

from bitswap import varint
from bitswap.errors import UsageError
from bitswap.network.libp2p.multiaddr_protocols import BY_CODE, BY_NAME, Protocol
from bitswap.network.libp2p.peer_id import peer_id_from_text

MAX_LENGTH = 2048
"""Characters or bytes of an address that are looked at; real ones stay below 500."""

_HOSTS = ("ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr")


class Multiaddr:
    """An address: immutable, hashable, equal by its binary form; `str` gives the canonical text.

    `parts` are (protocol name, value or None) from the outside in: (("ip4", "127.0.0.1"), ("tcp", "4001")).
    """

    __slots__ = ("_bytes", "parts")

    parts: tuple[tuple[str, str | None], ...]

    def __init__(self, data: bytes) -> None:
        """From the binary form; raises UsageError."""
        self._bytes = bytes(data)
        self.parts = tuple(_read_parts(self._bytes))

    @classmethod
    def parse(cls, text: str) -> Multiaddr:
        """Read the text form; raises UsageError."""
        return cls(_to_bytes(text))

    @classmethod
    def from_bytes(cls, data: bytes) -> Multiaddr:
        """Read the binary form; raises UsageError."""
        return cls(data)

    @classmethod
    def tcp(cls, host: str, port: int) -> Multiaddr:
        """The address of a TCP port: `host` is an IP address (an IPv6 zone is allowed) or a DNS name."""
        bare, _, zone = host.partition("%")
        try:
            name = f"ip{ipaddress.ip_address(bare).version}"
        except ValueError:
            return cls.parse(f"/dns/{host}/tcp/{port}")
        prefix = f"/ip6zone/{zone}" if zone else ""
        return cls.parse(f"{prefix}/{name}/{bare}/tcp/{port}")

    def to_bytes(self) -> bytes:
        """The binary form."""
        return self._bytes

    @property
    def host(self) -> str | None:
        """The IP address (with "%zone" where there is one) or DNS name that the address begins with."""
        zone = ""
        for name, value in self.parts:
            if name == "ip6zone":
                zone = f"%{value}"
            else:
                return f"{value}{zone}" if name in _HOSTS else None
        return None

    @property
    def host_kind(self) -> str | None:
        """What `host` is: "ip4", "ip6", "dns" (either version), "dns4", "dns6", "dnsaddr" or None."""
        names = self._names()
        return names[0] if names and names[0] in _HOSTS else None

    @property
    def port(self) -> int | None:
        """The TCP port."""
        for name, value in self.parts:
            if name == "tcp" and value is not None:
                return int(value)
        return None

    @property
    def peer_id(self) -> str | None:
        """Whom the address leads to: the /p2p it ends in, in canonical text form."""
        name, value = self.parts[-1]
        return value if name == "p2p" else None

    @property
    def is_tcp(self) -> bool:
        """Whether this is a host, a TCP port, perhaps a peer id, and nothing else (relay, websocket)."""
        names = self._names()
        return names[1:] in (["tcp"], ["tcp", "p2p"]) and names[0] in _HOSTS

    def with_peer(self, peer_id: str) -> Multiaddr:
        """The same address ending in /p2p/`peer_id`, in place of another at the end. Raises UsageError."""
        return Multiaddr.parse(f"{self.without_peer()}/p2p/{peer_id_from_text(peer_id)}")

    def without_peer(self) -> Multiaddr:
        """The same address without a /p2p at its end. Raises UsageError when nothing is left."""
        if self.peer_id is None:
            return self
        if len(self.parts) == 1:
            raise UsageError(f"{self} is nothing but a peer id")
        return Multiaddr.parse(_text(self.parts[:-1]))

    def _names(self) -> list[str]:
        return [name for name, _ in self.parts if name != "ip6zone"]

    def __str__(self) -> str:
        return _text(self.parts)

    def __repr__(self) -> str:
        return f"Multiaddr({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Multiaddr) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


def _text(parts: tuple[tuple[str, str | None], ...]) -> str:
    return "".join(f"/{name}" if value is None else f"/{name}/{value}" for name, value in parts)


def _to_bytes(text: str) -> bytes:
    if len(text) > MAX_LENGTH:
        raise UsageError(f"not a multiaddr: {text[:40]!r}… has {len(text)} characters")
    if not text.startswith("/"):
        raise UsageError(f"not a multiaddr: {text!r} does not begin with /, as in /ip4/127.0.0.1/tcp/4001")
    words = text.rstrip("/").split("/")[1:]
    if not words:
        raise UsageError("not a multiaddr: it names no protocol")
    out, at = b"", 0
    while at < len(words):
        protocol = BY_NAME.get(words[at])
        if protocol is None:
            raise UsageError(f"not a multiaddr: {text!r}: the protocol {words[at]!r} is not known")
        out += varint.encode(protocol.code)
        at += 1
        if protocol.size == 0:
            continue
        if at == len(words) or not words[at]:
            raise UsageError(f"not a multiaddr: {text!r}: /{protocol.name} needs a value")
        out += _value_to_bytes(protocol, words[at], text)
        at += 1
    return out


def _value_to_bytes(protocol: Protocol, word: str, text: str) -> bytes:
    try:
        value = protocol.encode(word)
    except ValueError as error:
        raise UsageError(
            f"not a multiaddr: {text!r}: {word!r} does not fit /{protocol.name}: {error}"
        ) from None
    return value if protocol.size is not None else varint.encode(len(value)) + value


def _read_parts(data: bytes) -> list[tuple[str, str | None]]:
    if not data or len(data) > MAX_LENGTH:
        raise UsageError(f"not a multiaddr: {len(data)} bytes")
    parts: list[tuple[str, str | None]] = []
    at = 0
    try:
        while at < len(data):
            code, at = varint.decode(data, at)
            protocol = BY_CODE.get(code)
            if protocol is None:
                raise UsageError(f"not a multiaddr: the protocol number {code} is not known")
            size, value = protocol.size, None
            if size is None:
                size, at = varint.decode(data, at)
            if size > len(data) - at:
                raise UsageError(f"not a multiaddr: the value of /{protocol.name} is cut")
            if protocol.size != 0:
                value = protocol.decode(data[at : at + size])
            parts.append((protocol.name, value))
            at += size
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(f"not a multiaddr: {error}") from None
    return parts
