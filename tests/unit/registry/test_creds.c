/* SPDX-License-Identifier: MIT
 *
 * test_creds.c — config.json and auth.json, helpers, their order, login and logout.
 */
#include "world.h"
#include <sys/stat.h>

/* user:password found in one document for host/path; "" none, "!" an error. */
static void from_doc(const char *json, const char *host, const char *path, const char *want)
{
	struct cred c = {0};
	struct co_err err = CO_ERR_INIT;
	auto_json doc = NULL;
	auto_buf got = CO_BUF_INIT(4096);

	assert_int_equal(co_json_parse(&doc, json, strlen(json), "test", &err), 0);
	int r = cred_from_doc(doc, "test", host, path, &c, &err);
	if (r < 0)
		co_buf_adds(&got, "!");
	else if (r > 0)
		co_buf_addf(&got, "%s:%s%s%s%s%s", c.user ? c.user : "",
			    c.password ? c.password : "", c.identity ? " i=" : "",
			    c.identity ? c.identity : "", c.bearer ? " b=" : "",
			    c.bearer ? c.bearer : "");
	if (strcmp(co_buf_str(&got), want) != 0)
		fail_msg("%s for %s/%s: %s, not %s", json, host, path, co_buf_str(&got), want);
	assert_silent(&err);
	free(c.user), free(c.password), free(c.identity), free(c.bearer), free(c.from);
}

static void test_documents(void **state)
{
	(void)state;
	/* dTpwOnE= is u:p:q, dTpw u:p, dQ== u, dTpwAAA= u:p NUL NUL */
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dTpwOnE=\"}}}", "h", "a", "u:p:q");
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dTpwAAA=\"}}}", "h", "a", "u:p");
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dTpwOnE\"}}}", "h", "a", "u:p:q");
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dQ==\"}}}", "h", "a", "!");
	from_doc("{\"auths\":{\"h\":{\"auth\":\"%%%\"}}}", "h", "a", "!");
	from_doc("{\"auths\":{\"h\":{}}}", "h", "a", "");
	from_doc("{\"auths\":{\"h\":5}}", "h", "a", "");
	from_doc("{\"auths\":[]}", "h", "a", "");
	from_doc("{}", "h", "a", "");
	from_doc("{\"auths\":{\"h\":{\"username\":\"u\",\"password\":\"p\"}}}", "h", "a", "u:p");
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dTo=\",\"identitytoken\":\"T\"}}}", "h", "a",
		 "u: i=T");
	from_doc("{\"auths\":{\"h\":{\"registrytoken\":\"B\"}}}", "h", "a", ": b=B");
	static const char *const keys[] = {
		"h:5", "https://h:5", "http://h:5/", "https://h:5/v1/", "https://h:5/v2/", "H:5"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		auto_free char *j =
			co_xasprintf("{\"auths\":{\"%s\":{\"auth\":\"dTpw\"}}}", keys[i]);

		from_doc(j, "h:5", "a/b", "u:p");
		from_doc(j, "h", "a/b", "");
		from_doc(j, "h:6", "a/b", "");
	}
	static const char *const hub[] = {"https://index.docker.io/v1/", "docker.io",
					  "index.docker.io", "registry-1.docker.io",
					  "https://registry-1.docker.io/v2/"};
	for (size_t i = 0; i < sizeof(hub) / sizeof(hub[0]); i++) {
		auto_free char *j =
			co_xasprintf("{\"auths\":{\"%s\":{\"auth\":\"dTpw\"}}}", hub[i]);

		from_doc(j, "docker.io", "library/x", "u:p");
		from_doc(j, "evil-docker.io", "library/x", "");
	}
	/* the longest path wins; h/a must not answer for h/ab */
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dTpw\"},\"h/a\":{\"auth\":\"dTpwOnE=\"}}}", "h",
		 "a/b", "u:p:q");
	from_doc("{\"auths\":{\"h\":{\"auth\":\"dTpw\"},\"h/a\":{\"auth\":\"dTpwOnE=\"}}}", "h",
		 "ab", "u:p");
	from_doc("{\"auths\":{\"h/a\":{\"auth\":\"dTpw\"}}}", "h", "b", "");
}

static const char *user_for(struct world *w, const char *host)
{
	struct cred *c;
	struct co_err err = CO_ERR_INIT;

	cred_forget(w->r);
	if (cred_find(w->r, host, "a/b", &c, &err) < 0) {
		assert_silent(&err);
		return "!";
	}
	return c->user ? c->user : "";
}

