/*
 * Who has which addresses and ports.
 *
 * Three hash tables. By four-tuple: every connection, every one that is being made (struct
 * tcp_req), every TIME_WAIT; a bucket has its own lock. The hash is a universal one over secret
 * factors, so that nobody can aim at a bucket. Listeners: by port. Local ports: who has them, for
 * bind(2); those that a user asked for apart from those that came by connect(2) and accept(2), so
 * that choosing a port for a connection looks at few.
 *
 * A port of the kernel's choice for a connection may serve several connections to different places:
 * only the four-tuple must be free. The order of the ports tried is RFC 6056's algorithm 3.
 *
 * Lock order: pcb, then one bucket of one table; never two buckets.
 */
#include <linux/errno.h>
#include "kernel/base/rand.h"
#include "kernel/base/errno.h"
#include "net/tcp/tcp_pcb.h"

#define BUCKETS 4096
#define PORT_BUCKETS 512
#define LISTEN_BUCKETS 64

/* b guarded by .lock. */
struct bucket {
	struct spinlock lock; /* rank TCP_TABLE */
	struct list keys; /* b: struct tcp_key.link */
};

/* b guarded by .lock. */
struct port_bucket {
	struct spinlock lock; /* rank TCP_TABLE */
	struct list user, automatic; /* b: struct tcp_key.bind */
};

static struct bucket table[BUCKETS], listeners[LISTEN_BUCKETS];
static struct port_bucket ports[PORT_BUCKETS];
static u64 factors[4]; /* I after boot */

/* See tcp_pcb.h. ctx: boot */
void tcp_table_init(void)
{
	rand_bytes(factors, sizeof(factors));
	for (u32 i = 0; i < BUCKETS; i++) {
		spin_init(&table[i].lock, RANK_TCP_TABLE);
		list_init(&table[i].keys);
	}
	for (u32 i = 0; i < LISTEN_BUCKETS; i++) {
		spin_init(&listeners[i].lock, RANK_TCP_TABLE);
		list_init(&listeners[i].keys);
	}
	for (u32 i = 0; i < PORT_BUCKETS; i++) {
		spin_init(&ports[i].lock, RANK_TCP_TABLE);
		list_init(&ports[i].user);
		list_init(&ports[i].automatic);
	}
}

/* See tcp_pcb.h: multiply and shift, over odd secret factors. ctx: any */
u32 tcp_hash(be32 laddr, be16 lport, be32 raddr, be16 rport)
{
	u64 h = (u64)laddr * (factors[0] | 1) + (u64)raddr * (factors[1] | 1) +
		((u64)lport << 16 | rport) * (factors[2] | 1) + factors[3];

	return (u32)(h >> 32);
}

static struct bucket *bucket_of(const struct tcp_key *k)
{
	return &table[tcp_hash(k->laddr, k->lport, k->raddr, k->rport) % BUCKETS];
}

static struct bucket *listen_bucket(be16 port)
{
	return &listeners[net16(port) % LISTEN_BUCKETS];
}

static struct port_bucket *port_bucket(be16 port)
{
	return &ports[net16(port) % PORT_BUCKETS];
}

/* holds: the bucket's lock */
static struct tcp_key *find(struct bucket *b, be32 laddr, be16 lport, be32 raddr, be16 rport)
{
	struct tcp_key *k;

	list_for_each(k, &b->keys, link) {
		if (k->lport == lport && k->rport == rport && k->raddr == raddr &&
		    k->laddr == laddr)
			return k;
	}
	return NULL;
}

/* See tcp_pcb.h. ctx: thread */
struct tcp_key *tcp_lookup(const struct tcp_in *in)
{
	struct bucket *b = &table[tcp_hash(in->dst, in->dport, in->src, in->sport) % BUCKETS];
	struct tcp_key *k;

	spin_lock(&b->lock);
	k = find(b, in->dst, in->dport, in->src, in->sport);
	if (k && unlikely(!tcp_key_hears(k, in->dev)))
		k = NULL;
	if (k)
		ref_get(&k->refs);
	spin_unlock(&b->lock);
	return k;
}

