"""Providers that are written down."""

from __future__ import annotations

from typing import Any

import pytest

from bitswap.cid import CID, DAG_PB
from bitswap.errors import UsageError
from bitswap.routing import PeerRouting, Provider, StaticRouting
from tests.routing.world import CIDS

ALICE = Provider("alice", ("/ip4/127.0.0.1/tcp/1/p2p/alice",))
BOB = Provider("bob")


def test_some_have_everything() -> None:
    routing = StaticRouting([ALICE, BOB])
    for cid in CIDS[:3]:
        assert list(routing.find_providers(cid, 10)) == [ALICE, BOB]


def test_some_have_one_block_and_come_first() -> None:
    routing = StaticRouting([ALICE], {CIDS[0]: [BOB], CIDS[1]: [ALICE]})
    assert list(routing.find_providers(CIDS[0], 10)) == [BOB, ALICE]
    assert list(routing.find_providers(CIDS[1], 10)) == [ALICE]
    assert list(routing.find_providers(CIDS[2], 10)) == [ALICE]


def test_nobody_has_anything() -> None:
    assert list(StaticRouting().find_providers(CIDS[0], 10)) == []


def test_no_more_than_the_limit() -> None:
    assert list(StaticRouting([ALICE, BOB]).find_providers(CIDS[0], 1)) == [ALICE]


def test_a_block_is_known_under_any_codec() -> None:
    other = CID.v1(DAG_PB, CIDS[0].multihash)
    routing = StaticRouting(blocks={CIDS[0]: [ALICE], other: [BOB]})
    assert list(routing.find_providers(other, 10)) == [ALICE, BOB]


def test_addresses_and_peer_ids_as_text() -> None:
    routing = StaticRouting(["/ip4/127.0.0.1/tcp/1/p2p/alice", "bob", "/p2p/carol"])
    assert list(routing.find_providers(CIDS[0], 10)) == [ALICE, BOB, Provider("carol")]


def test_several_addresses_of_one_peer() -> None:
    listed = [f"/ip4/127.0.0.1/tcp/{port}/p2p/alice" for port in (1, 2, 1)]
    assert list(StaticRouting(listed).find_providers(CIDS[0], 10)) == [Provider("alice", tuple(listed[:2]))]


def test_a_relayed_address_is_that_of_the_peer_behind_the_relay() -> None:
    address = "/ip4/127.0.0.1/tcp/1/p2p/relay/p2p-circuit/p2p/alice"
    assert list(StaticRouting([address]).find_providers(CIDS[0], 10)) == [Provider("alice", (address,))]


def test_a_peer_can_be_looked_up() -> None:
    routing = StaticRouting([ALICE, BOB], {CIDS[0]: [Provider("alice", ("/elsewhere",))]})
    assert isinstance(routing, PeerRouting)
    assert list(routing.find_peer("alice")) == [*ALICE.addresses, "/elsewhere"]
    assert list(routing.find_peer("bob")) == list(routing.find_peer("carol")) == []


@pytest.mark.parametrize(
    "providers", [["/ip4/127.0.0.1/tcp/1"], ["/p2p"], ["/p2p/"], [""], [7], "/p2p/alice", ALICE]
)
def test_what_names_no_peer_is_refused(providers: Any) -> None:
    with pytest.raises(UsageError):
        StaticRouting(providers)
    with pytest.raises(UsageError):
        StaticRouting(blocks={CIDS[0]: providers})
