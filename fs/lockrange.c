/*
 * Byte-range arithmetic of record locks: a list of held locks sorted by their start, in which the
 * locks of one owner never overlap and, of one type, never touch (they are merged). fcntl(2),
 * POSIX.1-2017 fcntl().
 *
 * Changing a range needs at most two nodes: the new lock, and the tail of one that is split. The
 * caller brings them in a pool, so that the change itself cannot fail. Compiled on the host too.
 */
#include "fs/locks.h"

/* ctx: any */
bool lock_ranges_overlap(const struct file_lock *a, const struct file_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
	return a->owner == b->owner && a->kind == b->kind;
}

/* First lock of another owner that excludes @want, or NULL. ctx: any; holds: the list's lock */
struct file_lock *lock_range_conflict(const struct list *held, const struct file_lock *want)
{
	struct file_lock *l;

	list_for_each(l, held, link)
		if (!same_owner(l, want) && (l->write || want->write) &&
		    lock_ranges_overlap(l, want))
			return l;
	return NULL;
}

static struct file_lock *pool_take(struct lock_pool *pool)
{
	struct file_lock *l = list_first(&pool->free, struct file_lock, link);

	list_del(&l->link);
	return l;
}

static void pool_put(struct lock_pool *pool, struct file_lock *l)
{
	list_del(&l->link);
	list_add(&pool->free, &l->link);
}

static void insert_sorted(struct list *held, struct file_lock *n)
{
	struct file_lock *l;

	list_for_each(l, held, link)
		if (l->start > n->start)
			break;
	list_add_tail(&l->link, &n->link);
}

/* @l keeps what lies outside of @cut; what is behind it becomes a node of its own. */
static void cut_out(struct list *held, struct file_lock *l, const struct file_lock *cut,
		    struct lock_pool *pool)
{
	struct file_lock *tail;

	if (l->end > cut->end) {
		if (l->start < cut->start) {
			tail = pool_take(pool);
			*tail = *l;
			tail->start = cut->end + 1;
			insert_sorted(held, tail);
			l->end = cut->start - 1;
			return;
		}
		list_del(&l->link);
		l->start = cut->end + 1;
		insert_sorted(held, l);
	} else if (l->start < cut->start) {
		l->end = cut->start - 1;
	} else {
		pool_put(pool, l);
	}
}

/* Do the two lie side by side or overlap? */
static bool touches(const struct file_lock *a, const struct file_lock *b)
{
	u64 a_end = a->end == LOCK_END_MAX ? a->end : a->end + 1;
	u64 b_end = b->end == LOCK_END_MAX ? b->end : b->end + 1;

	return a->start <= b_end && b->start <= a_end;
}

/* See locks.h. ctx: any; holds: the list's lock */
void lock_range_apply(struct list *held, const struct file_lock *want, bool unlock,
		      struct lock_pool *pool)
{
	struct file_lock all = *want, *l, *tmp;

	list_for_each_safe(l, tmp, held, link) {
		if (!same_owner(l, want))
			continue;
		if (!unlock && l->write == want->write) {
			if (!touches(l, &all))
				continue;
			all.start = l->start < all.start ? l->start : all.start;
			all.end = l->end > all.end ? l->end : all.end;
			pool_put(pool, l);
		} else if (lock_ranges_overlap(l, want)) {
			cut_out(held, l, want, pool);
		}
	}
	if (unlock)
		return;
	l = pool_take(pool);
	*l = all;
	insert_sorted(held, l);
}
