"""`bitswap check`: whether a peer has a block, without fetching it."""

from __future__ import annotations

import argparse
import threading
import time

from bitswap.cid import CID
from bitswap.cli.console import emit, say
from bitswap.errors import BitswapError, UsageError
from bitswap.message import Message, WantType
from bitswap.multihash import IDENTITY
from bitswap.network.interface import WANTS, Network, Peer

PING_SECONDS = 5.0
CANCEL_SECONDS = 1.0
"""A courtesy to the peer, whose connection is closed right after it."""

HAVE = {"HAVE": True, "BLOCK": True, "DONT_HAVE": False, "none": None}
"""What each answer means. A small block may be sent where a HAVE was asked for."""


def run(args: argparse.Namespace) -> int:
    """Dial, ask with a want-have, say what came; returns 1 when the peer does not have it or is silent."""
    cid = CID(args.cid)
    if cid.hash_code == IDENTITY:
        raise UsageError(f"{cid} holds its own content; no peer needs to have it")
    from bitswap.network.libp2p import Libp2pNetwork

    security = (args.security,) if args.security else ("tls", "noise")
    network = Libp2pNetwork(identity=args.identity, security=security)
    question = Question(cid)
    try:
        network.start(question)
        started = time.monotonic()
        peer = network.connect(args.address, args.timeout)
        connected = time.monotonic() - started
        answer = question.ask(network, peer, args.timeout)
        seconds = time.monotonic() - started - connected
        latency = _ping(network, peer, min(args.timeout, PING_SECONDS))
    finally:
        network.close()
    have = HAVE[answer]
    if args.json:
        emit(
            {
                "peer": peer,
                "cid": str(cid),
                "connected_seconds": round(connected, 6),
                "latency_seconds": None if latency is None else round(latency, 6),
                "have": have,
                "answer": answer,
                "seconds": round(seconds, 6),
            }
        )
    else:
        verdict = {True: "has", False: "does not have", None: "does not say whether it has"}[have]
        print(f"{peer} {verdict} {cid}")
        ping = "no answer to a ping" if latency is None else f"a ping takes {latency:.3f} s"
        say(f"connected in {connected:.3f} s, answer {answer} after {seconds:.3f} s, {ping}")
    if question.error is not None:
        say(f"{peer} could not be asked: {question.error}")
    return 0 if have else 1


def _ping(network: Network, peer: Peer, timeout: float) -> float | None:
    try:
        return network.ping(peer, timeout)
    except BitswapError:
        return None


class Question:
    """One want-have to one peer; the `Receiver` of a network that does nothing else."""

    def __init__(self, cid: CID) -> None:
        self.answer = "none"
        self.error: BaseException | None = None
        self._cid = cid
        self._peer: Peer | None = None
        self._answered = threading.Event()
        self._sent = threading.Event()

    def ask(self, network: Network, peer: Peer, timeout: float) -> str:
        """HAVE, BLOCK or DONT_HAVE; "none" after `timeout` seconds, or when `error` says why."""
        self._peer = peer
        question = Message()
        question.add_entry(self._cid, 1, WantType.HAVE, True)
        network.send(peer, question, WANTS, self._done)
        self._answered.wait(timeout)
        answer = self.answer
        # A lane takes one message at a time; what was never sent needs no cancel.
        if self._sent.is_set():
            self._cancel(network, peer)
        return answer

    def _cancel(self, network: Network, peer: Peer) -> None:
        cancel = Message()
        cancel.cancel(self._cid)
        left = threading.Event()
        network.send(peer, cancel, WANTS, lambda _error: left.set())
        left.wait(CANCEL_SECONDS)

    def _done(self, error: BaseException | None) -> None:
        if error is None:
            self._sent.set()
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._answered.is_set():
            self.error = error
            self._answered.set()

    # What the network says, on its own thread.

    def peer_connected(self, peer: Peer) -> None:
        pass

    def peer_disconnected(self, peer: Peer, reason: BaseException | None) -> None:
        if peer == self._peer:
            self._fail(reason or ConnectionError("the peer closed the connection"))

    def message_received(self, peer: Peer, message: Message) -> None:
        if peer != self._peer or self._answered.is_set():
            return
        if any(block.cid == self._cid for block in message.blocks()):
            self.answer = "BLOCK"
        elif self._cid in message.haves():
            self.answer = "HAVE"
        elif self._cid in message.dont_haves():
            self.answer = "DONT_HAVE"
        else:
            return
        self._answered.set()

    def receive_error(self, peer: Peer, error: BaseException) -> None:
        if peer == self._peer:
            self._fail(error)
