/*
 * /sys/class/net: a directory for each network device, below the device it is made of or below
 * devices/virtual, with its settings and counters as files.
 *
 * A file is one of a table of names; its argument is an entry of an array that is made with the
 * first directory for a struct netdev and stays, as that does. Memory shortage leaves entries out.
 */
#include <linux/errno.h>
#include "fs/sysfs.h"
#include "kernel/base/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/netlink.h"
#include "net/netdev.h"

enum what {
	ADDR_ASSIGN_TYPE,
	ADDR_LEN,
	ADDRESS,
	BROADCAST,
	CARRIER,
	DEV_ID,
	FLAGS,
	IFINDEX,
	IFLINK,
	MTU,
	OPERSTATE,
	TX_QUEUE_LEN,
	TYPE,
	STAT, /* from here on: struct netdev_stats */
};

static const char *const names[] = {
	"addr_assign_type",
	"addr_len",
	"address",
	"broadcast",
	"carrier",
	"dev_id",
	"flags",
	"ifindex",
	"iflink",
	"mtu",
	"operstate",
	"tx_queue_len",
	"type",
	"statistics/rx_packets",
	"statistics/rx_bytes",
	"statistics/tx_packets",
	"statistics/tx_bytes",
	"statistics/rx_dropped",
	"statistics/tx_dropped",
	"statistics/rx_errors",
	"statistics/multicast",
	"statistics/tx_errors",
};
_Static_assert(ARRAY_SIZE(names) == STAT + sizeof(struct netdev_stats) / sizeof(u64),
	       "a name for each counter");

/* What Linux has besides, and no device here tells apart. */
static const char zeros[] = "collisions\0rx_compressed\0rx_crc_errors\0rx_fifo_errors\0"
			    "rx_frame_errors\0rx_length_errors\0rx_missed_errors\0rx_nohandler\0"
			    "rx_over_errors\0tx_aborted_errors\0tx_carrier_errors\0tx_compressed\0"
			    "tx_fifo_errors\0tx_heartbeat_errors\0tx_window_errors\0";

/* Of each pair of queues: what could be chosen for it, and is not. */
static const char *const queue_names[] = { "rx-%u/rps_cpus", "rx-%u/rps_flow_cnt",
					   "tx-%u/tx_timeout", "tx-%u/tx_maxrate",
					   "tx-%u/xps_cpus" };

struct net_file {
	struct netdev *dev; /* I */
	u32 what; /* I */
};

static void show_mac(struct sbuf *out, const u8 *mac, u32 len)
{
	for (u32 i = 0; i < len; i++)
		sbuf_printf(out, "%s%02x", i ? ":" : "", mac[i]);
	sbuf_putc(out, '\n');
}

static int show(struct sbuf *out, void *arg)
{
	const struct net_file *f = arg;
	const struct netdev *d = f->dev;
	bool up = netdev_up(d), link = READ_ONCE(d->carrier);
	struct netdev_stats s;

	switch (f->what) {
	case ADDR_ASSIGN_TYPE: sbuf_printf(out, "%u\n", d->addr_from); return 0;
	case ADDR_LEN: sbuf_printf(out, "%u\n", d->addr_len); return 0;
	case ADDRESS: show_mac(out, d->addr, d->addr_len); return 0;
	case BROADCAST: show_mac(out, d->broadcast, d->addr_len); return 0;
	case CARRIER:
		if (!up)
			return -EINVAL;
		sbuf_printf(out, "%u\n", link);
		return 0;
	case DEV_ID: sbuf_puts(out, "0x0\n"); return 0;
	case FLAGS:
		sbuf_printf(out, "0x%x\n",
			    netdev_flags(d) & ~(IFF_RUNNING | IFF_LOWER_UP) & 0xffff);
		return 0;
	case IFINDEX:
	case IFLINK: sbuf_printf(out, "%u\n", d->index); return 0;
	case MTU: sbuf_printf(out, "%u\n", d->mtu); return 0;
	case OPERSTATE:
		sbuf_puts(out, !up	       ? "down\n"
			       : !d->link_seen ? "unknown\n"
			       : link	       ? "up\n"
					       : "down\n");
		return 0;
	case TX_QUEUE_LEN: sbuf_printf(out, "%u\n", d->tx_queue_len); return 0;
	case TYPE: sbuf_printf(out, "%u\n", d->shown_type); return 0;
	}
	netdev_get_stats(d, &s);
	sbuf_printf(out, "%llu\n", (unsigned long long)((const u64 *)&s)[f->what - STAT]);
	return 0;
}

/* MTU or TX_QUEUE_LEN. */
static ssize_t write_number(const char *text, size_t n, void *arg)
{
	const struct net_file *f = arg;
	u64 v;
	int err = str_to_u64(text, NULL, 0, &v);

	if (err || v > 0x7fffffff)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	if (f->dev->gone)
		err = -ENODEV;
	else if (f->what == MTU)
		err = netdev_set_mtu(f->dev, (u32)v);
	else
		WRITE_ONCE(f->dev->tx_queue_len, (u32)v);
	mutex_unlock(&net_config_lock);
	return err ? err : (ssize_t)n;
}

static int uevent_lines(struct sbuf *out, void *arg)
{
	const struct net_file *f = arg;

	sbuf_printf(out, "INTERFACE=%s\nIFINDEX=%u\n", f->dev->name, f->dev->index);
	return 0;
}

static void add_links(const struct netdev *d, const char *path)
{
	char of[SYSFS_PATH_MAX];

	sysfs_add_link("class/net", "%s/subsystem", path);
	sysfs_add_link(path, "class/net/%s", d->name);
	if (d->device && sysfs_device_path(d->device, of, sizeof(of)))
		sysfs_add_link(of, "%s/device", path);
}

