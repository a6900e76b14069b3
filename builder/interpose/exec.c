/* SPDX-License-Identifier: MIT
 *
 * execve. The kernel is given the interposer's image, the guest's argv, and the guest's environment
 * with one more entry at its end that tells the new interposer the rest. Everything that can fail
 * is tried before, while there is still a program to tell.
 */
#include "exec.h"
#include "ids.h"
#include "slots.h"
#include <sys/prctl.h>
#include <sys/stat.h>

#define MAX_SCRIPTS 5
#define POINTERS    1024 /* argv and environment up to this many entries need no memory of ours */
#define TEXT_SIZE   (2 * PATH_SIZE + 3072)

struct exec {
	struct call *c;
	char **argv, **envp; /* the guest's, or ours once a script changed them */
	long argc;
	char *own; /* mapped memory, when the lists do not fit on the stack */
	size_t own_size;
	int program, interpreter;
	struct meta meta;
	struct co_ip_cred cred;
	bool secure;
	char exe[PATH_SIZE];
	char script[MAX_SCRIPTS][256]; /* first lines */
	char current[PATH_SIZE];
	char text[TEXT_SIZE];
	char *list[POINTERS];
};

static long count(char **list)
{
	char *part[64];
	if (!list)
		return 0;
	for (long n = 0; n < 1 << 22;) {
		/* up to the end of a page: one look at it is enough */
		size_t room = (PAGE - ((uintptr_t)(list + n) & (PAGE - 1))) / sizeof(*list);
		size_t k = room < 64 ? room ? room : 1 : 64;
		if (guest_read(part, list + n, k * sizeof(*list)) < 0)
			return -EFAULT;
		for (size_t i = 0; i < k; i++, n++)
			if (!part[i])
				return n;
	}
	return -E2BIG;
}

static long may_run(const struct meta *m)
{
	if (!S_ISREG(m->mode))
		return -EACCES;
	if (!ids_on())
		return 0; /* the kernel was asked with faccessat */
	return may(m, 1 /* X_OK */);
}

/* Opens the file to run and says what it claims. */
static long open_program(struct exec *x, int dirfd, const char *name, long flags, struct meta *m,
			 char *exe)
{
	struct where w;
	char host[PATH_SIZE + 1], t[40];
	long r = where_find(&w, dirfd, name,
			    (flags & AT_SYMLINK_NOFOLLOW ? 0 : W_FOLLOW) |
				    (flags & AT_EMPTY_PATH ? W_EMPTY : 0));
	if (r == 0 && ids_on())
		r = may_reach(&w);
	if (r == 0)
		r = meta_get(&w, m);
	if (r == 0 && w.maybe_link && S_ISLNK(m->mode) && (r = where_follow(&w)) == 0)
		r = meta_get(&w, m);
	if (r == 0 && S_ISLNK(m->mode))
		r = -ELOOP;
	if (r == 0)
		r = may_run(m);
	if (r == 0 && !ids_on()) {
		char path[WHERE_PATH];
		r = sys3(SYS_faccessat, AT_FDCWD, where_path(&w, path), 1);
	}
	if (r < 0)
		return r;
	long fd = where_open(&w, O_RDONLY);
	if (fd < 0)
		return fd;
	long n = sys4(SYS_readlinkat, AT_FDCWD, fd_path(t, sizeof(t), (int)fd), host, PATH_SIZE);
	host[n < 0 ? 0 : n] = '\0';
	if (!paths_on() || !name_to_guest(exe, PATH_SIZE, host))
		text_put(exe, exe + PATH_SIZE, host);
	(void)x;
	return fd;
}

