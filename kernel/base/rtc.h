#pragma once
/*
 * Contract of a real-time clock: whole seconds since 1970 that go on while the machine is off. The
 * first one registered sets wall time; /dev/rtc0 is made of it by kernel/sys.
 */
#include "kernel/base/device.h"

struct rtc {
	const char *name; /* I */
	const struct device *parent; /* I: for sysfs; NULL: none */
	/* ctx: any. */
	s64 (*read)(struct rtc *r);
	void (*set)(struct rtc *r, s64 seconds);
	/* Interrupt at @seconds, or none. NULL: no alarm. */
	void (*set_alarm)(struct rtc *r, s64 seconds, bool on);
	/* set by the user of the clock: the alarm went off. IRQ context */
	void (*alarm)(struct rtc *r);
};

void rtc_register(struct rtc *r); /* ctx: boot */
struct rtc *rtc_get(void); /* NULL: the machine has none */
