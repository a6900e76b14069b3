/* SPDX-License-Identifier: MIT
 *
 * What a build job ought not to have: with it, a step that breaks out of its sandbox (or, where
 * there are no namespaces, one that merely asks) commands the machine.
 */
#include "doctor.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define INITIAL_PID_NS	  4026531836u /* PROC_PID_INIT_INO, fixed since Linux 3.8 */
#define INITIAL_USER_NS	  4026531837u /* PROC_USER_INIT_INO */
#define OVERLAY_MAGIC	  0x794c7630
#define CAP_SYS_ADMIN_BIT 21

static bool own_pid_namespace(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != INITIAL_PID_NS;
}

/* By what a container is, not by files that an image may have brought to a machine of its own. */
bool doctor_in_container(struct doctor *d)
{
	struct stat root, first;
	struct statfs fs;
	uint64_t bounding = strtoull(doctor_status(d, "CapBnd"), NULL, 16);
	if (own_pid_namespace() || getenv("KUBERNETES_SERVICE_HOST") ||
	    !(bounding >> CAP_SYS_ADMIN_BIT & 1))
		return true;
	if (statfs("/", &fs) == 0 && fs.f_type == OVERLAY_MAGIC)
		return true;
	/* readable to root only */
	return stat("/", &root) == 0 && stat("/proc/1/root/", &first) == 0 &&
	       (root.st_dev != first.st_dev || root.st_ino != first.st_ino);
}

static void danger(struct doctor *d, const char *name, const char *answer, const char *cure)
{
	doctor_add(d, "danger", name, DOCTOR_DANGER, answer, cure);
}

static void sockets(struct doctor *d)
{
	static const char *const paths[] = {"/run/docker.sock", "/var/run/docker.sock",
					    "/run/containerd/containerd.sock",
					    "/run/podman/podman.sock", "/run/crio/crio.sock"};
	struct stat st, first = {0};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (stat(paths[i], &st) < 0 || !S_ISSOCK(st.st_mode) ||
		    access(paths[i], R_OK | W_OK) < 0)
			continue;
		if (first.st_ino == st.st_ino && first.st_dev == st.st_dev)
			continue; /* /var/run leads to /run */
		first = st;
		danger(d, paths[i],
		       "a container engine's socket: who reaches it commands this host",
		       "do not give it to the job; cooper does not need it");
	}
}

/* A whole root file system below a mount point: the usual places of hostPath volumes. */
static void host_root(struct doctor *d)
{
	static const char *const places[] = {"/host", "/hostfs",   "/host-root", "/rootfs",
					     "/mnt",  "/mnt/host", "/node"};
	static const char *const parts[] = {"etc/passwd", "usr", "proc", "var/lib", "boot"};
	struct stat st;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int dir = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		size_t n = 0;
		for (size_t k = 0; dir >= 0 && k < sizeof(parts) / sizeof(parts[0]); k++)
			n += fstatat(dir, parts[k], &st, 0) == 0;
		if (dir >= 0)
			close(dir);
		if (n == sizeof(parts) / sizeof(parts[0]))
			danger(d, places[i], "the root file system of a machine is visible",
			       "remove the hostPath or volume; cooper does not need it");
	}
}

void doctor_dangers(struct doctor *d)
{
	struct stat st;
	uint64_t caps = strtoull(doctor_status(d, "CapEff"), NULL, 16);
	d->contained = doctor_in_container(d);
	sockets(d);
	if (!d->contained) {
		if (getuid() == 0)
			danger(d, "root", "cooper runs as root of this machine",
			       "run it as an ordinary user: nothing it does needs root");
		return;
	}
	host_root(d);
	if (!own_pid_namespace())
		danger(d, "host pid namespace", "this container sees the processes of its host",
		       "remove hostPID: true or --pid=host");
	if (getuid() == 0 && (caps >> CAP_SYS_ADMIN_BIT & 1) &&
	    stat("/proc/self/ns/user", &st) == 0 && st.st_ino == INITIAL_USER_NS)
		danger(d, "privileged container", "this container may do what root of the host may",
		       "remove privileged: true; cooper does not need it");
}

int dangers_check(struct cmd_ctx *c, const char *policy)
{
	static const char *const policies[] = {"warn", "refuse", "off", NULL};
	struct doctor d = {.arena = c->arena};
	if (!cli_one_of(policy, policies))
		return co_fail(c->err, CO_E_USAGE,
			       "--unsafe-environment %s: it is warn, refuse or off", policy);
	if (policy && !strcmp(policy, "off"))
		return 0;
	doctor_dangers(&d);
	/* on a machine of its own nothing is visible that was not there anyway */
	if (!d.contained || !d.n)
		return 0;
	if (policy && !strcmp(policy, "refuse")) {
		co_fail(c->err, CO_E_SANDBOX, "unsafe environment: %s: %s", d.rows[0].name,
			d.rows[0].answer);
		return co_hint(c->err, "%s", d.rows[0].cure);
	}
	for (size_t i = 0; i < d.n; i++)
		fprintf(stderr, "cooper: warning: %s: %s (%s)\n", d.rows[i].name, d.rows[i].answer,
			d.rows[i].cure);
	return 0;
}
