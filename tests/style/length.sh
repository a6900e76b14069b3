#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Functions of at most 60 lines, files of at most 600.
. "$(dirname "$0")/lib.sh"
found=$(mktemp) && trap 'rm -f "$found"' EXIT
c_files | xargs awk -f tests/style/length.awk >"$found"
offenders tests/style/length.allow "$found"
