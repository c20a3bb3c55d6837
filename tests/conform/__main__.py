"""`python -m tests.conform`: put the verdicts of our node and of boxo (needs Go) into docs/conform.md."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bitswap import CID, Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.conform.check import Check
from bitswap.conform.line import parse_target
from bitswap.conform.runner import Finding, chosen, run
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.network.libp2p.connection import security_ids
from tests.conform.boxo import EXPECTED
from tests.conform.held import HELD
from tests.interop import gopeer

PAGE = Path(__file__).parents[2] / "docs" / "conform.md"
BEGIN, END = "<!-- table: python -m tests.conform -->\n", "<!-- end of table -->\n"


def ours() -> list[Finding]:
    store = MemoryBlockstore()
    store.put_many(HELD)
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"])
    with Bitswap(network, store):
        return look(network.addrs[0], [block.cid for block in HELD])


def boxo(folder: Path) -> list[Finding]:
    small, listed = folder / "small", folder / "cids"
    small.write_bytes(b"a small file")
    peer = gopeer.GoPeer(gopeer.build(), folder)
    with peer.serve(
        file=[small], cid_version=1, blocks_count=28, blocks_size=256 * 1024, cids_out=listed
    ) as server:
        ready = server.line()
        cids = [CID(text) for text in (*listed.read_text().split(), *ready["roots"].values())]
        return look(ready["addrs"][0], cids)


def look(address: str, cids: Sequence[CID]) -> list[Finding]:
    target = parse_target(address, security_ids(["tls"]))
    return list(run(target, chosen(), cids=cids, timeout=20.0))


def row(check: Check, ours: str, boxo: str) -> str:
    """A line of the table; a pass is said in a word, anything else with its reason."""
    reason = EXPECTED.get(check.name, ("", ""))[1]
    other = f"{boxo}: {reason}" if reason and boxo != "pass" else boxo
    return f"| `{check.name}` | {check.expected} | {check.rule} | {ours} | {other} |\n"


def table(ours: Sequence[Finding], boxo: Sequence[Finding]) -> str:
    head = "| check | expected | rule | ours | boxo 0.43 |\n|---|---|---|---|---|\n"
    pairs = zip(ours, boxo, strict=True)
    return head + "".join(row(one.check, one.verdict.value, two.verdict.value) for one, two in pairs)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        rows = table(ours(), boxo(Path(folder)))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{rows}{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
