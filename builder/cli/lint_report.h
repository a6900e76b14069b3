/* SPDX-License-Identifier: MIT
 *
 * lint_report.h — findings about Dockerfiles in the forms that people and CI systems read.
 */
#pragma once
#include "cli.h"
#include <cooper/lint.h>

struct lint_file {
	const struct co_source *source;
	const struct co_findings *findings; /* NULL when the text could not be parsed */
	const struct co_err *error;	    /* then why */
};
struct lint_report {
	const char *name; /* text json sarif github gitlab */
	void (*write)(struct co_buf *out, const struct lint_file *files, size_t n);
};
extern const struct lint_report lint_reports[];		      /* NULL-named end */
const struct lint_report *lint_report_find(const char *name); /* NULL: none of this name */
