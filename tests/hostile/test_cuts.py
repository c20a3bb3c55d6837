"""A connection is cut, or a byte of it changed, at every place: typed errors, and nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bitswap import Bitswap
from bitswap.block import Block
from bitswap.errors import BitswapError, RemoteError
from bitswap.message import Message
from bitswap.network.libp2p.connection import Stage
from bitswap.options import NetworkOptions
from tests.hostile.conftest import MakePuppet, MakeTown
from tests.hostile.proxy import Harm, Proxy
from tests.hostile.town import BITSWAP, Town, holdings, network_of, node_of
from tests.libp2p.puppet import WAIT
from tests.libp2p.test_connection import Side, pair
from tests.libp2p.test_connection import exchange as agree
from tests.sizes import LONG

pytestmark = pytest.mark.timeout(600)

NONE = Harm(True, 1 << 30)
SECURITY = {"tls": "/tls/1.0.0", "noise": "/noise"}


def talk(left: Side, right: Side, harm: Harm) -> None:
    """A handshake, one chunk after the other, with one harm done; raises what a side raises."""
    passed = {True: 0, False: 0}
    while True:
        told = False
        for upwards, source, target in ((True, left, right), (False, right, left)):
            data = source.take()
            told = told or bool(data)
            at = harm.at - passed[upwards]
            passed[upwards] += len(data)
            if upwards is not harm.upwards or not 0 <= at < len(data):
                target.feed(data)
            elif harm.flip:
                target.feed(data[:at] + bytes((data[at] ^ harm.flip,)) + data[at + 1 :])
            else:
                target.feed(data[:at])
                target.connection.receive_eof()
                return
        if not told:
            return


def lengths(security: str) -> dict[bool, int]:
    """Bytes of a handshake, up and down; those of later ones differ by a few (signatures)."""
    left, right = pair((SECURITY[security],), (SECURITY[security],))
    sent = {True: 0, False: 0}
    while True:
        up, down = left.take(), right.take()
        if not up and not down:
            return sent
        sent[True] += len(up)
        sent[False] += len(down)
        right.feed(up)
        left.feed(down)


def places(security: str, step: int) -> Iterator[tuple[bool, int]]:
    for upwards, length in lengths(security).items():
        for at in range(0, length, 1 if LONG else step):
            yield upwards, at


@pytest.mark.parametrize("security", SECURITY)
def test_the_end_at_every_byte_of_a_handshake_is_a_typed_error(security: str) -> None:
    """Whoever reads it fails with RemoteError, unless all that it needs has come."""
    for upwards, at in places(security, 1 if security == "noise" else 3):
        left, right = pair((SECURITY[security],), (SECURITY[security],))
        reader = right if upwards else left
        try:
            talk(left, right, Harm(upwards, at))
        except RemoteError:
            continue
        assert reader.connection.stage is Stage.OPEN, (upwards, at)


@pytest.mark.parametrize("security", SECURITY)
def test_a_changed_byte_of_a_handshake_is_never_believed(security: str) -> None:
    """One side fails with RemoteError, or both still wait; never are both sure of each other and disagree."""
    for upwards, at in places(security, 1 if security == "noise" else 7):
        left, right = pair((SECURITY[security],), (SECURITY[security],))
        try:
            talk(left, right, Harm(upwards, at, 1 << at % 8))
        except RemoteError:
            continue
        if left.connection.stage is right.connection.stage is Stage.OPEN:
            # Only a byte that means nothing can have been changed: what was agreed on is the truth.
            assert left.connection.remote_peer == right.connection._identity.peer_id
            assert right.connection.remote_peer == left.connection._identity.peer_id
            agree(left, right)


def fetch_through(town: Town, proxy: Proxy, harm: Harm, timeout: float = 1.0) -> bool:
    """Dial through the harm and ask for a block; whether it came. All errors that there can be are typed."""
    proxy.harm = harm
    block = Block.of(os.urandom(300))
    town.node.add_block(block)
    taker = town.friend
    try:
        peer = taker.connect(proxy.address, timeout=timeout)
        with taker.new_session([peer], broadcast=False) as session:
            assert session.get_block(block.cid, timeout=timeout) == block
    except BitswapError:
        return False
    finally:
        leave(taker, town.node)
    return True


def leave(taker: Bitswap, node: Bitswap) -> None:
    """Disconnect, and return once the network has."""
    taker.disconnect(node.network.self_id)
    while node.network.self_id in taker.peers():
        with suppress(BitswapError):
            taker.network.ping(node.network.self_id)


@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize("flip", [0, 0x10], ids=["cut", "flipped"])
def test_a_transfer_survives_harm_at_any_byte_on_the_way(
    make_town: MakeTown, security: str, flip: int
) -> None:
    """Over TCP, in both directions, from the first byte of the handshake to the last of the transfer."""
    town = make_town(security=security)
    leave(town.friend, town.node)
    with Proxy(town.address) as proxy, node_of(security=security) as other:
        bystander = Town(town.node, other)
        assert fetch_through(town, proxy, NONE, WAIT)
        total = dict(proxy.passed)
        assert min(total.values()) > 500
        outcomes = []
        for upwards, length in total.items():
            for at in range(0, length + 50, 1 if LONG else length // (24 if flip else 150)):
                outcomes.append(fetch_through(town, proxy, Harm(upwards, at, flip)))
        assert not all(outcomes)
        assert fetch_through(town, proxy, NONE, WAIT)
        swarm = network_of(town.node)._swarm
        bystander.until(lambda: swarm.connections == 1 and not swarm._handshakes)
        assert holdings(town.node).buffered == 0


@pytest.mark.parametrize("how", ["reset", "end"])
def test_a_stream_that_stops_at_every_byte_of_a_message(
    make_town: MakeTown, make_puppet: MakePuppet, how: str
) -> None:
    """A cut message is told and costs its stream; the connection carries the next one."""
    town = make_town()
    puppet = make_puppet(town.address, options=NetworkOptions(max_outbound_streams=10_000))
    message = Message()
    message.add_block(Block.of(os.urandom(60)))
    frame = message.to_frame()
    for at in range(len(frame)):
        stream, tape = puppet.open(BITSWAP)
        stream.write(frame[:at])
        if how == "end":
            stream.end()
            puppet.wait(lambda: tape.is_closed or tape.ended)  # noqa: B023
        else:
            puppet.flush()
            stream.reset()
            puppet.flush()
    assert puppet.peer_id in town.node.peers()
    stream, _ = puppet.open(BITSWAP)
    stream.write(frame)
    puppet.flush()
    town.until(lambda: town.node.client.unwanted(puppet.peer_id) == 1)
    assert holdings(town.node).buffered == 0
