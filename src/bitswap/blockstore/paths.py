"""Where a user's blocks are kept when nobody says where."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_directory() -> Path:
    """The directory for this user's data: `$XDG_DATA_HOME/bitswap`, or what the system has for that."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "bitswap"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "bitswap"
    data = os.environ.get("XDG_DATA_HOME", "")
    # The specification says to ignore a relative path.
    return (Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share") / "bitswap"


def default_path() -> Path:
    """The default store of blocks."""
    return data_directory() / "blocks"
