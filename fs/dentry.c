/*
 * The name cache: every name in use, and many that are not (also names known not to exist), in one
 * hash table by parent and name. Each bucket has its own lock; nothing global is written by a
 * lookup.
 *
 * Life of a dentry. Made by a lookup (or a create), hashed; unlink makes it negative when nobody
 * else uses it, else takes it out of the table, and then it lives on under its users (an open,
 * deleted file). Memory pressure drops those that only the table refers to: a clock hand goes over
 * the buckets, a name used since the last pass gets another round. A chain that became long does
 * the same for itself, so that looking for names which do not exist makes neither long chains nor
 * much memory. References: the table's, one per child, one per user; the last frees.
 *
 * Why a walk is safe without a lock around it:
 *
 * (1) A reference is taken under the bucket's lock, where the table's own reference keeps the
 * dentry alive; or by somebody who has one already. So with refs == 1 seen under the bucket's lock,
 * only the table refers to it and nobody can start to: it may be freed, or lose its inode.
 *
 * (2) .inode goes from NULL to an inode once (dentry_instantiate, release store), and back only by
 * (1). So a user reads it with an acquire load and may use what it read as long as it keeps its
 * reference.
 *
 * (3) .parent, .name and .hash change only in dentry_move() (dentry_move.c), which holds
 * vfs_tree_lock and the locks of both buckets. Whoever holds one of those may read them; so may
 * file systems that hold the directory's lock, which every rename holds too.
 *
 * (4) What a name means in its directory is decided under the directory's inode lock: creators,
 * removers and renamers hold it for writing, a lookup that misses the table for reading while it
 * asks the file system and inserts the answer. So the table never holds an answer older than the
 * last change. A lookup that hits takes no lock of the directory: it sees the state before or after
 * a change, both of which are true at some time during the call.
 *
 * (5) A walker that holds a dentry which is being moved keeps a valid object; ".." from it reads
 * the parent under the bucket's lock, after checking that the hash was still that bucket's.
 *
 * Names that mean something only as long as somebody uses them (DENTRY_UNCACHED: processes in
 * procfs) are in the table without a reference of its own: all users share one dentry, so a mount
 * on it is seen by all, and the last user takes it out. Between the two a lookup may still meet it
 * with no reference left, and passes it by. Nothing else in the table has a count of 0.
 *
 * A removed directory must go at once, but each of its (now negative) names in the table holds a
 * reference to it. So every dentry is on its parent's list of children, and removing a directory
 * drops those names: dentry_drop_children().
 *
 * Lock order: inode lock, vfs_tree_lock, bucket locks (two by address) or one family lock. Inodes
 * and parents are put after the locks.
 */
#include <linux/errno.h>
#include "fs/dentry_internal.h"
#include "fs/notify.h"
#include "kernel/base/panic.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define CHAIN_MAX 12 /* a longer chain drops its unused names at the next insertion */
#define EMPTY_ROUNDS 64

#define FAMILY_LOCKS 64
/* Of the lists of children, by the parent's address. */
static struct spinlock family_locks[FAMILY_LOCKS];

static struct bucket *buckets; /* I */
static u32 bucket_mask; /* I */
static u32 hash_seed; /* I */
static struct kmem_cache *dentry_cache; /* I */
static u32 clock_hand; /* a: next bucket the shrinker looks at */

/* Multiplicative step per character; the seed is random per boot. */
static inline u32 hash_step(u32 h, char c)
{
	return (h ^ (u8)c) * 0x9e3779b1u;
}

/* Hash of the name at @name up to '/' or NUL; *end points there. ctx: any */
u32 name_hash(const char *name, const char **end)
{
	u32 h = hash_seed;

	while (*name && *name != '/')
		h = hash_step(h, *name++);
	*end = name;
	return h;
}

/* Make @q of a counted string. ctx: any */
void qname_set(struct qname *q, const char *name, u32 len)
{
	u32 h = hash_seed;

	q->name = name;
	q->len = len;
	for (u32 k = 0; k < len; k++)
		h = hash_step(h, name[k]);
	q->hash = h;
}

static inline u32 mix(const struct dentry *parent, u32 hash)
{
	u64 p = (u64)parent >> 6;

	return (hash + (u32)p) * 0x85ebca6bu;
}

static inline struct bucket *bucket_of(u32 hash)
{
	return &buckets[(hash ^ hash >> 15) & bucket_mask];
}

