/* SPDX-License-Identifier: MIT */
#include "cdi.h"
#include <cooper/fs.h>
#include <cooper/names.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <string.h>

#define SPEC_MAX   (1u << 20)
#define ALLOW_NOTE "org.mobyproject.buildkit.device.autoallow"
#define CLASS_NOTE "org.mobyproject.buildkit.device.class"

static int read_spec(struct cdi_spec *out, struct co_arena *a, int dir, const char *path,
		     const char *name, struct co_err *err)
{
	char *text;
	size_t len;
	json_t *j = NULL;
	int r = co_read_file(dir, name, SPEC_MAX, &text, &len, err);
	if (r < 0)
		return r;
	r = co_json_parse(&j, text, len, path, err);
	free(text);
	if (r < 0)
		return r;
	const char *kind = co_json_str(j, "kind");
	if (!kind || !strchr(kind, '/') || !json_is_array(json_object_get(j, "devices"))) {
		json_decref(j);
		return co_fail(err, CO_E_INVALID, "%s: has no kind or no devices", path);
	}
	*out = (struct cdi_spec){.file = path, .kind = co_arena_strdup(a, kind), .json = j};
	return 0;
}

static void load_dir(struct cdi *c, struct co_arena *a, const char *dir, struct co_bus *bus)
{
	struct co_names names;
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || co_names_read(&names, fd) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		struct co_err err = CO_ERR_INIT;
		struct cdi_spec spec;
		const char *name = names.items[i];
		c->yaml |= co_ends(name, ".yaml") || co_ends(name, ".yml");
		if (!co_ends(name, ".json"))
			continue;
		if (read_spec(&spec, a, fd, co_arena_printf(a, "%s/%s", dir, name), name, &err) < 0)
			co_warn(bus, NULL, "device specs: %s", err.msg);
		else
			*co_arena_push(a, c->specs, c->n) = spec;
	}
	co_names_release(&names);
}

void cdi_load(struct cdi *c, struct co_arena *a, const char *const *more, struct co_bus *bus)
{
	memset(c, 0, sizeof(*c));
	size_t n = 0;
	while (more && more[n])
		n++;
	for (; n > 0; n--)
		load_dir(c, a, more[n - 1], bus);
	load_dir(c, a, "/var/run/cdi", bus);
	load_dir(c, a, "/etc/cdi", bus);
}

void cdi_release(struct cdi *c)
{
	for (size_t i = 0; i < c->n; i++)
		json_decref(c->specs[i].json);
	c->n = 0;
}

static const char *note(const struct cdi_spec *spec, const json_t *device, const char *key)
{
	const char *text = co_json_str(json_object_get(device, "annotations"), key);
	return text ? text : co_json_str(json_object_get(spec->json, "annotations"), key);
}

static bool known(const struct cdi_device *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].name, name))
			return true;
	return false;
}

/* by_class: the name is that of a class. */
static void find(const struct cdi *c, struct co_arena *a, const char *kind, const char *name,
		 bool by_class, struct cdi_device **out, size_t *n)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct cdi_spec *s = &c->specs[i];
		size_t k;
		json_t *d;
		if (strcmp(s->kind, kind) != 0)
			continue;
		json_array_foreach(json_object_get(s->json, "devices"), k, d)
		{
			const char *own = co_json_str(d, "name");
			const char *class = by_class ? note(s, d, CLASS_NOTE) : NULL;
			bool all = !*name || !strcmp(name, "*");
			if (!own || (by_class ? !class || strcmp(class, name) != 0
					      : !all && strcmp(own, name) != 0))
				continue;
			const char *full = co_arena_printf(a, "%s=%s", kind, own);
			if (known(*out, *n, full))
				continue;
			*co_arena_push(a, *out, *n) =
				(struct cdi_device){.name = full, .spec = s, .json = d};
			if (!*name)
				return;
		}
	}
}

void cdi_find(const struct cdi *c, struct co_arena *a, const char *request, struct cdi_device **out,
	      size_t *n)
{
	size_t len = strcspn(request, "=");
	const char *kind = co_arena_strndup(a, request, len);
	const char *name = request[len] ? request + len + 1 : "";
	*out = NULL;
	*n = 0;
	find(c, a, kind, name, false, out, n);
	if (!*n && *name)
		find(c, a, kind, name, true, out, n);
}

bool cdi_allowed(const struct cdi_device *d)
{
	const char *text = note(d->spec, d->json, ALLOW_NOTE);
	return text && !strcmp(text, "true");
}
