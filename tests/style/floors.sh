#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No file includes a header of its own floor's neighbours or of a higher floor.
. "$(dirname "$0")/lib.sh"
find include builder registry -name '*.[ch]' -print0 | LC_ALL=C sort -z |
	xargs -0 awk -f tests/style/floors.awk tests/style/floors.txt
