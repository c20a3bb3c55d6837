"""TLS 1.3 between peers, each proving its identity by its certificate (libp2p specification tls/tls.md).

The records are OpenSSL's, by way of pyOpenSSL on memory buffers. The stream muxer is agreed in the handshake
by ALPN (specification connections/inlined-muxer-negotiation.md). Sessions are never resumed: each connection
proves anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from bitswap.network.libp2p import tls_records
from bitswap.network.libp2p.certificate import CertificateError, make_certificate, verify_certificate
from bitswap.network.libp2p.identity import PeerIdentity, peer_id_from_text
from bitswap.network.libp2p.security import (
    YAMUX_ID,
    HandshakeError,
    SecureChannel,
    SecurityError,
    WrongPeer,
)
from bitswap.network.libp2p.tls_records import Records, collect
from bitswap.options import NetworkOptions

_NO_MUXER = b"libp2p"
_PROTOCOLS = [YAMUX_ID.encode(), _NO_MUXER]
_CIPHERS = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
_PARTIAL_WRITE = 0x1  # SSL_MODE_ENABLE_PARTIAL_WRITE, which has no public name
_NO_APPLICATION_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"  # a fatal alert, RFC 8446 section 6 and RFC 7301

# What OpenSSL objects to in a certificate that no authority signed. The signature, the critical extensions
# and the identity are checked by `verify_certificate`; purposes have no meaning here.
_SELF_SIGNED = frozenset((18, 19, 20, 21, 26, 34))
_CERTIFICATE_PROBLEMS = {9: "the certificate is not valid yet", 10: "the certificate has expired"}

_contexts: WeakKeyDictionary[PeerIdentity, SSL.Context] = WeakKeyDictionary()


def tls_channel(
    identity: PeerIdentity,
    *,
    initiator: bool,
    expected_peer: str | None,
    max_handshake: int = NetworkOptions.max_handshake_bytes,
) -> SecureChannel:
    """A TLS channel; `expected_peer` (text) is what the other side must prove, None accepts any peer.

    The certificate is made once per identity. `max_handshake` bounds the bytes a peer may send before it is
    verified. Raises UsageError when `expected_peer` is not a peer id.
    """
    return TlsChannel(_context(identity), initiator, expected_peer, max_handshake)


class _Verdict:
    """What OpenSSL's callbacks found out about the peer of one connection."""

    __slots__ = ("error", "expected", "no_protocol", "peer")

    def __init__(self, expected: str | None) -> None:
        self.expected = expected
        self.peer: str | None = None
        self.error: HandshakeError | None = None
        self.no_protocol = False

    def judge(self, certificate: crypto.X509, problem: int, depth: int) -> bool:
        """Called once for each problem that OpenSSL sees, and once more at the end with none."""
        if self.error is not None:
            return False
        if depth != 0:
            self.error = CertificateError("more than one certificate")
        elif problem != 0 and problem not in _SELF_SIGNED:
            reason = _CERTIFICATE_PROBLEMS.get(
                problem, f"the certificate is not acceptable (X509 error {problem})"
            )
            self.error = CertificateError(reason)
        elif self.peer is None:
            try:
                self.peer = verify_certificate(certificate.to_cryptography()).peer_id
            except HandshakeError as error:
                self.error = error
            # Whatever parsers say to a stranger's bytes: nothing may escape into OpenSSL's callback.
            except Exception as error:
                self.error = CertificateError(f"the certificate cannot be read: {error}")
            else:
                if self.expected not in (None, self.peer):
                    self.error = WrongPeer(str(self.expected), self.peer)
        return self.error is None


