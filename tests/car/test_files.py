"""CAR files: bytes of the specification read and written, and every way in which a file can be broken."""

from __future__ import annotations

import io

import pytest

from bitswap import varint
from bitswap.block import Block
from bitswap.car import CarError, CarMismatch, CarTruncated, read_car, store_blocks, write_car
from bitswap.cid import CID
from bitswap.multihash import BLAKE3, IDENTITY
from bitswap.options import DagOptions
from tests.dag.fakes import DictStore

# The file carv2-basic of the specification's fixtures: dag-pb and raw blocks below one root, with an index.
V2 = bytes.fromhex(
    "0aa16776657273696f6e02000000000000000000000000000000003300000000000000c001000000000000f301000000000000"
    "38a265726f6f747381d82a5823001220fb16f5083412ef1371d031ed4aa239903d84efdadf1ba3cd678e6475b1a232f8677665"
    "7273696f6e01511220fb16f5083412ef1371d031ed4aa239903d84efdadf1ba3cd678e6475b1a232f8122d0a221220d9c0d537"
    "6d26f1931f7ad52d7acc00fc1090d2edb0808bf61eeb0a152826f6261204f09f8da418a40185011220d9c0d5376d26f1931f7a"
    "d52d7acc00fc1090d2edb0808bf61eeb0a152826f62612310a221220d745b7757f5b4593eeab7820306c7bc64eb496a7410a0d"
    "07df7a34ffec4b97f1120962617272656c657965183a122e0a2401551220a2e1c40da1ae335d4dffe729eb4d5ca23b74b9e51f"
    "c535f4a804a261080c294d1204f09f90a11807581220d745b7757f5b4593eeab7820306c7bc64eb496a7410a0d07df7a34ffec"
    "4b97f112340a2401551220b474a99a2705e23cf905a484ec6d14ef58b56bbe62e9292783466ec363b5072d120a666973686d6f"
    "6e67657218042801551220b474a99a2705e23cf905a484ec6d14ef58b56bbe62e9292783466ec363b5072d666973682b015512"
    "20a2e1c40da1ae335d4dffe729eb4d5ca23b74b9e51fc535f4a804a261080c294d6c6f6273746572"
    "0100000028000000c80000000000000000"
)
V1 = V2[0x33 : 0x33 + 0x1C0]
ROOT = "QmfEoLyB5NndqeKieExd1rtJzTduQUPEV8TwAYcUiy3H5Z"
EMPTY = bytes.fromhex("11a265726f6f7473806776657273696f6e01")
HELLO, WORLD = Block.of(b"hello"), Block.of(b"world", hash_code=BLAKE3)


def written(roots: list[CID], *blocks: Block) -> bytes:
    file = io.BytesIO()
    assert write_car(file, roots, blocks).size == len(file.getvalue())
    return file.getvalue()


def section(content: bytes) -> bytes:
    return varint.encode(len(content)) + content


def read(data: bytes, bounds: DagOptions | None = None) -> list[Block]:
    return list(read_car(io.BytesIO(data), bounds))


def test_bytes_of_the_specification() -> None:
    assert written([]) == EMPTY
    car = read_car(io.BytesIO(V2))
    assert (car.version, [str(root) for root in car.roots]) == (2, [ROOT])
    blocks = list(car)
    assert [bytes(block.data) for block in blocks[3:]] == [b"fish", b"lobster"]
    assert [block.cid.version for block in blocks] == [0, 0, 0, 1, 1]
    assert written(list(car.roots), *blocks) == V1
    inner = read_car(io.BytesIO(V1))
    assert (inner.version, inner.roots) == (1, car.roots)
    assert list(inner) == blocks
    assert car.offset == 0x33 + len(V1)  # not a byte of what follows


def test_a_hand_made_file() -> None:
    root = b"\xd8\x2a\x58\x25\x00" + HELLO.cid
    header = b"\xa2\x65roots\x81" + root + b"\x67version\x01"
    made = bytes((len(header),)) + header + bytes((36 + 5,)) + HELLO.cid + b"hello"
    assert written([HELLO.cid], HELLO) == made


def test_round_trip_with_padding_and_pipes() -> None:
    blocks = [HELLO, WORLD, Block.of(b""), Block.of(b"x" * 300_000)]
    data = written([HELLO.cid, WORLD.cid], *blocks)

    class Drop(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 7))

    car = read_car(Drop(data))
    assert [(block.cid, block.data) for block in car] == [(block.cid, block.data) for block in blocks]
    assert (car.blocks, car.bytes, car.offset) == (4, 300_010, len(data))
    first = 51 + 100_000
    numbers = b"".join(number.to_bytes(8, "little") for number in (first, len(data), 0))
    wrapped = V2[:11] + bytes(16) + numbers + bytes(100_000) + data + b"\xff" * 50
    assert read(wrapped) == blocks


def test_identity_blocks_are_read_and_not_stored() -> None:
    inline = Block.of(b"inline", hash_code=IDENTITY)
    store = DictStore()
    car = read_car(io.BytesIO(written([inline.cid], inline, HELLO)))
    store_blocks(car, store)
    assert car.blocks == 2
    assert list(store.data) == [HELLO.cid.multihash]
    wrong = written([], Block(inline.cid, b"inlinf"))
    with pytest.raises(CarMismatch):
        read(wrong)


