/*
 * The kernel around the ext driver, on the host: frames, locks that only check themselves, a block
 * device that is memory, a mount. Locks and waits are those of one thread: what would wait for
 * ever, or takes a lock twice, ends the program.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include "block/block.h"
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "mm/vm/writeback.h"
#include "tests/unit/ext/host.h"
#include "tests/unit/fakes/waits.h"
#include "tests/unit/unit.h"

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void free(void *p);
void *aligned_alloc(size_t align, size_t n);
void abort(void) __noreturn;
int printf(const char *fmt, ...);

static struct thread thread;
struct arch_thread *host_thread = &thread.arch;
struct cred cred_root = { .effective = ~0ull };
u32 cpu_count = 1;
u32 notify_watches, fanotify_asked;
u32 host_writes;
u64 host_fail_write = ~0ull, host_fail_read = ~0ull;

/* --- frames --- */

#define FRAMES 16384u
static char *pool;
static u32 free_list[FRAMES], nfree;
struct page *pmm_pages;
u64 pmm_base_pfn, pmm_end_pfn;

static void frames_make(void)
{
	pool = aligned_alloc(PAGE_SIZE, (size_t)FRAMES * PAGE_SIZE);
	pmm_pages = calloc(FRAMES, sizeof(struct page));
	pmm_base_pfn = (u64)pool >> PAGE_SHIFT;
	for (nfree = 0; nfree < FRAMES; nfree++)
		free_list[nfree] = FRAMES - 1 - nfree;
}

static void caches_shrink(void);

struct page *pmm_alloc(u32 order, u32 flags)
{
	struct page *p;

	if (!pool)
		frames_make();
	if (!nfree)
		caches_shrink();
	if (order || !nfree)
		return NULL;
	p = pmm_pages + free_list[--nfree];
	memset(p, 0, sizeof(*p));
	p->refs = 1;
	memset(page_to_va(p), flags & PMM_ZERO ? 0 : 0xa5, PAGE_SIZE);
	return p;
}

void page_put(struct page *p)
{
	if (!p->refs)
		panic("a page is put too often");
	if (--p->refs)
		return;
	if (p->flags & PG_WRITEBACK)
		panic("a page goes that is in use");
	memset(page_to_va(p), 0x5a, PAGE_SIZE);
	free_list[nfree++] = (u32)(p - pmm_pages);
}

void page_zero(void *va)
{
	memset(va, 0, PAGE_SIZE);
}

u64 vm_retired_frames(void)
{
	return 0;
}

u64 pmm_free_frames(void)
{
	return nfree;
}

u64 host_bytes_allocated(void)
{
	return pool ? (u64)(FRAMES - nfree) * PAGE_SIZE : 0;
}

void *host_alloc(u64 n)
{
	return calloc(1, n);
}

void host_free(void *p)
{
	free(p);
}

static struct shrinker *shrinkers;
void pmm_add_shrinker(struct shrinker *s)
{
	s->next = shrinkers;
	shrinkers = s;
}

u64 pmm_shrink(u64 want)
{
	u64 freed = 0;

	for (struct shrinker *s = shrinkers; s; s = s->next)
		freed += s->shrink(want);
	return freed;
}
static void caches_shrink(void)
{
	(void)pmm_shrink(64);
}
void *pmm_alloc_va(u32 order, u32 flags)
{
	struct page *p = pmm_alloc(order, flags);

	return p ? page_to_va(p) : NULL;
}
void pmm_free_va(void *va, u32 order)
{
	page_put(va_to_page(va));
}
void pmm_get_stats(struct pmm_stats *s)
{
	s->total = FRAMES;
	s->free = pmm_free_frames();
	s->reserved = 0;
}

struct kmem_cache {
	size_t size;
};
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	static struct kmem_cache caches[8];
	static u32 n;

	caches[n].size = size;
	return &caches[n++];
}
void *kmem_cache_alloc(struct kmem_cache *c, u32 flags)
{
	return malloc(c->size);
}
void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	free(obj);
}
void *kmalloc(size_t n, u32 flags)
{
	return malloc(n);
}
void *kzalloc(size_t n, u32 flags)
{
	return calloc(1, n);
}
void *kcalloc(size_t n, size_t size, u32 flags)
{
	return calloc(n, size);
}
void kfree(const void *p)
{
	free((void *)(uintptr_t)p);
}
char *kstrdup(const char *s, u32 flags)
{
	size_t n = strlen(s) + 1;

	return memcpy(malloc(n), s, n);
}
void *kmemdup(const void *p, size_t n, u32 flags)
{
	return memcpy(malloc(n), p, n);
}

