/* SPDX-License-Identifier: MIT
 *
 * Findings in every form.
 */
#include "../../../builder/cli/lint_report.h"
#include "golden.h"
#include <cooper/json.h>

static const struct co_lint_rule rule_a = {"FirstRule", "about a", "https://x.example/a", false};
static const struct co_lint_rule rule_b = {"SecondRule", "about b", NULL, false};
static const char text[] = "FROM a\nCMD x\n\033[31mRUN y\n";
static const struct co_source good = {
	.name = "a,b:Dockerfile", .text = text, .len = sizeof(text) - 1};
static const struct co_source broken = {.name = "other/Dockerfile", .text = "FRM a\n", .len = 6};

static void test_reports(void **state)
{
	(void)state;
	struct co_finding items[] = {{&rule_a, "JSON is better than \"shell\"", {2, 1, 2}},
				     {&rule_b, "100% odd\nand hostile \033[2J", {3, 0, 4}},
				     {&rule_b, "100% odd\nand hostile \033[2J", {3, 0, 4}},
				     {&rule_b, "no place", {0, 0, 0}}};
	struct co_findings found = {.items = items, .n = 4};
	struct co_err err = CO_ERR_INIT;
	co_fail(&err, CO_E_SYNTAX, "unknown instruction: FRM");
	co_locate(&err, &broken, (struct co_pos){1, 1, 1});
	const struct lint_file files[] = {{.source = &good, .findings = &found},
					  {.source = &broken, .error = &err}};
	for (const struct lint_report *r = lint_reports; r->name; r++) {
		auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
		char path[64];
		r->write(&out, files, 2);
		snprintf(path, sizeof(path), "lint/%s.txt", r->name);
		if (strcmp(r->name, "sarif")) /* holds all rules and the version */
			golden(path, co_buf_str(&out));
	}
}

static const json_t *walk(const json_t *j, const char *const *path)
{
	for (; *path; path++)
		j = json_is_array(j) ? json_array_get(j, (size_t)(**path - '0'))
				     : json_object_get(j, *path);
	return j;
}

static void test_sarif(void **state)
{
	(void)state;
	struct co_finding item = {&rule_a, "text", {2, 3, 4}};
	struct co_findings found = {.items = &item, .n = 1, .error = true};
	const struct lint_file file = {.source = &good, .findings = &found};
	auto_buf out = CO_BUF_INIT(CO_BUF_TEXT);
	struct co_err err = CO_ERR_INIT;
	json_t *parsed;
	lint_report_find("sarif")->write(&out, &file, 1);
	assert_int_equal(co_json_parse(&parsed, co_buf_str(&out), out.len, "sarif", &err), 0);
	auto_json doc = parsed;
	const json_t *run = walk(doc, (const char *const[]){"runs", "0", NULL});
	const json_t *result = walk(run, (const char *const[]){"results", "0", NULL});
	const json_t *region =
		walk(result,
		     (const char *const[]){"locations", "0", "physicalLocation", "region", NULL});
	assert_string_equal(co_json_str(doc, "version"), "2.1.0");
	assert_string_equal(co_json_str(result, "ruleId"), "FirstRule");
	assert_string_equal(co_json_str(result, "level"), "error");
	assert_int_equal(co_json_int(region, "startLine", 0), 2);
	assert_int_equal(co_json_int(region, "startColumn", 0), 3);
	assert_int_equal(co_json_int(region, "endLine", 0), 4);
	size_t n = 0;
	for (const struct co_lint_rule *r = co_lint_rules; r->name; r++)
		n++;
	const json_t *rules = walk(run, (const char *const[]){"tool", "driver", "rules", NULL});
	assert_int_equal(json_array_size(rules), n + 1);
	assert_true(n >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reports),
					   cmocka_unit_test(test_sarif)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
