"""A worker: a whole node over connections that it is handed, until it is told to stop or left alone.

`python -m bitswap.processes.worker CONTROL DOOR`, two sockets by number. Over CONTROL come the setting, then
questions; there go "ready", answers, a report now and then, and at the end what was counted.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import sys
import time
from http import HTTPStatus

from bitswap import Bitswap, Options
from bitswap.blockstore import open_store
from bitswap.cli.answers import ANSWERS, METRICS, stat_record
from bitswap.cli.scrape import Scrape, make_scrape
from bitswap.errors import BitswapError
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.options import ServerOptions, WorkerOptions
from bitswap.processes.channel import Channel, Record
from bitswap.processes.setting import Setting
from bitswap.processes.signals import Stop, stopped_by

_FAILED = 1


def main(control: int, door: int) -> int:
    """Serve; returns the exit code."""
    # Ctrl-C reaches every process of a terminal; the supervisor is the one that answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=control), WorkerOptions().max_line)
    sockets = socket.socket(fileno=door)
    told: list[Record] = []
    while not told and not channel.ended:
        told = channel.receive()
    if not told:
        return 0
    setting = Setting.of(told[0])
    logging.basicConfig(
        level=logging.DEBUG if setting.verbose else logging.ERROR,
        format="%(asctime)s %(process)d %(threadName)s %(name)s: %(message)s",
    )
    try:
        with stopped_by(signal.SIGTERM) as stop:
            _serve(setting, channel, sockets, stop)
    except BitswapError as error:
        channel.send({"failed": str(error)})
        return _FAILED
    return 0


def _serve(setting: Setting, channel: Channel, sockets: socket.socket, stop: Stop) -> None:
    scrape = make_scrape() if setting.metrics else None
    metrics = None if scrape is None else scrape.metrics
    identity = PeerIdentity.from_private_key_proto(bytes.fromhex(setting.private_key))
    network = Libp2pNetwork(setting.listen, identity=identity, security=setting.security, handed=sockets)
    options = Options(server=ServerOptions(enabled=True))
    store = open_store(setting.store)
    try:
        with Bitswap(network, store, options, metrics=metrics) as node:
            channel.send({"ready": True})
            _answer(node, scrape, channel, stop, setting.report_interval)
    finally:
        store.close()
    channel.send({"report": stat_record(node.stat())})


def _answer(node: Bitswap, scrape: Scrape | None, channel: Channel, stop: Stop, interval: float) -> None:
    """Until the end is told, or the supervisor is gone."""
    reported: Record = {}
    due = time.monotonic() + interval
    while not stop.is_set and not channel.ended:
        left = max(0.0, due - time.monotonic())
        readable, _, _ = select.select([channel.fileno(), stop.fileno()], [], [], left)
        if channel.fileno() in readable:
            for record in channel.receive():
                if "stop" in record:
                    return
                channel.send(_reply(node, scrape, record))
        if time.monotonic() >= due:
            due = time.monotonic() + interval
            report = stat_record(node.stat())
            if report != reported:
                reported = report
                channel.send({"report": report})


def _reply(node: Bitswap, scrape: Scrape | None, record: Record) -> Record:
    reply: Record = {"id": record["id"]}
    try:
        if record["ask"] != METRICS:
            reply["answer"] = ANSWERS[record["ask"]](node, record["query"])
        elif scrape is not None:
            reply["answer"] = {"text": scrape.text().decode()}
    except ValueError as error:  # UsageError is one
        reply.update(error=str(error), status=HTTPStatus.BAD_REQUEST)
    except BitswapError as error:
        reply.update(error=str(error), status=HTTPStatus.INTERNAL_SERVER_ERROR)
    return reply


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
