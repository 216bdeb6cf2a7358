/*
 * /proc/sys/net/ipv4/conf and neigh: a directory of settings for each device, one for those that
 * all devices look at, one for what new devices begin with.
 *
 * Each file is one number of a struct ip_conf (net/ipconf.h). What is written to "default" reaches
 * devices without an address where nobody has written that setting, and forwarding of "all" is that
 * of each; who begins to forward hears no redirects. What is not built can only be off:
 * source routes are never obeyed, there is no routing of multicast. Questions of ARP come from an
 * address of the device itself, as arp_announce asks for with 2 and allows with less. Times of
 * neighbours are files in two units. ip-sysctl, arp(7).
 */
#include <linux/errno.h>
#include "fs/procfs.h"
#include "fs/pseudo.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/route.h"
#include "net/sock/netlink.h"

/* In order of the UAPI's numbers, from 1. */
static const char conf_names[] =
	"forwarding\0mc_forwarding\0proxy_arp\0accept_redirects\0secure_redirects\0"
	"send_redirects\0shared_media\0rp_filter\0accept_source_route\0bootp_relay\0"
	"log_martians\0tag\0arp_filter\0medium_id\0disable_xfrm\0disable_policy\0"
	"force_igmp_version\0arp_announce\0arp_ignore\0promote_secondaries\0arp_accept\0"
	"arp_notify\0accept_local\0src_valid_mark\0proxy_arp_pvlan\0route_localnet\0"
	"igmpv2_unsolicited_report_interval\0igmpv3_unsolicited_report_interval\0"
	"ignore_routes_with_linkdown\0drop_unicast_in_l2_multicast\0drop_gratuitous_arp\0"
	"bc_forwarding\0arp_evict_nocarrier\0";

/* Those that can only be 0. */
#define ALWAYS_OFF                                                                 \
	(BIT(IPV4_DEVCONF_MC_FORWARDING) | BIT(IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE) | \
	 BIT(IPV4_DEVCONF_MEDIUM_ID) | BIT(IPV4_DEVCONF_PROXY_ARP_PVLAN) |         \
	 BIT(IPV4_DEVCONF_BC_FORWARDING))

static const struct {
	char name[24];
	u8 which;
	u16 unit; /* of the file, in that of the setting */
} neigh_names[] = {
	{ "base_reachable_time", NEIGH_REACHABLE_MS, 1000 },
	{ "base_reachable_time_ms", NEIGH_REACHABLE_MS, 1 },
	{ "retrans_time", NEIGH_RETRANS_MS, 10 },
	{ "retrans_time_ms", NEIGH_RETRANS_MS, 1 },
	{ "delay_first_probe_time", NEIGH_DELAY_S, 1 },
	{ "ucast_solicit", NEIGH_ASK_ONE, 1 },
	{ "mcast_solicit", NEIGH_ASK_ALL, 1 },
	{ "locktime", NEIGH_LOCK_TICKS, 1 },
	{ "unres_qlen", NEIGH_QUEUE, 1 },
};

struct conf_file {
	struct ip_conf *conf; /* I */
	u8 which; /* I */
	u16 unit; /* I */
};

static int conf_show(struct sbuf *out, void *arg)
{
	const struct conf_file *f = arg;

	sbuf_printf(out, "%d\n", READ_ONCE(f->conf->v[f->which]) / f->unit);
	return 0;
}

/* holds: net_config_lock */
static void set(struct ip_conf *c, u32 which, int v)
{
	bool forwarding = which == IPV4_DEVCONF_FORWARDING;

	if (c == &ip_conf_all && forwarding && v != c->v[which]) {
		WRITE_ONCE(ip_conf_default.v[which], v);
		if (v)
			WRITE_ONCE(c->v[IPV4_DEVCONF_ACCEPT_REDIRECTS], 0);
	}
	WRITE_ONCE(c->v[which], v);
	c->written |= BIT(which);
	for (struct netdev *d = netdev_next(0); d; d = netdev_next(d->index)) {
		bool own = d->conf.written & BIT(which);

		if (forwarding ? c == &ip_conf_all : c == &ip_conf_default && !own)
			WRITE_ONCE(d->conf.v[which], v);
	}
	route_changed();
}

