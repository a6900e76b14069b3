/* SPDX-License-Identifier: MIT
 *
 * login and logout: credentials for a registry.
 */
#include "commands.h"
#include <fcntl.h>
#include <string.h>
#include <termios.h>

#define SECRET_MAX 65536u

struct login_opts {
	struct common_opts common;
	const char *user, *password;
	bool from_stdin;
};
static const struct opt login_table[] = {
	{"username", 'u', OPT_TEXT, "NAME", "user name", offsetof(struct login_opts, user)},
	{"password", 'p', OPT_TEXT, "SECRET",
	 "password or token; other users of this machine see it",
	 offsetof(struct login_opts, password)},
	{"password-stdin", 0, OPT_FLAG, NULL, "read the password from standard input",
	 offsetof(struct login_opts, from_stdin)},
	REGISTRY_OPTS(struct login_opts, common),
	COMMON_OPTS(struct login_opts, common),
	OPT_END};

static void wipe(struct co_buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
}

/* One line from the terminal, hidden or not; the terminal is put back whatever happens. */
static int ask(struct co_buf *out, const char *prompt, bool hidden, struct co_err *err)
{
	auto_fd tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0) {
		co_fail(err, CO_E_USAGE, "cooper login: no terminal to ask for the %s",
			hidden ? "password" : "user name");
		return co_hint(err, "give -u NAME and --password-stdin");
	}
	struct termios old, quiet;
	bool changed = hidden && tcgetattr(tty, &old) == 0;
	if (changed) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(tty, TCSAFLUSH, &quiet);
	}
	dprintf(tty, "%s: ", prompt);
	char c;
	ssize_t n;
	while ((n = read(tty, &c, 1)) == 1 && c != '\n')
		co_buf_addc(out, c);
	explicit_bzero(&c, 1);
	if (changed) {
		tcsetattr(tty, TCSAFLUSH, &old);
		dprintf(tty, "\n");
	}
	return n == 1 ? 0 : co_fail(err, CO_E_INTERRUPTED, "cooper login: no answer");
}

static int read_stdin(struct co_buf *out, struct co_err *err)
{
	int r = co_buf_read_fd(out, 0, "password from standard input", err);
	if (r < 0)
		return r;
	while (out->len && strchr("\r\n", out->data[out->len - 1]))
		co_buf_cut(out, out->len - 1);
	return 0;
}

static int credentials(struct cmd_ctx *c, const struct login_opts *o, struct co_buf *user,
		       struct co_buf *password)
{
	int r = 0;
	if (o->password && o->from_stdin)
		return co_fail(c->err, CO_E_USAGE,
			       "cooper login: --password and --password-stdin exclude each other");
	if (o->from_stdin && !o->user)
		return co_fail(c->err, CO_E_USAGE, "cooper login: --password-stdin needs -u NAME");
	if (o->user)
		co_buf_adds(user, o->user);
	else
		r = ask(user, "User name", false, c->err);
	if (r < 0)
		return r;
	if (o->password)
		co_buf_adds(password, o->password);
	else
		r = o->from_stdin ? read_stdin(password, c->err)
				  : ask(password, "Password", true, c->err);
	if (!r && (!user->len || !password->len))
		r = co_fail(c->err, CO_E_USAGE, "cooper login: user name or password is empty");
	return r;
}

static const char *host_arg(const struct cmd_ctx *c)
{
	return c->argc ? c->argv[0] : "docker.io";
}

static int run_login(struct cmd_ctx *c, void *opts)
{
	const struct login_opts *o = opts;
	struct co_registry *reg;
	auto_buf user = CO_BUF_INIT(SECRET_MAX);
	auto_buf password = CO_BUF_INIT(SECRET_MAX);
	int r = credentials(c, o, &user, &password);
	if (!r)
		r = cli_registry(&reg, &o->common, NULL, c->err);
	if (!r) {
		r = co_login(reg, host_arg(c), co_buf_str(&user), co_buf_str(&password), c->err);
		co_registry_close(reg);
	}
	wipe(&password);
	if (!r)
		printf("Logged in to %s\n", host_arg(c));
	return r;
}

const struct command cmd_login = {
	.name = "login",
	.usage = "[OPTIONS] [REGISTRY]",
	.summary = "Check credentials for a registry and keep them",
	.detail = "They go to the credential helper that the configuration names, else into\n"
		  "config.json below $DOCKER_CONFIG (or --authfile), readable by you alone.\n"
		  "Without REGISTRY it is docker.io.",
	.examples = "  echo \"$TOKEN\" | cooper login -u ci --password-stdin registry.example\n"
		    "  cooper login registry.example:5000",
	.opts = login_table,
	.size = sizeof(struct login_opts),
	.max_args = 1,
	.run = run_login};

struct logout_opts {
	struct common_opts common;
};
static const struct opt logout_table[] = {REGISTRY_OPTS(struct logout_opts, common),
					  COMMON_OPTS(struct logout_opts, common), OPT_END};

static int run_logout(struct cmd_ctx *c, void *opts)
{
	const struct logout_opts *o = opts;
	struct co_registry *reg;
	bool was_there = false;
	int r = cli_registry(&reg, &o->common, NULL, c->err);
	if (r < 0)
		return r;
	r = co_logout(reg, host_arg(c), &was_there, c->err);
	co_registry_close(reg);
	if (!r)
		printf(was_there ? "Removed the credentials for %s\n"
				 : "There were no credentials for %s\n",
		       host_arg(c));
	return r;
}

const struct command cmd_logout = {.name = "logout",
				   .usage = "[OPTIONS] [REGISTRY]",
				   .summary = "Forget the credentials for a registry",
				   .examples = "  cooper logout registry.example",
				   .opts = logout_table,
				   .size = sizeof(struct logout_opts),
				   .max_args = 1,
				   .run = run_logout};