static inline bool name_equal(const struct dentry *d, const char *name, u32 len)
{
	const char *a = d->name;

	if (d->name_len != len)
		return false;
	for (; len >= sizeof(u64); len -= sizeof(u64), a += sizeof(u64), name += sizeof(u64)) {
		u64 x, y;

		__builtin_memcpy(&x, a, sizeof(x));
		__builtin_memcpy(&y, name, sizeof(y));
		if (x != y)
			return false;
	}
	for (; len; len--)
		if (*a++ != *name++)
			return false;
	return true;
}

/* holds: the bucket's lock. This and find() are in every step of every walk: no calls. */
static __always_inline struct dentry *bucket_search(struct bucket *b, const struct dentry *parent,
						    const struct qname *n, u32 hash)
{
	struct dentry *d;

	for (d = b->first; d; d = d->chain)
		if (d->hash == hash && d->parent == parent && name_equal(d, n->name, n->len))
			return d;
	return NULL;
}

/* A reference to what was found in the table; false: its last user is leaving. */
static __always_inline bool bucket_get(struct dentry *d)
{
	if (unlikely(d->flags & DENTRY_UNCACHED))
		return ref_get_unless_zero(&d->refs);
	ref_get(&d->refs);
	return true;
}

/* See dentry_internal.h. */
struct bucket *dentry_bucket(u32 hash)
{
	return bucket_of(hash);
}

/* See dentry_internal.h. */
void dentry_bucket_remove(struct bucket *b, struct dentry *d)
{
	struct dentry **p = &b->first;

	while (*p != d)
		p = &(*p)->chain;
	*p = d->chain;
	d->chain = NULL;
	d->flags &= ~DENTRY_HASHED;
}

/* See dentry_internal.h. */
void dentry_bucket_add(struct bucket *b, struct dentry *d)
{
	d->chain = b->first;
	b->first = d;
	d->flags |= DENTRY_HASHED;
}

/* Lock the bucket @d is in (or would be in): its hash may change until the lock is held. */
static struct bucket *bucket_lock_of(struct dentry *d)
{
	for (;;) {
		u32 hash = READ_ONCE(d->hash);
		struct bucket *b = bucket_of(hash);

		spin_lock(&b->lock);
		if (likely(d->hash == hash))
			return b;
		spin_unlock(&b->lock);
	}
}

static struct spinlock *family_lock(const struct dentry *parent)
{
	return &family_locks[((u64)parent >> 7) % FAMILY_LOCKS];
}

/* See dentry_internal.h. */
void dentry_family_join(struct dentry *parent, struct dentry *d)
{
	struct spinlock *l = family_lock(parent);

	spin_lock(l);
	d->sibling = parent->child;
	d->sibling_of = &parent->child;
	if (d->sibling)
		d->sibling->sibling_of = &d->sibling;
	parent->child = d;
	spin_unlock(l);
}

/* See dentry_internal.h. */
void dentry_family_leave(struct dentry *parent, struct dentry *d)
{
	struct spinlock *l = family_lock(parent);

	spin_lock(l);
	*d->sibling_of = d->sibling;
	if (d->sibling)
		d->sibling->sibling_of = d->sibling_of;
	spin_unlock(l);
}

/* Another reference for somebody who has one. ctx: any */
struct dentry *dentry_get(struct dentry *d)
{
	ref_get(&d->refs);
	return d;
}

/* See dentry_internal.h. */
void dentry_longname_put(struct dentry_name *n)
{
	if (n && ref_put(&n->refs))
		kfree(n);
}

/* The last user of @d has gone, which the table holds no reference to. */
static void leave_table(struct dentry *d)
{
	struct bucket *b = bucket_lock_of(d);

	debug_assert(d->flags & DENTRY_UNCACHED);
	dentry_bucket_remove(b, d);
	spin_unlock(&b->lock);
}

/*
 * Drop a reference; the last frees @d and drops its parent's.
 * ctx: thread; sleeps: when an inode is evicted.
 */
void dentry_put(struct dentry *d)
{
	while (d && ref_put(&d->refs)) {
		struct dentry *parent = d->parent != d ? d->parent : NULL;

		if (d->flags & DENTRY_HASHED)
			leave_table(d);
		if (parent)
			dentry_family_leave(parent, d);
		dentry_longname_put(d->longname);
		if (d->inode) {
			notify_gone(d->inode);
			inode_put(d->inode);
		}
		kmem_cache_free(dentry_cache, d);
		d = parent;
	}
}

