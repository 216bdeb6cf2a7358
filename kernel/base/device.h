#pragma once
/*
 * Devices as a tree: what hangs on what, by which bus, driven by whom. Nothing here drives
 * anything; a bus that finds a device describes it, and sysfs shows the description.
 *
 * A device stays until power-off, or until its bus says that it was taken away. I immutable once
 * added.
 */
#include "kernel/lib/sbuf.h"

struct device;

struct device_attr {
	const char *name;
	/* The file's text, or bytes. ctx: thread */
	void (*show)(const struct device *d, struct sbuf *out);
};

struct device {
	char name[32]; /* I: in its parent's directory and on its bus */
	const struct device *parent; /* I: NULL: at the top */
	const char *bus; /* I: "pci"; NULL: of no bus */
	const char *driver; /* I: bound to it; NULL: none */
	const struct device_attr *attrs; /* I: ends with one that has no name; NULL: none */
	/* I: KEY=value lines of its events, behind DRIVER; NULL: none. ctx: thread */
	void (*uevent)(const struct device *d, struct sbuf *out);
};

/* What hangs on the device tree's root, or directly on the CPU's bus. */
extern const struct device device_platform;

/* Make @d known. ctx: boot thread; sleeps. */
void device_add(const struct device *d);
/* @d was taken away, and nothing hangs on it any more. It stays in memory. ctx: thread; sleeps */
void device_del(const struct device *d);
/* Set by who shows devices (sysfs), before the first is added. NULL: nobody. */
extern void (*device_added)(const struct device *d);
extern void (*device_removed)(const struct device *d);
