"""The grammar of the command line; every command's own module is imported only when it runs."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

LOOPBACK = "127.0.0.1"

Commands = Any  # argparse's sub-parser action has no public name


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The parsed command line; `run` is the command. Exits as argparse does (2 for wrong usage)."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object a line on standard output")
    common.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
    common.add_argument("-v", "--verbose", action="store_true", help="log to standard error, with tracebacks")
    parser = argparse.ArgumentParser(
        prog="bitswap", description="Exchange blocks and files with IPFS nodes over Bitswap."
    )
    parser.add_argument("--version", action="version", version=f"bitswap {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        _demo,
        _add,
        _serve,
        _get,
        _block,
        _blocks,
        _dag,
        _queries,
        _check,
        _conform,
        _simulate,
        _bench,
    ):
        add(commands, common)
    return parser.parse_args(argv)


def _version() -> str:
    try:
        return version("bitswap")
    except PackageNotFoundError:
        return "(not installed)"


def _run(module: str, function: str = "run") -> Callable[[argparse.Namespace], int]:
    def call(args: argparse.Namespace) -> int:
        code: int = getattr(importlib.import_module(f"bitswap.cli.{module}"), function)(args)
        return code

    return call


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return number


def rate(text: str) -> float:
    """Bytes a second, above zero; K, M and G stand for thousands, millions and milliards."""
    factor = {"K": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:].upper(), 1.0)
    number = float(text if factor == 1.0 else text[:-1]) * factor
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of bytes a second above zero")
    return number


def seconds(text: str) -> float:
    """A time in seconds, above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time in seconds above zero")
    return number


def endpoint(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPV6]:PORT or :PORT for this machine alone."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host or LOOPBACK, int(port)


