#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SC1091: sourced files are checked by themselves; SC2034: what they set is used elsewhere;
# SC2148: pieces that a test runs have no first line.
. "$(dirname "$0")/lib.sh"
command -v shellcheck >/dev/null || { echo "shellcheck is not installed"; exit 1; }
find . -name '*.sh' -not -path './build*' -print0 | LC_ALL=C sort -z |
	xargs -0 shellcheck -x -e SC1091,SC2034,SC2148
