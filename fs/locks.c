/*
 * File locks: who holds what on an inode, who waits, and who must not wait.
 *
 * Each inode that ever had a lock has a context with two lists of held locks (flock's, and record
 * locks of both kinds, which exclude each other) and one queue of waiters. A lock that is given up
 * is handed to waiters in the order they came, in the same locked section: nobody who comes later
 * can take it first. A waiter lies on its thread's stack.
 *
 * Deadlock: POSIX locks belong to a descriptor table; a table that would wait for one that (through
 * any number of others) waits for it gets -EDEADLK. All POSIX waiters are on one list with whom
 * they wait for, which only calls that are about to sleep look at. Open-file-description locks and
 * flock are not checked, as on Linux.
 *
 * All contexts are on one list, for /proc/locks.
 *
 * Locking: all_lock (FILE_LOCKS) guards the list of contexts, ctx->lock (SPIN_OUTER) a context,
 * inside it, and wait_lock (EVENT) the list of POSIX waiters, inside that.
 */
#include <linux/errno.h>
#include "fs/locks_internal.h"
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

/* l: guarded by the context's lock; w: by wait_lock. */
struct lock_waiter {
	struct list link; /* l */
	struct list all; /* w: POSIX waiters */
	struct file_lock want; /* I */
	const void *blocker; /* w: owner it waits for */
	struct lock_pool pool; /* l: nodes for the moment it is granted */
	bool granted; /* l */
	const struct file_lock *behind; /* l: while it is shown: the first that keeps it out */
	struct waitq q;
};

static struct spinlock wait_lock = SPINLOCK_INIT(RANK_EVENT);
static struct list posix_waiters = LIST_INIT(posix_waiters); /* wait_lock */

static struct spinlock all_lock = SPINLOCK_INIT(RANK_FILE_LOCKS);
static struct list all_contexts = LIST_INIT(all_contexts); /* all_lock: struct file_lock_ctx.all */

