"""For all tests: how hypothesis runs, and that commands which are started can be interrupted."""

from __future__ import annotations

import signal

from hypothesis import settings

# A deadline would fail a test because the machine is busy.
settings.register_profile("bitswap", deadline=None)
settings.load_profile("bitswap")

# A shell has what it starts in the background ignore interrupts, and that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
