"""The command `bitswap`: parse, run one command, turn its outcome into an exit code.

Exit codes: 0 done, 1 not found or failed, 2 wrong usage, 130 interrupted. A user's mistake ends in one
sentence on standard error, never in a traceback.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from bitswap.cli.arguments import parse
from bitswap.cli.console import say
from bitswap.errors import BitswapError, UsageError

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `argv` defaults to the process's own."""
    args = parse(argv)
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.ERROR,
        format="%(asctime)s %(threadName)s %(name)s: %(message)s",
    )
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("interrupted")
        code = INTERRUPTED
    except UsageError as error:
        say(f"error: {error}")
        code = USAGE
    except BrokenPipeError:
        # The reader of our output went away, as `bitswap … | head` does; nothing is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + getattr(signal, "SIGPIPE", 13)
    except (BitswapError, OSError) as error:
        if args.verbose:
            traceback.print_exc()
        say(f"error: {error or type(error).__name__}")
        code = FAILED
    return code
