"""The one thread that owns all sockets: it waits for them, for timers, and for calls of other threads.

What is not said to be safe from any thread runs in its turns alone, so nothing above it needs a lock. While
it sleeps between two of them another thread can take one (`call_here`): a short call then wakes nobody.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bitswap.clock import Clock, SystemClock
from bitswap.errors import Closed
from bitswap.network.libp2p.selector import Ready, new_selector
from bitswap.network.libp2p.sockets import receive_into, send
from bitswap.network.libp2p.timers import Timer, Timers

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

_CALLS_A_TURN = 1000

_log = logging.getLogger("bitswap.network")


class SocketHandler(Protocol):
    """Who owns a registered socket."""

    def ready(self, events: int) -> None:
        """The socket can be read (READ) or written (WRITE)."""

    def crashed(self, error: Exception) -> None:
        """`ready` raised; the socket is no longer registered. Close it."""


class Reactor:
    """Filled by any thread before `start`; from then on what is above `idle` is for all of them."""

    def __init__(
        self, *, read_buffer: int, name: str = "bitswap-network", clock: Clock | None = None
    ) -> None:
        self.cipher = memoryview(bytearray(read_buffer))
        """Scratch space for what a socket gave; valid until the next read."""
        self.plain = memoryview(bytearray(read_buffer))
        """Scratch space for what was decrypted."""
        self._clock = clock or SystemClock()
        self._selector = new_selector()
        self._timers = Timers()
        self._calls: deque[Callable[[], None]] = deque()
        self._deferred: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._turn_lock = threading.Lock()
        self._owner: int | None = None
        """Whose turn it is, or was last."""
        self._sleeping = False
        self._sleeps_until: float | None = None
        self._changed = False
        """Sockets are watched otherwise than when the thread went to sleep, which not every selector sees."""
        self._awake = False
        self._stopping = False
        self._stopped = False
        self._woken = memoryview(bytearray(64))
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, READ, None)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    # Any thread.

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    @property
    def on_thread(self) -> bool:
        """Whether the caller has the turn: on the reactor's thread, or in a call made by `call_here`."""
        return threading.get_ident() == self._owner

    def call(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the thread soon, in the order of the calls. Raises Closed once it has stopped."""
        with self._lock:
            if self._stopped:
                raise Closed("the network is closed")
            self._calls.append(callback)
            if self._awake or self.on_thread:
                return
            self._awake = True
        self._wake()

    def call_here(self, callback: Callable[[], None], interrupted: Callable[[], None]) -> None:
        """Run `callback` now, as the thread would, if it sleeps; otherwise as `call`. For what takes no time.

        `interrupted` runs on the thread if something like KeyboardInterrupt ends it halfway. Raises Closed.
        """
        if not self._sleeping or self.on_thread:
            self.call(callback)
            return
        with self._turn_lock:
            if taken := self._sleeping and not (self._calls or self._deferred or self._stopping):
                self._take_turn(callback, interrupted)
        if not taken:
            self.call(callback)

    def stop(self) -> None:
        """End the loop after what was called before, and wait for the thread, unless the caller is on it."""
        with self._lock:
            if self._stopped and not self._thread.is_alive():
                return
            self._stopping = True
        self._wake()
        if self._thread.ident is None:
            self._shut()
        elif not self.on_thread:
            self._thread.join()

    def join(self) -> None:
        """Wait for the thread to end; not from the thread itself."""
        if self._thread.ident is not None:
            self._thread.join()

    def _wake(self) -> None:
        try:
            send(self._wake_out, (b"\0",))
        except OSError:
            # Full: it is awake already. Closed: it has ended.
            pass

    # The reactor's thread.

    @property
    def idle(self) -> bool:
        """Whether no socket is registered."""
        return len(self._selector.get_map()) <= 1

    def now(self) -> float:
        """Seconds of the reactor's clock."""
        return self._clock.now()

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` after `delay` seconds."""
        return self._timers.at(self._clock.now() + delay, callback)

    def defer(self, callback: Callable[[], None]) -> None:
        """Run `callback` at the end of this turn, or of the next one when this turn's are running already."""
        self._deferred.append(callback)

    def register(self, sock: socket.socket, events: int, handler: SocketHandler) -> None:
        """Watch `sock`."""
        self._changed = True
        self._selector.register(sock, events, handler)

    def modify(self, sock: socket.socket, events: int, handler: SocketHandler) -> None:
        """Watch it for other events."""
        self._changed = True
        self._selector.modify(sock, events, handler)

    def unregister(self, sock: socket.socket) -> None:
        """Stop watching it; before it is closed."""
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError):
            pass

    def _take_turn(self, callback: Callable[[], None], interrupted: Callable[[], None]) -> None:
        """A turn of another thread: its call and what that defers; the rest of it is for the reactor's."""
        self._owner = threading.get_ident()
        try:
            self._guarded(callback)
            self._run_deferred()
        except BaseException:
            self._calls.append(interrupted)
            raise
        finally:
            self._owner = None
            deadline, until = self._timers.next_deadline(), self._sleeps_until
            if (
                self._calls
                or self._deferred
                or self._changed
                or (deadline is not None and (until is None or deadline < until))
            ):
                self._wake()

    def _run(self) -> None:
        try:
            ready: Ready = []
            while not self._stopping:
                with self._turn_lock:
                    self._sleeping = False
                    self._owner = self._thread.ident
                    self._turn(ready)
                    timeout = self._timeout()
                    self._owner = None
                    self._changed = False
                    self._sleeping = timeout != 0.0
                ready = self._selector.select(timeout)
        finally:
            with self._turn_lock:
                self._sleeping = False
                self._owner = self._thread.ident
                self._shut()

    def _turn(self, ready: Ready) -> None:
        for key, events in ready:
            handler: SocketHandler | None = key.data
            if handler is None:
                self._slept()
                continue
            try:
                handler.ready(events)
            except Exception as error:
                self._handler_failed(key.fileobj, handler, error)
        self._run_calls()
        for _ in range(len(self._timers)):
            callback = self._timers.pop_due(self._clock.now())
            if callback is None:
                break
            self._guarded(callback)
        self._run_deferred()

    def _run_deferred(self) -> None:
        deferred, self._deferred = self._deferred, []
        for callback in deferred:
            self._guarded(callback)

    def _timeout(self) -> float | None:
        """How long the thread may sleep."""
        if self._calls or self._deferred or self._stopping:
            return 0.0
        self._sleeps_until = deadline = self._timers.next_deadline()
        return None if deadline is None else max(0.0, deadline - self._clock.now())

    def _slept(self) -> None:
        """Somebody woke the thread: calls that come from here on wake it again."""
        try:
            receive_into(self._wake_in, self._woken)
        except OSError:
            pass
        self._awake = False

    def _run_calls(self) -> None:
        """Run what was called; also what these calls call, so that many small sends share one write."""
        calls = self._calls
        for _ in range(_CALLS_A_TURN):
            if not calls:
                return
            self._guarded(calls.popleft())

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            _log.exception("a call on the network thread failed")

    def _handler_failed(self, sock: object, handler: SocketHandler, error: Exception) -> None:
        _log.error("a connection handler failed", exc_info=error)
        if isinstance(sock, socket.socket):
            self.unregister(sock)
        self._guarded(lambda: handler.crashed(error))

    def _shut(self) -> None:
        """What was called before the end still runs, so that every caller gets its answer."""
        while True:
            self._run_calls()
            with self._lock:
                if self._calls:
                    continue
                if self._stopped:
                    return
                self._stopped = True
                break
        self._deferred.clear()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._wake_out.close()
