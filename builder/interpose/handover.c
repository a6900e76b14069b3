/* SPDX-License-Identifier: MIT
 *
 * What one execve tells the interposer in the new image: numbers in hexadecimal, then two paths
 * with their lengths in front, because they may contain anything.
 */
#include "exec.h"

static char *num(char *p, const char *end, uint64_t v)
{
	return text_put(text_num(p, end, v, 16), end, " ");
}

static char *path(char *p, const char *end, const char *s)
{
	return text_put(text_put(num(p, end, text_len(s)), end, s), end, " ");
}

char *handover_write(char *p, const char *end, const struct handover *h, const struct co_ip_cred *c,
		     const char *exe, const char *name)
{
	const uint64_t head[] = {g.fd_base,
				 (uint64_t)h->program,
				 (uint64_t)(h->interpreter + 1),
				 h->secure,
				 g.umask,
				 c->ruid,
				 c->euid,
				 c->suid,
				 c->fsuid,
				 c->rgid,
				 c->egid,
				 c->sgid,
				 c->fsgid,
				 c->effective,
				 c->permitted,
				 c->inheritable,
				 c->bounding,
				 c->ambient,
				 c->securebits,
				 c->no_new_privs,
				 c->n_groups};
	p = text_put(p, end, CO_IP_ENV "=run ");
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		p = num(p, end, head[i]);
	for (uint32_t i = 0; i < c->n_groups && i < CO_IP_GROUPS; i++)
		p = num(p, end, c->groups[i]);
	p = path(p, end, exe);
	p = path(p, end, name);
	return path(p, end, g.root);
}

static void get_path(const char **s, char *out, size_t size)
{
	size_t n = (size_t)text_get(s, 16);
	if (n >= size)
		die("broken start", 0, 126);
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n + 1;
}

bool handover_read(const char *s, struct handover *h)
{
	struct co_ip_cred *c = &g.cred;
	uint32_t *const ids[] = {&c->ruid, &c->euid, &c->suid, &c->fsuid,
				 &c->rgid, &c->egid, &c->sgid, &c->fsgid};
	uint64_t *const caps[] = {&c->effective, &c->permitted, &c->inheritable, &c->bounding,
				  &c->ambient};
	bool boot = text_starts(s, "boot ");
	s += boot ? 5 : 4;
	g.fd_base = (uint32_t)text_get(&s, 16);
	if (boot)
		return false;
	h->program = (int)text_get(&s, 16);
	h->interpreter = (int)text_get(&s, 16) - 1;
	h->secure = text_get(&s, 16);
	g.umask = (uint32_t)text_get(&s, 16);
	for (size_t i = 0; i < 8; i++)
		*ids[i] = (uint32_t)text_get(&s, 16);
	for (size_t i = 0; i < 5; i++)
		*caps[i] = text_get(&s, 16);
	c->securebits = (uint32_t)text_get(&s, 16);
	c->no_new_privs = (uint32_t)text_get(&s, 16);
	c->n_groups = (uint32_t)text_get(&s, 16);
	if (c->n_groups > CO_IP_GROUPS)
		die("broken start", 0, 126);
	for (uint32_t i = 0; i < c->n_groups; i++)
		c->groups[i] = (uint32_t)text_get(&s, 16);
	get_path(&s, g.exe, sizeof(g.exe));
	get_path(&s, g.exec_name, sizeof(g.exec_name));
	get_path(&s, g.root, sizeof(g.root));
	return true;
}
