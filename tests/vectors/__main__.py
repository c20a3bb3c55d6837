"""`python -m tests.vectors KIND FILE…`: 0 if nothing differs, 1 if something does, 2 if it cannot tell."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.vectors.runner import KINDS, BadFile, run


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[0] not in KINDS:
        print(f"usage: python -m tests.vectors {'|'.join(KINDS)} FILE…", file=sys.stderr)
        return 2
    kind, *files = arguments
    differences = 0
    try:
        for file in files:
            differences += run(kind, Path(file), sys.stdout)
    except (BadFile, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