/* "#! interpreter argument": gives both, or -ENOEXEC. line is changed. */
static long parse_script(char *line, char **interp, char **arg)
{
	char *p = line + 2, *end;
	while (*p == ' ' || *p == '\t')
		p++;
	for (end = p; *end && *end != '\n'; end++)
		;
	if (!*end && end - line >= 254) {
		/* cut: only right when the interpreter itself is whole */
		char *s = p;
		while (*s && *s != ' ' && *s != '\t')
			s++;
		if (!*s)
			return -ENOEXEC;
	}
	*end = '\0';
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (!*p)
		return -ENOEXEC;
	*interp = p;
	*arg = NULL;
	while (*p && *p != ' ' && *p != '\t')
		p++;
	if (*p) {
		*p++ = '\0';
		while (*p == ' ' || *p == '\t')
			p++;
		*arg = *p ? p : NULL;
	}
	return 0;
}

/* Room for n pointers: in x->list, else mapped. */
static char **room_for(struct exec *x, size_t n)
{
	if (n <= POINTERS)
		return x->list;
	x->own_size = n * sizeof(char *);
	long r = sys6(SYS_mmap, 0, (long)x->own_size, 3, 0x22, -1, 0);
	x->own = r < 0 && r > -4096 ? NULL : (char *)r;
	return (char **)(void *)x->own;
}

/* Follows scripts to the program that runs; collects what goes in front of argv[1]. */
static long find_program(struct exec *x, int dirfd, const char *name, long flags, char **front,
			 long *n_front)
{
	char head[256], interp[PATH_SIZE];
	*n_front = 0;
	for (int depth = 0;; depth++) {
		long r = open_program(x, dirfd, name, flags, &x->meta, x->exe);
		if (r < 0)
			return r;
		x->program = (int)r;
		long n = sys4(SYS_pread64, x->program, head, sizeof(head) - 1, 0);
		if (n < 0)
			return n;
		head[n] = '\0';
		if (n < 2 || head[0] != '#' || head[1] != '!') {
			r = elf_check(x->program, head, (size_t)n, interp, sizeof(interp));
			if (r < 0 || !interp[0])
				return r;
			struct meta m;
			char unused[PATH_SIZE];
			r = open_program(x, AT_FDCWD, interp, 0, &m, unused);
			x->interpreter = (int)r;
			return r < 0 ? r : 0;
		}
		sys1(SYS_close, x->program);
		x->program = -1;
		if (depth >= MAX_SCRIPTS)
			return -ELOOP;
		char *prog, *arg;
		memcpy(x->script[depth], head, (size_t)n + 1);
		r = parse_script(x->script[depth], &prog, &arg);
		if (r < 0)
			return r;
		/* front grows at its front: interpreter, argument, then what was there */
		long add = arg ? 2 : 1;
		memmove(front + add, front, (size_t)*n_front * sizeof(*front));
		front[0] = prog;
		if (arg)
			front[1] = arg;
		*n_front += add;
		name = prog;
		dirfd = AT_FDCWD;
		flags = 0;
	}
}

/* What the interpreter of a script is told to read. */
static long script_name(struct exec *x, int dirfd, const char *name, long flags)
{
	char *end = x->current + sizeof(x->current), *p = x->current;
	char text[PATH_SIZE];
	long n = guest_string(text, sizeof(text), name ? name : "");
	if (n < 0)
		return n;
	if (text[0] == '/' || dirfd == AT_FDCWD) {
		text_put(p, end, text);
		return 0;
	}
	(void)flags;
	p = text_num(text_put(p, end, "/dev/fd/"), end, (uint32_t)dirfd, 10);
	if (text[0])
		text_put(text_put(p, end, "/"), end, text);
	return 0;
}

