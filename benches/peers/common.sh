# Shared by the scripts beside this one. Each of them is called in one of three ways:
#   NAME.sh --install   installs what the server needs
#   NAME.sh --version   installs it, and prints the versions of what the server is made of
#   NAME.sh PORT        installs it, starts the server on 127.0.0.1:PORT, and prints `listening on 127.0.0.1:PORT`
# Installed packages go to target/peers. The server takes the place of the script: it has its process id.

set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
PEERS=$ROOT/target/peers
VENV=$PEERS/venv
export PATH="$HOME/.cargo/bin:$PATH"

# Installs the Python servers' packages, unless these very ones are there.
install_python() {
	if ! cmp -s "$HERE/python/requirements.txt" "$VENV/.installed"; then
		python3 -m venv --clear "$VENV"
		"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r "$HERE/python/requirements.txt"
		cp "$HERE/python/requirements.txt" "$VENV/.installed"
	fi
}

# Prints the versions of Python packages.
python_versions() {
	install_python
	"$VENV/bin/python" - "$@" <<-'PY'
		import platform, sys
		from importlib.metadata import version
		print(", ".join([f"{name} {version(name)}" for name in sys.argv[1:]] + [f"Python {platform.python_version()}"]))
	PY
}

# Installs the Node.js server's packages, unless these very ones are there.
install_node() {
	mkdir -p "$PEERS/node"
	if ! cmp -s "$HERE/node/package-lock.json" "$PEERS/node/.installed"; then
		cp "$HERE"/node/* "$PEERS/node/"
		(cd "$PEERS/node" && npm ci --silent --no-audit --no-fund)
		cp "$HERE/node/package-lock.json" "$PEERS/node/.installed"
	fi
	cp "$HERE/node/server.mjs" "$PEERS/node/"
}

# Builds Stoa and the other Rust servers, in one go since a bench comes with the program, and prints where one of them is.
built() {
	(cd "$ROOT" && cargo bench --quiet --bench fanout --no-run --message-format=json) |
		python3 -c '
import json, sys
programs = {made["target"]["name"]: made["executable"] for made in map(json.loads, sys.stdin) if made.get("executable")}
print(programs[sys.argv[1]])' "$1"
}

# Prints where the program of the Rust servers that are no Stoa is; STOA_BENCH_SERVERS names one that is built already.
rust_servers() { echo "${STOA_BENCH_SERVERS:-$(built fanout)}"; }

# Prints where Stoa is; STOA_BENCH_BINARY names one that is built already.
stoa() { echo "${STOA_BENCH_BINARY:-$(built stoa)}"; }

# Prints the version of a package that is compiled in.
crate_version() {
	awk -v name="$1" '$1 == "name" && $3 == "\"" name "\"" { getline; gsub("\"", "", $3); print name, $3; exit }' "$ROOT/Cargo.lock"
}

# Says when the port can be connected to, for a minute at most.
announce() {
	for _ in {1..600}; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
			echo "listening on 127.0.0.1:$1"
			return
		fi
		sleep 0.1
	done
	echo "nothing listens on 127.0.0.1:$1" >&2
}

# Does what the script was called for, with its three functions.
peer() {
	case ${1:-} in
		--install) install ;;
		--version) versions ;;
		*[!0-9]* | "") echo "usage: $0 --install | --version | PORT" >&2; exit 2 ;;
		*)
			install
			announce "$1" &
			start "$1"
			;;
	esac
}
