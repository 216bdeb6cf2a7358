#pragma once
/*
 * sysfs: who has something to show adds it by path under /sys. Directories on the way are made; for
 * a device file, sysfs_add_chrdev makes what mdev, udev and readers of /sys/dev expect.
 */
#include "fs/pseudo.h"

void sysfs_init(void); /* boot, before the first device is registered */
/*
 * A file, link or directory at @path ("class/tty/console/active"). 0, -EEXIST, -ENOTDIR, -ENOMEM.
 * ctx: thread; sleeps
 */
int sysfs_add(const char *path, const struct pseudo_attr *a);
int sysfs_add_dir(const char *path);
void sysfs_remove(const char *path);
/*
 * CLASS/NAME below its parent or devices/virtual, with dev, uevent and subsystem, and the links to
 * it from class/ and dev/char/.
 */
void sysfs_add_chrdev(const struct chrdev *c);
void sysfs_remove_chrdev(const struct chrdev *c);
/*
 * Gets each event of a device, as netlink carries it: "ACTION@PATH" and KEY=VALUE, each ended by NUL.
 * Set at boot by who hands them on; NULL: nobody. ctx: thread; may not sleep.
 */
extern void (*sysfs_uevent_hook)(const char *text, size_t size);
