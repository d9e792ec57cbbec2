#!/usr/bin/env bash
# Stoa with its default settings: everything is on, and events are kept in a file.
. "$(dirname "$0")/common.sh"
install() { stoa >/dev/null; }
versions() { "$(stoa)" --version; }
start() {
	program=$(stoa)
	folder=$(mktemp -d "$PEERS/stoa.XXXXXX")
	# The folder goes with the next start.
	find "$PEERS" -maxdepth 1 -name 'stoa.*' ! -path "$folder" -exec rm -rf {} +
	cd "$folder"
	exec "$program" serve --port "$1" >&2
}
mkdir -p "$PEERS"
peer "$@"
