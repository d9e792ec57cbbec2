# make run    a server with the demo team; the page is at http://localhost:8000/
# make test   installs what the tests need, then runs all of them

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The steps of `make test` share one target directory and one browser; side by side they would only wait for each other.
.NOTPARALLEL:

# rustup puts cargo here; not every shell has it on its PATH.
export PATH := $(HOME)/.cargo/bin:$(PATH)

VENV := tests/.venv
# Files whose age says that a step is done. They live inside what the step makes, and go when that goes.
PAGE_DEPS := web-demo/node_modules/.stamp
JS_DEPS := tests/js/node_modules/.stamp
BROWSER_DEPS := tests/browser/node_modules/.stamp
PYTHON_DEPS := $(VENV)/.stamp
PAGE := web-demo/dist/index.html
PAGE_SOURCES := $(shell find web-demo -type d \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

.PHONY: help run page test deps system-deps lint test-rust test-page test-clients test-browser bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' $(firstword $(MAKEFILE_LIST))
	@echo "also: deps lint test-rust test-page test-clients test-browser bench clean"

run: page
	cargo run --release -- serve --demo

# The server runs without the page, and says so where the page would be.
page:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PAGE); \
	else echo "npm is not installed: the demo page is skipped, the server itself needs none"; fi

$(PAGE): $(PAGE_SOURCES) $(PAGE_DEPS)
	cd web-demo && npm run build
	touch $@

test: deps lint test-rust test-page test-clients test-browser

deps: system-deps $(PAGE_DEPS) $(JS_DEPS) $(PYTHON_DEPS) $(if $(wildcard tests/browser/package.json),$(BROWSER_DEPS))

# Asks the system's package manager only for what is not there.
system-deps:
	@missing=(); \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium); \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv); \
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

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

test-rust:
	cargo test

test-page: $(PAGE)
	cd web-demo && npm test

# Real clients against the real binary.
test-clients: $(JS_DEPS) $(PYTHON_DEPS)
	cargo build
	cd tests/js && npm test
	$(VENV)/bin/python -m pytest -q tests/python

# The page in a real browser.
test-browser: $(PAGE) $(if $(wildcard tests/browser/package.json),$(BROWSER_DEPS))
	cargo build
	@if [[ -f tests/browser/package.json ]]; then cd tests/browser && npm test; \
	else echo "there are no browser tests"; fi

bench:
	cargo bench

clean:
	cargo clean
	rm -rf web-demo/dist web-demo/node_modules tests/js/node_modules tests/browser/node_modules $(VENV)
