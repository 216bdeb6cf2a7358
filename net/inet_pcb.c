/*
 * Endpoints in tables: by local port for UDP, by identifier for ping sockets, by protocol number
 * for raw ones. See udp.h.
 *
 * Each table is a row of buckets with a lock each (rank NET_TABLE). Of several endpoints of a port
 * the one that says most about the packet gets it: local address, peer, device; among equals that
 * share the port by SO_REUSEPORT a hash of the peer chooses, else the one that was bound last.
 *
 * A walk over a bucket that has to let go of the lock in between (deliver_to_all) goes on behind
 * the endpoint it was at, which its reference keeps; one that left the table meanwhile ends the
 * walk.
 */
#include <linux/errno.h>
#include "kernel/base/rand.h"
#include "net/inet_pcb_internal.h"

#define BUCKETS 64u

/* b guarded by .lock */
struct bucket {
	struct spinlock lock; /* rank NET_TABLE */
	struct list pcbs; /* b */
	u32 n; /* b */
};

int inet_port_first = 32768, inet_port_last = 60999;

static struct bucket tables[PCB_TABLES][BUCKETS];
static u32 nraw; /* a */

/* See udp.h. */
void inet_pcb_tables_init(void)
{
	for (u32 i = 0; i < PCB_TABLES * BUCKETS; i++) {
		spin_init(&tables[i / BUCKETS][i % BUCKETS].lock, RANK_NET_TABLE);
		list_init(&tables[i / BUCKETS][i % BUCKETS].pcbs);
	}
}

static struct bucket *bucket_of(u8 table, u8 proto, be16 lport)
{
	return &tables[table][table == PCB_RAW ? proto % BUCKETS : net16(lport) % BUCKETS];
}

/* See udp.h. ctx: any */
void inet_pcb_init(struct inet_pcb *pcb, const struct inet_pcb_ops *ops, enum pcb_table table,
		   u8 proto)
{
	list_init(&pcb->link);
	ref_init(&pcb->refs, 1);
	pcb->ops = ops;
	pcb->table = (u8)table;
	pcb->proto = proto;
	pcb->cover_in = UDPLITE_ANY;
}

/* See udp.h. ctx: any */
void inet_pcb_put(struct inet_pcb *pcb)
{
	if (!ref_put(&pcb->refs))
		return;
	net_chooser_put(pcb->chooser);
	pcb->ops->destroy(pcb);
}

/* --- finding --- */

/* How well @pcb fits; 0: not at all. */
static u32 score(const struct inet_pcb *pcb, const struct pcb_key *key)
{
	u32 s = 1;

	if (pcb->table == PCB_RAW ? pcb->proto != key->proto : pcb->lport != key->lport)
		return 0;
	if (pcb->laddr) {
		if (pcb->laddr != key->laddr)
			return 0;
		s += 16; /* before all else: Linux looks there first */
	}
	if (pcb->faddr || pcb->fport) {
		if (pcb->faddr != key->faddr ||
		    (pcb->fport && pcb->fport != key->fport && inet_pcb_has_ports(pcb)))
			return 0;
		s += 8;
	}
	if (pcb->dev && !key->any_dev) {
		if (pcb->dev != key->dev)
			return 0;
		s += 4;
	}
	return s;
}

static bool fits(struct inet_pcb *pcb, const struct pcb_key *key, const struct pkt *p)
{
	return score(pcb, key) && (!p || !pcb->ops->wants || pcb->ops->wants(pcb, p));
}

/* Do @pcb and @other share their port as one group? holds: the bucket's lock */
static bool is_group(const struct inet_pcb *pcb, const struct inet_pcb *other)
{
	return pcb->reuseport && other->reuseport && pcb->lport == other->lport &&
	       pcb->laddr == other->laddr && pcb->uid == other->uid;
}

/*
 * One of the @n of @best's group, who fit @key as well, if they have a program that says which. The
 * one bound last is the first in the bucket. holds: the bucket's lock
 */
static struct inet_pcb *choose(const struct bucket *b, const struct pcb_key *key,
			       const struct pkt *p, struct inet_pcb *best, u32 n)
{
	const struct net_chooser *c = NULL;
	u32 at, s = score(best, key);
	struct inet_pcb *pcb;

	list_for_each(pcb, &b->pcbs, link) {
		if (pcb->chooser && is_group(pcb, best))
			c = pcb->chooser;
	}
	at = c ? c->choose(c, p) : n;
	if (at >= n)
		return best;
	at = n - 1 - at;
	list_for_each(pcb, &b->pcbs, link) {
		if (is_group(pcb, best) && score(pcb, key) == s && !at--)
			return pcb;
	}
	return best;
}

