/*
 * Devices in sysfs.
 *
 * A struct device is a directory below its parent's, with its attributes, uevent, the links
 * subsystem (to its bus) and driver, and links to it from bus/BUS/devices and
 * bus/BUS/drivers/DRIVER. A character device is a directory too, CLASS/NAME below what it is part
 * of, or below devices/virtual, with links to it from class/CLASS and dev/char/MAJOR:MINOR: that is
 * what mdev, udev, lspci and lsblk walk. Device names with a slash (input/mice) appear with '!'
 * instead, as in Linux. Links are relative; their targets are made from the depth of the place.
 *
 * Memory shortage leaves entries out: nothing in the kernel reads them.
 */
#include <linux/errno.h>
#include <linux/major.h>
#include "fs/sysfs_internal.h"
#include "kernel/base/device.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

/* See sysfs.h. ctx: any */
bool sysfs_device_path(const struct device *d, char *path, size_t size)
{
	if (d->parent) {
		if (!sysfs_device_path(d->parent, path, size))
			return false;
	} else if (strlcpy(path, "devices", size) >= size) {
		return false;
	}
	return strlcat(path, "/", size) < size && strlcat(path, d->name, size) < size;
}

/* See sysfs.h. ctx: thread; sleeps */
void sysfs_add_link(const char *target, const char *fmt, ...)
{
	char path[SYSFS_PATH_MAX], text[SYSFS_PATH_MAX] = "";
	const struct pseudo_attr link = { .target = text };
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(path))
		return;
	for (const char *p = path; *p; p++)
		if (*p == '/')
			strlcat(text, "../", sizeof(text));
	if (strlcat(text, target, sizeof(text)) < sizeof(text))
		(void)sysfs_add(path, &link);
}

/* --- events --- */

void (*sysfs_uevent_hook)(const char *text, size_t size);
static u64 event_seq; /* a: of the last event */

static int seqnum_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%llu\n", (unsigned long long)READ_ONCE(event_seq));
	return 0;
}

/* See sysfs.h. ctx: any */
u64 sysfs_event_number(void)
{
	return __atomic_add_fetch(&event_seq, 1, __ATOMIC_RELAXED);
}

/* See sysfs.h. Without memory it is lost, as a slow reader would lose it. ctx: thread; sleeps */
void sysfs_event(const char *action, const char *path, const char *subsystem,
		 int (*lines)(struct sbuf *out, void *arg), void *arg)
{
	u64 seq = sysfs_event_number();
	char *text;
	struct sbuf sb;
	size_t from;

	if (!sysfs_uevent_hook)
		return;
	text = kmalloc(SYSFS_EVENT_MAX, 0);
	if (!text)
		return;
	sbuf_init(&sb, text, SYSFS_EVENT_MAX);
	sbuf_printf(&sb, "%s@/%s%cACTION=%s%cDEVPATH=/%s%cSUBSYSTEM=%s%c", action, path, 0, action,
		    0, path, 0, subsystem, 0);
	from = sb.len;
	(void)lines(&sb, arg);
	for (size_t i = from; i < sbuf_stored(&sb); i++)
		if (text[i] == '\n')
			text[i] = '\0';
	sbuf_printf(&sb, "SEQNUM=%llu%c", (unsigned long long)seq, 0);
	if (!sbuf_overflowed(&sb))
		sysfs_uevent_hook(text, sb.len);
	kfree(text);
}

/* See sysfs.h. ctx: any */
const char *sysfs_event_action(const char *text, size_t n)
{
	static const char *const actions[] = { "add",	 "remove",  "change", "move",
					       "online", "offline", "bind",   "unbind" };

	while (n && (text[n - 1] == '\n' || text[n - 1] == '\0'))
		n--;
	for (u32 i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strlen(actions[i]) == n && !memcmp(actions[i], text, n))
			return actions[i];
	}
	return NULL;
}

/* --- devices on buses --- */