static void put(struct world *w, const char *file, const char *user)
{
	auto_free char *text =
		co_xasprintf("{\"auths\":{\"h\":{\"username\":\"%s\",\"password\":\"p\"}}}", user);

	world_write(w, file, text);
}

static void test_places(void **state)
{
	struct world *w = *state;
	char path[300];

	assert_string_equal(user_for(w, "h"), "");
	put(w, ".docker/config.json", "home");
	assert_string_equal(user_for(w, "h"), "home");
	put(w, ".config/containers/auth.json", "podman");
	assert_string_equal(user_for(w, "h"), "podman");
	put(w, "containers/auth.json", "run"); /* XDG_RUNTIME_DIR is the directory itself */
	assert_string_equal(user_for(w, "h"), "run");
	put(w, "dc/config.json", "dockerconfig");
	snprintf(path, sizeof(path), "%s/dc", w->dir);
	setenv("DOCKER_CONFIG", path, 1);
	assert_string_equal(user_for(w, "h"), "dockerconfig");
	setenv("DOCKER_AUTH_CONFIG",
	       "{\"auths\":{\"h\":{\"username\":\"env\",\"password\":\"p\"}}}", 1);
	assert_string_equal(user_for(w, "h"), "env");
	put(w, "only.json", "only");
	snprintf(path, sizeof(path), "%s/only.json", w->dir);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	assert_string_equal(user_for(w, "h"), "only");
	put(w, "flag.json", "flag");
	snprintf(path, sizeof(path), "%s/flag.json", w->dir);
	world_client(w, &(struct co_registry_opts){.auth_file = path});
	assert_string_equal(user_for(w, "h"), "flag");
	assert_string_equal(user_for(w, "other"), "");
	snprintf(path, sizeof(path), "%s/missing.json", w->dir);
	world_client(w, &(struct co_registry_opts){.auth_file = path});
	assert_string_equal(user_for(w, "h"), "!");
	world_write(w, "missing.json", "{broken");
	assert_string_equal(user_for(w, "h"), "!");
	unsetenv("DOCKER_CONFIG");
	unsetenv("DOCKER_AUTH_CONFIG");
	unsetenv("REGISTRY_AUTH_FILE");
}

/* A helper that keeps what it is told in files beside it. */
static const char helper[] =
	"#!/bin/sh\n"
	"d=$(dirname \"$0\")\n"
	"[ -z \"$LD_PRELOAD\" ] || exit 3\n"
	"case $1 in\n"
	"get) h=$(cat); echo \"get $h\" >> \"$d/log\"\n"
	"  case $h in\n"
	"  token.example) echo '{\"Username\":\"<token>\",\"Secret\":\"ident\"}';;\n"
	"  broken.example) echo 'not json " CANARY "';;\n"
	"  sick.example) echo 'cannot open keychain'; exit 1;;\n"
	"  *) if [ -f \"$d/stored\" ]; then echo '{\"Username\":\"helped\",\"Secret\":\"pw\"}'\n"
	"     else echo 'credentials not found in native keychain'; exit 1; fi;;\n"
	"  esac;;\n"
	"store) cat > \"$d/stored\";;\n"
	"erase) cat > /dev/null; rm \"$d/stored\";;\n"
	"esac\n";

static void install(struct world *w, const char *name)
{
	char file[100], path[300], dir[300];

	snprintf(file, sizeof(file), "bin/docker-credential-%s", name);
	world_write(w, file, helper);
	snprintf(path, sizeof(path), "%s/%s", w->dir, file);
	assert_int_equal(chmod(path, 0700), 0);
	snprintf(dir, sizeof(dir), "%s/bin:/usr/bin:/bin", w->dir);
	setenv("PATH", dir, 1);
}

