"""Agreeing on the protocol of one yamux stream, then handing the stream to that protocol's handler.

Source: libp2p specification connections/README.md (protocol negotiation); the rules of the lines are in
`multistream`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bitswap.errors import Timeout
from bitswap.network.libp2p.multistream import Initiator, Listener, NegotiationError, Negotiator
from bitswap.network.libp2p.timers import Timer
from bitswap.network.libp2p.yamux_stream import StreamHandler, YamuxStream

Agreed = Callable[[YamuxStream, str], "StreamHandler | None"]
"""Called with the stream and its protocol; returns who owns the stream from now on (None: it was reset)."""
Failed = Callable[[BaseException], None]
"""Called once when there is no agreement; the stream is closed by then."""


class Scheduler(Protocol):
    """Whoever calls back in time."""

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after `delay` seconds."""


class Negotiation:
    """Owner of a stream until its protocol is known."""

    def __init__(self, negotiator: Negotiator, agreed: Agreed, failed: Failed) -> None:
        self._negotiator = negotiator
        self._agreed = agreed
        self._failed = failed
        self._stream: YamuxStream | None = None
        self._done = False
        self._timer: Timer | None = None

    @classmethod
    def initiator(cls, protocols: Sequence[str], agreed: Agreed, failed: Failed) -> Negotiation:
        """Proposes `protocols` in order. Payload may be written to the stream right after `attach`."""
        return cls(Initiator(protocols), agreed, failed)

    @classmethod
    def listener(cls, protocols: Sequence[str], agreed: Agreed, failed: Failed) -> Negotiation:
        """Takes the first proposal that is in `protocols`."""
        return cls(Listener(protocols), agreed, failed)

    def attach(self, stream: YamuxStream, scheduler: Scheduler, timeout: float) -> None:
        """Begin on `stream`; it fails after `timeout` seconds."""
        self._stream = stream
        self._timer = scheduler.later(timeout, self._expired)
        stream.handler = self
        stream.write(self._negotiator.data_to_send())

    @property
    def done(self) -> bool:
        """Whether it has agreed or failed."""
        return self._done

    def fail(self, error: BaseException) -> None:
        """Give up: reset the stream and tell the owner."""
        if self._over() and self._stream is not None:
            self._stream.reset()
            self._failed(error)

    def _over(self) -> bool:
        """Mark the end; False when it was over before."""
        if self._done:
            return False
        self._done = True
        if self._timer is not None:
            self._timer.cancel()
        return True

    def _expired(self) -> None:
        self.fail(Timeout("no stream protocol was agreed in time"))

    def data_received(self, data: memoryview) -> None:
        stream = self._stream
        assert stream is not None
        negotiator = self._negotiator
        try:
            negotiator.receive(data)
            stream.write(negotiator.data_to_send())
        except NegotiationError as error:
            # The listener's "na" to a stranger goes out before the stream ends.
            self.fail(error)
            return
        if negotiator.selected is None:
            stream.consume(len(data))
            return
        left = negotiator.leftover
        stream.consume(len(data) - len(left))
        self._over()
        handler = self._agreed(stream, negotiator.selected)
        if handler is None or stream.closed:
            return
        stream.handler = handler
        if left:
            handler.data_received(memoryview(left))

    def end_received(self) -> None:
        self.fail(NegotiationError("the stream ended before a protocol was agreed"))

    def closed(self, error: BaseException | None) -> None:
        if self._over():
            self._failed(error or NegotiationError("the connection was closed before a protocol was agreed"))

    def drained(self) -> None: ...
