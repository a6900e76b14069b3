/* SPDX-License-Identifier: MIT
 *
 * test_cdi.c — device specs: which folders count more, names, classes, and what is no spec.
 */
#include "../../../builder/exec/cdi.h"
#include <cooper/str.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct place {
	char dir[64];
	unsigned warnings;
	struct co_bus bus;
	struct co_arena arena;
	struct cdi cdi;
};

static void count(void *ctx, const struct co_event *ev)
{
	struct place *p = ctx;
	p->warnings += ev->kind == CO_EV_WARNING;
}

static void put(const struct place *p, const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void place_open(struct place *p)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->dir, "/tmp/cooper-cdi-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->bus = (struct co_bus){count, p};
}

static void place_close(struct place *p)
{
	char cmd[128];
	cdi_release(&p->cdi);
	co_arena_release(&p->arena);
	snprintf(cmd, sizeof(cmd), "rm -r %s", p->dir);
	assert_int_equal(system(cmd), 0);
}

/* Names of what a request finds, with blanks between. */
static const char *found(struct place *p, const char *request)
{
	struct cdi_device *list;
	size_t n;
	const char *text = "";
	cdi_find(&p->cdi, &p->arena, request, &list, &n);
	for (size_t i = 0; i < n; i++)
		text = co_arena_printf(&p->arena, "%s%s%s", text, i ? " " : "", list[i].name);
	return text;
}

static void test_names(void **state)
{
	(void)state;
	struct place p;
	place_open(&p);
	put(&p, "a.json",
	    "{\"kind\":\"test.example/"
	    "x\",\"annotations\":{\"org.mobyproject.buildkit.device.class\":"
	    "\"all\"},\"devices\":[{\"name\":\"one\"},{\"name\":\"two\",\"annotations\":"
	    "{\"org.mobyproject.buildkit.device.class\":\"own\"}},{}]}");
	put(&p, "b.json", "{\"kind\":\"test.example/y\",\"devices\":[{\"name\":\"one\"}]}");
	const char *dirs[] = {p.dir, "/nowhere/at/all", NULL};
	cdi_load(&p.cdi, &p.arena, dirs, &p.bus);
	assert_int_equal(p.warnings, 0);
	static const char *const rows[][2] = {
		{"test.example/x=one", "test.example/x=one"},
		{"test.example/x", "test.example/x=one"},
		{"test.example/x=*", "test.example/x=one test.example/x=two"},
		{"test.example/x=own", "test.example/x=two"},
		{"test.example/x=all", "test.example/x=one"},
		{"test.example/y=one", "test.example/y=one"},
		{"test.example/y=two", ""},
		{"test.example/z=one", ""},
		{"test.example=one", ""}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(found(&p, rows[i][0]), rows[i][1]);
	place_close(&p);
}

static void test_later_folders_count_more(void **state)
{
	(void)state;
	struct place a, b;
	struct cdi_device *list;
	size_t n;
	place_open(&a);
	place_open(&b);
	put(&a, "x.json",
	    "{\"kind\":\"test.example/x\",\"devices\":[{\"name\":\"d\"},{\"name\":\"e\"}]}");
	put(&b, "x.json",
	    "{\"kind\":\"test.example/x\",\"devices\":[{\"name\":\"d\",\"annotations\":"
	    "{\"org.mobyproject.buildkit.device.autoallow\":\"true\"}}]}");
	const char *dirs[] = {a.dir, b.dir, NULL};
	cdi_load(&a.cdi, &a.arena, dirs, &a.bus);
	cdi_find(&a.cdi, &a.arena, "test.example/x=d", &list, &n);
	assert_int_equal(n, 1);
	assert_true(co_starts(list[0].spec->file, b.dir));
	assert_true(cdi_allowed(&list[0]));
	cdi_find(&a.cdi, &a.arena, "test.example/x=e", &list, &n);
	assert_int_equal(n, 1);
	assert_false(cdi_allowed(&list[0]));
	assert_string_equal(found(&a, "test.example/x=*"), "test.example/x=d test.example/x=e");
	place_close(&a);
	place_close(&b);
}

static void test_no_specs(void **state)
{
	(void)state;
	struct place p;
	place_open(&p);
	put(&p, "1.json", "");
	put(&p, "2.json", "[]");
	put(&p, "3.json", "{\"kind\":\"noslash\",\"devices\":[]}");
	put(&p, "4.json", "{\"kind\":\"test.example/x\"}");
	put(&p, "5.json", "{\"kind\":\"test.example/x\",\"devices\":{}}");
	put(&p, "6.json", "{\"kind\":7,\"devices\":[1,null,{\"name\":3}]}");
	put(&p, "7.txt", "not looked at");
	put(&p, "8.json", "{\"kind\":\"test.example/x\",\"devices\":[1,null,{\"name\":3}]}");
	const char *dirs[] = {p.dir, NULL};
	cdi_load(&p.cdi, &p.arena, dirs, &p.bus);
	assert_int_equal(p.warnings, 6);
	assert_false(p.cdi.yaml);
	assert_string_equal(found(&p, "test.example/x=*"), "");
	cdi_release(&p.cdi);
	put(&p, "9.yml", "kind: x");
	cdi_load(&p.cdi, &p.arena, dirs, NULL);
	assert_true(p.cdi.yaml);
	place_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
					   cmocka_unit_test(test_later_folders_count_more),
					   cmocka_unit_test(test_no_specs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
