/*
 * What the machine has one of and drivers hand over: the real-time clock and the power button. Each
 * is a pointer that is written once at boot, before anybody reads it; nothing is locked.
 *
 * Drivers are below those who ask (time of day, the power key), so they register here instead of
 * being called by name. A machine without such a device leaves the pointer NULL.
 */
#include "kernel/base/power.h"
#include "kernel/base/rtc.h"
#include "kernel/base/time.h"

static struct rtc *clock; /* I */
void (*power_button_hook)(void);

/* See rtc.h. */
void rtc_register(struct rtc *r)
{
	if (clock)
		return;
	clock = r;
	(void)time_set_wall(r->read(r) * NSEC_PER_SEC);
}

/* See rtc.h. ctx: any. */
struct rtc *rtc_get(void)
{
	return clock;
}
