/*
 * /sys/class/net: a directory for each network device, below the device it is made of or below
 * devices/virtual, with its settings and counters as files.
 *
 * A file is one of a table of names; its argument is an entry of an array that is made with the
 * device's directory and stays, as devices do. Memory shortage leaves entries out.
 */
#include <linux/errno.h>
#include "fs/sysfs.h"
#include "kernel/base/errno.h"
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

struct net_file {
	const struct netdev *dev; /* I */
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
	case ADDR_ASSIGN_TYPE: sbuf_puts(out, "0\n"); return 0;
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
		sbuf_puts(out, !up		? "down\n"
			       : d == netdev_lo ? "unknown\n"
			       : link		? "up\n"
						: "down\n");
		return 0;
	case TX_QUEUE_LEN: sbuf_printf(out, "%u\n", d->tx_queue_len); return 0;
	case TYPE: sbuf_printf(out, "%u\n", d->hw_type); return 0;
	}
	netdev_get_stats(d, &s);
	sbuf_printf(out, "%llu\n", (unsigned long long)((const u64 *)&s)[f->what - STAT]);
	return 0;
}

static ssize_t write_mtu(const char *text, size_t n, void *arg)
{
	const struct net_file *f = arg;
	u64 v;
	int err = str_to_u64(text, NULL, 0, &v);

	if (err || v > 0x7fffffff)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	err = netdev_set_mtu(netdev_by_index(f->dev->index), (u32)v);
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

/* See netlink.h. ctx: thread; sleeps */
void sysfs_net_added(const struct netdev *d)
{
	static u32 known; /* net_config_lock or boot: devices come in order of their numbers */
	struct net_file *f;
	char path[SYSFS_PATH_MAX];

	if (d->index <= known)
		return;
	known = d->index;
	f = kcalloc(ARRAY_SIZE(names), sizeof(*f), 0);
	if (!f)
		return;
	if (!d->device || !sysfs_device_path(d->device, path, sizeof(path)))
		strlcpy(path, "devices/virtual", sizeof(path));
	strlcat(path, "/net/", sizeof(path));
	if (strlcat(path, d->name, sizeof(path)) >= sizeof(path))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		struct pseudo_attr a = { .mode = 0444, .show = show, .arg = &f[i] };

		if (i == MTU) {
			a.mode = 0644;
			a.write = write_mtu;
		}
		f[i] = (struct net_file){ d, i };
		(void)sysfs_add_at(&a, "%s/%s", path, names[i]);
	}
	(void)sysfs_add_at(&(struct pseudo_attr){ .mode = 0444, .show = uevent_lines, .arg = f },
			   "%s/uevent", path);
	add_links(d, path);
	sysfs_event("add", path, "net", uevent_lines, f);
}