/* The final argv and environment. */
static long lay_out(struct exec *x, char **front, long n_front, char ***argv, char ***envp)
{
	long na = count(x->argv), ne = count(x->envp);
	if (na < 0 || ne < 0)
		return na < 0 ? na : ne;
	size_t total = (size_t)(na + ne + n_front + 6);
	char **list = room_for(x, total);
	if (!list)
		return -ENOMEM;
	char **at = list;
	if (n_front) {
		for (long i = 0; i < n_front; i++)
			*at++ = front[i];
		*at++ = x->current;
		long r = na > 1 ? guest_read(at, x->argv + 1, (size_t)(na - 1) * sizeof(*at)) : 0;
		if (r < 0)
			return r;
		at += na > 1 ? na - 1 : 0;
	} else if (na) {
		long r = guest_read(at, x->argv, (size_t)na * sizeof(*at));
		if (r < 0)
			return r;
		at += na;
	} else {
		*at++ = (char *)(uintptr_t) "";
	}
	*at++ = NULL;
	*argv = list;
	*envp = at;
	if (ne) {
		long r = guest_read(at, x->envp, (size_t)ne * sizeof(*at));
		if (r < 0)
			return r;
		at += ne;
	}
	*at++ = x->text;
	*at = NULL;
	return 0;
}

/* Becomes the new program. Our stack slot is in memory that a vfork child shares with its parent:
 * the kernel clears the slot's word when the child has left that memory. */
static long leave(struct exec *x, char **argv, char **envp)
{
	uint64_t *mask = x->c ? (uint64_t *)(void *)&x->c->uc->uc_sigmask : NULL, now;
	bool shared = x->c && slot_is_guest_of_parent();
	if (shared)
		sys1(SYS_set_tid_address, slot_word(x->c->slot));
	if (mask)
		sys4(SYS_rt_sigprocmask, 2, mask, &now, 8);
	struct co_ip_cred own = *cred();
	bool had_own = shared && g.n_children;
	if (had_own)
		cred_child_done();
	long r = sys5(SYS_execveat, FD(CO_IPF_IMAGE), "", argv, envp, AT_EMPTY_PATH);
	if (mask)
		sys4(SYS_rt_sigprocmask, 2, &now, 0, 8);
	if (shared)
		sys1(SYS_set_tid_address, 0);
	if (had_own)
		*cred_change() = own;
	return r;
}

static long run(struct exec *x, int dirfd, const char *name, long flags)
{
	char *front[2 * MAX_SCRIPTS + 4], **argv = NULL, **envp = NULL;
	long n_front;
	long r = script_name(x, dirfd, name, flags);
	if (r == 0)
		r = find_program(x, dirfd, name, flags, front, &n_front);
	if (r < 0)
		return r;
	x->cred = *cred();
	if (ids_on())
		cred_exec(&x->cred, &x->meta, &x->secure);
	struct handover h = {x->program, x->interpreter, x->secure};
	sys3(SYS_fcntl, x->program, F_SETFD, 0);
	if (x->interpreter >= 0)
		sys3(SYS_fcntl, x->interpreter, F_SETFD, 0);
	handover_write(x->text, x->text + sizeof(x->text), &h, &x->cred, x->exe,
		       x->current[0] ? x->current : x->exe);
	r = lay_out(x, front, n_front, &argv, &envp);
	return r < 0 ? r : leave(x, argv, envp);
}

static long exec_at(struct call *c, int dirfd, const char *name, char **argv, char **envp,
		    long flags)
{
	struct exec x;
	x.c = c;
	x.argv = argv;
	x.envp = envp;
	x.own = NULL;
	x.program = x.interpreter = -1;
	x.secure = false;
	long r = run(&x, dirfd, name, flags);
	if (x.program >= 0)
		sys1(SYS_close, x.program);
	if (x.interpreter >= 0)
		sys1(SYS_close, x.interpreter);
	if (x.own)
		sys2(SYS_munmap, x.own, x.own_size);
	return r;
}

long h_execve(struct call *c)
{
	return exec_at(c, AT_FDCWD, c->path, (char **)c->x[0], (char **)c->x[1], 0);
}

long h_execveat(struct call *c)
{
	return exec_at(c, c->dirfd, c->path, (char **)c->x[0], (char **)c->x[1], c->x[2]);
}

long exec_first(const char *file, char **argv, char **envp)
{
	return exec_at(NULL, AT_FDCWD, file, argv, envp, 0);
}
