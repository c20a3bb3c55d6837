"""Statistics: the fields of go-bitswap's `Stat`, and what they count."""

from __future__ import annotations

from dataclasses import fields

import pytest

from bitswap import Bitswap, Options, ServerOptions
from bitswap.blockstore import MemoryBlockstore
from bitswap.message import Message
from bitswap.stat import ClientStat, ServerStat, Stat
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.libp2p.nodes import send
from tests.metrics.test_tracer import Silent

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0

GO = {
    "Wantlist": "wantlist",
    "Peers": "peers",
    "BlocksReceived": "blocks_received",
    "DataReceived": "data_received",
    "DupBlksReceived": "dup_blocks_received",
    "DupDataReceived": "dup_data_received",
    "MessagesReceived": "messages_received",
    "BlocksSent": "blocks_sent",
    "DataSent": "data_sent",
}


def test_every_field_of_go_bitswap_is_there() -> None:
    names = {field.name for field in fields(Stat)}
    assert set(GO.values()) <= names
    assert names == {field.name for half in (ClientStat, ServerStat) for field in fields(half)}


def test_what_is_counted() -> None:
    blocks = make_blocks(4, 100)
    (absent,) = cids_of(make_blocks(1, seed="absent"))
    with (
        LoopbackHub() as hub,
        Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
        Bitswap(hub.network("ours"), MemoryBlockstore()) as ours,
    ):
        theirs.add_blocks(blocks)
        ours.connect("/loopback/theirs")
        list(ours.get_blocks(cids_of(blocks[:3]), timeout=SECONDS))
        raw = hub.network("raw")
        raw.start(Silent())
        raw.connect("/loopback/ours")
        message = Message()
        for block in blocks[2:]:
            message.add_block(block)
        assert send(raw, "ours", message) is None
        with ours.getter() as getter:
            getter.want([absent])
            stat = ours.stat()
        served = theirs.stat()
        while served.blocks_sent < 3:
            served = theirs.stat()
    assert stat.wantlist == (absent,)
    assert (stat.blocks_received, stat.data_received) == (5, 500)
    assert (stat.dup_blocks_received, stat.dup_data_received) == (1, 100)
    assert stat.messages_received >= 2
    assert (stat.blocks_sent, stat.data_sent, stat.peers) == (0, 0, ())
    assert (served.blocks_sent, served.data_sent, served.blocks_received) == (3, 300, 0)


def test_a_half_that_is_off_counts_nothing() -> None:
    options = Options(server=ServerOptions(enabled=False))
    with LoopbackHub() as hub, Bitswap(hub.network("a"), MemoryBlockstore(), options) as node:
        assert node.stat() == Stat()
    assert Stat.of() == Stat()
    assert Stat.of(None, ServerStat(blocks_sent=3)) == Stat(blocks_sent=3)
    assert Stat.of(ClientStat(blocks_received=2)) == Stat(blocks_received=2)
