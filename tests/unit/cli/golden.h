/* SPDX-License-Identifier: MIT
 *
 * Texts compared with files beside the tests; GOLDEN=write writes them anew.
 */
#pragma once
#include "../../../builder/cli/render-internal.h"
#include <cooper/fs.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants those before it */
#include <cmocka.h>

static inline char *read_all(const char *path)
{
	struct co_err err = CO_ERR_INIT;
	char *text;
	size_t len;
	if (co_read_file(AT_FDCWD, path, 16u << 20, &text, &len, &err) < 0)
		fail_msg("%s", err.msg);
	return text;
}

static inline void golden(const char *path, const char *got)
{
	const char *mode = getenv("GOLDEN");
	struct co_err err = CO_ERR_INIT;
	if (mode && !strcmp(mode, "write")) {
		assert_int_equal(co_write_file(AT_FDCWD, path, got, strlen(got), 0644, &err), 0);
		return;
	}
	auto_free char *want = read_all(path);
	if (strcmp(want, got))
		fail_msg("%s differs.\n--- wanted\n%s\n--- got\n%s", path, want, got);
}
