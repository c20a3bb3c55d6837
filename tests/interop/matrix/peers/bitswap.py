"""Our node against itself, to see that the matrix does not blame others for what is ours."""

from __future__ import annotations

from tests.interop.matrix.ours import OURS
from tests.interop.matrix.peer import Direction, Peer, Program


class OwnSource:
    def find(self) -> Program | None:
        return OURS

    def build(self) -> Program:
        return OURS


PEER = Peer("bitswap", OwnSource(), directions=(Direction.WE_FETCH,), required=True)
