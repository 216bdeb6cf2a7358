/*
 * TUN and TAP (tuntap(4) of the documentation of Linux): network devices whose other end is a
 * program that has /dev/net/tun open. TAP devices carry Ethernet frames, TUN devices IP packets.
 *
 * TUNSETIFF makes a device for the opened file, or takes one that stayed from another time
 * (TUNSETPERSIST). It has a carrier while a program has it. When the file is closed the device
 * goes, unless it is to stay; RTM_DELLINK takes it away in any case, and the program's file has
 * none then.
 *
 * Others may hold a pointer to the device at any time, without a reference (netdev.h). So a struct
 * tun is never freed: one whose device went waits in a list, the one that waited longest is used
 * again, and only when there are RECORDS_MAX. All its fields stay good to read meanwhile.
 *
 * Settings and who has which device are guarded by net_config_lock; the calls that read and write
 * packets (tun_io.c) go without it.
 */
#include <asm/fcntl.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/major.h>
#include <linux/netdevice.h>
#include <linux/poll.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include "fs/async.h"
#include "fs/poll.h"
#include "fs/sysfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/tun.h"

#define RECORDS_MAX (2 * NETDEV_MAX)
#define NOBODY (~0u)
#define TUN_MINOR 200
#define IOC_OF_SOCKETS 0x89 /* the type of ioctls that have a struct ifreq */
#define TYPES (IFF_TUN | IFF_TAP)
#define KEPT (IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR) /* of TUNSETIFF */
/* Several queues, and receiving by turns, are not offered. */
#define REFUSED (IFF_MULTI_QUEUE | IFF_NAPI | IFF_NAPI_FRAGS)

static struct list idle = LIST_INIT(idle); /* net_config_lock */
static u32 records; /* net_config_lock */

/* --- the device --- */

static struct tun *tun_of(struct netdev *d)
{
	return d->priv;
}

/* holds: net_config_lock */
static int device_open(struct netdev *d)
{
	struct tun_file *tf = tun_of(d)->file;

	if (tf)
		waitq_wake(&tf->wait, 1, POLLOUT | POLLWRNORM);
	return 0;
}

static int tap_set_addr(struct netdev *d, const u8 *addr)
{
	static const u8 none[ETH_ALEN];

	return (addr[0] & 1) || !memcmp(addr, none, ETH_ALEN) ? -EADDRNOTAVAIL : 0;
}

/* The program has no device any more. holds: net_config_lock */
static void detach(struct tun *t)
{
	struct list drop = LIST_INIT(drop);
	struct tun_file *tf = t->file;

	spin_lock(&t->lock);
	t->file = NULL;
	t->accept.count = 0;
	list_splice_tail(&drop, &t->queue);
	WRITE_ONCE(t->nqueued, 0);
	spin_unlock(&t->lock);
	pkt_purge(&drop);
	WRITE_ONCE(tf->tun, NULL);
	waitq_wake_all(&tf->wait);
}

/* holds: net_config_lock */
static void device_remove(struct netdev *d)
{
	struct tun *t = tun_of(d);

	if (t->file)
		detach(t);
	netdev_unregister_locked(d);
	list_add_tail(&idle, &t->link);
}

static int show_flags(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "0x%x\n", READ_ONCE(((struct tun *)arg)->flags));
	return 0;
}

static int show_owner(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", (int)READ_ONCE(((struct tun *)arg)->owner));
	return 0;
}

static int show_group(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", (int)READ_ONCE(((struct tun *)arg)->group));
	return 0;
}

/* Beside what /sys/class/net has of every device. */
static void add_files(struct netdev *d, const char *path)
{
	static const struct {
		const char *name;
		int (*show)(struct sbuf *out, void *arg);
	} files[] = { { "tun_flags", show_flags },
		      { "owner", show_owner },
		      { "group", show_group } };

	for (u32 i = 0; i < ARRAY_SIZE(files); i++) {
		struct pseudo_attr a = { .mode = 0444, .show = files[i].show, .arg = d->priv };

		(void)sysfs_add_at(&a, "%s/%s", path, files[i].name);
	}
}

static const struct netdev_ops tun_ops = {
	.open = device_open,
	.xmit = tun_xmit,
	.remove = device_remove,
	.add_files = add_files,
};
static const struct netdev_ops tap_ops = {
	.open = device_open,
	.xmit = tun_xmit,
	.set_addr = tap_set_addr,
	.remove = device_remove,
	.add_files = add_files,
};