def endpoint_text(host: str, port: int) -> str:
    """What `endpoint` reads: an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def other_endpoint(text: str) -> tuple[str, int]:
    """As `endpoint`, of a server that is there already, so not on port 0."""
    host, port = endpoint(text)
    if not port:
        raise argparse.ArgumentTypeError("port 0 stands for any port; the node's first line names its own")
    return host, port


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where blocks are kept: lmdb:PATH (default: lmdb: under the user's data directory), "
        "flatfs:PATH (the blocks folder of a kubo repository) or memory:",
    )


def _network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--security",
        choices=("tls", "noise"),
        help="offer only this secure channel (default: both, TLS first)",
    )
    parser.add_argument("--identity", metavar="FILE", help="private key of this node; made when missing")


def _fetching(parser: argparse.ArgumentParser) -> None:
    _store(parser)
    _network(parser)
    parser.add_argument(
        "--peer",
        metavar="MULTIADDR",
        action="append",
        default=[],
        help="a node to ask; may be given several times",
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=seconds,
        default=60.0,
        help="give up when nothing has come for so many seconds (default: 60)",
    )


def _importing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--chunk-size", metavar="N", type=positive, help="bytes of file content a block (default: 262144)"
    )
    parser.add_argument(
        "--cid-version",
        type=int,
        choices=(0, 1),
        default=0,
        help="0: kubo's classic profile (default); 1: CIDv1 with raw leaves",
    )


def _hidden(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hidden", action="store_true", help="take files whose name begins with a dot, too")


def _demo(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "demo", parents=[common], help="two nodes on loopback TCP exchange a file; prints what happened"
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="a file or directory (default: a generated file)"
    )
    parser.add_argument(
        "--size",
        metavar="N",
        type=positive,
        default=64 * 1024 * 1024,
        help="bytes of the generated file (default: 64 MiB)",
    )
    parser.add_argument(
        "--security", choices=("tls", "noise"), default="tls", help="the secure channel (default: tls)"
    )
    _importing(parser)
    parser.set_defaults(run=_run("demo"))


def _add(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "add", parents=[common], help="store files and directories; prints their root CIDs"
    )
    parser.add_argument("paths", metavar="PATH", nargs="+")
    _importing(parser)
    _hidden(parser)
    _store(parser)
    parser.set_defaults(run=_run("add"))


def _serve(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("serve", parents=[common], help="answer other nodes until interrupted")
    parser.add_argument("paths", metavar="PATH", nargs="*", help="files and directories to add first")
    parser.add_argument(
        "--listen",
        metavar="MULTIADDR",
        action="append",
        default=[],
        help="where to listen (default: /ip4/127.0.0.1/tcp/0); may be given several times",
    )
    _importing(parser)
    _hidden(parser)
    _store(parser)
    _network(parser)
    parser.add_argument(
        "--workers",
        metavar="N",
        type=positive,
        default=1,
        help="serve from N processes over one store, so that N cores are used (default: 1; not with memory:)",
    )
    parser.add_argument(
        "--admin",
        metavar="HOST:PORT",
        type=endpoint,
        help="answer `bitswap stat`, `wantlist`, `ledger` and GET /metrics there "
        "(:PORT: this machine only; port 0: any)",
    )
    parser.add_argument(
        "--max-rate",
        metavar="BYTES/S",
        type=rate,
        help="send at most so many bytes of answers a second to all peers together; K, M, G: powers of 1,000",
    )
    parser.add_argument(
        "--max-peer-rate", metavar="BYTES/S", type=rate, help="the same for each peer (default: no limit)"
    )
    parser.add_argument(
        "--deny",
        metavar="FILE",
        help="blocks that nobody gets, a CID a line, and peers who get nothing, as `peer ID`",
    )
    parser.set_defaults(run=_run("serve"))


def _get(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "get", parents=[common], help="fetch a file or directory and write it to disk"
    )
    parser.add_argument("path", metavar="CID[/PATH]")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="where to write; - for standard output (default: ./NAME)"
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="while nothing comes, and on failure, say on standard error who was asked and what happens next "
        "(with --json one object a line)",
    )
    _fetching(parser)
    parser.set_defaults(run=_run("get"))


def _block(commands: Commands, common: argparse.ArgumentParser) -> None:
    block = commands.add_parser("block", help="one raw block: get, put, stat")
    actions = block.add_subparsers(metavar="ACTION", required=True)
    get = actions.add_parser("get", parents=[common], help="write a block's bytes")
    get.add_argument("cid", metavar="CID")
    get.add_argument(
        "-o", "--output", metavar="OUT", default="-", help="where to write (default: standard output)"
    )
    _fetching(get)
    get.set_defaults(run=_run("block", "get"))
    put = actions.add_parser("put", parents=[common], help="store each file as one block; prints the CIDs")
    put.add_argument("files", metavar="FILE", nargs="*", default=["-"], help="- or nothing: standard input")
    put.add_argument("--codec", choices=("raw", "dag-pb", "dag-cbor"), default="raw", help="(default: raw)")
    put.add_argument(
        "--hash",
        choices=("sha2-256", "sha2-512", "sha3-256", "sha3-512", "blake2b-256", "blake3"),
        default="sha2-256",
        help="(default: sha2-256)",
    )
    put.add_argument("--cid-version", type=int, choices=(0, 1), default=1, help="(default: 1)")
    _store(put)
    put.set_defaults(run=_run("block", "put"))
    stat = actions.add_parser("stat", parents=[common], help="a block's size")
    stat.add_argument("cid", metavar="CID")
    _fetching(stat)
    stat.set_defaults(run=_run("block", "stat"))


def _blocks(commands: Commands, common: argparse.ArgumentParser) -> None:
    blocks = commands.add_parser("blocks", help="many raw blocks in one call: make, get")
    actions = blocks.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser(
        "make", parents=[common], help="make test blocks, the same everywhere for the same seed"
    )
    make.add_argument("--count", metavar="N", type=positive, required=True)
    make.add_argument("--size", metavar="S", type=positive, required=True, help="bytes a block")
    make.add_argument("--seed", metavar="X", required=True)
    make.add_argument("--cids", metavar="FILE", required=True, help="where to write the CIDs, one a line")
    _store(make)
    make.set_defaults(run=_run("blocks", "make"))
    get = actions.add_parser("get", parents=[common], help="fetch the blocks of a list of CIDs")
    get.add_argument("--cids", metavar="FILE", required=True, help="CIDs, one a line; - for standard input")
    get.add_argument(
        "--discard", action="store_true", help="verify each block and drop it; the store is not touched"
    )
    _fetching(get)
    get.set_defaults(run=_run("blocks", "get"))


def _dag(commands: Commands, common: argparse.ArgumentParser) -> None:
    dag = commands.add_parser("dag", help="a whole graph as one CAR file: export, import")
    actions = dag.add_subparsers(metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        parents=[common],
        help="write a graph as a CARv1",
        description="Writes all blocks below CID, depth first, each once. Links of dag-pb and dag-cbor "
        "blocks are followed, blocks of other codecs are written as they are.",
    )
    export.add_argument("cid", metavar="CID")
    export.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="where to write (default: standard output)"
    )
    _fetching(export)
    export.set_defaults(run=_run("dag", "export"))
    load = actions.add_parser(
        "import",
        parents=[common],
        help="store the blocks of CAR files (CARv1, CARv2); prints their roots",
        description="Every block is verified. A file that is broken at some byte is stored up to there, and "
        "the exit code is 1.",
    )
    load.add_argument("files", metavar="FILE", nargs="+", help="- for standard input")
    _store(load)
    load.set_defaults(run=_run("dag", "load"))


def _queries(commands: Commands, common: argparse.ArgumentParser) -> None:
    for name, words in (
        ("stat", "what a running node counted"),
        ("wantlist", "what a running node waits for, or a peer from it"),
        ("ledger", "what a running node exchanged with a peer"),
    ):
        parser = commands.add_parser(name, parents=[common], help=words)
        parser.add_argument(
            "--admin",
            metavar="HOST:PORT",
            type=other_endpoint,
            required=True,
            help="the node, as `bitswap serve --admin` was told",
        )
        if name != "stat":
            parser.add_argument("--peer", metavar="ID", required=name == "ledger", help="a peer id")
        parser.set_defaults(run=_run("ask", name))


def _check(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "check", parents=[common], help="ask a peer whether it has a block, without fetching it"
    )
    parser.add_argument("cid", metavar="CID")
    parser.add_argument("address", metavar="MULTIADDR")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=seconds,
        default=10.0,
        help="seconds to connect, and again to wait for the answer (default: 10)",
    )
    _network(parser)
    parser.set_defaults(run=_run("check"))


def _conform(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "conform",
        parents=[common],
        help="check whether a peer behaves as Bitswap nodes must, hostile messages included",
        description="Runs named checks against a peer that you may test so. Exit codes: 0 nothing fails, "
        "1 something does, 2 the peer cannot be reached.",
    )
    parser.add_argument("address", metavar="MULTIADDR", nargs="?")
    parser.add_argument(
        "--security",
        choices=("tls", "noise"),
        help="offer only this secure channel (default: both, TLS first)",
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=seconds,
        default=10.0,
        help="seconds that a check may take (default: 10)",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="run this check; NAME* all that begin so; may be given several times",
    )
    parser.add_argument("--list", action="store_true", help="show the checks, run none")
    parser.add_argument(
        "--cid",
        metavar="CID",
        nargs="+",
        action="extend",
        default=[],
        help="blocks that the peer has, after MULTIADDR; without them what needs blocks is skipped",
    )
    parser.set_defaults(run=_run("conform", "main"))


def _simulate(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "simulate", parents=[common], help="run a scenario of simulated nodes in virtual time"
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="a scenario: .toml or .json")
    parser.add_argument(
        "--seed", metavar="N", type=int, help="random numbers (default: that of the file, or 0)"
    )
    parser.add_argument("--plot", metavar="SVG", help="draw the progress over time")
    parser.add_argument(
        "--matrix", action="store_true", help="boxo's benchmark scenarios, beside its figures"
    )
    parser.add_argument(
        "--only", metavar="WORD", default="", help="with --matrix: scenarios with it in their name"
    )
    parser.add_argument("--markdown", metavar="MD", help="with --matrix: write the page about it")
    parser.add_argument(
        "--seeds", metavar="N", type=positive, default=10, help="with --markdown: seeds that are tried (10)"
    )
    parser.set_defaults(run=_run("simulate"))


def _bench(commands: Commands, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "bench",
        parents=[common],
        help="measure this machine: codec, engine, hashing, store, two nodes over loopback",
        description="Takes ten to twenty seconds. The store is measured in a folder of its own beside that "
        "of --store, on the same disk; nothing of it stays.",
    )
    _store(parser)
    parser.add_argument("--scale", type=seconds, default=1.0, help=argparse.SUPPRESS)
    parser.set_defaults(run=_run("bench"))


_TOOLS = (_queries, _check, _conform, _simulate, _bench)
