/* SPDX-License-Identifier: MIT
 *
 * Owners that this user namespace has not: images may give files to any id, while a user, or root
 * of a container whose engine maps ids, has a part of them only.
 */
#include "sandbox-internal.h"
#include <stdio.h>

bool unmapped_any(void)
{
	return idmap_end("uid") < UINT32_MAX || idmap_end("gid") < UINT32_MAX;
}

static int cure(struct co_err *err)
{
	return co_hint(err,
		       "give this user (or the container's engine) more ids in /etc/subuid and "
		       "/etc/subgid (a range of 65536 covers most images), or build with "
		       "--sandbox=emulated");
}

/* Without an interposer, the ids that the step is given have to be there. */
int unmapped_check(const struct step *st, struct co_err *err)
{
	const struct co_run *run = st->run;
	uint32_t uids = idmap_end("uid"), gids = idmap_end("gid");
	bool ok = run->uid < uids && run->gid < gids;
	for (size_t i = 0; i < run->n_groups; i++)
		ok &= run->groups[i] < gids;
	if (!ok) {
		co_fail(err, CO_E_UNMAPPED, "user %u:%u does not exist in this user namespace",
			run->uid, run->gid);
		return cure(err);
	}
	for (size_t i = 0; i < run->n_mounts; i++) {
		const struct co_mount_op *m = &run->mounts[i];
		if (m->uid < uids && m->gid < gids)
			continue;
		co_fail(err, CO_E_UNMAPPED,
			"mount %s: owner %u:%u does not exist in this user namespace", m->target,
			m->uid, m->gid);
		return cure(err);
	}
	return 0;
}

int unmapped_given(const struct step *st, struct co_err *err)
{
	char text[2][16];
	for (int i = 0; i < 2; i++)
		snprintf(text[i], sizeof(text[i]), "%u", st->unmapped_to[i]);
	co_fail(err, CO_E_UNMAPPED,
		"a file was given to owner %s:%s, which does not exist in this user namespace",
		st->unmapped_to[0] == UINT32_MAX ? "" : text[0],
		st->unmapped_to[1] == UINT32_MAX ? "" : text[1]);
	return cure(err);
}
