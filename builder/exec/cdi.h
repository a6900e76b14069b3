/* SPDX-License-Identifier: MIT
 *
 * cdi.h — what the machine's owner wrote down about devices that containers may be given: the
 * Container Device Interface, specs as JSON files in folders.
 */
#pragma once
#include <cooper/arena.h>
#include <cooper/event.h>
#include <cooper/json.h>

struct cdi_spec {
	const char *file;
	const char *kind; /* "vendor.com/class" */
	json_t *json;
};
struct cdi {
	struct cdi_spec *specs; /* in the arena, those that count more first */
	size_t n;
	bool yaml; /* there were specs in YAML, which are not read */
};
struct cdi_device {
	const char *name; /* "vendor.com/class=device" */
	const struct cdi_spec *spec;
	const json_t *json; /* the device's part of the spec */
};
/* The folders of the machine and `more` (NULL-ended or NULL), which count more. A spec that can not
 * be read is left out with a warning. */
void cdi_load(struct cdi *c, struct co_arena *a, const char *const *more, struct co_bus *bus);
void cdi_release(struct cdi *c);
/* The devices that a request names: "kind=name", "kind" (its first device), "kind=*" (all of them),
 * or "kind=class" with the class of an annotation. None: *n is 0. */
void cdi_find(const struct cdi *c, struct co_arena *a, const char *request, struct cdi_device **out,
	      size_t *n);
/* Does the spec say that builds may have it without being asked for? */
bool cdi_allowed(const struct cdi_device *d);