static __always_inline struct dentry *find(struct dentry *parent, const struct qname *n)
{
	u32 hash = mix(parent, n->hash);
	struct bucket *b = bucket_of(hash);
	struct dentry *d;

	spin_lock(&b->lock);
	d = bucket_search(b, parent, n, hash);
	if (d && !bucket_get(d))
		d = NULL;
	if (d && !(d->flags & DENTRY_USED))
		d->flags |= DENTRY_USED;
	spin_unlock(&b->lock);
	return d;
}

/*
 * Cached child of @parent with a reference, or NULL.
 * ctx: thread; sleeps: no.
 */
struct dentry *dentry_find(struct dentry *parent, const struct qname *n)
{
	return find(parent, n);
}

/*
 * A dentry outside the cache with refs = 1. @parent NULL: its own parent (a root). Takes over the
 * reference to @i (may be NULL) on success. ctx: thread; sleeps. Returns 0 or -ENOMEM.
 */
int dentry_alloc(struct super *sb, struct dentry *parent, const struct qname *n, struct inode *i,
		 struct dentry **out)
{
	struct dentry *d = kmem_cache_alloc(dentry_cache, 0);
	char *text;

	if (!d)
		return -ENOMEM;
	d->longname = NULL;
	text = d->inline_name;
	if (n->len >= DENTRY_NAME_INLINE) {
		d->longname = kmalloc(sizeof(*d->longname) + n->len + 1, 0);
		if (!d->longname) {
			kmem_cache_free(dentry_cache, d);
			return -ENOMEM;
		}
		ref_init(&d->longname->refs, 1);
		text = d->longname->text;
	}
	memcpy(text, n->name, n->len);
	text[n->len] = '\0';
	d->name = text;
	d->name_len = (u16)n->len;
	ref_init(&d->refs, 1);
	d->chain = NULL;
	d->child = NULL;
	d->parent = parent ? dentry_get(parent) : d;
	if (parent)
		dentry_family_join(parent, d);
	d->hash = mix(d->parent, n->hash);
	d->inode = i;
	d->sb = sb;
	d->nmounts = 0;
	d->flags = DENTRY_USED;
	*out = d;
	return 0;
}

/*
 * Name of a root or of a file without a place. Takes over @i's reference, also on failure. NULL:
 * -ENOMEM. ctx: thread
 */
struct dentry *dentry_make_root(struct inode *i, struct super *sb)
{
	struct qname q;
	struct dentry *d;

	qname_set(&q, "/", 1);
	if (dentry_alloc(sb, NULL, &q, i, &d)) {
		inode_put(i);
		return NULL;
	}
	return d;
}

/*
 * Free what only the table holds in @b; @sb NULL: of all, second chance for used ones. Returns how
 * many.
 */
static u64 bucket_shrink(struct bucket *b, struct super *sb)
{
	struct dentry *victims = NULL, *d, **p;
	u64 n = 0;

	if (!READ_ONCE(b->first))
		return 0;
	spin_lock(&b->lock);
	for (p = &b->first; (d = *p) != NULL;) {
		if (ref_read(&d->refs) != 1 || (d->flags & DENTRY_UNCACHED) ||
		    (sb && d->sb != sb)) {
			p = &d->chain;
		} else if (!sb && (d->flags & DENTRY_USED)) {
			d->flags &= ~DENTRY_USED;
			p = &d->chain;
		} else {
			*p = d->chain;
			d->flags &= ~DENTRY_HASHED;
			d->chain = victims;
			victims = d;
		}
	}
	spin_unlock(&b->lock);
	while (victims) {
		d = victims;
		victims = d->chain;
		d->chain = NULL;
		dentry_put(d);
		n++;
	}
	return n;
}

static bool chain_is_long(struct bucket *b)
{
	u32 n = 0;

	spin_lock(&b->lock);
	for (const struct dentry *d = b->first; d && n <= CHAIN_MAX; d = d->chain)
		n++;
	spin_unlock(&b->lock);
	return n > CHAIN_MAX;
}

