"""Which implementation runs, and that the compiled one is there where it should be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from bitswap import _core
from bitswap._core import interface, message_pb2
from tests.interpreter import python

ROOT = Path(__file__).parents[2]


def test_the_compiled_core_is_there_where_it_is_required() -> None:
    if os.environ.get("BITSWAP_REQUIRE_EXT") != "1":
        pytest.skip("BITSWAP_REQUIRE_EXT=1 is not set")
    assert "c" in _core.implementations()
    if os.environ.get("BITSWAP_PURE") != "1":
        assert _core.IMPLEMENTATION == "compiled"


def test_pure_python_can_be_asked_for() -> None:
    code = "from bitswap import _core; print(_core.IMPLEMENTATION, _core.Message.__module__)"
    assert python(code, BITSWAP_PURE="1") == "pure bitswap._core.wire_py"


def test_both_load_in_one_process_and_the_compiled_one_is_preferred() -> None:
    found = _core.implementations()
    assert found["py"].__name__ == "bitswap._core.wire_py"
    if "c" in found:
        assert found["c"].__name__ == "bitswap._core.wire_c"
        code = "from bitswap import _core; print(_core.IMPLEMENTATION, _core.Message.__module__)"
        assert python(code, BITSWAP_PURE="") == "compiled bitswap._core.wire_c"


def test_the_compiled_core_does_not_import_protobuf() -> None:
    if "c" not in _core.implementations():
        pytest.skip("not built")
    code = "import sys, bitswap.message; print('google.protobuf' in sys.modules)"
    assert python(code, BITSWAP_PURE="") == "False"


def test_a_compiled_core_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("built for another interpreter")

    monkeypatch.setattr(_core.importlib, "import_module", fail)
    with pytest.warns(RuntimeWarning, match="built for another interpreter"):
        assert _core._compiled() is None


def test_codes_of_malformed_bodies_have_texts() -> None:
    codes = [value for name, value in vars(interface).items() if name.isupper() and isinstance(value, int)]
    assert len(interface.MALFORMED) - 1 == interface.CUT_FIXED
    assert interface.CUT_FIXED in codes
    assert len(set(interface.MALFORMED)) == len(interface.MALFORMED)


TYPES = {
    "bytes": FieldDescriptor.TYPE_BYTES,
    "int32": FieldDescriptor.TYPE_INT32,
    "bool": FieldDescriptor.TYPE_BOOL,
}


def declared(lines: list[str]) -> dict[str, dict[str, tuple[str, int, bool]]]:
    """Messages and enums of a .proto file by dotted name: name -> (type, number, repeated)."""
    found: dict[str, dict[str, tuple[str, int, bool]]] = {}
    path: list[str] = []
    for line in lines:
        words = line.split("//")[0].replace(";", " ").split()
        if words[:1] in (["message"], ["enum"]):
            path.append(words[1])
            found[".".join(path)] = {}
        elif words == ["}"]:
            path.pop()
        elif "=" in words and path:
            repeated = words[0] == "repeated"
            kind = words[-4] if len(words) > 3 else ""
            found[".".join(path)][words[words.index("=") - 1]] = (kind, int(words[-1]), repeated)
    return found


def test_the_generated_module_is_that_of_the_proto_file() -> None:
    expected = declared((ROOT / "proto" / "message.proto").read_text().splitlines())
    got: dict[str, dict[str, tuple[str, int, bool]]] = {}

    def walk(descriptor, prefix: str) -> None:  # type: ignore[no-untyped-def]
        name = f"{prefix}{descriptor.name}"
        got[name] = {}
        for field in descriptor.fields:
            named = field.message_type or field.enum_type
            kind = named.name if named else next(k for k, v in TYPES.items() if v == field.type)
            # `label` gave way to `is_repeated` within the range of protobuf releases that we support.
            repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == 3
            got[name][field.name] = (kind, field.number, repeated)
        for enum in descriptor.enum_types:
            got[f"{name}.{enum.name}"] = {value.name: ("", value.number, False) for value in enum.values}
        for inner in descriptor.nested_types:
            walk(inner, f"{name}.")

    for descriptor in message_pb2.DESCRIPTOR.message_types_by_name.values():
        walk(descriptor, "")
    assert got == expected
    assert message_pb2.DESCRIPTOR.package == "bitswap.pb"
