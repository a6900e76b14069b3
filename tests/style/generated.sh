#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# generated.sh COOPER: manual pages, completions and reference pages are what the tables say now.
# Mend with: for d in man completions docs; do cooper __gen $d $d; done
. "$(dirname "$0")/lib.sh"
cooper=${1:?the program}
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
status=0
for what in man completions docs; do
	"$cooper" __gen "$what" "$dir/$what" || exit 1
	for file in "$dir/$what"/*; do
		diff -u "$what/${file##*/}" "$file" || status=1
	done
done
for page in man/*.1; do
	[ -e "$dir/man/${page##*/}" ] || { echo "$page: no such command any more"; status=1; }
done
exit $status
