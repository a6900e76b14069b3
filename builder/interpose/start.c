/* SPDX-License-Identifier: MIT
 *
 * The first code of every program of a step.
 */
#include "calls.h"
#include "exec.h"
#include "patch.h"
#include "path.h"
#include "signals.h"
#include "slots.h"
#include <elf.h>
#include <linux/prctl.h>
#include <sys/mman.h>

struct state g;

/* The initial stack: argc, argv, NULL, envp, NULL, auxv pairs up to AT_NULL. */
struct stack {
	char **argv, **envp;
	uint64_t *auxv;
	const char *message; /* the environment's last entry, taken out */
};

static void read_stack(uint64_t *sp, struct stack *s)
{
	uint64_t argc = sp[0];
	s->argv = (char **)(sp + 1);
	s->envp = s->argv + argc + 1;
	char **e = s->envp;
	while (*e)
		e++;
	s->auxv = (uint64_t *)(e + 1);
	if (e == s->envp || !text_starts(e[-1], CO_IP_ENV "="))
		die("not to be run by hand", 0, 126);
	s->message = e[-1] + sizeof(CO_IP_ENV);
	/* the environment is one entry shorter, so the vector moves up to it */
	e[-1] = NULL;
	uint64_t *to = s->auxv - 1, *from = s->auxv;
	s->auxv = to;
	g.page = PAGE;
	uint64_t type;
	do {
		type = from[0];
		if (type == AT_PAGESZ)
			g.page = from[1];
		to[0] = type;
		to[1] = from[1];
		to += 2;
		from += 2;
	} while (type != AT_NULL);
}

static void *map(int fd, size_t size)
{
	long r = sys6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return r < 0 && r > -4096 ? NULL : (void *)r;
}

static void attach(void)
{
	char *session = map(FD(CO_IPF_SESSION), CO_IP_SESSION_SIZE);
	g.ses = (const struct co_ip_session *)(void *)session;
	if (!session || g.ses->magic != CO_IP_MAGIC)
		die("no session", 0, 126);
	g.shared = (struct shared *)(void *)(session + CO_IP_SESSION_SIZE / 2);
	g.flags = g.ses->flags;
	g.n_fds = g.ses->n_fds;
	g.real_uid = g.ses->real_uid;
	g.real_gid = g.ses->real_gid;
	g.dumpable = 1;
	g.tab = map(FD(CO_IPF_TABLE), sizeof(struct owntab_map));
	if (ids_on() && (!g.tab || g.tab->magic != OWNTAB_MAGIC))
		die("no ownership table", 0, 126);
	for (uint32_t i = 0; i < g.ses->n_mounts; i++) {
		const struct co_ip_mount *m = &g.ses->mounts[i];
		size_t n = text_len(m->target), k = n;
		while (k && m->target[k - 1] != '/')
			k--;
		g.mount_names |= name_bit(m->target + k, n - k);
		g.any_readonly |= m->flags & CO_IPM_READONLY && !(m->flags & CO_IPM_FILE);
	}
	slots_init();
}

static _Noreturn void boot(struct stack *s)
{
	g.cred = g.ses->cred;
	g.umask = g.ses->umask;
	filter_install();
	long r = exec_first(g.ses->program, s->argv, s->envp);
	die(g.ses->program, r, r == -ENOENT ? 127 : 126);
}

static void set_auxv(uint64_t *a, const struct program *p, const struct program *interp,
		     bool secure)
{
	for (; a[0] != AT_NULL; a += 2) {
		switch (a[0]) {
		case AT_PHDR:
			a[1] = p->phdr;
			break;
		case AT_PHENT:
			a[1] = sizeof(Elf64_Phdr);
			break;
		case AT_PHNUM:
			a[1] = p->phnum;
			break;
		case AT_BASE:
			a[1] = interp->base;
			break;
		case AT_ENTRY:
			a[1] = p->entry;
			break;
		case AT_UID:
			a[1] = ids_on() ? g.cred.ruid : a[1];
			break;
		case AT_EUID:
			a[1] = ids_on() ? g.cred.euid : a[1];
			break;
		case AT_GID:
			a[1] = ids_on() ? g.cred.rgid : a[1];
			break;
		case AT_EGID:
			a[1] = ids_on() ? g.cred.egid : a[1];
			break;
		case AT_SECURE:
			a[1] = secure;
			break;
		case AT_EXECFN:
			a[1] = (uint64_t)g.exec_name;
			break;
		default:
			break;
		}
	}
}

uint64_t start_c(uint64_t *sp)
{
	struct stack s;
	struct handover h;
	struct program prog, interp = {0};
	slots_prepare();
	read_stack(sp, &s);
	bool first = !handover_read(s.message, &h);
	/* nobody should find it in /proc/self/environ */
	memset((char *)(uintptr_t)s.message - sizeof(CO_IP_ENV), 0,
	       text_len(s.message) + sizeof(CO_IP_ENV));
	attach();
	if (first)
		boot(&s);
	signals_init();
	elf_map(h.program, &prog, g.exe);
	sys1(SYS_close, h.program);
	if (h.interpreter >= 0) {
		elf_map(h.interpreter, &interp, g.exe);
		sys1(SYS_close, h.interpreter);
	}
	set_auxv(s.auxv, &prog, &interp, h.secure);
	patch_program(prog.entry, h.interpreter < 0);
	const char *name = g.exec_name;
	for (const char *p = name; *p; p++)
		if (*p == '/')
			name = p + 1;
	sys2(SYS_prctl, PR_SET_NAME, name);
	return h.interpreter >= 0 ? interp.entry : prog.entry;
}
