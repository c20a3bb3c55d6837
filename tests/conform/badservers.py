"""Servers that are wrong in one thing each, and the check that has to find it."""

from __future__ import annotations

import os

from bitswap import CID, Block
from bitswap.message import PROTOCOLS, Entry, Message, WantType
from bitswap.network.interface import ANSWERS
from bitswap.options import MIB, NetworkOptions
from tests.conform.plainserver import Answer, PlainServer

FINDS: dict[type[PlainServer], str] = {}


def found_by(check: str):  # type: ignore[no-untyped-def]
    """Say which check fails because of a server."""

    def keep(server: type[PlainServer]) -> type[PlainServer]:
        FINDS[server] = check
        return server

    return keep


@found_by("no-dont-have-unasked")
class DeniesUnasked(PlainServer):
    def answer(self, entry: Entry) -> str | None:
        return super().answer(entry) or "dont_have"


@found_by("mixed-wants")
class DeniesAllTogether(PlainServer):
    """In a message where one want asks for DONT_HAVE all get it."""

    def message_received(self, peer: str, message: Message) -> None:
        self.asked = any(entry.send_dont_have for entry in message.wantlist())
        super().message_received(peer, message)

    def answer(self, entry: Entry) -> str | None:
        return super().answer(entry) or ("dont_have" if self.asked else None)


@found_by("unsolicited-block")
class KeepsWhatItIsSent(PlainServer):
    def take(self, peer: str, message: Message) -> None:
        self.blocks.update((block.cid.multihash, block.data) for block in message.blocks())


@found_by("unsolicited-for-waiting")
class PassesOn(PlainServer):
    """Sends what comes to whoever waits for it, wanted by itself or not."""

    def take(self, peer: str, message: Message) -> None:
        for block in message.blocks():
            for other, wants in self.waiting.items():
                if block.cid in wants:
                    answer = Message()
                    answer.add_block(block)
                    self.network.send(other, answer, ANSWERS, lambda error: None)


@found_by("false-have")
class BelievesHaves(PlainServer):
    def take(self, peer: str, message: Message) -> None:
        self.told = getattr(self, "told", set()) | set(message.haves())

    def answer(self, entry: Entry) -> str | None:
        return "have" if entry.cid in getattr(self, "told", ()) else super().answer(entry)


@found_by("want-have-large")
class DeniesHaves(PlainServer):
    def answer(self, entry: Entry) -> str | None:
        return "dont_have" if entry.want_type == WantType.HAVE else super().answer(entry)


@found_by("dont-have-to-want-have")
class ClaimsEverything(PlainServer):
    """The barrier itself is answered with HAVE; the first question shows it."""

    def answer(self, entry: Entry) -> str | None:
        return "have" if entry.want_type == WantType.HAVE else super().answer(entry)


@found_by("dont-have-to-want-block")
class SendsSomething(PlainServer):
    """A HAVE to a want-block for what it does not have."""

    def answer(self, entry: Entry) -> str | None:
        found = super().answer(entry)
        return "have" if found == "dont_have" and entry.want_type == WantType.BLOCK else found


@found_by("cancel-waiting")
class IgnoresCancels(PlainServer):
    def cancel(self, peer: str, cid: CID) -> None: ...


@found_by("cancel-unknown")
class AnswersCancels(PlainServer):
    def cancel(self, peer: str, cid: CID) -> None:
        self.queues[peer][cid] = Answer("dont_have", 1)


@found_by("want-after-cancel")
class RemembersCancels(PlainServer):
    def cancel(self, peer: str, cid: CID) -> None:
        super().cancel(peer, cid)
        self.cancelled = {*getattr(self, "cancelled", ()), cid}

    def want(self, peer: str, entry: Entry) -> None:
        if entry.cid not in getattr(self, "cancelled", ()):
            super().want(peer, entry)


@found_by("forgotten-on-disconnect")
class RemembersPeers(PlainServer):
    def peer_connected(self, peer: str) -> None:
        super().peer_connected(peer)
        self.send_next(peer)

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None:
        self.sending.discard(peer)


@found_by("want-block")
class SpoilsBlocks(PlainServer):
    def data(self, cid: CID) -> bytes:
        return b"!" + super().data(cid)[1:]


@found_by("no-dont-have-for-held")
class LosesBlocks(PlainServer):
    """Has each block once."""

    def data(self, cid: CID) -> bytes:
        return self.blocks.pop(cid.multihash)


@found_by("upgrade")
class KeepsTheFirstType(PlainServer):
    def want(self, peer: str, entry: Entry) -> None:
        self.first = getattr(self, "first", {})
        kind = self.first.setdefault((peer, entry.cid), entry.want_type)
        super().want(peer, entry._replace(want_type=kind))


@found_by("false-block")
class TrustsPrefixes(PlainServer):
    """Takes a block to be the one that the sender says that it has."""

    def take(self, peer: str, message: Message) -> None:
        for cid, block in zip(message.haves(), message.blocks(), strict=False):
            self.blocks[cid.multihash] = block.data


@found_by("nothing-unasked")
class SendsPresents(PlainServer):
    def peer_connected(self, peer: str) -> None:
        super().peer_connected(peer)
        present = Message()
        present.add_block(Block.of(os.urandom(20)))
        self.network.send(peer, present, ANSWERS, lambda error: None)


@found_by("wants-5000")
class DropsLongLists(PlainServer):
    def message_received(self, peer: str, message: Message) -> None:
        if message.entry_count <= 1024:
            super().message_received(peer, message)


@found_by("full-wantlist")
class IgnoresFullLists(PlainServer):
    def message_received(self, peer: str, message: Message) -> None:
        if not message.full:
            super().message_received(peer, message)


@found_by("priorities-extreme")
class DropsNegatives(PlainServer):
    def want(self, peer: str, entry: Entry) -> None:
        if entry.priority >= 0 or entry.priority == -(2**31):
            super().want(peer, entry)


@found_by("corpus-bad-cids")
class HangsUp(PlainServer):
    """Closes the connection because of one bad stream."""

    def receive_error(self, peer: str, error: BaseException) -> None:
        self.network.disconnect(peer)


@found_by("clean-end")
class Falls(PlainServer):
    """Is gone after a want of a type that it does not know."""

    def want(self, peer: str, entry: Entry) -> None:
        if entry.want_type > 1:
            self.network.close()
        super().want(peer, entry)


@found_by("block-2-mib")
class TakesLittle(PlainServer):
    def message_received(self, peer: str, message: Message) -> None:
        if message.body_size > MIB:
            self.network.disconnect(peer)
        else:
            super().message_received(peer, message)


@found_by("protocol-1.2.0")
class IsOld(PlainServer):
    protocols = PROTOCOLS[1:]


class HasFewStreams(PlainServer):
    """Resets streams beyond a few, which it may."""

    options = NetworkOptions(max_inbound_streams=8)
