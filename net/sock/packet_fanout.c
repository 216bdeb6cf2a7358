/*
 * PACKET_FANOUT: sockets of AF_PACKET that share what comes (packet(7)).
 *
 * Those who join a group are bound alike, to one protocol and one device, and stay so: then a frame
 * goes to one of them, as the group's kind says: by the flow, in turn, by CPU, by chance, by a
 * program (classic BPF), or to the first that has room. The group ends with its last member.
 *
 * Of a group, the first member stands for all in the list of sockets (af_packet.c). What leaves
 * takes with it the order: the last comes to its place. Fragments are not put together
 * (PACKET_FANOUT_FLAG_DEFRAG is refused): by the flow they go by their addresses alone.
 *
 * Locking: packet_lock, for all of it. A member's queue has its own.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/chooser.h"
#include "net/ip.h"
#include "net/sock/packet.h"
#include "net/sock/sockfilter.h"

#define FLAG(name) ((PACKET_FANOUT_FLAG_##name) >> 8)
#define MEMBERS_MAX (1u << 16)
#define MEMBERS_USUAL 256u

/* p: packet_lock; I immutable. */
struct packet_fanout {
	struct list link; /* p */
	u16 id; /* I */
	u8 type, flags; /* I: PACKET_FANOUT_*, those of flags shifted by 8 */
	be16 protocol; /* I */
	u32 ifindex; /* I */
	u32 most, n; /* I, p: members */
	u32 turn; /* p */
	struct list members; /* p: struct packet_sock.fellow */
	struct net_chooser *program; /* p: reference; NULL: none yet */
};

static struct list groups = LIST_INIT(groups); /* packet_lock */
static u16 next_id; /* packet_lock */

/* --- one of them --- */

/* The same both ways; fragments go by their addresses. */
static u32 flow_hash(const struct netdev *d, const struct pkt *p)
{
	u32 off = packet_shown_link(d, p);
	struct iphdr h = { .ihl = 0 };
	be16 port[2] = { 0, 0 };

	if (p->ethertype == net16(ETH_P_IP) && p->len >= off + sizeof(h))
		pkt_copy_out(p, off, &h, sizeof(h));
	off += h.ihl * 4u;
	if ((h.protocol == IPPROTO_TCP || h.protocol == IPPROTO_UDP) &&
	    !(h.frag_off & net16(IP_MF | IP_OFFSET)) && p->len >= off + sizeof(port))
		pkt_copy_out(p, off, port, sizeof(port));
	return ((h.saddr ^ h.daddr ^ h.protocol) * 0x85ebca6bu + (u32)(port[0] ^ port[1])) *
	       0x9e3779b1u;
}

/* Did many of the last frames that @k was short of room for belong to that flow? */
static bool is_huge(struct packet_sock *k, u32 hash)
{
	u32 count = 0;

	for (u32 i = 0; i < ARRAY_SIZE(k->flows); i++)
		count += k->flows[i] == hash;
	k->flows[rand_u64() % ARRAY_SIZE(k->flows)] = hash;
	return count > ARRAY_SIZE(k->flows) / 2;
}

static struct packet_sock *member(const struct packet_fanout *f, u32 index)
{
	struct packet_sock *k;

	list_for_each(k, &f->members, fellow) {
		if (!index--)
			break;
	}
	return k;
}

/*
 * Another one that has room instead of @k; @spare: only if that is short of it, and
 * has not one flow to blame.
 */
static struct packet_sock *roll(struct packet_fanout *f, struct packet_sock *k, bool spare,
				const struct netdev *d, const struct pkt *p)
{
	enum packet_room room = PACKET_ROOM_NONE;
	u32 at = MIN(k->rolled_to, f->n - 1), i = at;

	if (spare) {
		room = packet_room(k, p);
		if (room == PACKET_ROOM_MUCH ||
		    (room == PACKET_ROOM_LITTLE && !is_huge(k, flow_hash(d, p))))
			return k;
	}
	do {
		struct packet_sock *next = member(f, i);

		if (!(spare && next == k) && packet_room(next, p) == PACKET_ROOM_MUCH) {
			k->rolled_to = i;
			k->rolled.tp_all++;
			k->rolled.tp_huge += room == PACKET_ROOM_LITTLE;
			return next;
		}
		i = (i + 1) % f->n;
	} while (i != at);
	k->rolled.tp_failed++;
	return k;
}

/* See packet.h. */
struct packet_sock *packet_fanout_choose(struct packet_fanout *f, const struct netdev *d,
					 const struct pkt *p)
{
	struct packet_sock *k;
	u32 i = 0; /* of PACKET_FANOUT_QM, too: there is one queue */

	switch (f->type) {
	case PACKET_FANOUT_HASH: i = (u32)((u64)flow_hash(d, p) * f->n >> 32); break;
	case PACKET_FANOUT_LB: i = ++f->turn % f->n; break;
	case PACKET_FANOUT_CPU: i = cpu_id() % f->n; break;
	case PACKET_FANOUT_RND: i = (u32)rand_u64() % f->n; break;
	case PACKET_FANOUT_CBPF:
		if (f->program)
			i = f->program->choose(f->program, p) % f->n;
		break;
	}
	k = member(f, i);
	if (f->type == PACKET_FANOUT_ROLLOVER || (f->flags & FLAG(ROLLOVER)))
		k = roll(f, k, f->type != PACKET_FANOUT_ROLLOVER, d, p);
	return k;
}

/* See packet.h. */
bool packet_fanout_speaks(const struct packet_sock *k)
{
	return !k->fanout || list_first(&k->fanout->members, struct packet_sock, fellow) == k;
}

