"""Multibase: a text whose first character names the base of the rest.

Bases and leniency are those of go-multibase 0.3.0, so that the same texts are CIDs here and in kubo:
- bases 2 (`0`), 16 (`f F`), 32 (`b B c C v V t T`), 36 (`k K`), 58 (`z Z`), 64 (`m M u U`), 256 emoji (`🚀`)
  and identity (NUL);
- the case of the letters of bases 16, 32 and 36 does not matter, whatever the prefix says;
- bases 32 and 64 skip CR and LF anywhere; spare bits of the last character may be anything;
- base 32 drops a last group of 1, 3 or 6 characters, a number that no bytes encode to;
- padding must be there where the base has it and absent where not; after the padding of base 32, up to as
  many characters as the last group had are skipped;
- base 2 is padded with zeros to the left, and each eight may begin with a sign.

Bases that CIDs are seldom written in go through the `multiformats` library, imported when one is first seen.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from bitswap.errors import UsageError

BTC_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

NAMES: dict[str, str] = {
    "\0": "identity",
    "0": "base2",
    "f": "base16",
    "F": "base16upper",
    "b": "base32",
    "B": "base32upper",
    "c": "base32pad",
    "C": "base32padupper",
    "v": "base32hex",
    "V": "base32hexupper",
    "t": "base32hexpad",
    "T": "base32hexpadupper",
    "k": "base36",
    "K": "base36upper",
    "z": "base58btc",
    "Z": "base58flickr",
    "m": "base64",
    "M": "base64pad",
    "u": "base64url",
    "U": "base64urlpad",
    "🚀": "base256emoji",
}
"""Prefix character to name of the base."""
PREFIXES: dict[str, str] = {name: prefix for prefix, name in NAMES.items()}

# The 256 symbols of the multibase registry, in order of the byte that they stand for.
EMOJI = (
    "🚀🪐☄🛰🌌🌑🌒🌓🌔🌕🌖🌗🌘🌍🌏🌎🐉☀💻🖥💾💿😂❤😍🤣😊🙏💕😭😘👍😅👏😁🔥🥰💔💖💙😢🤔😆🙄💪😉☺👌🤗💜😔😎😇🌹🤦🎉💞✌✨🤷😱😌🌸🙌"
    "😋💗💚😏💛🙂💓🤩😄😀🖤😃💯🙈👇🎶😒🤭❣😜💋👀😪😑💥🙋😞😩😡🤪👊🥳😥🤤👉💃😳✋😚😝😴🌟😬🙃🍀🌷😻😓⭐✅🥺🌈😈🤘💦✔😣🏃💐☹🎊💘😠☝😕🌺🎂🌻"
    "😐🖕💝🙊😹🗣💫💀👑🎵🤞😛🔴😤🌼😫⚽🤙☕🏆🤫👈😮🙆🍻🍃🐶💁😲🌿🧡🎁⚡🌞🎈❌✊👋😰🤨😶🤝🚶💰🍓💢🤟🙁🚨💨🤬✈🎀🍺🤓😙💟🌱😖👶🥴▶➡❓💎💸⬇😨🌚🦋"
    "😷🕺⚠🙅😟😵👎🤲🤠🤧📌🔵💅🧐🐾🍒😗🤑🌊🤯🐷☎💧😯💆👆🎤🙇🍑❄🌴💣🐸💌📍🥀🤢👅💡💩👐📸👻🤐🤮🎼🥵🚩🍎🍊👼💍📣🥂"
)

_CHUNK = 10  # base58 digits that fit 64 bits
_BTC_VALUES = {symbol: value for value, symbol in enumerate(BTC_ALPHABET)}
_EMOJI_VALUES = {symbol: value for value, symbol in enumerate(EMOJI)}
_PAD = ord("=")
_HEX_TO_STANDARD = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_NEWLINES = str.maketrans("", "", "\r\n")
_NOT_BASE32 = re.compile(b"[^A-Z2-7]")
_NOT_BASE32_HEX = re.compile(b"[^0-9A-V]")
_BASE2_BYTE = re.compile("[-+]?[01]+")


class BadText(ValueError):
    """Why a text is not of its base, as the end of a sentence."""


def _bad(base: str, symbol: str) -> BadText:
    return BadText(f"{symbol!r} is not a character of {base}")


def _library(name: str) -> Any:
    from multiformats.multibase import raw

    return raw.get(name)


def encode(name: str, data: bytes) -> str:
    """`data` in the base of that name or prefix character, prefix included; raises UsageError."""
    name = NAMES.get(name, name)
    prefix = PREFIXES.get(name)
    if prefix is None:
        raise UsageError(f"{name!r} is not a base; these are: {', '.join(PREFIXES)}")
    if name == "base32":
        return "b" + base64.b32encode(data).decode().rstrip("=").lower()
    if name == "base58btc":
        return "z" + encode_base58(data)
    if name == "base16":
        return "f" + data.hex()
    if name == "base256emoji":
        return prefix + "".join([EMOJI[byte] for byte in data])
    if name == "identity":
        try:
            return prefix + data.decode()
        except UnicodeDecodeError:
            raise UsageError("these bytes are no UTF-8, so they have no identity form") from None
    return prefix + str(_library(name).encode(data))


def decode(text: str) -> bytes:
    """The bytes of a multibase text; raises BadText."""
    if not text:
        raise BadText("it is empty")
    prefix, body = text[0], text[1:]
    decoder = _DECODERS.get(prefix)
    if decoder is None:
        raise BadText(f"no supported base begins with {prefix!r}")
    return decoder(body)


def encode_base58(data: bytes) -> str:
    """`data` in the Bitcoin alphabet, without prefix; a zero byte in front is one '1'."""
    zeros = len(data) - len(data.lstrip(b"\0"))
    value = int.from_bytes(data, "big")
    digits: list[str] = []
    while value:
        value, digit = divmod(value, 58)
        digits.append(BTC_ALPHABET[digit])
    return "1" * zeros + "".join(reversed(digits))


def decode_base58(text: str) -> bytes:
    """The bytes of a text in the Bitcoin alphabet, without prefix; raises BadText."""
    if not text:
        raise BadText("there is nothing after the prefix")
    value = 0
    try:
        for start in range(0, len(text), _CHUNK):
            chunk = 0
            for symbol in text[start : start + _CHUNK]:
                chunk = chunk * 58 + _BTC_VALUES[symbol]
            value = value * 58 ** min(_CHUNK, len(text) - start) + chunk
    except KeyError as error:
        raise _bad("base58btc", error.args[0]) from None
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8, "big")


def _decode_identity(body: str) -> bytes:
    return body.encode("utf-8", "surrogatepass")


def _decode_base2(body: str) -> bytes:
    body = "0" * (-len(body) % 8) + body
    out = bytearray()
    for start in range(0, len(body), 8):
        eight = body[start : start + 8]
        if not _BASE2_BYTE.fullmatch(eight):
            raise BadText(f"{eight!r} is not a byte in base2")
        out.append(int(eight, 2) & 0xFF)
    return bytes(out)


def _decode_base16(body: str) -> bytes:
    try:
        return binascii.unhexlify(body)
    except ValueError:
        if found := re.search("[^0-9A-Fa-f]", body):
            raise _bad("base16", found.group()) from None
        raise BadText("base16 has two characters a byte, and one is missing") from None


def _base32(padded: bool, hexadecimal: bool) -> Callable[[str], bytes]:
    """A decoder of one of the four kinds of base32."""
    name = "base32" + "hex" * hexadecimal + "pad" * padded
    foreign = _NOT_BASE32_HEX if hexadecimal else _NOT_BASE32

    def decoder(body: str) -> bytes:
        # In bytes, for positions count in UTF-8, and upper() on text would make an S of the long s.
        given = body.encode("utf-8", "surrogatepass").translate(None, b"\r\n")
        symbols = given.upper()
        if padded:
            symbols = _cut_padding(symbols, name)
        if found := foreign.search(symbols):
            raise _bad(name, given[found.start() :].decode("utf-8", "replace")[0])
        spare = len(symbols) % 8
        if spare in (1, 3, 6):
            symbols = symbols[:-spare]
        if hexadecimal:
            symbols = symbols.translate(_HEX_TO_STANDARD)
        return base64.b32decode(symbols + b"=" * (-len(symbols) % 8))

    return decoder


def _cut_padding(symbols: bytes, name: str) -> bytes:
    """`symbols` without the padding of its last group and what may follow it."""
    # Padding counts where at most seven characters follow it and two came before it in its group.
    first = next(
        (i for i in range(max(0, len(symbols) - 8), len(symbols)) if symbols[i] == _PAD and i % 8 >= 2), None
    )
    if first is None:
        if len(symbols) % 8:
            raise BadText(f"{name} has a multiple of eight characters, padding included")
        return symbols
    group = first % 8
    if group in (3, 6):
        raise BadText(f"no {name} text has {8 - group} characters of padding")
    missing = symbols[first : first + 8 - group]
    if missing != b"=" * (8 - group):
        raise BadText(f"its padding is not {8 - group} equals signs")
    return symbols[:first]


def _decode_base36(body: str) -> bytes:
    if not body:
        raise BadText("there is nothing after the prefix")
    if found := re.search("[^0-9A-Za-z]", body):
        raise _bad("base36", found.group())
    return bytes(_library("base36").decode(body.lower()))


def _decode_flickr(body: str) -> bytes:
    if not body:
        raise BadText("there is nothing after the prefix")
    if found := re.search("[^1-9A-HJ-NP-Za-km-z]", body):
        raise _bad("base58flickr", found.group())
    return bytes(_library("base58flickr").decode(body))


def _base64(padded: bool, url: bool) -> Callable[[str], bytes]:
    """A decoder of one of the four kinds of base64."""
    name = "base64" + "url" * url + "pad" * padded
    foreign = re.compile("[^A-Za-z0-9_-]" if url else "[^A-Za-z0-9+/]")

    def decoder(body: str) -> bytes:
        symbols = body.translate(_NEWLINES)
        if padded:
            whole, symbols = symbols, symbols.rstrip("=")
            if len(whole) % 4 or len(whole) - len(symbols) > 2:
                raise BadText(f"{name} has a multiple of four characters, padding included")
        if found := foreign.search(symbols):
            raise _bad(name, found.group())
        if len(symbols) % 4 == 1:
            raise BadText(f"{name} never has one character more than a multiple of four")
        return base64.b64decode(symbols + "=" * (-len(symbols) % 4), altchars=b"-_" if url else None)

    return decoder


def _decode_emoji(body: str) -> bytes:
    try:
        return bytes([_EMOJI_VALUES[symbol] for symbol in body])
    except KeyError as error:
        raise _bad("base256emoji", error.args[0]) from None


_DECODERS: dict[str, Callable[[str], bytes]] = {
    "\0": _decode_identity,
    "0": _decode_base2,
    "f": _decode_base16,
    "F": _decode_base16,
    "k": _decode_base36,
    "K": _decode_base36,
    "z": decode_base58,
    "Z": _decode_flickr,
    "🚀": _decode_emoji,
    **dict.fromkeys("bB", _base32(padded=False, hexadecimal=False)),
    **dict.fromkeys("cC", _base32(padded=True, hexadecimal=False)),
    **dict.fromkeys("vV", _base32(padded=False, hexadecimal=True)),
    **dict.fromkeys("tT", _base32(padded=True, hexadecimal=True)),
    "m": _base64(padded=False, url=False),
    "M": _base64(padded=True, url=False),
    "u": _base64(padded=False, url=True),
    "U": _base64(padded=True, url=True),
}
