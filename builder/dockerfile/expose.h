/* SPDX-License-Identifier: MIT
 *
 * expose.h — the parts of an EXPOSE word, for the parser of ports and for the checks.
 */
#pragma once
#include <cooper/arena.h>

/* [ip:][host:]port[/proto]; a part that is not there is "". */
struct expose_parts {
	const char *ip, *host, *port, *proto;
};
void expose_split(struct expose_parts *out, struct co_arena *a, const char *word);
