/* SPDX-License-Identifier: MIT
 *
 * doctor: what works on this machine, what a build will use, and what to mend.
 */
#include "commands.h"
#include "doctor.h"
#include <cooper/json.h>
#include <cooper/sandbox.h>
#include <cooper/snapshot.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

struct doctor_opts {
	struct common_opts common;
	bool json;
};
static const struct opt doctor_table[] = {
	{"json", 0, OPT_FLAG, NULL, "print JSON", offsetof(struct doctor_opts, json)},
	COMMON_OPTS(struct doctor_opts, common),
	OPT_END};

void doctor_add(struct doctor *d, const char *group, const char *name, enum doctor_state state,
		const char *answer, const char *cure)
{
	*co_arena_push(d->arena, d->rows, d->n) =
		(struct doctor_row){group, name, state, answer, cure};
}

/* What differs from a container engine run as root; docs/sandbox.md has the whole story. */
static const char *meaning(const char *sandbox, enum co_place place)
{
	if (!strcmp(sandbox, "chroot"))
		return "owners and ids are real, names are translated; no mounts, no set-id "
		       "programs "
		       "for other users (sudo), no 32-bit programs; --memory and --pids are "
		       "counted";
	if (!strcmp(sandbox, "emulated"))
		return "owners, ids, devices and names are virtual, the layer gets them as they "
		       "should be; no mounts, no 32-bit programs; --memory and --pids are counted";
	switch (place) {
	case CO_PLACE_ROOT:
		return "everything a container has, with this machine's root and Docker's "
		       "capabilities";
	case CO_PLACE_RANGE:
		return "everything a container has; its root is nobody outside, devices it makes "
		       "are "
		       "recorded for the layer";
	case CO_PLACE_SINGLE:
	case CO_PLACE_NONE:
	default:
		return "everything a container has, but owners, ids and devices are virtual (the "
		       "layer gets them as they should be); no 32-bit programs";
	}
}

static void sandboxes(struct doctor *d)
{
	for (size_t i = 0; co_sandboxes[i]; i++) {
		struct co_probe p = {0};
		co_sandboxes[i]->probe(&p);
		doctor_add(d, "sandbox", co_sandboxes[i]->name, p.usable ? DOCTOR_OK : DOCTOR_NO,
			   co_arena_strdup(d->arena, p.answer), co_arena_strdup(d->arena, p.cure));
		d->namespaces |= p.usable && p.place != CO_PLACE_NONE;
		if (!p.usable || d->chosen)
			continue;
		d->chosen = co_sandboxes[i]->name;
		d->means = meaning(d->chosen, p.place);
	}
}

/* In a child, because entering the builder's place can not be undone: opens the store and a root
 * file system as a build would, and tells which backend it got. */
static int try_storage(const struct doctor_opts *o, struct co_buf *out)
{
	struct co_err err = CO_ERR_INIT;
	enum co_place place;
	struct co_store *s;
	struct co_rootfs *fs;
	int r = co_place_enter(&place, NULL, NULL, &err);
	if (!r)
		r = cli_store(&s, &o->common, &err);
	if (r < 0) {
		co_buf_adds(out, err.msg);
		return 1;
	}
	r = co_rootfs_open(&fs, s, NULL, NULL, NULL, &err);
	if (!r) {
		co_buf_addf(out, "%s, in %s", co_rootfs_backend(fs), co_store_path(s));
		co_rootfs_close(fs);
	} else {
		co_buf_addf(out, "%s (store: %s)", err.msg, co_store_path(s));
	}
	co_store_close(s);
	return r < 0;
}