/* See locks_internal.h. ctx: thread; sleeps */
int locks_make_ctx(struct inode *i, struct file_lock_ctx **out)
{
	struct file_lock_ctx *c = locks_ctx_of(i), *none = NULL;

	if (!c) {
		c = kmalloc(sizeof(*c), 0);
		if (!c)
			return -ENOMEM;
		spin_init(&c->lock, RANK_SPIN_OUTER);
		c->inode = i;
		list_init(&c->flocks);
		list_init(&c->ranges);
		list_init(&c->waiters);
		list_init(&c->leases);
		list_init(&c->breakers);
		waitq_init(&c->lease_wait);
		if (!__atomic_compare_exchange_n(&i->locks, &none, c, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			kfree(c);
			c = none;
		} else {
			spin_lock(&all_lock);
			list_add_tail(&all_contexts, &c->all);
			spin_unlock(&all_lock);
		}
	}
	*out = c;
	return 0;
}

/* The inode goes. ctx: thread */
void locks_free_ctx(struct inode *i)
{
	if (likely(!i->locks))
		return;
	spin_lock(&all_lock);
	list_del(&i->locks->all);
	spin_unlock(&all_lock);
	kfree(i->locks);
}

static void pool_free(struct lock_pool *pool)
{
	while (!list_empty(&pool->free)) {
		struct file_lock *l = list_first(&pool->free, struct file_lock, link);

		list_del(&l->link);
		kfree(l);
	}
}

static int pool_fill(struct lock_pool *pool)
{
	list_init(&pool->free);
	for (int k = 0; k < 2; k++) {
		struct file_lock *l = kmalloc(sizeof(*l), 0);

		if (!l) {
			pool_free(pool);
			return -ENOMEM;
		}
		list_add(&pool->free, &l->link);
	}
	return 0;
}

static struct list *held_list(struct file_lock_ctx *c, const struct file_lock *want)
{
	return want->kind == LOCK_KIND_FLOCK ? &c->flocks : &c->ranges;
}

/* Give waiters what is free now, in their order. holds: c->lock */
static void grant_waiters(struct file_lock_ctx *c)
{
	struct lock_waiter *w, *tmp;
	struct file_lock *l;

	list_for_each_safe(w, tmp, &c->waiters, link) {
		l = lock_range_conflict(held_list(c, &w->want), &w->want);
		if (l) {
			spin_lock(&wait_lock);
			w->blocker = l->owner;
			spin_unlock(&wait_lock);
			continue;
		}
		lock_range_apply(held_list(c, &w->want), &w->want, false, &w->pool);
		list_del(&w->link);
		spin_lock(&wait_lock);
		list_del(&w->all); /* who has what he wants waits for nobody, even before he runs */
		spin_unlock(&wait_lock);
		WRITE_ONCE(w->granted, true);
		waitq_wake_all(&w->q);
	}
}

/* Would waiting for @blocker close a circle? holds: wait_lock */
static bool would_deadlock(const void *me, const void *blocker)
{
	struct lock_waiter *w;

	for (u32 steps = 0; steps < 1000; steps++) {
		const void *next = NULL;

		if (blocker == me)
			return true;
		list_for_each(w, &posix_waiters, all)
			if (w->want.owner == blocker)
				next = w->blocker;
		if (!next)
			return false;
		blocker = next;
	}
	return false;
}

/* Queue @w, which @conflict keeps out. holds: c->lock. 0 or -EDEADLK. */
static int enqueue(struct file_lock_ctx *c, struct lock_waiter *w, const struct file_lock *conflict)
{
	int err = 0;

	list_init(&w->all);
	w->blocker = conflict->owner;
	if (w->want.kind == LOCK_KIND_POSIX) {
		spin_lock(&wait_lock);
		if (conflict->kind == LOCK_KIND_POSIX && would_deadlock(w->want.owner, w->blocker))
			err = -EDEADLK;
		else
			list_add_tail(&posix_waiters, &w->all);
		spin_unlock(&wait_lock);
	}
	if (!err)
		list_add_tail(&c->waiters, &w->link);
	return err;
}

static int wait_granted(struct file_lock_ctx *c, struct lock_waiter *w)
{
	int err = wait_event_interruptible(&w->q, READ_ONCE(w->granted)) ? -ERESTARTSYS : 0;

	spin_lock(&c->lock);
	if (w->granted)
		err = 0;
	else
		list_del(&w->link);
	spin_unlock(&c->lock);
	spin_lock(&wait_lock);
	list_del(&w->all);
	spin_unlock(&wait_lock);
	return err;
}

/*
 * Take @want, or give it up, or wait for it. @convert: flock's change of type gives the old lock up
 * first.
 */
static int change(struct file_lock_ctx *c, const struct file_lock *want, bool unlock, bool wait,
		  bool convert)
{
	struct lock_waiter w = { .want = *want };
	struct file_lock *conflict;
	int err = pool_fill(&w.pool);

	if (err)
		return err;
	waitq_init(&w.q);
	list_init(&w.link);
	spin_lock(&c->lock);
	if (convert && !unlock) {
		struct list *held = held_list(c, want);
		struct file_lock *l;

		list_for_each(l, held, link) {
			if (l->owner == want->owner && l->write != want->write) {
				lock_range_apply(held, want, true, &w.pool);
				grant_waiters(c);
				break;
			}
		}
	}
	conflict = unlock ? NULL : lock_range_conflict(held_list(c, want), want);
	if (!conflict) {
		lock_range_apply(held_list(c, want), want, unlock, &w.pool);
		grant_waiters(c);
	} else {
		err = wait ? enqueue(c, &w, conflict) : -EAGAIN;
		wait = wait && !err;
	}
	spin_unlock(&c->lock);
	if (conflict && wait)
		err = wait_granted(c, &w);
	pool_free(&w.pool);
	return err;
}

/* See locks.h. ctx: thread; sleeps. */
int locks_flock(struct file *f, int type, u32 pid, bool wait)
{
	struct file_lock want = { .kind = LOCK_KIND_FLOCK,
				  .write = type == 2,
				  .owner = f,
				  .pid = pid,
				  .end = LOCK_END_MAX };
	struct file_lock_ctx *c;
	int err;

	if (!type && !locks_ctx_of(f->inode))
		return 0;
	err = locks_make_ctx(f->inode, &c);
	return err ? err : change(c, &want, !type, wait, true);
}

/* See locks.h. ctx: thread; sleeps. */
int locks_set(struct file *f, const struct file_lock *want, bool unlock, bool wait)
{
	struct file_lock_ctx *c;
	int err;

	if (unlock && !locks_ctx_of(f->inode))
		return 0;
	err = locks_make_ctx(f->inode, &c);
	if (!err)
		err = change(c, want, unlock, wait, false);
	/*
	 * Another thread may have closed the descriptor meanwhile, and with it dropped the table's
	 * locks: do not leave one behind that nobody would ever drop.
	 */
	if (!err && !unlock && want->kind == LOCK_KIND_POSIX && !fd_table_has(f)) {
		locks_remove_posix(f, want->owner);
		err = -EBADF;
	}
	return err;
}

/* See locks.h. ctx: thread; sleeps: no */
bool locks_test(struct file *f, const struct file_lock *want, struct file_lock *found)
{
	struct file_lock_ctx *c = locks_ctx_of(f->inode);
	struct file_lock *l;

	if (!c)
		return false;
	spin_lock(&c->lock);
	l = lock_range_conflict(&c->ranges, want);
	if (l)
		*found = *l;
	spin_unlock(&c->lock);
	return l;
}

/* Take every lock of @owner off @held. holds: c->lock */
static bool drop_all(struct list *held, const void *owner, u8 kind, struct list *dead)
{
	struct file_lock *l, *tmp;
	bool any = false;

	list_for_each_safe(l, tmp, held, link) {
		if (l->owner == owner && l->kind == kind) {
			list_del(&l->link);
			list_add(dead, &l->link);
			any = true;
		}
	}
	return any;
}

/* See locks.h. ctx: thread; sleeps: no */
void locks_remove_posix(struct file *f, const void *owner)
{
	struct file_lock_ctx *c = locks_ctx_of(f->inode);
	struct lock_pool dead = { LIST_INIT(dead.free) };

	if (!c)
		return;
	spin_lock(&c->lock);
	if (drop_all(&c->ranges, owner, LOCK_KIND_POSIX, &dead.free))
		grant_waiters(c);
	spin_unlock(&c->lock);
	pool_free(&dead);
}

/* See locks.h. ctx: thread; sleeps: no */
void locks_release_file(struct file *f)
{
	struct file_lock_ctx *c = locks_ctx_of(f->inode);
	struct lock_pool dead = { LIST_INIT(dead.free) };
	bool any;

	spin_lock(&c->lock);
	any = drop_all(&c->ranges, f, LOCK_KIND_OFD, &dead.free);
	any |= drop_all(&c->flocks, f, LOCK_KIND_FLOCK, &dead.free);
	if (any)
		grant_waiters(c);
	spin_unlock(&c->lock);
	pool_free(&dead);
	lease_release_file(f, c);
}

/* One line: "1: POSIX  ADVISORY  WRITE 42 00:14:7 0 EOF"; @arrow stands before those that wait. */
static void show_lock(struct sbuf *out, u32 nr, const char *arrow, const struct inode *i,
		      const struct file_lock *l)
{
	static const char *const kinds[] = { [LOCK_KIND_FLOCK] = "FLOCK ",
					     [LOCK_KIND_POSIX] = "POSIX ",
					     [LOCK_KIND_OFD] = "OFDLCK" };
	u64 dev = i->sb->dev;

	sbuf_printf(out, "%u: %s%s ADVISORY  %s %d %02x:%02x:%llu %llu ", nr, arrow, kinds[l->kind],
		    l->write ? "WRITE" : "READ", (int)l->pid, dev_major(dev), dev_minor(dev),
		    (unsigned long long)i->ino, (unsigned long long)l->start);
	if (l->end == LOCK_END_MAX)
		sbuf_puts(out, "EOF\n");
	else
		sbuf_printf(out, "%llu\n", (unsigned long long)l->end);
}

/* Locks, each with those that wait for its owner. holds: c->lock. The last number given. */
static u32 show_held(struct sbuf *out, u32 nr, struct file_lock_ctx *c, const struct list *held)
{
	const struct file_lock *l;
	struct lock_waiter *w;

	list_for_each(l, held, link) {
		show_lock(out, ++nr, "", c->inode, l);
		list_for_each(w, &c->waiters, link)
			if (w->behind == l)
				show_lock(out, nr, "-> ", c->inode, &w->want);
	}
	return nr;
}

static int locks_show(struct sbuf *out, void *arg)
{
	struct file_lock_ctx *c;
	struct lock_waiter *w;
	u32 nr = 0;

	spin_lock(&all_lock);
	list_for_each(c, &all_contexts, all) {
		spin_lock(&c->lock);
		/* Once per waiter, not once per waiter and lock: there may be many of both. */
		list_for_each(w, &c->waiters, link)
			w->behind = lock_range_conflict(held_list(c, &w->want), &w->want);
		nr = show_held(out, nr, c, &c->flocks);
		nr = show_held(out, nr, c, &c->ranges);
		nr = leases_show(out, nr, c);
		spin_unlock(&c->lock);
	}
	spin_unlock(&all_lock);
	return 0;
}
PROC_FILE(locks, "locks", 0444, .show = locks_show);
