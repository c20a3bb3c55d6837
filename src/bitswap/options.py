"""Every bound and default of the library, with its unit and where it comes from.

Frozen dataclasses; a value out of range raises UsageError when the object is made. `Options` holds one
section a subsystem: `Options(server=ServerOptions(max_outstanding_bytes=4 * MIB))`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bitswap.errors import UsageError

if TYPE_CHECKING:
    from bitswap.cid import CID
    from bitswap.decision.interface import TaskInfo
    from bitswap.decision.score_ledger import ScoreLedger

KIB = 1024
MIB = 1024 * 1024

MAX_FRAME = 4 * MIB
"""Bytes of one protobuf body on the wire (specification: at most 4 MiB; libp2p MessageSizeMax)."""
MAX_BLOCK = 2 * MIB
"""Bytes of a block that every implementation must handle (specification)."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)


@dataclass(frozen=True)
class ServerOptions:
    """The serving half: decision engine and its driver (boxo `bitswap/server` options)."""

    enabled: bool = True
    """False: requests are neither kept nor answered (boxo WithServerEnabled)."""
    task_workers: int = 2
    """Threads that look up, read and send; more help only while a store is slow (boxo TaskWorkerCount: 8)."""
    target_message_size: int = 16 * KIB
    """Bytes of blocks and presences per message to a peer, at first (boxo WithTargetMessageSize: 16 KiB)."""
    max_target_message_size: int = 1 * MIB
    """The same for a peer that takes its messages fast; one block above it may be added."""
    max_outstanding_bytes: int = 1 * MIB
    """Bytes under way to a peer, at first; 0 = no limit (boxo MaxOutstandingBytesPerPeer: 1 MiB)."""
    max_outstanding_bytes_fast: int = 16 * MIB
    """The same for a peer that takes its messages fast."""
    max_total_outstanding_bytes: int = 256 * MIB
    """Bytes under way to all peers; above it nobody is given more until something has left. Above half of it
    messages are small again, so that peers that stop reading large ones leave room for all others."""
    adaptive: bool = True
    """Whether message size and outstanding bytes grow with the peer's speed."""
    max_wantlist_entries: int = 1 << 17
    """Wants kept of one peer, and never more than an eighth of those that there is still room for in all; the
    lowest priorities go (boxo MaxQueuedWantlistEntriesPerPeer: 1,024)."""
    min_wantlist_entries: int = 1024
    """Wants that one peer may have however little room is left."""
    max_total_wantlist_entries: int = 1 << 20
    """Wants of all peers that there is room for (about 100 B each compiled, 700 B pure)."""
    max_cid_size: int = 168
    """Bytes of a CID; longer ones are ignored, 0 = no limit (boxo MaxCidSize: 4 varints and 128 bytes)."""
    want_have_replace_size: int = 1024
    """A HAVE request for a block of at most this many bytes is answered with the block; 0 = never (boxo)."""
    send_dont_haves: bool = True
    """False: never say DONT_HAVE, as old peers do (boxo SetSendDontHaves)."""
    peer_block_request_filter: Callable[[str, CID], bool] | None = None
    """(peer, cid) -> whether that peer may have the block; quick (boxo WithPeerBlockRequestFilter)."""
    task_order: Callable[[TaskInfo], Any] | None = None
    """Sort key of a queued answer, smallest first: orders a peer's answers, and peers by their first one, in
    place of priority and fairness (boxo WithTaskComparator)."""
    score_ledger: Callable[[], ScoreLedger] | None = None
    """Makes what keeps account of bytes exchanged (boxo WithScoreLedger); None = the usual one."""
    starvation_timeout: float = 10.0
    """Seconds without being served after which a peer goes first (boxo peerStarvationTimeout)."""
    retry_delay: float = 0.1
    """Seconds before a failed send is tried again; doubles with each failure up to `max_retry_delay`."""
    max_retry_delay: float = 10.0
    max_inbound_messages: int = 16
    """Messages of one peer that wait to be handled; then its streams are paused."""
    max_inbound_bytes: int = 64 * MIB
    """Bytes of waiting messages of all peers; above it whoever sends more is paused."""
    max_known_blocks: int = 0
    """Blocks whose sizes are kept in memory, so that wants for them do not ask the store (about 60 B each
    compiled). Blocks removed from the store must then be told to `blocks_removed`. 0 = always ask."""

    def __post_init__(self) -> None:
        for name in (
            "task_workers",
            "target_message_size",
            "max_total_outstanding_bytes",
            "min_wantlist_entries",
            "max_total_wantlist_entries",
            "max_inbound_messages",
            "max_inbound_bytes",
        ):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("max_outstanding_bytes", "max_cid_size", "want_have_replace_size", "max_known_blocks"):
            _require(getattr(self, name) >= 0, f"{name} must not be negative")
        for name in ("starvation_timeout", "retry_delay"):
            _require(getattr(self, name) > 0, f"{name} must be positive")
        _require(
            self.max_target_message_size >= self.target_message_size or not self.adaptive,
            "max_target_message_size is below target_message_size",
        )
        _require(
            self.max_outstanding_bytes_fast >= self.max_outstanding_bytes or not self.adaptive,
            "max_outstanding_bytes_fast is below max_outstanding_bytes",
        )
        _require(
            self.max_wantlist_entries >= 1, "max_wantlist_entries must be at least 1 (0 is not unlimited)"
        )
        _require(self.max_retry_delay >= self.retry_delay, "max_retry_delay is below retry_delay")