/* Do the listeners @k and @o share their port as one group? holds: the bucket's lock */
static bool is_group(const struct tcp_key *k, const struct tcp_key *o)
{
	return k->reuseport && o->reuseport && k->lport == o->lport && k->laddr == o->laddr &&
	       k->uid == o->uid && READ_ONCE(k->dev) == READ_ONCE(o->dev);
}

/* Where the program of a group is, if it is here. */
static struct net_chooser **chooser_of(struct tcp_key *k)
{
	struct tcp_extra *x = load_acquire(&container_of(k, struct tcp_pcb, key)->extra);

	return x && x->chooser ? &x->chooser : NULL;
}

/* The program of @k's group. holds: the bucket's lock. NULL: there is none */
static struct net_chooser **group_chooser(const struct bucket *b, struct tcp_key *k)
{
	struct tcp_key *o;

	list_for_each(o, &b->keys, link) {
		if (is_group(k, o) && chooser_of(o))
			return chooser_of(o);
	}
	return chooser_of(k);
}

/*
 * The one of the @n of @best's group that their program says, if they have one. holds: the bucket's
 * lock
 */
static struct tcp_key *choose(const struct bucket *b, const struct tcp_in *in, struct tcp_key *best,
			      u32 n)
{
	struct net_chooser **c = group_chooser(b, best);
	u32 at = c ? (*c)->choose(*c, in->pkt) : n;
	struct tcp_key *k;

	if (at >= n)
		return best;
	list_for_each(k, &b->keys, link) {
		if (is_group(k, best) && !at--)
			return k;
	}
	return best;
}

/*
 * See net/tcp.h. The lock of @p keeps it at its port, and so in that bucket or in none.
 * ctx: thread; sleeps: no
 */
int tcp_set_chooser(struct tcp_pcb *p, struct net_chooser *c)
{
	struct tcp_extra *x = tcp_extra(p);
	struct net_chooser **at;
	struct bucket *b;
	bool had = false;

	if (!x)
		return -ENOMEM;
	tcp_lock(p);
	b = listen_bucket(p->key.lport);
	spin_lock(&b->lock);
	/* Several have one, if they came with it. */
	while ((at = group_chooser(b, &p->key))) {
		net_chooser_put(*at);
		*at = NULL;
		had = true;
	}
	x->chooser = c;
	spin_unlock(&b->lock);
	tcp_unlock(p);
	return had || c ? 0 : -ENOENT;
}

/*
 * @k, which listens, goes: the last of its group takes its place in the order, and the program.
 * holds: the bucket's lock
 */
static void leave_group(struct bucket *b, struct tcp_key *k)
{
	struct net_chooser **at = chooser_of(k);
	struct tcp_key *o, *last = NULL;
	struct tcp_extra *x;

	list_for_each(o, &b->keys, link) {
		if (o != k && is_group(k, o))
			last = o;
	}
	if (!last)
		return;
	list_del(&last->link);
	list_add(&k->link, &last->link);
	x = at ? tcp_extra(container_of(last, struct tcp_pcb, key)) : NULL;
	if (x && !x->chooser) {
		x->chooser = *at;
		*at = NULL;
	}
}

/*
 * See tcp_pcb.h: the one bound to the address before those bound to any, then the one bound to the
 * device; of equals one by chance.
 */
struct tcp_pcb *tcp_lookup_listener(const struct tcp_in *in)
{
	struct bucket *b = listen_bucket(in->dport);
	u32 hash = tcp_hash(in->dst, in->dport, in->src, in->sport), equals = 0, most = 0;
	struct tcp_key *k, *best = NULL;

