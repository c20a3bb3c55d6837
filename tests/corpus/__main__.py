"""`python -m tests.corpus make|check`: write `corpus.jsonl`, or say whether it is current (0 or 1)."""

from __future__ import annotations

import sys

from tests.corpus.files import CORPUS, made


def main(arguments: list[str]) -> int:
    if arguments == ["make"]:
        CORPUS.write_text(made(), encoding="ascii")
        return 0
    if arguments == ["check"]:
        if CORPUS.read_text(encoding="ascii") == made():
            return 0
        print(f"{CORPUS.name} is not what the code makes: run python -m tests.corpus make", file=sys.stderr)
        return 1
    print("usage: python -m tests.corpus make|check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
