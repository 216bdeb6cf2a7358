/*
 * The tree of devices (device.h). Buses and drivers below the file systems describe what they find;
 * sysfs, above, has registered a function and is told. Nobody else keeps a list.
 *
 * The hook is set before the first bus is scanned and never again, so it is read without a lock. A
 * kernel without sysfs would lose the pictures of its devices, not the devices.
 */
#include "kernel/base/device.h"

const struct device device_platform = { .name = "platform" };

void (*device_added)(const struct device *d);
void (*device_removed)(const struct device *d);

/* See device.h. ctx: boot thread; sleeps. */
void device_add(const struct device *d)
{
	if (device_added)
		device_added(d);
}

/* See device.h. ctx: thread; sleeps */
void device_del(const struct device *d)
{
	if (device_removed)
		device_removed(d);
}
