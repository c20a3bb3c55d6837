"""Yamux frames and streams without end: answers that nobody reads are bounded, readers are served in turn."""

from __future__ import annotations

import itertools

import pytest

from bitswap import Options
from bitswap.network.libp2p.identify import IDENTIFY_ID, IDENTIFY_PUSH_ID
from bitswap.network.libp2p.multistream import HEADER
from bitswap.network.libp2p.ping import PING_ID
from bitswap.network.libp2p.yamux import ACK, DATA, PING, RST, SYN, WINDOW_UPDATE
from bitswap.options import KIB, NetworkOptions
from tests.hostile.conftest import MakePuppet, MakeTown
from tests.hostile.town import TRANSFER, Hose, Town
from tests.libp2p.puppet import Puppet, frame, line

pytestmark = pytest.mark.timeout(120)

CONTROL = 64 * KIB
NARROW = Options(network=NetworkOptions(max_control_bytes=CONTROL, linger=0.0))
BATCH = 500
_IDS = itertools.count(1_000_001, 2)


def pings() -> bytes:
    return frame(PING, SYN, 0, 7) * BATCH


def pongs() -> bytes:
    return frame(PING, ACK, 0, 7) * BATCH


def refused_streams() -> bytes:
    """Streams that are opened and, because of what is said on them, reset by the node."""
    bad = b"\xff\xff\xff"
    return b"".join(frame(DATA, SYN, next(_IDS), len(bad), bad) for _ in range(BATCH))


def opened_and_reset() -> bytes:
    return b"".join(
        frame(WINDOW_UPDATE, SYN, number, 0) + frame(WINDOW_UPDATE, RST, number, 0)
        for number in itertools.islice(_IDS, BATCH)
    )


def services(protocol: str) -> bytes:
    """Streams on which the node is asked for something short, and which end at once."""
    said = line(HEADER) + line(protocol)
    return b"".join(frame(DATA, SYN | 4, next(_IDS), len(said), said) for _ in range(BATCH // 5))


FLOODS = {
    "pings": pings,
    "pongs": pongs,
    "refused-streams": refused_streams,
    "opened-and-reset": opened_and_reset,
    "identify": lambda: services(IDENTIFY_ID),
    "identify-push": lambda: services(IDENTIFY_PUSH_ID),
    "ping-streams": lambda: services(PING_ID),
}


def attacker(town: Town, make_puppet: MakePuppet) -> Puppet:
    puppet = make_puppet(town.address)
    # What it opens by hand is not to meet what its own machine opens.
    puppet.connection.session._next_id = 3
    return puppet


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("reads", [False, True], ids=["deaf", "reading"])
def test_a_flood_costs_its_sender_at_most_the_connection(
    make_town: MakeTown, make_puppet: MakePuppet, flood: str, reads: bool
) -> None:
    town = make_town(NARROW)
    hose = Hose(attacker(town, make_puppet), reads=reads)
    most = town.under(lambda: hose.pour(FLOODS[flood]()))
    # The limit, and what one read of the socket can add to it.
    assert most.control <= CONTROL + 2 * NARROW.network.read_budget
    assert most.queued <= 8 << 20
    assert most.buffered <= TRANSFER
    town.transfer()


def test_who_never_reads_its_answers_is_cut_off(make_town: MakeTown, make_puppet: MakePuppet) -> None:
    town = make_town(NARROW)
    puppet = attacker(town, make_puppet)
    hose = Hose(puppet, reads=False)
    while not hose.closed:
        hose.pour(pings())
    town.until(lambda: town.node.peers() == [town.friend.network.self_id])


def test_streams_held_open_beyond_the_limit_are_refused_and_then_cost_the_connection(
    make_town: MakeTown, make_puppet: MakePuppet
) -> None:
    options = NetworkOptions(max_inbound_streams=64, max_refused_streams=64)
    town = make_town(Options(network=options))
    puppet = attacker(town, make_puppet)
    hose = Hose(puppet, reads=True)

    def open_some() -> None:
        hose.pour(b"".join(frame(WINDOW_UPDATE, SYN, number, 0) for number in itertools.islice(_IDS, 8)))

    town.under(open_some)
    town.until(lambda: puppet.peer_id not in town.node.peers())


def test_credit_without_end_is_not_kept(make_town: MakeTown, make_puppet: MakePuppet) -> None:
    """Window updates: what they grant is a number, and one that grows too large costs the connection."""
    town = make_town()
    puppet = attacker(town, make_puppet)
    number = next(_IDS)
    hose = Hose(puppet, reads=True)
    hose.pour(frame(WINDOW_UPDATE, SYN, number, 0))
    town.under(lambda: hose.pour(frame(WINDOW_UPDATE, 0, number, 0x00FFFFFF) * BATCH))
    town.until(lambda: puppet.peer_id not in town.node.peers())