	spin_lock(&b->lock);
	list_for_each(k, &b->keys, link) {
		u32 score = 1 + (k->laddr ? 2 : 0) + (READ_ONCE(k->dev) ? 1 : 0);

		if (k->lport != in->dport || (k->laddr && k->laddr != in->dst) || score < most ||
		    !tcp_key_hears(k, in->dev))
			continue;
		equals = score == most ? equals + 1 : 1;
		most = score;
		/* The n-th of equals takes over in one of n cases: each gets its share. */
		if (equals == 1 || (hash = hash * 0x9e3779b1u + 1, hash >> 16) % equals == 0)
			best = k;
	}
	if (unlikely(equals > 1) && in->pkt)
		best = choose(b, in, best, equals);
	if (best)
		ref_get(&best->refs);
	spin_unlock(&b->lock);
	return best ? container_of(best, struct tcp_pcb, key) : NULL;
}

/* See tcp_pcb.h. ctx: thread */
void tcp_listen_add(struct tcp_pcb *p)
{
	struct bucket *b = listen_bucket(p->key.lport);

	ref_get(&p->key.refs);
	spin_lock(&b->lock);
	list_add_tail(&b->keys, &p->key.link);
	spin_unlock(&b->lock);
}

/* See tcp_pcb.h. ctx: thread */
bool tcp_table_add(struct tcp_key *k)
{
	struct bucket *b = bucket_of(k);
	bool free;

	spin_lock(&b->lock);
	free = !find(b, k->laddr, k->lport, k->raddr, k->rport);
	if (free) {
		ref_get(&k->refs);
		list_add(&b->keys, &k->link);
	}
	spin_unlock(&b->lock);
	return free;
}

/* See tcp_pcb.h. ctx: thread */
bool tcp_table_replace(struct tcp_key *old, struct tcp_key *k)
{
	struct bucket *b = bucket_of(k);
	bool there;

	spin_lock(&b->lock);
	there = !list_empty(&old->link);
	if (there) {
		ref_get(&k->refs);
		list_add(&old->link, &k->link);
		list_del(&old->link);
	}
	spin_unlock(&b->lock);
	if (there)
		tcp_key_put(old);
	return there;
}

/* See tcp_pcb.h. A listener too. ctx: thread */
bool tcp_table_del(struct tcp_key *k)
{
	struct bucket *b = k->listens ? listen_bucket(k->lport) : bucket_of(k);
	bool there;

	spin_lock(&b->lock);
	there = !list_empty(&k->link);
	if (there && k->listens && k->reuseport)
		leave_group(b, k);
	if (there)
		list_del(&k->link);
	spin_unlock(&b->lock);
	if (there)
		tcp_key_put(k);
	return there;
}

/* See tcp_pcb.h. ctx: any that may free */
void tcp_key_put(struct tcp_key *k)
{
	if (k->kind == TCP_KIND_PCB)
		tcp_pcb_put(container_of(k, struct tcp_pcb, key));
	else if (k->kind == TCP_KIND_REQ)
		tcp_req_put(container_of(k, struct tcp_req, key));
	else
		tcp_tw_put(container_of(k, struct tcp_tw, key));
}

/* See tcp_pcb.h. Walks the tables: @bucket and @skip say where it is. ctx: thread */
struct tcp_key *tcp_table_next(u32 *bucket, u32 *skip)
{
	struct tcp_key *k;

	for (; *bucket < BUCKETS + LISTEN_BUCKETS; ++*bucket, *skip = 0) {
		struct bucket *b = *bucket < LISTEN_BUCKETS ? &listeners[*bucket]
							    : &table[*bucket - LISTEN_BUCKETS];
		u32 at = 0;

		if (list_empty(&b->keys))
			continue;
		spin_lock(&b->lock);
		list_for_each(k, &b->keys, link) {
			if (at++ == *skip) {
				ref_get(&k->refs);
				++*skip;
				spin_unlock(&b->lock);
				return k;
			}
		}
		spin_unlock(&b->lock);
	}
	return NULL;
}

/* --- local ports --- */

/* May @k and @o both have their port, with @addr for @k? bind(2), SO_REUSEADDR, SO_REUSEPORT. */
static bool conflict(struct tcp_key *k, be32 addr, const struct tcp_key *o)
{
	if (o == k || (addr && o->laddr && addr != o->laddr) ||
	    (k->dev && o->dev && k->dev != o->dev))
		return false;
	/* Who comes with a program has a group of its own already. */
	if (k->reuseport && o->reuseport && k->uid == o->uid && !chooser_of(k))
		return false;
	return !(k->reuse && o->reuse) || o->listens;
}