@dataclass(frozen=True)
class ClientOptions:
    """The fetching half: sessions, peer manager, message queues (boxo `bitswap/client` options)."""

    window_blocks: int = 4096
    """Blocks that one getter has asked for or not yet handed out."""
    window_bytes: int = 64 * MIB
    """The same in bytes, by the running average of block sizes."""
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
    retry_delay: float = 1.0
    """Seconds before peers that had nothing are asked again; doubles up to the maximum (boxo idle tick)."""
    max_retry_delay: float = 60.0
    silent_attempts: int = 3
    """Times that a peer may leave a session of named peers without any answer before it is given up."""
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
    max_repetitions: int = 1 << 15
    """CIDs of one lazy request that are remembered, so that one given again brings no second block (4 MB)."""
    aio_threads: int = 4
    """Threads in which an asyncio node uses its store; waiting for peers takes none (our choice)."""
    aio_dials: int = 32
    """Dials that an asyncio node has under way, a thread each; further ones wait (our choice)."""

    def __post_init__(self) -> None:
        positive = [name for name, value in vars(self).items() if not isinstance(value, bool)]
        for name in positive:
            _require(getattr(self, name) > 0, f"{name} must be positive")
        _require(self.refill_wants <= self.max_outstanding_wants, "refill_wants is above its maximum")
        _require(self.max_message_bytes <= MAX_FRAME // 2, "max_message_bytes must be at most 2 MiB")
        _require(
            self.min_dont_have_timeout <= self.dont_have_timeout <= self.max_dont_have_timeout,
            "dont_have_timeout must lie between its minimum and maximum",
        )


@dataclass(frozen=True)
class NetworkOptions:
    """The libp2p transport: connections, streams, buffers, timeouts."""

    max_connections: int = 4096
    """Connections in the process, both ways; a further inbound one is closed at once (about 70 KiB each)."""
    max_connections_per_peer: int = 8
    """Connections to one peer; a further one is closed. Two are usual when both sides dial at once."""
    max_pending_handshakes: int = 256
    """Inbound connections whose handshake is under way; no more are accepted until one is through."""
    max_pending_dials: int = 128
    """Dials under way; further ones wait their turn, on their own time."""
    max_queued_dials: int = 4096
    """Dials that wait; a further one fails."""
    max_inbound_streams: int = 512
    """Streams that a peer may hold open on one connection; further ones are reset (libp2p yamux: >= 256)."""
    max_outbound_streams: int = 64
    """Streams of ours on one connection; we need about five."""
    max_refused_streams: int = 1024
    """Streams reset for being too many before the connection is closed as a flood."""
    max_control_bytes: int = 256 * KIB
    """Bytes of answers (pongs, resets) that a peer may leave unread; above it the connection is closed."""
    receive_window: int = 16 * MIB
    """Bytes a peer may send ahead on a Bitswap stream (go-libp2p: 16 MiB); returned by halves."""
    max_frame: int = 256 * KIB
    """Payload bytes of an outgoing yamux frame (rust-yamux closes the connection at more than 1 MiB).

    About one frame is encrypted ahead of what the socket takes, so this bounds the ciphertext that waits.
    """
    max_unread_bytes: int = 32 * MIB
    """Bytes per connection of a paused peer that are kept; above it the socket is not read until `resume`."""
    max_partial_bytes: int = 32 * MIB
    """Bytes per connection in messages that are not complete; a stream that would exceed it is reset."""
    max_buffered_bytes: int = 512 * MIB
    """Bytes of the two kinds above in the whole process; beyond it either limit counts as reached."""
    send_low_water: int = 256 * KIB
    """Bytes of a message left to be sent at which the lane can take the next one."""
    read_buffer: int = 256 * KIB
    """Bytes of the two read buffers (ciphertext, plaintext) that all connections share."""
    read_budget: int = 1 * MIB
    """Bytes read from one connection before the others have their turn."""
    write_budget: int = 1 * MIB
    """Bytes written to one connection before the others have their turn."""
    dial_timeout: float = 15.0
    """Seconds for a dial, name lookup and handshake included (go-libp2p swarm: 15 s)."""
    handshake_timeout: float = 15.0
    """Seconds for the handshake of an inbound connection (go-libp2p upgrader: 15 s)."""
    max_handshake_bytes: int = 64 * KIB
    """Bytes a peer may send before its handshake is complete (a TLS one has about 2 KiB, with RSA 5 KiB)."""
    max_proposals: int = 64
    """Protocols that a peer may propose before one must fit; kubo proposes four for Bitswap."""
    stream_timeout: float = 10.0
    """Seconds to agree on the protocol of a stream (go-libp2p basic host: 10 s)."""
    ping_timeout: float = 10.0
    """Seconds for one ping when the caller names none."""
    keepalive_interval: float = 30.0
    """Seconds of silence after which a connection is probed by a yamux ping (yamux: 30 s)."""
    keepalive_timeout: float = 30.0
    """Seconds for any sign of life after the probe; then the connection is closed."""
    idle_timeout: float | None = None
    """Seconds without a Bitswap message either way after which a connection is closed; None = never."""
    write_timeout_min: float = 10.0
    """Seconds without progress in sending a message, at least (boxo bsnet: 10 s)."""
    write_timeout_max: float = 120.0
    """The same, at most (boxo bsnet: 120 s); also the limit of a socket that takes nothing."""
    write_rate_floor: float = 12_500.0
    """Bytes a second that a peer must take (boxo: 100 kbit/s): the limit is 2 s + size / this, clamped."""
    linger: float = 1.0
    """Seconds for the peer to take our good-bye before the socket is closed."""
    accept_pause: float = 1.0
    """Seconds without accepting after the process ran out of file descriptors."""
    raise_descriptor_limit: bool = True
    """Whether starting raises the soft limit of open files to the hard one (POSIX)."""
    max_identify_bytes: int = 64 * KIB
    """Bytes of one identify answer, all its messages (go-libp2p: 10 messages of at most 8 KiB)."""
    max_peer_protocols: int = 256
    """Protocol ids kept of one peer."""
    max_peer_addrs: int = 32
    """Listen addresses kept of one peer."""
    max_known_peers: int = 4096
    """Peers whose addresses are remembered after they left, so that they can be dialled by id."""
    max_resolvers: int = 2
    """Threads for name lookups, started when first needed."""
    agent_version: str = "bitswap-python"
    """What identify says we are."""

    def __post_init__(self) -> None:
        for name in (
            "max_connections",
            "max_connections_per_peer",
            "max_pending_handshakes",
            "max_pending_dials",
            "max_inbound_streams",
            "max_outbound_streams",
            "max_resolvers",
            "max_unread_bytes",
            "send_low_water",
            "read_budget",
            "write_budget",
        ):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("max_queued_dials", "max_refused_streams", "max_known_peers", "linger"):
            _require(getattr(self, name) >= 0, f"{name} must not be negative")
        for name in (
            "dial_timeout",
            "handshake_timeout",
            "stream_timeout",
            "ping_timeout",
            "keepalive_interval",
            "keepalive_timeout",
            "write_timeout_min",
            "write_rate_floor",
            "accept_pause",
        ):
            _require(getattr(self, name) > 0, f"{name} must be positive")
        _require(self.idle_timeout is None or self.idle_timeout > 0, "idle_timeout must be positive")
        _require(self.write_timeout_max >= self.write_timeout_min, "write_timeout_max is below the minimum")
        _require(256 * KIB <= self.receive_window < 1 << 31, "receive_window must be 256 KiB to 2 GiB")
        _require(1 * KIB <= self.max_frame <= 1 * MIB, "max_frame must be 1 KiB to 1 MiB")
        _require(self.max_partial_bytes >= MAX_FRAME, "max_partial_bytes must hold a message")
        _require(self.max_buffered_bytes >= MAX_FRAME, "max_buffered_bytes must hold a message")
        _require(self.max_control_bytes >= 4 * KIB, "max_control_bytes must be at least 4 KiB")
        _require(self.read_buffer >= 32 * KIB, "read_buffer must be at least 32 KiB")
        _require(self.max_proposals >= 1, "max_proposals must be at least 1")
        _require(self.max_handshake_bytes >= 8 * KIB, "max_handshake_bytes must be at least 8 KiB")
        _require(self.max_identify_bytes >= 1 * KIB, "max_identify_bytes must be at least 1 KiB")

    def write_limit(self, size: int) -> float:
        """Seconds without progress after which the sending of `size` bytes is given up."""
        wanted = 2.0 + size / self.write_rate_floor
        return min(max(wanted, self.write_timeout_min), self.write_timeout_max)


@dataclass(frozen=True)
class StoreOptions:
    """The embedded blockstore (LMDB)."""

    durability: str = "ordered"
    """What a power cut can undo; no choice loses anything when only the process dies (kill -9).

    "full": nothing that a call has stored. "ordered": the last transaction, and the store is never damaged;
    one flush a transaction instead of two. "none": only flush() flushes; a power cut may damage the store.
    Measured for 256 blocks of 256 KiB in one call: 0.5-0.7, 0.8 and 1.1 GB/s.
    """
    map_bytes: int = 64 * MIB
    """Bytes of address space for a new store; doubled whenever full (the file grows with its content)."""
    max_bytes: int | None = None
    """Bytes that the store's file may grow to; None: as large as the disk. Beyond it StoreFull is raised."""
    transaction_bytes: int = 64 * MIB
    """Bytes of blocks that put_many holds in one transaction (LMDB keeps them in memory until the commit)."""
    max_readers: int = 512
    """Reads at one time, all threads and processes together (LMDB's reader table; 64 bytes each)."""

    def __post_init__(self) -> None:
        _require(
            self.durability in ("full", "ordered", "none"),
            f"durability is 'full', 'ordered' or 'none', not {self.durability!r}",
        )
        _require(self.map_bytes >= MIB, f"map_bytes is at least 1 MiB, not {self.map_bytes}")
        _require(
            self.max_bytes is None or self.max_bytes >= self.map_bytes,
            f"max_bytes ({self.max_bytes}) is less than map_bytes ({self.map_bytes})",
        )
        _require(
            self.transaction_bytes >= 1, f"transaction_bytes is at least 1, not {self.transaction_bytes}"
        )
        _require(1 <= self.max_readers <= 65536, f"max_readers is 1 to 65536, not {self.max_readers}")


@dataclass(frozen=True)
class DagOptions:
    """Walking, reading and writing of UnixFS graphs; what decides an import's CIDs is `dag.ImportOptions`."""

    window_blocks: int = 2048
    """Blocks of a walk that are wanted, or came before their turn (two peers' worth of 1,000 wants)."""
    window_bytes: int = 32 * MIB
    """Bytes of the same: bandwidth x delay of 320 MB/s at 100 ms. Sizes that a graph declares are estimates
    until a block comes; above 5/4 of this, what is farthest ahead is given up and wanted again later."""
    node_lookahead: int = 8192
    """Links of interior nodes that may lie open ahead of the reader: 47 nodes of 174 links (kubo's width)."""
    cache_bytes: int = 4 * MIB
    """Bytes of blocks just read that are kept, since a graph may hold the same block again soon."""
    max_depth: int = 1024
    """Nodes on the way from the root to a leaf. Files are 1 to 5 deep, most directories fewer than 50."""
    max_node_links: int = 65_536
    """Links of one node: more than an unsharded directory of 2 MiB has (about 45,000)."""
    max_open_links: int = 262_144
    """Links of all nodes on the way to the reader, not yet followed (about 250 bytes of memory each)."""
    max_entries: int = 10_000_000
    """Files, directories and links in a tree that is read: a graph can repeat itself without end."""
    max_empty_nodes: int = 65_536
    """Parts of files that hold no byte; importers write none."""
    batch_blocks: int = 1024
    """Blocks of an import that go to the store in one transaction."""
    batch_bytes: int = 8 * MIB
    """Bytes of the same."""

    def __post_init__(self) -> None:
        links = ("max_node_links", "max_open_links")
        for name in (*links, "max_depth", "max_entries", "batch_blocks", "batch_bytes"):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("cache_bytes", "max_empty_nodes", "node_lookahead"):
            _require(getattr(self, name) >= 0, f"{name} must not be negative")
        _require(self.window_blocks >= 2, "window_blocks must be at least 2")
        _require(self.window_bytes >= 1 * KIB, "window_bytes must be at least 1 KiB")


@dataclass(frozen=True)
class RoutingOptions:
    """Looking for providers: queries to routers, dials of those they name (boxo `providerquerymanager`)."""

    max_providers: int = 10
    """Connected providers after which a search is over (boxo WithMaxProviders; its Bitswap sets 10)."""
    max_queries: int = 8
    """Queries under way at a time, a thread at each router (boxo WithMaxInProcessRequests: 8)."""
    max_searches: int = 1024
    """Blocks that are searched for, waiting ones included; a further search is refused (boxo: no limit)."""
    max_session_searches: int = 8
    """Blocks that one session searches for at a time, once one search was not enough (our choice)."""
    max_session_waiting: int = 1024
    """Blocks of a session that wait for that, and of which it is remembered when they were searched for."""
    search_interval: float = 60.0
    """Seconds after which a block is searched for again (boxo: its periodic search, every 60 s)."""
    timeout: float = 10.0
    """Seconds for one query and the dials of those it names (boxo WithMaxTimeout: 10 s)."""
    queue_timeout: float = 30.0
    """Seconds that a query may wait for its turn (our choice)."""
    max_found: int = 128
    """Providers named by routers that one query looks at (our choice; the DHT of kubo stops at 20)."""
    max_addresses: int = 16
    """Addresses of one provider that are tried."""
    max_dials: int = 16
    """Dials under way at a time for all queries, a thread each (our choice)."""
    max_query_dials: int = 8
    """The same for one query, so that it leaves some to the others."""
    address_timeout: float = 4.0
    """Seconds for one address of a provider, so that a dead one leaves time for the next (our choice)."""
    dial_backoff: float = 5.0
    """Seconds in which addresses that failed are not dialled again (go-libp2p BackoffBase: 5 s)."""
    max_backoffs: int = 1024
    """Peers of which that is remembered."""
    find_peers: bool = True
    """Whether a router that can is asked where a provider is whose addresses failed (boxo, off there:
    WithFindPeerFallback)."""
    ignore_peers: frozenset[str] = frozenset()
    """Peer ids that are never dialled for a block (boxo WithIgnoreProviders)."""
    ignore_cids: frozenset[CID] = frozenset()
    """Blocks that no router is asked for, under any codec."""
    close_timeout: float = 5.0
    """Seconds that closing waits for a router or a dial to end; its thread is left behind then."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                _require(value > 0, f"{name} must be positive")
        for name in ("ignore_peers", "ignore_cids"):
            _require(isinstance(getattr(self, name), (set, frozenset)), f"{name} must be a set")


@dataclass(frozen=True)
class Options:
    """All of a node's options; every section has defaults that suit a laptop and a server alike."""

    server: ServerOptions = field(default_factory=ServerOptions)
    client: ClientOptions = field(default_factory=ClientOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    dag: DagOptions = field(default_factory=DagOptions)
    routing: RoutingOptions = field(default_factory=RoutingOptions)
