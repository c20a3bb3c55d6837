"""Reading and writing messages in tests."""

from __future__ import annotations

from collections.abc import Iterable

from bitswap.cid import CID
from bitswap.message import Message
from bitswap.messagequeue import Ask


def asks_for(cids: Iterable[CID]) -> list[Ask]:
    """Asks with falling priorities."""
    return [(cid, 1000 - place) for place, cid in enumerate(cids)]


def wants_of(message: Message | None) -> dict[CID, tuple[int, bool]]:
    """CID -> (want type, send_dont_have) of the wants in a message."""
    assert message is not None
    return {e.cid: (int(e.want_type), e.send_dont_have) for e in message.wantlist() if not e.cancel}


def cancels_of(message: Message | None) -> set[CID]:
    assert message is not None
    return {entry.cid for entry in message.wantlist() if entry.cancel}
