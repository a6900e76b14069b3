/* SPDX-License-Identifier: MIT
 *
 * Which file of the root a command is, and, when the kernel would not execute it, why.
 */
#include "sandbox-internal.h"
#include <cooper/str.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *search_path(const struct co_run *run)
{
	for (const char *const *e = run->env; e && *e; e++)
		if (co_starts(*e, "PATH="))
			return *e + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* 0: executable file; else an errno. */
static int usable(int root, const char *path)
{
	struct stat sb;
	auto_fd fd = co_inroot_open(root, path, O_PATH, 0);
	if (fd < 0 || fstat(fd, &sb) < 0)
		return errno;
	if (S_ISDIR(sb.st_mode))
		return EISDIR;
	return S_ISREG(sb.st_mode) && sb.st_mode & 0111 ? 0 : EACCES;
}

static int join(char *out, size_t size, const char *cwd, const char *dir, size_t len,
		const char *name)
{
	bool relative = len == 0 || dir[0] != '/';
	int n = snprintf(out, size, "%s%s%.*s%s%s", relative ? cwd : "", relative ? "/" : "",
			 (int)len, dir, len ? "/" : "", name);
	return n > 0 && (size_t)n < size ? 0 : ENAMETOOLONG;
}

static int refuse(const char *name, int why, struct co_err *err)
{
	bool missing = why == ENOENT || why == ENOTDIR;
	if (missing)
		co_fail(err, CO_E_RUN_FAILED, "%s: not found in the image", name);
	else
		co_fail(err, CO_E_RUN_FAILED, "%s: cannot be executed: %s", name, strerror(why));
	if (missing && !strcmp(name, "/bin/sh"))
		co_hint(err, "the image has no shell: give the command as a list, "
			     "RUN [\"/program\", \"argument\"], or name its shell with SHELL");
	return err->code;
}

int lookup_program(int root, const struct co_run *run, char *path, size_t size, struct co_err *err)
{
	const char *name = run->argv[0];
	int why = ENOENT;
	if (!name || !*name)
		return co_fail(err, CO_E_RUN_FAILED, "the command is empty");
	if (strchr(name, '/')) {
		int n = snprintf(path, size, "%s%s%s", *name == '/' ? "" : run->cwd,
				 *name == '/' ? "" : "/", name);
		why = n < 0 || (size_t)n >= size ? ENAMETOOLONG : usable(root, path);
		return why ? refuse(name, why, err) : 0;
	}
	for (const char *p = search_path(run);; p++) {
		size_t n = strcspn(p, ":");
		int r = join(path, size, run->cwd, p, n, name);
		r = r ? r : usable(root, path);
		if (r == 0)
			return 0;
		if (r != ENOENT && r != ENOTDIR)
			why = r;
		p += n;
		if (!*p)
			break;
	}
	return refuse(name, why, err);
}

static bool narrow(int root, const char *path)
{
	unsigned char head[EI_NIDENT] = {0};
	auto_fd fd = co_inroot_open(root, path, O_RDONLY, 0);
	return fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	       !memcmp(head, ELFMAG, SELFMAG) && head[EI_CLASS] == ELFCLASS32;
}

bool lookup_is_32bit(int root, const struct co_run *run)
{
	char path[4096];
	struct co_err ignore = CO_ERR_INIT;
	if (lookup_program(root, run, path, sizeof(path), &ignore) == 0 && narrow(root, path))
		return true;
	return narrow(root, "/bin/sh");
}

static const char *machine_name(unsigned machine, bool wide)
{
	static const struct {
		unsigned machine;
		const char *narrow, *wide;
	} names[] = {{EM_X86_64, "x32", "amd64"},	  {EM_386, "386", "386"},
		     {EM_AARCH64, "arm64", "arm64"},	  {EM_ARM, "arm", "arm"},
		     {EM_RISCV, "riscv32", "riscv64"},	  {EM_PPC64, "ppc64le", "ppc64le"},
		     {EM_S390, "s390", "s390x"},	  {EM_MIPS, "mips", "mips64"},
		     {EM_LOONGARCH, "loong32", "loong64"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine)
			return wide ? names[i].wide : names[i].narrow;
	return "an unknown processor";
}

static unsigned this_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__aarch64__)
	return EM_AARCH64;
#else
	return EM_NONE;
#endif
}

static const char *interpreter(const char *head, char *out, size_t size)
{
	const char *p = head + 2 + strspn(head + 2, " \t");
	snprintf(out, size, "%.*s", (int)strcspn(p, " \t\r\n"), p);
	return out;
}

int lookup_foreign(int root, const char *path, struct co_err *err)
{
	char head[sizeof(Elf64_Ehdr)] = "";
	auto_fd fd = co_inroot_open(root, path, O_RDONLY, 0);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));
	const Elf64_Ehdr *elf = (const void *)head;
	if (n < 20 || memcmp(head, ELFMAG, SELFMAG) || elf->e_machine == this_machine())
		return 0;
	(void)lookup_explain(root, path, ENOEXEC, err);
	return co_hint(err,
		       "choose an image for this machine with --platform; an emulator needs the "
		       "sandbox userns, as root or with subordinate ids (cooper doctor)");
}

int lookup_explain(int root, const char *path, int error, struct co_err *err)
{
	char head[256] = "", name[256];
	auto_fd fd = co_inroot_open(root, path, O_RDONLY, 0);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head) - 1);
	const Elf64_Ehdr *elf = (const void *)head;
	bool is_elf = n >= 20 && !memcmp(head, ELFMAG, SELFMAG);
	if (error == ENOEXEC && is_elf && elf->e_machine != this_machine()) {
		co_fail(err, CO_E_RUN_FAILED, "%s: is a program for %s, this machine is %s", path,
			machine_name(elf->e_machine, head[EI_CLASS] == ELFCLASS64),
			machine_name(this_machine(), true));
		co_hint(err, "choose an image for this machine with --platform, or install "
			     "qemu-user-static with binfmt support");
	} else if (error == ENOEXEC) {
		co_fail(err, CO_E_RUN_FAILED, "%s: is neither a program nor a script (#!)", path);
	} else if (error == ENOENT && co_starts(head, "#!")) {
		co_fail(err, CO_E_RUN_FAILED, "%s: its interpreter %s is not in the image", path,
			interpreter(head, name, sizeof(name)));
	} else if (error == ENOENT && is_elf) {
		co_fail(err, CO_E_RUN_FAILED, "%s: its dynamic loader is not in the image", path);
		co_hint(err, "link it statically, or use an image with the C library it needs");
	} else {
		co_fail(err, CO_E_RUN_FAILED, "%s: cannot be executed: %s", path, strerror(error));
	}
	return err->code;
}
