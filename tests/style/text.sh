#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every source file carries its licence; structs are not typedef'd.
. "$(dirname "$0")/lib.sh"
status=0
for file in $(find include builder registry tests -name '*.[ch]' -o -name '*.awk' | LC_ALL=C sort); do
	head -c 400 "$file" | grep -q 'SPDX-License-Identifier: MIT' || { echo "$file: no SPDX line"; status=1; }
done
if find include builder registry -name '*.[ch]' -print0 | xargs -0 grep -nE '^[ 	]*typedef[ 	]+(struct|union)'; then
	echo "structs are not typedef'd"
	status=1
fi
exit $status
