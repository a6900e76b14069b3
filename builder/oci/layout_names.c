/* SPDX-License-Identifier: MIT
 *
 * layout_names.c — image names as archives spell them. No more of the grammar than that: names
 * were checked by the module that resolves references.
 */
#include "layout-internal.h"
#include <cooper/str.h>
#include <string.h>

#define HUB	    "docker.io/"
#define HUB_LIBRARY "docker.io/library/"

/* Where the tag's colon is, or NULL. */
static const char *tag_colon(const char *name)
{
	const char *slash = strrchr(name, '/');
	return strchr(name, '@') ? NULL : strrchr(slash ? slash : name, ':');
}

static bool has_domain(const char *name)
{
	size_t n = strcspn(name, "/");
	if (!name[n])
		return false;
	return memchr(name, '.', n) || memchr(name, ':', n) ||
	       (n == 9 && !strncmp(name, "localhost", n));
}

const char *layout_full_name(struct co_arena *a, const char *name)
{
	const char *domain = has_domain(name) ? "" : strchr(name, '/') ? HUB : HUB_LIBRARY;
	bool complete = tag_colon(name) || strchr(name, '@');
	return co_arena_printf(a, "%s%s%s", domain, name, complete ? "" : ":latest");
}

const char *layout_repo_tag(struct co_arena *a, const char *name)
{
	if (strchr(name, '@'))
		return NULL;
	const char *full = layout_full_name(a, name);
	if (co_starts(full, HUB_LIBRARY) && !strchr(full + strlen(HUB_LIBRARY), '/'))
		return full + strlen(HUB_LIBRARY);
	return co_starts(full, HUB) ? full + strlen(HUB) : full;
}

const char *layout_tag(struct co_arena *a, const char *name)
{
	const char *full = layout_full_name(a, name);
	const char *colon = tag_colon(full);
	return colon ? colon + 1 : NULL;
}

bool layout_name_matches(const char *have, const char *want)
{
	auto_arena a = CO_ARENA_INIT;
	if (!have)
		return false;
	if (!strcmp(have, want))
		return true;
	/* a bare tag is not a name */
	if (!strpbrk(want, "/:") && !strpbrk(have, "/:"))
		return false;
	return !strcmp(layout_full_name(&a, have), layout_full_name(&a, want));
}