/* See packet.h. */
bool packet_fanout_hears(const struct packet_fanout *f, const struct pkt *p)
{
	const struct packet_sock *k;

	list_for_each(k, &f->members, fellow) {
		if (p->owner == k)
			return false;
	}
	return true;
}

/* --- joining --- */

/* holds: packet_lock */
static struct packet_fanout *find(u16 id)
{
	struct packet_fanout *f;

	list_for_each(f, &groups, link) {
		if (f->id == id)
			return f;
	}
	return NULL;
}

/* An id that nobody has; false: there is none. holds: packet_lock */
static bool unique_id(u16 *id)
{
	for (u32 tries = 0; tries <= 0xffff; tries++) {
		*id = next_id++;
		if (!find(*id))
			return true;
	}
	return false;
}

/* @k takes frames, and the same as @f does. holds: packet_lock */
static bool is_alike(const struct packet_sock *k, const struct packet_fanout *f)
{
	const struct netdev *d = netdev_by_index(k->ifindex);

	return k->protocol && k->protocol == f->protocol && k->ifindex == f->ifindex &&
	       (!k->ifindex || (d && netdev_up(d)));
}

/* Into the group that *@mine is like, or into that, which is taken. holds: packet_lock */
static int join_locked(struct packet_sock *k, u32 most, struct packet_fanout **mine)
{
	struct packet_fanout *f = *mine, *g;

	if (k->fanout)
		return -EALREADY;
	if (f->flags & FLAG(UNIQUEID)) {
		if (f->id)
			return -EINVAL;
		if (!unique_id(&f->id))
			return -ENOMEM;
		f->flags &= (u8)~FLAG(UNIQUEID);
	}
	f->protocol = k->protocol;
	f->ifindex = k->ifindex;
	g = find(f->id);
	if (g ? g->flags != f->flags || (most && most != g->most) : most > MEMBERS_MAX)
		return -EINVAL;
	if ((g && g->type != f->type) || !is_alike(k, g ? g : f))
		return -EINVAL;
	if (g && g->n >= g->most)
		return -ENOSPC;
	if (!g) {
		list_add(&groups, &f->link);
		*mine = NULL;
		g = f;
	}
	g->n++;
	list_add_tail(&g->members, &k->fellow);
	k->fanout = g;
	return 0;
}

static int join(struct packet_sock *k, const struct fanout_args *a)
{
	struct packet_fanout *f = kzalloc(sizeof(*f), 0);
	int err;

	if (!f)
		return -ENOMEM;
	f->id = a->id;
	f->type = (u8)a->type_flags;
	f->flags = a->type_flags >> 8;
	f->most = a->max_num_members ? a->max_num_members : MEMBERS_USUAL;
	list_init(&f->members);
	spin_lock(&packet_lock);
	err = join_locked(k, a->max_num_members, &f);
	spin_unlock(&packet_lock);
	kfree(f);
	return err;
}

/* See packet.h. */
void packet_fanout_leave(struct packet_sock *k)
{
	struct packet_fanout *f = k->fanout;
	struct packet_sock *last;

	if (!f)
		return;
	last = list_last(&f->members, struct packet_sock, fellow);
	if (last != k) {
		list_del(&last->fellow);
		list_add(&k->fellow, &last->fellow);
	}
	list_del(&k->fellow);
	k->fanout = NULL;
	if (--f->n)
		return;
	list_del(&f->link);
	net_chooser_put(f->program);
	kfree(f);
}

/* --- options --- */

/* PACKET_FANOUT_DATA: the program. */
static int set_data(struct packet_sock *k, const void *val, u32 len)
{
	struct net_chooser *c, *old;
	struct packet_fanout *f = READ_ONCE(k->fanout); /* for good */
	int err;

	if (f && f->type == PACKET_FANOUT_EBPF && len == sizeof(int))
		return socket_filter_extended(*(const int *)val, len);
	if (!f || f->type != PACKET_FANOUT_CBPF)
		return -EINVAL;
	err = socket_filter_chooser(&k->s, val, len, &c);
	if (err)
		return err;
	spin_lock(&packet_lock);
	old = f->program;
	f->program = c;
	spin_unlock(&packet_lock);
	net_chooser_put(old);
	return 0;
}

/* See packet.h. */
int packet_fanout_setsockopt(struct packet_sock *k, int option, const void *val, u32 len)
{
	struct fanout_args a = { .id = 0 };

	if (option == PACKET_FANOUT_DATA)
		return set_data(k, val, len);
	if (len != sizeof(int) && len != sizeof(a))
		return -EINVAL;
	memcpy(&a, val, len);
	if ((u8)a.type_flags > PACKET_FANOUT_EBPF || (a.type_flags & PACKET_FANOUT_FLAG_DEFRAG) ||
	    ((u8)a.type_flags == PACKET_FANOUT_ROLLOVER &&
	     (a.type_flags & PACKET_FANOUT_FLAG_ROLLOVER)))
		return -EINVAL;
	return join(k, &a);
}

/* See packet.h. */
int packet_fanout_getsockopt(struct packet_sock *k, int option, void *val, u32 *len)
{
	struct packet_fanout *f = READ_ONCE(k->fanout);
	bool rolls = f && (f->type == PACKET_FANOUT_ROLLOVER || (f->flags & FLAG(ROLLOVER)));

	if (option == PACKET_FANOUT)
		return inet_opt_give(
			f ? (int)(f->id | (u32)f->type << 16 | (u32)f->flags << 24) : 0, val, len);
	if (!rolls)
		return -EINVAL;
	*len = MIN(*len, (u32)sizeof(k->rolled));
	memcpy(val, &k->rolled, *len);
	return 0;
}
