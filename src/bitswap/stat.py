"""What a node counted: of its fetching half, of its serving half, and of both (boxo `bitswap.Stat`)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitswap.cid import CID


@dataclass(frozen=True)
class ServerStat:
    """The serving half since it was made. Bytes are of block data; only completed sends count."""

    peers: tuple[str, ...] = ()
    """Peers with wants that are not answered yet, sorted."""
    blocks_sent: int = 0
    data_sent: int = 0
    messages_sent: int = 0
    """Messages of answers that the network took."""
    sends_failed: int = 0
    """Those that it did not take; what they held is owed again."""
    wants: int = 0
    """Wants held for all peers."""
    pending_tasks: int = 0
    """Answers queued."""
    active_tasks: int = 0
    """Answers handed to the network and not yet acknowledged by it."""
    wants_refused: int = 0
    """Wants given up because their peer has too many (boxo's overflow)."""
    blocks_too_large: int = 0
    """How often a block was refused because no message can carry it."""
    entries_ignored: int = 0
    """Entries with an identity CID or one longer than allowed."""
    wants_denied: int = 0
    """Wants that the filter refused; they were answered as if the block were missing."""
    answers_delayed: int = 0
    """Messages after which their peer, or everybody, had to wait because of a rate in bytes a second."""
    requests_delayed: int = 0
    """Times that messages of a peer had to wait because of a rate in wants a second."""


@dataclass(frozen=True)
class ClientStat:
    """The fetching half since it was made. Bytes are of block data."""

    wantlist: tuple[CID, ...] = ()
    """Every CID that is waited for now."""
    blocks_received: int = 0
    """All of them: those that were wanted, those that came twice, those nobody asked for."""
    data_received: int = 0
    dup_blocks_received: int = 0
    """Blocks that came although the node had them, or had received them from another peer."""
    dup_data_received: int = 0
    messages_received: int = 0
    """Messages of peers, whatever they contain."""


@dataclass(frozen=True)
class Stat(ServerStat, ClientStat):
    """Both halves; a half that is switched off counts nothing."""

    @classmethod
    def of(cls, client: ClientStat | None = None, server: ServerStat | None = None) -> Stat:
        counted = [half for half in (client, server) if half is not None]
        return cls(**{field.name: getattr(half, field.name) for half in counted for field in fields(half)})
