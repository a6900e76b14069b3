/* SPDX-License-Identifier: MIT
 *
 * fuzz_ignore.c — ignore files and wildcards: the first line is a path, the rest is an ignore file.
 * Besides not crashing: what lies below an ignored path is ignored too, unless there is a "!" line;
 * a wildcard that needs no "**" gives the same answer as an ignore file of it for one component.
 */
#include <cooper/auto.h>
#include <cooper/context.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_below(const struct co_ignore *ig, const char *path)
{
	char below[300];
	if (!*path || !strcmp(path, ".") || strlen(path) > 250)
		return;
	bool ignored = co_ignore_match(ig, path);
	snprintf(below, sizeof(below), "%s/x", path);
	if (ignored && !co_ignore_has_negation(ig) && !co_ignore_match(ig, below))
		__builtin_trap();
}

static void check_glob(const char *pattern, const char *path)
{
	(void)co_glob_match(pattern, path, true);
	/* without slashes "**" is "*" for both, but for moby's rules about a leading one */
	if (strchr(pattern, '/') || strchr(path, '/') || strstr(pattern, "**"))
		return;
	if (co_glob_match(pattern, path, true) != co_glob_match(pattern, path, false))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t n = nl ? (size_t)(nl - data) : size;
	struct co_err err = CO_ERR_INIT;
	struct co_ignore *ig;
	auto_free char *path = strndup((const char *)data, n);
	auto_free char *text = nl ? strndup((const char *)nl + 1, size - n - 1) : strndup("", 0);
	check_glob(text, path);
	if (co_ignore_parse(&ig, nl ? (const char *)nl + 1 : "", nl ? size - n - 1 : 0, "input",
			    &err) < 0) {
		if (!err.code || !err.msg[0])
			__builtin_trap();
		return 0;
	}
	check_below(ig, path);
	co_ignore_free(ig);
	return 0;
}
