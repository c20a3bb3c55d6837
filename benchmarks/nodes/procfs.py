"""What Linux says of a process, running or stopped: processor time and memory."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads so far, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def peak_bytes(pid: int | str = "self") -> int:
    """Most memory resident so far, or since `forget_peak`.

    `getrusage` does not do: a child begins with what its parent had.
    """
    return _status(pid, "VmHWM")


def resident_bytes(pid: int | str = "self") -> int:
    """Memory resident now."""
    return _status(pid, "VmRSS")


def threads(pid: int | str = "self") -> int:
    """How many threads there are."""
    return _status(pid, "Threads", 1)


def forget_peak(pid: int) -> None:
    """`peak_bytes` counts from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status(pid: int | str, name: str, unit: int = 1024) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key == name:
            return int(rest.split()[0]) * unit
    return 0