static bool conflict_in(const struct list *l, struct tcp_key *k, be32 addr, be16 port)
{
	const struct tcp_key *o;

	list_for_each(o, l, bind) {
		if (o->lport == port && conflict(k, addr, o))
			return true;
	}
	return false;
}

/* Is @k of the group of who came to the port last? Then those before do not count: as on Linux. */
static bool joins_last(const struct list *l, struct tcp_key *k, be32 addr, be16 port)
{
	const struct tcp_key *o;

	list_for_each(o, l, bind) {
		if (o->lport == port)
			return k->reuseport && o->reuseport && k->uid == o->uid &&
			       addr == o->laddr && !chooser_of(k);
	}
	return false;
}

static bool port_take(struct tcp_key *k, be32 addr, be16 port)
{
	struct port_bucket *b = port_bucket(port);
	bool free;

	spin_lock(&b->lock);
	free = joins_last(&b->user, k, addr, port) || (!conflict_in(&b->user, k, addr, port) &&
						       !conflict_in(&b->automatic, k, addr, port));
	if (free) {
		k->lport = port;
		k->laddr = addr;
		k->bound = BOUND_USER;
		list_add(&b->user, &k->bind);
	}
	spin_unlock(&b->lock);
	return free;
}

/* See net/tcp.h. ctx: thread */
int tcp_set_ports(struct tcp_pcb *p, u32 range)
{
	struct tcp_extra *x = range ? tcp_extra(p) : load_acquire(&p->extra);

	if (!x)
		return range ? -ENOMEM : 0;
	WRITE_ONCE(x->ports, range);
	return 0;
}

static u32 range_of(const struct tcp_pcb *p)
{
	const struct tcp_extra *x = load_acquire(&p->extra);

	return x ? READ_ONCE(x->ports) : 0;
}

/*
 * Give @k the port @port, 0: any that is free. ctx: thread; 0, -EADDRINUSE
 */
int tcp_port_bind(struct tcp_key *k, be32 addr, be16 port)
{
	u32 low, n, start;
	bool reuse = k->reuse;

	if (port)
		return port_take(k, addr, port) ? 0 : -EADDRINUSE;
	n = tcp_wire_ports(range_of(container_of(k, struct tcp_pcb, key)), &low);
	start = (u32)rand_u64() % n;
	k->reuse = false; /* who does not name a port gets one of its own */
	for (u32 i = 0; i < n; i++) {
		if (port_take(k, addr, net16((u16)(low + (start + i) % n)))) {
			k->reuse = reuse;
			return 0;
		}
	}
	k->reuse = reuse;
	return -EADDRINUSE;
}

/* See tcp_pcb.h. Two that share a port by SO_REUSEADDR: only one may listen. ctx: thread */
bool tcp_port_conflict_listen(struct tcp_key *k)
{
	struct port_bucket *b = port_bucket(k->lport);
	const struct tcp_key *o;
	bool taken = false;

	spin_lock(&b->lock);
	list_for_each(o, &b->user, bind) {
		if (o->lport == k->lport && (o->listens || chooser_of(k)) &&
		    conflict(k, k->laddr, o))
			taken = true;
	}
	if (!taken)
		k->listens = true;
	spin_unlock(&b->lock);
	return taken;
}

/* See tcp_pcb.h. ctx: thread */
void tcp_port_add(struct tcp_key *k)
{
	struct port_bucket *b = port_bucket(k->lport);

	spin_lock(&b->lock);
	k->bound = BOUND_AUTO;
	list_add(&b->automatic, &k->bind);
	spin_unlock(&b->lock);
}

/* See tcp_pcb.h. ctx: thread */
void tcp_port_free(struct tcp_key *k)
{
	struct port_bucket *b = port_bucket(k->lport);

	if (k->bound == BOUND_NOT)
		return;
	spin_lock(&b->lock);
	list_del(&k->bind);
	k->bound = BOUND_NOT;
	spin_unlock(&b->lock);
}