struct shown {
	const struct device *device; /* I */
	void (*show)(const struct device *d, struct sbuf *out); /* I */
};

static int attr_show(struct sbuf *out, void *arg)
{
	const struct shown *s = arg;

	s->show(s->device, out);
	return 0;
}

static int device_uevent_show(struct sbuf *out, void *arg)
{
	const struct device *d = arg;

	if (d->driver)
		sbuf_printf(out, "DRIVER=%s\n", d->driver);
	if (d->uevent)
		d->uevent(d, out);
	return 0;
}

/* Asking for an event to be sent (again). */
static ssize_t device_uevent_write(const char *text, size_t n, void *arg)
{
	const struct device *d = arg;
	const char *action = sysfs_event_action(text, n);
	char path[SYSFS_PATH_MAX];

	if (!action)
		return -EINVAL;
	if (d->bus && sysfs_device_path(d, path, sizeof(path)))
		sysfs_event(action, path, d->bus, device_uevent_show, arg);
	return (ssize_t)n;
}

static void add_attrs(const struct device *d, const char *path)
{
	u32 n = 0;
	struct shown *shown;

	while (d->attrs && d->attrs[n].name)
		n++;
	shown = n ? kcalloc(n, sizeof(*shown), 0) : NULL;
	for (u32 i = 0; shown && i < n; i++) {
		const struct pseudo_attr a = { .mode = 0444, .show = attr_show, .arg = &shown[i] };

		shown[i] = (struct shown){ d, d->attrs[i].show };
		(void)sysfs_add_at(&a, "%s/%s", path, d->attrs[i].name);
	}
}

static void add_bus_links(const struct device *d, const char *path)
{
	char target[SYSFS_PATH_MAX];

	snprintf(target, sizeof(target), "bus/%s", d->bus);
	sysfs_add_link(target, "%s/subsystem", path);
	sysfs_add_link(path, "bus/%s/devices/%s", d->bus, d->name);
	if (!d->driver)
		return;
	snprintf(target, sizeof(target), "bus/%s/drivers/%s", d->bus, d->driver);
	sysfs_add_link(path, "%s/%s", target, d->name);
	sysfs_add_link(target, "%s/driver", path);
}

/* See device_added in device.h. */
static void show_device(const struct device *d)
{
	const struct pseudo_attr uevent = {
		.mode = 0644,
		.show = device_uevent_show,
		.write = device_uevent_write,
		.arg = (void *)d,
	};
	char path[SYSFS_PATH_MAX];

	if (!sysfs_device_path(d, path, sizeof(path)))
		return;
	(void)sysfs_add_at(&uevent, "%s/uevent", path);
	add_attrs(d, path);
	if (!d->bus)
		return;
	add_bus_links(d, path);
	sysfs_event("add", path, d->bus, device_uevent_show, (void *)d);
}

/* See device_removed in device.h. */
static void hide_device(const struct device *d)
{
	char path[SYSFS_PATH_MAX], link[SYSFS_PATH_MAX];

	if (!sysfs_device_path(d, path, sizeof(path)))
		return;
	if (d->bus) {
		sysfs_event("remove", path, d->bus, device_uevent_show, (void *)d);
		snprintf(link, sizeof(link), "bus/%s/devices/%s", d->bus, d->name);
		sysfs_remove(link);
		snprintf(link, sizeof(link), "bus/%s/drivers/%s/%s", d->bus,
			 d->driver ? d->driver : "", d->name);
		if (d->driver)
			sysfs_remove(link);
	}
	sysfs_remove(path);
}

/* See sysfs_internal.h. */
void sysfs_device_init(void)
{
	static const struct pseudo_attr seqnum = { .mode = 0444, .show = seqnum_show };

	device_added = show_device;
	device_removed = hide_device;
	(void)sysfs_add("kernel/uevent_seqnum", &seqnum);
	device_add(&device_platform);
}

/* --- character devices --- */

