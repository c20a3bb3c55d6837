"""One entry of the corpus: the bytes of a stream, what a decoder makes of them, what a peer may do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.message.protocols import BITSWAP_1_2_0

ANSWER, IGNORE, MAY_CLOSE = "answer", "ignore", "may-close"
"""What a peer must do: answer the wants that ask for DONT_HAVE; take it without closing the stream; anything
that harms nothing but this stream."""

LENGTH_OVERFLOW, LENGTH_PADDED, LENGTH_LIMIT = "length-overflow", "length-padded", "length-above-limit"
CUT_LENGTH, CUT_BODY, PROTOBUF = "cut-length", "cut-body", "protobuf"
BAD_CID, BAD_PREFIX, BAD_HASH = "cid", "prefix", "hash"
ERRORS = (
    *(LENGTH_OVERFLOW, LENGTH_PADDED, LENGTH_LIMIT, CUT_LENGTH, CUT_BODY, PROTOBUF),
    *(BAD_CID, BAD_PREFIX, BAD_HASH),
)
"""Why a decoder refuses what it is given, from the outside to the inside."""

LONG_TEXT = 400
"""Characters of a CID from which on its digest stands in its place."""

Part = tuple[bytes, int]
"""Bytes, and how often they are repeated."""


@dataclass(frozen=True)
class Content:
    """A decoded message; elements in the order in which their CIDs came first."""

    full: bool = False
    entries: tuple[tuple[str, int, int, bool, bool], ...] = ()
    """(CID, priority, want type, cancel, send DONT_HAVE)"""
    blocks: tuple[tuple[str, int, str], ...] = ()
    """(CID, bytes, sha2-256 of the data in hexadecimal)"""
    presences: tuple[tuple[str, int], ...] = ()
    """(CID, type)"""
    pending_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Without what is empty."""
        record = {
            "full": self.full,
            "entries": [list(item) for item in self.entries],
            "blocks": [list(item) for item in self.blocks],
            "presences": [list(item) for item in self.presences],
            "pendingBytes": self.pending_bytes,
        }
        return {name: value for name, value in record.items() if value}


EMPTY = Content()


def text(cid: object) -> str:
    """The text of a CID; of a very long one "sha256:DIGEST:CHARACTERS"."""
    words = str(cid)
    if len(words) <= LONG_TEXT:
        return words
    return f"sha256:{hashlib.sha256(words.encode()).hexdigest()}:{len(words)}"


@dataclass(frozen=True)
class Case:
    """A stream that begins with a frame's length; made by the functions below."""

    name: str
    theme: str
    about: str
    parts: tuple[Part, ...]
    messages: tuple[Content, ...] = ()
    """What comes out before the end, or before the error."""
    error: str | None = None
    """One of ERRORS, or None where the stream ends as it should."""
    peer: str = IGNORE
    pieces: int = 0
    """Bytes a write when it is sent; 0: all at once."""
    protocol: str = BITSWAP_1_2_0
    send: bool = True
    """Whether peers are sent it."""

    @property
    def data(self) -> bytes:
        """The whole stream."""
        return b"".join(part * times for part, times in self.parts)

    @property
    def asks(self) -> tuple[str, ...]:
        """CIDs that a peer which lacks them answers with DONT_HAVE."""
        if self.peer != ANSWER:
            return ()
        entries = [entry for message in self.messages for entry in message.entries]
        return tuple(dict.fromkeys(cid for cid, _, _, cancel, ask in entries if ask and not cancel))

    def to_json(self) -> dict[str, Any]:
        """A line of the corpus."""
        record: dict[str, Any] = {"name": self.name, "theme": self.theme, "about": self.about}
        if all(times == 1 for _, times in self.parts):
            record["hex"] = self.data.hex()
        else:
            record["parts"] = [[part.hex(), times] for part, times in self.parts]
        record["verdict"] = "ok" if self.error is None else "error"
        record["messages"] = [message.to_json() for message in self.messages]
        if self.error is not None:
            record["error"] = self.error
        record["peer"] = self.peer
        if self.pieces:
            record["pieces"] = self.pieces
        record["protocol"] = self.protocol
        record["send"] = self.send
        return record


@dataclass
class Draft:
    """A body and what it means, put together side by side so that neither is computed from the other."""

    pieces: list[bytes] = field(default_factory=list)
    content: Content = EMPTY

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def raw(self, data: bytes) -> Draft:
        """Bytes that mean nothing."""
        self.pieces.append(data)
        return self

    def want(
        self,
        cid: CID,
        priority: int = 1,
        want_type: int = 0,
        *,
        cancel: bool = False,
        dont_have: bool = True,
    ) -> Draft:
        """One entry in a wantlist of its own; several wantlists are one (protobuf merges them)."""
        coded = wire.entry(cid, priority, want_type, cancel=cancel, dont_have=dont_have)
        self.pieces.append(wire.wantlist(coded))
        return self.means(entries=[(cid, priority, want_type, cancel, dont_have)])

    def block(self, cid: CID, data: bytes) -> Draft:
        self.pieces.append(wire.payload(cid.prefix, data))
        return self.means(blocks=[(cid, data)])

    def presence(self, cid: CID, kind: int = 0) -> Draft:
        self.pieces.append(wire.presence(cid, kind))
        return self.means(presences=[(cid, kind)])

    def means(
        self,
        *,
        entries: Iterable[tuple[CID, int, int, bool, bool]] = (),
        blocks: Iterable[tuple[CID, bytes]] = (),
        presences: Iterable[tuple[CID, int]] = (),
        full: bool | None = None,
        pending_bytes: int | None = None,
    ) -> Draft:
        """Add to what it means alone."""
        now = self.content
        self.content = replace(
            now,
            entries=now.entries + tuple((text(entry[0]), *entry[1:]) for entry in entries),
            blocks=now.blocks
            + tuple((text(cid), len(data), hashlib.sha256(data).hexdigest()) for cid, data in blocks),
            presences=now.presences + tuple((text(cid), kind) for cid, kind in presences),
            full=now.full if full is None else full,
            pending_bytes=now.pending_bytes if pending_bytes is None else pending_bytes,
        )
        return self


def key(label: str) -> CID:
    """A CID that nobody has a block for, the same each time."""
    return CID.v1(0x55, b"\x12\x20" + hashlib.sha256(f"bitswap corpus: {label}".encode()).digest())


def accepted(theme: str, name: str, about: str, draft: Draft, **more: Any) -> Case:
    """A stream of one good message."""
    peer = more.pop(
        "peer", ANSWER if any(ask and not off for *_, off, ask in draft.content.entries) else IGNORE
    )
    return Case(name, theme, about, ((wire.frame(draft.body), 1),), (draft.content,), peer=peer, **more)


def refused(theme: str, name: str, about: str, body: bytes, error: str, **more: Any) -> Case:
    """A stream of one message that a decoder refuses."""
    return Case(name, theme, about, ((wire.frame(body), 1),), error=error, peer=MAY_CLOSE, **more)


def broken(theme: str, name: str, about: str, stream: bytes, error: str, **more: Any) -> Case:
    """A stream whose frames are wrong."""
    return Case(name, theme, about, ((stream, 1),), error=error, peer=MAY_CLOSE, **more)
