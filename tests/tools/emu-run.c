/* SPDX-License-Identifier: MIT
 *
 * emu-run [-u UID[:GID]] [-b SOURCE:TARGET[:ro]]... [-m paths|ids|both] [-C DIR] [-T|-D] ROOT
 *         COMMAND...
 *
 * Runs a command under the interposer with nothing else around it: no wall, no limits. -T: every
 * call by its trap; -D: not (the default). For the interposer's own tests and for measuring; the
 * sandbox does the same with its wall.
 */
#include <cooper/interpose.h>
#include <cooper/owntab.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FD_BASE 960

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void host_name(int fd, char *out, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, out, size - 1);
	if (n < 0)
		fail(path);
	out[n] = '\0';
}

static void add_mount(struct co_ip_session *s, const char *source, const char *target,
		      unsigned flags)
{
	struct co_ip_mount *m = &s->mounts[s->n_mounts];
	int number = FD_BASE + CO_IPF_MOUNTS + (int)s->n_mounts;
	int fd = open(source, O_PATH);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (!S_ISDIR(st.st_mode))
		flags |= CO_IPM_FILE;
	snprintf(m->target, sizeof(m->target), "%s", target);
	host_name(fd, m->source, sizeof(m->source));
	m->flags = flags;
	m->fd = number;
	if (dup2(fd, number) < 0)
		fail("dup2");
	close(fd);
	s->n_mounts++;
}

static void put(int fd, int number)
{
	if (fd < 0 || dup2(fd, FD_BASE + number) < 0)
		fail("descriptor");
	close(fd);
}

static int image_fd(void)
{
	int fd = memfd_create("cooper-interposer", 0);
	if (fd < 0 ||
	    write(fd, co_interpose_image, co_interpose_size) != (ssize_t)co_interpose_size)
		fail("image");
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int ro = open(path, O_RDONLY);
	close(fd);
	return ro;
}

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty", NULL};

static void standard_mounts(struct co_ip_session *s)
{
	char source[64];
	add_mount(s, "/proc", "/proc", CO_IPM_PROC);
	add_mount(s, "/sys", "/sys", 0);
	for (int i = 0; devices[i]; i++) {
		snprintf(source, sizeof(source), "/dev/%s", devices[i]);
		add_mount(s, source, source, 0);
	}
	add_mount(s, "/dev/pts", "/dev/pts", 0);
	add_mount(s, "/dev/shm", "/dev/shm", 0);
	add_mount(s, "/dev/ptmx", "/dev/ptmx", 0);
	add_mount(s, "/etc/resolv.conf", "/etc/resolv.conf", CO_IPM_READONLY);
}

static void fill_cred(struct co_ip_cred *c, unsigned uid, unsigned gid)
{
	c->ruid = c->euid = c->suid = c->fsuid = uid;
	c->rgid = c->egid = c->sgid = c->fsgid = gid;
	c->bounding = 0xa80425fb;
	c->effective = c->permitted = uid ? 0 : c->bounding;
	c->n_groups = 1;
	c->groups[0] = gid;
}

static void links(int root)
{
	static const char *const l[][2] = {{"dev/fd", "/proc/self/fd"},
					   {"dev/stdin", "/proc/self/fd/0"},
					   {"dev/stdout", "/proc/self/fd/1"},
					   {"dev/stderr", "/proc/self/fd/2"}};
	for (int i = 0; i < 4; i++)
		if (symlinkat(l[i][1], root, l[i][0]) < 0)
			continue;
}

static char **with_message(void)
{
	extern char **environ;
	static char message[64];
	size_t n = 0;
	while (environ[n])
		n++;
	char **env = calloc(n + 2, sizeof(*env));
	memcpy(env, environ, n * sizeof(*env));
	snprintf(message, sizeof(message), "%s=boot %x", CO_IP_ENV, FD_BASE);
	env[n] = message;
	return env;
}

struct options {
	unsigned uid, gid;
	const char *dir, *table;
};

