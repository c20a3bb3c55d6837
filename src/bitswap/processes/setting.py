"""What a worker is told when it starts, through a socket, since a command line is for all to read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bitswap.errors import UsageError


@dataclass(frozen=True)
class Setting:
    """The same for all workers of a node."""

    private_key: str
    """The node's identity, as `PeerIdentity.private_key_proto` in hexadecimal digits."""
    store: str | None
    """URL of the store, as `open_store` takes it."""
    listen: tuple[str, ...]
    """Where the supervisor listens."""
    security: tuple[str, ...] = ("tls", "noise")
    metrics: bool = False
    """Whether /metrics will be asked for."""
    verbose: bool = False
    report_interval: float = 1.0

    def __repr__(self) -> str:
        return f"<Setting of {self.store!r} at {', '.join(self.listen)}>"

    def record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, record: dict[str, Any]) -> Setting:
        lists = {name: tuple(record[name]) for name in ("listen", "security")}
        return cls(**{**record, **lists})


def check_store(url: str | None) -> None:
    """Raises UsageError for a store that processes cannot share."""
    if url is not None and url.partition(":")[0] == "memory":
        raise UsageError(
            "a store in memory belongs to one process, and workers are several: use --store lmdb:PATH, "
            "or one worker"
        )
