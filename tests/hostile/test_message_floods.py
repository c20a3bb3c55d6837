"""Bitswap messages without end: wants, cancels, blocks that nobody asked for, presences, half messages."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bitswap import Options, varint
from bitswap.block import Block
from bitswap.message import Message, WantType
from bitswap.network.libp2p.multistream import HEADER
from bitswap.network.libp2p.yamux import DATA, SYN
from bitswap.options import KIB, MAX_FRAME, MIB, NetworkOptions, ServerOptions
from tests.hostile.conftest import MakePuppet, MakeTown
from tests.hostile.town import BITSWAP, TRANSFER, Hose, Town, absent, network_of
from tests.libp2p.puppet import Puppet, frame, line

pytestmark = pytest.mark.timeout(120)

ROOM = 4096
SERVER = ServerOptions(max_total_wantlist_entries=ROOM, min_wantlist_entries=64, max_inbound_messages=4)
NETWORK = NetworkOptions(receive_window=4 * MIB, linger=0.0)


def wants(count: int, kind: WantType = WantType.BLOCK) -> Message:
    message = Message()
    for cid in absent(count):
        message.add_entry(cid, 1, kind, True)
    return message


def cancels(count: int) -> Message:
    message = Message()
    for cid in absent(count):
        message.cancel(cid)
    return message


def presences(count: int) -> Message:
    message = Message()
    for at, cid in enumerate(absent(count)):
        message.add_presence(cid, at % 2)
    return message


def blocks(count: int, size: int) -> Message:
    message = Message()
    for _ in range(count):
        message.add_block(Block.of(os.urandom(size)))
    return message


FLOODS: dict[str, Callable[[], Message]] = {
    "wants": lambda: wants(1000),
    "want-haves": lambda: wants(1000, WantType.HAVE),
    "cancels": lambda: cancels(1000),
    "presences": lambda: presences(1000),
    "small-blocks": lambda: blocks(500, 64),
    "large-messages": lambda: blocks(2, 2 * MIB - KIB),
    "empty-messages": Message,
}


class Talker:
    """Sends message after message on one stream, as far as the window allows, and reads whatever comes."""

    def __init__(self, town: Town, make_puppet: MakePuppet) -> None:
        self.puppet: Puppet = make_puppet(town.address)
        self.stream, self.tape = self.puppet.open(BITSWAP)
        self.puppet.sock.settimeout(0.01)

    def say(self, data: bytes) -> None:
        """Queue it unless what was said before still waits for the window."""
        if self.puppet.eof:
            return
        if self.stream.queued < MIB:
            self.stream.write(data)
        try:
            self.puppet.flush()
            self.puppet.read()
        except TimeoutError:
            pass
        except OSError:
            self.puppet.eof = True


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_messages_leaves_the_others_their_share(
    make_town: MakeTown, make_puppet: MakePuppet, flood: str
) -> None:
    town = make_town(Options(server=SERVER, network=NETWORK))
    talker = Talker(town, make_puppet)
    bodies = [FLOODS[flood]().to_frame() for _ in range(3)]
    most = town.under(lambda: [talker.say(body) for body in bodies] and None)
    assert most.wants <= ROOM
    assert most.tasks <= 3 * ROOM
    assert most.buffered <= NETWORK.max_partial_bytes + NETWORK.max_unread_bytes
    # Nothing that nobody had asked for is in the store.
    assert not any(town.node.store.has(block.cid) for block in FLOODS["small-blocks"]().blocks())
    assert len(town.node.store) <= 2 * 20 * 2
    town.transfer()


def test_blocks_that_nobody_asked_for_are_counted_and_dropped(
    make_town: MakeTown, make_puppet: MakePuppet
) -> None:
    town = make_town()
    puppet = make_puppet(town.address)
    stream, _ = puppet.open(BITSWAP)
    gift = blocks(10, KIB)
    stream.write(gift.to_frame())
    puppet.flush()
    town.until(lambda: town.node.client.unwanted(puppet.peer_id) == 10)
    assert not any(town.node.store.has_many([block.cid for block in gift.blocks()]))


def test_a_lie_is_another_block_and_the_right_one_is_had_elsewhere(
    make_town: MakeTown, make_puppet: MakePuppet
) -> None:
    """A payload names its hash function and not its hash, so wrong data under a CID cannot even be said."""
    town = make_town()
    puppet = make_puppet(town.address)
    stream, _ = puppet.open(BITSWAP)
    right = Block.of(b"right" * 100)
    town.friend.add_block(right)
    with town.node.getter() as getter:
        getter.want([right.cid])
        lie = Message()
        lie.add_block(Block(right.cid, b"wrong" * 100))
        stream.write(lie.to_frame())
        puppet.flush()
        assert getter.take(timeout=20) == [right]
    assert town.node.store.get(right.cid).data == right.data
    town.until(lambda: town.node.client.unwanted(puppet.peer_id) == 1)


@pytest.mark.parametrize("paused", [False, True], ids=["half-messages", "paused"])
def test_who_hoards_loses_its_own_streams_and_nobody_elses(
    make_town: MakeTown, make_puppet: MakePuppet, paused: bool
) -> None:
    """Messages begun and never ended, on more connections than all buffers together have room for.

    The same for a peer that the node does not read, whose messages wait: both kinds have one budget.
    """
    options = NetworkOptions(max_buffered_bytes=8 * MIB, receive_window=4 * MIB, linger=0.0)
    town = make_town(Options(network=options))
    puppets = [make_puppet(town.address) for _ in range(4)]
    for puppet in puppets:
        if paused:
            town.until(lambda: puppet.peer_id in town.node.peers())  # noqa: B023
            town.node.network.pause(puppet.peer_id)
        stream, _ = puppet.open(BITSWAP)
        stream.write(varint.encode(MAX_FRAME) + bytes(3 * MIB))
        puppet.sock.settimeout(0.05)
        try:
            for _ in range(50):
                puppet.flush()
                if not stream.queued:
                    break
                puppet.read()
        except TimeoutError:
            pass
    host = network_of(town.node)._host
    for _ in range(3):
        # More than one read's worth each, so that they are incomplete for a while.
        town.transfer(4, MIB)
    assert host.buffered <= options.max_buffered_bytes + 4 * options.read_budget
    assert town.friend.peers() == [town.node.network.self_id]


def test_a_byte_at_a_time_is_a_message_in_the_end(make_town: MakeTown, make_puppet: MakePuppet) -> None:
    town = make_town()
    puppet = make_puppet(town.address)
    block = Block.of(b"slow")
    town.node.add_block(block)
    message = Message()
    message.add_entry(block.cid, 1, WantType.BLOCK, True)
    said = line(HEADER) + line(BITSWAP) + message.to_frame()
    puppet.connection.session._next_id = 1 << 20
    number = (1 << 20) - 1
    puppet.raw(frame(DATA, SYN, number, 0))
    rest = iter(said)

    def one_more() -> None:
        byte = next(rest, None)
        if byte is not None:
            puppet.raw(frame(DATA, 0, number, 1, bytes((byte,))))

    town.under(one_more)
    for byte in rest:
        puppet.raw(frame(DATA, 0, number, 1, bytes((byte,))))
    town.until(lambda: town.node.ledger_for_peer(puppet.peer_id).sent == len(block.data))


def test_who_never_reads_its_answers_holds_few_of_them(make_town: MakeTown, make_puppet: MakePuppet) -> None:
    options = Options(
        server=ServerOptions(max_outstanding_bytes=MIB, max_outstanding_bytes_fast=2 * MIB),
        network=NetworkOptions(stream_timeout=0.5, write_timeout_min=0.5, write_timeout_max=0.5),
    )
    town = make_town(options)
    stored = [Block.of(os.urandom(256 * KIB)) for _ in range(64)]
    town.node.add_blocks(stored)
    puppet = make_puppet(town.address)
    stream, _ = puppet.open(BITSWAP)
    message = Message()
    for block in stored:
        message.add_entry(block.cid, 1, WantType.BLOCK, True)
    stream.write(message.to_frame())
    puppet.flush()
    most = town.under(lambda: town.transfer(1))
    assert most.queued <= 4 * MIB
    # Given up in time, and tried again; what it wanted is not forgotten while it is there.
    server = town.node.server
    assert server is not None
    town.until(lambda: server.stat().sends_failed >= 2)
    assert len(town.node.wantlist_for_peer(puppet.peer_id)) > 0
    puppet.close()
    town.until(lambda: not server.stat().peers and not server.stat().wants)


def test_a_message_of_nothing_but_a_length_waits_for_nobody(
    make_town: MakeTown, make_puppet: MakePuppet
) -> None:
    """A length declared and nothing sent takes no memory."""
    town = make_town()
    puppet = make_puppet(town.address)
    for _ in range(32):
        stream, _ = puppet.open(BITSWAP)
        stream.write(varint.encode(MAX_FRAME))
    hose = Hose(puppet, reads=True)
    most = town.under(lambda: hose.pour(frame(DATA, 0, stream.id, 0)))
    assert most.buffered <= TRANSFER
