/* SPDX-License-Identifier: MIT
 *
 * The interface: chooses a backend and forwards.
 */
#include "snapshot-internal.h"
#include <stdlib.h>

const struct co_rootfs_ops *const co_rootfs_backends[] = {&co_rootfs_overlay, &co_rootfs_plain,
							  NULL};

static const struct co_rootfs_ops *choose(struct co_store *s, const char *name, bool owners,
					  struct co_err *err)
{
	auto_buf names = CO_BUF_INIT(CO_BUF_SMALL);
	for (size_t i = 0; co_rootfs_backends[i]; i++) {
		const struct co_rootfs_ops *ops = co_rootfs_backends[i];
		co_buf_addf(&names, "%s%s", i ? ", " : "", ops->name);
		if (owners && !ops->keeps_inodes)
			continue;
		if (name ? !strcmp(name, ops->name) : ops->usable(s))
			return ops;
	}
	if (name)
		co_fail(err, CO_E_USAGE, "no root file system backend \"%s\" (there are: %s)", name,
			co_buf_str(&names));
	else
		co_fail(err, CO_E_SANDBOX, "no root file system backend works here (tried: %s)",
			co_buf_str(&names));
	return NULL;
}

static struct co_rootfs *make(const struct co_rootfs_ops *ops, struct co_store *s,
			      struct co_owntab *owners, struct co_bus *bus)
{
	struct co_rootfs *r = co_xcalloc(1, sizeof(*r));
	r->ops = ops;
	r->store = s;
	r->owners = owners;
	r->bus = bus;
	return r;
}

int co_rootfs_open(struct co_rootfs **out, struct co_store *s, const char *backend,
		   struct co_owntab *owners, struct co_bus *bus, struct co_err *err)
{
	const struct co_rootfs_ops *ops = choose(s, backend, owners != NULL, err);
	if (!ops)
		return err->code;
	struct co_rootfs *r = make(ops, s, owners, bus);
	int e = ops->open(r, err);
	if (e < 0) {
		free(r);
		return e;
	}
	*out = r;
	return 0;
}

void co_rootfs_limit(struct co_rootfs *r, const struct co_layer_limits *limits)
{
	r->limits = limits;
}

const char *co_rootfs_backend(const struct co_rootfs *r)
{
	return r->ops->name;
}

int co_rootfs_add_layer(struct co_rootfs *r, const struct co_layer *layer, struct co_err *err)
{
	return r->ops->add_layer(r, layer, err);
}

int co_rootfs_begin(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	return r->ops->begin(r, root, err);
}

int co_rootfs_apply(struct co_rootfs *r, const struct co_layer *layer, const struct co_root *root,
		    struct co_err *err)
{
	char text[CO_DIGEST_TEXT];
	int e = unpack_layer(r, layer, root, CO_UNPACK_FLAT, err);
	return e < 0 ? co_wrap(err, "layer %s", co_digest_str(&layer->desc.digest, text)) : 0;
}

int co_rootfs_commit(struct co_rootfs *r, const struct co_layer_opts *opts, struct co_layer *out,
		     struct co_err *err)
{
	return r->ops->commit(r, opts, out, err);
}

void co_rootfs_abort(struct co_rootfs *r)
{
	r->ops->abort(r);
}

int co_rootfs_view(struct co_rootfs *r, const struct co_root **root, struct co_err *err)
{
	return r->ops->view(r, root, err);
}

int co_rootfs_reader(struct co_rootfs **out, struct co_rootfs *from, struct co_err *err)
{
	struct co_rootfs *r = make(from->ops, from->store, from->owners, from->bus);
	r->limits = from->limits;
	int e = from->ops->reader(r, from, err);
	if (e < 0) {
		free(r);
		return e;
	}
	*out = r;
	return 0;
}

void co_rootfs_close(struct co_rootfs *r)
{
	if (!r)
		return;
	r->ops->close(r);
	free(r);
}