static const char *class_of(const struct chrdev *c)
{
	if (c->class)
		return c->class;
	switch (dev_major(c->dev)) {
	case MEM_MAJOR: return "mem";
	case MISC_MAJOR: return "misc";
	}
	return "tty";
}

static int dev_show(struct sbuf *out, void *arg)
{
	const struct chrdev *c = arg;

	sbuf_printf(out, "%u:%u\n", dev_major(c->dev), dev_minor(c->dev));
	return 0;
}

static int uevent_show(struct sbuf *out, void *arg)
{
	const struct chrdev *c = arg;

	sbuf_printf(out, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", dev_major(c->dev), dev_minor(c->dev),
		    c->name);
	if (c->mode != 0600)
		sbuf_printf(out, "DEVMODE=0%o\n", c->mode & 0777);
	return 0;
}

/* Directory of @c below the root of sysfs; *name is its last part. False: it does not fit. */
static bool chrdev_path(const struct chrdev *c, char path[SYSFS_PATH_MAX], const char **name)
{
	const char *last = strrchr(c->name, '/');
	size_t from;

	if (!c->parent)
		strlcpy(path, "devices/virtual", SYSFS_PATH_MAX);
	else if (!sysfs_device_path(c->parent, path, SYSFS_PATH_MAX))
		return false;
	strlcat(path, "/", SYSFS_PATH_MAX);
	strlcat(path, class_of(c), SYSFS_PATH_MAX);
	from = strlcat(path, "/", SYSFS_PATH_MAX);
	*name = path + from;
	return strlcat(path, last ? last + 1 : c->name, SYSFS_PATH_MAX) < SYSFS_PATH_MAX;
}

static ssize_t uevent_write(const char *text, size_t n, void *arg)
{
	const struct chrdev *c = arg;
	const char *action = sysfs_event_action(text, n), *name;
	char path[SYSFS_PATH_MAX];

	if (!action)
		return -EINVAL;
	if (chrdev_path(c, path, &name))
		sysfs_event(action, path, class_of(c), uevent_show, arg);
	return (ssize_t)n;
}

/* See sysfs.h. ctx: thread; sleeps. */
void sysfs_add_chrdev(const struct chrdev *c)
{
	const struct pseudo_attr dev = { .mode = 0444, .show = dev_show, .arg = (void *)c };
	const struct pseudo_attr uevent = {
		.mode = 0644,
		.show = uevent_show,
		.write = uevent_write,
		.arg = (void *)c,
	};
	char path[SYSFS_PATH_MAX], target[SYSFS_PATH_MAX];
	const char *name;

	if (!chrdev_path(c, path, &name))
		return;
	(void)sysfs_add_at(&dev, "%s/dev", path);
	(void)sysfs_add_at(&uevent, "%s/uevent", path);
	snprintf(target, sizeof(target), "class/%s", class_of(c));
	sysfs_add_link(target, "%s/subsystem", path);
	sysfs_add_link(path, "%s/%s", target, name);
	sysfs_add_link(path, "dev/char/%u:%u", dev_major(c->dev), dev_minor(c->dev));
	if (c->parent && sysfs_device_path(c->parent, target, sizeof(target)))
		sysfs_add_link(target, "%s/device", path);
	sysfs_event("add", path, class_of(c), uevent_show, (void *)c);
}

/* See sysfs.h. ctx: thread; sleeps. */
void sysfs_remove_chrdev(const struct chrdev *c)
{
	char path[SYSFS_PATH_MAX], link[SYSFS_PATH_MAX];
	const char *name;

	if (!chrdev_path(c, path, &name))
		return;
	sysfs_event("remove", path, class_of(c), uevent_show, (void *)c);
	snprintf(link, sizeof(link), "dev/char/%u:%u", dev_major(c->dev), dev_minor(c->dev));
	sysfs_remove(link);
	snprintf(link, sizeof(link), "class/%s/%s", class_of(c), name);
	sysfs_remove(link);
	sysfs_remove(path);
}
