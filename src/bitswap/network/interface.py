"""What a node asks of a network, and what a network tells a node.

Implementations: `network.libp2p` (real sockets) and `testnet` (virtual, seeded). Peers are named by the text
form of their peer id ("12D3Koo…"); a virtual network may use any text. Source: go-bitswap
`network/interface.go`, with sends made asynchronous and pulled one at a time, so that a slow peer holds ids
and not blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bitswap.message import Message

Peer = str
"""A peer id in its text form."""

WANTS = 0
"""Lane of the fetching half: wants and cancels."""
ANSWERS = 1
"""Lane of the serving half: blocks, HAVEs and DONT_HAVEs."""

SendDone = Callable[[BaseException | None], None]


class AnyThread(partial[None]):
    """A `done` that may also be called by the thread that sends, before `send` returns.

    A network can then send in that thread without waking another one. Hold no lock that `done` takes.
    """


class Receiver(Protocol):
    """What a network calls: from one thread, in order for each peer. Must return soon and never raise."""

    def peer_connected(self, peer: Peer) -> None:
        """The first usable connection to `peer` is up (boxo: entry to the responsive state)."""

    def peer_disconnected(self, peer: Peer, reason: BaseException | None) -> None:
        """The last connection to `peer` is gone; `reason` is None after an orderly close."""

    def message_received(self, peer: Peer, message: Message) -> None:
        """One decoded message; payload blocks carry CIDs computed from their data, so they are verified."""

    def receive_error(self, peer: Peer, error: BaseException) -> None:
        """A stream from `peer` broke the protocol and was reset; the connection may go on."""


class BatchReceiver(Receiver, Protocol):
    """A receiver that takes several messages at once; a network may tell it so, or one by one."""

    def messages_received(self, peer: Peer, messages: Sequence[Message]) -> None:
        """Messages of `peer` that hold nothing but blocks, in the order in which they came."""


class Network(Protocol):
    """Messages between peers over connections of this object's own. Every method is safe from any thread."""

    @property
    def self_id(self) -> Peer: ...

    @property
    def addrs(self) -> Sequence[str]:
        """Multiaddrs that others can dial, each ending in /p2p/<own id>; empty while not listening."""

    def start(self, receiver: Receiver) -> None:
        """Begin to listen and deliver; called once by the node."""

    def close(self) -> None:
        """Close every connection and join every thread; a second call does nothing."""

    def connect(self, address: str, timeout: float | None = None) -> Peer:
        """Dial a multiaddr (or a known peer id), return the verified peer id; blocks the caller.

        Raises UsageError (bad address), RemoteError (refused, handshake failed, wrong peer), Timeout, Closed.
        """

    def disconnect(self, peer: Peer) -> None: ...

    def is_connected(self, peer: Peer) -> bool: ...

    def peers(self) -> list[Peer]: ...

    def supports_have(self, peer: Peer) -> bool:
        """Whether the protocol agreed on with `peer` knows HAVE (only 1.2.0); True before there is one."""

    def latency(self, peer: Peer) -> float | None:
        """Smoothed round trip in seconds, or None when never measured."""

    def ping(self, peer: Peer, timeout: float | None = None) -> float:
        """One round trip in seconds; raises RemoteError or Timeout."""

    def send(self, peer: Peer, message: Message, lane: int, done: SendDone) -> None:
        """Queue one message to a connected peer; never blocks on I/O.

        At most one send a (peer, lane) may be under way. `done(None)` is called on the network thread when
        the lane can take the next message (the bytes left for the transport's own bounded buffer),
        `done(error)` when the message was not sent. It is called exactly once. An
        AnyThread may be called by the caller's thread instead.
        """

    def pause(self, peer: Peer) -> None:
        """Stop delivering messages of `peer` (its windows fill and it waits); `resume` goes on."""

    def resume(self, peer: Peer) -> None: ...
