# SPDX-License-Identifier: MIT
# awk -f floors.awk floors.txt FILE...: includes that go sideways or up, files and headers that
# floors.txt does not know. Exits with 1 when there are any.
function folder_of(file,    d) {
	d = file
	while (sub(/\/[^\/]*$/, "", d))
		if (d in rank)
			return d
	return ""
}
function bad(text) {
	print FILENAME ":" FNR ": " text
	failed = 1
}
FILENAME ~ /floors\.txt$/ {
	if ($1 ~ /^[0-9]+$/) {
		rank[$2] = $1
		for (i = 3; i <= NF; i++)
			home[$i] = $2
	}
	next
}
FNR == 1 {
	if (FILENAME ~ /^include\/cooper\//) {
		name = FILENAME
		gsub(/^.*\/|\.h$/, "", name)
		here = home[name]
	} else {
		here = folder_of(FILENAME)
	}
	if (here == "")
		bad("floors.txt does not say where this belongs")
}
here != "" && /^[ \t]*#[ \t]*include[ \t]*<cooper\// {
	name = $0
	gsub(/^[^<]*<cooper\/|\.h>.*$/, "", name)
	to = home[name]
	if (to == "")
		bad("cooper/" name ".h is on no floor")
	else if (to != here && rank[to] >= rank[here])
		bad(here " must not include cooper/" name ".h of " to)
}
here != "" && /^[ \t]*#[ \t]*include[ \t]*"[^"]*\// {
	bad("a private header of another folder: " $0)
}
END { exit failed }
