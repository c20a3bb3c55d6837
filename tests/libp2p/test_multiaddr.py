from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitswap.errors import UsageError
from bitswap.network.libp2p.multiaddr import MAX_LENGTH, Multiaddr
from bitswap.network.libp2p.multiaddr_protocols import BY_NAME

PEER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
OTHER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("/ip4/127.0.0.1/tcp/4001", "047f000001060fa1"),
        ("/ip4/127.0.0.1/udp/1234", "047f000001910204d2"),
        ("/ip6/::1/tcp/0", "2900000000000000000000000000000001060000"),
        ("/ip6zone/x/ip6/fe80::1/tcp/1", "2a017829fe800000000000000000000000000001060001"),
        ("/dns4/a.io/tcp/443/wss", "3604612e696f0601bbde03"),
        ("/dns6/a.io", "3704612e696f"),
        ("/dns/a.io", "3504612e696f"),
        ("/dnsaddr/a.io", "3804612e696f"),
        ("/ip4/1.2.3.4/udp/4001/quic-v1", "040102030491020fa1cd03"),
        ("/p2p-circuit", "a202"),
        (
            "/p2p/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC/tcp/1234",
            "a503221220d52ebb89d85b02a284948203a62ff28389c57c9f42beec4ec20db76a68911c0b0604d2",
        ),
    ],
)
def test_text_and_binary_form(text: str, data: str) -> None:
    address = Multiaddr.parse(text)
    assert address.to_bytes().hex() == data
    assert Multiaddr.from_bytes(bytes.fromhex(data)) == address
    assert str(Multiaddr.from_bytes(bytes.fromhex(data))) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("/ip4/1.2.3.4/tcp/0080/", "/ip4/1.2.3.4/tcp/80"),
        ("/ip6/2001:DB8:0:0:0:0:0:1/tcp/1", "/ip6/2001:db8::1/tcp/1"),
        (f"/ip4/1.2.3.4/tcp/1/ipfs/{OTHER}", f"/ip4/1.2.3.4/tcp/1/p2p/{OTHER}"),
        (
            "/p2p/bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
            f"/p2p/{OTHER}",
        ),
        (
            "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/uEiAsGPzpiPGQzSlVHRXrUCT5EkTV7YFrV4VZ3hpEKTd_zg",
            "/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/uEiAsGPzpiPGQzSlVHRXrUCT5EkTV7YFrV4VZ3hpEKTd_zg",
        ),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    address = Multiaddr.parse(text)
    assert str(address) == canonical
    assert repr(address) == f"Multiaddr({canonical!r})"
    assert address == Multiaddr.parse(canonical)
    assert hash(address) == hash(Multiaddr.parse(canonical))
    assert address != canonical


