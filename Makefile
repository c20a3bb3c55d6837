# Everything sets itself up: `make demo` and `make test` work on a fresh clone.
# BITSWAP_PURE=1 builds and runs without the compiled core; so does a machine without a C compiler.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.14 python3.10 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
BUILT := $(VENV)/.built-$(if $(filter 1,$(BITSWAP_PURE)),pure,compiled)
SOURCES := setup.py pyproject.toml requirements.txt $(wildcard src/bitswap/_core/*.pyx src/bitswap/_core/*.pxd src/bitswap/network/libp2p/*.pyx)
# What does more with BITSWAP_FUZZ=long than in a usual run, and is worth that to every change.
FUZZED := tests/fuzz tests/vectors/test_vectors.py tests/differential/test_machine.py tests/decision/test_engine_model.py \
	tests/conform/test_ours.py $(addprefix tests/fetching/test_,leaves_nothing.py exchange.py one_peer.py shelf.py)
FILE ?=

.PHONY: build demo test lint types interop interop-matrix fuzz asan faults bench bench-check bench-vs-boxo bench-nodes bench-scale soak clean

build: $(BUILT)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "bitswap needs Python 3.10 or newer with venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The pinned build tools are installed first and the package is built against them, so that a build is the same everywhere.
$(BUILT): $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	rm -f src/bitswap/_core/*.so src/bitswap/network/libp2p/*.so
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@rm -f $(VENV)/.built-*
	@touch $@

demo: build
	$(BIN)/bitswap demo $(FILE)

test: build
	$(BIN)/python -m pytest tests $(ARGS)

lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: build
	$(BIN)/mypy

interop: build
	$(BIN)/python -m pytest tests/interop -m interop $(ARGS)

# Builds the other implementations (what it takes of Go, Rust, npm and PyPI is downloaded), runs every cell and writes the page.
interop-matrix: build
	$(BIN)/python -m tests.interop.matrix --markdown docs/interop.md $(ARGS)

fuzz: build
	BITSWAP_FUZZ=long $(BIN)/python -m pytest $(FUZZED) $(ARGS)

# The core under AddressSanitizer and UndefinedBehaviorSanitizer; needs gcc or clang with their libraries.
asan: build
	$(BIN)/python -m tests.sanitizers $(ARGS)

# About an hour: every fault of tests/sanitizers/faults.py is built into a copy, one at a time.
faults: build
	$(BIN)/python -m tests.sanitizers.plant $(ARGS)

# An hour of peers and blocks that come and go: ARGS='--minutes 10' for less of it.
soak: build
	$(BIN)/python -m tests.soak $(ARGS)

bench: build
	$(BIN)/python -m pytest benchmarks --benchmark-quiet $(ARGS)

bench-check: build
	$(BIN)/python -m benchmarks.check $(ARGS)

bench-vs-boxo: build
	$(BIN)/python -m benchmarks.versus_boxo $(ARGS)

bench-nodes: build
	$(BIN)/python -m benchmarks.nodes $(ARGS)

bench-scale: build
	$(BIN)/python -m benchmarks.scale $(ARGS)

clean:
	rm -rf $(VENV) build dist src/*.egg-info $(addprefix src/bitswap/,_core/*.c _core/*.so network/libp2p/*.c network/libp2p/*.so) .cache
