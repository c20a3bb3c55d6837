"""The protocols that multiaddrs are made of: numbers, sizes, text of values (multiaddr protocols.csv)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

from bitswap import multibase
from bitswap.network.libp2p.peer_id import peer_id_from_bytes, peer_id_to_bytes

MAX_NAME = 253
"""Characters of a DNS name (RFC 1035, in text form)."""

_NAME = re.compile(r"[^\s/\x00-\x1f]+")


class Protocol(NamedTuple):
    """One protocol. `size` is in bytes: 0 = no value, None = a length goes before the value.

    `encode` and `decode` turn a value's text into bytes and back; they raise ValueError.
    """

    name: str
    code: int
    size: int | None
    encode: Callable[[str], bytes]
    decode: Callable[[bytes], str]


def _ip4(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed


def _ip6(text: str) -> bytes:
    if "%" in text:
        raise ValueError("a zone is written /ip6zone/ZONE/ip6/…")
    return ipaddress.IPv6Address(text).packed


def _port(text: str) -> bytes:
    if not (text.isascii() and text.isdigit()) or int(text) > 0xFFFF:
        raise ValueError("a port is a number from 0 to 65535")
    return int(text).to_bytes(2, "big")


def _port_text(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def _name(text: str) -> bytes:
    if len(text) > MAX_NAME or not _NAME.fullmatch(text):
        raise ValueError(f"a name has 1 to {MAX_NAME} characters, none of them a space or /")
    return text.encode()


def _name_text(data: bytes) -> str:
    text = data.decode()
    _name(text)
    return text


def _multihash_text(data: bytes) -> str:
    return multibase.encode("base64url", data)


def _nothing(_text: str) -> bytes:
    return b""


def _no_text(_data: bytes) -> str:
    return ""


def _flag(name: str, code: int) -> Protocol:
    return Protocol(name, code, 0, _nothing, _no_text)


def _named(name: str, code: int) -> Protocol:
    return Protocol(name, code, None, _name, _name_text)


PROTOCOLS = (
    Protocol("ip4", 4, 4, _ip4, lambda data: str(ipaddress.IPv4Address(data))),
    Protocol("ip6", 41, 16, _ip6, lambda data: str(ipaddress.IPv6Address(data))),
    _named("ip6zone", 42),
    _named("dns", 53),
    _named("dns4", 54),
    _named("dns6", 55),
    _named("dnsaddr", 56),
    Protocol("tcp", 6, 2, _port, _port_text),
    Protocol("udp", 273, 2, _port, _port_text),
    Protocol("p2p", 421, None, peer_id_to_bytes, peer_id_from_bytes),
    _flag("p2p-circuit", 290),
    _flag("quic", 460),
    _flag("quic-v1", 461),
    _flag("webtransport", 465),
    Protocol("certhash", 466, None, multibase.decode, _multihash_text),
    _flag("webrtc-direct", 280),
    _flag("webrtc", 281),
    _flag("ws", 477),
    _flag("wss", 478),
    _flag("tls", 448),
    _named("sni", 449),
    _flag("noise", 454),
    _flag("http", 480),
    _flag("https", 443),
)

BY_CODE = {protocol.code: protocol for protocol in PROTOCOLS}
BY_NAME = {protocol.name: protocol for protocol in PROTOCOLS} | {"ipfs": BY_CODE[421]}
