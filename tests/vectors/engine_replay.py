"""Plays a recorded script on a decision engine and writes down what it did, in the form of the record."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.engine import Engine
from bitswap.decision.interface import Envelope
from bitswap.message import Message, WantType
from bitswap.options import ServerOptions
from tests.vectors.runner import BadRecord, unhex

SALT = 1
STEP = 0.001
"""Seconds that pass with each step."""
PATIENCE = 0.1
"""Seconds within which what the engine itself waits for belongs to the step (boxo polls that often)."""

SizeOf = Callable[[CID], int | None]
"""Bytes of the block in the store, or None."""
Make = Callable[[ServerOptions, SizeOf, int], Engine]
"""An engine with these options, with up to that many envelopes out; it need not use the sizes."""


def content(name: str, size: int) -> bytes:
    count = -(-size // 32)
    return b"".join(hashlib.sha256(f"{name}:{k}".encode()).digest() for k in range(count))[:size]


class World:
    """The blocks of a script, by the names it gives them, and what is stored of them."""

    def __init__(self, script: dict[str, Any]) -> None:
        self.cids: dict[str, CID] = {}
        self.names: dict[CID, str] = {}
        self.data: dict[str, bytes] = {}
        self.stored: dict[bytes, bytes] = {}
        for item in script["store"] + script["absent"]:
            data = self.data[item["id"]] = content(item["id"], item["size"])
            self._name(item["id"], Block.of(data).cid)
        for name, text in (script.get("cids") or {}).items():
            self._name(name, CID(unhex(text)))
        self.add([item["id"] for item in script["store"]])
        self._denied = {(pair["peer"], self.cids[pair["block"]]) for pair in script.get("deny") or ()}

    def add(self, names: list[str]) -> dict[CID, int]:
        """Store blocks; returns their sizes."""
        for name in names:
            self.stored[self.cids[name].multihash] = self.data[name]
        return {self.cids[name]: len(self.data[name]) for name in names}

    def remove(self, names: list[str]) -> None:
        for name in names:
            self.stored.pop(self.cids[name].multihash, None)

    def size(self, cid: CID) -> int | None:
        data = self.stored.get(cid.multihash)
        return len(data) if data is not None else None

    def block(self, cid: CID) -> Block | None:
        data = self.stored.get(cid.multihash)
        return Block(cid, data) if data is not None else None

    def allowed(self, peer: str, cid: CID) -> bool:
        return (peer, cid) not in self._denied

    def sorted(self, cids: list[CID]) -> list[str]:
        return sorted(self.names[cid] for cid in cids)

    def _name(self, name: str, cid: CID) -> None:
        self.cids[name] = cid
        self.names[cid] = name


def options_of(script: dict[str, Any], world: World, least: int = 0) -> ServerOptions:
    """The options of a script, with nothing that adapts; `least` replaces limits below it."""
    options = script["options"]
    entries = max(options["max_wantlist"], least)
    return ServerOptions(
        adaptive=False,
        want_have_replace_size=options["want_have_replace_size"],
        max_wantlist_entries=entries,
        min_wantlist_entries=max(entries, 1),
        target_message_size=max(options["target_message_size"], least),
        max_outstanding_bytes=options["max_outstanding"],
        max_cid_size=options["max_cid_size"],
        send_dont_haves=options["send_dont_haves"],
        peer_block_request_filter=world.allowed if script.get("deny") else None,
    )


class Replay:
    """One script on one engine. UsageError if the engine refuses the options of the script."""

    def __init__(self, script: dict[str, Any], make: Make, least: int = 0) -> None:
        self._script = script
        self._world = World(script)
        self._workers = script["options"]["task_workers"]
        self._engine = make(options_of(script, self._world, least), self._world.size, self._workers)
        self._now = 0.0
        self._holding: set[str] = set()
        self._failing: set[str] = set()
        self._held: dict[str, list[Envelope]] = defaultdict(list)
        self._out = 0
        self._messages: dict[str, list[dict[str, Any]]] = {}
        self._order: list[str] = []
        self._intervals: list[dict[str, Any]] = []
        self._observes: list[dict[str, Any]] = []

    def run(self) -> dict[str, Any]:
        for step in self._script["steps"]:
            self._now += STEP
            if step["op"] == "settle":
                self._settle()
            elif step["op"] == "observe":
                self._observes.append(self._observe())
            else:
                self._apply(step)
                self._work()
        self._settle()
        # No input makes the engine ask for a disconnect: it has no means to.
        return {"intervals": self._intervals, "observes": self._observes, "disconnect_requests": 0}

    def _apply(self, step: dict[str, Any]) -> None:
        engine, world, op, peer = self._engine, self._world, step["op"], step.get("peer", "")
        if op == "connect":
            engine.peer_connected(peer)
        elif op == "disconnect":
            engine.peer_disconnected(peer)
        elif op == "message":
            message = self._message(step)
            lookup = engine.lookup(message)
            engine.message_received(peer, lookup, [world.size(cid) for cid in lookup.cids], self._now)
        elif op == "add_blocks":
            engine.notify_new_blocks(world.add(step["ids"]), self._now)
        elif op == "remove_blocks":
            world.remove(step["ids"])
        elif op == "received_from":
            for name in step["ids"]:
                engine.blocks_received(peer, len(world.data[name]))
        elif op == "hold":
            self._holding.add(peer)
        elif op == "release":
            self._release(peer)
        elif op == "send_errors":
            (self._failing.add if step["on"] else self._failing.discard)(peer)
        else:
            raise BadRecord(f"unknown step {op!r}")

    def _message(self, step: dict[str, Any]) -> Message:
        message = Message(step.get("full", False))
        for entry in step["entries"]:
            cid = self._world.cids[entry["block"]]
            if entry.get("cancel"):
                message.cancel(cid)
            else:
                kind = WantType.HAVE if entry.get("type") == "have" else WantType.BLOCK
                message.add_entry(cid, entry.get("priority", 0), kind, entry.get("send_dont_have", False))
        return message

    def _work(self) -> None:
        """Until nothing can be sent any more, now or in a moment."""
        latest = self._now + PATIENCE
        while True:
            while self._out < self._workers:
                envelope = self._engine.next_envelope(self._now)
                if envelope is None:
                    break
                self._send(envelope)
            deadline = self._engine.next_deadline()
            if deadline is None or deadline > latest:
                return
            self._now = max(self._now + STEP, deadline)
            if self._now > latest:
                return

    def _send(self, envelope: Envelope) -> None:
        world, peer = self._world, envelope.peer
        message = self._engine.fill(envelope, [world.block(cid) for cid in envelope.cids])
        if message is None:
            return
        blocks = message.blocks()
        sent = {
            "blocks": world.sorted([block.cid for block in blocks]),
            "haves": world.sorted(message.haves()),
            "dont_haves": world.sorted(message.dont_haves()),
            "pending_bytes": message.pending_bytes,
            "block_bytes": sum(len(block.data) for block in blocks),
        }
        self._messages.setdefault(peer, []).append(sent)
        self._order.append(peer)
        if peer in self._holding:
            self._held[peer].append(envelope)
            self._out += 1
        elif peer in self._failing:
            self._engine.envelope_failed(envelope, self._now)
        else:
            self._engine.envelope_sent(envelope, self._now)

    def _release(self, peer: str) -> None:
        self._holding.discard(peer)
        for envelope in self._held.pop(peer, ()):
            self._out -= 1
            self._engine.envelope_sent(envelope, self._now)

    def _settle(self) -> None:
        interval: dict[str, Any] = {"peers": {}}
        for peer, messages in self._messages.items():
            told: dict[str, Any] = {"n_messages": len(messages)}
            for kind in ("blocks", "haves", "dont_haves"):
                told[kind] = sorted(name for message in messages for name in message[kind])
                told[f"n_{kind}"] = len(told[kind])
            told["block_bytes"] = sum(message.pop("block_bytes") for message in messages)
            told["messages"] = messages
            interval["peers"][peer] = told
        if self._script.get("record_order"):
            interval["peer_order"] = self._order
        self._intervals.append(interval)
        self._messages, self._order = {}, []

    def _observe(self) -> dict[str, Any]:
        peers = {}
        for peer in self._script["peers"]:
            wantlist = self._world.sorted(self._engine.wantlist_for_peer(peer))
            account = self._engine.ledger_for_peer(peer)
            peers[peer] = {
                "wantlist": wantlist,
                "wantlist_size": len(wantlist),
                "ledger": {key: getattr(account, key) for key in ("sent", "recv", "exchanged", "value")},
            }
        stat = self._engine.stat
        told = {
            "blocks_sent": stat.blocks_sent,
            "data_sent": stat.data_sent,
            "peers_with_wants": list(stat.peers),
        }
        return {"peers": peers, "stat": told}
