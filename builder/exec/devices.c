/* SPDX-License-Identifier: MIT
 *
 * RUN --device: the edits that a device's spec asks for, as far as a step can have them. What it
 * can not have is refused by name: half a device is worse than none.
 */
#include "cdi.h"
#include "mounts-internal.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int unusable(const struct cdi_device *d, struct co_err *err, const char *what)
{
	co_fail(err, CO_E_UNSUPPORTED, "device %s: %s wants %s, which steps do not get", d->name,
		d->spec->file, what);
	return co_hint(err, "use a spec without it, or build this step elsewhere");
}

static int spec_bad(const struct cdi_device *d, struct co_err *err, const char *what)
{
	return co_fail(err, CO_E_INVALID, "device %s: %s: %s", d->name, d->spec->file, what);
}

static int edit_env(struct co_exec *x, struct mount_set *m, const struct cdi_device *d,
		    const json_t *list, struct co_err *err)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *kv = json_string_value(item);
		if (!kv || !strchr(kv, '=') || *kv == '=')
			return spec_bad(d, err, "a variable is not of the form NAME=VALUE");
		*co_arena_push(x->a, m->env, m->n_env) = co_arena_strdup(x->a, kv);
	}
	return 0;
}

/* The machine's node must be the one that the spec describes. */
static int check_node(const struct cdi_device *d, const json_t *node, const char *path,
		      const struct stat *sb, struct co_err *err)
{
	const char *type = co_json_str(node, "type");
	char want = type ? *type : S_ISBLK(sb->st_mode) ? 'b' : 'c';
	if (want == 'p')
		return unusable(d, err, "a FIFO");
	bool same = S_ISBLK(sb->st_mode)   ? want == 'b'
		    : S_ISCHR(sb->st_mode) ? want == 'c' || want == 'u'
					   : false;
	int64_t hi = co_json_int(node, "major", 0), lo = co_json_int(node, "minor", 0);
	if (same && (!(hi || lo) || (hi == major(sb->st_rdev) && lo == minor(sb->st_rdev))))
		return 0;
	co_fail(err, CO_E_INVALID, "device %s: %s is not the device node that %s describes",
		d->name, path, d->spec->file);
	return co_hint(err, "make the spec anew with the vendor's tool");
}

static int edit_node(struct co_exec *x, struct mount_set *m, const struct cdi_device *d,
		     const json_t *node, struct co_err *err)
{
	const char *target = co_json_str(node, "path");
	const char *path = co_json_str(node, "hostPath");
	struct stat sb;
	if (!target || *target != '/')
		return spec_bad(d, err, "a device node without a path");
	path = path && *path ? path : target;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &sb) < 0) {
		co_fail_sys(err, "device %s: %s", d->name, path);
		if (fd >= 0)
			close(fd);
		return co_hint(err, "is its driver loaded? In a container: is the node in it?");
	}
	int r = mount_keep_fd(m, fd, err);
	if (!r)
		r = check_node(d, node, path, &sb, err);
	if (r < 0)
		return r;
	const char *access = co_json_str(node, "permissions");
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_DEVICE;
	op->target = co_arena_strdup(x->a, target);
	op->src_fd = fd;
	op->readonly = access && *access && !strchr(access, 'w');
	if (json_object_get(node, "fileMode") || json_object_get(node, "uid") ||
	    json_object_get(node, "gid"))
		co_warn(x->o->bus, NULL, "device %s: %s keeps the owner and mode it has here",
			d->name, target);
	return 0;
}

static bool has_option(const json_t *mount, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(mount, "options"), i, item)
	{
		const char *text = json_string_value(item);
		if (text && !strcmp(text, name))
			return true;
	}
	return false;
}

