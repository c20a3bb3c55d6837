"""`bitswap serve --workers N`: one identity and one address, served from N processes over one store."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence

from bitswap.cli.add import add_paths
from bitswap.cli.answers import Record
from bitswap.cli.node import opened_store
from bitswap.cli.scrape import Scrape
from bitswap.cli.serving import administered, tell, tell_end
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.processes import Supervisor
from bitswap.processes.setting import check_store
from bitswap.processes.signals import stopped_by
from bitswap.processes.whole import ANSWERS, metrics_text
from bitswap.stat import Stat


def run_workers(args: argparse.Namespace, listen: Sequence[str]) -> int:
    """As `serve.run`; the first line has the workers' process ids too."""
    check_store(args.store)
    identity = (
        PeerIdentity.generate() if args.identity is None else PeerIdentity.load_or_create(args.identity)
    )
    supervisor = Supervisor(
        listen,
        args.workers,
        store=args.store,
        identity=identity,
        security=(args.security,) if args.security else ("tls", "noise"),
        metrics=args.admin is not None,
        verbose=args.verbose,
    )
    with stopped_by(signal.SIGINT, signal.SIGTERM) as stop, supervisor:
        with opened_store(args) as store:
            roots = {path: str(added.cid) for path, added in add_paths(args, store)}
        pids = supervisor.start()
        scrape = Scrape(None, lambda: metrics_text(supervisor))
        with administered(supervisor, args.admin, scrape, ANSWERS) as admin:
            record = {"peer_id": supervisor.peer_id, "addrs": list(supervisor.addrs), "roots": roots}
            tell(args, {**record, "workers": pids}, admin)
            supervisor.run(stop)
        stat = supervisor.close()
    tell_end(args, {**_NOTHING, **stat})
    return 0


_NOTHING: Record = {name: 0 if isinstance(value, int) else [] for name, value in vars(Stat()).items()}
"""Workers that were killed before their first report have counted nothing."""
