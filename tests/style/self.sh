#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The gates themselves: each finds what it is there for, and lists only shrink.
. "$(dirname "$0")/lib.sh"
style=$PWD/tests/style
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
status=0
wants() { # NAME PATTERN: standard input has a line like PATTERN
	grep -qE -- "$2" || { echo "$1 does not find: $2"; status=1; }
}
cd "$dir" || exit 1
mkdir -p builder/base builder/flow builder/new include/cooper

printf '#include <cooper/flow.h>\n#include <cooper/unheard.h>\n#include "../flow/x.h"\n' >builder/base/up.c
: >builder/new/x.c && echo >>builder/new/x.c
awk -f "$style/floors.awk" "$style/floors.txt" builder/base/up.c builder/new/x.c >out && { echo "floors: success"; status=1; }
wants floors 'up.c:1: builder/base must not include cooper/flow.h' <out
wants floors 'up.c:2: cooper/unheard.h is on no floor' <out
wants floors 'up.c:3: a private header' <out
wants floors 'builder/new/x.c:1: floors.txt does not say' <out

{
	printf 'int long_one(int a)\n{\n'
	yes '	a++;' | head -61
	printf '}\nint short_one(int a)\n{\n'
	yes '	a++;' | head -60
	printf '}\n'
	yes '' | head -500
} >builder/base/long.c
awk -f "$style/length.awk" builder/base/long.c >out
wants length '^builder/base/long.c:long_one 61$' <out
wants length '^builder/base/long.c 627$' <out
grep -q short_one out && { echo "length: a function of 60 lines is fine"; status=1; }

printf '/* gets( */ char *s = "strtok(";\n/*\n system(\n*/ x = atoi(y); z->strcat(1); sprintf (b, "\\"");\n' >builder/base/ban.c
awk -f "$style/banned.awk" builder/base/ban.c | tr '\n' ' ' >out
wants banned '^builder/base/ban.c:atoi builder/base/ban.c:sprintf $' <out

printf 'a 3\nb 2\nc 1\n' >list
printf 'a 4\nb 1\nd 1\n' >found
offenders list found >out && { echo "offenders: success"; status=1; }
for line in 'grew: a 4' 'shrank: b 1' 'mended: c' 'not allowed: d 1'; do
	wants offenders "$line" <out
done
printf 'a 3\nb 2\nc 1\n' >found
offenders list found >out || { echo "offenders: what is allowed fails"; status=1; }
printf 'a 2\nb 2\n' >found
SHRINK=1 offenders list found >out || { echo "offenders: shrinking fails"; status=1; }
[ "$(cat list)" = "$(printf 'a 2\nb 2')" ] || { echo "offenders: shrunk to $(cat list)"; status=1; }
exit $status