static void storage(struct doctor *d, const struct doctor_opts *o)
{
	int pipe_fd[2], status = 0;
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct co_buf text = CO_BUF_INIT(CO_BUF_SMALL);
		int r = try_storage(o, &text);
		(void)!write(pipe_fd[1], co_buf_str(&text), text.len);
		_exit(r);
	}
	close(pipe_fd[1]);
	auto_fd in = pipe_fd[0];
	auto_buf text = CO_BUF_INIT(CO_BUF_SMALL);
	struct co_err ignore = CO_ERR_INIT;
	if (pid < 0 || co_buf_read_fd(&text, in, "storage probe", &ignore) < 0)
		return;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	doctor_add(d, "storage", "root file systems", ok ? DOCTOR_OK : DOCTOR_NO,
		   text.len ? co_arena_strdup(d->arena, co_buf_str(&text)) : "no answer",
		   ok ? "" : "point --root at a directory of yours on a local file system");
}

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok", [DOCTOR_NO] = "no", [DOCTOR_INFO] = "info", [DOCTOR_DANGER] = "danger"};

static void print_json(const struct doctor *d)
{
	auto_json doc = json_object();
	json_t *rows = json_array();
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_row *r = &d->rows[i];
		json_t *o = json_object();
		json_object_set_new(o, "group", json_string(r->group));
		json_object_set_new(o, "name", co_json_string(r->name));
		json_object_set_new(o, "state", json_string(state_names[r->state]));
		json_object_set_new(o, "answer", co_json_string(r->answer));
		if (*r->cure)
			json_object_set_new(o, "cure", co_json_string(r->cure));
		json_array_append_new(rows, o);
	}
	json_object_set_new(doc, "version", json_string(COOPER_VERSION));
	json_object_set_new(doc, "sandbox", d->chosen ? json_string(d->chosen) : json_null());
	if (d->means)
		json_object_set_new(doc, "steps", json_string(d->means));
	json_object_set_new(doc, "rows", rows);
	auto_buf b = CO_BUF_INIT(CO_BUF_TEXT);
	co_json_write_pretty(&b, doc);
	printf("%s\n", co_buf_str(&b));
}

static void print_group(const struct doctor *d, const char *group, const char *heading)
{
	bool first = true;
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_row *r = &d->rows[i];
		if (strcmp(r->group, group))
			continue;
		if (first)
			printf("%s\n", heading);
		first = false;
		printf("  %-6s  %-18s  ", state_names[r->state], r->name);
		print_clean(stdout, r->answer);
		printf("\n");
		if (*r->cure) {
			/* builds work all the same with a sandbox that does */
			bool optional = d->chosen && !strcmp(group, "sandbox");
			printf("  %26s  %s: ", "", optional ? "would be better" : "cure");
			print_clean(stdout, r->cure);
			printf("\n");
		}
	}
	if (!first)
		printf("\n");
}

static int run_doctor(struct cmd_ctx *c, void *opts)
{
	const struct doctor_opts *o = opts;
	struct doctor d = {.arena = c->arena};
	d.contained = doctor_in_container(&d);
	sandboxes(&d);
	storage(&d, o);
	doctor_system(&d);
	doctor_dangers(&d);
	if (o->json) {
		print_json(&d);
	} else {
		print_group(&d, "sandbox", "Sandboxes for RUN, best first");
		print_group(&d, "storage", "Storage");
		print_group(&d, "system", "System");
		print_group(&d, "danger", "Dangerous to have here");
		printf("Builds use: %s\n",
		       d.chosen ? d.chosen : "nothing, RUN can not be carried out");
		if (d.means)
			printf("Steps there: %s\n", d.means);
	}
	struct co_err none = {.code = CO_E_SANDBOX};
	return d.chosen ? 0 : co_err_exit(&none);
}

const struct command cmd_doctor = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.summary = "Show what works on this machine and what a build will use",
	.detail = "Every sandbox is tried for real in a child process. The exit status is 14 when "
		  "none\n"
		  "works.",
	.examples = "  cooper doctor\n"
		    "  cooper doctor --json | jq -r .sandbox",
	.opts = doctor_table,
	.size = sizeof(struct doctor_opts),
	.run = run_doctor};
