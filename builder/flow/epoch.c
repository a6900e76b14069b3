/* SPDX-License-Identifier: MIT
 *
 * The one time that may reach an image.
 */
#include "flow-internal.h"
#include <stdlib.h>

static const char *from_args(const struct build *b)
{
	for (size_t i = b->o->n_build_args; i > 0; i--)
		if (!strcmp(b->o->build_args[i - 1].key, "SOURCE_DATE_EPOCH"))
			return b->o->build_args[i - 1].value;
	return NULL;
}

/* ARG SOURCE_DATE_EPOCH=… above the first FROM. */
static const char *from_globals(const struct co_plan *plan)
{
	for (size_t i = plan->n_globals; i > 0; i--)
		if (!strcmp(plan->globals[i - 1].key, "SOURCE_DATE_EPOCH"))
			return plan->globals[i - 1].value;
	return NULL;
}

int epoch_choose(struct build *b, const struct co_plan *plan, struct co_err *err)
{
	const char *text = b->o->epoch;
	if (!text)
		text = from_args(b);
	if (!text)
		text = getenv("SOURCE_DATE_EPOCH");
	if (!text)
		text = from_globals(plan);
	b->epoch = b->has_context && b->context.epoch >= 0 ? b->context.epoch : 0;
	if (!text || !*text || !strcmp(text, "context"))
		return 0;
	if (!co_parse_i64(text, &b->epoch) || b->epoch < 0) {
		co_fail(err, CO_E_USAGE, "invalid SOURCE_DATE_EPOCH \"%s\"", text);
		return co_hint(err, "it is a number of seconds since 1970-01-01, or \"context\"");
	}
	return 0;
}
