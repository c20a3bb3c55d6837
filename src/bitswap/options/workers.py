"""Bounds and defaults of a node that is served from several processes."""

from __future__ import annotations

from dataclasses import dataclass

from bitswap.options.limits import MIB, require


@dataclass(frozen=True)
class WorkerOptions:
    """The processes of `bitswap serve --workers`: their start, their end, what they tell."""

    max_workers: int = 256
    """Processes of one node."""
    start_timeout: float = 30.0
    """Seconds until a worker answers; then it is killed and counts as failed."""
    stop_timeout: float = 10.0
    """Seconds for a worker to close its connections and end; then it is killed."""
    restart_delay_min: float = 0.1
    """Seconds before a worker that ended is started again; doubled with every failure in a row."""
    restart_delay_max: float = 30.0
    """The same, at most."""
    max_restarts: int = 10
    """Failures in a row after which a worker is not started again; without any worker the node ends."""
    restart_forget: float = 60.0
    """Seconds a worker has to run for its earlier failures to be forgotten."""
    report_interval: float = 1.0
    """Seconds between a worker's reports; what a killed one counted after its last report is lost."""
    answer_timeout: float = 5.0
    """Seconds for a worker to answer a question of the administrator; then the answer goes without it."""
    max_questions: int = 16
    """Questions that a worker may have before it; a further one is not asked."""
    max_line: int = 64 * MIB
    """Bytes of one record between the processes, above any wantlist that a node keeps."""
    accept_pause: float = 0.05
    """Seconds without accepting when every worker has as many new connections before it as it takes."""

    def __post_init__(self) -> None:
        for name in ("max_workers", "max_questions", "max_line"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1")
        require(self.max_restarts >= 0, "max_restarts must not be negative")
        for name in (
            *("start_timeout", "stop_timeout", "restart_delay_min", "restart_forget"),
            *("report_interval", "answer_timeout", "accept_pause"),
        ):
            require(getattr(self, name) > 0, f"{name} must be positive")
        require(self.restart_delay_max >= self.restart_delay_min, "restart_delay_max is below the minimum")
