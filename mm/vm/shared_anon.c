/*
 * Shared anonymous memory: an object with a page cache that lives in memory only, kept by the
 * regions (and whoever else) that hold its vm_file. Its whole size counts as committed from the
 * beginning, unless it was asked for without that (MAP_NORESERVE, where the settings allow it).
 */
#include "mm/vm/vm_internal.h"

struct shared_anon {
	struct vm_file vmf; /* I */
	refcount_t refs; /* a */
	struct pagecache cache; /* own locks */
	u64 pages; /* I: committed */
	u64 ino; /* I: shown in /proc/PID/maps */
};

static atomic64_t shared_anon_ino;

static struct shared_anon *shared_anon_of(struct vm_file *f)
{
	return container_of(f, struct shared_anon, vmf);
}

static void shared_anon_get(struct vm_file *f)
{
	ref_get(&shared_anon_of(f)->refs);
}

static void shared_anon_put(struct vm_file *f)
{
	struct shared_anon *s = shared_anon_of(f);

	if (!ref_put(&s->refs))
		return;
	pagecache_fini(&s->cache);
	vm_uncommit(s->pages);
	kfree(s);
}

static struct pagecache *shared_anon_cache(struct vm_file *f)
{
	return &shared_anon_of(f)->cache;
}

static void shared_anon_describe(struct vm_file *f, char *path, size_t size, u64 *dev, u64 *ino)
{
	strlcpy(path, "/dev/zero (deleted)", size);
	*dev = 1;
	*ino = shared_anon_of(f)->ino;
}

static int shared_anon_punch(struct vm_file *f, u64 start, u64 end)
{
	pagecache_punch(&shared_anon_of(f)->cache, start, end);
	return 0;
}

static const struct vm_file_ops shared_anon_file_ops = {
	.get = shared_anon_get,
	.put = shared_anon_put,
	.cache = shared_anon_cache,
	.describe = shared_anon_describe,
	.punch = shared_anon_punch,
};

static const struct pagecache_ops shared_anon_cache_ops;

/*
 * A new object of @size bytes, all zeroes, with one reference for the caller; @flags: VM_NORESERVE.
 * ctx: thread; sleeps. 0 or -ENOMEM.
 */
int vm_shared_anon(u64 size, u32 flags, struct vm_file **out)
{
	u64 pages = DIV_ROUND_UP(size, PAGE_SIZE);
	struct shared_anon *s;
	int err;

	if ((flags & VM_NORESERVE) && vm_overcommit_mode != 2)
		pages = 0;
	err = vm_commit(pages);
	if (err)
		return err;
	s = kzalloc(sizeof(*s), 0);
	if (!s) {
		vm_uncommit(pages);
		return -ENOMEM;
	}
	s->vmf.ops = &shared_anon_file_ops;
	ref_init(&s->refs, 1);
	pagecache_init(&s->cache, &shared_anon_cache_ops, s);
	s->cache.size = ALIGN_UP(size, (u64)PAGE_SIZE);
	s->pages = pages;
	s->ino = atomic_add_return(&shared_anon_ino, 1);
	*out = &s->vmf;
	return 0;
}
