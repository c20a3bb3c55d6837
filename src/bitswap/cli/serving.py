"""What a serving command says, from however many processes it serves."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bitswap.cli.admin import answering
from bitswap.cli.answers import ANSWERS, Query, Record
from bitswap.cli.console import emit, say, size_text
from bitswap.cli.scrape import Scrape


def tell(args: argparse.Namespace, record: Record, admin: str | None) -> None:
    """The first line; `record` has the addresses and roots."""
    emit(record if admin is None else {**record, "admin": admin})
    if args.json:
        return
    for address in record["addrs"]:
        say(f"listening on {address}")
    for path, cid in record["roots"].items():
        say(f"serving {path} as {cid}")
    if admin is not None:
        say(f"answering questions at {admin}")


def tell_end(args: argparse.Namespace, stat: Record) -> None:
    """The last line."""
    if args.json:
        emit({"stat": stat})
    else:
        say(f"served {stat['blocks_sent']} blocks, {size_text(stat['data_sent'])}")


@contextmanager
def administered(
    node: Any,
    endpoint: tuple[str, int] | None,
    scrape: Scrape | None,
    answers: Mapping[str, Callable[[Any, Query], Record]] = ANSWERS,
) -> Iterator[str | None]:
    """As `answering`, if there is an endpoint to answer at."""
    if endpoint is None:
        yield None
    else:
        with answering(node, endpoint, scrape, answers) as admin:
            yield admin