/* See inet_pcb_internal.h. */
struct inet_pcb *inet_pcb_find(const struct pcb_key *key, const struct pkt *p)
{
	struct bucket *b = bucket_of(key->table, key->proto, key->lport);
	struct inet_pcb *pcb, *best = NULL;
	u32 best_score = 0, equals = 0;

	spin_lock(&b->lock);
	list_for_each(pcb, &b->pcbs, link) {
		u32 s = score(pcb, key);

		if (s > best_score) {
			/* A group of SO_REUSEPORT that was met first keeps it. */
			if (best && best->reuseport && !best->faddr && !best->laddr == !pcb->laddr)
				continue;
			best = pcb;
			best_score = s;
			equals = 1;
		} else if (s && s == best_score && pcb->reuseport && best->reuseport) {
			u32 hash = (key->faddr ^ key->fport * 0x9e3779b1u) * 0x85ebca6bu;

			/* The n-th of n equals takes one n-th of the peers. */
			if ((hash >> 8) % ++equals == 0)
				best = pcb;
		}
	}
	if (unlikely(equals > 1) && p)
		best = choose(b, key, p, best, equals);
	if (best)
		inet_pcb_get(best);
	spin_unlock(&b->lock);
	return best;
}

/* See inet_pcb_internal.h. */
struct inet_pcb *inet_pcb_next(const struct pcb_key *key, const struct pkt *p,
			       const struct inet_pcb *after)
{
	struct bucket *b = bucket_of(key->table, key->proto, key->lport);
	struct inet_pcb *pcb, *found = NULL;
	bool passed = !after;

	spin_lock(&b->lock);
	list_for_each(pcb, &b->pcbs, link) {
		if (passed && fits(pcb, key, p)) {
			found = pcb;
			inet_pcb_get(pcb);
			break;
		}
		passed |= pcb == after;
	}
	spin_unlock(&b->lock);
	return found;
}

/* See udp.h. */
struct inet_pcb *inet_pcb_nth(enum pcb_table table, u32 n)
{
	for (u32 i = 0; i < BUCKETS; i++) {
		struct bucket *b = &tables[table][i];
		struct inet_pcb *pcb, *found = NULL;

		spin_lock(&b->lock);
		if (n >= b->n) {
			n -= b->n;
		} else {
			list_for_each(pcb, &b->pcbs, link) {
				if (n--)
					continue;
				found = pcb;
				inet_pcb_get(pcb);
				break;
			}
		}
		spin_unlock(&b->lock);
		if (found)
			return found;
	}
	return NULL;
}

/* See udp.h. */
u32 inet_pcb_count(enum pcb_table table)
{
	u32 n = 0;

	for (u32 i = 0; i < BUCKETS; i++)
		n += READ_ONCE(tables[table][i].n);
	return n;
}

/* See inet_pcb_internal.h. */
bool inet_pcb_any_raw(void)
{
	return READ_ONCE(nraw);
}

/* --- changing --- */

/* Does @pcb with @laddr take nothing that @other, at the same port, would have, or may it? */
static bool apart(const struct inet_pcb *pcb, const struct inet_pcb *other, be32 laddr)
{
	return (pcb->dev && other->dev && pcb->dev != other->dev) ||
	       (other->laddr && laddr && other->laddr != laddr) || (pcb->reuse && other->reuse);
}

/*
 * May @pcb have @laddr at @lport? The first that is in the way decides: one of its group lets it
 * in, whoever is behind. @free_only: the port must be nobody's. holds: the bucket's lock
 */
static bool may_have(const struct bucket *b, const struct inet_pcb *pcb, be32 laddr, be16 lport,
		     bool free_only)
{
	const struct inet_pcb *other;

	list_for_each(other, &b->pcbs, link) {
		if (other->lport != lport || (!free_only && apart(pcb, other, laddr)))
			continue;
		/* Who comes with a program has a group of its own already. */
		return !free_only && pcb->reuseport && other->reuseport && pcb->uid == other->uid &&
		       !pcb->chooser;
	}
	return true;
}

