"""How long a peer may be silent before a want-block counts as DONT_HAVE (boxo dontHaveTimeoutMgr)."""

from __future__ import annotations

from bitswap.options import ClientOptions

_ALPHA = 0.5  # weight of a new sample (boxo MessageLatencyAlpha)


class AnswerTimes:
    """The average time to an answer, and the patience that follows from it. Seconds throughout."""

    __slots__ = ("_options", "_samples", "latency", "timeout")

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._samples = 0
        self.latency: float | None = None
        self.timeout = options.dont_have_timeout

    def answered(self, seconds: float) -> None:
        """One message answered wants of which the oldest was sent `seconds` ago.

        Older than `resend_after` is no measure of the way to the peer and is ignored (boxo maxValidLatency).
        """
        options = self._options
        if seconds >= options.resend_after:
            return
        self._samples += 1
        weight = max(1.0 / self._samples, _ALPHA)
        self.latency = seconds if self.latency is None else weight * seconds + (1.0 - weight) * self.latency
        wanted = self.latency * options.latency_multiplier
        self.timeout = min(max(wanted, options.min_dont_have_timeout), options.max_dont_have_timeout)
