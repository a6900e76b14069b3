# SPDX-License-Identifier: MIT
# "file:function lines" of functions over 60 lines (braces and signature not counted), "file lines"
# of files over 600.
function end_file() {
	if (last != "" && lines > 600)
		print last, lines
}
FNR == 1 { end_file(); last = FILENAME; lines = 0; start = 0 }
{ lines++ }
/^\{/ { start = FNR }
/^[a-zA-Z_].*\(/ && !/;[ \t]*$/ {
	name = $0
	sub(/\(.*/, "", name)
	sub(/^.*[ \t*]/, "", name)
}
/^\}/ {
	if (start && FNR - start - 1 > 60)
		print FILENAME ":" name, FNR - start - 1
	start = 0
}
END { end_file() }
