"""What happens to the node: each act brings peers or blocks, and takes them away again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bitswap import Bitswap, Block
from bitswap.cid import CID
from bitswap.errors import BitswapError, NotFound, Timeout
from bitswap.getter import BlockGetter
from bitswap.network.libp2p.identity import PeerIdentity
from bitswap.options import KIB
from bitswap.routing import Provider
from tests.soak.neighbours import Neighbours, answer_of
from tests.soak.node import BASE, LateRouter, fresh
from tests.soak.tally import Tally

WAIT = 60.0
"""Seconds for anything that has to happen."""
LOOK = 0.02
"""Seconds between looks at a state that nobody tells of."""


class Failed(Exception):
    """Something did not go as it must."""


class Companion(NamedTuple):
    """A peer that stays."""

    name: str
    id: str


@dataclass
class Place:
    """Where acts happen."""

    node: Bitswap
    router: LateRouter
    registry: Any
    """Of prometheus-client, or None."""
    near: Neighbours
    tally: Tally
    folder: Path
    companions: Sequence[Companion]


@dataclass
class Act:
    """One act: a name of its own, chance of its own."""

    place: Place
    name: str
    chance: random.Random

    @property
    def node(self) -> Bitswap:
        return self.place.node

    @property
    def address(self) -> str:
        return self.node.network.addrs[0]

    @property
    def security(self) -> str:
        return self.chance.choice(("tls", "noise"))

    def blocks(self, most: int = 60, least: int = 4) -> tuple[str, int, int]:
        """Seed, number and size of blocks that nobody had before."""
        size = self.chance.choice((200, 1 * KIB, 4 * KIB, 16 * KIB, 48 * KIB))
        return self.name, self.chance.randint(least, most), size

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return self.place.near.ask(do, **arguments)

    @contextmanager
    def stored(self, blocks: Sequence[Block]) -> Iterator[list[str]]:
        """The node has these meanwhile; their CIDs."""
        try:
            self.node.add_blocks(blocks)
            self.place.tally.add(blocks_added=len(blocks))
            yield [str(block.cid) for block in blocks]
        finally:
            self.drop([block.cid for block in blocks])

    def drop(self, cids: Sequence[CID]) -> None:
        """The node has these no longer, if it had them."""
        deleted = sum(self.node.store.delete(cid) for cid in cids)
        self.node.blocks_removed(cids)
        self.place.tally.add(blocks_deleted=deleted)

    @contextmanager
    def peer(self, which: str = "", *, reset: bool = False, **more: Any) -> Iterator[dict[str, Any]]:
        """A peer that is there meanwhile."""
        name = f"{self.name}{which}"
        found = self.ask("up", name=name, security=self.security, **more)
        try:
            yield {"name": name, **found}
        finally:
            self.ask("down", name=name, reset=reset)
            self.place.tally.add(peers=1, resets=int(reset))

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Until `condition` holds; raises Failed."""
        deadline = time.monotonic() + WAIT
        never = threading.Event()
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"{what}: it never came true")
            never.wait(LOOK)

    def take_all(self, getter: BlockGetter, wanted: set[CID], *, by: str = "fetched") -> None:
        """Everything that is wanted, verified; raises what the getter raises."""
        got: dict[CID, int] = {}
        while len(got) < len(wanted):
            for block in getter.take():
                block.verify()
                if block.cid not in wanted or block.cid in got:
                    raise Failed(f"{block.cid} came unasked or twice")
                got[block.cid] = len(block.data)
        self.place.tally.transferred(len(got), sum(got.values()), by=by)

    def they_fetched(self, told: dict[str, Any], blocks: Sequence[Block]) -> None:
        """A peer has what it asked for; raises Failed."""
        size = sum(len(block.data) for block in blocks)
        if told["error"] or (told["blocks"], told["bytes"]) != (len(blocks), size):
            why = told["error"] or "no error"
            raise Failed(f"of {len(blocks)} blocks {told['blocks']} were fetched: {why}")
        self.place.tally.transferred(len(blocks), size, by="served")


