# SPDX-License-Identifier: MIT
# "file:function" of calls that have no place here. Comments and strings do not count.
BEGIN {
	n = split("strcat strncat sprintf vsprintf gets strtok atoi atol atoll atof alloca system " \
		  "popen tmpnam tempnam mktemp tmpfile scanf fscanf strcpy strncpy stpcpy rand " \
		  "random srand setlocale asctime ctime readdir64_r wordexp getwd", w, " ")
	for (i = 1; i <= n; i++)
		banned[w[i]] = 1
}
FNR == 1 { comment = 0 }
{
	line = $0
	gsub(/\\./, "", line)
	gsub(/"[^"]*"/, "\"\"", line)
	if (comment) {
		if (!sub(/^.*\*\//, "", line))
			next
		comment = 0
	}
	gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
	if (sub(/\/\*.*$/, "", line))
		comment = 1
	sub(/\/\/.*$/, "", line)
	while (match(line, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
		word = substr(line, RSTART, RLENGTH)
		sub(/[ \t]*\($/, "", word)
		before = RSTART > 1 ? substr(line, RSTART - 1, 1) : ""
		if (word in banned && before != "." && before != ">")
			print FILENAME ":" word
		line = substr(line, RSTART + RLENGTH)
	}
}