/* @to has the port instead of @from from now on. ctx: thread */
void tcp_port_move(struct tcp_key *from, struct tcp_key *to)
{
	struct port_bucket *b = port_bucket(from->lport);

	if (from->bound == BOUND_NOT)
		return;
	spin_lock(&b->lock);
	list_add(&from->bind, &to->bind);
	list_del(&from->bind);
	to->bound = from->bound;
	from->bound = BOUND_NOT;
	spin_unlock(&b->lock);
}

/*
 * A TIME_WAIT in the way of a connection that we open: may it go? RFC 6191: with timestamps, and a
 * second later, so that ours is greater. tcp_tw_reuse 2: on loopback only. For @own, a port that
 * its user bound, he has said so by SO_REUSEADDR: at once, as on Linux; our times go on from there.
 */
static bool timewait_may_go(const struct tcp_key *k, bool own)
{
	const struct tcp_tw *tw = container_of(k, struct tcp_tw, key);
	int how = READ_ONCE(tcp_sysctl_tw_reuse);

	if (k->kind != TCP_KIND_TW || !tw->ts)
		return false;
	if (own)
		return true;
	if (!how || (how == 2 && !tcp_wire_is_loopback(k->raddr)))
		return false;
	return time_now() - READ_ONCE(tw->since) > SEC;
}

/* The four-tuple of @p into the table. Takes over from a TIME_WAIT that may go. */
static bool tuple_take(struct tcp_pcb *p)
{
	struct bucket *b = bucket_of(&p->key);
	struct tcp_key *old;
	bool free;

	spin_lock(&b->lock);
	old = find(b, p->key.laddr, p->key.lport, p->key.raddr, p->key.rport);
	free = !old || timewait_may_go(old, p->key.bound == BOUND_USER);
	if (free) {
		if (old) {
			struct tcp_tw *tw = container_of(old, struct tcp_tw, key);

			/*
			 * Old duplicates are out of the window of the new one, and out of its time.
			 */
			p->iss = tw->snd_nxt + 65535 + 2;
			list_del(&old->link);
		}
		ref_get(&p->key.refs);
		list_add(&b->keys, &p->key.link);
	}
	spin_unlock(&b->lock);
	if (free && old) {
		tcp_tw_unqueue(container_of(old, struct tcp_tw, key));
		tcp_key_put(old);
		TCP_COUNT(TWRecycled);
	}
	return free;
}

/* @port for @p, unless a user asked for it. */
static bool port_share(struct tcp_pcb *p, be16 port)
{
	struct port_bucket *b = port_bucket(port);
	const struct tcp_key *o;
	bool free = true;

	spin_lock(&b->lock);
	list_for_each(o, &b->user, bind) {
		if (o->lport == port)
			free = false;
	}
	if (free) {
		p->key.lport = port;
		p->key.bound = BOUND_AUTO;
		list_add(&b->automatic, &p->key.bind);
	}
	spin_unlock(&b->lock);
	return free;
}

/*
 * Put @p, whose addresses and remote port are set, into the tables; without a local port, with one
 * of the kernel's choice. ctx: thread; holds: p->lock. 0, -EADDRNOTAVAIL
 */
int tcp_port_connect(struct tcp_pcb *p)
{
	static u32 next; /* a */
	u32 low, n = tcp_wire_ports(range_of(p), &low), start;

	p->iss = tcp_isn(p->key.laddr, p->key.lport, p->key.raddr, p->key.rport);
	if (p->key.lport)
		return tuple_take(p) ? 0 : -EADDRNOTAVAIL;
	start = tcp_port_offset(p->key.laddr, p->key.raddr, p->key.rport) +
		__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
	for (u32 i = 0; i < n; i++) {
		if (!port_share(p, net16((u16)(low + (start + i) % n))))
			continue;
		p->iss = tcp_isn(p->key.laddr, p->key.lport, p->key.raddr, p->key.rport);
		if (tuple_take(p))
			return 0;
		tcp_port_free(&p->key);
		p->key.lport = 0;
	}
	return -EADDRNOTAVAIL;
}
