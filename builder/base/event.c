/* SPDX-License-Identifier: MIT */
#include <cooper/clock.h>
#include <cooper/event.h>
#include <stdarg.h>
#include <stdio.h>

void co_emit(struct co_bus *bus, struct co_event ev)
{
	if (!bus || !bus->emit)
		return;
	ev.t_ns = co_mono_ns();
	bus->emit(bus->ctx, &ev);
}

static void say(struct co_bus *bus, enum co_event_kind kind, const char *rule, const char *fmt,
		va_list ap)
{
	char text[2048];
	vsnprintf(text, sizeof(text), fmt, ap);
	co_emit(bus, (struct co_event){.kind = kind, .rule = rule, .text = text});
}

void co_note(struct co_bus *bus, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(bus, CO_EV_NOTE, NULL, fmt, ap);
	va_end(ap);
}

void co_warn(struct co_bus *bus, const char *rule, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(bus, CO_EV_WARNING, rule, fmt, ap);
	va_end(ap);
}

const char *co_event_name(enum co_event_kind kind)
{
	static const char *const names[] = {
#define NAME(name, text) [CO_EV_##name] = text,
		CO_EVENTS(NAME)
#undef NAME
	};
	return kind < CO_EV_COUNT ? names[kind] : "";
}