/* --- locks, waiting, work --- */

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	l->locked = 0;
}
void spin_lock(struct spinlock *l)
{
	if (l->locked++)
		panic("a spinlock is taken twice");
}
void spin_unlock(struct spinlock *l)
{
	if (!l->locked--)
		panic("a spinlock is free already");
}
void mutex_init(struct mutex *m, enum lock_rank rank)
{
	m->owner = 0;
}
void mutex_lock(struct mutex *m)
{
	if (m->owner)
		panic("a mutex is taken twice");
	m->owner = 1;
}
void mutex_unlock(struct mutex *m)
{
	if (!m->owner)
		panic("a mutex is free already");
	m->owner = 0;
}
void rwsem_init(struct rwsem *s, enum lock_rank rank)
{
	s->state = 0;
}
void rwsem_read_lock(struct rwsem *s)
{
	rwsem_write_lock(s);
}
void rwsem_read_unlock(struct rwsem *s)
{
	rwsem_write_unlock(s);
}
void rwsem_write_lock(struct rwsem *s)
{
	if (s->state++)
		panic("an rwsem is taken twice");
}
void rwsem_write_unlock(struct rwsem *s)
{
	s->state--;
}
void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, RANK_WAITQ);
	list_init(&q->waiters);
}
static struct work *queued; /* there is one driver, with one kind of work */

/* Who waits does so for what a worker will do. */
int wait_block(enum thread_state state, s64 until)
{
	if (!queued)
		panic("this waits for ever");
	work_flush(queued);
	return 0;
}
void preempt_enable_slow(void)
{
}
int thread_create(const char *name, void (*fn)(void *), void *arg, struct thread **out)
{
	return 0;
}
void work_init(struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	w->queued = false;
}
bool work_queue(struct work *w)
{
	w->queued = true;
	queued = w;
	return true;
}
void work_flush(struct work *w)
{
	while (w->queued) {
		w->queued = false;
		queued = NULL;
		w->fn(w);
	}
}
s64 time_now(void)
{
	static s64 now;

	return now += 1000;
}
s64 time_wall(void)
{
	return 1700000000 * NSEC_PER_SEC + time_now();
}
u64 rand_u64(void)
{
	return unit_random();
}

/* --- what the driver does not need here --- */

void vm_unmap_object(struct pagecache *pc, u64 first, u64 last, bool private_too)
{
}
void vm_write_protect_object(struct pagecache *pc, u64 index)
{
}
void locks_free_ctx(struct inode *i)
{
}
void pipe_evict(struct inode *i)
{
}
void inode_init_special(struct inode *i, u64 rdev)
{
	i->rdev = rdev;
}
int inode_strip_suid_locked(struct inode *i)
{
	return 0;
}
void notify_path_event(struct dentry *d, const struct path *p, u32 mask)
{
}
bool thread_capable(int cap)
{
	return cred_capable(current->cred, cap);
}

int notify_permission_event(const struct file *f, u32 mask)
{
	return 0;
}
bool cred_in_group(const struct cred *c, u32 gid)
{
	return c->fsgid == gid;
}
void host_be(u32 uid, u32 gid)
{
	static struct cred other;

	other.fsuid = uid;
	other.fsgid = gid;
	current->cred = uid ? &other : &cred_root;
}
bool log_rate_ok(struct log_rate *r, u32 burst, s64 interval_ns)
{
	return true;
}
void panic_plain(const char *fmt, ...)
{
	panic("errors=panic");
}

/* --- the block device --- */

static char *image;
static u64 image_bytes;
static struct disk disk;
static struct blkdev bdev = { .disk = &disk, .dev = 0x1000, .name = "image" };
static struct pagecache bdev_cache;

static int bdev_fill(struct pagecache *pc, struct page *p)
{
	u64 at = p->index << PAGE_SHIFT;

	page_zero(page_to_va(p));
	if (at < image_bytes)
		memcpy(page_to_va(p), image + at, MIN(image_bytes - at, (u64)PAGE_SIZE));
	return 0;
}
static const struct pagecache_ops bdev_ops = { .fill = bdev_fill };

void host_image(void *data, u64 bytes)
{
	static bool ready;

	if (!ready)
		pagecache_setup();
	ready = true;
	image = data;
	image_bytes = bytes;
	bdev.nsect = bytes >> SECTOR_SHIFT;
	disk.limits.block = 512;
}

struct blkdev *blkdev_find(u64 dev)
{
	return &bdev;
}
struct pagecache *blkdev_cache(struct blkdev *b)
{
	return &bdev_cache;
}
bool blkdev_read_only(const struct blkdev *b)
{
	return false;
}
int blkdev_get(struct blkdev *b, u32 how, void *holder)
{
	return 0;
}
void blkdev_put(struct blkdev *b, u32 how)
{
}
int blkdev_flush(struct blkdev *b)
{
	return 0;
}
int blkdev_invalidate(struct blkdev *b, u64 start, u64 end)
{
	pagecache_forget(&bdev_cache, 0, ~0ull);
	return 0;
}

struct bio *bio_alloc(struct blkdev *b, enum bio_op op, u64 sector, u32 max_segs, u32 flags)
{
	struct bio *bio = calloc(1, sizeof(*bio) + max_segs * sizeof(bio->segs[0]));

