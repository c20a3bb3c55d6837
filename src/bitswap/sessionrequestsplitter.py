"""Dealing wants out among the peers of a session, by what each still has to deliver and how fast it is.

The name is that of go-bitswap's sessionrequestsplitter, which cut requests into as many parts as there were
duplicates to spare; here every want goes to one peer.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from bitswap.sessionpeermanager import SessionPeer


def expected_wait(peer: SessionPeer, usual_speed: float, *, blind: bool) -> float:
    """Seconds until `peer` would deliver one more; `usual_speed` (blocks a second) is for newcomers.

    `blind`: it is not known to have it, so that its share of hits counts.
    """
    wait = (peer.outstanding + 1) / (peer.speed or usual_speed)
    return wait / peer.hits.share if blind else wait


def usual_speed(peers: Sequence[SessionPeer]) -> float:
    """The mean of the known speeds, in blocks a second; 1 before any is known."""
    known = [speed for speed in (peer.speed for peer in peers) if speed is not None]
    return sum(known) / len(known) if known else 1.0


def split(count: int, peers: Sequence[SessionPeer]) -> list[tuple[SessionPeer, list[int]]]:
    """Deal the numbers 0 to `count` - 1, each to the peer that is expected to deliver it first.

    Nobody gets more than its limit allows; what fits nowhere is left out, and that is always the end. Every
    peer's numbers are in order.
    """
    with_room = [peer for peer in peers if peer.outstanding < peer.limit]
    if not with_room or not count:
        return []
    if len(with_room) == 1:
        only = with_room[0]
        return [(only, list(range(min(count, only.limit - only.outstanding))))]
    usual = usual_speed(peers)
    # (expected wait, place in the list, seconds a block, places left): the place keeps ties in order.
    heap = []
    for place, peer in enumerate(with_room):
        wait = expected_wait(peer, usual, blind=True)
        heap.append((wait, place, wait / (peer.outstanding + 1), peer.limit - peer.outstanding))
    heapq.heapify(heap)
    dealt: list[list[int]] = [[] for _ in with_room]
    for number in range(count):
        wait, place, step, left = heap[0]
        dealt[place].append(number)
        if left > 1:
            heapq.heapreplace(heap, (wait + step, place, step, left - 1))
        else:
            heapq.heappop(heap)
            if not heap:
                break
    return [(peer, numbers) for peer, numbers in zip(with_room, dealt, strict=True) if numbers]
