#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sources and documents. Unit tests and cases misspell on purpose.
. "$(dirname "$0")/lib.sh"
command -v codespell >/dev/null || { echo "codespell is not installed"; exit 1; }
codespell --ignore-words tests/style/codespell.words --skip '*.tar,*.gz,*.zst,*.inc,testdata' \
	include builder registry docs man tests/style tests/e2e tests/lib completions README.md 2>/dev/null
