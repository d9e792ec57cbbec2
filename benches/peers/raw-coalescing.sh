#!/usr/bin/env bash
# The bound: bytes framed once, and one system call for all that waits for a socket.
. "$(dirname "$0")/common.sh"
install() { rust_servers >/dev/null; }
versions() { crate_version mio; }
start() { exec "$(rust_servers)" serve raw-coalescing --port "$1"; }
peer "$@"
