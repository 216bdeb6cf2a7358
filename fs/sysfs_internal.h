#pragma once
/* Between the files of sysfs. */
#include "fs/sysfs.h"

#define SYSFS_PATH_MAX 192

/* sysfs_add at a path that is printed. 0, -ENAMETOOLONG, or as sysfs_add. ctx: thread; sleeps. */
int __printf(2, 3) sysfs_add_at(const struct pseudo_attr *a, const char *fmt, ...);
/* ctx: boot; sleeps. Memory shortage leaves entries out. */
void sysfs_add_cpus(void);
void sysfs_device_init(void);