/* A record that nobody has used for long, or a new one. holds: net_config_lock. NULL: no memory */
static struct tun *record_get(void)
{
	struct tun *t;

	if (records >= RECORDS_MAX) {
		t = list_first(&idle, struct tun, link);
		list_del(&t->link);
		return t;
	}
	t = kzalloc(sizeof(*t), 0);
	if (!t)
		return NULL;
	spin_init(&t->lock, RANK_NET_QUEUE);
	list_init(&t->link);
	list_init(&t->queue);
	t->dev.priv = t;
	t->dev.gone = true;
	records++;
	return t;
}

/* Field by field: others may look at it. */
static void set_up_device(struct netdev *d, u32 type)
{
	u8 mac[ETH_ALEN];

	d->driver = "tun";
	d->version = "1.6";
	d->speed = 10;
	d->carrier = true;
	d->link_seen = false;
	d->promisc = d->allmulti = d->tx_errors = 0;
	d->features = NETDEV_SG;
	d->addr_from = type == IFF_TAP ? NET_ADDR_RANDOM : NET_ADDR_PERM;
	d->gso_max = 65535;
	if (type == IFF_TAP) {
		rand_bytes(mac, sizeof(mac));
		mac[0] = (mac[0] & 0xfc) | 2;
		d->bus = "tap";
		d->ops = &tap_ops;
		d->mtu_max = 65535 - ETH_HLEN;
		ether_setup(d, mac);
		return;
	}
	d->bus = "tun";
	d->ops = &tun_ops;
	d->hw_type = ARPHRD_NONE;
	d->addr_len = 0;
	d->flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
	d->mtu = ETH_DATA_LEN;
	d->mtu_min = 68;
	d->mtu_max = 65535;
	d->tx_queue_len = TUN_READQ_SIZE;
}

/* A new device. holds: net_config_lock. 0, -EPERM, -EINVAL, -ENOMEM, -ENOSPC, -ENFILE */
static int create(const char *name, u32 flags, struct tun **out)
{
	u32 type = flags & IFF_TUN ? IFF_TUN : flags & IFF_TAP;
	struct tun *t;
	int err;

	if (!cred_capable(current->cred, CAP_NET_ADMIN))
		return -EPERM;
	if (!type)
		return -EINVAL;
	t = record_get();
	if (!t)
		return -ENOMEM;
	t->owner = t->group = NOBODY;
	t->sndbuf = 0x7fffffff;
	t->vnet_len = sizeof(struct virtio_net_hdr);
	WRITE_ONCE(t->flags, type);
	set_up_device(&t->dev, type);
	strlcpy(t->dev.name, *name ? name : type == IFF_TUN ? "tun%d" : "tap%d", IFNAMSIZ);
	err = netdev_register_locked(&t->dev);
	if (err) {
		list_add_tail(&idle, &t->link);
		return err;
	}
	*out = t;
	return 0;
}

/* --- the file --- */

static bool may_use(const struct tun *t)
{
	const struct cred *c = current->cred;

	if (cred_capable(c, CAP_NET_ADMIN))
		return true;
	return (t->owner == NOBODY || t->owner == c->euid) &&
	       (t->group == NOBODY || t->group == c->egid || cred_in_group(c, t->group));
}

/* A device that is there, for one more time. As create. -EBUSY: somebody has it */
static int reuse(struct netdev *d, u32 flags, struct tun **out)
{
	bool tun = (flags & IFF_TUN) && d->ops == &tun_ops;
	bool tap = (flags & IFF_TAP) && d->ops == &tap_ops;

	if (flags & IFF_TUN_EXCL)
		return -EBUSY;
	if (!tun && !tap)
		return -EINVAL;
	if (!may_use(tun_of(d)))
		return -EPERM;
	if (tun_of(d)->file)
		return -EBUSY;
	*out = tun_of(d);
	return 0;
}

