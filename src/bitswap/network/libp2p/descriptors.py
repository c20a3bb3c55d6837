"""The process's limit of open files: each connection takes one."""

from __future__ import annotations

import logging
import sys

_log = logging.getLogger("bitswap.network")

_CEILING = 1 << 20
"""Descriptors asked for where the hard limit is "unlimited"."""
_MACOS_CEILING = 10_240
"""macOS refuses more than OPEN_MAX."""


def descriptor_limit() -> str:
    """The soft limit in words, for messages."""
    try:
        import resource
    except ImportError:
        return "unknown"
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return "unlimited" if soft == resource.RLIM_INFINITY else str(soft)


def raise_descriptor_limit(wanted: int) -> None:
    """Raise the soft limit to the hard one when it is below `wanted`, and say so when that is still too few.

    Does nothing where there is no such limit (Windows).
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    target = _CEILING if hard == resource.RLIM_INFINITY else hard
    if sys.platform == "darwin":
        target = min(target, _MACOS_CEILING)
    if target > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
        except (OSError, ValueError) as error:
            _log.warning("the limit of open files stays at %d: %s", soft, error)
    if soft < wanted:
        _log.warning("at most %d open files are allowed; all connections together need %d", soft, wanted)
