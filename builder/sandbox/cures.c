/* SPDX-License-Identifier: MIT
 *
 * The one line of configuration that would allow namespaces, for the place where this runs: what
 * helps on a machine of one's own can not be done in a pod, and the other way round.
 */
#include "sandbox-internal.h"
#include <cooper/fs.h>
#include <cooper/str.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static bool file_says(const char *path, const char *value)
{
	struct co_err ignore = CO_ERR_INIT;
	char *text;
	size_t len;
	if (co_read_file(AT_FDCWD, path, 4096, &text, &len, &ignore) < 0)
		return false;
	bool same = co_starts(text, value);
	free(text);
	return same;
}

static bool status_has(const char *line)
{
	struct co_err ignore = CO_ERR_INIT;
	char *text;
	size_t len;
	if (co_read_file(AT_FDCWD, "/proc/self/status", 64u << 10, &text, &len, &ignore) < 0)
		return false;
	bool has = strstr(text, line) != NULL;
	free(text);
	return has;
}

static bool on_gvisor(void)
{
	struct utsname u = {0};
	uname(&u);
	/* a fixed answer in every version of it */
	return strstr(u.release, "gvisor") || strstr(u.version, "Sun Jan 10 15:06:54 PST 2016");
}

static bool filtered(void)
{
	return status_has("\nSeccomp:\t2");
}
static bool on_github(void)
{
	return getenv("GITHUB_ACTIONS");
}
static bool on_kubernetes(void)
{
	return getenv("KUBERNETES_SERVICE_HOST");
}
/* Its projects give out ids from a thousand millions on, all with group 0. */
static bool on_openshift(void)
{
	return on_kubernetes() &&
	       (getenv("OPENSHIFT_BUILD_NAME") || (geteuid() >= 1000000000u && getegid() == 0));
}
static bool in_github_container(void)
{
	return on_github() && filtered();
}
static bool in_gitlab_container(void)
{
	return getenv("GITLAB_CI") && filtered();
}
static bool no_clone(void)
{
	return file_says("/proc/sys/kernel/unprivileged_userns_clone", "0");
}
static bool no_namespaces(void)
{
	return file_says("/proc/sys/user/max_user_namespaces", "0\n");
}
static bool apparmor(void)
{
	return file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1");
}
static bool apparmor_on_github(void)
{
	return on_github() && apparmor();
}

/* The first that holds. What surrounds this process comes before what the kernel is set to: in a
 * container the kernel's settings are the node's. */
static const struct {
	bool (*here)(void);
	const char *text;
} cures[] = {
	{on_gvisor,
	 "gVisor: add the capability SYS_ADMIN to this container; it ends at gVisor's own "
	 "kernel and gives nothing on the node"},
	{on_openshift, "OpenShift: a SecurityContextConstraints that allows hostUsers: false, "
		       "procMount: Unmasked "
		       "and seccompProfile Unconfined, and these in the pod"},
	{on_kubernetes, "Kubernetes: hostUsers: false in the pod, and procMount: Unmasked and "
			"seccompProfile: {type: Unconfined} in the container's securityContext"},
	{in_gitlab_container, "GitLab: a runner with the shell or instance executor; the docker "
			      "executor can not unmask /proc"},
	{in_github_container, "GitHub: run the job without container:, or with options: "
			      "--security-opt seccomp=unconfined --security-opt "
			      "apparmor=unconfined --security-opt systempaths=unconfined"},
	{filtered, "this container's seccomp profile refuses namespaces: docker run --security-opt "
		   "seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
		   "systempaths=unconfined"},
	{no_clone, "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"},
	{no_namespaces, "allow user namespaces: sysctl user.max_user_namespaces=15000"},
	{apparmor_on_github, "GitHub: a step before with run: sudo sysctl "
			     "kernel.apparmor_restrict_unprivileged_userns=0"},
	{apparmor, "Ubuntu: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an "
		   "AppArmor profile for cooper with \"userns,\""},
};

const char *cure_namespaces(void)
{
	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if (cures[i].here())
			return cures[i].text;
	return "";
}

const char *cure_ids(void)
{
	if (on_kubernetes())
		return "for files of other users with their real owners: hostUsers: false in the "
		       "pod, and an image with uidmap and a line for this user in /etc/subuid and "
		       "/etc/subgid";
	return "for files of other users with their real owners: install uidmap (newuidmap) and, "
	       "as root, add a line \"USER:100000:65536\" to /etc/subuid and /etc/subgid";
}
