#!/usr/bin/env bash
# Installs what the tests need and passes them all: gcc and clang without a warning, unit tests, style, file-based
# cases and end-to-end tests with real tools, then unit tests and cases again under ASan, UBSan and LSan.
#
#   tests/all.sh [gcc|clang|cases|e2e|attack|matrix|cpython|asan|aarch64|quickstart|machines]...
#
# Default: all but machines, in this order. aarch64 compiles everything for it and runs what qemu-user can run;
# machines boots virtual ones (about an hour where the processor is emulated): aarch64's interposer and
# sandboxes, control groups v2, an initramfs as root.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/packages.sh

jobs=$(nproc)
failures=()

say() { printf '\n==> %s\n' "$*"; }

configure() { # DIR [CMAKE-ARGUMENT...]
	local dir=$1
	shift
	cmake -S . -B "$dir" -G Ninja "$@" >"$dir.log" 2>&1 || { cat "$dir.log"; return 1; }
}

build() { # DIR [TARGET...]
	local dir=$1
	shift
	ninja -C "$dir" -j "$jobs" "$@" >"$dir.log" 2>&1 || { grep -E -A12 'error:|^FAILED|undefined reference' "$dir.log" | head -100; return 1; }
	rm -f "$dir.log"
}

run_gcc() {
	configure build && build build && ctest --test-dir build -j "$jobs" --output-on-failure
}
run_clang() {
	CC=clang configure build-clang && build build-clang
}
run_asan() {
	configure build-asan -DCOOPER_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug && build build-asan &&
		ctest --test-dir build-asan -j "$jobs" -LE style --output-on-failure &&
		python3 tests/cases/run.py --cooper build-asan/cooper
}
run_cases() { python3 tests/cases/run.py; }
run_e2e() { bats --print-output-on-failure tests/e2e; }
run_attack() { python3 tests/attack/run.py; }
run_matrix() { tests/env/matrix.sh; }
run_cpython() { tests/env/cpython.sh; }
run_quickstart() { tests/quickstart.sh; }
build_aarch64() {
	tests/aarch64/sysroot.sh "$PWD/build-sysroot" &&
		configure build-aarch64 --toolchain cmake/aarch64.cmake -DCOOPER_SYSROOT="$PWD/build-sysroot" && build build-aarch64
}
# qemu-user has neither seccomp nor namespaces: the sandbox's and the interposer's tests are for run_machines
run_aarch64() {
	build_aarch64 && configure build && build build cooper &&
		ctest --test-dir build-aarch64 -j "$jobs" -L unit -E 'unit\.(sandbox|interpose)\.' --timeout 400 --output-on-failure &&
		tests/aarch64/run.sh "$PWD/build-sysroot" build-aarch64 build
}
run_machines() {
	build_aarch64 && configure build && build build &&
		tests/vm/vm.py --arch amd64 --build build tests/vm/limits.sh &&
		tests/vm/vm.py --arch amd64 --build build --initramfs tests/vm/initramfs.sh &&
		tests/vm/vm.py --arch arm64 --build build-aarch64 --sysroot "$PWD/build-sysroot" --timeout 1800 tests/vm/aarch64.sh
}

say "packages"
# shellcheck disable=SC2086
install_packages $BUILD_PACKAGES $RUN_PACKAGES $TEST_PACKAGES

[ $# -gt 0 ] || set -- gcc clang cases e2e attack matrix cpython asan aarch64 quickstart
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
