/* SPDX-License-Identifier: MIT
 *
 * Is the image's effective user root? Names are looked up as runtimes do it: the image's own passwd
 * first, then a number. Whatever cannot be decided counts as root.
 */
#include <cooper/context.h>
#include <cooper/gate.h>
#include <cooper/str.h>
#include <stdio.h>
#include <string.h>

#define ADVICE "end the Dockerfile with a numeric user, for example: USER 65532:65532"

static void verdict(struct co_user_verdict *v, bool root, bool unresolvable, const char *why)
{
	v->root = root;
	v->unresolvable = unresolvable;
	snprintf(v->why, sizeof(v->why), "%s", why);
	snprintf(v->advice, sizeof(v->advice), "%s", ADVICE);
}

void co_gate_user(struct co_user_verdict *out, const char *user, const char *passwd,
		  const char *group)
{
	char why[256];
	memset(out, 0, sizeof(*out));
	if (!user || !*user || *user == ':') {
		verdict(out, true, false, "no USER is set, so the image runs as root (uid 0)");
		return;
	}
	struct co_user u = {0};
	struct co_err err = CO_ERR_INIT;
	if (co_user_resolve_text(&u, passwd, group, user, &err) < 0) {
		snprintf(why, sizeof(why), "USER %.80s can not be resolved: %.120s", user, err.msg);
		verdict(out, true, true, why);
		return;
	}
	if (u.uid == 0) {
		snprintf(why, sizeof(why), "USER %.120s resolves to uid 0 (root)", user);
		verdict(out, true, false, why);
	}
	co_user_release(&u);
}
