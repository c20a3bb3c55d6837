"""A py-libp2p node with the command line of tests/interop/matrix/peers/README.md: `node.py serve|fetch …`."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from libp2p import create_yamux_muxer_option, new_host
from libp2p.bitswap import BitswapClient
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.tls.transport import PROTOCOL_ID as TLS_ID
from libp2p.security.tls.transport import TLSTransport
from multiaddr import Multiaddr

LISTEN = "/ip4/127.0.0.1/tcp/0"


def say(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


def made_data(seed: str, index: int, size: int) -> bytes:
    parts = (hashlib.sha256(f"{seed}:{index}:{part}".encode()).digest() for part in range((size + 31) // 32))
    return b"".join(parts)[:size]


def cid_of(data: bytes) -> bytes:
    return b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()


def from_base32(text: str) -> bytes:
    """The bytes of a CID of version 1 in its usual form."""
    letters = text[1:].upper()
    return base64.b32decode(letters + "=" * (-len(letters) % 8))


@asynccontextmanager
async def node(security: str) -> AsyncIterator[tuple[Any, BitswapClient]]:
    """A running host that offers one secure channel, and its Bitswap."""
    keys = create_new_key_pair()
    if security == "tls":
        channel = {TLS_ID: TLSTransport(keys)}
    else:
        channel = {NOISE_ID: NoiseTransport(keys, noise_privkey=create_noise_key_pair().private_key)}
    host = new_host(key_pair=keys, sec_opt=channel, muxer_opt=create_yamux_muxer_option())
    async with host.run(listen_addrs=[Multiaddr(LISTEN)]), trio.open_nursery() as nursery:
        client = BitswapClient(host)
        client.set_nursery(nursery)
        await client.start()
        yield host, client
        nursery.cancel_scope.cancel()


async def serve(args: argparse.Namespace) -> int:
    async with node(args.security) as (host, client):
        for index in range(args.blocks_count):
            data = made_data(args.blocks_seed, index, args.blocks_size)
            await client.add_block(cid_of(data), data)
        peer = str(host.get_id())
        addresses = [str(address) for address in host.get_addrs()]
        say(
            {
                "peer_id": peer,
                "addrs": [text if "/p2p/" in text else f"{text}/p2p/{peer}" for text in addresses],
            }
        )
        await until_stopped()
        say({})
    return 0


async def until_stopped() -> None:
    """Until standard input closes or SIGTERM comes."""
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
            nursery.cancel_scope.cancel()

        async def listen() -> None:
            with trio.open_signal_receiver(signal.SIGTERM) as signals:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

        nursery.start_soon(read)
        nursery.start_soon(listen)


async def fetch(args: argparse.Namespace) -> int:
    """Its session asks for 32 blocks at a time; that is its interface for many blocks."""
    cids = [from_base32(line) for line in Path(args.cids).read_text().split()]
    error: str | None = None
    got: dict[bytes, bytes] = {}
    started = time.monotonic()
    async with node(args.security) as (host, client):
        try:
            with trio.fail_after(args.timeout):
                info = info_from_p2p_addr(Multiaddr(args.peer))
                await host.connect(info)
                started = time.monotonic()
                await client.new_session().get_blocks_batch(cids, info.peer_id, timeout=args.timeout)
        except trio.TooSlowError:
            error = "timed out"
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
        seconds = time.monotonic() - started
        for cid in cids:
            data = await client.block_store.get_block(cid)
            if data is not None and cid_of(data) == cid:
                got[cid] = data
    missing = len(set(cids) - set(got))
    report = {
        "blocks": len(got),
        "bytes": sum(map(len, got.values())),
        "missing": missing,
        "seconds": seconds,
    }
    if missing and error is None:
        error = f"{missing} blocks did not come"
    say(report if error is None else {**report, "error": error})
    return 0 if error is None else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve")
    serving.add_argument("--blocks-count", type=int, required=True)
    serving.add_argument("--blocks-size", type=int, required=True)
    serving.add_argument("--blocks-seed", default="seed")
    serving.set_defaults(run=serve)
    fetching = commands.add_parser("fetch")
    fetching.add_argument("--peer", required=True)
    fetching.add_argument("--cids", required=True)
    fetching.add_argument("--timeout", type=lambda text: float(text.removesuffix("s")), default=60.0)
    fetching.set_defaults(run=fetch)
    for command in (serving, fetching):
        command.add_argument("--security", choices=("tls", "noise"), default="tls")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    raise SystemExit(trio.run(options.run, options))
