from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from bitswap._core import IMPLEMENTATION
from bitswap.network.libp2p import tls, tls_records
from bitswap.network.libp2p.certificate import CertificateError, make_certificate
from bitswap.network.libp2p.security import YAMUX_ID, HandshakeError, SecureChannel, SecurityError
from bitswap.network.libp2p.tls import TlsChannel, new_context, tls_channel
from bitswap.network.libp2p.tls_records import RECORD, ways, whole_records
from tests.libp2p.certificates import FAR_AWAY, GOOD, LONG_AGO, TOMORROW, UNKNOWN_OID, YESTERDAY, Recipe
from tests.libp2p.channels import BareTls, carry, established_pair, identity, new_pair, pump, read_all
from tests.libp2p.test_certificate import BAD

YAMUX = YAMUX_ID.encode()
WAYS = ways()


@pytest.fixture(autouse=True, params=["compiled", "direct", "public"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs with each way to OpenSSL."""
    name: str = request.param
    if name not in WAYS:
        pytest.skip(f"the {name} way is not there")
    monkeypatch.setattr(tls_records, "best", WAYS[name])
    return name


def bare_context(recipe: Recipe | None = GOOD, *, alpn: list[bytes] | None = None) -> SSL.Context:
    """OpenSSL as it comes: it verifies nobody."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    if recipe is not None:
        context.use_certificate(recipe.make())
        context.use_privatekey(recipe.key)
    if alpn:
        context.set_alpn_protos(alpn)
    return context


def ours(*, initiator: bool, expected: str | None = None) -> SecureChannel:
    return tls_channel(identity("bob"), initiator=initiator, expected_peer=expected)


def meet(context: SSL.Context, *, initiator: bool) -> tuple[SecureChannel, BareTls]:
    """Our side against a bare one; `initiator` says whether ours dials."""
    channel, bare = ours(initiator=initiator), BareTls(context, initiator=not initiator)
    channel.start()
    if not initiator:
        bare.start()
    pump(channel, bare)
    return channel, bare


roles = pytest.mark.parametrize("initiator", [True, False], ids=["we dial", "they dial"])


@roles
@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-384", "Ed25519", "RSA"],
)
def test_certificate_keys_of_other_types(initiator: bool, key: ec.EllipticCurvePrivateKey) -> None:
    channel, bare = meet(bare_context(Recipe(key=key)), initiator=initiator)
    assert channel.established
    assert bare.established
    assert channel.remote_peer == identity("alice").peer_id
    assert channel.early_muxer is None


@roles
@pytest.mark.parametrize("kind", BAD)
def test_certificates_that_prove_nothing(initiator: bool, kind: str) -> None:
    recipe, words = BAD[kind]
    with pytest.raises(HandshakeError, match=f"TLS handshake with an unknown peer failed: .*{words}"):
        meet(bare_context(recipe), initiator=initiator)


@roles
@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (GOOD.change(not_after=YESTERDAY), "has expired"),
        (GOOD.change(not_before=TOMORROW), "is not valid yet"),
        (GOOD.change(not_before=TOMORROW, not_after=FAR_AWAY, critical=True), "is not valid yet"),
        (GOOD.change(not_before=LONG_AGO, not_after=YESTERDAY, critical=True), "has expired"),
    ],
)
def test_certificates_out_of_time(initiator: bool, recipe: Recipe, words: str) -> None:
    with pytest.raises(CertificateError, match=words):
        meet(bare_context(recipe), initiator=initiator)


@roles
def test_critical_extension_of_ours_is_known(initiator: bool) -> None:
    channel, _ = meet(bare_context(GOOD.change(critical=True)), initiator=initiator)
    assert channel.remote_peer == identity("alice").peer_id


@roles
def test_two_certificates_are_refused(initiator: bool) -> None:
    context = bare_context()
    context.add_extra_chain_cert(Recipe().make())
    with pytest.raises(CertificateError, match="more than one certificate"):
        meet(context, initiator=initiator)


def test_a_dialler_without_certificate_is_refused() -> None:
    with pytest.raises(HandshakeError, match="certificate"):
        meet(bare_context(None), initiator=False)


@roles
def test_older_tls_is_refused(initiator: bool) -> None:
    context = bare_context()
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    with pytest.raises((HandshakeError, SSL.Error), match=r"protocol|version"):
        meet(context, initiator=initiator)


