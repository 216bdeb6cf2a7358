#pragma once
/* Devices that a node of the device tree describes, for sysfs. */
#include "kernel/base/device.h"

/*
 * Describe the device of @node, which @driver drives: devices/platform/ADDRESS.NAME.
 * ctx: boot thread; sleeps. NULL when there is no memory: it is not shown then.
 */
const struct device *platform_device_add(int node, const char *driver);
