/* SPDX-License-Identifier: MIT
 *
 * `cooper verify`: the image as it was published beside the same sources built again without cache.
 */
#include "flow-internal.h"
#include <cooper/clock.h>
#include <cooper/layout.h>
#include <cooper/report.h>
#include <stdio.h>
#include <sys/stat.h>

/* A directory is an OCI layout. */
static const char *image_name(struct co_arena *a, const char *name)
{
	struct stat st;
	return stat(name, &st) == 0 && S_ISDIR(st.st_mode) ? co_arena_printf(a, "oci:%s", name)
							   : name;
}

/* The time in the published image is the one to build with, unless another was given. */
static const char *published_time(struct co_arena *a, const struct co_view *v)
{
	int64_t t;
	if (!v->config.created || !co_parse_rfc3339(v->config.created, &t) || t < 0)
		return NULL;
	return co_arena_printf(a, "%lld", (long long)t);
}

struct site {
	struct co_store *store;
	struct co_registry *registry;
};

static void site_close(struct site *p)
{
	if (p->registry)
		co_registry_close(p->registry);
	if (p->store)
		co_store_close(p->store);
}

static int site_open(struct site *p, const struct co_build_opts *o, struct co_bus *bus,
		     struct co_err *err)
{
	struct co_registry_opts ro = o->registry;
	ro.bus = bus;
	*p = (struct site){0};
	int r = co_store_open(&p->store, o->store_root, err);
	return r ? r : co_registry_open(&p->registry, &ro, err);
}

static int open_view(struct co_view *v, struct co_arena *a, struct site *at, const char *name,
		     const struct co_platform *p, bool with_layers, struct co_err *err)
{
	struct co_descriptor desc;
	int r = co_find_image(at->store, at->registry, image_name(a, name), p, with_layers, &desc,
			      err);
	return r ? r : co_view_open(v, a, at->store, &desc, p, err);
}

/* Before the build: what was published, and when. */
static int look(struct co_verdict *out, struct co_arena *a, const char *name,
		const struct co_platform *p, struct co_build_opts *o, struct co_bus *bus,
		struct co_err *err)
{
	struct site at;
	struct co_view v = {0};
	int r = site_open(&at, o, bus, err);
	if (!r)
		r = open_view(&v, a, &at, name, p, false, err);
	if (!r) {
		out->published = v.desc.digest;
		if (!o->epoch)
			o->epoch = published_time(a, &v);
	}
	co_view_release(&v);
	site_close(&at);
	return r;
}

/* After it, in the build's namespaces. */
static int compare(struct co_verdict *out, struct co_arena *a, const char *name,
		   const struct co_platform *p, const struct co_build_result *built,
		   const struct co_build_opts *o, struct co_bus *bus, struct co_err *err)
{
	struct site at;
	struct co_view views[2] = {{0}, {0}};
	int r = site_open(&at, o, bus, err);
	if (!r)
		r = open_view(&views[0], a, &at, name, p, true, err);
	if (!r)
		r = co_view_open(&views[1], a, at.store, &built->desc, p, err);
	if (!r)
		r = co_report_compare(&out->difference, a, &views[0], &views[1], err);
	out->differs = r > 0;
	for (int i = 0; i < 2; i++)
		co_view_release(&views[i]);
	site_close(&at);
	return r < 0 ? r : 0;
}

int co_verify(struct co_verdict *out, struct co_arena *a, const char *name,
	      const struct co_build_opts *o, struct co_bus *bus, struct co_err *err)
{
	struct co_build_opts again = *o;
	struct co_build_result built;
	struct co_platform host;
	const struct co_platform *p = o->n_platforms ? &o->platforms[0] : &host;
	if (o->n_platforms > 1)
		return co_fail(err, CO_E_USAGE, "verify compares one platform at a time");
	co_platform_host(&host);
	again.no_cache = true;
	again.user_policy = CO_USER_OFF; /* the question is another one */
	out->differs = false;
	int r = look(out, a, name, p, &again, bus, err);
	if (!r)
		r = co_build(&again, bus, &built, err);
	if (r < 0)
		return r;
	out->built = built.desc.digest;
	if (co_digest_eq(&out->published, &out->built))
		return 0;
	return compare(out, a, name, p, &built, o, bus, err);
}
