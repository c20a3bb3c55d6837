"""Bounds and defaults of the fetching half."""

from __future__ import annotations

from dataclasses import dataclass

from bitswap.options.limits import KIB, MAX_FRAME, MIB, require


@dataclass(frozen=True)
class ClientOptions:
    """The fetching half: sessions, peer manager, message queues (boxo `bitswap/client` options)."""

    window_blocks: int = 4096
    """Blocks that one getter has asked for or not yet handed out."""
    window_bytes: int = 64 * MIB
    """The same in bytes, by the average size of blocks, without what everybody was asked for in vain."""
    expected_block_bytes: int = 256 * KIB
    """Bytes a block is taken to have before the first one came (the usual chunk size of kubo)."""
    lookup_slice: int = 256
    """CIDs per look-up in the store."""
    lookup_bytes: int = 8 * MIB
    """Bytes of blocks read from the store at once."""
    max_outstanding_wants: int = 1000
    """Wants on the list that one peer keeps of us; boxo, Helia and beetswap silently drop more than 1,024."""
    refill_wants: int = 128
    """Free places at a full peer that are worth a message."""
    max_message_bytes: int = 2 * MIB
    """Bytes of wants and cancels per message (boxo maxMessageSize)."""
    cancel_delay: float = 1.0
    """Seconds that the cancel of an answered want, or of a want-have, may wait for a message to go with."""
    withdraw_delay: float = 0.05
    """The same where the peer said that it lacks the block: it sends it after all as soon as it gets it."""
    broadcast_spacing: float = 1.0
    """Seconds from one broadcast to the next at a peer that never sent a block; they are merged meanwhile."""
    max_delayed_cancels: int = 512
    """Cancels of answered wants that are worth a message."""
    resend_after: float = 30.0
    """Seconds after which an unanswered want is sent again (boxo rebroadcastInterval)."""
    dont_have_timeout: float = 5.0
    """Seconds of silence after which a want-block counts as DONT_HAVE, before a latency is known (boxo)."""
    min_dont_have_timeout: float = 1.0
    """The same at least, once it follows the latency."""
    min_silence: float = 0.05
    """The same at least for peers that do not know DONT_HAVE (boxo MinTimeout, for all peers)."""
    max_dont_have_timeout: float = 7.0
    """The same at most (boxo: 5 s and 2 s for processing)."""
    latency_multiplier: float = 2.0
    """That time in units of the average latency of answers (boxo MessageLatencyMultiplier)."""
    simulate_dont_haves: bool = True
    """False: wait for ever for a peer that does not answer (boxo SetSimulateDontHavesOnTimeout)."""
    have_patience: float = 5.0
    """Seconds after which an unanswered want-have gives its place at a full peer to another want."""
    send_backoff: float = 0.1
    """Seconds before a failed send is tried again; doubles up to the maximum (boxo sendErrorBackoff)."""
    max_send_backoff: float = 5.0
    send_attempts: int = 3
    """Failed sends in a row after which what was asked of the peer is asked of others (boxo maxRetries)."""
    few_peers: int = 3
    """With at most this many connections everybody is asked straight for blocks, without a HAVE before."""
    direct_peers: int = 16
    """The same where there is a different block to ask of each of at most this many connections."""
    probe_peers: int = 3
    """Peers that are asked at first whether they have one block; all may send it if it is small."""
    search_peers: int = 24
    """Peers that are asked, for any number of blocks, before everybody is; they are to say DONT_HAVE too."""
    probe_patience: float = 0.5
    """Seconds that such an answer is waited for at most before others are asked (our choice)."""
    discovery_wants: int = 24
    """Wants that a session which knows no peer looks for at first, each at other peers."""
    broadcast_wants: int = 256
    """Wants that a session looks for among all peers at the same time (boxo: 64)."""
    resting_wants: int = 512
    """Wants that everybody lacks which a session keeps at its peers (half of the list that each keeps)."""
    turn_wants: int = 1024
    """Further ones, nobody being asked for them, that are asked for again in one round, in turns."""
    max_shelved_wants: int = 1 << 16
    """Further ones of one request, after which it waits for blocks (20 MB)."""
    retry_delay: float = 1.0
    """Seconds before peers that had nothing are asked again; doubles up to the maximum (boxo idle tick)."""
    max_retry_delay: float = 60.0
    silent_attempts: int = 3
    """Times that a peer may leave a session without any answer before it is given up, if it was named, or not
    waited for any more."""
    initial_window: int = 128
    """Wants given to one of two peers before its speed is known; to all of more together twice as many."""
    window_seconds: float = 0.5
    """Seconds of work that each of several peers is given in advance, by its speed."""
    min_window: int = 8
    """Wants given to a peer however slow it is beside the others."""
    dont_have_limit: int = 16
    """DONT_HAVEs in a row, times the peers of the session, after which one of them leaves (boxo
    peerDontHaveLimit, whatever their number): where n peers share the content, n - 1 of n are such."""
    max_peer_records: int = 1024
    """Peers that a session keeps statistics of, those that left included."""
    max_remembered: int = 4096
    """Received CIDs that are remembered because others may still send them: how duplicates are told."""
    max_known_share: float = 0.05
    """Share of its time that the network thread may spend asking the store whether it has blocks that nobody
    asked for (to count duplicates); a peer that sends such must not slow the others down."""
    max_repetitions: int = 1 << 15
    """CIDs of one lazy request that are remembered, so that one given again brings no second block (4 MB)."""
    aio_threads: int = 4
    """Threads in which an asyncio node uses its store; waiting for peers takes none (our choice)."""
    aio_dials: int = 32
    """Dials that an asyncio node has under way, a thread each; further ones wait (our choice)."""

    def __post_init__(self) -> None:
        positive = [name for name, value in vars(self).items() if not isinstance(value, bool)]
        for name in positive:
            require(getattr(self, name) > 0, f"{name} must be positive")
        require(self.refill_wants <= self.max_outstanding_wants, "refill_wants is above its maximum")
        require(self.max_message_bytes <= MAX_FRAME // 2, "max_message_bytes must be at most 2 MiB")
        require(
            self.min_dont_have_timeout <= self.dont_have_timeout <= self.max_dont_have_timeout,
            "dont_have_timeout must lie between its minimum and maximum",
        )
