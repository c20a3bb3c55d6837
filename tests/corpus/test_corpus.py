"""Every stream of the corpus through both codecs; the data is what the code makes."""

from __future__ import annotations

from collections import Counter
from types import ModuleType

import pytest

from bitswap import _core
from bitswap.cid import CID
from bitswap.conform.case import ANSWER, ERRORS, IGNORE, MAY_CLOSE
from bitswap.conform.corpus import all_cases
from bitswap.errors import WireError
from bitswap.message import PROTOCOLS
from tests.corpus import __main__ as command
from tests.corpus.decode import decode, error_class
from tests.corpus.files import CORPUS, RECORDED, made, read, stream

pytestmark = pytest.mark.timeout(120)

CODECS = _core.implementations()
ENTRIES = {path.stem: read(path) for path in (CORPUS, RECORDED)}
BROKEN_OFF = 7
"""Bytes a piece in which each small stream is fed once more."""


@pytest.fixture(params=list(CODECS))
def codec(request: pytest.FixtureRequest) -> ModuleType:
    return CODECS[request.param]


@pytest.mark.parametrize("file", list(ENTRIES))
def test_a_codec_gives_every_verdict(codec: ModuleType, file: str) -> None:
    wrong: list[str] = []
    for entry in ENTRIES[file]:
        data = stream(entry)
        splits = [0, entry.get("pieces", 0), BROKEN_OFF] if len(data) < 100_000 else [0]
        for pieces in dict.fromkeys(splits):
            expected = (entry["messages"], entry.get("error"))
            got = decode(codec, data, pieces)
            if got != expected:
                wrong.append(
                    f"{entry['theme']}/{entry['name']} in pieces of {pieces}: {got} is not {expected}"
                )
    assert not wrong, f"{len(wrong)} verdicts: {wrong[0][:2000]}"


def test_the_data_is_what_the_code_makes() -> None:
    assert CORPUS.read_text(encoding="ascii") == made(), "run python -m tests.corpus make"
    assert command.main(["check"]) == 0


def test_data_that_is_old_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "made", lambda: "something else")
    assert command.main(["check"]) == 1
    assert "python -m tests.corpus make" in capsys.readouterr().err
    assert command.main(["nonsense"]) == 2


def test_every_kind_of_error_and_of_duty_is_there() -> None:
    cases = all_cases()
    assert {case.error for case in cases} == {None, *ERRORS}
    assert {case.peer for case in cases} == {ANSWER, IGNORE, MAY_CLOSE}
    assert {case.protocol for case in cases} == set(PROTOCOLS)
    assert len(cases) >= 500


def test_names_are_unique_and_duties_fit_the_verdicts() -> None:
    cases = all_cases()
    names = Counter((case.theme, case.name) for case in cases)
    assert [name for name, count in names.items() if count > 1] == []
    for case in cases:
        assert case.error is None or case.peer == MAY_CLOSE, case.name
        assert bool(case.asks) == (case.peer == ANSWER), case.name
        assert all(str(CID(cid)) == cid for cid in case.asks), case.name


def test_another_verdict_would_be_seen(codec: ModuleType) -> None:
    entry = next(entry for entry in ENTRIES["corpus"] if entry["name"] == "have-then-block")
    data = stream(entry)
    assert decode(codec, data) == (entry["messages"], None)
    assert decode(codec, data[:-1]) == ([], "cut-body")
    assert decode(codec, data + data)[0] == entry["messages"] * 2
    flipped = bytearray(data)
    flipped[10] ^= 1
    assert decode(codec, bytes(flipped)) != (entry["messages"], None)


def test_an_error_that_is_new_has_no_class() -> None:
    assert error_class(WireError("of a new kind")).startswith("?")
