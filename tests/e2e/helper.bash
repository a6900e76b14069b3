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
	if sanitized; then
		export ASAN_OPTIONS=log_path=$T/sanitizer:exitcode=99 UBSAN_OPTIONS=log_path=$T/sanitizer:exitcode=99
	fi
	cd "$T" || return 1
}

# Sanitizers slow a program down: seconds that something may take, here.
sanitized() { grep -q __asan_init "$COOPER"; }
seconds() { if sanitized; then echo $(($1 * 4)); else echo "$1"; fi; }

# What a sanitizer found fails the test, whatever the test looked at.
common_teardown() {
	local found=0
	cat "$T"/sanitizer.* 2>/dev/null && found=1
	[ -z "${REGISTRY_PID:-}" ] || kill "$REGISTRY_PID" 2>/dev/null || true
	cd /
	chmod -R u+rwx "$T" 2>/dev/null || true
	rm -rf "$T"
	return $found
}

cooper() { "$COOPER" "$@"; }

# For tests that have the program's place in a job or build more of it.
only_from_build_folder() { [ "$COOPER" -ef "$TOP/build/cooper" ] || skip "not the program of the build folder"; }

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

# Until a command succeeds.
soon() {
	local until=$((SECONDS + 60))
	while [ $SECONDS -lt $until ]; do "$@" && return 0; sleep 0.1; done
	echo "never: $*"
	return 1
}
# Processes of builds of this test; other tests may run the same program at the same time.
builders() {
	local pid status
	for pid in $(pgrep -f "$COOPER build"); do
		status=0
		grep -qzsxF "HOME=$T" "/proc/$pid/environ" || status=$?
		[ $status -eq 1 ] || [ ! -e "/proc/$pid" ] || echo "$pid"
	done
}
no_builders() { [ -z "$(builders)" ]; }
gone() { ! pgrep -f "$1" >/dev/null; }

# Nothing of ours is left: mounts, processes, temporary folders of the store.
assert_clean() {
	! grep -q "$COOPER_ROOT" /proc/mounts || { grep "$COOPER_ROOT" /proc/mounts; return 1; }
	local left
	left=$(find "$COOPER_ROOT/tmp" -mindepth 1 -maxdepth 1 2>/dev/null | head -5)
	[ -z "$left" ] || { echo "left in the store: $left"; return 1; }
	no_builders || { pgrep -af "$COOPER build"; return 1; }
}