/* 0 or -EADDRINUSE. */
static int try_bind(struct inet_pcb *pcb, be32 laddr, be16 lport, bool free_only)
{
	struct bucket *b = bucket_of(pcb->table, pcb->proto, lport);
	int err = 0;

	spin_lock(&b->lock);
	if (pcb->table != PCB_RAW && !may_have(b, pcb, laddr, lport, free_only))
		err = -EADDRINUSE;
	if (!err) {
		pcb->laddr = laddr;
		pcb->lport = lport;
		pcb->bound = true;
		list_add(&b->pcbs, &pcb->link);
		b->n++;
		if (pcb->table == PCB_RAW)
			__atomic_add_fetch(&nraw, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&b->lock);
	return err;
}

/* See udp.h. ctx: any */
u32 inet_port_range(u32 own, u32 *low)
{
	u32 first = (u32)READ_ONCE(inet_port_first), last = (u32)READ_ONCE(inet_port_last);
	u32 own_first = own & 0xffff, own_last = own >> 16;

	if (own_first >= first && own_first <= last)
		first = own_first;
	if (own_last >= first && own_last <= last)
		last = own_last;
	*low = first;
	return last >= first ? last - first + 1 : 1;
}

/* See udp.h. Ports are tried from a random one on, so that none can be foretold (RFC 6056). */
int inet_pcb_bind(struct inet_pcb *pcb, be32 laddr, be16 lport)
{
	u32 first = 1, n = 65535, at;

	if (lport || pcb->table == PCB_RAW)
		return try_bind(pcb, laddr, lport, false);
	if (pcb->table != PCB_PING)
		n = inet_port_range(READ_ONCE(pcb->ports), &first);
	at = (u32)(rand_u64() % n);
	for (u32 i = 0; i < n; i++) {
		if (!try_bind(pcb, laddr, net16((u16)(first + (at + i) % n)), true))
			return 0;
	}
	return pcb->table == PCB_PING ? -EADDRINUSE : -EAGAIN;
}

/*
 * @pcb goes: the last of its group, the first in the bucket, takes its place in the order, and the
 * program. holds: the bucket's lock
 */
static void leave_group(struct bucket *b, struct inet_pcb *pcb)
{
	struct inet_pcb *other;

	list_for_each(other, &b->pcbs, link) {
		if (other == pcb || !is_group(pcb, other))
			continue;
		list_del(&other->link);
		list_add(&pcb->link, &other->link);
		if (pcb->chooser && !other->chooser) {
			other->chooser = pcb->chooser;
			pcb->chooser = NULL;
		}
		return;
	}
}

/* See udp.h. Several have one, if they were bound with it. ctx: thread; sleeps: no */
bool inet_pcb_set_chooser(struct inet_pcb *pcb, struct net_chooser *c)
{
	struct bucket *b = bucket_of(pcb->table, pcb->proto, pcb->lport);
	struct inet_pcb *other;
	bool had = pcb->chooser;

	spin_lock(&b->lock);
	list_for_each(other, &b->pcbs, link) {
		if (other == pcb || !other->chooser || !is_group(pcb, other))
			continue;
		net_chooser_put(other->chooser);
		other->chooser = NULL;
		had = true;
	}
	net_chooser_put(pcb->chooser);
	pcb->chooser = c;
	spin_unlock(&b->lock);
	return had;
}

/* See udp.h. ctx: thread; sleeps: no */
void inet_pcb_unbind(struct inet_pcb *pcb)
{
	struct bucket *b;

	if (!pcb->bound)
		return;
	b = bucket_of(pcb->table, pcb->proto, pcb->lport);
	spin_lock(&b->lock);
	if (unlikely(pcb->reuseport))
		leave_group(b, pcb);
	list_del(&pcb->link);
	b->n--;
	if (pcb->table == PCB_RAW)
		__atomic_sub_fetch(&nraw, 1, __ATOMIC_RELAXED);
	pcb->bound = false;
	spin_unlock(&b->lock);
}

/* See udp.h. ctx: thread */
void inet_pcb_set_peer(struct inet_pcb *pcb, be32 laddr, be32 faddr, be16 fport)
{
	struct bucket *b = bucket_of(pcb->table, pcb->proto, pcb->lport);

	spin_lock(&b->lock);
	pcb->laddr = laddr;
	pcb->faddr = faddr;
	pcb->fport = fport;
	spin_unlock(&b->lock);
}

/* See udp.h. ctx: thread */
void inet_pcb_set_dev(struct inet_pcb *pcb, const struct netdev *dev)
{
	struct bucket *b = bucket_of(pcb->table, pcb->proto, pcb->lport);

	spin_lock(&b->lock);
	pcb->dev = dev;
	spin_unlock(&b->lock);
}
