#pragma once
/* Between the files of sysfs. */
#include "fs/sysfs.h"

/* ctx: boot; sleeps. Memory shortage leaves entries out. */
void sysfs_add_cpus(void);
void sysfs_device_init(void);
void sysfs_add_firmware(void);