def they_fetch(act: Act) -> None:
    """A peer comes, fetches what is new and some of what is old, and leaves, at times without a word."""
    blocks = fresh(*act.blocks()) + act.chance.sample(BASE, 12)
    with act.stored(blocks[:-12]), act.peer(listen=False, reset=act.chance.random() < 0.3) as peer:
        act.ask("dial", name=peer["name"], to=act.address)
        cids = [str(block.cid) for block in blocks]
        told = act.ask("fetch", name=peer["name"], peer=act.node.network.self_id, cids=cids, timeout=WAIT)
        act.they_fetched(told, blocks)


def they_break_off(act: Act) -> None:
    """A peer asks for much, and leaves by a reset once it has some of it."""
    blocks = fresh(act.name, 64, 32 * KIB)
    with act.stored(blocks) as cids, act.peer(listen=False, reset=True, window=256 * KIB) as peer:
        act.ask("dial", name=peer["name"], to=act.address)
        told = act.ask(
            "fetch", name=peer["name"], peer=act.node.network.self_id, cids=cids, timeout=WAIT, stop=3
        )
        if told["blocks"] < 3:
            raise Failed(f"{told['blocks']} of 3 blocks came: {told['error']}")


def they_wait(act: Act) -> None:
    """A peer wants what is not there, and gets it when it comes."""
    blocks = fresh(*act.blocks(20))
    cids = [str(block.cid) for block in blocks]
    with act.peer(listen=False) as peer:
        act.ask("dial", name=peer["name"], to=act.address)
        future = act.place.near.begin("fetch", name=peer["name"], peer=None, cids=cids, timeout=WAIT)
        act.until("its wants", lambda: len(act.node.wantlist_for_peer(peer["id"])) == len(cids))
        with act.stored(blocks):
            act.they_fetched(answer_of(future), blocks)


def they_change_their_mind(act: Act) -> None:
    """A peer wants what is not there, and takes it back."""
    cids = [str(block.cid) for block in fresh(act.name, 100, 100)]
    with act.peer(listen=False) as peer:
        act.ask("dial", name=peer["name"], to=act.address)
        act.ask("want", name=peer["name"], cids=cids)
        act.until("its wants", lambda: len(act.node.wantlist_for_peer(peer["id"])) == len(cids))
        act.ask("unwant", name=peer["name"])
        act.until("no wants", lambda: not act.node.wantlist_for_peer(peer["id"]))
        act.place.tally.add(cancels=len(cids))


def we_fetch(act: Act) -> None:
    """The node dials a peer, and fetches all that it has; either of them hangs up."""
    seed, count, size = act.blocks()
    blocks = fresh(seed, count, size)
    cids = {block.cid for block in blocks}
    with act.peer(reset=act.chance.random() < 0.3) as peer:
        act.ask("add", name=peer["name"], seed=seed, count=count, size=size)
        act.node.connect(peer["addrs"][0], WAIT)
        try:
            with act.node.new_session([peer["id"]], broadcast=False) as session:
                with session.getter(WAIT) as getter:
                    getter.want(cids)
                    act.take_all(getter, cids)
                act.node.explain(blocks[0].cid)
        finally:
            act.drop(list(cids))
        if act.chance.random() < 0.5:
            act.node.disconnect(peer["id"])


def we_lose_them(act: Act) -> None:
    """A peer that is asked for blocks breaks off in the middle: another one has the rest, or nobody."""
    blocks = fresh(act.name, 48, 16 * KIB)
    cids = {block.cid for block in blocks}
    content = {"seed": act.name, "count": 48, "size": 16 * KIB}
    rescued = act.chance.random() < 0.5
    with act.peer() as other:
        first = act.ask("up", name=f"{act.name}first", security=act.security, most=8)
        for name in (f"{act.name}first", *([other["name"]] if rescued else [])):
            act.ask("add", name=name, **content)
        act.node.connect(first["addrs"][0], WAIT)
        with act.node.new_session([first["id"]], broadcast=rescued) as session:
            try:
                with session.getter(WAIT) as getter:
                    getter.want(cids)
                    act.ask("wait_read", name=f"{act.name}first", count=9)
                    if rescued:
                        act.node.connect(other["addrs"][0], WAIT)
                    act.ask("down", name=f"{act.name}first", reset=True)
                    act.place.tally.add(peers=1, resets=1)
                    act.take_all(getter, cids)
                    if not rescued:
                        raise Failed("it got blocks that nobody had")
            except NotFound:
                if rescued:
                    raise
                act.place.tally.add(lost_on_purpose=1)
            finally:
                act.drop(list(cids))


