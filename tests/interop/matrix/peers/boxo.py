"""boxo over go-libp2p: the program in tests/interop/peer."""

from __future__ import annotations

import re

from tests.interop import gopeer
from tests.interop.matrix.peer import (
    MANY,
    SMALL,
    Absent,
    BuildFailed,
    Direction,
    Known,
    Peer,
    Program,
    Verdict,
)


class GoSource:
    """A first build takes a minute; the tests against boxo make it for themselves, so it counts as built."""

    def find(self) -> Program | None:
        return self.build()

    def build(self) -> Program:
        try:
            binary = gopeer.build()
        except gopeer.GoAbsent as error:
            raise Absent(str(error)) from None
        except RuntimeError as error:
            raise BuildFailed(str(error)) from None
        modules = (gopeer.SOURCE / "go.mod").read_text()
        boxo, libp2p = (re.search(rf"{name} v(\S+)", modules) for name in ("ipfs/boxo", "libp2p/go-libp2p"))
        assert boxo is not None
        assert libp2p is not None
        return Program((binary,), f"boxo {boxo[1]}, go-libp2p {libp2p[1]}")


PEER = Peer(
    "boxo",
    GoSource(),
    known=(
        Known(
            Verdict.LIMITED,
            "A boxo session asks for some of its blocks by want-have first. Blocks of 1 KiB are the answer "
            "to that, and those that it asks for by want-block before they have come are sent again.",
            direction=Direction.PEER_FETCHES,
            shapes=(SMALL, MANY),
            seen=r'"want_haves_in": \d',
            always=False,
        ),
    ),
    required=True,
)
