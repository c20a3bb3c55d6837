"""`bitswap stat|wantlist|ledger`: questions to a node that runs as `bitswap serve --admin HOST:PORT`."""

from __future__ import annotations

import argparse
import http.client
import json
from typing import Any
from urllib.parse import urlencode

from bitswap.cli.arguments import endpoint_text
from bitswap.cli.console import emit
from bitswap.errors import RemoteError, UsageError
from bitswap.options import MIB

ANSWER_SECONDS = 10.0
"""Whoever is silent for so long is no node of ours."""
MAX_ANSWER = 64 * MIB
"""Above any wantlist that a node keeps."""


def stat(args: argparse.Namespace) -> int:
    """What the node counted: one name and value a line, of lists their lengths."""
    _tell(args, _ask(args, "/stat"))
    return 0


def wantlist(args: argparse.Namespace) -> int:
    """What the node waits for, or with --peer that peer from it; one CID a line."""
    record = _ask(args, "/wantlist", **({"peer": args.peer} if args.peer is not None else {}))
    if args.json:
        emit(record)
    else:
        for cid in record["wantlist"]:
            print(cid)
    return 0


def ledger(args: argparse.Namespace) -> int:
    """What the node exchanged with --peer: one name and value a line."""
    _tell(args, _ask(args, "/ledger", peer=args.peer))
    return 0


def _tell(args: argparse.Namespace, record: dict[str, Any]) -> None:
    if args.json:
        emit(record)
        return
    for name, value in record.items():
        print(name, len(value) if isinstance(value, list) else value)


def _ask(args: argparse.Namespace, path: str, **query: str) -> dict[str, Any]:
    """The node's answer; raises RemoteError when nobody answers there, UsageError for a bad peer id."""
    host, port = args.admin
    where = endpoint_text(host, port)
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
        response = connection.getresponse()
        status, body = response.status, response.read(MAX_ANSWER)
    except (OSError, UnicodeError) as error:
        raise RemoteError(
            f"no node answers at {where} ({error}); start one with `bitswap serve --admin {where}`"
        ) from None
    except http.client.HTTPException as error:
        raise RemoteError(f"what answers at {where} is no bitswap node: {error!r}") from None
    finally:
        connection.close()
    try:
        record = json.loads(body)
    except ValueError:
        record = None
    if not isinstance(record, dict) or (status != http.client.OK and "error" not in record):
        raise RemoteError(f"what answers at {where} is no bitswap node")
    if status == http.client.BAD_REQUEST:
        raise UsageError(str(record["error"]))
    if status != http.client.OK:
        raise RemoteError(f"the node at {where} answers: {record['error']}")
    return record
