# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the style tests share. They run in the root of the sources.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

c_files() { # every C file of ours
	find include builder registry tests -name '*.[ch]' -not -path '*/testdata/*' | LC_ALL=C sort
}

# offenders LIST FOUND: FOUND ("name number" or "name" a line) against what LIST allows. A list may
# only shrink: a name that is not in it, a number that grew, and a row that is no longer needed fail.
# With SHRINK=1 in the environment LIST is first freed of what is no longer needed.
offenders() {
	if [ -n "${SHRINK:-}" ]; then
		LC_ALL=C awk '
		FILENAME == ARGV[1] {
			seen[$1] = NF > 1 ? $2 : ""
			next
		}
		/^#/ { print }
		$1 in seen {
			if (seen[$1] != "" && (seen[$1] + 0) < ($2 + 0))
				$2 = seen[$1]
			print
		}' "$2" "$1" >"$2.list" && cat "$2.list" >"$1"
		rm -f "$2.list"
	fi
	LC_ALL=C awk -v list="$1" '
	BEGIN {
		while ((getline line < list) > 0)
			if (line !~ /^#/ && line != "") {
				n = split(line, w, " ")
				allowed[w[1]] = n > 1 ? w[2] : 0
			}
	}
	NF {
		seen[$1] = 1
		if (!($1 in allowed)) {
			print "not allowed: " $0
			bad = 1
		} else if (NF > 1 && $2 + 0 > allowed[$1] + 0) {
			print "grew: " $0 " (was " allowed[$1] ")"
			bad = 1
		} else if (NF > 1 && $2 + 0 < allowed[$1] + 0) {
			print "shrank: " $0 "; lower it in " list
			bad = 1
		}
	}
	END {
		for (name in allowed)
			if (!(name in seen)) {
				print "mended: " name "; take it out of " list
				bad = 1
			}
		exit bad
	}' "$2"
}
