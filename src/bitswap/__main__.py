"""`python -m bitswap` is the command `bitswap`."""

import sys

from bitswap.cli import main

sys.exit(main())
