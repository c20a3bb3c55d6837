"""`python -m tests.matrix` runs boxo's benchmark matrix and writes docs/matrix.md; options of
`bitswap simulate --matrix` can be added."""

from __future__ import annotations

import sys
from pathlib import Path

from bitswap.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "matrix.md"

if __name__ == "__main__":
    raise SystemExit(main(["simulate", "--matrix", "--markdown", str(PAGE), *sys.argv[1:]]))
