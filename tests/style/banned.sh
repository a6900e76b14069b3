#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Functions that can not be used safely, or that have a better one in builder/base.
. "$(dirname "$0")/lib.sh"
found=$(mktemp) && trap 'rm -f "$found"' EXIT
find include builder registry -name '*.[ch]' | LC_ALL=C sort | xargs awk -f tests/style/banned.awk |
	LC_ALL=C sort | uniq -c | awk '{ print $2, $1 }' >"$found"
offenders tests/style/banned.allow "$found"