static void test_helpers(void **state)
{
	struct world *w = *state;
	struct cred *c;

	install(w, "t");
	world_write(w, ".docker/config.json",
		    "{\"credHelpers\":{\"gcr.io\":\"t\",\"token.example\":\"t\",\"sick.example\":"
		    "\"t\",\"broken.example\":\"t\",\"gone.example\":\"missing\",\"evil.example\":"
		    "\"../../x\"},\"auths\":{\"gcr.io\":{\"auth\":\"dTpw\"},\"h\":{\"auth\":\"dTpw"
		    "\"}}}");
	assert_string_equal(user_for(w, "gcr.io"), "u"); /* not found there: the entry */
	assert_string_equal(user_for(w, "h"), "u");
	world_write(w, "bin/stored", "x");
	assert_string_equal(user_for(w, "gcr.io"), "helped");
	OK(cred_find(w->r, "token.example", "x", &c, err));
	assert_string_equal(c->identity, "ident");
	assert_null(c->user);
	FAILS(CO_E_AUTH, cred_find(w->r, "sick.example", "x", &c, err));
	assert_non_null(strstr(last_error.msg, "cannot open keychain"));
	FAILS(CO_E_AUTH, cred_find(w->r, "broken.example", "x", &c, err));
	FAILS(CO_E_NOT_FOUND, cred_find(w->r, "gone.example", "x", &c, err));
	FAILS(CO_E_AUTH, cred_find(w->r, "evil.example", "x", &c, err));
}

static char *file_text(struct world *w, const char *name)
{
	char path[300], *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	OK(co_read_file(AT_FDCWD, path, 1 << 20, &text, &len, err));
	return text;
}

/* A server that takes robot and CANARY. */
static void start_basic(struct fake *f, int *fd)
{
	static char *ok, *no;

	ok = answer("200 OK", "", "{}");
	no = answer("401 No", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
	const struct fake_answer list[] = {{"GET /v2/ HTTP/1.1", no, 0, 1},
					   {"GET /v2/ HTTP/1.1", ok, 0, 1},
					   {"GET /v2/ HTTP/1.1", no},
					   {0}};
	fake_listen(f, fd);
	fake_run(f, *fd, list);
	free(ok);
	free(no);
}

static void test_login(void **state)
{
	struct world *w = *state;
	struct fake f;
	struct stat st;
	char host[64], path[300];
	bool there = false;
	int fd;

	start_basic(&f, &fd);
	snprintf(host, sizeof(host), "127.0.0.1:%d", f.port);
	world_write(w, ".docker/config.json",
		    "{\"HttpHeaders\":{\"X-A\":\"b\"},\"auths\":{\"other\":{\"auth\":\"dTpw\"}}}");
	OK(co_login(w->r, host, "robot", CANARY, err));
	auto_free char *text = file_text(w, ".docker/config.json");
	assert_non_null(strstr(text, "\"X-A\": \"b\""));
	assert_non_null(strstr(text, "\"other\""));
	assert_non_null(strstr(text, host));
	snprintf(path, sizeof(path), "%s/.docker/config.json", w->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_string_equal(user_for(w, host), "robot");
	/* refused: nothing changes */
	FAILS(CO_E_AUTH, co_login(w->r, host, "robot", CANARY "x", err));
	auto_free char *same = file_text(w, ".docker/config.json");
	assert_string_equal(text, same);
	OK(co_logout(w->r, host, &there, err));
	assert_true(there);
	OK(co_logout(w->r, host, &there, err));
	assert_false(there);
	auto_free char *after = file_text(w, ".docker/config.json");
	assert_null(strstr(after, host));
	assert_non_null(strstr(after, "\"other\""));
	FAILS(CO_E_USAGE, co_login(w->r, "a b", "u", "p", err));
	FAILS(CO_E_USAGE, co_login(w->r, "h/../x y", "", "p", err));
	FAILS(CO_E_USAGE, co_login(w->r, "h", "a:b", "p", err));
	fake_stop(&f);
}

static void test_login_with_helper(void **state)
{
	struct world *w = *state;
	struct fake f;
	char host[64];
	bool there = false;
	int fd;

	start_basic(&f, &fd);
	install(w, "t");
	world_write(w, ".docker/config.json", "{\"credsStore\":\"t\"}");
	snprintf(host, sizeof(host), "http://127.0.0.1:%d/v2/", f.port);
	OK(co_login(w->r, host, "robot", CANARY, err));
	auto_free char *stored = file_text(w, "bin/stored");
	assert_non_null(strstr(stored, "\"Secret\":\"" CANARY "\""));
	auto_free char *text = file_text(w, ".docker/config.json");
	assert_null(strstr(text, "auth\""));
	assert_string_equal(user_for(w, host + 7), "helped");
	OK(co_logout(w->r, host, &there, err));
	assert_true(there);
	fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		TEST(test_places),
		TEST(test_helpers),
		TEST(test_login),
		TEST(test_login_with_helper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
