#!/usr/bin/env bash
# Socket.IO's own server on Node.js, with ws and bufferutil.
. "$(dirname "$0")/common.sh"
install() { install_node; }
versions() {
	install_node
	cd "$PEERS/node"
	node -e 'const of = (name) => `${name} ${require(`./node_modules/${name}/package.json`).version}`;
		console.log([of("socket.io"), of("ws"), of("bufferutil"), `Node.js ${process.versions.node}`].join(", "));'
}
start() { cd "$PEERS/node" && exec node server.mjs "$1" >&2; }
peer "$@"