class TlsChannel:
    """One TLS connection; see `SecureChannel` for the contract."""

    def __init__(
        self, context: SSL.Context, initiator: bool, expected_peer: str | None, max_handshake: int
    ) -> None:
        self._verdict = _Verdict(None if expected_peer is None else peer_id_from_text(expected_peer))
        self._connection = SSL.Connection(context)
        self._connection.set_app_data(self._verdict)
        self._initiator = initiator
        if initiator:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._handshake_left = max_handshake
        self._out: list[bytes] = []
        self._failure: SecurityError | None = None
        self._closed = False
        self._records: Records | None = None
        self.established = False
        self.remote_peer: str | None = None
        self.early_muxer: str | None = None
        self.eof = False

    @property
    def pending_out(self) -> int:
        """See `SecureChannel.pending_out`."""
        return sum(map(len, self._out))

    def start(self) -> None:
        """See `SecureChannel.start`."""
        if self._initiator and not self.established:
            self._handshake()

    def receive(self, data: bytes | memoryview) -> None:
        """See `SecureChannel.receive`."""
        if self._failure is not None:
            raise self._failure
        if not data:
            return
        if self._records is not None:
            self._records.receive(data)
            return
        if self._handshake_left <= 0:
            raise self._failed(HandshakeError("too many bytes before the handshake was complete"))
        self._handshake_left -= len(data)
        self._connection.bio_write(data)
        self._handshake()

    def receive_eof(self) -> None:
        """See `SecureChannel.receive_eof`."""
        if self._failure is not None:
            raise self._failure
        if not self.established:
            raise self._failed(HandshakeError("the peer closed the connection"))
        if not self.eof:
            raise self._failed(SecurityError("the connection ended before the peer closed TLS"))

    def read_into(self, buffer: memoryview) -> int:
        """See `SecureChannel.read_into`."""
        if self._failure is not None:
            raise self._failure
        if self._records is None or self.eof:
            return 0
        count, error = self._records.read_into(buffer)
        if isinstance(error, SSL.ZeroReturnError):
            self.eof = True
        elif error is not None:
            self._collect()
            failure = self._failed(SecurityError(_explain(error)))
            # What came before the error is good; the next call raises.
            if count == 0:
                raise failure
        return count

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        """See `SecureChannel.write`."""
        if self._failure is not None:
            raise self._failure
        if self._records is None or self._closed:
            raise SecurityError("this TLS channel is not open for writing", peer=self.remote_peer)
        try:
            self._records.write(parts, self._out)
        except SSL.Error as error:
            self._collect()
            raise self._failed(SecurityError(_explain(error))) from None

    def data_to_send(self) -> list[bytes]:
        """See `SecureChannel.data_to_send`."""
        out, self._out = self._out, []
        return out

    def close(self) -> None:
        """See `SecureChannel.close`."""
        if self._closed or not self.established or self._failure is not None:
            return
        self._closed = True
        try:
            self._connection.shutdown()
        except SSL.Error:
            return  # Nothing can be said any more.
        self._collect()

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            if self._verdict.no_protocol:
                raise self._refuse_protocols() from None
            self._collect()
            return
        except SSL.Error as error:
            self._collect()
            raise self._failed(self._verdict.error or HandshakeError(_explain(error))) from None
        self._collect()
        verdict = self._verdict
        if verdict.error is not None or verdict.peer is None:
            raise self._failed(verdict.error or HandshakeError("the peer presented no certificate"))
        # On the listening side OpenSSL leaves the peer's own certificate out of the chain.
        if len(self._connection.get_peer_cert_chain() or ()) > (1 if self._initiator else 0):
            raise self._failed(CertificateError("more than one certificate"))
        protocol = self._connection.get_alpn_proto_negotiated()
        if protocol and protocol not in _PROTOCOLS:
            raise self._failed(HandshakeError(f"the peer chose {protocol!r}, which was not offered"))
        self.early_muxer = YAMUX_ID if protocol == YAMUX_ID.encode() else None
        self.remote_peer = verdict.peer
        self.established = True
        self._records = tls_records.best(self._connection)

    def _refuse_protocols(self) -> SecurityError:
        # OpenSSL's own answer, not taken here, would go on without ALPN; the specification says to refuse.
        self._out.append(_NO_APPLICATION_PROTOCOL)
        return self._failed(HandshakeError("the peer offers no application protocol that is known"))

    def _failed(self, error: SecurityError) -> SecurityError:
        """Make `error` the end of this channel: named, kept, and raised by every further call."""
        if isinstance(error, HandshakeError):
            expected = self._verdict.expected
            if not isinstance(error, WrongPeer):
                text = f"TLS handshake with {expected or 'an unknown peer'} failed: {error}"
                error = type(error)(text, peer=expected)
        else:
            error = type(error)(f"TLS with {self.remote_peer} failed: {error}", peer=self.remote_peer)
        self._failure = error
        return error

    def _collect(self) -> None:
        """Take what OpenSSL wants to say."""
        collect(self._connection, self._out)


def _context(identity: PeerIdentity) -> SSL.Context:
    """The OpenSSL context of `identity`, for both roles, made at its first use."""
    context = _contexts.get(identity)
    if context is None:
        certificate, key = make_certificate(identity)
        context = _contexts[identity] = new_context(certificate, key)
    return context


def new_context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> SSL.Context:
    """An OpenSSL context with the rules of libp2p that presents `certificate`."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _on_certificate)
    context.set_alpn_protos(_PROTOCOLS)
    context.set_alpn_select_callback(_on_protocols)
    # Sessions are not kept, so the two short tickets that OpenSSL sends all the same cannot be used.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Both came with pyOpenSSL 25.1 or later; without them writing is slower, no more.
    if hasattr(context, "clear_mode"):
        context.clear_mode(_PARTIAL_WRITE)
    if hasattr(context, "set_tls13_ciphersuites"):
        context.set_tls13_ciphersuites(_CIPHERS)
    return context


def _on_certificate(
    connection: SSL.Connection, certificate: crypto.X509, problem: int, depth: int, _ok: int
) -> bool:
    verdict: _Verdict = connection.get_app_data()
    return verdict.judge(certificate, problem, depth)


def _on_protocols(connection: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    # The initiator's preference decides (specification).
    for protocol in offered:
        if protocol in _PROTOCOLS:
            return protocol
    verdict: _Verdict = connection.get_app_data()
    verdict.no_protocol = True
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _explain(error: SSL.Error) -> str:
    """OpenSSL's words for `error`; alerts of the peer are told from our own findings."""
    if isinstance(error, SSL.SysCallError):
        return "the connection ended in the middle"
    reasons = [str(entry[-1]) for entry in error.args[0]] if error.args and error.args[0] else []
    text = "; ".join(reasons) or type(error).__name__
    _, alert, after = text.partition(" alert ")
    return f"the peer answered with the alert {after!r}" if alert else text
