"""A copy of the package, built apart from the sources, with the sanitizers in its extensions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g -fno-omit-frame-pointer"
REPORT = "report"
"""Where the sanitizers write, in the copy; a process id is appended."""
NEEDED = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
BUILT = ("*.so", "*.pyd", "*.c", "__pycache__", "*.egg-info")


class NoSanitizer(RuntimeError):
    """The compiler has no AddressSanitizer that could be loaded into Python."""


def copy(target: Path) -> None:
    """Make or renew a copy of the sources in `target`; files that did not change keep their builds."""
    for source in (ROOT / name for name in NEEDED):
        _renew(source, target / source.name)
    package = ROOT / "src" / "bitswap"
    ignored = shutil.ignore_patterns(*BUILT)
    kept = set()
    for folder, folders, files in os.walk(package):
        skipped = ignored(folder, folders + files)
        folders[:] = [name for name in folders if name not in skipped]
        for name in files:
            if name not in skipped:
                source = Path(folder, name)
                copied = target / source.relative_to(ROOT)
                _renew(source, copied)
                kept.add(copied)
    for old in (target / "src" / "bitswap").rglob("*.p[xy]*"):
        if (
            old not in kept
            and "__pycache__" not in old.parts
            and old.suffix in (".py", ".pyx", ".pxd", ".pyi")
        ):
            old.unlink()


def _renew(source: Path, copied: Path) -> None:
    content = source.read_bytes()
    if not copied.exists() or copied.read_bytes() != content:
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(content)


def build(target: Path, flags: str = FLAGS) -> None:
    """Compile the extensions of a copy in place; CalledProcessError if that fails, and why on stderr."""
    environment = {**os.environ, "CFLAGS": flags, "BITSWAP_REQUIRE_EXT": "1"}
    environment.pop("BITSWAP_PURE", None)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "-j2"]
    done = subprocess.run(
        command,
        cwd=target,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout[-8000:])
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout)


def runtime() -> str:
    """The library that must be loaded before Python is."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    for name in ("libasan.so", "libclang_rt.asan.so", "libclang_rt.asan-x86_64.so"):
        done = subprocess.run(
            [compiler, f"-print-file-name={name}"], stdout=subprocess.PIPE, text=True, check=False
        )
        found = Path(done.stdout.strip())
        if done.returncode == 0 and found.is_absolute() and found.exists():
            return str(found.resolve())
    raise NoSanitizer(f"{compiler} has no AddressSanitizer library")


def environment(target: Path) -> dict[str, str]:
    """For a Python that runs the copy under the sanitizers."""
    return {
        **os.environ,
        "PYTHONPATH": f"{target / 'src'}{os.pathsep}{ROOT}",
        "LD_PRELOAD": runtime(),
        "PYTHONMALLOC": "malloc",
        "PYTHONFAULTHANDLER": "0",
        # Python itself never frees all that it has. A test may ask for more memory than there is.
        "ASAN_OPTIONS": f"detect_leaks=0:allocator_may_return_null=1:log_path={target / REPORT}:exitcode=99",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={target / REPORT}:exitcode=99",
        # The sanitizers do not go with libraries that are loaded in this way.
        "PYCRYPTODOME_DISABLE_DEEPBIND": "1",
    }


def check_loaded(target: Path) -> None:
    """AssertionError unless a Python in `environment` loads the copy and its compiled core."""
    code = (
        "import bitswap, sys; from bitswap.decision.implementations import implementations as i;"
        "print(bitswap.__file__, bitswap.IMPLEMENTATION, *i())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment(target), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert said.startswith(str(target)), f"not the copy is loaded: {said}"
    assert "compiled" in said, f"not the compiled core is loaded: {said}"
