#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every public header compiles alone.
. "$(dirname "$0")/lib.sh"
status=0
flags=$(pkg-config --cflags jansson libarchive libcurl 2>/dev/null)
for h in include/cooper/*.h; do
	# shellcheck disable=SC2086
	printf '#include <cooper/%s>\n' "${h##*/}" |
		"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude $flags -Wall -Wextra \
			-Werror -fsyntax-only -xc - || status=1
done
exit $status
