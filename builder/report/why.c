/* SPDX-License-Identifier: MIT
 *
 * Why two builds of the same sources are likely to differ in one place: known causes, by what
 * differs and by the name of the file.
 */
#include "report-internal.h"
#include <cooper/str.h>

struct cause {
	const char *pattern; /* a path's end, or with a slash in front and behind a part of it */
	const char *why;
};

static const struct cause causes[] = {
	{".pyc", "Python writes the time of the source into it; set PYTHONDONTWRITEBYTECODE=1 or "
		 "compile with --invalidation-mode=unchecked-hash"},
	{"/var/log/", "a log holds the time of the build; remove it at the end of the step"},
	{"/var/cache/", "a cache of the package manager; remove it at the end of the step"},
	{"/var/lib/apt/lists/", "package lists change on the mirror; remove them at the end of the "
				"step, and use a snapshot of the mirror"},
	{"/etc/machine-id", "a random identity; empty the file at the end of the step"},
	{"/etc/ssh/", "keys made during the build; make them when the container starts"},
	{"/etc/shadow", "the day of the last change is in it; set SOURCE_DATE_EPOCH in the step"},
	{".gz", "gzip stores name and time; use gzip -n"},
	{".jar", "the archive stores the times of its members; set them to SOURCE_DATE_EPOCH"},
	{".zip", "the archive stores the times of its members; set them to SOURCE_DATE_EPOCH"},
	{".tar", "the archive stores times, owners and an order; use tar --sort=name --mtime=@0"},
	{".a", "ar stores times and owners; use ar D"},
	{".o", "the compiler may store paths, times or a random seed; set SOURCE_DATE_EPOCH, "
	       "-ffile-prefix-map and -frandom-seed"},
	{".html", "documentation generators print the date; set SOURCE_DATE_EPOCH in the step"},
	{".db", "a database holds times and an order of its own"},
	{"/tmp/", "temporary files have random names; remove them in the same step"},
	{NULL, NULL}};

static const char *by_path(const char *path)
{
	for (const struct cause *c = causes; c->pattern; c++) {
		bool part = c->pattern[0] == '/';
		if (part ? co_starts(path, c->pattern) : co_ends(path, c->pattern))
			return c->why;
	}
	return NULL;
}

static const char *by_attribute(const char *attribute)
{
	static const char *const list[][2] = {
		{"presence", "the step made it in one build only: a download, a package list, a "
			     "temporary or a race between processes"},
		{"type", "the step made something else of it: the base image or a package changed"},
		{"mode", "another umask or another version of the tool that made it, or the "
			 "context's mode changed"},
		{"owner", "numbers of users given out in another order; name them: useradd -u"},
		{"size", "the content depends on time, chance, order or the network"},
		{"content", "the content depends on time, chance, order or the network"},
		{"link target", "a version or a random name is in the target"},
		{"extended attributes", "the file system of one build does not keep them, or a "
					"label of the machine came along"},
		{"time", "the builds had another SOURCE_DATE_EPOCH or --timestamp (created leaves "
			 "files at 1970), or the step sets a time before it by itself"},
		{"compression", "the same content packed by another program, version or level; "
				"--compression and --compression-level choose"},
		{"archive format", "the same entries in another order or form: another builder "
				   "wrote this layer"},
		{"number of layers", "another Dockerfile, another base image or merged layers"},
		{NULL, NULL}};
	for (size_t i = 0; list[i][0]; i++)
		if (!strcmp(list[i][0], attribute))
			return list[i][1];
	return NULL;
}

static const char *by_document(const struct co_difference *d)
{
	if (!strcmp(d->attribute, "spelling"))
		return "the same document written by another program";
	if (co_ends(d->what, "created"))
		return "the builds had another SOURCE_DATE_EPOCH; --timestamp sets it";
	if (co_starts(d->what, "history"))
		return "another Dockerfile or base image, or another builder";
	if (co_starts(d->what, "annotations"))
		return "the builds were given other --annotation flags";
	if (co_starts(d->what, "config.Labels"))
		return "the builds were given other --label flags, or an ARG with another value";
	if (co_starts(d->what, "config"))
		return "another Dockerfile or base image, or an ARG with another value";
	return "another builder, or other flags";
}

const char *difference_why(const struct co_difference *d)
{
	bool changes = !strcmp(d->attribute, "content") || !strcmp(d->attribute, "size") ||
		       !strcmp(d->attribute, "presence");
	const char *why = changes ? by_path(d->what) : NULL;
	if (!why)
		why = by_attribute(d->attribute);
	return why ? why : by_document(d);
}