@pytest.mark.parametrize("data", [V1, V2[: 0x33 + len(V1)], written([HELLO.cid], HELLO, WORLD)])
def test_cut_short_at_every_byte(data: bytes) -> None:
    whole = read_car(io.BytesIO(data))
    ends = {whole.offset: 0}
    for number, _ in enumerate(whole, 1):
        ends[whole.offset] = number
    for size in range(len(data)):
        done = sum(end <= size for end in ends) - 1
        store = DictStore()
        if size in ends and whole.version == 1:
            # Nothing in the file tells that more was to come.
            assert len(read(data[:size])) == ends[size]
            continue
        with pytest.raises(CarTruncated) as told:
            store_blocks(read_car(io.BytesIO(data[:size])), store)
        assert len(store.data) == max(0, done)
        assert told.value.offset <= size
        if done > 0:
            assert told.value.offset == max(end for end in ends if end <= size)


def test_a_wrong_block_stops_after_those_before_it() -> None:
    start = len(written([HELLO.cid], HELLO))
    data = written([HELLO.cid], HELLO, Block(WORLD.cid, b"w0rld"), Block.of(b"later"))
    store = DictStore()
    with pytest.raises(CarMismatch, match=f"at byte {start}: .*{WORLD.cid}") as told:
        store_blocks(read_car(io.BytesIO(data)), store)
    assert told.value.offset == start
    assert list(store.data) == [HELLO.cid.multihash]


def test_lengths_beyond_the_bounds_are_refused_before_anything_is_read() -> None:
    bounds = DagOptions(max_car_section=100, max_car_header=100)
    fits = Block.of(b"x" * 64)
    data = written([fits.cid], fits)
    assert read(data, bounds) == [fits]
    over = Block.of(b"x" * 65)
    with pytest.raises(CarError, match=f"at byte {len(data)}: .*101 bytes"):
        read(written([fits.cid], fits, over), bounds)
    with pytest.raises(CarError, match=r"at byte 0: .*header of"):
        read(written([fits.cid, over.cid, HELLO.cid]), bounds)
    with pytest.raises(CarError, match=f"at byte {len(EMPTY)}: .*{2**62} bytes"):
        read(EMPTY + varint.encode(2**62) + b"x")


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 0),
        (b"PK\x03\x04 a zip file, and no CAR at all, although its first byte is a length of its own", 1),
        (section(b"\xa0"), 1),
        (section(b"\xa2\x65roots\x80\x67version\x02"), 0),
        (section(b"\xa1\x67version\x01"), 0),
        (section(b"\xa2\x65roots\x80\x65roots\x80"), 9),
        (section(b"\xa2\x65roots\x81\x00\x67version\x01"), 9),
        (section(b"\xa2\x65roots\x81\xd8\x2a\x40\x67version\x01"), 11),
        (section(b"\xa2\x65roots\x81\xd8\x2a\x43\x00\x01\x55\x67version\x01"), 11),
        (section(b"\xa2\x65roots\x80\x67version\x18\x01"), 17),
        (section(b"\xa2\x65roots\x80\x67version\x01\x00"), 18),
        (section(b"\xbf\x65roots\x80\x67version\x01\xff"), 1),
        (section(b"\xa2\x65roots\x9b" + b"\x7f" * 8), 17),
        (section(b"\x81" * 5000), 2),
        (EMPTY + b"\x80\x00", len(EMPTY)),
        (EMPTY + b"\xff" * 10, len(EMPTY)),
        (EMPTY + b"\x00", len(EMPTY)),
        (EMPTY + section(b"\x12\x20short"), len(EMPTY)),
        (EMPTY + section(b"\x02\x55\x12\x00"), len(EMPTY)),
        (EMPTY + section(b"\x01\x55\x99\x7f\x01xdata"), len(EMPTY)),
        (V2[:11] + bytes(16) + b"\x32" + bytes(7) + b"\x01" + bytes(15), 27),
        (V2[:11] + bytes(16) + b"\x33" + bytes(23), 35),
        (V2[:11] + bytes(16) + b"\x33" + bytes(7) + b"\x0b" + bytes(15) + V2[:11], 51),
    ],
)
def test_what_is_no_car(data: bytes, offset: int) -> None:
    with pytest.raises(CarError) as told:
        read(data)
    assert str(told.value).startswith(f"at byte {told.value.offset}: ")
    assert told.value.offset == offset


@pytest.mark.parametrize("data", [V1, V2], ids=["v1", "v2"])
def test_a_changed_byte_is_told_or_harmless(data: bytes) -> None:
    right = read(data)
    for at in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            wrong = bytearray(data)
            wrong[at] ^= change
            try:
                blocks = read(bytes(wrong))
            except CarError:
                continue
            # Only roots, codecs and what nobody reads can differ: every block is what its CID says.
            assert [block.data for block in blocks] == [block.data for block in right][: len(blocks)]
