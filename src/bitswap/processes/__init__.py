"""One node served from several processes over one store: a supervisor, and workers that it hands connections.

Every worker has the node's identity and a node of its own; the supervisor accepts, and gives each connection
to the worker that has the fewest. POSIX only.
"""

from __future__ import annotations

from bitswap.processes.setting import Setting
from bitswap.processes.supervisor import Supervisor

__all__ = ["Setting", "Supervisor"]
