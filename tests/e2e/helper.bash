# shellcheck shell=bash
# What the end-to-end tests share. Every test has its own folder, store and registries.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${COOPER:=$TOP/build/cooper}"
export COOPER
. "$TOP/tests/lib/registry.sh"

# A folder for the test, a store, and no credentials from outside.
common_setup() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/cooper-e2e-XXXXXX")
	export COOPER_ROOT=$T/store DOCKER_CONFIG=$T/docker HOME=$T
	mkdir -p "$DOCKER_CONFIG"
	REGISTRY_PID=
	cd "$T" || return 1
}

common_teardown() {
	[ -z "${REGISTRY_PID:-}" ] || kill "$REGISTRY_PID" 2>/dev/null || true
	cd /
	chmod -R u+rwx "$T" 2>/dev/null || true
	rm -rf "$T"
}

cooper() { "$COOPER" "$@"; }

# The base image of the tests, under the given names.
make_base() {
	mkdir -p "$T/base-context"
	cp "$TOP/testdata/base/Dockerfile" "$T/base-context/"
	cp "$(command -v busybox)" "$T/base-context/busybox"
	local tags=() name
	for name in "$@"; do tags+=(-t "$name"); done
	"$COOPER" build -q --user-policy=off "${tags[@]}" "$T/base-context" >/dev/null
}

# A folder with a Dockerfile from standard input.
context() {
	mkdir -p "$1"
	cat >"$1/Dockerfile"
}

# Nothing of ours is left: mounts, processes, temporary folders of the store.
assert_clean() {
	! grep -q "$COOPER_ROOT" /proc/mounts || { grep "$COOPER_ROOT" /proc/mounts; return 1; }
	local left
	left=$(find "$COOPER_ROOT/tmp" -mindepth 1 -maxdepth 1 2>/dev/null | head -5)
	[ -z "$left" ] || { echo "left in the store: $left"; return 1; }
	! pgrep -f "$COOPER build" >/dev/null || { pgrep -af "$COOPER build"; return 1; }
}