/* Where the directory of @d is, with room for more behind it. False: too long */
static bool path_of(const struct netdev *d, char *path)
{
	if (!d->device || !sysfs_device_path(d->device, path, SYSFS_PATH_MAX))
		strlcpy(path, "devices/virtual", SYSFS_PATH_MAX);
	strlcat(path, "/net/", SYSFS_PATH_MAX);
	return strlcat(path, d->name, SYSFS_PATH_MAX) < SYSFS_PATH_MAX - 32;
}

static int show_zero(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "0\n");
	return 0;
}
static const struct pseudo_attr zero = { .mode = 0444, .show = show_zero };

/* See netlink.h. */
void sysfs_net_queues(const struct netdev *d)
{
	char path[SYSFS_PATH_MAX];
	size_t n;

	if (!path_of(d, path))
		return;
	n = strlcat(path, "/queues/", sizeof(path));
	for (u32 i = 0; i < MAX((u32)d->queues_max, 1u); i++) {
		for (u32 k = 0; k < ARRAY_SIZE(queue_names); k++) {
			snprintf(path + n, sizeof(path) - n, queue_names[k], i);
			if (!i || i < d->queues) {
				(void)sysfs_add(path, &zero);
			} else {
				*strrchr(path, '/') = '\0';
				sysfs_remove(path);
			}
		}
	}
}

/*
 * What is shown of a device. It stays, also when the device gets another name or goes, for those
 * who have files open. net_config_lock or boot.
 */
struct shown {
	struct net_file files[ARRAY_SIZE(names)];
	char path[SYSFS_PATH_MAX];
};
static char moved_from[SYSFS_PATH_MAX]; /* net_config_lock */

/* Asking for an event to be sent (again). */
static ssize_t uevent_write(const char *text, size_t n, void *arg)
{
	const struct net_file *f = arg;
	const struct shown *s = f->dev->shown;
	const char *action = sysfs_event_action(text, n);

	if (!action)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	if (!f->dev->gone)
		sysfs_event(action, s->path, "net", uevent_lines, arg);
	mutex_unlock(&net_config_lock);
	return (ssize_t)n;
}

/* The directory of @d and the links to it; false: its path is too long. */
static bool add_dir(struct netdev *d)
{
	struct shown *s = d->shown;

	if (!path_of(d, s->path))
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		struct pseudo_attr a = { .mode = 0444, .show = show, .arg = &s->files[i] };

		if (i == MTU || i == TX_QUEUE_LEN) {
			a.mode = 0644;
			a.write = write_number;
		}
		s->files[i] = (struct net_file){ d, i };
		(void)sysfs_add_at(&a, "%s/%s", s->path, names[i]);
	}
	for (const char *z = zeros; *z; z += strlen(z) + 1)
		(void)sysfs_add_at(&zero, "%s/statistics/%s", s->path, z);
	(void)sysfs_add_at(&(struct pseudo_attr){ .mode = 0644,
						  .show = uevent_lines,
						  .write = uevent_write,
						  .arg = s->files },
			   "%s/uevent", s->path);
	sysfs_net_queues(d);
	if (d->ops->add_files)
		d->ops->add_files(d, s->path);
	add_links(d, s->path);
	return true;
}

static void remove_dir(const char *path)
{
	char link[SYSFS_PATH_MAX];

	sysfs_remove(path);
	snprintf(link, sizeof(link), "class/net%s", strrchr(path, '/'));
	sysfs_remove(link);
}

/* The old path, beside the device's own lines. */
static int moved_lines(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "DEVPATH_OLD=/%s\n", moved_from);
	return uevent_lines(out, arg);
}

/* The device may have another name than its directory. */
static void rename_dir(struct netdev *d)
{
	struct shown *s = d->shown;
	char path[SYSFS_PATH_MAX];

	if (!s || !path_of(d, path) || !strcmp(path, s->path))
		return;
	strlcpy(moved_from, s->path, sizeof(moved_from));
	remove_dir(moved_from);
	if (add_dir(d))
		sysfs_event("move", s->path, "net", moved_lines, s->files);
}

static int no_lines(struct sbuf *out, void *arg)
{
	return 0;
}

/* Its queues come after a device and go before it. */
static void queue_events(const struct netdev *d, const struct shown *s, const char *action)
{
	static const char *const kinds[] = { "rx", "tx" };
	char path[SYSFS_PATH_MAX];

	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (u32 i = 0; i < MAX((u32)d->queues, 1u); i++) {
			snprintf(path, sizeof(path), "%s/queues/%s-%u", s->path, kinds[k], i);
			sysfs_event(action, path, "queues", no_lines, NULL);
		}
	}
}

/* See netlink.h. ctx: thread; sleeps */
void sysfs_net_added(struct netdev *d)
{
	static u32 known; /* net_config_lock or boot: devices come in order of their numbers */
	struct shown *s;

	if (d->index <= known) {
		proc_ipconf_renamed(d);
		rename_dir(d);
		return;
	}
	known = d->index;
	proc_ipconf_added(d);
	if (!d->shown)
		d->shown = kzalloc(sizeof(*s), 0);
	s = d->shown;
	if (!s || !add_dir(d))
		return;
	sysfs_event("add", s->path, "net", uevent_lines, s->files);
	queue_events(d, s, "add");
}

/* See netlink.h. ctx: thread; sleeps */
void sysfs_net_removed(const struct netdev *d)
{
	struct shown *s = d->shown;

	proc_ipconf_removed(d);
	if (!s)
		return;
	queue_events(d, s, "remove");
	sysfs_event("remove", s->path, "net", uevent_lines, s->files);
	remove_dir(s->path);
}
