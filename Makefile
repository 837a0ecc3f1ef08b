# The project's commands: `make` lists them. Everything is built in this folder: tools in .venv (pinned with hashes in
# requirements/dev.txt), Rust in $CARGO_TARGET_DIR or target/, wheels in dist/. Relies on GNU make, bash, cargo and
# Python 3.11 or newer; uses uv and cargo-nextest when they are there. Must never fetch anything but packages, and
# must never put python/ on the import path: tests see the installed wheel.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
SECONDS ?= 600
PYTEST ?=
# Tests run side by side, one process for each processor, at most four.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n > 4 ? 4 : n)))
VENV := .venv
BIN := $(VENV)/bin
LOGS := $(VENV)/logs
UV := $(shell command -v uv 2>/dev/null)
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
CRATES := -p rulebus-core -p rulebus-fuzz
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)
# Emptied before each build, so that it holds one wheel of this build and nothing older.
WHEELHOUSE := $(VENV)/wheelhouse
SOURCES := $(shell find src python -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi' -o -name 'py.typed' -o -name '*.css' -o -name '*.json' \) 2>/dev/null) \
	Cargo.toml Cargo.lock pyproject.toml
LINTED := python tests benches examples
# 64-bit ARM on any machine: linker and emulator are cargo's own settings, with the names that Debian gives them.
ARM := aarch64-unknown-linux-gnu
ifneq ($(shell uname -m),aarch64)
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER ?= aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER ?= qemu-aarch64 -L /usr/aarch64-linux-gnu
endif
ARM_TOOLS := $(CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER) $(firstword $(CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER))

.PHONY: help demo test arm check format bench gates wheel fuzz docs clean

help: ## list the targets (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## build, then run the demonstration: a few thousand rules, some hundred thousand events
	@$(BIN)/rulebus demo $(DEMO)

test: $(VENV)/installed ## build, then every test on the installed wheel (PYTEST="-m 'not slow'" leaves out the slow ones)
	@mkdir -p $(LOGS)
ifdef NEXTEST
	cargo nextest run $(CRATES) 2>&1 | tee $(LOGS)/rust.log
	cargo test --doc -p rulebus-core 2>&1 | tee $(LOGS)/rustdoc.log
else
	cargo test $(CRATES) 2>&1 | tee $(LOGS)/rust.log
	@: > $(LOGS)/rustdoc.log
endif
	$(BIN)/python -P -m pytest -n $(JOBS) --dist worksteal $(PYTEST) 2>&1 | tee $(LOGS)/python.log
	@echo
	@grep -hE '^ *Summary \[|^test result: .* [1-9][0-9]* passed' $(LOGS)/rust.log $(LOGS)/rustdoc.log || true
	@grep -hE '^=+ .*(passed|failed|error).* =+$$' $(LOGS)/python.log

arm: SECONDS := 60
arm: ## the core's tests on 64-bit ARM, emulated elsewhere, then the walk's fuzzing for SECONDS (60); says what it needs
	@missing=; \
	test -d "$$($${RUSTC:-rustc} --print target-libdir --target $(ARM))" || missing+=" the standard library of $(ARM)"; \
	for tool in $(ARM_TOOLS); do command -v "$$tool" >/dev/null || missing+="$${missing:+,} $$tool"; done; \
	test -z "$$missing" || { echo "make arm: missing here:$$missing. Needed are the compiler's standard library for the target" \
		"(rustup target add $(ARM)), a linker (Debian: gcc-aarch64-linux-gnu) and an emulator (Debian: qemu-user); others are" \
		"named by CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER and CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER." >&2; exit 1; }
	cargo test $(CRATES) --target $(ARM) --lib --tests --no-fail-fast
	cargo run --quiet --release -p rulebus-fuzz --target $(ARM) -- --target walk --seconds $(SECONDS) $(FUZZ)

check: $(VENV)/installed ## everything that CI runs: formats, lints, types, documentation, then all tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check $(wildcard $(LINTED))
	$(BIN)/ruff format --check $(wildcard $(LINTED))
	$(BIN)/mypy --strict python/rulebus
	cd $(VENV) && bin/python -P -m mypy.stubtest rulebus._core
	$(MAKE) docs
	$(MAKE) gates
	$(MAKE) test

format: $(VENV)/tools ## put all sources into their form (rustfmt, ruff)
	cargo fmt --all
	$(BIN)/ruff format $(wildcard $(LINTED))
	$(BIN)/ruff check --fix $(wildcard $(LINTED))

bench: $(VENV)/installed ## measure throughput, build time and memory; every count is checked in the run (BENCH="--help")
	$(BIN)/python -P benches/run.py $(BENCH)

gates: $(VENV)/installed ## count the instructions of fixed cases under valgrind, at most 3 % more than recorded (GATES="--accept" records)
	@$(BIN)/python -P benches/gates.py $(GATES)

wheel: $(VENV)/tools ## the wheel for every Linux since 2014 and every Python since 3.11, and the source distribution: dist/
	rm -rf dist
	$(BIN)/maturin build --release --quiet --zig --compatibility manylinux2014 --out dist
	$(BIN)/maturin sdist --out dist
	@ls -l dist

fuzz: ## search for inputs that break the core, each target for SECONDS (600); findings go to fuzz/corpus
	cargo run --quiet --release -p rulebus-fuzz -- --seconds $(SECONDS) $(FUZZ)

docs: $(VENV)/installed ## run every example of the documentation and check its links
	$(BIN)/python -P -m pytest -q tests/integration/test_docs.py

clean: ## remove what the other targets made here
	rm -rf $(VENV) dist target .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "rulebus needs Python 3.11 or newer; make PYTHON=/path/to/python3.11")'
	$(if $(UV),$(UV) venv --quiet --python "$$(command -v $(PYTHON))" $(VENV),$(PYTHON) -m venv $(VENV))

$(VENV)/tools: requirements/dev.txt | $(VENV)/bin/python
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# The wheel is built as for a release and installed as by a user. Cargo rebuilds only what changed.
$(VENV)/installed: $(SOURCES) $(VENV)/tools
	@rm -rf $(WHEELHOUSE)
	$(BIN)/maturin build --release --quiet --out $(WHEELHOUSE) --interpreter $(BIN)/python
	$(if $(UV),$(INSTALL) --no-deps --reinstall,$(INSTALL) --no-deps --force-reinstall) $(WHEELHOUSE)/*.whl
	@touch $@
