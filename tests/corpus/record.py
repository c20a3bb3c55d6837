"""`python -m tests.corpus.record`: record what boxo's client and server send, as `recorded.jsonl`. Needs Go.

Run by hand when a new boxo is to be looked at; CIDs of made blocks and the order of entries differ each time,
so the file is data and not made by the tests. What is read from a body is as the pure codec reads it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitswap import CID, Bitswap, _core
from bitswap.blockstore import MemoryBlockstore
from bitswap.cli.blocks import make_block
from bitswap.conform import ear, wire
from bitswap.conform.line import parse_target
from bitswap.conform.peer import Peer
from bitswap.conform.talk import BLOCK_WANT, HAVE_WANT, unknown_cids
from bitswap.message.protocols import PROTOCOLS
from bitswap.network.libp2p import Libp2pNetwork, message_reader
from bitswap.network.libp2p.connection import security_ids
from tests.corpus.decode import decode
from tests.corpus.files import RECORDED
from tests.interop import gopeer
from tests.interop.process import ProcessFailed

LARGEST = 1200
"""Bytes of the largest body that is kept."""
KEPT = 24
"""Bodies that are kept of each situation."""


@contextmanager
def recording(module: Any) -> Iterator[list[bytes]]:
    """The bodies that `module` decodes meanwhile."""
    bodies: list[bytes] = []
    plain = module.Message

    class Recorder:
        @staticmethod
        def from_body(body: bytes) -> Any:
            bodies.append(bytes(body))
            return plain.from_body(body)

    module.Message = Recorder
    try:
        yield bodies
    finally:
        module.Message = plain


def of_client(peer: gopeer.GoPeer, folder: Path) -> list[bytes]:
    """What boxo's client sends to a node that has most of what it wants."""
    store = MemoryBlockstore()
    blocks = [make_block("recorded", number, 300 + number) for number in range(12)]
    store.put_many(blocks[:-1])
    cids = folder / "wanted"
    cids.write_text("".join(f"{block.cid}\n" for block in blocks))
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"])
    with recording(message_reader) as bodies, Bitswap(network, store):
        try:
            peer.fetch(network.addrs[0], cids=cids, batch=4, timeout=8.0)
        except ProcessFailed:
            # The last block does not exist.
            pass
    return bodies


def of_server(peer: gopeer.GoPeer, folder: Path, protocol: str) -> list[bytes]:
    """What boxo's server answers on each version of the protocol."""
    cids = folder / "held"
    with peer.serve(blocks_count=6, blocks_size=200, blocks_seed="recorded", cids_out=cids) as server:
        address = server.line()["addrs"][0]
        held = [CID(text) for text in cids.read_text().split()]
        under_test = Peer(parse_target(address, security_ids(["tls"])))
        under_test.deadline = time.monotonic() + 20
        with (
            recording(ear) as bodies,
            under_test.talk(protocols=[protocol], protocol=protocol) as talk,
        ):
            absent = unknown_cids(4)
            for want_type, group in ((BLOCK_WANT, held[:3]), (HAVE_WANT, held[3:] + absent)):
                talk.want(group, want_type, dont_have=protocol == PROTOCOLS[0])
                talk.line.wait(lambda: len(talk.arrivals.blocks) >= 3, 5.0)
            talk.line.wait(lambda: len(talk.arrivals.answers) >= 10, 2.0)
    return bodies


def entries(situation: str, protocol: str, bodies: list[bytes]) -> Iterator[dict[str, Any]]:
    """Lines of the corpus."""
    kept = list(dict.fromkeys(body for body in bodies if len(body) <= LARGEST))[:KEPT]
    for number, body in enumerate(kept):
        stream = wire.frame(body)
        messages, error = decode(_core.implementations()["py"], stream)
        assert error is None, error
        yield {
            "name": f"{situation}-{number}",
            "theme": "recorded",
            "about": f"sent by {situation}",
            "hex": stream.hex(),
            "verdict": "ok",
            "messages": messages,
            "peer": "ignore",
            "protocol": protocol,
            "send": False,
        }


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = gopeer.GoPeer(gopeer.build(), folder)
        found = list(entries("boxo-0.43-client", PROTOCOLS[0], of_client(peer, folder)))
        for protocol in PROTOCOLS:
            version = protocol.removeprefix("/ipfs/bitswap").strip("/") or "unversioned"
            bodies = of_server(peer, folder, protocol)
            found += entries(f"boxo-0.43-server-{version}", protocol, bodies)
    RECORDED.write_text("".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in found))
    print(f"{len(found)} messages recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
