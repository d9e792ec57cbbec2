#!/usr/bin/env bash
# The bound: bytes framed once, and one system call for each message and socket.
. "$(dirname "$0")/common.sh"
install() { rust_servers >/dev/null; }
versions() { crate_version mio; }
start() { exec "$(rust_servers)" serve raw --port "$1"; }
peer "$@"
