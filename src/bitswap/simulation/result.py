"""What came of a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_MOST_POINTS = 2048


@dataclass(frozen=True)
class NodeResult:
    """One node that fetched; counts are those of the moment when it was done, as in boxo's benchmark."""

    name: str
    seconds: float | None
    """From its start until nothing was outstanding any more; None if it never came to that."""
    wanted: int
    found: int
    """Wanted blocks that came."""
    blocks_received: int
    """All blocks that came, duplicates included."""
    messages_sent: int
    messages_received: int
    bytes_sent: int
    bytes_received: int
    late_blocks: int
    """Blocks that came after it was done, until the end of the run."""
    late_messages: int
    """Messages that it sent and received after it was done, until the end of the run."""
    missing: tuple[str, ...] = ()
    """Wanted blocks that did not come, at most a hundred of them."""

    @property
    def duplicates(self) -> int:
        return self.blocks_received - self.found


@dataclass(frozen=True)
class Result:
    """A whole run. Equal for equal scenarios: nothing in it depends on the machine."""

    scenario: str
    seed: int
    seconds: float
    """Virtual time until everybody was done."""
    events: int
    messages: int
    """Sent by all nodes."""
    bytes: int
    nodes: tuple[NodeResult, ...]
    """Those that fetched."""
    progress: tuple[tuple[float, int], ...]
    """(seconds, blocks that have come to all of them), at most some thousand points."""

    @property
    def complete(self) -> bool:
        """Whether everybody got everything it wanted."""
        return all(node.found == node.wanted for node in self.nodes)

    @property
    def wanted(self) -> int:
        return sum(node.wanted for node in self.nodes)

    @property
    def found(self) -> int:
        return sum(node.found for node in self.nodes)

    @property
    def blocks_received(self) -> int:
        return sum(node.blocks_received for node in self.nodes)

    def to_json(self) -> Mapping[str, Any]:
        """All of it as plain values."""
        return {
            **asdict(self),
            "complete": self.complete,
            "wanted": self.wanted,
            "found": self.found,
            "blocks_received": self.blocks_received,
        }


class Progress:
    """Counts what comes, in a bounded number of points: of too many every second one is dropped."""

    def __init__(self) -> None:
        self._points: list[tuple[float, int]] = []
        self._total = 0
        self._step = 1
        self._skipped = 0

    def add(self, now: float, count: int) -> None:
        self._total += count
        points = self._points
        if points and points[-1][0] == now:
            points[-1] = (now, self._total)
            return
        self._skipped += 1
        if self._skipped < self._step:
            return
        self._skipped = 0
        points.append((now, self._total))
        if len(points) >= 2 * _MOST_POINTS:
            del points[1::2]
            self._step *= 2

    def points(self, end: float) -> Sequence[tuple[float, int]]:
        """(seconds, total so far), from (0, 0) to `end`."""
        return [(0.0, 0), *self._points, (end, self._total)]
