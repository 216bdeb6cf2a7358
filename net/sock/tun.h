#pragma once
/* TUN and TAP: between tun.c (devices, settings) and tun_io.c (packets). docs/drivers/tun.md */
#include <asm/ioctl.h>
#include <linux/if_tun.h>
#include "fs/vfs.h"
#include "kernel/lib/refcount.h"
#include "net/netdev.h"

#define TUN_EXACT 8u

/* Which frames a program wants of a TAP device (TUNSETTXFILTER). count 0: all. */
struct tun_accept {
	u32 count;
	u8 exact[TUN_EXACT][ETH_ALEN];
	u64 groups; /* of multicast: bits by a hash of the address */
};

/* l: .lock; c: net_config_lock; a atomic; I immutable. */
struct tun {
	struct netdev dev; /* a: as its fields say */
	struct list link; /* c: of those that are not in use, the oldest first */
	struct spinlock lock; /* rank NET_QUEUE */
	struct tun_file *file; /* l: who has it; NULL: nobody; changes under net_config_lock too */
	struct list queue; /* l: to be read */
	u32 nqueued; /* l; a to look */
	u32 flags; /* c; a to read: IFF_TUN or IFF_TAP, and what goes with it */
	u32 owner, group; /* c: ~0: anybody's */
	int sndbuf; /* c */
	u32 vnet_len; /* c; a to read: bytes of virtio's header */
	struct tun_accept accept; /* l */
};

/* One opening of /dev/net/tun. c: net_config_lock; a atomic; I immutable. */
struct tun_file {
	refcount_t refs; /* a */
	bool dead; /* a: the file was closed */
	struct tun *tun; /* a: changes under net_config_lock; NULL: none yet, or none any more */
	struct waitq wait; /* own lock: readers, and who polls */
	struct list async; /* async.h's */
};

void tun_file_put(struct tun_file *tf); /* ctx: any */
/* Operations of the file. */
ssize_t tun_read(struct file *f, struct uio *u, u64 *pos);
ssize_t tun_write(struct file *f, struct uio *u, u64 *pos);
/* netdev_ops.xmit */
int tun_xmit(struct netdev *d, struct pkt *p);
long tun_set_filter(const struct tun_file *tf, u64 arg); /* TUNSETTXFILTER. ctx: thread; sleeps */
void tun_init(void); /* boot */