def we_change_our_mind(act: Act) -> None:
    """The node takes the first blocks that come, and wants the others no longer."""
    seed, count, size = act.name, 128, 8 * KIB
    cids = [block.cid for block in fresh(seed, count, size)]
    with act.peer() as peer:
        act.ask("add", name=peer["name"], seed=seed, count=count, size=size)
        act.node.connect(peer["addrs"][0], WAIT)
        try:
            with act.node.getter(WAIT) as getter:
                getter.want(cids)
                first = getter.take()
                getter.cancel(cids[::2])
                for block in first:
                    block.verify()
        finally:
            act.drop(cids)
        act.place.tally.add(cancels=count - len(first))


def we_ask_in_vain(act: Act) -> None:
    """What nobody has is not found in time; what it waits for is explained meanwhile."""
    cid = fresh(act.name, 1, 64)[0].cid
    try:
        with act.node.getter(0.4) as getter:
            getter.want([cid])
            told = act.node.explain(cid)
            if not told.wanted:
                raise Failed(f"it does not say that it waits: {told}")
            getter.take()
    except (Timeout, NotFound):
        act.place.tally.add(timeouts=1)
    else:
        raise Failed("nobody's block was found")
    finally:
        act.place.router.forget([cid])


def they_say_nothing(act: Act) -> None:
    """A peer that is connected and never answers."""
    seed, count, size = act.blocks(8)
    cids = [block.cid for block in fresh(seed, count, size)]
    with act.peer(most=0) as peer:
        act.ask("add", name=peer["name"], seed=seed, count=count, size=size)
        act.node.connect(peer["addrs"][0], WAIT)
        try:
            with act.node.new_session([peer["id"]], broadcast=False) as session:
                list(session.get_blocks(cids, timeout=0.5))
        except (Timeout, NotFound):
            act.place.tally.add(timeouts=1)
        else:
            raise Failed("blocks came from a peer that sends none")
        finally:
            act.drop(cids)


def they_turn_up_late(act: Act) -> None:
    """A router is asked for blocks before their provider is there; one of its addresses is dead."""
    seed, count, size = act.blocks(30)
    cids = {block.cid for block in fresh(seed, count, size)}
    router = act.place.router
    dead = act.ask("nobody")["address"]
    try:
        with act.node.getter(WAIT) as getter:
            getter.want(cids)
            router.wait_asked(cids, WAIT)
            with act.peer() as peer:
                act.ask("add", name=peer["name"], seed=seed, count=count, size=size)
                router.learn(list(cids), Provider(peer["id"], (dead, peer["addrs"][0])))
                act.take_all(getter, cids)
                act.place.tally.add(providers_found=1)
    finally:
        router.forget(list(cids))
        act.drop(list(cids))


def many_ask_for_the_same(act: Act) -> None:
    """Three sessions want the same of two peers."""
    seed, count, size = act.blocks(40)
    cids = {block.cid for block in fresh(seed, count, size)}
    with act.peer("first") as first, act.peer("second") as second:
        for peer in (first, second):
            act.ask("add", name=peer["name"], seed=seed, count=count, size=size)
            act.node.connect(peer["addrs"][0], WAIT)
        sessions = [act.node.new_session([first["id"], second["id"]], broadcast=False) for _ in range(3)]
        try:
            getters = [session.getter(WAIT) for session in sessions]
            for getter in getters:
                getter.want(cids)
            for getter in getters:
                act.take_all(getter, cids)
        finally:
            for session in sessions:
                session.close()
            act.drop(list(cids))


def nobody_answers(act: Act) -> None:
    """Dials that fail: nobody there, somebody else there, somebody there who says nothing."""
    somebody = PeerIdentity.generate().peer_id
    with act.peer() as peer:
        wrong = peer["addrs"][0].rpartition("/")[0] + f"/{somebody}"
        mute = act.ask("mute", name=act.name)["address"]
        try:
            for address in (act.ask("nobody")["address"], wrong, mute):
                try:
                    act.node.connect(address, 0.5 if address == mute else WAIT)
                except BitswapError:
                    act.place.tally.add(failed_dials=1)
                else:
                    raise Failed(f"{address} was reached")
        finally:
            act.ask("unmute", name=act.name)


