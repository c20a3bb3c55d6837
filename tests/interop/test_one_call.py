"""A boxo client that asks for everything in one call: our server forgets none of it, so nothing stalls.

What a server does not keep, boxo asks for again only after 15 seconds and more, a part at a time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bitswap import Block
from bitswap.blockstore import MemoryBlockstore
from tests.interop import ours
from tests.interop.gopeer import GoPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]


# One wait would be too long for the first, and the many that a server with less room causes for the second.
@pytest.mark.parametrize(("count", "seconds"), [(10_000, 15), (50_000, 60)])
def test_all_of_it_comes_without_a_wait(
    go_peer: GoPeer, security: str, count: int, seconds: int, tmp_path: Path, run: int
) -> None:
    blocks = [Block.of(number.to_bytes(4, "big") * 256) for number in range(count)]
    store = MemoryBlockstore()
    store.put_many(blocks)
    wanted = tmp_path / "wanted"
    wanted.write_text("".join(f"{block.cid}\n" for block in blocks))
    with ours.node(security, store) as node:
        report = go_peer.fetch(
            node.network.addrs[0], security=security, cids=wanted, discard=True, timeout=seconds
        )
        stat = node.stat()
    assert (report["blocks"], report["bytes"], report["missing"]) == (count, count * 1024, 0)
    assert stat.wants_refused == 0
    # Most of them travel together, as many as the client takes at a time.
    assert stat.messages_sent < count / 100
