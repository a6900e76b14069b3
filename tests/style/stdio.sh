#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# stdio.sh BUILD-DIR: below the command line nothing prints: no object of a lower library refers to
# standard output or error or to a function that writes there.
. "$(dirname "$0")/lib.sh"
build=${1:?build directory}
libs=$(find "$build/builder" "$build/registry" -name 'libcooper_*.a' ! -name libcooper_cli.a)
[ -n "$libs" ] || { echo "no libraries in $build"; exit 1; }
found=$(mktemp) && trap 'rm -f "$found"' EXIT
for lib in $libs; do
	nm -A --undefined-only "$lib"
done | awk '$NF ~ /^(printf|vprintf|puts|putchar|perror|psignal|stdout|stderr|err|errx|warn|warnx|verr|vwarn|error|__printf_chk|__vprintf_chk|__fprintf_chk|fprintf|vfprintf|__vfprintf_chk|fputs|fputc|fwrite|psiginfo|syslog)$/ {
	file = $1
	sub(/^.*libcooper_/, "", file)
	sub(/:$/, "", file)
	print file ":" $NF
}' | sed 's/\.a:/\//' | LC_ALL=C sort -u >"$found"
offenders tests/style/stdio.allow "$found"
