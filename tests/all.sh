#!/usr/bin/env bash
# Installs what the tests need and passes them all: gcc and clang without a warning, unit tests, style, file-based
# cases as root and as users, end-to-end tests with real tools, then all of these again under ASan, UBSan and LSan.
#
#   tests/all.sh [gcc|clang|cases|user|e2e|attack|matrix|asan|quickstart|heavy|cpython|
#                 differential|aarch64|machines]...
#
# Default: the first eleven, in this order. heavy is the matrix with databases, compilers and interpreters, in a place for
# each sandbox (tests/env/matrix.sh: everywhere); cpython its own tests in steps. The others take long or packages of their
# own: differential compares what the cases make with what Docker's BuildKit makes (as root); aarch64 compiles everything
# for it and runs what qemu-user can run; machines boots virtual ones (about an hour where the processor is emulated):
# aarch64's interposer and sandboxes, control groups v2, an initramfs as root.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/packages.sh

jobs=$(nproc)
failures=()

say() { printf '\n==> %s\n' "$*"; }

configure() { # DIR [CMAKE-ARGUMENT...]
	local dir=$1
	shift
	# the quickstart leaves a folder without them
	cmake -S . -B "$dir" -G Ninja -DCOOPER_TESTS=ON "$@" >"$dir.log" 2>&1 || { cat "$dir.log"; return 1; }
}

build() { # DIR [TARGET...]
	local dir=$1
	shift
	ninja -C "$dir" -j "$jobs" "$@" >"$dir.log" 2>&1 || { grep -E -A12 'error:|^FAILED|undefined reference' "$dir.log" | head -100; return 1; }
	rm -f "$dir.log"
}

run_gcc() {
	configure build && build build && ctest --no-tests=error --test-dir build -j "$jobs" --output-on-failure
}
run_clang() {
	CC=clang configure build-clang && build build-clang
}
run_asan() {
	configure build-asan -DCOOPER_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug && build build-asan &&
		ctest --no-tests=error --test-dir build-asan -j "$jobs" -LE style --output-on-failure &&
		python3 tests/cases/run.py --cooper build-asan/cooper &&
		COOPER=$PWD/build-asan/cooper bats --print-output-on-failure tests/e2e
}
run_cases() { python3 tests/cases/run.py; }
# The cases again as users of this machine: one with subordinate ids, one without, in a user namespace with a single id,
# and, for steps and files, where no namespace may be had, as that user and as root.
as_user() { # NAME DIR RUN-ARGUMENT...
	local name=$1 dir=$2 start=$SECONDS ok=0
	shift 2
	setpriv --reuid="$name" --regid="$name" --init-groups env -i PATH="$PATH" HOME="$(getent passwd "$name" | cut -d: -f6)" \
		python3 "$dir/tests/cases/run.py" --cooper "$dir/cooper" "$@" || ok=1
	# nobody runs any more; who has ended may wait a moment for the machine's first process to notice
	for _ in $(seq 50); do
		ps -u "$name" -o stat= | awk '/^[^Z]/ { runs = 1 } END { exit runs || !NR }' || break
		sleep 0.1
	done
	if [ "$name" != root ] && pgrep -u "$name" -a; then
		echo "left running"
		ok=1
	fi
	echo "${name%-*} $*: $((SECONDS - start)) s"
	return $ok
}
run_user() ( # a subshell, for the trap
	[ "$(id -u)" = 0 ] || { echo "not root: the cases ran as a user already"; exit 0; }
	ok=0 range=cooper-range-$$ plain=cooper-plain-$$
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"; { userdel -r $range; userdel -r $plain; } 2>/dev/null' EXIT # it misses a mailbox
	chmod 755 "$dir"
	mkdir -p "$dir/tests" "$dir/testdata"
	cp -r tests/cases tests/lib "$dir/tests/"
	cp -r testdata/base "$dir/testdata/"
	cp build/cooper "$dir/cooper"
	useradd -m -K SUB_UID_COUNT=65536 -K SUB_GID_COUNT=65536 $range || exit 1
	useradd -m -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 $plain || exit 1
	as_user $range "$dir" || ok=1
	as_user $plain "$dir" || ok=1
	as_user $plain "$dir" --sandbox emulated language/run mounts/ copy/ add/ || ok=1
	as_user root "$dir" --sandbox chroot language/run mounts/ copy/ add/ || ok=1
	exit $ok
)
run_differential() {
	[ "$(id -u)" = 0 ] || { echo "not root: no other builder can be started"; return 0; }
	install_packages docker.io && python3 tests/cases/differential.py
}
run_e2e() { bats --print-output-on-failure tests/e2e; }
run_attack() { python3 tests/attack/run.py; }
run_matrix() { tests/env/matrix.sh --no-heavy; }
run_heavy() { tests/env/matrix.sh -d full/postgres full/go full/node full/python full/gcc -- root docker restricted; }
run_cpython() { tests/env/cpython.sh; }
run_quickstart() { tests/quickstart.sh; }
build_aarch64() {
	tests/aarch64/sysroot.sh "$PWD/build-sysroot" &&
		configure build-aarch64 --toolchain cmake/aarch64.cmake -DCOOPER_SYSROOT="$PWD/build-sysroot" && build build-aarch64
}
# qemu-user has neither seccomp nor namespaces: the sandbox's and the interposer's tests are for run_machines; what
# depends on sockets and time is tested natively
run_aarch64() {
	build_aarch64 && configure build && build build cooper &&
		ctest --no-tests=error --test-dir build-aarch64 -j "$jobs" -R 'unit\.(base|stream|dockerfile|oci|context|plan|snapshot)\.' --timeout 400 --output-on-failure &&
		tests/aarch64/run.sh "$PWD/build-sysroot" build-aarch64 build
}
run_machines() {
	local vm=(tests/vm/vm.py --arch arm64 --build build-aarch64 --sysroot "$PWD/build-sysroot" --timeout 1800)
	build_aarch64 && "${vm[@]}" tests/vm/limits.sh tests/vm/aarch64.sh && "${vm[@]}" --initramfs tests/vm/initramfs.sh
}

say "packages"
# shellcheck disable=SC2086
install_packages $BUILD_PACKAGES $RUN_PACKAGES $TEST_PACKAGES

[ $# -gt 0 ] || set -- gcc clang cases user e2e attack matrix asan quickstart heavy cpython
for part in "$@"; do
	say "$part"
	start=$SECONDS
	if "run_$part"; then
		say "$part: ok ($((SECONDS - start)) s)"
	else
		say "$part: FAILED ($((SECONDS - start)) s)"
		failures+=("$part")
	fi
done
echo
echo "$(($# - ${#failures[@]})) passed, ${#failures[@]} failed"
[ ${#failures[@]} -eq 0 ] || { echo "failed: ${failures[*]}"; exit 1; }
