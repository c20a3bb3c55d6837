"""`bitswap conform`: whether a peer behaves as Bitswap nodes must."""

from __future__ import annotations

import argparse

from bitswap.cid import CID
from bitswap.cli.console import emit, say
from bitswap.conform.line import parse_target
from bitswap.conform.report import described, lines, listed, record, summary, totals
from bitswap.conform.runner import Finding, chosen, run
from bitswap.conform.verdict import Unreachable, Verdict
from bitswap.errors import UsageError
from bitswap.network.libp2p.connection import security_ids

UNREACHABLE = 2


def main(args: argparse.Namespace) -> int:
    """0: every check passed, differs or was skipped; 1: one failed; 2: the peer cannot be reached."""
    checks = chosen(args.only)
    if args.list:
        for check in checks:
            if args.json:
                emit(described(check))
            else:
                print(listed(check))
        return 0
    if args.address is None:
        raise UsageError("whose conformance? give the peer's MULTIADDR")
    security = (args.security,) if args.security else ("tls", "noise")
    target = parse_target(args.address, security_ids(security))
    findings: list[Finding] = []
    try:
        for finding in run(target, checks, cids=[CID(text) for text in args.cid], timeout=args.timeout):
            findings.append(finding)
            _show(finding, args)
    except Unreachable as error:
        say(f"error: {error}")
        return UNREACHABLE
    if args.json:
        emit({"peer": args.address, **totals(findings)})
    else:
        print(summary(findings))
    return int(any(finding.verdict is Verdict.FAIL for finding in findings))


def _show(finding: Finding, args: argparse.Namespace) -> None:
    if args.json:
        emit(record(finding))
    else:
        print("\n".join(lines(finding, whole=args.verbose)), flush=True)
