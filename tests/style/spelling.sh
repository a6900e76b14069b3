#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/lib.sh"
command -v codespell >/dev/null || { echo "codespell is not installed"; exit 1; }
codespell --ignore-words tests/style/codespell.words --skip '*.tar,*.gz,*.zst,*.inc,testdata' \
	include builder registry docs man tests completions README.md 2>/dev/null
