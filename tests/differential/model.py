"""The rules of the decision core once more, as simply as they can be said: lists, searched from end to end.

Written from the rules, not from either implementation, which keep heaps, indexes and counters for what is
looked up here. `watch.Watcher` holds what the implementations do against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import xxhash

from bitswap.block import Block
from bitswap.cid import CID
from bitswap.decision.pacing import FAST, SLOW
from bitswap.decision.task import BLOCK_OVERHEAD, PRESENCE_OVERHEAD, largest_block
from bitswap.message import Entry, Message
from bitswap.options import ServerOptions

from .model_peer import BLOCK, ROOM, Answer, Envelope, Peer, Want


class Model:
    def __init__(self, options: ServerOptions, salt: int, envelopes_per_peer: int) -> None:
        self.options = options
        self.salt = salt
        self.envelopes_per_peer = envelopes_per_peer
        self.peers: dict[str, Peer] = {}
        self.out: list[Envelope] = []
        """Envelopes that have not ended."""
        self.known: dict[CID, int] = {}
        self.services = self.ages = 0
        self.refused = self.too_large = self.ignored = 0

    # Wants

    def serves(self, cid: CID) -> bool:
        longest = self.options.max_cid_size
        return cid.hash_code != 0 and (not longest or len(cid) <= longest)

    def asks(self, entries: Iterable[Entry]) -> list[CID]:
        """CIDs whose sizes are to be looked up."""
        return [e.cid for e in entries if not e.cancel and self.serves(e.cid) and e.cid not in self.known]

    def message(
        self, name: str, entries: Sequence[Entry], full: bool, sizes: Mapping[CID, int | None]
    ) -> None:
        """`sizes` are of all that is wanted and served."""
        served = [entry for entry in entries if self.serves(entry.cid)]
        self.ignored += len(entries) - len(served)
        if not served and not full:
            return
        peer = self.peer(name)
        if full:
            peer.wants.clear()
            peer.queued.clear()
            peer.withdrawn.update(answer.cid for answer in peer.under_way)
        else:
            self._cancel(peer, [entry.cid for entry in served if entry.cancel])
        peer.rest()
        self._want(peer, [entry for entry in served if not entry.cancel], sizes)

    def _cancel(self, peer: Peer, cids: Sequence[CID]) -> None:
        for cid in cids:
            peer.withdraw(cid)
            if peer.wants.pop(cid, None):
                peer.queued.pop(cid, None)

    def _want(self, peer: Peer, entries: Sequence[Entry], sizes: Mapping[CID, int | None]) -> None:
        allows = self.options.peer_block_request_filter
        wants: list[Want] = []
        answers: list[Answer] = []
        told: list[Answer] = []
        for cid, priority, kind, _, asked in entries:
            asked = asked and self.options.send_dont_haves
            missing = Answer(cid, priority, None, kind == BLOCK, True)
            if allows is not None and not allows(peer.name, cid):
                told += [missing] * asked
                continue
            size = self._carried(cid, sizes[cid])
            wants.append(Want(cid, priority, kind, asked, size is not None))
            if size is not None:
                answers.append(self._answer(cid, priority, size, kind, asked))
            else:
                answers += [missing] * asked
        for want in self._record(peer, wants):
            answers = [answer for answer in answers if answer.cid != want.cid]
            if want.asked:
                told.append(Answer(want.cid, want.priority, None, want.kind == BLOCK, True))
        self._push(peer, told, len(peer.wants) + self.least())
        self._push(peer, answers, len(peer.wants) + 2 * self.least())

    def _answer(self, cid: CID, priority: int, size: int, kind: int, asked: bool) -> Answer:
        replaced = self.options.want_have_replace_size
        if kind != BLOCK and not replaced:
            return Answer(cid, priority, size, False, asked, counted=False)
        return Answer(cid, priority, size, kind == BLOCK or size <= replaced, asked)

    def _record(self, peer: Peer, wants: Sequence[Want]) -> list[Want]:
        """Returns the wants that had to go and of which the peer must hear."""
        limit = self.share()
        most = max(limit, len(peer.wants))
        for want in wants:
            if want.cid in peer.wants:
                want.age = peer.wants[want.cid].age
                peer.wants[want.cid] = want
        new = [want for want in wants if want.cid not in peer.wants]
        room = max(limit - len(peer.wants), 0)
        if len(new) > room:
            new.sort(key=lambda want: (want.priority, want.available), reverse=True)
        refused: list[Want] = []
        evicted: list[Want] = []
        for place, want in enumerate(new):
            if place >= room:
                lowest = min(peer.wants.values(), key=lambda other: other.rank, default=None)
                if lowest is None or lowest.rank[:2] >= want.rank[:2]:
                    refused = new[place:]
                    break
                del peer.wants[lowest.cid]
                evicted.append(lowest)
            self.ages += 1
            want.age = self.ages
            peer.wants[want.cid] = want
        self.refused += len(refused) + len(evicted)
        gone = refused + [want for want in evicted if want.available]
        # Of one that is missing the answer stays, also if the block was there when that was queued.
        peer.returned += len(evicted)
        for want in gone:
            peer.queued.pop(want.cid, None)
            peer.withdraw(want.cid)
        peer.rest()
        assert len(peer.wants) <= most
        return gone

    def _carried(self, cid: CID, size: int | None) -> int | None:
        """The size, unless no message can carry the block."""
        if size is None or size <= largest_block(cid):
            return size
        self.too_large += 1
        return None

    def _push(self, peer: Peer, answers: Iterable[Answer], limit: int) -> None:
        """Queue or merge; only a DONT_HAVE is dropped where `limit` are queued already."""
        for answer in answers:
            cid = answer.cid
            others = peer.answers(cid)
            if others and not answer.is_news(others):
                peer.repeated.add(cid)
                peer.withdrawn.discard(cid)
                if any(envelope.filled and set(others) & set(envelope.answers) for envelope in self.out):
                    peer.excuse(cid)
            elif cid in peer.queued:
                peer.queued[cid].take_in(answer)
            elif len(peer.queued) < limit or answer.size is not None:
                peer.ages += 1
                answer.age = peer.ages
                peer.queued[cid] = answer
            peer.expect(cid)

    def notify(self, sizes: Mapping[CID, int]) -> None:
        pushed: dict[Peer, list[Answer]] = {}
        for cid, size in sizes.items():
            if self._carried(cid, size) is None:
                continue
            for peer in self.peers.values():
                want = peer.wants.get(cid)
                if want is not None:
                    want.available = True
                    block = want.kind == BLOCK or 0 < self.options.want_have_replace_size >= size
                    pushed.setdefault(peer, []).append(Answer(cid, want.priority, size, block, False))
        for peer, answers in pushed.items():
            self._push(peer, answers, 0)

    def disconnect(self, name: str) -> None:
        self.peers.pop(name, None)

    def stored(self, sizes: Mapping[CID, int]) -> None:
        for cid, size in sizes.items():
            most = self.options.max_known_blocks
            if cid not in self.known and len(self.known) >= most > 0:
                del self.known[next(iter(self.known))]
            if most:
                self.known[cid] = size

    def removed(self, cids: Iterable[CID]) -> None:
        for cid in cids:
            self.known.pop(cid, None)

    # Envelopes

    def ready(self) -> list[Peer]:
        if self.work_under_way() >= self.options.max_total_outstanding_bytes:
            return []
        return [peer for peer in self.peers.values() if self._can_be_served(peer)]

    def _can_be_served(self, peer: Peer) -> bool:
        out = sum(envelope.peer.name == peer.name for envelope in self.out)
        capped = peer.cap and peer.work_under_way() >= peer.cap
        return bool(peer.queued) and peer.retry_at is None and not capped and out < self.envelopes_per_peer

    def work_under_way(self) -> int:
        return sum(answer.booked for envelope in self.out for answer in envelope.answers)

    def rank(self, peer: Peer, now: float) -> tuple[bool, int, int, int, int]:
        """The peer with the smallest is served."""
        at, service = peer.served or (float("-inf"), 0)
        starved = at + self.options.starvation_timeout < now
        topics = len({answer.cid for answer in peer.under_way})
        tie = xxhash.xxh64_intdigest(peer.name.encode("utf-8", "surrogatepass"), self.salt)
        return not starved, topics, -min(len(peer.queued), 16), service, tie

    def next(self, now: float) -> Envelope | None:
        for peer in self.peers.values():
            if peer.retry_at is not None and peer.retry_at <= now:
                peer.retry_at = None
        chosen = min(self.ready(), key=lambda peer: self.rank(peer, now), default=None)
        if chosen is None:
            return None
        options = self.options
        target = options.target_message_size
        if self.work_under_way() < options.max_total_outstanding_bytes // 2:
            served = [peer.served for peer in self.peers.values() if peer.served is not None]
            late = sum(at + options.starvation_timeout >= now for at, _ in served)
            fair = options.max_round_bytes // max(late, 1)
            target = max(target, min(chosen.target, fair))
        envelope = Envelope(chosen, chosen.take(target, options), now)
        self.services += 1
        chosen.served = now, self.services
        self.out.append(envelope)
        return envelope

    def fill(self, envelope: Envelope, blocks: Sequence[Block | None]) -> Message | None:
        peer = envelope.peer
        if envelope.ended or self.peers.get(peer.name) is not peer:
            self._end(envelope)
            return None
        envelope.filled = True
        self.removed(cid for cid, block in zip(envelope.cids, blocks, strict=True) if block is None)
        message, sent, later = self._contents(envelope, blocks)
        if later:
            owed = [answer for answer in later if answer.cid not in peer.withdrawn]
            envelope.answers = [answer for answer in envelope.answers if answer not in later]
            peer.end(later)
            peer.put_back(owed)
            peer.rest()
        if message.empty():
            self._finish(envelope, envelope.taken_at)
            return None
        for cid, with_block in sent.items():
            want = peer.wants.get(cid)
            if want is not None and (with_block or want.kind != BLOCK):
                envelope.answered.append(peer.wants.pop(cid))
        envelope.blocks = len(message.blocks())
        envelope.block_bytes = sum(len(block.data) for block in message.blocks())
        return message

    def _contents(
        self, envelope: Envelope, found: Sequence[Block | None]
    ) -> tuple[Message, dict[CID, bool], list[Answer]]:
        """The message; the CIDs it answers and whether with the block; what is still owed: it did not fit, or
        was asked for again after it was read in vain."""
        peer, room, read = envelope.peer, ROOM, iter(found)
        message = Message()
        message.pending_bytes = min(envelope.pending, 2**31 - 1)
        sent: dict[CID, bool] = {}
        later: list[Answer] = []
        blocks: list[Block] = []
        for answer in envelope.answers:
            cid = answer.cid
            block = next(read) if answer.is_block else None
            if block is not None and len(block.data) <= largest_block(cid):
                room -= len(cid) + len(block.data) + BLOCK_OVERHEAD
                if room < 0:
                    later.append(answer)
                else:
                    blocks.append(Block(cid, block.data))
                    sent[cid] = True
                continue
            if answer.is_block:
                if cid in peer.repeated:
                    later.append(answer)
                    continue
                answer.size = None
                peer.excuse(cid)
                if not answer.asked or not self.options.send_dont_haves:
                    continue
            room -= len(cid) + PRESENCE_OVERHEAD
            if room < 0:
                later.append(answer)
            elif answer.size is not None and not answer.block:
                sent.setdefault(cid, False)
                message.add_have(cid)
            else:
                message.add_dont_have(cid)
        for block in blocks:
            message.add_block(block)
        return message, sent, later

    def sent(self, envelope: Envelope, now: float) -> bool:
        if envelope.ended:
            return False
        self._finish(envelope, now)
        return True

    def failed(self, envelope: Envelope, now: float) -> bool:
        peer, options = envelope.peer, self.options
        owed = [
            answer
            for answer in envelope.answers
            if answer.cid not in peer.withdrawn
            and (answer.size is not None or (answer.asked and options.send_dont_haves))
        ]
        if not self._end(envelope):
            return False
        peer.rest()
        peer.target, peer.cap = options.target_message_size, options.max_outstanding_bytes
        delay = min(options.retry_delay * 2.0 ** min(peer.failures, 30), options.max_retry_delay)
        peer.failures += 1
        peer.retry_at = now + delay
        peer.put_back(owed)
        cids = [answer.cid for answer in owed]
        for want in envelope.answered:
            if want.cid in cids and want.cid not in peer.wants:
                peer.wants[want.cid] = want
                peer.expect(want.cid)
        return True

    def _end(self, envelope: Envelope) -> bool:
        """Take it off the books; whether that matters to its peer."""
        if envelope.ended:
            return False
        envelope.ended = True
        self.out.remove(envelope)
        envelope.peer.end(envelope.answers)
        return self.peers.get(envelope.peer.name) is envelope.peer

    def _finish(self, envelope: Envelope, now: float) -> None:
        """It was sent, or there was nothing to send."""
        if not self._end(envelope):
            return
        peer = envelope.peer
        self._pace(peer, now - envelope.taken_at, envelope.more)
        peer.failures = 0
        if not envelope.filled:
            for answer in envelope.answers:
                peer.excuse(answer.cid)
        peer.rest()

    def _pace(self, peer: Peer, elapsed: float, more: bool) -> None:
        options = self.options
        least = options.target_message_size, options.max_outstanding_bytes
        most = options.max_target_message_size, options.max_outstanding_bytes_fast
        if not options.adaptive:
            most = least
        if elapsed > SLOW:
            peer.target, peer.cap = max(peer.target // 2, least[0]), max(peer.cap // 2, least[1])
        elif more and elapsed <= FAST:
            peer.target, peer.cap = min(peer.target * 2, most[0]), min(peer.cap * 2, most[1])

    # Questions

    def peer(self, name: str) -> Peer:
        options = self.options
        if name not in self.peers:
            self.peers[name] = Peer(name, options.target_message_size, options.max_outstanding_bytes)
        return self.peers[name]

    def wantlist(self, name: str) -> list[CID]:
        wants = self.peers[name].wants.values() if name in self.peers else ()
        return [want.cid for want in sorted(wants, key=lambda want: want.age)]

    def least(self) -> int:
        """Wants that a peer may always have, and denials of others that may wait for it."""
        return min(self.options.min_wantlist_entries, self.options.max_wantlist_entries)

    def share(self) -> int:
        """Wants that one peer may have."""
        options = self.options
        # As switches share their buffers: an eighth of what is free.
        free = options.max_total_wantlist_entries - sum(len(peer.wants) for peer in self.peers.values())
        return min(max(free // 8, options.min_wantlist_entries), options.max_wantlist_entries)

    def counts(self) -> tuple[int, ...]:
        peers = self.peers.values()
        return (
            sum(len(peer.wants) for peer in peers),
            sum(len(peer.queued) for peer in peers),
            sum(len({answer.cid for answer in peer.under_way}) for peer in peers),
            self.refused,
            self.too_large,
            self.ignored,
        )
