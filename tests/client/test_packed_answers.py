"""A server that packs all it has into one message, whatever its length, and keeps what it served on its list.

That is what beetswap does. A node gets everything from it, although the first answer is too long to be read.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from bitswap import CID, Bitswap, Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.message import MAX_FRAME, FrameReader, Message
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import KIB
from tests.libp2p.puppet import Puppet

PROTOCOL = "/ipfs/bitswap/1.2.0"


class PackingServer:
    """Answers over a puppet until told to stop."""

    def __init__(self, puppet: Puppet, blocks: list[Block]) -> None:
        self._puppet = puppet
        self._blocks = {block.cid: block for block in blocks}
        self._held: set[CID] = set()
        self._frames: dict[int, tuple[FrameReader, int]] = {}
        self.sizes: list[int] = []
        """Lengths of the messages sent."""

    def serve(self) -> None:
        """Until the other side hangs up."""
        while self._puppet.read():
            for place, tape in enumerate(self._puppet.streams):
                data, tape.data = tape.data, b""
                if data:
                    self._heard(place, data)
            self._puppet.flush()

    def _heard(self, place: int, data: bytes) -> None:
        header = b"\x13/multistream/1.0.0\n" + bytes([len(PROTOCOL) + 1]) + PROTOCOL.encode() + b"\n"
        if place not in self._frames:
            # Nothing but Bitswap is asked for here in one piece with its header.
            if not data.startswith(header):
                return
            stream = self._puppet.streams[place].stream
            assert stream is not None
            stream.write(header)
            self._frames[place] = (FrameReader(), 0)
            data = data[len(header) :]
        for body in self._frames[place][0].feed(data):
            self._answer(Message.from_body(body))

    def _answer(self, message: Message) -> None:
        entries = message.wantlist()
        self._held.difference_update(entry.cid for entry in entries if entry.cancel)
        new = [entry.cid for entry in entries if not entry.cancel and entry.cid not in self._held]
        self._held.update(new)
        answer = Message()
        for cid in new:
            answer.add_block(self._blocks[cid])
        if new:
            body = answer.to_body()
            self.sizes.append(len(body))
            stream, _ = self._puppet.open(PROTOCOL)
            stream.write(answer.to_frame())


@pytest.mark.timeout(60)
def test_everything_comes_in_the_end() -> None:
    blocks = [Block.of(hashlib.shake_128(b"%d" % index).digest(256 * KIB)) for index in range(64)]
    with (
        Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"]), MemoryBlockstore()) as node,
        ThreadPoolExecutor() as pool,
    ):
        puppet = Puppet(node.network.addrs[0])
        puppet.open(PROTOCOL)  # that a stream is agreed tells that the node knows of the connection
        server = PackingServer(puppet, blocks)
        serving = pool.submit(server.serve)
        session = node.new_session(peers=[puppet.peer_id], broadcast=False)
        came = {block.cid for block in session.get_blocks([block.cid for block in blocks], timeout=30)}
        node.network.disconnect(puppet.peer_id)
        serving.result(30)
        puppet.close()
    assert came == {block.cid for block in blocks}
    assert server.sizes[0] > 4 * MAX_FRAME
    assert all(size <= MAX_FRAME for size in server.sizes[1:])