def rude(act: Act, kind: str) -> None:
    """A peer that does not behave; see `rude`."""
    size = 64 * KIB if kind in ("deaf", "reset") else 64
    blocks = fresh(act.name, 64, size)
    absent = [str(block.cid) for block in fresh(f"{act.name}absent", 20, 64)]
    with act.stored(blocks) as cids:
        wants = cids if kind in ("deaf", "reset") else cids + absent
        arguments = {"kind": kind, "to": act.address, "security": act.security, "cids": wants}
        future = act.place.near.begin("rude", name=act.name, **arguments)
        try:
            if kind == "deaf":
                _outlive(act, blocks[-1].cid)
        finally:
            act.ask("leave", name=act.name)
            answer_of(future)
    act.place.tally.add(peers=1, resets=int(kind in ("reset", "half_a_message")), rude=1)


def _outlive(act: Act, cid: CID) -> None:
    """Until the one peer that wants `cid` is thrown out."""

    def wanting() -> bool:
        return any(cid in act.node.wantlist_for_peer(peer) for peer in act.node.peers())

    act.until("its wants", wanting)
    act.until("its end", lambda: not wanting())


def friends_exchange(act: Act) -> None:
    """Blocks to and from a peer that stays."""
    exchange(act, act.chance.choice(act.place.companions))


def exchange(act: Act, friend: Companion) -> None:
    """Blocks to and from one that stays."""
    seed, count, size = act.blocks()
    blocks = fresh(f"{seed}{friend.name}", count, size)
    cids = {block.cid for block in blocks}
    content = {"name": friend.name, "seed": f"{seed}{friend.name}", "count": count, "size": size}
    act.ask("add", **content)
    try:
        with (
            act.node.new_session([friend.id], broadcast=False) as session,
            session.getter(WAIT) as getter,
        ):
            getter.want(cids)
            act.take_all(getter, cids)
    finally:
        act.ask("remove", **content)
        act.drop(list(cids))
    other = fresh(f"{seed}back", count, size)
    with act.stored(other) as texts:
        told = act.ask("fetch", name=friend.name, peer=act.node.network.self_id, cids=texts, timeout=WAIT)
        act.they_fetched(told, other)


def somebody_looks(act: Act) -> None:
    """Statistics, wantlists, ledgers, metrics, pings, explanations."""
    node = act.node
    node.stat()
    node.wantlist()
    for peer in node.peers():
        node.wantlist_for_peer(peer)
        node.ledger_for_peer(peer)
    for friend in act.place.companions:
        node.network.ping(friend.id, WAIT)
    for block in (*act.chance.sample(BASE, 3), *fresh(act.name, 3, 64)):
        node.explain(block.cid)
    if act.place.registry is not None:
        from prometheus_client import generate_latest

        if b"ipfs_bitswap" not in generate_latest(act.place.registry):
            raise Failed("the metrics are not told")
    act.place.tally.add(looks=1)


def a_process_is_killed(act: Act) -> None:
    """Peers in a process that is killed while it fetches and serves."""
    content = {"seed": act.name, "count": 48, "size": 16 * KIB}
    cids = [block.cid for block in fresh(act.name, 48, 16 * KIB)]
    mine = fresh(f"{act.name}mine", 64, 32 * KIB)
    with Neighbours(act.place.folder / "killed") as victim, act.stored(mine) as texts:
        serving = victim.ask("up", name="serving", security=act.security, most=8)
        victim.ask("add", name="serving", **content)
        fetching = victim.ask("up", name="fetching", security=act.security, listen=False, window=256 * KIB)
        victim.ask("dial", name="fetching", to=act.address)
        act.node.connect(serving["addrs"][0], WAIT)
        try:
            with (
                act.node.new_session([serving["id"]], broadcast=False) as session,
                session.getter(WAIT) as getter,
            ):
                getter.want(cids)
                victim.ask("wait_read", name="serving", count=9)
                victim.begin(
                    "fetch", name="fetching", peer=act.node.network.self_id, cids=texts, timeout=WAIT
                )
                act.until("its fetch", lambda: bool(act.node.ledger_for_peer(fetching["id"]).sent))
                victim.kill()
                act.take_all(getter, set(cids))
        except NotFound:
            act.place.tally.add(peers=2, killed=1, lost_on_purpose=1)
        else:
            raise Failed("a process that was killed sent everything")
        finally:
            act.drop(cids)
