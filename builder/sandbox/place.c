/* SPDX-License-Identifier: MIT
 *
 * Where the builder itself works: it has to be inside the namespaces in which layers get their
 * owners and overlays are mounted.
 */
#include "sandbox-internal.h"
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>

static int private_mounts(struct co_err *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return co_fail_sys(err, "make mounts private");
	return 0;
}

static int enter_root(struct co_err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return co_fail_sys(err, "make a mount namespace");
	return private_mounts(err);
}

static int enter_user(enum co_place *out, struct co_bus *bus, struct co_err *err)
{
	uint32_t uid = geteuid(), gid = getegid();
	char why[256] = "";
	struct idmap *m = idmap_begin(why, sizeof(why));
	int r = unshare(CLONE_NEWUSER | CLONE_NEWNS);
	int saved = errno;
	bool range = m && idmap_finish(m, r == 0, why, sizeof(why)) == 0;
	errno = saved;
	if (r < 0)
		return co_fail_sys(err, "make a user namespace");
	/* the files of /proc/self belong to root while this is off (and the map is closed to us) */
	if (!range)
		prctl(PR_SET_DUMPABLE, 1);
	if (!range && idmap_single(uid, gid) < 0)
		return co_fail_sys(err, "map this user to root");
	if (!range)
		co_note(bus, "one user id only: %s", why);
	*out = range ? CO_PLACE_RANGE : CO_PLACE_SINGLE;
	return private_mounts(err);
}

/* Nobody of the same user is to look into the builder: it holds credentials. */
static void close_curtains(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

int co_place_enter(enum co_place *out, const char *wanted, struct co_bus *bus, struct co_err *err)
{
	bool any = !wanted || !*wanted || !strcmp(wanted, "auto");
	bool named = wanted && !strcmp(wanted, "userns");
	struct co_probe found = {.usable = false};
	enum co_place place = any || named ? probe_place(&found, false) : CO_PLACE_NONE;
	int r = 0;
	if (place == CO_PLACE_NONE && named) {
		co_fail(err, CO_E_SANDBOX, "%s", found.answer);
		return found.cure[0] ? co_hint(err, "%s", found.cure) : err->code;
	}
	struct co_err ignore = CO_ERR_INIT;
	if (place == CO_PLACE_ROOT)
		r = enter_root(err);
	else if (place == CO_PLACE_NONE && geteuid() == 0)
		(void)!enter_root(&ignore); /* where it works, no mount outlives the builder */
	else if (place != CO_PLACE_NONE)
		r = enter_user(&place, bus, err);
	if (r < 0)
		return r;
	close_curtains();
	*out = place;
	return 0;
}