def test_no_server_name_is_sent() -> None:
    names = []
    context = bare_context()
    context.set_tlsext_servername_callback(lambda connection: names.append(connection.get_servername()))
    meet(context, initiator=True)
    assert names == [None]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, None),
        ([b"libp2p"], None),
        ([YAMUX, b"libp2p"], YAMUX_ID),
        ([b"/mplex/6.7.0", YAMUX, b"libp2p"], YAMUX_ID),
        ([b"/mplex/6.7.0", b"libp2p"], None),
        ([b"libp2p", YAMUX], None),
    ],
)
def test_muxer_for_what_the_dialler_offers(offered: list[bytes] | None, chosen: str | None) -> None:
    channel, bare = meet(bare_context(alpn=offered), initiator=False)
    assert channel.established
    assert channel.early_muxer == chosen
    assert bare.connection.get_alpn_proto_negotiated() == ((chosen or "libp2p").encode() if offered else b"")


@pytest.mark.parametrize(("choice", "chosen"), [(YAMUX, YAMUX_ID), (b"libp2p", None), (None, None)])
def test_muxer_that_the_listener_chooses(choice: bytes | None, chosen: str | None) -> None:
    context = bare_context()
    offers = []

    def choose(_connection: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
        offers.append(offered)
        return choice or SSL.NO_OVERLAPPING_PROTOCOLS

    context.set_alpn_select_callback(choose)
    channel, _ = meet(context, initiator=True)
    assert offers == [[YAMUX, b"libp2p"]]
    assert channel.early_muxer == chosen


def test_muxer_that_was_not_offered() -> None:
    context = bare_context()
    context.set_alpn_select_callback(lambda *_: b"/mplex/6.7.0")
    with pytest.raises(HandshakeError):
        meet(context, initiator=True)


def test_unknown_application_protocols_are_refused_and_the_dialler_told() -> None:
    channel, bare = ours(initiator=False), BareTls(bare_context(alpn=[b"h2", b"http/1.1"]), initiator=True)
    bare.start()
    with pytest.raises(HandshakeError, match="no application protocol"):
        carry(bare, channel)
    with pytest.raises(SSL.Error, match="no application protocol"):
        carry(channel, bare)


@pytest.mark.parametrize("kind", ["no extension", "signed by another key"])
def test_a_refused_listener_is_told_by_an_alert(kind: str) -> None:
    channel, bare = ours(initiator=True), BareTls(bare_context(BAD[kind][0]), initiator=False)
    channel.start()
    with pytest.raises(CertificateError):
        pump(channel, bare)
    with pytest.raises(SSL.Error, match="alert"):
        carry(channel, bare)


def test_a_refused_dialler_reads_the_alert() -> None:
    """The dialler's handshake is through when the listener says no: the no comes with the first read."""
    first = tls_channel(identity("alice"), initiator=True, expected_peer=None)
    second = tls_channel(identity("bob"), initiator=False, expected_peer=identity("carol").peer_id)
    first.start()
    with pytest.raises(HandshakeError):
        pump(first, second)
    assert first.established
    carry(second, first)
    with pytest.raises(SecurityError, match="the peer answered with the alert"):
        read_all(first)


def test_tickets_of_a_listener_cannot_be_used() -> None:
    channel, bare = meet(bare_context(alpn=[b"libp2p"]), initiator=False)
    channel.write([b"text"])
    carry(channel, bare)
    assert bare.connection.recv(10) == b"text"
    session = bare.connection.get_session()
    again, other = ours(initiator=False), BareTls(bare.connection.get_context(), initiator=True)
    assert session is not None
    other.connection.set_session(session)
    other.start()
    pump(again, other)
    assert again.established
    assert again.remote_peer == identity("alice").peer_id


def test_orderly_end() -> None:
    first, second = established_pair("tls")
    first.write([b"last words"])
    first.close()
    carry(first, second)
    assert not second.eof
    assert read_all(second) == b"last words"
    assert second.eof
    second.receive_eof()
    assert second.read_into(memoryview(bytearray(5))) == 0
    # The other direction is still open.
    second.write([b"answer"])
    second.close()
    carry(second, first)
    assert read_all(first) == b"answer"
    assert first.eof


def test_end_without_a_word() -> None:
    first, second = established_pair("tls")
    first.write([b"text"])
    carry(first, second)
    assert read_all(second) == b"text"
    with pytest.raises(SecurityError, match="ended before the peer closed"):
        second.receive_eof()


def test_one_certificate_serves_all_connections_of_an_identity() -> None:
    seen = []
    for _ in range(2):
        _, bare = meet(bare_context(), initiator=False)
        certificate = bare.connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        seen.append(certificate.serial_number)
    assert seen[0] == seen[1]


def test_an_identity_that_is_gone_takes_its_certificate_along() -> None:
    before = len(tls._contexts)
    someone = tls.PeerIdentity.generate()
    tls_channel(someone, initiator=True, expected_peer=None)
    assert len(tls._contexts) == before + 1
    del someone
    assert len(tls._contexts) == before


def test_channel_of_any_certificate() -> None:
    certificate, key = make_certificate(identity("carol"))
    first = TlsChannel(new_context(certificate, key), True, None, 65536)
    second = ours(initiator=False)
    first.start()
    pump(first, second)
    assert second.remote_peer == identity("carol").peer_id


@pytest.mark.parametrize("size", [1, 100, RECORD - 1, RECORD, RECORD + 1, 100_000])
def test_reading_through_buffers_of_any_size(size: int) -> None:
    first, second = established_pair("tls")
    text = bytes(range(250)) * 200
    first.write([text, b"", text[1:]])
    carry(first, second)
    assert read_all(second, size) == text + text[1:]
    assert second.read_into(memoryview(bytearray(size))) == 0
    first.close()
    carry(first, second)
    assert read_all(second) == b""
    assert second.eof


def test_damage_leaves_other_connections_alone() -> None:
    """OpenSSL keeps errors in a queue for the whole thread; none may be left there."""
    first, second = established_pair("tls")
    healthy, other = established_pair("tls")
    first.write([b"good"])
    good = b"".join(first.data_to_send())
    first.write([b"bad"])
    sealed = b"".join(first.data_to_send())
    second.receive(good + sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    assert second.read_into(memoryview(bytearray(50))) == 4
    assert other.read_into(memoryview(bytearray(50))) == 0
    healthy.write([b"text"])
    carry(healthy, other)
    assert read_all(other) == b"text"
    with pytest.raises(SecurityError):
        read_all(second)
    # The peer is told.
    carry(second, first)
    with pytest.raises(SecurityError, match="alert 'bad record mac'"):
        read_all(first)


def test_what_was_decrypted_before_damage_is_read_first() -> None:
    first, second = established_pair("tls")
    first.write([bytes(3 * RECORD)])
    sealed = b"".join(first.data_to_send())
    second.receive(sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    buffer = memoryview(bytearray(4 * RECORD))
    assert second.read_into(buffer) == 2 * RECORD
    for _ in range(2):
        with pytest.raises(SecurityError, match=r"bad record mac|decryption failed"):
            second.read_into(buffer)


PARTS = st.lists(
    st.binary(max_size=40)
    | st.integers(0, 20 * RECORD + 5).map(lambda size: bytes(range(251)) * (size // 251)),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(PARTS)
def test_parts_of_any_size_share_records(parts: list[bytes]) -> None:
    first, second = established_pair("tls")
    first.write(parts)
    sealed = b"".join(first.data_to_send())
    total = sum(map(len, parts))
    assert records_in(sealed) <= -(-total // RECORD) + 1
    second.receive(sealed)
    assert read_all(second, 300_000) == b"".join(parts)


def records_in(sealed: bytes) -> int:
    """How many records these are (RFC 8446, 5.1)."""
    count = at = 0
    while at < len(sealed):
        at += 5 + int.from_bytes(sealed[at + 3 : at + 5], "big")
        count += 1
    assert at == len(sealed)
    return count


def test_writing_to_a_channel_that_is_gone() -> None:
    """After the good-bye OpenSSL itself refuses; every way says so the same."""
    first, _ = established_pair("tls")
    first._connection.shutdown()  # type: ignore[attr-defined]
    with pytest.raises(SecurityError, match=r"protocol is shutdown|TLS with"):
        first.write([b"text"])


def test_the_best_way_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert tls_records.best is next(iter(WAYS.values()))
    assert "direct" in WAYS
    assert ("compiled" in WAYS) == (IMPLEMENTATION == "compiled")


@given(
    st.lists(
        st.binary(max_size=40) | st.integers(0, 3 * RECORD + 5).map(lambda size: b"x" * size), max_size=8
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_small_parts_share_records(parts: list[bytes]) -> None:
    pieces = [bytes(piece) for piece in whole_records(parts)]
    assert b"".join(pieces) == b"".join(parts)
    records = sum(-(-len(piece) // RECORD) for piece in pieces)
    assert records <= -(-sum(map(len, parts)) // RECORD) + 1
    assert all(pieces)


def test_large_parts_are_not_copied() -> None:
    part = bytes(5 * RECORD)
    header, rest = whole_records([b"header", part])
    assert len(header) == RECORD
    assert isinstance(rest, memoryview)
    assert rest.obj is part


def test_unknown_critical_extension_by_its_number() -> None:
    with pytest.raises(CertificateError, match=UNKNOWN_OID.dotted_string):
        meet(bare_context(BAD["unknown critical extension"][0]), initiator=True)


def test_flights_are_small() -> None:
    """What a handshake costs on the wire stays far below the bound of one."""
    first, second = new_pair("tls")
    first.start()
    sizes = [carry(first, second), carry(second, first), carry(first, second)]
    assert max(sizes) < 4096
