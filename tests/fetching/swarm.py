"""Virtual nodes for these tests: connected, played by the test, and looked at when all is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bitswap.block import Block
from bitswap.message import Message
from bitswap.session import Session
from bitswap.testnet import Fetch, VirtualNetwork, VirtualNode, fixed
from bitswap.testutils import cids_of

Answers = Callable[[str, Message], "Message | None"]
"""What a played node says to a message of a peer."""


def swarm(count: int, *, latency: float = 0.01, **options: Any) -> tuple[VirtualNetwork, list[VirtualNode]]:
    """Nodes "n0", "n1", …, every two of them connected."""
    net = VirtualNetwork(delay=fixed(latency))
    nodes = [net.node(f"n{index}", **options) for index in range(count)]
    net.mesh()
    return net, nodes


def arrives(net: VirtualNetwork, fetch: Fetch, blocks: Iterable[Block], *, within: float = 60.0) -> None:
    """Everything comes in time, each block once and whole."""
    assert net.run(lambda: fetch.done, seconds=within)
    came(fetch, blocks)


def came(fetch: Fetch, blocks: Iterable[Block]) -> None:
    """Everything has come, each block once and whole."""
    assert sorted(cids_of(fetch.blocks)) == sorted(cids_of(blocks))
    assert fetch.missing == []
    for block in fetch.blocks:
        block.verify()


def givers(session: Session) -> dict[str, int]:
    """Who sent how many blocks to a session."""
    return {peer: member.blocks for peer, member in session.peers.statistics().items() if member.blocks}


def play(net: VirtualNetwork, node: VirtualNode, answers: Answers) -> None:
    """From now on the test says what `node` answers, instead of its machines."""

    def received(peer: str, message: Message) -> None:
        node.received += 1
        answer = answers(peer, message)
        if answer is not None:
            say(net, node, peer, answer)

    vars(node)["message_received"] = received


def say(net: VirtualNetwork, node: VirtualNode, peer: str, message: Message) -> None:
    """Have `node` send a message of the test's own."""
    net.send(node, peer, message, lambda error: None)


def at_peers(net: VirtualNetwork, node: VirtualNode) -> dict[str, int]:
    """How many wants of `node` its neighbours have on their lists, as far as they have any."""
    held = {
        other.name: len(other.engine.wantlist_for_peer(node.name))
        for other in net.neighbours(node)
        if other.engine is not None
    }
    return {name: count for name, count in held.items() if count}


def leftovers(net: VirtualNetwork) -> list[str]:
    """What is still wanted, taken to be wanted, or about to be sent; nothing when all is over."""
    left: list[str] = []
    for node in net.nodes.values():
        wants = node.wants
        left += [f"{node.name} waits for {cid}" for cid in wants.wantlist()]
        left += [f"{node.name} asks {peer}" for peer in wants.peers() if wants.outstanding(peer)]
        left += [f"{peer} keeps {count} of {node.name}" for peer, count in at_peers(net, node).items()]
        if node.engine is not None and node.engine.stat.pending_tasks:
            left.append(f"{node.name} has answers to send")
    return left


def contents(machine: object) -> dict[str, int]:
    """The filled containers of a machine and of the machines in it, by where they are, with their lengths."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", machine)]
    while waiting:
        path, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (dict, list, set, frozenset, deque, tuple)):
            if thing:
                found[path] = len(thing)
            inside = thing.values() if isinstance(thing, dict) else thing
            waiting += [(f"{path}[{place}]", item) for place, item in enumerate(inside)]
        elif type(thing).__module__.startswith("bitswap."):
            waiting += [(f"{path}.{name}", value) for name, value in _attributes(thing)]
    return found


def _attributes(thing: object) -> Iterator[tuple[str, Any]]:
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(thing, name):
                yield name, getattr(thing, name)
    yield from getattr(thing, "__dict__", {}).items()
