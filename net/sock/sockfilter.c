/*
 * SO_ATTACH_FILTER: classic BPF on what a socket receives (socket(7), Linux's networking/filter).
 *
 * A program is checked once and then shared by reference: a packet may run it while another
 * replaces it. The pointer is exchanged under filter_lock (rank NET_LEAF), of all sockets, which is
 * held for that only. Who changes filters, or forbids it, does so one after the other, under
 * net_config_lock: what a family was told last is what SO_GET_FILTER tells. Loads beyond the packet
 * end the program with 0; ancillary loads answer what tcpdump and udhcpc ask for.
 */
#include <linux/errno.h>
#include <linux/if_arp.h>
#include "kernel/base/errno.h"
#include "kernel/base/rand.h"
#include "kernel/lib/bpf.h"
#include "kernel/lib/refcount.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/netdev.h"
#include "net/sock/sockfilter.h"

struct sock_filter_prog {
	refcount_t refs; /* a */
	u32 n; /* I */
	struct net_chooser chooser; /* I */
	struct sock_filter insns[]; /* I */
};

static struct spinlock filter_lock = SPINLOCK_INIT(RANK_NET_LEAF);

static void prog_put(struct sock_filter_prog *f)
{
	if (f && ref_put(&f->refs))
		kfree(f);
}

static struct sock_filter_prog *prog_get(struct socket *s)
{
	struct sock_filter_prog *f;

	spin_lock(&filter_lock);
	f = s->filter;
	if (f)
		ref_get(&f->refs);
	spin_unlock(&filter_lock);
	return f;
}

static void prog_set(struct socket *s, struct sock_filter_prog *f)
{
	struct sock_filter_prog *old;

	spin_lock(&filter_lock);
	old = s->filter;
	WRITE_ONCE(s->filter, f);
	spin_unlock(&filter_lock);
	prog_put(old);
}

static bool load_ancillary(const struct pkt *p, u32 what, u32 *out)
{
	switch (what) {
	case SKF_AD_PROTOCOL: *out = net16(p->ethertype); return true;
	case SKF_AD_PKTTYPE: *out = p->type; return true;
	case SKF_AD_IFINDEX: *out = p->dev ? p->dev->index : 0; return true;
	case SKF_AD_HATYPE: *out = p->dev ? p->dev->shown_type : 0; return true;
	case SKF_AD_CPU: *out = cpu_id(); return true;
	case SKF_AD_RANDOM: *out = (u32)rand_u64(); return true;
	case SKF_AD_MARK:
	case SKF_AD_QUEUE:
	case SKF_AD_RXHASH:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT: *out = 0; return true;
	case SKF_AD_PAY_OFFSET: *out = (u32)(p->transport - (p->head - p->base)); return true;
	}
	return false;
}

/* See struct bpf_input. Also of the headers in front of head, by SKF_NET_OFF. */
static bool load(const void *data, u32 offset, u32 size, u32 *out)
{
	const struct pkt *p = data;
	s32 at = (s32)offset;
	be32 word = 0;
	u8 *b = (u8 *)(&word + 1) - size;

	if (at < 0) {
		if (at >= SKF_AD_OFF)
			return load_ancillary(p, offset - (u32)SKF_AD_OFF, out);
		if (at < SKF_NET_OFF)
			return false;
		at += p->net - SKF_NET_OFF - (s32)pkt_headroom(p);
	}
	if (at < 0) {
		if (at + (s32)size > (s32)pkt_linear_len(p))
			return false;
		memcpy(b, p->head + at, size);
	} else {
		if ((u32)at > p->len || size > p->len - (u32)at)
			return false;
		pkt_copy_out(p, (u32)at, b, size);
	}
	*out = net32(word);
	return true;
}

/* See struct net_chooser. */
static u32 choose(const struct net_chooser *c, const struct pkt *p)
{
	const struct sock_filter_prog *f = container_of(c, const struct sock_filter_prog, chooser);
	struct bpf_input in = { load, p, p->len };

	return bpf_run(f->insns, &in);
}

/* See sockfilter.h. */
u32 socket_filter_look(struct socket *s, const struct pkt *p)
{
	struct sock_filter_prog *f = prog_get(s);
	u32 keep = f ? f->chooser.choose(&f->chooser, p) : ~0u;

	prog_put(f);
	return keep;
}

/* See sockfilter.h. */
bool socket_filter_run(struct socket *s, struct pkt *p, u32 header)
{
	u32 keep;

	pkt_push(p, header);
	keep = socket_filter_look(s, p);
	pkt_trim(p, MAX(keep, header));
	pkt_pull(p, header);
	return keep;
}