static void read_options(int argc, char **argv, struct co_ip_session *s, struct options *opt)
{
	for (int o; (o = getopt(argc, argv, "+u:b:m:C:t:TD")) != -1;) {
		char *rest = NULL, *a = optarg ? strtok_r(optarg, ":", &rest) : NULL;
		char *b = a ? strtok_r(NULL, ":", &rest) : NULL;
		char *c = b ? strtok_r(NULL, ":", &rest) : NULL;
		if (o == 'u') {
			opt->uid = opt->gid = (unsigned)strtoul(a, NULL, 10);
			if (b)
				opt->gid = (unsigned)strtoul(b, NULL, 10);
		} else if (o == 'b') {
			add_mount(s, a, b, c ? CO_IPM_READONLY : 0);
		} else if (o == 'm') {
			s->flags &= (uint32_t)(*a == 'p'   ? ~CO_IP_IDS
					       : *a == 'i' ? ~CO_IP_PATHS
							   : -1);
		} else if (o == 'C') {
			opt->dir = a;
		} else if (o == 'T') {
			s->flags |= CO_IP_TRAP_ONLY;
		} else if (o == 'D') {
			s->flags &= ~(uint32_t)CO_IP_TRAP_ONLY;
		} else if (o == 't') {
			opt->table = a;
		}
	}
}

static int table_fd(const char *path)
{
	struct co_err err = CO_ERR_INIT;
	struct co_owntab *tab;
	if (path && co_owntab_open(&tab, path, &err) == 0)
		return dup(co_owntab_fd(tab));
	co_err_clear(&err);
	if (co_owntab_create(&tab, path, &err) < 0)
		fail(err.msg);
	return dup(co_owntab_fd(tab));
}

/* The short name of the root; whoever started us removes it. */
static void make_alias(struct co_ip_session *s)
{
	char alias[32];
	snprintf(alias, sizeof(alias), "/tmp/.co%d", getpid());
	unlink(alias);
	if (symlink(s->root, alias) == 0)
		snprintf(s->alias, sizeof(s->alias), "%s", alias);
}

static void enter(const char *root, const char *dir)
{
	char here[300];
	snprintf(here, sizeof(here), ".%s", dir);
	if (chdir(root) < 0 || chdir(here) < 0)
		fail(dir);
}

static void fill_session(struct co_ip_session *s, int root, const struct options *opt)
{
	host_name(root, s->root, sizeof(s->root));
	make_alias(s);
	if (!(s->flags & CO_IP_PATHS))
		s->n_mounts = 0;
	s->fd_base = FD_BASE;
	s->n_fds = CO_IPF_MOUNTS + s->n_mounts;
	s->real_uid = getuid();
	s->real_gid = getgid();
	s->umask = umask(022);
	umask(s->umask);
	fill_cred(&s->cred, opt->uid, opt->gid);
}

int main(int argc, char **argv)
{
	struct options opt = {.dir = "/"};
	int session = memfd_create("session", 0);
	if (session < 0 || ftruncate(session, CO_IP_SESSION_SIZE) < 0)
		fail("session");
	struct co_ip_session *s =
		mmap(NULL, CO_IP_SESSION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, session, 0);
	if (s == MAP_FAILED)
		fail("session");
	s->magic = CO_IP_MAGIC;
	s->flags = CO_IP_PATHS | CO_IP_IDS;
	standard_mounts(s);
	read_options(argc, argv, s, &opt);
	if (argc - optind < 2)
		return 125;
	int root = open(argv[optind], O_PATH | O_DIRECTORY);
	if (root < 0)
		fail(argv[optind]);
	links(root);
	fill_session(s, root, &opt);
	snprintf(s->program, sizeof(s->program), "%s", argv[optind + 1]);
	if (s->flags & CO_IP_PATHS)
		enter(argv[optind], opt.dir);
	put(root, CO_IPF_ROOT);
	put(table_fd(opt.table), CO_IPF_TABLE);
	put(session, CO_IPF_SESSION);
	put(image_fd(), CO_IPF_IMAGE);
	syscall(SYS_execveat, FD_BASE + CO_IPF_IMAGE, "", argv + optind + 1, with_message(),
		AT_EMPTY_PATH);
	fail("execveat");
}