/* Ask the file system for @n and cache the answer. holds: dir->lock */
static int lookup_uncached(struct dentry *parent, const struct qname *n, struct dentry **out)
{
	struct inode *dir = dentry_inode(parent), *i = NULL;
	struct dentry *d, *old;
	struct bucket *b;
	bool weak;
	int err;

	if (n->len > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	if (dir->flags & INODE_DEAD)
		return -ENOENT;
	err = dir->ops->lookup(dir, n, &i);
	if (err && (err != -ENOENT || dir->sb->no_new_names))
		return err;
	err = dentry_alloc(dir->sb, parent, n, i, &d);
	if (err) {
		if (i)
			inode_put(i);
		return err;
	}
	weak = i ? i->flags & INODE_UNCACHED : dir->ops->revalidate != NULL;
	if (weak)
		d->flags |= DENTRY_UNCACHED;
	if (weak && !i) {
		*out = d;
		return 0;
	}
	b = bucket_of(d->hash);
	if (chain_is_long(b))
		bucket_shrink(b, NULL);
	spin_lock(&b->lock);
	/* Two readers of the directory may get here together: the first one's dentry stays. */
	old = bucket_search(b, parent, n, d->hash);
	if (old && !bucket_get(old))
		old = NULL;
	if (!old && !weak)
		ref_get(&d->refs);
	if (!old)
		dentry_bucket_add(b, d);
	spin_unlock(&b->lock);
	if (old)
		dentry_put(d);
	*out = old ? old : d;
	return 0;
}

/* Names that the file system says may go stale (procfs): negative ones are not believed at all. */
static bool still_valid(struct inode *dir, struct dentry *d)
{
	if (likely(!dir->ops->revalidate))
		return true;
	return dentry_inode(d) && dir->ops->revalidate(dir, d);
}

/* Cached and valid, or NULL. */
static __always_inline struct dentry *find_valid(struct dentry *parent, struct inode *dir,
						 const struct qname *n)
{
	struct dentry *d = find(parent, n);

	if (!d || still_valid(dir, d))
		return d;
	dentry_unhash(d);
	if (READ_ONCE(d->nmounts))
		mount_prune_soon();
	dentry_put(d);
	return NULL;
}

/*
 * Child @n of @parent, with a reference, negative if it does not exist.
 * ctx: thread; holds: the directory's lock; sleeps. Returns 0, -ENAMETOOLONG, -ENOTDIR, -ENOMEM or
 * the file system's error.
 */
int dentry_lookup_locked(struct dentry *parent, const struct qname *n, struct dentry **out)
{
	struct inode *dir = dentry_inode(parent);
	struct dentry *d;

	if (!dir->ops || !dir->ops->lookup)
		return -ENOTDIR;
	d = find_valid(parent, dir, n);
	if (!d)
		return lookup_uncached(parent, n, out);
	*out = d;
	return 0;
}

/*
 * As dentry_lookup_locked, taking the directory's lock only when the name is not cached; which is
 * -EAGAIN with @cached. ctx: thread; sleeps.
 */
int dentry_lookup(struct dentry *parent, const struct qname *n, bool cached, struct dentry **out)
{
	struct inode *dir = dentry_inode(parent);
	struct dentry *d = find_valid(parent, dir, n);
	int err;

	if (likely(d)) {
		*out = d;
		return 0;
	}
	if (cached)
		return -EAGAIN;
	rwsem_read_lock(&dir->lock);
	err = dentry_lookup_locked(parent, n, out);
	rwsem_read_unlock(&dir->lock);
	return err;
}

/* See namei.h. ctx: thread; holds: the directory's lock for writing; sleeps: no */
void dentry_instantiate(struct dentry *d, struct inode *i)
{
	debug_assert(!d->inode);
	store_release(&d->inode, i);
}

/*
 * Take @d out of the table, if it is in it. ctx: thread; sleeps: no (the caller has a reference of
 * its own)
 */
void dentry_unhash(struct dentry *d)
{
	struct bucket *b = bucket_lock_of(d);
	bool was = d->flags & DENTRY_HASHED;

	if (was)
		dentry_bucket_remove(b, d);
	spin_unlock(&b->lock);
	if (was && !(d->flags & DENTRY_UNCACHED))
		dentry_put(d);
}

/*
 * The name was removed from its directory. The caller holds a reference and puts it afterwards.
 * ctx: thread; holds: the directory's lock for writing; sleeps: when the inode is evicted.
 */
void dentry_delete(struct dentry *d)
{
	struct bucket *b = bucket_lock_of(d);
	struct inode *i = NULL;
	bool drop = false;

	if (ref_read(&d->refs) == 2 && (d->flags & DENTRY_HASHED)) {
		i = d->inode;
		d->inode = NULL;
	} else if (d->flags & DENTRY_HASHED) {
		dentry_bucket_remove(b, d);
		drop = true;
	}
	spin_unlock(&b->lock);
	if (i) {
		notify_gone(i);
		inode_put(i);
	}
	if (drop)
		dentry_put(d);
}

/* Up to @max hashed children of @parent, with references. */
static u32 some_children(struct dentry *parent, struct dentry **out, u32 max)
{
	struct spinlock *l = family_lock(parent);
	struct dentry *d;
	u32 n = 0;

	spin_lock(l);
	for (d = parent->child; d && n < max; d = d->sibling)
		if ((READ_ONCE(d->flags) & DENTRY_HASHED) && ref_get_unless_zero(&d->refs))
			out[n++] = d;
	spin_unlock(l);
	return n;
}

/*
 * The directory @d was removed: take its names, all negative, out of the table.
 * ctx: thread; sleeps. Nobody adds any, since lookups in a dead directory fail.
 */
void dentry_drop_children(struct dentry *d)
{
	struct dentry *some[16];
	u32 n;

	while ((n = some_children(d, some, ARRAY_SIZE(some)))) {
		for (u32 k = 0; k < n; k++) {
			dentry_unhash(some[k]);
			dentry_put(some[k]);
		}
	}
}

/* Parent with a reference; a root is its own. ctx: thread; sleeps: no */
struct dentry *dentry_get_parent(struct dentry *d)
{
	struct bucket *b = bucket_lock_of(d);
	struct dentry *p = dentry_get(d->parent);

	spin_unlock(&b->lock);
	return p;
}

/*
 * Drop every name of @sb that nobody uses; children go before their parents, so repeat while there
 * is progress.
 * ctx: thread; sleeps.
 */
void dcache_drop_super(struct super *sb)
{
	u64 n;

	do {
		n = 0;
		for (u32 k = 0; k <= bucket_mask; k++)
			n += bucket_shrink(&buckets[k], sb);
	} while (n);
}

/*
 * Every name that nobody uses: parents become free by their children, and a round may only take
 * second chances away. Bounded, as others may be making names.
 */
static u64 dcache_empty(void)
{
	u64 names;

	for (u32 quiet = 0, round = 0; quiet < 2 && round < EMPTY_ROUNDS; round++) {
		names = 0;
		for (u32 k = 0; k <= bucket_mask; k++)
			names += bucket_shrink(&buckets[k], NULL);
		quiet = names ? 0 : quiet + 1;
	}
	return slab_reap();
}

/*
 * Shrinker: an eighth of the table at a time, at most two rounds of the clock. Names share frames
 * with others at random, so many must go before frames become free; only what slab_reap() then
 * finds counts.
 */
static u64 dcache_shrink(u64 want)
{
	u32 size = bucket_mask + 1;
	u64 freed = 0, names;

	if (want == PMM_SHRINK_ALL)
		return dcache_empty();
	for (u32 turn = 0; turn < 16 && freed < want; turn++) {
		names = 0;
		for (u32 k = 0; k < size / 8; k++) {
			u32 hand = __atomic_fetch_add(&clock_hand, 1, __ATOMIC_RELAXED);

			names += bucket_shrink(&buckets[hand & bucket_mask], NULL);
		}
		if (names)
			freed += slab_reap();
	}
	return freed;
}

static struct shrinker dcache_shrinker = { "dcache", dcache_shrink, NULL };

/* Boot: one bucket per 16 frames of memory, 256 to 64 Ki. ctx: boot thread */
void dcache_init(void)
{
	struct pmm_stats st;
	u32 n = 256;

	pmm_get_stats(&st);
	while (n < 65536 && (u64)n * 16 < st.total)
		n *= 2;
	buckets = kcalloc(n, sizeof(*buckets), 0);
	dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 64);
	if (!buckets)
		panic("no memory for the name cache");
	for (u32 k = 0; k < n; k++)
		spin_init(&buckets[k].lock, RANK_DCACHE);
	for (u32 k = 0; k < FAMILY_LOCKS; k++)
		spin_init(&family_locks[k], RANK_DCACHE);
	bucket_mask = n - 1;
	hash_seed = (u32)rand_u64();
	pmm_add_shrinker(&dcache_shrinker);
}
