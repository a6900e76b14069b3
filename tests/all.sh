#!/usr/bin/env bash
# Installs what the tests need and passes them all: gcc and clang without a warning, unit tests, style, file-based
# cases and end-to-end tests with real tools, then unit tests and cases again under ASan, UBSan and LSan.
#
#   tests/all.sh [gcc|clang|asan|cases|e2e|attack|matrix|cpython|quickstart]...     default: all of them, in this order
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

say "packages"
# shellcheck disable=SC2086
install_packages $BUILD_PACKAGES $RUN_PACKAGES $TEST_PACKAGES

[ $# -gt 0 ] || set -- gcc clang cases e2e attack matrix cpython asan quickstart
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