@pytest.mark.parametrize(
    ("text", "host", "kind", "port", "peer", "is_tcp"),
    [
        ("/ip4/127.0.0.1/tcp/4001", "127.0.0.1", "ip4", 4001, None, True),
        (f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}", "127.0.0.1", "ip4", 4001, PEER, True),
        ("/ip6/::1/tcp/0", "::1", "ip6", 0, None, True),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", "fe80::1%eth0", "ip6", 1, None, True),
        (f"/dns/a.io/tcp/1/p2p/{OTHER}", "a.io", "dns", 1, OTHER, True),
        (f"/dnsaddr/a.io/p2p/{PEER}", "a.io", "dnsaddr", None, PEER, False),
        ("/ip4/1.2.3.4/udp/1/quic-v1", "1.2.3.4", "ip4", None, None, False),
        ("/dns4/a.io/tcp/443/wss", "a.io", "dns4", 443, None, False),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p-circuit", "1.2.3.4", "ip4", 1, None, False),
        (f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{OTHER}", "1.2.3.4", "ip4", 1, OTHER, False),
        (f"/p2p/{PEER}", None, None, None, PEER, False),
        ("/tcp/5", None, None, 5, None, False),
        ("/ip4/1.2.3.4", "1.2.3.4", "ip4", None, None, False),
    ],
)
def test_what_an_address_says(
    text: str, host: str | None, kind: str | None, port: int | None, peer: str | None, is_tcp: bool
) -> None:
    address = Multiaddr.parse(text)
    assert (address.host, address.host_kind, address.port) == (host, kind, port)
    assert (address.peer_id, address.is_tcp) == (peer, is_tcp)


def test_peer_is_put_in_and_taken_out() -> None:
    bare = Multiaddr.parse("/ip4/127.0.0.1/tcp/1")
    full = bare.with_peer(PEER)
    assert str(full) == f"/ip4/127.0.0.1/tcp/1/p2p/{PEER}"
    assert full.with_peer(OTHER) == bare.with_peer(OTHER)
    assert full.without_peer() == bare
    assert bare.without_peer() == bare
    with pytest.raises(UsageError, match="not a peer id"):
        bare.with_peer("somebody")
    with pytest.raises(UsageError, match="nothing but a peer id"):
        Multiaddr.parse(f"/p2p/{PEER}").without_peer()


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("127.0.0.1", "/ip4/127.0.0.1/tcp/7"),
        ("::1", "/ip6/::1/tcp/7"),
        ("fe80::1%eth0", "/ip6zone/eth0/ip6/fe80::1/tcp/7"),
        ("localhost", "/dns/localhost/tcp/7"),
    ],
)
def test_address_of_a_tcp_port(host: str, text: str) -> None:
    address = Multiaddr.tcp(host, 7)
    assert str(address) == text
    assert address.host == host


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with /"),
        ("127.0.0.1:4001", "does not begin with /"),
        ("/", "names no protocol"),
        ("//", "names no protocol"),
        ("/ip4", "/ip4 needs a value"),
        ("/ip4/", "/ip4 needs a value"),
        ("/ip4//tcp/1", "/ip4 needs a value"),
        ("/ip4/1.2.3.4/tcp", "/tcp needs a value"),
        ("/ip4/1.2.3", "does not fit /ip4"),
        ("/ip4/256.0.0.1", "does not fit /ip4"),
        ("/ip6/fe80::1%eth0", "ip6zone"),
        ("/ip6/1.2.3.4", "does not fit /ip6"),
        ("/ip4/1.2.3.4/tcp/65536", "a number from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/-1", "a number from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/٣", "a number from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/1 ", "a number from 0 to 65535"),
        ("/ip4/1.2.3.4/tcp/x", "a number from 0 to 65535"),
        ("/dns/a b", "does not fit /dns"),
        ("/dns/" + "a" * 254, "does not fit /dns"),
        ("/carrier-pigeon/1", "'carrier-pigeon' is not known"),
        ("/ip4/1.2.3.4/tcp/1/p2p/nobody", "not a peer id"),
        ("/certhash/z", "does not fit /certhash"),
        ("/dns/a" * 1000, "has 6000 characters"),
    ],
)
def test_bad_texts(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"not a multiaddr.*{words}"):
        Multiaddr.parse(text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "0 bytes"),
        ("00" * (MAX_LENGTH + 1), "2049 bytes"),
        ("04", "cut"),
        ("047f0000", "cut"),
        ("047f00000106", "cut"),
        ("7f", "number 127 is not known"),
        ("8400", "not minimal"),
        ("a5", "cut short"),
        ("a50322", "cut"),
        ("a50300", "not a peer id"),
        ("3500", "a name has 1 to"),
        ("3501613502ff61", "not a multiaddr"),
        ("3503612f62", "a name has 1 to"),
    ],
)
def test_bad_bytes(data: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Multiaddr.from_bytes(bytes.fromhex(data))


@given(st.binary(max_size=80))
def test_any_bytes_are_an_address_or_an_error(data: bytes) -> None:
    try:
        address = Multiaddr.from_bytes(data)
    except UsageError:
        return
    assert Multiaddr.parse(str(address)).parts == address.parts


WORDS = st.one_of(
    st.sampled_from(sorted(BY_NAME)),
    st.sampled_from(["1.2.3.4", "::1", "80", "a.io", PEER]),
    st.text(max_size=8),
)


@given(st.lists(WORDS, max_size=8))
def test_any_text_is_an_address_or_an_error(words: list[str]) -> None:
    try:
        address = Multiaddr.parse("/" + "/".join(words))
    except UsageError:
        return
    assert Multiaddr.parse(str(address)) == address
    assert Multiaddr.from_bytes(address.to_bytes()) == address