static int edit_mount(struct co_exec *x, struct mount_set *m, const struct cdi_device *d,
		      const json_t *mount, struct co_err *err)
{
	const char *from = co_json_str(mount, "hostPath");
	const char *target = co_json_str(mount, "containerPath");
	const char *type = co_json_str(mount, "type");
	if (!from || *from != '/' || !target || *target != '/')
		return spec_bad(d, err, "a mount without hostPath or containerPath");
	if (type && *type && strcmp(type, "bind") != 0 && strcmp(type, "none") != 0)
		return unusable(d, err, co_arena_printf(x->a, "a mount of type %s", type));
	int fd = open(from, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return co_fail_sys(err, "device %s: %s", d->name, from);
	int r = mount_keep_fd(m, fd, err);
	if (r < 0)
		return r;
	struct co_mount_op *op = mount_add_op(x, m);
	op->kind = CO_MOP_BIND;
	op->target = co_arena_strdup(x->a, target);
	op->src_fd = fd;
	op->readonly = has_option(mount, "ro");
	return 0;
}

static int edits(struct co_exec *x, struct mount_set *m, const struct cdi_device *d,
		 const json_t *owner, struct co_err *err)
{
	const char *key;
	json_t *value, *item;
	size_t i;
	int r = 0;
	json_object_foreach(json_object_get(owner, "containerEdits"), key, value)
	{
		bool nodes = !strcmp(key, "deviceNodes"), mounts = !strcmp(key, "mounts");
		if (!strcmp(key, "env"))
			r = edit_env(x, m, d, value, err);
		else if (!nodes && !mounts && json_array_size(value) + json_object_size(value))
			r = unusable(d, err, key);
		json_array_foreach(value, i, item)
		{
			if (r == 0 && nodes)
				r = edit_node(x, m, d, item, err);
			else if (r == 0 && mounts)
				r = edit_mount(x, m, d, item, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int may_have(struct co_exec *x, const struct cdi_device *d, struct co_err *err)
{
	const char *kind = d->spec->kind;
	const char *all = co_arena_printf(x->a, "%s=*", kind);
	for (const char *const *p = x->o->allow_devices; p && *p; p++)
		if (!**p || !strcmp(*p, d->name) || !strcmp(*p, kind) || !strcmp(*p, all))
			return 0;
	if (cdi_allowed(d))
		return 0;
	co_fail(err, CO_E_POLICY, "RUN --device=%s is not allowed", d->name);
	return co_hint(err, "allow it with --allow=device=%s", d->name);
}

static int missing(struct co_exec *x, const struct cdi *c, const struct co_device *want,
		   struct co_err *err)
{
	if (!want->required) {
		co_note(x->o->bus, "device %s is not known here: the step runs without it",
			want->name);
		return 0;
	}
	co_fail(err, CO_E_NOT_FOUND, "required device %s: no spec describes it", want->name);
	return co_hint(err, "%s",
		       c->yaml ? "there are specs in YAML, which are not read: write them as JSON"
			       : "specs are JSON files in /etc/cdi, /var/run/cdi and the folders "
				 "given with --cdi-spec-dir");
}

static int add_device(struct co_exec *x, struct mount_set *m, struct cdi *c,
		      const struct co_device *want, struct co_err *err)
{
	struct cdi_device *list;
	size_t n;
	cdi_find(c, x->a, want->name, &list, &n);
	if (!n)
		return missing(x, c, want, err);
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		/* what a spec says of all its devices is done once */
		bool first = true;
		for (size_t k = 0; k < i; k++)
			first &= list[k].spec != list[i].spec;
		r = may_have(x, &list[i], err);
		if (!r && first)
			r = edits(x, m, &list[i], list[i].spec->json, err);
		if (!r)
			r = edits(x, m, &list[i], list[i].json, err);
	}
	return r;
}

int devices_open(struct co_exec *x, const struct co_step *step, struct mount_set *m,
		 struct co_err *err)
{
	struct cdi c;
	if (!step->n_devices)
		return 0;
	cdi_load(&c, x->a, x->o->cdi_dirs, x->o->bus);
	int r = 0;
	for (size_t i = 0; r == 0 && i < step->n_devices; i++)
		r = add_device(x, m, &c, &step->devices[i], err);
	cdi_release(&c);
	return r;
}
