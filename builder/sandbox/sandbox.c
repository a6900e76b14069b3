/* SPDX-License-Identifier: MIT
 *
 * The interface: chooses a sandbox and forwards.
 */
#include "sandbox-internal.h"
#include <string.h>

const struct co_sandbox_ops *const co_sandboxes[] = {&sandbox_userns, &sandbox_chroot,
						     &sandbox_emulated, NULL};

static int unknown(const char *name, struct co_err *err)
{
	auto_buf names = CO_BUF_INIT(CO_BUF_SMALL);
	for (size_t i = 0; co_sandboxes[i]; i++)
		co_buf_addf(&names, "%s, ", co_sandboxes[i]->name);
	return co_fail(err, CO_E_USAGE, "no sandbox \"%s\" (there are: %sauto)", name,
		       co_buf_str(&names));
}

int co_sandbox_open(struct co_sandbox **out, const char *name, enum co_place place,
		    struct co_bus *bus, struct co_err *err)
{
	bool any = !name || !*name || !strcmp(name, "auto"), known = false;
	auto_buf answers = CO_BUF_INIT(CO_BUF_SMALL);
	char hint[sizeof(err->hint)] = "";
	for (size_t i = 0; co_sandboxes[i]; i++) {
		const struct co_sandbox_ops *ops = co_sandboxes[i];
		if (!any && strcmp(name, ops->name))
			continue;
		known = true;
		struct co_err one = CO_ERR_INIT;
		if (ops->open(out, place, bus, &one) == 0)
			return 0;
		co_buf_addf(&answers, "%s%s", answers.len ? "; " : "", one.msg);
		if (one.hint[0] && !hint[0])
			memcpy(hint, one.hint, sizeof(hint));
	}
	if (!known)
		return unknown(name, err);
	co_fail(err, CO_E_SANDBOX, "%s", co_buf_str(&answers));
	return hint[0] ? co_hint(err, "%s", hint) : err->code;
}

const char *co_sandbox_name(const struct co_sandbox *s)
{
	return s->ops->name;
}

int co_sandbox_run(struct co_sandbox *s, const struct co_root *root, const struct co_run *run,
		   struct co_result *result, struct co_err *err)
{
	return s->ops->run(s, root, run, result, err);
}

void co_sandbox_close(struct co_sandbox *s)
{
	if (s)
		s->ops->close(s);
}

bool co_sandbox_wants_owners(const struct co_sandbox *s)
{
	return s->wants_owners;
}
