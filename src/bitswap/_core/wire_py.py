"""The message and its wire format in Python, over protobuf's generated classes."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError

from bitswap._core.elements import PRESENCE, WANT, as_cid, legacy_block, payload_block, read_cid
from bitswap._core.framing_py import FrameReader
from bitswap._core.interface import (
    Entry,
    PresenceType,
    WantType,
    check_version,
    int32,
    too_large,
)
from bitswap._core.message_pb2 import Message as Proto
from bitswap._core.protowire import check, normalise
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.options import MAX_FRAME
from bitswap.varint import encode as encode_varint

__all__ = ["FrameReader", "Message"]

_HAVE = int(PresenceType.HAVE)
_DONT_HAVE = int(PresenceType.DONT_HAVE)
_BLOCK = int(WantType.BLOCK)
_WANT_HAVE = int(WantType.HAVE)
_C_RUNTIME = api_implementation.Type() == "upb"
# Bytes an element from which on it is faster to look at a body's fields than to write it again.
_LARGE = 4096


class Message:
    """A Bitswap message; see `MessageType`."""

    __slots__ = ("_blocks", "_entries", "_pending_bytes", "_presences", "_read_size", "full")

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self._pending_bytes = 0
        self._entries: dict[CID, Entry] = {}
        self._blocks: dict[CID, Block] = {}
        self._presences: dict[CID, int] = {}
        self._read_size = -1

    @property
    def pending_bytes(self) -> int:
        return self._pending_bytes

    @pending_bytes.setter
    def pending_bytes(self, value: int) -> None:
        self._pending_bytes = int32(value, "pending bytes")

    @property
    def body_size(self) -> int:
        return self._read_size if self._read_size >= 0 else len(self.to_body())

    # What goes in

    def add_entry(
        self, cid: CID, priority: int, want_type: int = _BLOCK, send_dont_have: bool = False
    ) -> int:
        return self._merge(
            Entry(
                as_cid(cid),
                int32(priority, "priority"),
                int32(want_type, "want type"),
                False,
                bool(send_dont_have),
            )
        )

    def cancel(self, cid: CID) -> int:
        return self._merge(Entry(as_cid(cid), 0, _BLOCK, True, False))

    def remove(self, cid: CID) -> None:
        self._entries.pop(as_cid(cid), None)

    def add_block(self, block: Block) -> None:
        cid = as_cid(block.cid)
        self._presences.pop(cid, None)
        self._blocks[cid] = block

    def add_have(self, cid: CID) -> None:
        self.add_presence(cid, _HAVE)

    def add_dont_have(self, cid: CID) -> None:
        self.add_presence(cid, _DONT_HAVE)

    def add_presence(self, cid: CID, presence_type: int) -> None:
        cid = as_cid(cid)
        presence_type = int32(presence_type, "presence type")
        if cid not in self._blocks:
            self._presences[cid] = presence_type

    def reset(self, full: bool) -> None:
        Message.__init__(self, full)

    def _merge(self, new: Entry) -> int:
        old = self._entries.get(new.cid)
        self._entries[new.cid] = new if old is None else _merged(old, new)
        return _entry_size(new) if old is None else 0

    # What comes out

    def wantlist(self) -> list[Entry]:
        return list(self._entries.values())

    @property
    def entry_count(self) -> int:
        return len(self._entries)

    def blocks(self) -> list[Block]:
        return list(self._blocks.values())

    def haves(self) -> list[CID]:
        return [cid for cid, presence in self._presences.items() if presence == _HAVE]

    def dont_haves(self) -> list[CID]:
        return [cid for cid, presence in self._presences.items() if presence == _DONT_HAVE]

    def presences(self) -> list[tuple[CID, int]]:
        return list(self._presences.items())

    def size(self) -> int:
        return (
            sum(len(block.data) for block in self._blocks.values())
            + sum(_presence_size(cid, _HAVE) for cid in self._presences)
            + sum(map(_entry_size, self._entries.values()))
        )

    def empty(self) -> bool:
        return not (self._entries or self._blocks or self._presences)

    @property
    def has_wants(self) -> bool:
        return bool(self.full or self._entries)

    def clone(self) -> Message:
        copy = Message(self.full)
        copy._pending_bytes = self._pending_bytes
        copy._entries = self._entries.copy()
        copy._blocks = self._blocks.copy()
        copy._presences = self._presences.copy()
        copy._read_size = self._read_size
        return copy

    def __repr__(self) -> str:
        return (
            f"<Message full={self.full} entries={len(self._entries)} blocks={len(self._blocks)} "
            f"presences={len(self._presences)} pending_bytes={self._pending_bytes}>"
        )

    # The wire

    @classmethod
    def from_body(cls, body: bytes) -> Message:
        if type(body) is not bytes:
            body = bytes(memoryview(body))
        proto = _parse(body)
        message = cls(proto.wantlist.full)
        entries = message._entries
        for position, want in enumerate(proto.wantlist.entries):
            cid = read_cid(want.block, WANT, position)
            new = Entry(cid, want.priority, want.wantType, want.cancel, want.sendDontHave)
            old = entries.get(cid)
            entries[cid] = new if old is None else _merged(old, new)
        for content in proto.blocks:
            message.add_block(legacy_block(content))
        for position, part in enumerate(proto.payload):
            message.add_block(payload_block(part.prefix, part.data, position))
        for position, presence in enumerate(proto.blockPresences):
            cid = read_cid(presence.cid, PRESENCE, position)
            if cid not in message._blocks:
                message._presences[cid] = presence.type
        message._pending_bytes = proto.pendingBytes
        message._read_size = len(body)
        return message

    def to_body(self, version: int = 1) -> bytes:
        return b"".join(self._encode_all(version))

    def to_frame(self, version: int = 1) -> bytes:
        return _frame(self._encode_all(version))

    def to_frames(self, version: int = 1, limit: int = MAX_FRAME) -> list[bytes]:
        whole = self._encode_all(version)
        if sum(map(len, whole)) <= limit:
            return [_frame(whole)]
        entries, blocks, presences = self.wantlist(), self.blocks(), self.presences()
        sizes = [
            [_field_size(_entry_size(entry)) for entry in entries],
            [_field_size(_block_size(block, version)) for block in blocks],
            [_field_size(_presence_size(*presence)) for presence in presences] if version else [],
        ]
        frames: list[bytes] = []
        start = (0, 0, 0)
        while not frames or start != tuple(map(len, sizes)):
            full = bool(self.full and not frames)
            stop = self._fill_part(sizes, start, full, version, limit)
            (e, b, p), (f, c, q) = start, stop
            frames.append(_frame(self._encode(version, full, entries[e:f], blocks[b:c], presences[p:q])))
            start = stop
        return frames

    def _fill_part(
        self, sizes: list[list[int]], start: tuple[int, int, int], full: bool, version: int, limit: int
    ) -> tuple[int, int, int]:
        """Where a part of at most `limit` bytes that begins at `start` (entry, block, presence) ends."""
        stop = list(start)
        wants = 2 if full else 0
        rest = 1 + _int32_size(self._pending_bytes) if version and self._pending_bytes else 0
        for kind, what in enumerate(("one want", "one block", "one presence")):
            while stop[kind] < len(sizes[kind]):
                size = sizes[kind][stop[kind]]
                total = _field_size(wants + size) + rest if kind == 0 else _field_size(wants) + rest + size
                if total > limit:
                    if tuple(stop) == start:
                        raise too_large(what, total, limit)
                    return stop[0], stop[1], stop[2]
                stop[kind] += 1
                if kind == 0:
                    wants += size
                else:
                    rest += size
        return stop[0], stop[1], stop[2]

    def _encode_all(self, version: int) -> list[bytes]:
        check_version(version)
        return self._encode(
            version, self.full, self._entries.values(), self._blocks.values(), self._presences.items()
        )

    def _encode(
        self,
        version: int,
        full: bool,
        entries: Iterable[Entry],
        blocks: Iterable[Block],
        presences: Iterable[tuple[CID, int]],
    ) -> list[bytes]:
        """The pieces of a body; the data of blocks is among them as it is, not copied through the runtime."""
        proto = Proto()
        # Peers of old releases fail on a message without a wantlist.
        wantlist = proto.wantlist
        wantlist.SetInParent()
        wantlist.full = full
        add_entry = wantlist.entries.add
        for cid, priority, want_type, cancel, send_dont_have in entries:
            add_entry(
                block=cid, priority=priority, wantType=want_type, cancel=cancel, sendDontHave=send_dont_have
            )
        pieces = [proto.SerializeToString()]
        for block in blocks:
            pieces += _block_pieces(block, version)
        if version:
            proto = Proto(pendingBytes=self._pending_bytes)
            for cid, presence in presences:
                proto.blockPresences.add(cid=cid, type=presence)
            pieces.append(proto.SerializeToString())
        return pieces


def _merged(old: Entry, new: Entry) -> Entry:
    """A cancel and a want-block stay what they are; the priority follows requests of the same type only."""
    return Entry(
        old.cid,
        new.priority if new.want_type == old.want_type else old.priority,
        _BLOCK if new.want_type == _BLOCK and old.want_type == _WANT_HAVE else old.want_type,
        old.cancel or new.cancel,
        old.send_dont_have or new.send_dont_have,
    )


def _parse(body: bytes) -> Proto:
    """The body as protobuf, read as peers read it; WireError if it is none.

    The C runtime refuses long tags and deep groups, which peers take, and takes varints with bits beyond the
    64th, which they refuse; so what it takes is looked over. The runtime in Python has more oddities.
    """
    proto = Proto()
    try:
        if not _C_RUNTIME:
            raise DecodeError
        proto.ParseFromString(body)
    except DecodeError:
        proto.ParseFromString(normalise(body))
        return proto
    fields = len(proto.wantlist.entries) + len(proto.blocks) + len(proto.payload) + len(proto.blockPresences)
    if len(body) <= _LARGE * fields:
        # A body that is written back unchanged has no odd varints: faster than to look at each.
        proto.DiscardUnknownFields()
        if proto.SerializeToString() == body:
            return proto
    check(body)
    return proto


def _frame(pieces: list[bytes]) -> bytes:
    return b"".join([encode_varint(sum(map(len, pieces))), *pieces])


# Sizes of protobuf elements; zero scalars and empty bytes are not written.


def _varint_size(value: int) -> int:
    return (value.bit_length() + 6) // 7 or 1


def _int32_size(value: int) -> int:
    return _varint_size(value) if value >= 0 else 10


def _field_size(length: int) -> int:
    """Of a length-delimited field with a one-byte tag and content of `length` bytes."""
    return 1 + _varint_size(length) + length


def _entry_size(entry: Entry) -> int:
    size = _field_size(len(entry.cid))
    if entry.priority:
        size += 1 + _int32_size(entry.priority)
    if entry.want_type:
        size += 1 + _int32_size(entry.want_type)
    return size + 2 * entry.cancel + 2 * entry.send_dont_have


def _presence_size(cid: CID, presence: int) -> int:
    size = _field_size(len(cid))
    return size + 1 + _int32_size(presence) if presence else size


def _block_size(block: Block, version: int) -> int:
    if version == 0:
        return len(block.data)
    size = _field_size(len(block.cid.prefix))
    return size + _field_size(len(block.data)) if block.data else size


def _block_pieces(block: Block, version: int) -> tuple[bytes, bytes]:
    """An element of `blocks` or `payload`: what precedes the data, and the data."""
    data = block.data
    if version == 0:
        return b"\x12" + encode_varint(len(data)), data
    prefix = block.cid.prefix
    head = b"\x0a" + encode_varint(len(prefix)) + prefix
    if data:
        head += b"\x12" + encode_varint(len(data))
    return b"\x1a" + encode_varint(len(head) + len(data)) + head, data
