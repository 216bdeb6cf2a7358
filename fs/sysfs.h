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

#define SYSFS_PATH_MAX 192
/* sysfs_add at a path that is printed. 0, -ENAMETOOLONG, or as sysfs_add. ctx: thread; sleeps. */
int __printf(2, 3) sysfs_add_at(const struct pseudo_attr *a, const char *fmt, ...);
/* A link at the printed path to @target, which is given from the root. ctx: thread; sleeps */
void __printf(2, 3) sysfs_add_link(const char *target, const char *fmt, ...);
/* Path of @d below the root; false when it does not fit in @size. */
bool sysfs_device_path(const struct device *d, char *path, size_t size);
/*
 * Send the event @action ("add") of what is at @path, of @subsystem; @lines makes its uevent text.
 * ctx: thread; sleeps
 */
void sysfs_event(const char *action, const char *path, const char *subsystem,
		 int (*lines)(struct sbuf *out, void *arg), void *arg);
/* The action that a write to a uevent file asks for, or NULL. */
const char *sysfs_event_action(const char *text, size_t n);
/*
 * CLASS/NAME below its parent or devices/virtual, with dev, uevent and subsystem, and the links to
 * it from class/ and dev/char/.
 */
void sysfs_add_chrdev(const struct chrdev *c);
void sysfs_remove_chrdev(const struct chrdev *c);
/*
 * Gets each event of a device, as netlink carries it: "ACTION@PATH" and KEY=VALUE, each ended by
 * NUL. Set at boot by who hands them on; NULL: nobody. ctx: thread; may not sleep.
 */
extern void (*sysfs_uevent_hook)(const char *text, size_t size);
#define SYSFS_EVENT_MAX 2048 /* bytes of an event */
u64 sysfs_event_number(void); /* of a new event */