	bio->bdev = b;
	bio->op = op;
	bio->sector = sector;
	bio->max_segs = max_segs;
	list_init(&bio->link);
	return bio;
}
void bio_free(struct bio *b)
{
	free(b);
}
bool bio_add(struct bio *b, struct page *p, u32 off, u32 len)
{
	if (b->nsegs == b->max_segs)
		return false;
	b->segs[b->nsegs++] = (struct bio_seg){ p, off, len };
	b->nsect += len >> SECTOR_SHIFT;
	return true;
}

static bool holds_sector(u64 sector, u64 at, u32 len)
{
	return sector << SECTOR_SHIFT >= at && sector << SECTOR_SHIFT < at + len;
}

static void transfer(struct bio *b)
{
	u64 at = b->sector << SECTOR_SHIFT;

	b->status = 0;
	for (u32 k = 0; k < b->nsegs; k++) {
		char *va = (char *)page_to_va(b->segs[k].page) + b->segs[k].off;
		u32 len = b->segs[k].len;

		if (at > image_bytes || len > image_bytes - at) {
			panic("beyond the end of the device");
		} else if (b->op == BIO_READ) {
			if (holds_sector(host_fail_read, at, len))
				b->status = -EIO;
			else
				memcpy(va, image + at, len);
		} else {
			if (holds_sector(host_fail_write, at, len))
				b->status = -EIO;
			else
				memcpy(image + at, va, len);
			host_writes++;
		}
		at += len;
	}
}
int bio_submit_wait(struct bio *b)
{
	transfer(b);
	return b->status;
}
void bio_plug_submit(struct bio_plug *p)
{
	while (!list_empty(&p->bios)) {
		struct bio *b = list_first(&p->bios, struct bio, link);

		list_del(&b->link);
		transfer(b);
		b->done(b);
	}
}

void blkdev_set_guard(struct blkdev *b, struct blkdev_guard *g)
{
	b->guard = g;
}

/* block/direct.c's, for memory of ours */
bool blkdev_direct_aligned(const struct blkdev *b, const struct uio *u, u64 pos)
{
	return !((pos | u->left | (u->seg->base + u->off)) & (SECTOR_SIZE - 1));
}
ssize_t blkdev_direct_transfer(struct blkdev *b, struct uio *u, u64 pos, bool write)
{
	size_t n = u->left;

	if (pos > image_bytes || n > image_bytes - pos)
		panic("beyond the end of the device");
	host_writes += write;
	return write ? uio_copy_from(u, image + pos, n) : uio_copy_to(u, image + pos, n);
}

/* --- mounting --- */

static struct inode node = { .mode = S_IFBLK | 0600 };
static struct dentry node_dentry = { .inode = &node };
static struct mount node_mount;

void fsctx_get_cwd(struct path *out)
{
	*out = (struct path){ &node_mount, &node_dentry };
}
int path_lookup(const struct path *at, const char *name, u32 flags, struct path *out)
{
	*out = (struct path){ &node_mount, &node_dentry };
	return 0;
}
void path_put(const struct path *p)
{
}
struct super *super_alloc(const struct fs_type *t, u64 magic, const struct super_ops *ops)
{
	struct super *sb = calloc(1, sizeof(*sb));

	ref_init(&sb->refs, 1);
	sb->type = t;
	sb->magic = magic;
	sb->ops = ops;
	return sb;
}
int vfs_register_super(struct super *sb)
{
	return 0;
}
void super_put(struct super *sb)
{
	panic("a mount shares a superblock");
}
struct dentry *dentry_make_root(struct inode *i, struct super *sb)
{
	struct dentry *d = calloc(1, sizeof(*d));

	d->inode = i;
	d->sb = sb;
	return d;
}

extern const struct fs_type host_fs_type_ext2;

int host_mount(u32 flags, const char *data, struct super **out)
{
	int err;

	if (!bdev_cache.ops)
		pagecache_init(&bdev_cache, &bdev_ops, &bdev);
	bdev_cache.size = image_bytes;
	current->cred = &cred_root;
	err = host_fs_type_ext2.mount(&host_fs_type_ext2, "/dev/image", flags, data, out);
	pagecache_forget(&bdev_cache, 0, ~0ull);
	if (!err)
		(*out)->flags |= flags & MS_RDONLY;
	return err;
}

static void unmount(struct super *sb)
{
	inode_put(sb->root->inode);
	free(sb->root);
	work_flush(&ext_sb_of(sb)->reaper);
	sb->ops->put_super(sb);
	pagecache_forget(&bdev_cache, 0, ~0ull);
	free(sb);
}

void host_umount(struct super *sb)
{
	sb->ops->sync(sb, true);
	unmount(sb);
}

void host_crash(struct super *sb)
{
	char *now = malloc(image_bytes);

	memcpy(now, image, image_bytes);
	unmount(sb);
	memcpy(image, now, image_bytes);
	free(now);
}
