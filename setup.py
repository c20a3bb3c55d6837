"""Build of the compiled core. It is optional: without a C compiler the package installs and runs pure.

BITSWAP_PURE=1         builds no extension at all.
BITSWAP_REQUIRE_EXT=1  makes a failure to compile fatal (wheels, CI).
"""

import os
from pathlib import Path

from setuptools import Extension, setup

SOURCE = Path("src/bitswap")
NOT_ON_WINDOWS = {"sockets_c"}


def extensions() -> list[Extension]:
    if os.environ.get("BITSWAP_PURE") == "1":
        return []
    from Cython.Build import cythonize

    modules = cythonize(
        [
            Extension(".".join(path.relative_to("src").with_suffix("").parts), [path.as_posix()])
            for path in sorted(SOURCE.rglob("*.pyx"))
            if os.name != "nt" or path.stem not in NOT_ON_WINDOWS
        ],
        compiler_directives={"language_level": "3"},
    )
    for module in modules:
        # Set here, because cythonize makes new objects that do not have it.
        module.optional = os.environ.get("BITSWAP_REQUIRE_EXT") != "1"
    return modules


setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count() or 1}})
