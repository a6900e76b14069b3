#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The layout is clang-format 14's, exactly: other versions lay out differently.
. "$(dirname "$0")/lib.sh"
tool=clang-format-14
command -v $tool >/dev/null || tool=clang-format
$tool --version 2>/dev/null | grep -q 'version 14\.' || {
	echo "clang-format 14 is not installed (Debian 12: apt-get install clang-format-14)"
	exit 1
}
found=$(mktemp) && trap 'rm -f "$found"' EXIT
c_files | xargs -P "$(nproc)" -n 8 $tool --style=file --dry-run -Werror 2>&1 |
	sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: error:.*/\1/p' | LC_ALL=C sort -u >"$found"
offenders tests/style/format.allow "$found"
