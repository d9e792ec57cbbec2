#!/usr/bin/env bash
# A server as one writes it with socketioxide alone, on the runtime of many threads.
. "$(dirname "$0")/common.sh"
install() { rust_servers >/dev/null; }
versions() { echo "$(crate_version socketioxide), $(crate_version tokio)"; }
start() { exec "$(rust_servers)" serve plain --port "$1"; }
peer "$@"