/* See sockfilter.h: for the program it is a packet all the same. An empty one is kept by 1. */
u32 socket_filter_bytes(struct socket *s, void *bytes, u32 len)
{
	struct pkt p = { .len = len, .base = bytes, .head = bytes };
	u32 keep;

	p.tail = p.end = p.head + len;
	keep = socket_filter_look(s, &p);
	return MIN(keep, MAX(len, 1u));
}

static void chooser_get(struct net_chooser *c)
{
	ref_get(&container_of(c, struct sock_filter_prog, chooser)->refs);
}

static void chooser_put(struct net_chooser *c)
{
	prog_put(container_of(c, struct sock_filter_prog, chooser));
}

/* A checked program from the user. 0 or -errno */
static int prog_take(struct socket *s, const void *val, u32 len, struct sock_filter_prog **out)
{
	struct {
		u16 n;
		u64 at;
	} prog;
	struct sock_filter_prog *f;
	u16 *scratch;
	int err = -EFAULT;

	_Static_assert(sizeof(prog) == sizeof(struct sock_fprog), "struct sock_fprog");
	if (len != sizeof(prog))
		return -EINVAL;
	if (socket_option(s, SO_LOCK_FILTER))
		return -EPERM;
	memcpy(&prog, val, sizeof(prog));
	if (!prog.n || prog.n > BPF_MAXINSNS)
		return -EINVAL;
	f = kmalloc(sizeof(*f) + prog.n * sizeof(f->insns[0]), 0);
	scratch = kcalloc(prog.n, sizeof(*scratch), 0);
	if (!f || !scratch) {
		err = -ENOMEM;
		goto out;
	}
	ref_init(&f->refs, 1);
	f->n = prog.n;
	if (!copy_from_user(f->insns, prog.at, prog.n * sizeof(f->insns[0])))
		err = bpf_check(f->insns, f->n, scratch);
	if (!err) {
		f->chooser = (struct net_chooser){ choose, chooser_get, chooser_put };
		*out = f;
		f = NULL;
	}
out:
	kfree(scratch);
	kfree(f);
	return err;
}

/* @f, with its reference, instead of what @s has; NULL: none. */
static int change(struct socket *s, struct sock_filter_prog *f)
{
	int err = 0;

	mutex_lock(&net_config_lock);
	if (socket_option(s, SO_LOCK_FILTER))
		err = -EPERM;
	else if (!f && !s->filter)
		err = -ENOENT;
	else if (s->ops->filter)
		err = s->ops->filter(s, f ? &f->chooser : NULL);
	if (!err)
		prog_set(s, f);
	mutex_unlock(&net_config_lock);
	if (err)
		prog_put(f);
	return err;
}

/* See sockfilter.h. */
int socket_filter_attach(struct socket *s, const void *val, u32 len)
{
	struct sock_filter_prog *f = NULL;
	int err = prog_take(s, val, len, &f);

	return err ? err : change(s, f);
}

/* See sockfilter.h. */
int socket_filter_lock(struct socket *s, bool on)
{
	int err = 0;

	mutex_lock(&net_config_lock);
	if (!on && socket_option(s, SO_LOCK_FILTER))
		err = -EPERM;
	else
		socket_set_option(s, SO_LOCK_FILTER, on);
	mutex_unlock(&net_config_lock);
	return err;
}

/* See sockfilter.h. */
void socket_filter_adopt(struct socket *s, struct net_chooser *c)
{
	prog_set(s, c ? container_of(c, struct sock_filter_prog, chooser) : NULL);
}

/* See sockfilter.h. */
int socket_filter_chooser(struct socket *s, const void *val, u32 len, struct net_chooser **out)
{
	struct sock_filter_prog *f;
	int err = prog_take(s, val, len, &f);

	if (!err)
		*out = &f->chooser;
	return err;
}

/* See sockfilter.h. */
int socket_filter_detach(struct socket *s)
{
	return change(s, NULL);
}

/* See sockfilter.h. */
int socket_filter_extended(int fd, u32 len)
{
	struct fdref r;
	int err = len == sizeof(u32) ? fd_borrow(fd, &r) : -EINVAL;

	if (err)
		return err;
	fd_release(&r);
	return -EINVAL;
}

/* See sockfilter.h. */
int socket_filter_give(struct socket *s, u64 uval, u32 *len)
{
	struct sock_filter_prog *f = prog_get(s);
	u32 room = *len;
	int err = 0;

	*len = f ? f->n : 0;
	if (f && room)
		err = room < f->n ? -EINVAL
				  : copy_to_user(uval, f->insns, f->n * sizeof(f->insns[0]));
	prog_put(f);
	return err;
}

/* See sockfilter.h. ctx: any */
void socket_filter_free(struct socket *s)
{
	if (s->filter)
		prog_set(s, NULL);
}
