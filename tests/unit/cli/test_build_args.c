/* SPDX-License-Identifier: MIT
 *
 * `cooper build` as typed → the plain data that flow gets.
 */
#include "../../../builder/cli/build_args.h"
#include "../../../builder/cli/commands.h"
#include "golden.h"
#include <sys/socket.h>
#include <sys/un.h>

struct world {
	struct co_arena arena;
	struct co_err err;
	struct co_build_opts o;
	struct build_call call;
};

/* The words of a shell without quotes, "CONTEXT" added at the end. */
static int make(struct world *w, const char *line)
{
	char *words[128];
	int n = 0;
	memset(w, 0, sizeof(*w));
	struct cmd_ctx c = {.arena = &w->arena, .err = &w->err};
	char *text = co_arena_printf(&w->arena, "%s CONTEXT", line);
	for (char *p = text + strspn(text, " "); *p; p += strspn(p, " ")) {
		words[n++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	struct build_args *a = co_arena_alloc(&w->arena, sizeof(*a));
	int r = opts_parse(&c, &cmd_build, n, words, a);
	return r ? r : build_opts_make(&w->o, &w->call, &c, a);
}

#define GOOD(line)                                                                                 \
	struct world w;                                                                            \
	if (make(&w, line) != 0)                                                                   \
		fail_msg("%s: %s", line, w.err.msg);
#define END co_arena_release(&w.arena);

static void test_defaults(void **state)
{
	(void)state;
	GOOD("")
	assert_string_equal(w.o.context, "CONTEXT");
	assert_null(w.o.dockerfile);
	assert_null(w.o.tags);
	assert_int_equal(w.o.compression_level, -1);
	assert_int_equal(w.o.compression, CO_COMP_GZIP);
	assert_int_equal(w.o.user_policy, CO_USER_ENFORCE);
	assert_int_equal(w.call.method, CALL_BUILD);
	assert_null(w.o.network);
	assert_false(w.o.push || w.o.pull || w.o.no_cache || w.o.docker_types);
	END
}

static void test_everything(void **state)
{
	(void)state;
	setenv("FROM_ENV", "e", 1);
	unsetenv("NOT_THERE");
	GOOD("-t a:1 --tag=b:2 -ta:1 -f x/Dockerfile --build-arg K=V --build-arg FROM_ENV "
	     "--build-arg "
	     "NOT_THERE --build-arg EMPTY= --target t --label l=1 --label m --annotation "
	     "manifest:x=y "
	     "--push --pull --no-cache --iidfile i --metadata-file m --digest-file d --network "
	     "host "
	     "--add-host h:1.2.3.4 --add-host g=::1 --add-host k:[fe80::1] -m 512m --cpus 1.5 "
	     "--pids 9 "
	     "--timeout 90 --output-limit 1k -j 3 --user-policy=warn --timestamp 5 --compression "
	     "zstd "
	     "--compression-level 19 --build-context n=./dir --platform linux/amd64,linux/arm64 "
	     "--allow security.insecure --check-rules skip=all --root /r --provenance=false")
	assert_string_equal(w.o.tags[0], "a:1");
	assert_string_equal(w.o.tags[1], "b:2");
	assert_null(w.o.tags[2]);
	assert_string_equal(w.o.dockerfile, "x/Dockerfile");
	assert_int_equal(w.o.n_build_args, 3);
	assert_string_equal(w.o.build_args[1].value, "e");
	assert_string_equal(w.o.build_args[2].value, "");
	assert_string_equal(w.o.labels[1].value, "");
	assert_string_equal(w.o.annotations[0].key, "x");
	assert_true(w.o.push && w.o.pull && w.o.no_cache && w.o.allow_insecure);
	assert_true(w.o.allow_host_network);
	assert_string_equal(w.o.network, "host");
	assert_string_equal(w.o.add_hosts[1], "g:::1");
	assert_string_equal(w.o.add_hosts[2], "k:fe80::1");
	assert_null(w.o.add_hosts[3]);
	assert_int_equal(w.o.memory, 512u << 20);
	assert_true(w.o.cpus > 1.49 && w.o.cpus < 1.51);
	assert_int_equal(w.o.pids, 9);
	assert_int_equal(w.o.jobs, 3);
	assert_int_equal(w.o.timeout_s, 90);
	assert_int_equal(w.o.output_limit, 1024);
	assert_int_equal(w.o.user_policy, CO_USER_WARN);
	assert_string_equal(w.o.epoch, "5");
	assert_int_equal(w.o.compression, CO_COMP_ZSTD);
	assert_int_equal(w.o.compression_level, 19);
	assert_string_equal(w.o.contexts[0].spec, "./dir");
	assert_int_equal(w.o.n_platforms, 2);
	assert_string_equal(w.o.platforms[1].arch, "arm64");
	assert_string_equal(w.o.store_root, "/r");
	assert_string_equal(w.o.check, "skip=all");
	END
}

static void test_outputs(void **state)
{
	(void)state;
	GOOD("-o type=oci,dest=a.tar -o type=oci,dest=dir,tar=false -o type=docker,dest=d.tar "
	     "--output=type=tar,dest=t.tar --output=type=local,dest=l -o ./out")
	static const struct co_output want[] = {
		{CO_OUT_OCI, "a.tar", true},	{CO_OUT_OCI, "dir", false},
		{CO_OUT_DOCKER, "d.tar", true}, {CO_OUT_TAR, "t.tar", true},
		{CO_OUT_LOCAL, "l", true},	{CO_OUT_LOCAL, "./out", true}};
	assert_int_equal(w.o.n_outputs, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(w.o.outputs[i].kind, want[i].kind);
		assert_string_equal(w.o.outputs[i].dest, want[i].dest);
		assert_int_equal(w.o.outputs[i].tar, want[i].tar);
	}
	END
}

static void test_output_image(void **state)
{
	(void)state;
	GOOD("-o type=image,\"name=a:1,b:2\",push=true,oci-mediatypes=false,compression=zstd,"
	     "compression-level=7,annotation.k=v,rewrite-timestamp=true")
	assert_int_equal(w.o.n_outputs, 0);
	assert_true(w.o.push && w.o.docker_types);
	assert_string_equal(w.o.tags[0], "a:1");
	assert_string_equal(w.o.tags[1], "b:2");
	assert_int_equal(w.o.compression, CO_COMP_ZSTD);
	assert_int_equal(w.o.compression_level, 7);
	assert_string_equal(w.o.annotations[0].value, "v");
	END
}

static void test_secrets(void **state)
{
	(void)state;
	setenv("SECRET_ENV", "s", 1);
	setenv("named", "s", 1);
	unsetenv("test_opts.c");
	GOOD("--secret id=a,src=golden.h --secret id=b,env=SECRET_ENV --secret id=named "
	     "--secret id=test_opts.c --secret id=SECRET_ENV,type=env --secret "
	     "type=file,id=c,source=golden.h")
	assert_int_equal(w.o.n_secrets, 6);
	assert_string_equal(w.o.secrets[0].file, "golden.h");
	assert_null(w.o.secrets[0].env);
	assert_string_equal(w.o.secrets[1].env, "SECRET_ENV");
	assert_string_equal(w.o.secrets[2].env, "named");
	assert_string_equal(w.o.secrets[3].file, "test_opts.c");
	assert_string_equal(w.o.secrets[4].env, "SECRET_ENV");
	assert_string_equal(w.o.secrets[5].file, "golden.h");
	END
}

static void test_ssh(void **state)
{
	(void)state;
	char dir[] = "/tmp/cooper-test-XXXXXX";
	assert_non_null(mkdtemp(dir));
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/agent", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("SSH_AUTH_SOCK", at.sun_path, 1);
	char line[256];
	snprintf(line, sizeof(line), "--ssh default --ssh k=%s", at.sun_path);
	GOOD(line)
	assert_int_equal(w.o.n_ssh, 2);
	assert_string_equal(w.o.ssh[0].id, "default");
	assert_string_equal(w.o.ssh[0].file, at.sun_path);
	assert_string_equal(w.o.ssh[1].id, "k");
	END close(fd);
	unlink(at.sun_path);
	rmdir(dir);
}

static void test_calls(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum build_method method;
		bool json;
	} rows[] = {{"--check", CALL_CHECK, false},
		    {"--call=check", CALL_CHECK, false},
		    {"--call outline", CALL_OUTLINE, false},
		    {"--call=targets,format=json", CALL_TARGETS, true},
		    {"--call=check,format=text", CALL_CHECK, false},
		    {"--call=plan,format=json", CALL_PLAN, true},
		    {"--call=build", CALL_BUILD, false},
		    {"--dry-run", CALL_PLAN, false}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		GOOD(rows[i].line)
		assert_int_equal(w.call.method, rows[i].method);
		assert_int_equal(w.call.json, rows[i].json);
		END
	}
}

static const struct {
	const char *line;
	int code;
	const char *msg;
} refusals[] = {
	{"--load", CO_E_UNSUPPORTED, "no daemon"},
	{"--cache-from type=gha", CO_E_USAGE, "--cache-from type=gha"},
	{"--provenance=true", CO_E_UNSUPPORTED, "provenance"},
	{"--sbom", CO_E_UNSUPPORTED, "SBOM"},
	{"--attest type=sbom", CO_E_UNSUPPORTED, "--attest"},
	{"--ulimit nofile=1", CO_E_UNSUPPORTED, "--ulimit"},
	{"--shm-size 1g", CO_E_UNSUPPORTED, "--shm-size"},
	{"--cgroup-parent x", CO_E_UNSUPPORTED, "--cgroup-parent"},
	{"--builder other", CO_E_UNSUPPORTED, "--builder"},
	{"-c 5", CO_E_UNSUPPORTED, "--cpu-shares"},
	{"-D", CO_E_UNSUPPORTED, "--debug"},
	{"-o type=docker", CO_E_UNSUPPORTED, "no daemon"},
	{"-o type=doker,dest=x", CO_E_USAGE, "unknown type"},
	{"-o dest=x,dst=y", CO_E_USAGE, "unknown attribute \"dst\""},
	{"-o dest=x", CO_E_USAGE, "type= is missing"},
	{"-o type=local", CO_E_USAGE, "dest=DIRECTORY is missing"},
	{"-o type=oci,tar=false", CO_E_USAGE, "dest=DIRECTORY is missing"},
	{"-o type=tar,dest=x,tar=false", CO_E_USAGE, "tar= belongs to oci"},
	{"-o type=image,dest=x", CO_E_USAGE, "dest="},
	{"-o type=oci,dest=x,push=true", CO_E_USAGE, "push="},
	{"-o type=image,push=maybe", CO_E_USAGE, "true or false"},
	{"-o type=image,force-compression=perhaps", CO_E_USAGE, "force-compression"},
	{"-o type=image,compression=estargz", CO_E_UNSUPPORTED, "estargz"},
	{"-o type=oci,\"dest=x", CO_E_USAGE, "a quote is not closed"},
	{"--output=", CO_E_USAGE, "the value is empty"},
	{"--compression gzip --compression-level 10", CO_E_USAGE, "level \"10\""},
	{"--compression lzma", CO_E_UNSUPPORTED, "lzma"},
	{"--cpus 0", CO_E_USAGE, "--cpus"},
	{"--cpus 1x", CO_E_USAGE, "--cpus"},
	{"--cpus nan", CO_E_USAGE, "--cpus"},
	{"--memory much", CO_E_USAGE, "--memory"},
	{"--timeout soon", CO_E_USAGE, "--timeout"},
	{"--network bridge", CO_E_USAGE, "--network bridge"},
	{"--allow gpu", CO_E_USAGE, "--allow gpu"},
	{"--add-host h", CO_E_USAGE, "NAME:IP"},
	{"--add-host h:name", CO_E_USAGE, "NAME:IP"},
	{"--add-host h:host-gateway", CO_E_UNSUPPORTED, "host-gateway"},
	{"--secret src=golden.h", CO_E_USAGE, "id= is missing"},
	{"--secret id=a,src=golden.h,env=X", CO_E_USAGE, "exclude each other"},
	{"--secret id=a,env=NOT_THERE", CO_E_NOT_FOUND, "not set"},
	{"--secret id=a,src=/no/such", CO_E_NOT_FOUND, "/no/such"},
	{"--secret id=a,mode=1", CO_E_USAGE, "unknown mode=1"},
	{"--ssh key=golden.h", CO_E_UNSUPPORTED, "not a socket"},
	{"--ssh key=/no/such", CO_E_NOT_FOUND, "/no/such"},
	{"--platform linux/amd64,linux/amd64", CO_E_USAGE, "twice"},
	{"--build-context x", CO_E_USAGE, "NAME=SOURCE"},
	{"--annotation index:a=b", CO_E_UNSUPPORTED, "only manifests"},
	{"--annotation a", CO_E_USAGE, "KEY=VALUE"},
	{"--build-arg =x", CO_E_USAGE, "the name is empty"},
	{"--label =x", CO_E_USAGE, "the name is empty"},
	{"--user-policy never", CO_E_USAGE, "enforce, warn or off"},
	{"--sandbox docker", CO_E_USAGE, "--sandbox docker"},
	{"--call lint", CO_E_USAGE, "--call lint"},
	{"--check --dry-run", CO_E_USAGE, "exclude each other"},
	{"--check --call=targets", CO_E_USAGE, "exclude each other"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct world w;
		int r = make(&w, refusals[i].line);
		if (r != refusals[i].code || !strstr(w.err.msg, refusals[i].msg))
			fail_msg("%s: %d %s", refusals[i].line, r, w.err.msg);
		if (refusals[i].code == CO_E_UNSUPPORTED)
			assert_true(w.err.hint[0]); /* a refusal names what to do instead */
		co_arena_release(&w.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_everything),
		cmocka_unit_test(test_outputs),	 cmocka_unit_test(test_output_image),
		cmocka_unit_test(test_secrets),	 cmocka_unit_test(test_ssh),
		cmocka_unit_test(test_calls),	 cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