/* TUNSETIFF. holds: net_config_lock */
static int set_iff(struct tun_file *tf, struct ifreq *r)
{
	u32 flags = (u16)r->ifr_flags;
	struct netdev *d;
	struct tun *t;
	int err;

	if (tf->tun)
		return -EEXIST;
	r->ifr_name[IFNAMSIZ - 1] = '\0';
	if (flags & REFUSED)
		return -EINVAL;
	d = netdev_by_name(r->ifr_name);
	err = d ? reuse(d, flags, &t) : create(r->ifr_name, flags, &t);
	if (err)
		return err;
	WRITE_ONCE(t->flags, (t->flags & ~KEPT) | (flags & KEPT));
	spin_lock(&t->lock);
	t->file = tf;
	spin_unlock(&t->lock);
	store_release(&tf->tun, t);
	netdev_set_carrier_locked(&t->dev, !(flags & IFF_NO_CARRIER));
	net_event(NET_LINK, &t->dev, false);
	memcpy(r->ifr_name, t->dev.name, IFNAMSIZ);
	return 0;
}

static int tun_open(struct inode *i, struct file *f)
{
	struct tun_file *tf = kzalloc(sizeof(*tf), 0);

	if (!tf)
		return -ENOMEM;
	ref_init(&tf->refs, 1);
	waitq_init(&tf->wait);
	list_init(&tf->async);
	f->priv = tf;
	f->mode |= FILE_STREAM | FILE_NOWAIT;
	return 0;
}

static void tun_release(struct file *f)
{
	struct tun_file *tf = f->priv;
	struct tun *t;

	WRITE_ONCE(tf->dead, true);
	mutex_lock(&net_config_lock);
	t = tf->tun;
	if (t && (t->flags & IFF_PERSIST)) {
		detach(t);
		netdev_set_carrier_locked(&t->dev, false);
	} else if (t) {
		device_remove(&t->dev);
	}
	mutex_unlock(&net_config_lock);
	tun_file_put(tf);
}

static u32 tun_poll(struct file *f, struct poll_table *pt)
{
	struct tun_file *tf = f->priv;
	const struct tun *t;

	poll_wait(pt, &tf->wait);
	t = READ_ONCE(tf->tun);
	if (!t)
		return POLLERR;
	return (READ_ONCE(t->nqueued) ? POLLIN | POLLRDNORM : 0) |
	       (netdev_up(&t->dev) ? POLLOUT | POLLWRNORM : 0);
}

static int tun_fasync(struct file *f, int fd, bool on)
{
	return async_change(&((struct tun_file *)f->priv)->async, f, fd, on);
}

static void tun_show(struct file *f, struct sbuf *sb)
{
	const struct tun *t = READ_ONCE(((struct tun_file *)f->priv)->tun);

	sbuf_printf(sb, "iff:\t%s\n", t ? t->dev.name : "");
}

/* --- settings --- */

/* TUNSETOFFLOAD: what the program can take; nothing without sums. holds: net_config_lock */
static int set_offload(struct tun *t, u64 v)
{
	u32 features = NETDEV_SG, known = TUN_F_CSUM | TUN_F_UFO;

	if (v & (TUN_F_TSO4 | TUN_F_TSO6))
		known |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	if (v & ~(u64)(v & TUN_F_CSUM ? known : 0))
		return -EINVAL;
	if (v & TUN_F_CSUM)
		features |= NETDEV_CSUM;
	if (v & TUN_F_TSO4)
		features |= NETDEV_TSO;
	WRITE_ONCE(t->dev.features, features);
	return 0;
}

/* An owner, or a group. holds: net_config_lock */
static int set_id(u32 *id, u64 v)
{
	if ((u32)v == NOBODY)
		return -EINVAL;
	WRITE_ONCE(*id, (u32)v);
	return 0;
}

/* holds: net_config_lock */
static int set_hw_addr(struct netdev *d, const struct ifreq *r)
{
	if (r->ifr_hwaddr.sa_family != d->shown_type)
		return d->ops->set_addr ? -EINVAL : -EOPNOTSUPP;
	return netdev_set_addr(d, (const u8 *)r->ifr_hwaddr.sa_data);
}

