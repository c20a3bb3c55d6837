"""The sending of one lane to one peer: a stream that is opened on demand and used for many messages.

Source: boxo `bitswap/network/bsnet` message sender (one cached stream a peer, reopened after a failure).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bitswap.errors import BitswapError, RemoteError, Timeout, UsageError
from bitswap.message import Message, encoder_version
from bitswap.network.interface import SendDone
from bitswap.network.libp2p.message_reader import Deliverer, MessageReader
from bitswap.network.libp2p.multistream import NegotiationError
from bitswap.network.libp2p.negotiation import Negotiation
from bitswap.network.libp2p.reactor import Reactor
from bitswap.network.libp2p.remote import RemotePeer
from bitswap.network.libp2p.timers import Timer
from bitswap.network.libp2p.yamux_stream import StreamHandler, YamuxStream
from bitswap.options import NetworkOptions

if TYPE_CHECKING:
    from bitswap.network.libp2p.link import Link


class ProtocolNotSupported(RemoteError):
    """The peer speaks none of our Bitswap protocols."""


class LaneOwner(Deliverer, Protocol):
    """What a lane needs of the node."""

    reactor: Reactor
    options: NetworkOptions
    protocols: tuple[str, ...]

    def message_sent(self, remote: RemotePeer, message: Message) -> None:
        """A message was handed to the transport."""

    def call_done(self, done: SendDone, error: BaseException | None) -> None:
        """Tell a sender."""


class Lane:
    """One message at a time is taken; its bytes may still be going out when the next one is."""

    def __init__(self, owner: LaneOwner, remote: RemotePeer) -> None:
        self.protocol: str | None = None
        """What was agreed last; None before the first agreement."""
        self.owner = owner
        self._remote = remote
        self._stream: YamuxStream | None = None
        self._link: Link | None = None
        self._negotiation: Negotiation | None = None
        self._optimistic = False
        self._message: Message | None = None
        self._done: SendDone | None = None
        self._reopened = False
        self._written = False
        self._ending = False
        self._watch: Timer | None = None
        self._taken = 0

    @property
    def busy(self) -> bool:
        """Whether a message is being sent."""
        return self._done is not None

    def send(self, message: Message, done: SendDone) -> None:
        """Send `message`; `done` is called once, also when this fails at once."""
        if self._done is not None:
            self.owner.call_done(done, UsageError("the message before is not sent yet"))
            return
        self._message, self._done = message, done
        self._reopened = self._written = False
        self._go()

    def close(self, error: BaseException) -> None:
        """The peer is gone: fail what is in hand."""
        self._reopened = True
        self._drop_stream(reset=True)
        self._finish(error)

    # Opening.

    def _go(self) -> None:
        if self._stream is None:
            self._open()
        elif self._negotiation is None:
            self._write()

    def _open(self, *, optimistic: bool = True) -> None:
        """A stream for the message in hand.

        When identify has told what the peer speaks, the message follows the proposal at once.
        """
        link = self._remote.link
        if link is None:
            self._finish(RemoteError("the peer is not connected", peer=self._remote.id))
            return
        known = [name for name in self.owner.protocols if name in self._remote.protocols]
        self._written = False
        self._optimistic = optimistic and bool(known)
        proposals = known[:1] if self._optimistic else self.owner.protocols
        negotiation = Negotiation.initiator(proposals, self._agreed, self._not_agreed)
        try:
            stream = link.connection.session.open_stream(negotiation)
        except RemoteError as error:
            self._finish(error)
            return
        stream.low_water = self.owner.options.send_low_water
        self._stream, self._link, self._negotiation = stream, link, negotiation
        negotiation.attach(stream, self.owner.reactor, self.owner.options.stream_timeout)
        if self._optimistic:
            self.protocol = known[0]
            self._write()
        link.schedule_flush()

    def _agreed(self, stream: YamuxStream, protocol: str) -> StreamHandler | None:
        assert self._link is not None
        self._negotiation = None
        self.protocol = protocol
        if self._written:
            self._sent_if_drained()
        else:
            self._write()
        return _LaneReader(self, self._remote, self._link, stream)

    def _not_agreed(self, error: BaseException) -> None:
        self._negotiation = None
        self._drop_stream(reset=False)
        if self._optimistic and isinstance(error, NegotiationError):
            # Identify promised what the peer refused: ask for everything.
            self._open(optimistic=False)
        elif isinstance(error, NegotiationError):
            self._finish(ProtocolNotSupported(f"no Bitswap stream: {error}", peer=self._remote.id))
        else:
            self._again(error)

    # Writing.

    def _write(self) -> None:
        message, stream, link = self._message, self._stream, self._link
        if message is None or stream is None or link is None or self.protocol is None:
            return
        try:
            frames = message.to_frames(encoder_version(self.protocol))
        except BitswapError as error:
            self._finish(error)
            return
        for frame in frames:
            stream.write(frame)
        self._written = True
        link.schedule_flush()
        self._start_watch()
        self._sent_if_drained()

    def _sent_if_drained(self) -> None:
        """The next message may come once little of this one is left, and the protocol is sure."""
        stream = self._stream
        if stream is None or self._negotiation is not None or stream.queued > stream.low_water:
            return
        if self._message is not None and self._done is not None:
            assert self._link is not None
            self._link.last_message = self.owner.reactor.now()
            self.owner.message_sent(self._remote, self._message)
            if self._ending:
                self._drop_stream(reset=False)
                stream.end()
            self._finish(None)

    def _start_watch(self) -> None:
        if self._watch is None and self._stream is not None:
            self._taken = self._stream.taken
            limit = self.owner.options.write_limit(self._stream.queued)
            self._watch = self.owner.reactor.later(limit, self._check_progress)

    def _check_progress(self) -> None:
        """Give the stream up when none of its bytes went out since the last look."""
        self._watch = None
        stream = self._stream
        if stream is None or not stream.queued:
            return
        if stream.taken != self._taken:
            self._start_watch()
            return
        queued = stream.queued
        self._drop_stream(reset=True)
        self._finish(Timeout(f"{self._remote.id} took no bytes; {queued:,} were left to be sent"))

    # Ends.

    def stream_drained(self) -> None:
        """The stream has room."""
        self._sent_if_drained()

    def stream_ended(self, stream: YamuxStream) -> None:
        """The peer ended its side: what is under way still goes out, the next message gets a new stream."""
        if stream is self._stream and self._done is None:
            self._drop_stream(reset=False)
            stream.end()
        elif stream is self._stream:
            self._ending = True

    def stream_closed(self, stream: YamuxStream, error: BaseException | None) -> None:
        """The peer reset the stream, or its connection is gone: try once more for the message in hand."""
        if stream is self._stream:
            self._drop_stream(reset=False)
            self._again(error or RemoteError("the connection was closed", peer=self._remote.id))

    def _again(self, error: BaseException) -> None:
        if self._done is None:
            return
        if self._reopened or self._remote.link is None:
            self._finish(error)
            return
        self._reopened = True
        self._open()

    def _drop_stream(self, *, reset: bool) -> None:
        stream, link = self._stream, self._link
        self._stream = self._link = self._negotiation = None
        self._ending = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if reset and stream is not None and not stream.closed:
            stream.reset()
            if link is not None:
                link.schedule_flush()

    def _finish(self, error: BaseException | None) -> None:
        done, self._done, self._message = self._done, None, None
        if done is not None:
            self.owner.call_done(done, error)


class _LaneReader(MessageReader):
    """Owner of an agreed stream of ours. Answers that come on it are read too: py-libp2p sends them there."""

    inbound = False

    def __init__(self, lane: Lane, remote: RemotePeer, link: Link, stream: YamuxStream) -> None:
        super().__init__(lane.owner, remote, link, stream)
        self._lane = lane
        self._grown = False

    def data_received(self, data: memoryview) -> None:
        if not self._grown:
            self._grown = True
            self._stream.grow_window(self._link.options.receive_window)
        super().data_received(data)

    def finished(self) -> None:
        self._lane.stream_ended(self._stream)

    def broke(self, error: BaseException) -> None:
        self._lane.stream_closed(self._stream, error)

    def closed(self, error: BaseException | None) -> None:
        super().closed(error)
        self._lane.stream_closed(self._stream, error)

    def drained(self) -> None:
        self._lane.stream_drained()
