#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# man has nothing to complain about in the manual pages.
. "$(dirname "$0")/lib.sh"
command -v groff >/dev/null || { echo "groff is not installed"; exit 1; }
status=0
for page in man/*.1; do
	out=$(groff -k -man -Tutf8 -ww -z "$page" 2>&1)
	[ -z "$out" ] || { echo "$out"; status=1; }
done
exit $status
