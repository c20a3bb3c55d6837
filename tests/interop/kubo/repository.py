"""A repository of kubo on disk: its settings, and blocks put into it before a node opens it, or found in it.

The library has no call for raw blocks, so they are written where its block store (flatfs) keeps them: a file
for each, named after its multihash in base32, in a folder named after the two characters before the last one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARDING = "/repo/flatfs/shard/v1/next-to-last/2"
RAW_SHA256 = bytes([1, 0x55, 0x12, 32])
"""What the CID of a made block begins with; the digest follows."""
ELSEWHERE = (
    *("/ip4/0.0.0.0/ipcidr/2", "/ip4/64.0.0.0/ipcidr/3", "/ip4/96.0.0.0/ipcidr/4"),
    *("/ip4/112.0.0.0/ipcidr/5", "/ip4/120.0.0.0/ipcidr/6", "/ip4/124.0.0.0/ipcidr/7"),
    *("/ip4/126.0.0.0/ipcidr/8", "/ip4/128.0.0.0/ipcidr/1", "/ip6/::/ipcidr/0"),
)
"""Everything but 127.0.0.0/8."""


def free_port() -> int:
    """A port that nobody has now; which one 0 became is hard to ask of kubo."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configure(repository: Path, security: str, listen: list[str]) -> str:
    """Settings for loopback alone, one secure channel, nobody to look for; returns the peer's id."""
    path = repository / "config"
    settings: dict[str, Any] = json.loads(path.read_text())
    settings["Addresses"] |= {"Swarm": listen, "API": [], "Gateway": [], "Announce": [], "NoAnnounce": []}
    settings["Bootstrap"] = []
    settings["Discovery"] = {"MDNS": {"Enabled": False}}
    settings["AutoNAT"] = {"ServiceMode": "disabled"}
    settings["Reprovider"] = {"Interval": "0"}
    settings["Swarm"] |= {
        "AddrFilters": list(ELSEWHERE),
        "DisableNatPortMap": True,
        "EnableHolePunching": False,
        "RelayClient": {"Enabled": False},
        "RelayService": {"Enabled": False},
        "ResourceMgr": {"Enabled": False},
        "ConnMgr": {"Type": "none"},
        "Transports": {
            "Network": {
                "TCP": True,
                "QUIC": False,
                "Websocket": False,
                "WebTransport": False,
                "Relay": False,
            },
            "Security": {"TLS": security == "tls" and 100, "Noise": security == "noise" and 100},
            "Multiplexers": {"Yamux": 100, "Mplex": False},
        },
    }
    path.write_text(json.dumps(settings, indent=2))
    peer: str = settings["Identity"]["PeerID"]
    return peer


def made_block(seed: str, index: int, size: int) -> bytes:
    """Block number `index` of `seed`: sha256("seed:index:j") for j = 0, 1, ... cut at `size` bytes."""
    parts = (hashlib.sha256(f"{seed}:{index}:{j}".encode()).digest() for j in range(-(-size // 32)))
    return b"".join(parts)[:size]


def text_of(cid: bytes) -> str:
    """A CID of version 1 in base32."""
    return "b" + base64.b32encode(cid).decode().rstrip("=").lower()


def bytes_of(text: str) -> bytes:
    """The CID of version 1 that `text` is in base32; raises ValueError."""
    if not text.startswith("b"):
        raise ValueError(f"{text}: only CIDs of version 1 in base32 are read")
    digits = text[1:].upper()
    return base64.b32decode(digits + "=" * (-len(digits) % 8))


class Blocks:
    """The block store of a repository, laid out here before the first node opens it."""

    def __init__(self, repository: Path) -> None:
        if SHARDING not in (repository / "config").read_text():
            raise ValueError(f"the block store is not laid out as {SHARDING}")
        self._folder = repository / "blocks"
        self._folder.mkdir()
        (self._folder / "SHARDING").write_text(SHARDING + "\n")

    def put(self, data: bytes, prefix: bytes = RAW_SHA256) -> bytes:
        """Store a block whose CID begins with `prefix`; returns its CID."""
        cid = prefix + hashlib.sha256(data).digest()
        path = self._path(cid)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return cid

    def missing(self, cids: list[bytes]) -> list[bytes]:
        """Those of which there is no file yet."""
        return [cid for cid in cids if not self._path(cid).exists()]

    def sizes(self, cids: list[bytes]) -> Iterator[int]:
        """The size of each block that is there, whole and with the right digest."""
        for cid in cids:
            path = self._path(cid)
            if path.exists():
                data = path.read_bytes()
                if hashlib.sha256(data).digest() == cid[-32:]:
                    yield len(data)

    def _path(self, cid: bytes) -> Path:
        name = base64.b32encode(cid[2:]).decode().rstrip("=")
        return self._folder / name[-3:-1] / f"{name}.data"


def links_to(cids: list[bytes]) -> bytes:
    """A dag-pb node with a link to each block, so that all of them are one graph."""
    parts = []
    for cid in cids:
        link = b"\x0a" + _varint(len(cid)) + cid + b"\x12\x00"
        parts.append(b"\x12" + _varint(len(link)) + link)
    return b"".join(parts)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
