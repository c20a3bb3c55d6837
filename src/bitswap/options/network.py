"""Bounds and defaults of the libp2p transport."""

from __future__ import annotations

from dataclasses import dataclass

from bitswap.options.limits import KIB, MAX_FRAME, MIB, require


@dataclass(frozen=True)
class NetworkOptions:
    """The libp2p transport: connections, streams, buffers, timeouts."""

    max_connections: int = 4096
    """Connections in the process, both ways; a further inbound one is closed at once (about 70 KiB each)."""
    max_connections_per_peer: int = 8
    """Connections to one peer; a further one is closed. Two are usual when both sides dial at once."""
    max_pending_handshakes: int = 256
    """Inbound connections whose handshake is under way; no more are accepted until one is through."""
    max_connections_per_address: int = 1024
    """Inbound connections from one address (IPv6: one /64); a further one is closed at once. A quarter of
    all, since a whole site may stand behind one address."""
    max_pending_handshakes_per_address: int = 192
    """The same for those whose handshake is under way, so that one address cannot keep all others out; above
    `max_pending_dials`, which one node may have under way to another."""
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
    """Bytes of the two kinds above in the whole process. Paused peers may use half of it, then their sockets
    are left alone; beyond all of it the connection with the most in incomplete messages loses a stream."""
    send_low_water: int = 256 * KIB
    """Bytes of a message left to be sent at which the lane can take the next one."""
    read_buffer: int = 256 * KIB
    """Bytes of the two read buffers (ciphertext, plaintext) that all connections share."""
    read_budget: int = 1 * MIB
    """Bytes read from one connection before the others have their turn."""
    hash_threads: int = 1
    """Threads that hash blocks of 16 KiB and more while their messages come, 0 or 1 (our choice: one
    keeps up with the network's thread)."""
    read_slice: float = 0.005
    """Seconds of the network thread's own time for the same (our choice), since a flood of small frames makes
    more work than the largest blocks."""
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
            "max_connections_per_address",
            "max_pending_handshakes_per_address",
            "max_pending_dials",
            "max_inbound_streams",
            "max_outbound_streams",
            "max_resolvers",
            "max_unread_bytes",
            "send_low_water",
            "read_budget",
            "write_budget",
        ):
            require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("max_queued_dials", "max_refused_streams", "max_known_peers", "linger"):
            require(getattr(self, name) >= 0, f"{name} must not be negative")
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
            "read_slice",
        ):
            require(getattr(self, name) > 0, f"{name} must be positive")
        require(self.idle_timeout is None or self.idle_timeout > 0, "idle_timeout must be positive")
        require(self.write_timeout_max >= self.write_timeout_min, "write_timeout_max is below the minimum")
        require(256 * KIB <= self.receive_window < 1 << 31, "receive_window must be 256 KiB to 2 GiB")
        require(1 * KIB <= self.max_frame <= 1 * MIB, "max_frame must be 1 KiB to 1 MiB")
        require(self.max_partial_bytes >= MAX_FRAME, "max_partial_bytes must hold a message")
        require(self.max_buffered_bytes >= MAX_FRAME, "max_buffered_bytes must hold a message")
        require(self.max_control_bytes >= 4 * KIB, "max_control_bytes must be at least 4 KiB")
        require(self.hash_threads in (0, 1), "hash_threads must be 0 or 1")
        require(self.read_buffer >= 32 * KIB, "read_buffer must be at least 32 KiB")
        require(self.max_proposals >= 1, "max_proposals must be at least 1")
        require(self.max_handshake_bytes >= 8 * KIB, "max_handshake_bytes must be at least 8 KiB")
        require(self.max_identify_bytes >= 1 * KIB, "max_identify_bytes must be at least 1 KiB")

    def write_limit(self, size: int) -> float:
        """Seconds without progress after which the sending of `size` bytes is given up."""
        wanted = 2.0 + size / self.write_rate_floor
        return min(max(wanted, self.write_timeout_min), self.write_timeout_max)
