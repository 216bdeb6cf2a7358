/*
 * Taking clean pages out of page caches when memory is wanted.
 *
 * Every cache that can fill its pages again is on one list. The shrinker goes round: some pages of
 * a cache, from where it was last, then the next cache. A page that was used since the hand passed
 * (PG_REFERENCED) is spared once; one that somebody holds, or that is dirty, stays. What is dirty
 * becomes clean by the writeback thread, which limits how much there can be of it.
 *
 * The list's lock is held while pages of a cache are taken, so a cache cannot go meanwhile; it may
 * be called from an allocation under any sleeping lock, and takes spinlocks only.
 */
#include "kernel/base/spinlock.h"
#include "mm/vm/pagecache_internal.h"

static struct spinlock caches_lock = SPINLOCK_INIT(RANK_PAGECACHES);
static struct list caches = LIST_INIT(caches); /* caches_lock: the next to be looked at first */
static u32 ncaches; /* caches_lock */

/* @pc can be shrunk from now on. ctx: any but IRQ */
void reclaim_add(struct pagecache *pc)
{
	spin_lock(&caches_lock);
	list_add_tail(&caches, &pc->reclaim_link);
	ncaches++;
	spin_unlock(&caches_lock);
}

/* @pc is about to go. ctx: thread */
void reclaim_remove(struct pagecache *pc)
{
	spin_lock(&caches_lock);
	list_del(&pc->reclaim_link);
	ncaches--;
	spin_unlock(&caches_lock);
}

/* Some pages of the next cache. True when that cache has been seen to its end. */
static bool shrink_next(bool all, u64 *freed)
{
	struct pagecache *pc;
	bool end;

	spin_lock(&caches_lock);
	if (list_empty(&caches)) {
		spin_unlock(&caches_lock);
		return true;
	}
	pc = list_first(&caches, struct pagecache, reclaim_link);
	*freed += pagecache_take_clean(pc, &pc->reclaim_at, all);
	end = !pc->reclaim_at;
	if (end) {
		list_del(&pc->reclaim_link);
		list_add_tail(&caches, &pc->reclaim_link);
	}
	spin_unlock(&caches_lock);
	return end;
}

static u64 shrink(u64 want)
{
	u32 rounds = 2 * READ_ONCE(ncaches);
	u64 freed = 0;

	/* Twice round: what was spared the first time goes the second. */
	while (freed < want && rounds)
		if (shrink_next(want == PMM_SHRINK_ALL, &freed))
			rounds--;
	return freed;
}

/* Boot. ctx: boot thread */
void reclaim_setup(void)
{
	static struct shrinker s = { .name = "page cache", .shrink = shrink };

	pmm_add_shrinker(&s);
}