/* What is set by a number, given as such or by pointer. holds: net_config_lock */
static int set_number(struct tun *t, u32 cmd, u64 arg, int v)
{
	switch (cmd) {
	case TUNSETNOCSUM:
	case TUNSETDEBUG:
	case TUNSETVNETLE: return 0; /* nothing is different by it */
	case TUNSETPERSIST:
		WRITE_ONCE(t->flags, (t->flags & ~IFF_PERSIST) | (arg ? IFF_PERSIST : 0));
		return 0;
	case TUNSETOWNER: return set_id(&t->owner, arg);
	case TUNSETGROUP: return set_id(&t->group, arg);
	case TUNSETLINK:
		if (netdev_up(&t->dev))
			return -EBUSY;
		WRITE_ONCE(t->dev.shown_type, (u16)arg);
		return 0;
	case TUNSETOFFLOAD: return set_offload(t, arg);
	case TUNSETSNDBUF:
		if (v <= 0)
			return -EINVAL;
		t->sndbuf = v;
		return 0;
	case TUNSETVNETHDRSZ:
		if (v < (int)sizeof(struct virtio_net_hdr))
			return -EINVAL;
		WRITE_ONCE(t->vnet_len, (u32)v);
		return 0;
	case TUNSETCARRIER: netdev_set_carrier_locked(&t->dev, v != 0); return 0;
	}
	return -EINVAL;
}

/* What is asked; the answer's size, or an error. holds: net_config_lock */
static int answer(struct tun *t, u32 cmd, struct ifreq *r, int *v)
{
	switch (cmd) {
	case TUNGETIFF:
		memcpy(r->ifr_name, t->dev.name, IFNAMSIZ);
		r->ifr_flags = (short)(t->flags | IFF_NOFILTER); /* TUNATTACHFILTER is not there */
		return sizeof(*r);
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family = t->dev.shown_type;
		memcpy(r->ifr_hwaddr.sa_data, t->dev.addr, t->dev.addr_len);
		return sizeof(*r);
	case TUNGETSNDBUF: *v = t->sndbuf; return sizeof(*v);
	case TUNGETVNETHDRSZ: *v = (int)t->vnet_len; return sizeof(*v);
	case TUNGETVNETLE: *v = 1; return sizeof(*v);
	}
	return 0;
}

static bool is_ifreq(u32 cmd)
{
	return cmd == TUNSETIFF || cmd == TUNSETQUEUE || _IOC_TYPE(cmd) == IOC_OF_SOCKETS;
}

/* holds: net_config_lock. A size to be given back, 0, or an error */
static int do_ioctl(struct tun_file *tf, u32 cmd, u64 arg, struct ifreq *r, int *v)
{
	struct tun *t = tf->tun;
	int n;

	if (cmd == TUNSETIFF) {
		n = set_iff(tf, r);
		return n ? n : (int)sizeof(*r);
	}
	if (!t)
		return -EBADFD;
	if (cmd == SIOCSIFHWADDR)
		return set_hw_addr(&t->dev, r);
	n = answer(t, cmd, r, v);
	return n ? n : set_number(t, cmd, arg, *v);
}

static long tun_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tun_file *tf = f->priv;
	struct tun *t = READ_ONCE(tf->tun);
	struct ifreq r = { 0 };
	int n, v = 0;

	if (is_ifreq(cmd) && copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (cmd == TUNGETFEATURES)
		return put_user(arg, (u32)(TYPES | IFF_NO_CARRIER | KEPT)) ? -EFAULT : 0;
	if (cmd == TUNSETQUEUE)
		return -EINVAL; /* a device has one */
	if (cmd != TUNSETIFF && !t)
		return -EBADFD;
	if ((cmd == TUNSETSNDBUF || cmd == TUNSETVNETHDRSZ || cmd == TUNSETCARRIER ||
	     cmd == TUNSETVNETLE) &&
	    get_user(&v, arg))
		return -EFAULT;
	if (cmd == TUNSETTXFILTER)
		return t->flags & IFF_TAP ? tun_set_filter(tf, arg) : -EINVAL;
	mutex_lock(&net_config_lock);
	n = do_ioctl(tf, cmd, arg, &r, &v);
	mutex_unlock(&net_config_lock);
	if (n <= 0)
		return n;
	return copy_to_user(arg, n == sizeof(v) ? (void *)&v : &r, (size_t)n) ? -EFAULT : 0;
}

static const struct file_ops file_ops = {
	.open = tun_open,
	.release = tun_release,
	.read = tun_read,
	.write = tun_write,
	.poll = tun_poll,
	.ioctl = tun_ioctl,
	.fasync = tun_fasync,
	.show_fdinfo = tun_show,
};

static struct chrdev device = {
	.name = "net/tun",
	.dev = (u64)MISC_MAJOR << 20 | TUN_MINOR,
	.mode = 0666,
	.ops = &file_ops,
};

/* See tun.h. */
void tun_init(void)
{
	if (chrdev_register(&device))
		log_err("tun: no memory for /dev/net/tun");
}
