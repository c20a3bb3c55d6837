"""The machine of the fetching half with peers played by the test."""

from __future__ import annotations

from collections.abc import Iterable

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.notifications import Subscription
from bitswap.options import ClientOptions
from bitswap.session import Session
from bitswap.sessionmanager import Received
from bitswap.wantmanager import WantManager
from tests.client.messages import cancels_of, wants_of

BLOCK, HAVE = int(WantType.BLOCK), int(WantType.HAVE)


class Sent:
    """What a peer was told since somebody last looked."""

    def __init__(self) -> None:
        self.blocks: list[CID] = []
        self.haves: list[CID] = []
        self.told: set[CID] = set()
        """Of which it is to say if it lacks them."""
        self.cancels: set[CID] = set()

    def add(self, message: Message) -> None:
        wants = wants_of(message)
        self.blocks += [cid for cid, (kind, _) in wants.items() if kind == BLOCK]
        self.haves += [cid for cid, (kind, _) in wants.items() if kind == HAVE]
        self.told |= {cid for cid, (_, dont_have) in wants.items() if dont_have}
        self.cancels |= cancels_of(message)

    def __repr__(self) -> str:
        return f"<blocks {self.blocks} haves {self.haves} cancels {self.cancels}>"


class Harness:
    def __init__(self, *peers: str, **options: float) -> None:
        self.options = ClientOptions(**options)  # type: ignore[arg-type]
        self.machine = WantManager(self.options)
        self.now = 0.0
        self.messages = 0
        self._sent: dict[str, Sent] = {}
        self.connect(*peers)

    def connect(self, *peers: str) -> None:
        for peer in peers:
            self.machine.peer_connected(peer, self.now)

    def disconnect(self, peer: str, reason: str | None = "reset") -> None:
        self.machine.peer_disconnected(peer, reason, self.now)

    def want(
        self,
        cids: Iterable[CID],
        session: Session | None = None,
        *,
        peers: list[str] | None = None,
        broadcast: bool = True,
    ) -> Subscription:
        session = session or self.machine.new_session(peers, broadcast=broadcast)
        subscription = self.machine.subscribe(session)
        self.machine.want(subscription, cids, self.now)
        return subscription

    def sent(self) -> dict[str, Sent]:
        """What went out since the last call, by peer, as sent."""
        self._send()
        sent, self._sent = self._sent, {}
        return sent

    def _send(self) -> None:
        while outgoing := self.machine.outgoing(self.now):
            for peer, message, queue in outgoing:
                self.messages += 1
                self._sent.setdefault(peer, Sent()).add(message)
                self.machine.message_sent(queue, self.now)

    def answer(
        self,
        peer: str,
        blocks: Iterable[Block] = (),
        haves: Iterable[CID] = (),
        dont_haves: Iterable[CID] = (),
    ) -> Received:
        message = Message()
        for block in blocks:
            message.add_block(block)
        for cid in haves:
            message.add_have(cid)
        for cid in dont_haves:
            message.add_dont_have(cid)
        return self.machine.message_received(peer, Message.from_body(message.to_body()), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, deadline by deadline, and send what there is to send."""
        end = self.now + seconds
        self._send()
        while (when := self.machine.next_deadline()) is not None and when <= end:
            self.now = max(self.now, when)
            self.machine.on_deadline(self.now)
            self._send()
        self.now = end

    def take(self, subscription: Subscription) -> list[Block]:
        return self.machine.take(subscription, self.now)
