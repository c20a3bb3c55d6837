"""Deliberate faults for `plant`: each replaces one place of the compiled core's sources.

They are the slips that such code invites: a bound that is off by one, a link or counter that is forgotten, a
comparison that is turned around, memory that is used before it is reserved or after it is freed.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    area: str
    old: str
    """Text that occurs once in the sources of the core."""
    new: str


FAULTS = (
    # CIDs: the arena and the table
    Fault(
        "a hole is linked one way only",
        "CIDs",
        "    if hole.next != NIL:\n        (<Hole*>unit_at(arena, hole.next)).prev = id\n",
        "",
    ),
    Fault(
        "no chunk is reserved",
        "CIDs",
        "    while arena.fresh_count < chunks:\n",
        "    while arena.fresh_count + 1 < chunks:\n",
    ),
    Fault(
        "keys are not compared",
        "CIDs",
        "    return same_cid(<const uint8_t*>(cid + 1), key + start_size(kind), kept_size(kind))\n",
        "    return True\n",
    ),
    Fault(
        "parts are not changed when buckets are merged",
        "CIDs",
        "                part = (part << 4 | low) & PART_MASK\n",
        "                part = part & PART_MASK\n",
    ),
    Fault(
        "the last id of a chain is forgotten",
        "CIDs",
        "    bucket.tags[slot] = last.tags[end]\n    bucket.ids[slot] = last.ids[end]\n",
        "    bucket.tags[slot] = last.tags[end]\n",
    ),
    # Wants
    Fault(
        "a want is unlinked one way only",
        "wants",
        "        want_at(q, want.next).prev = want.prev\n",
        "        pass\n",
    ),
    Fault(
        "a hole stays in a table of popular wants",
        "wants",
        "            places[hole] = places[place]\n            hole = place\n",
        "            pass\n",
    ),
    Fault(
        "a table is freed before it is copied",
        "wants",
        "    table.room = room\n    peer.popular = table\n",
        "    table.room = room\n    release(old)\n    peer.popular = table\n",
    ),
    Fault(
        "a peer's table is not freed",
        "wants",
        "    drop_order(peer)\n    free_popular(peer)\n    free_slots(peer)\n",
        "    drop_order(peer)\n    free_slots(peer)\n",
    ),
    Fault(
        "one slot too few is reserved",
        "wants",
        "    if need <= peer.room:\n        return 0\n    if need > MOST_SEQ:\n",
        "    if need <= peer.room + 1:\n        return 0\n    if need > MOST_SEQ:\n",
    ),
    Fault(
        "segments are never given back",
        "wants",
        "    if slab.used == 0 and slab.fresh:\n",
        "    if slab.used == 0 and slab.fresh == 1:\n",
    ),
    Fault(
        "what is forgotten stays the newest known block",
        "known blocks",
        "        q.known.newest = node.earlier\n",
        "        pass\n",
    ),
    Fault(
        "a hole stays in the table of peers",
        "peers",
        "            q.names.places[hole] = q.names.places[place]\n            hole = place\n",
        "            pass\n",
    ),
    # The queue of a peer
    Fault(
        "the heap's end is off by one",
        "heap",
        "    cdef size_t last = <size_t>peer.queued - 1\n",
        "    cdef size_t last = <size_t>peer.queued\n",
    ),
    Fault(
        "what is moved into a gap does not rise",
        "heap",
        "        if place and peer.slots[place].key < peer.slots[(place - 1) >> 3].key:\n",
        "        if place > peer.queued:\n",
    ),
    Fault(
        "the heap is not made anew when many go at once",
        "heap",
        "    for i in range((kept + 6) // 8, 0, -1):\n",
        "    for i in range((kept + 6) // 8, 1, -1):\n",
    ),
    Fault(
        "a merged answer takes DONT_HAVE from the newer one",
        "merge",
        "            become(q, want, task, TASK_DENIAL | TASK_BLOCK)\n",
        "            become(q, want, task, TASK_BLOCK)\n",
    ),
    Fault(
        "a vanished block still counts as under way",
        "merge",
        "    want_at(q, item.want).kinds -= 16\n",
        "    pass\n",
    ),
    Fault(
        "a merged answer keeps its weight",
        "merge",
        "    peer.queued_work += work_of(q, want)\n    raise_priority(q, peer, want, task.priority)\n",
        "    raise_priority(q, peer, want, task.priority)\n",
    ),
    # The ledger, and who has to go
    Fault(
        "a counter of wants is forgotten",
        "ledger",
        "    peer.wanted -= 1\n    q.wanted -= 1\n",
        "    peer.wanted -= 1\n",
    ),
    Fault(
        "a HAVE answers a want for the block",
        "ledger",
        "    if not want.flags & WANTED or (want.flags & WANTS_BLOCK and not with_block):\n        return\n",
        "    if not want.flags & WANTED:\n        return\n",
    ),
    Fault(
        "ages of what is under way are not renumbered",
        "ledger",
        "            if flight.items[i].flags & WANTED:\n                count = add_age",
        "            if flight.items[i].flags & WANTED and count == 0:\n                count = add_age",
    ),
    Fault(
        "the oldest is given up, not the youngest",
        "eviction",
        "!= 0) << 31 | (<uint32_t>MOST_SEQ - want.seq)\n",
        "!= 0) << 31 | want.seq\n",
    ),
    Fault(
        "a tie is given up",
        "eviction",
        "    if rank_of(want) >> 31 >= above:\n",
        "    if rank_of(want) >> 31 > above:\n",
    ),
    Fault(
        "a block that has come does not raise the want's rank",
        "eviction",
        "        want.flags |= AVAILABLE\n        note_rank(q, peer, number)\n",
        "        want.flags |= AVAILABLE\n",
    ),
    # Envelopes
    Fault(
        "the generation is not looked at",
        "envelopes",
        "    return not flight.ended and peer_at(q, flight.peer).generation == flight.generation\n",
        "    return not flight.ended\n",
    ),
    Fault(
        "an envelope can end twice",
        "envelopes",
        "        if not envelope.flight.ended:\n            land_well",
        "        if True:\n            land_well",
    ),
    Fault(
        "bytes of a postponed answer stay under way",
        "envelopes",
        "    flight.work -= item.work\n    q.active_work -= item.work\n",
        "    flight.work -= item.work\n",
    ),
    Fault(
        "what was withdrawn is put back",
        "envelopes",
        "        if not want_at(q, item.want).flags & WITHDRAWN and (q.own_sizes or",
        "        if (q.own_sizes or",
    ),
    # Who is served next
    Fault(
        "who was served stays starved",
        "scheduler",
        "    peer.service = q.turns.services\n    peer.served_at = now\n    peer.starved = False\n",
        "    peer.service = q.turns.services\n    peer.served_at = now\n",
    ),
    Fault(
        "a turn is not moved when it has one already",
        "scheduler",
        "        q.turns.count += 1\n    settle_turn(q, place, number)\n",
        "        q.turns.count += 1\n        settle_turn(q, place, number)\n",
    ),
    Fault(
        "a peer is starved a moment too early",
        "scheduler",
        "        if not peer.served_at + q.turns.timeout < now:\n",
        "        if not peer.served_at + q.turns.timeout <= now:\n",
    ),
    Fault(
        "a peer at its limit is still ready",
        "scheduler",
        "        and may_have_more(q, peer)\n        and",
        "        and",
    ),
    # The codec
    Fault(
        "a length is not checked",
        "codec",
        "    if length > <uint64_t>(end - after):\n",
        "    if length > <uint64_t>(end - after) + 64:\n",
    ),
    Fault(
        "a fixed-size value may be cut",
        "codec",
        "return p + size if end - p >= size else",
        "return p + size if end - p >= size - 3 else",
    ),
    Fault(
        "the table of a message has a slot too few",
        "codec",
        "        table.mask = capacity * 2 - 1\n",
        "        table.mask = capacity * 4 - 1\n",
    ),
    Fault(
        "a merged want keeps its priority",
        "codec",
        "    if row.kind == want_type:\n        row.priority = priority\n",
        "    if row.kind == want_type:\n        pass\n",
    ),
    # The rest
    Fault(
        "thawing halves the wrong way",
        "request queue",
        "                peer.held >>= halvings\n",
        "                peer.held -= 1\n",
    ),
    Fault(
        "scores forget the long average",
        "accounts",
        "                account.long = average(account.long, fresh, _long_weight)\n",
        "                pass\n",
    ),
)
