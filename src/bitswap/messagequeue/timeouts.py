"""How long a peer may be silent before a want-block counts as DONT_HAVE (boxo dontHaveTimeoutMgr)."""

from __future__ import annotations

from bitswap.options import ClientOptions

_ALPHA = 0.5  # weight of a new sample (boxo MessageLatencyAlpha)


class AnswerTimes:
    """The average time to an answer, and the patience that follows from it. Seconds throughout."""

    __slots__ = ("_least", "_options", "_samples", "latency", "timeout")

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._samples = 0
        self._least = options.min_dont_have_timeout
        self.latency: float | None = None
        self.timeout = options.dont_have_timeout

    def tells_lacks(self, tells: bool) -> None:
        """Whether the peer says DONT_HAVE; one that cannot is waited for no longer than an answer takes."""
        options = self._options
        self._least = options.min_dont_have_timeout if tells else options.min_silence

    @property
    def probe_patience(self) -> float:
        """Seconds in which the peer is expected to say whether it has a block."""
        options = self._options
        if self.latency is None:
            return options.probe_patience
        return min(
            max(self.latency * options.latency_multiplier, options.min_silence), options.probe_patience
        )

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
        self.timeout = min(max(wanted, self._least), options.max_dont_have_timeout)
