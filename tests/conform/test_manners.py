"""The suite leaves a peer as it was: what it wanted it takes back before it goes."""

from __future__ import annotations

import pytest

from bitswap.cid import CID
from bitswap.conform.line import parse_target
from bitswap.conform.runner import chosen, run
from bitswap.message import Entry
from bitswap.network.libp2p.connection import security_ids
from tests.conform.held import HELD
from tests.conform.plainserver import PlainServer

pytestmark = pytest.mark.timeout(120)

WITHOUT_A_WORD = {"reconnect", "forgotten-on-disconnect"}
"""They break connections off, which is what they look at."""


class Remembering(PlainServer):
    """Knows what every peer wanted and has not cancelled when it left."""

    def __init__(self) -> None:
        super().__init__(HELD)
        self.wanted: dict[str, dict[CID, bool]] = {}
        self.left: list[CID] = []

    def want(self, peer: str, entry: Entry) -> None:
        self.wanted.setdefault(peer, {})[entry.cid] = True
        super().want(peer, entry)

    def cancel(self, peer: str, cid: CID) -> None:
        self.wanted.setdefault(peer, {}).pop(cid, None)
        super().cancel(peer, cid)

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None:
        self.left += self.wanted.pop(peer, {})
        super().peer_disconnected(peer, reason)


def test_every_want_is_cancelled() -> None:
    names = [check.name for check in chosen() if check.name not in WITHOUT_A_WORD]
    with Remembering() as server:
        target = parse_target(server.address, security_ids(["tls"]))
        wrong: list[str] = []
        for finding in run(target, chosen(names), cids=[block.cid for block in HELD], timeout=30.0):
            if server.left:
                wrong.append(f"{finding.check.name}: {len(server.left)}")
                server.left.clear()
    # The network is closed, so that the last ones have left too.
    assert wrong == []
    assert server.left == []
    assert server.wanted == {}
