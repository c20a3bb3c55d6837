"""Opening what the commands share: the store, the node, the peers given on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bitswap.cli.console import say
from bitswap.errors import BitswapError, Cause, NotFound, Reason, UsageError

if TYPE_CHECKING:
    from bitswap import Bitswap
    from bitswap.blockstore import Blockstore
    from bitswap.metrics import Metrics
    from bitswap.options import ServerOptions


@contextmanager
def opened_store(args: argparse.Namespace) -> Iterator[Blockstore]:
    """The store of --store, closed at the end."""
    from bitswap.blockstore import open_store

    store = open_store(args.store)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_node(
    args: argparse.Namespace,
    store: Blockstore,
    listen: Sequence[str] = (),
    *,
    serving: ServerOptions | None = None,
    metrics: Metrics | None = None,
) -> Iterator[Bitswap]:
    """A running node over `store`; one without options for `serving` answers nobody."""
    from bitswap import Bitswap, Options
    from bitswap.network.libp2p import Libp2pNetwork
    from bitswap.options import ServerOptions

    security = (args.security,) if args.security else ("tls", "noise")
    network = Libp2pNetwork(listen, identity=args.identity, security=security)
    options = Options(server=serving or ServerOptions(enabled=False))
    with Bitswap(network, store, options, metrics=metrics) as node:
        yield node


def connect_peers(node: Bitswap, addresses: Sequence[str], timeout: float) -> list[str]:
    """Dial every address and return the peer ids that answered; raises NotFound when none of them did.

    A node that is down must not keep the others from being asked, so a failure is only told.
    """
    peers: list[str] = []
    reasons: dict[str, str] = {}
    for address in addresses:
        try:
            peer = node.connect(address, timeout=timeout)
        except UsageError:
            raise
        except BitswapError as error:
            reasons[address] = Reason(str(error), Cause.DIAL_FAILED)
            say(f"cannot reach {address}: {error}")
        else:
            peers.append(peer)
    if addresses and not peers:
        told = "; ".join(f"{address}: {reason}" for address, reason in reasons.items())
        raise NotFound(f"no peer could be reached: {told}", reasons=reasons)
    return list(dict.fromkeys(peers))