static ssize_t conf_write(const char *text, size_t n, void *arg)
{
	const struct conf_file *f = arg;
	bool times = f->which > IPV4_DEVCONF_MAX, off = !times && (ALWAYS_OFF & BIT(f->which));
	int v, max = off ? 0 : 0x7fffffff / f->unit;
	struct sysctl_int one = { NULL, &v, off || times ? 0 : -max - 1, max, 0 };
	ssize_t done = sysctl_int_write(text, n, &one);

	if (done < 0)
		return done;
	mutex_lock(&net_config_lock);
	set(f->conf, f->which, v * f->unit);
	mutex_unlock(&net_config_lock);
	return done;
}

#define PER_DEVICE (IPV4_DEVCONF_MAX + ARRAY_SIZE(neigh_names))

/*
 * The files of one struct ip_conf. They stay when the device goes, and are those of the next one
 * that takes its record: who has a file open may be about to call it. c guarded by net_config_lock.
 */
struct conf_dir {
	char name[IFNAMSIZ]; /* c: of the directories; "": there are none */
	struct conf_file files[PER_DEVICE]; /* I */
};

static void add(struct conf_file *f, const char *kind, const char *dev, const char *name)
{
	struct pseudo_attr a = { .mode = 0644, .show = conf_show, .write = conf_write, .arg = f };
	char path[96];

	if (f->which == IPV4_DEVCONF_MC_FORWARDING)
		a.mode = 0444;
	snprintf(path, sizeof(path), "sys/net/ipv4/%s/%s/%s", kind, dev, name);
	(void)procfs_add(path, &a);
}

/* NULL: no memory, the files are left out. */
static struct conf_dir *alloc_dir(struct ip_conf *c)
{
	struct conf_dir *dir = kzalloc(sizeof(*dir), 0);
	struct conf_file *f = dir ? dir->files : NULL;

	if (!dir)
		return NULL;
	for (u8 i = 1; i <= IPV4_DEVCONF_MAX; i++)
		*f++ = (struct conf_file){ c, i, 1 };
	for (u32 i = 0; i < ARRAY_SIZE(neigh_names); i++)
		*f++ = (struct conf_file){ c, neigh_names[i].which, neigh_names[i].unit };
	return dir;
}

static void show_dir(struct conf_dir *dir, const char *dev)
{
	const char *name = conf_names;
	struct conf_file *f;

	if (!dir)
		return;
	f = dir->files;
	strlcpy(dir->name, dev, sizeof(dir->name));
	for (u32 i = 0; i < IPV4_DEVCONF_MAX; i++, f++, name += strlen(name) + 1)
		add(f, "conf", dev, name);
	for (u32 i = 0; i < ARRAY_SIZE(neigh_names) && f->conf != &ip_conf_all; i++, f++)
		add(f, "neigh", dev, neigh_names[i].name);
}

/* See netlink.h. */
void proc_ipconf_added(struct netdev *d)
{
	if (d->index == 1) {
		show_dir(alloc_dir(&ip_conf_all), "all");
		show_dir(alloc_dir(&ip_conf_default), "default");
	}
	if (!d->conf_dir)
		d->conf_dir = alloc_dir(&d->conf);
	show_dir(d->conf_dir, d->name);
}

/* See netlink.h. */
void proc_ipconf_removed(const struct netdev *d)
{
	static const char *const kinds[] = { "conf", "neigh" };
	struct conf_dir *dir = d->conf_dir;
	char path[64];

	if (!dir || !dir->name[0])
		return;
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "sys/net/ipv4/%s/%s", kinds[i], dir->name);
		procfs_remove(path);
	}
	dir->name[0] = '\0';
}

/* See netlink.h. */
void proc_ipconf_renamed(struct netdev *d)
{
	const struct conf_dir *dir = d->conf_dir;

	if (!dir || !strcmp(dir->name, d->name))
		return;
	proc_ipconf_removed(d);
	show_dir(d->conf_dir, d->name);
}

static const struct conf_file forward = { &ip_conf_all, IPV4_DEVCONF_FORWARDING, 1 };
PROC_FILE(ip_forward, "sys/net/ipv4/ip_forward", 0644, .show = conf_show, .write = conf_write,
	  .arg = (void *)&forward);
SYSCTL_INT(neigh_max, "sys/net/ipv4/neigh/default/gc_thresh3", &neigh_max, 1, 65536);
