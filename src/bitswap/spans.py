"""Spans of what a client does, under the names of go-bitswap, for whatever tracing system is at hand.

A tracer that has `start_span` is told of them. For OpenTelemetry it is a few lines: its `Tracer.start_span`
takes the name and the attributes, its `Span` has `add_event`, `record_exception` and `end`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable
from types import TracebackType
from typing import Protocol, runtime_checkable

from bitswap.moments import Moments

_log = logging.getLogger(__name__)
PREFIX = "Bitswap.Client."


class Span(Protocol):
    """Something that takes time; called from the thread that does it, one call at a time."""

    def event(self, name: str, **attributes: object) -> None: ...

    def end(self, error: BaseException | None) -> None:
        """It is over; `error` is what it failed with. A loop that is left early has not failed."""


@runtime_checkable
class SpanTracer(Protocol):
    """What a `Tracer` may have as well. What it or a span raises is logged and nothing else happens."""

    def start_span(self, name: str, **attributes: object) -> Span: ...


class Spanning:
    """A span that begins and ends with a `with` block; false where nobody is told."""

    __slots__ = ("_attributes", "_name", "_span", "_tracer")

    def __init__(self, tracer: SpanTracer | None, name: str, attributes: dict[str, object]) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = attributes
        self._span: Span | None = None

    def __bool__(self) -> bool:
        return self._span is not None

    def event(self, name: str, **attributes: object) -> None:
        if self._span is not None:
            try:
                self._span.event(name, **attributes)
            except Exception:
                _log.exception("the tracer failed")

    def __enter__(self) -> Spanning:
        if self._tracer is not None:
            try:
                self._span = self._tracer.start_span(PREFIX + self._name, **self._attributes)
            except Exception:
                _log.exception("the tracer failed")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._span is None:
            return
        try:
            self._span.end(None if isinstance(error, GeneratorExit) else error)
        except Exception:
            _log.exception("the tracer failed")


NOBODY = Spanning(None, "", {})
"""A span that nobody is told of."""


def span(tracer: SpanTracer | None, name: str, **attributes: object) -> Spanning:
    """The span `name`, without its prefix; costs next to nothing where nobody is told."""
    return NOBODY if tracer is None else Spanning(tracer, name, attributes)


def spans_of(tracer: object) -> SpanTracer | None:
    """The tracer if it wants spans, too."""
    return tracer if isinstance(tracer, SpanTracer) else None


class Telling:
    """Tells a tracer of the moments that a machine has noted, in their order."""

    def __init__(self, tracer: SpanTracer) -> None:
        self.moments = Moments()
        self._tracer = tracer
        self._lock = threading.Lock()
        self._open: dict[Hashable, Spanning] = {}

    def tell(self) -> None:
        """Tell of what was noted, unless another thread is about to; not to be called with a lock held."""
        # Whoever finds the lock taken leaves it to its owner, who looks again after giving it back.
        while self.moments and self._lock.acquire(blocking=False):
            try:
                while self.moments:
                    self._next()
            finally:
                self._lock.release()

    def _next(self) -> None:
        moment = self.moments.pop()
        if moment.over:
            self._open.pop(moment.key, NOBODY).__exit__(None, None, None)
            return
        begun = Spanning(self._tracer, moment.name, moment.attributes).__enter__()
        if moment.key is None:
            begun.__exit__(None, None, None)
        else:
            self._open[moment.key] = begun
