"""A session of a client as callers hold it, and what can be read of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.cidsource import AnyCid, to_cid
from bitswap.errors import UsageError
from bitswap.getter import Fetcher, Getter
from bitswap.network.interface import Peer
from bitswap.oneblock import OneBlock

if TYPE_CHECKING:
    from typing_extensions import Self

    from bitswap.client import Client
    from bitswap.explanation import Explanation
    from bitswap.options import ClientOptions
    from bitswap.session import Session


@dataclass(frozen=True)
class PeerStat:
    """What one peer sent to a session. Bytes are of block data."""

    blocks: int = 0
    bytes: int = 0
    duplicates: int = 0


@dataclass(frozen=True)
class SessionStat:
    """What a session received; duplicates are blocks that came once more after they had been received."""

    blocks: int = 0
    bytes: int = 0
    duplicates: int = 0
    peers: dict[Peer, PeerStat] = field(default_factory=dict)


class ClientSession(Fetcher):
    """Wants that belong together. Ends every request with `close`; a context manager."""

    _spans_prefix = "Session."

    def __init__(self, client: Client, session: Session) -> None:
        self._client = client
        self._session = session
        self._spans = client._spans

    def getter(self, timeout: float | None = None) -> Getter:
        """A request within this session."""
        return self._client._getter(self._session, timeout, alone=False)

    def _get_one(self, cid: CID, timeout: float | None) -> Block:
        return self._one_block(cid, timeout).get()

    def _one_block(self, cid: CID, timeout: float | None) -> OneBlock:
        return OneBlock(self._client, self._session, cid, timeout)

    @property
    def _client_options(self) -> ClientOptions:
        return self._client.options

    def explain(self, cid: AnyCid) -> Explanation:
        """Where a block stays that this session wants; see `Client.explain`."""
        return self._client._explain(to_cid(cid), self._session)

    @property
    def stats(self) -> SessionStat:
        return self._client._session_stat(self._session)

    @property
    def duplicates(self) -> int:
        """Blocks that came once more after they had been received."""
        return self._session.duplicates

    def close(self) -> None:
        """Cancel what the session still wants; a second call does nothing."""
        self._client._close_session(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def named_peers(peers: Iterable[Peer] | None, broadcast: bool) -> list[Peer] | None:
    """The peers of a session as a list; raises UsageError for a session that may ask nobody."""
    if isinstance(peers, str):
        raise UsageError("peers is a list of peer ids")
    named = None if peers is None else list(peers)
    if not named and not broadcast:
        raise UsageError("a session that does not broadcast needs peers to ask")
    return named or None
