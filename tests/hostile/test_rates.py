"""Rates and refusals over TCP: everything arrives, later; a refusal is what a lack would be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitswap import Options
from bitswap.block import Block
from bitswap.cid import CID
from bitswap.denylist import Denylist
from bitswap.errors import NotFound, UsageError
from bitswap.options import KIB, ServerOptions
from tests.hostile.conftest import MakeTown
from tests.hostile.town import node_of

pytestmark = pytest.mark.timeout(60)

WAIT = 30.0
RATE = 400.0 * KIB


@pytest.mark.parametrize(
    "options",
    [
        {"max_peer_rate": RATE},
        {"max_total_rate": RATE},
        {"max_peer_requests": 100.0},
        {"max_total_requests": 100.0},
    ],
    ids=lambda options: next(iter(options)),
)
def test_all_that_is_wanted_comes_at_the_rate(make_town: MakeTown, options: dict[str, float]) -> None:
    town = make_town(Options(server=ServerOptions(**options)))  # type: ignore[arg-type]
    blocks = [Block.of(os.urandom(4 * KIB)) for _ in range(200)]
    town.node.add_blocks(blocks)
    with town.friend.getter() as getter:
        for at in range(0, 200, 50):
            # More than one message, so that some wait.
            getter.want([block.cid for block in blocks[at : at + 50]])
        got: set[CID] = set()
        while getter.outstanding:
            got.update(block.cid for block in getter.take(WAIT))
    assert got == {block.cid for block in blocks}
    stat = town.node.stat()
    if "max_peer_rate" in options or "max_total_rate" in options:
        # No message is larger than what may go at once, so that there were at least as many waits.
        assert stat.answers_delayed >= 200 * 4 * KIB / (2 * RATE * ServerOptions.rate_burst + 4 * KIB)
    else:
        assert stat.requests_delayed > 0


def test_a_limited_peer_does_not_slow_the_network_down(make_town: MakeTown) -> None:
    """One who asks for far more than its rate waits alone."""
    town = make_town(Options(server=ServerOptions(max_peer_rate=64.0 * KIB)))
    many = [Block.of(os.urandom(64 * KIB)) for _ in range(100)]
    town.node.add_blocks(many)
    with node_of() as greedy:
        greedy.connect(town.address)
        with greedy.getter() as getter:
            getter.want([block.cid for block in many])
            few = [Block.of(os.urandom(100)) for _ in range(20)]
            town.node.add_blocks(few)
            assert len(list(town.friend.get_blocks([block.cid for block in few], WAIT))) == 20
            assert getter.outstanding > 50


def test_a_denylist_hides_blocks_and_peers(make_town: MakeTown, tmp_path: Path) -> None:
    hidden, shown = Block.of(b"hidden"), Block.of(b"shown")
    listed = tmp_path / "denied"
    with node_of() as outcast:
        listed.write_text(
            f"version: 1\n---\n# what for\n/ipfs/{hidden.cid}\n\npeer {outcast.network.self_id} # rude\n"
        )
        denylist = Denylist.load(listed)
        assert len(denylist) == 2
        town = make_town(Options(server=ServerOptions(peer_block_request_filter=denylist)))
        town.node.add_blocks([hidden, shown])
        assert town.friend.get_block(shown.cid, WAIT) == shown
        node = town.node.network.self_id
        outcast.connect(town.address)
        for taker, cid in (
            (town.friend, hidden.cid),
            # Under any codec and version it is the same block.
            (town.friend, CID.v1(0x70, hidden.cid.multihash)),
            (outcast, shown.cid),
        ):
            with (
                taker.new_session([node], broadcast=False) as session,
                pytest.raises(NotFound, match="DONT_HAVE"),
            ):
                session.get_block(cid, WAIT)
        assert town.node.stat().wants_denied == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("good\n", "line 1"),
        ("\n\npeer not_a_peer\n", "line 3"),
        ("/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy/*\n", "line 1"),
    ],
)
def test_a_denylist_that_is_not_understood_is_refused(tmp_path: Path, text: str, words: str) -> None:
    listed = tmp_path / "denied"
    listed.write_text(text)
    with pytest.raises(UsageError, match=words):
        Denylist.load(listed)
    with pytest.raises(UsageError, match="cannot read"):
        Denylist.load(tmp_path / "nowhere")
