/*
 * An index in memory of a large directory: from the hash of a name to where its record is, and from
 * the size of a record to the first block that has room for it.
 *
 * The format's own index (dir_index) would have to be kept on the disk and believed when read; this
 * one is made from the records when a name is first looked for, and kept while the directory
 * changes. It is a cache: what it says is compared with the record, whoever cannot have it looks
 * through the blocks, and memory pressure takes indexes away, those not used of late first. All
 * together have a sixteenth of the memory at most.
 *
 * Entries are 64 bits: hash, and place in units of four bytes plus one; 0 is free. A table is
 * 2^bits pages, chosen by the highest bits of the hash; in a page, entries lie from the slot of the
 * lowest bits on. When pages are two thirds full on average the table is doubled, and each page
 * becomes two. The hash depends on a number chosen at boot, so that nobody can make a page of names
 * that collide.
 *
 * An index is built and changed by who holds the directory's lock (building, for reading, and
 * map_lock). index_lock guards the list, and the pins that keep memory pressure away.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define SLOTS (u32)(PAGE_SIZE / sizeof(u64))
#define FULL (SLOTS * 2 / 3)
#define BITS_MAX 16u
#define AT_ONCE 32u /* frames that are asked for when there are none */
#define SHARE 16u /* of the memory that all may have: one in so many */

/* L: index_lock, i: the directory's lock */
struct ext_index {
	struct list link; /* L: the one to go first at the beginning */
	struct ext_inode *dir; /* I */
	u32 users; /* L */
	bool used; /* L: since the shrinker saw it */
	u32 count; /* i */
	u32 bits; /* i */
	u64 **pages; /* i */
	u32 room[EXT_ROOMS]; /* i: blocks before it have no room for a record of 4 * k bytes */
};

static struct spinlock index_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct list indexes = LIST_INIT(indexes); /* index_lock */
static u64 frames; /* a: that all have */
static u64 seed; /* I: after the first use */

static u32 hash_of(const char *name, u32 len)
{
	u64 h = seed ^ len, word;

	for (; len >= sizeof(word); len -= sizeof(word), name += sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	for (; len; len--, name++)
		h = (h ^ (u8)*name) * 0x9e3779b97f4a7c15ull;
	/* The low half of a product does not depend on the high half of what was multiplied. */
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ull;
	return (u32)(h >> 32) ^ (u32)h;
}

static u64 *page_of(const struct ext_index *x, u32 hash)
{
	return x->pages[(u64)hash >> (32 - x->bits)];
}

/* --- memory --- */

static void pages_free(u64 **pages, u32 n)
{
	u32 had = 0;

	for (u32 k = 0; k < n; k++) {
		had += pages[k] != NULL;
		if (pages[k])
			pmm_free_va(pages[k], 0);
	}
	__atomic_sub_fetch(&frames, had, __ATOMIC_RELAXED);
	kfree(pages);
}

/* Other caches may give memory for it, but no process goes. */
static u64 *page_alloc(void)
{
	u64 *p = pmm_alloc_va(0, PMM_ZERO | PMM_USER | PMM_NOWAIT);

	return p || !pmm_shrink(AT_ONCE) ? p : pmm_alloc_va(0, PMM_ZERO | PMM_USER | PMM_NOWAIT);
}

static u64 **pages_alloc(u32 n)
{
	u64 **pages = kcalloc(n, sizeof(*pages), 0);

	for (u32 k = 0; pages && k < n; k++) {
		pages[k] = page_alloc();
		if (!pages[k]) {
			pages_free(pages, n);
			return NULL;
		}
		__atomic_add_fetch(&frames, 1, __ATOMIC_RELAXED);
	}
	return pages;
}

static void index_free(struct ext_index *x)
{
	pages_free(x->pages, 1u << x->bits);
	kfree(x);
}

/* The first that nobody is at, off the list; with @spare one that was used is left once. */
static struct ext_index *victim(bool spare)
{
	struct ext_index *x, *found = NULL;

	spin_lock(&index_lock);
	list_for_each(x, &indexes, link) {
		if (x->users)
			continue;
		if (spare && x->used) {
			x->used = false;
			continue;
		}
		found = x;
		break;
	}
	if (found) {
		list_del(&found->link);
		WRITE_ONCE(found->dir->index, NULL);
	}
	spin_unlock(&index_lock);
	return found;
}

static u64 shrink(u64 want)
{
	u64 freed = 0;
	struct ext_index *x;

	while (freed < want && (x = victim(want != PMM_SHRINK_ALL))) {
		freed += 1u << x->bits;
		index_free(x);
	}
	return freed;
}

/* Is there as much as @n frames left of our share, when others have given what they can? */
static bool may_have(u32 n)
{
	struct pmm_stats st;

	pmm_get_stats(&st);
	while (__atomic_load_n(&frames, __ATOMIC_RELAXED) + n > st.total / SHARE)
		if (!shrink(n))
			return false;
	return true;
}

/* --- the table --- */

/* False: the page is full. */
static bool put_entry(u64 *page, u64 entry)
{
	u32 at = (u32)(entry >> 32) % SLOTS;

	for (u32 n = 0; n < SLOTS; n++, at = (at + 1) % SLOTS) {
		if (page[at])
			continue;
		page[at] = entry;
		return true;
	}
	return false;
}

static bool put_all(struct ext_index *x, const u64 *page)
{
	for (u32 k = 0; k < SLOTS; k++)
		if (page[k] && !put_entry(page_of(x, (u32)(page[k] >> 32)), page[k]))
			return false;
	return true;
}

/* False: it cannot be, and @x is as before. */
static bool grow(struct ext_index *x)
{
	struct ext_index larger = { .bits = x->bits + 1 };
	bool good = larger.bits <= BITS_MAX && may_have(1u << larger.bits);

	larger.pages = good ? pages_alloc(1u << larger.bits) : NULL;
	if (!larger.pages)
		return false;
	for (u32 k = 0; k < 1u << x->bits && good; k++)
		good = put_all(&larger, x->pages[k]);
	if (!good) {
		pages_free(larger.pages, 1u << larger.bits);
		return false;
	}
	pages_free(x->pages, 1u << x->bits);
	x->pages = larger.pages;
	x->bits = larger.bits;
	return true;
}

static bool insert(struct ext_index *x, u32 hash, u64 pos)
{
	if (x->count >= FULL << x->bits && !grow(x))
		return false;
	if (!put_entry(page_of(x, hash), (u64)hash << 32 | (u32)(pos / 4 + 1)))
		return false;
	x->count++;
	return true;
}

/* Close the gap at @at: entries behind it move there, as long as they may. The page may be full. */
static void close_gap(u64 *page, u32 at)
{
	u32 k = (at + 1) % SLOTS;

	for (u32 n = 1; n < SLOTS && page[k]; n++, k = (k + 1) % SLOTS) {
		u32 home = (u32)(page[k] >> 32) % SLOTS;

		if ((k - home) % SLOTS < (k - at) % SLOTS)
			continue;
		page[at] = page[k];
		at = k;
	}
	page[at] = 0;
}

/* --- building --- */

static u32 blocks_of(const struct inode *dir)
{
	return (u32)(READ_ONCE(dir->size) >> ext_sb_of(dir->sb)->block_bits);
}

/* The records of block @k. 0, -ENOMEM, -EUCLEAN. *@top: sizes up to it have a room already */
static int add_block(struct inode *dir, struct ext_index *x, const struct ext_buf *b, u32 k,
		     u32 *top)
{
	const struct ext_sb *s = ext_sb_of(dir->sb);

	for (u32 off = 0; off < s->block_size;) {
		const struct ext_dirent_disk *d = ext_dir_record(dir, b, k, off);
		u32 room;

		if (!d)
			return -EUCLEAN;
		if (d->inode &&
		    !insert(x, hash_of(d->name, d->name_len), ((u64)k << s->block_bits) + off))
			return -ENOMEM;
		room = MIN(ext_dir_room(d) / 4, EXT_ROOMS - 1);
		while (*top < room)
			x->room[++*top] = k;
		off += d->rec_len;
	}
	return 0;
}

static int fill(struct inode *dir, struct ext_index *x)
{
	u32 n = blocks_of(dir), top = 0;
	int err = 0;

	for (u32 k = 0; k < n && !err; k++) {
		struct ext_buf b;

		err = ext_dir_block(dir, k, &b);
		if (err)
			break;
		err = add_block(dir, x, &b, k, &top);
		ext_buf_put(&b);
	}
	while (top < EXT_ROOMS - 1)
		x->room[++top] = n;
	return err;
}

/* holds: the directory's lock, map_lock. 0, -ENOMEM, -EUCLEAN, -EIO */
static int build(struct inode *dir)
{
	struct ext_index *x = may_have(1) ? kzalloc(sizeof(*x), 0) : NULL;
	int err;

	if (!x)
		return -ENOMEM;
	x->pages = pages_alloc(1);
	if (!x->pages) {
		kfree(x);
		return -ENOMEM;
	}
	x->dir = ext_of(dir);
	err = fill(dir, x);
	if (err) {
		index_free(x);
		return err;
	}
	spin_lock(&index_lock);
	list_add_tail(&indexes, &x->link);
	WRITE_ONCE(ext_of(dir)->index, x);
	spin_unlock(&index_lock);
	return 0;
}

/* The index of @dir, pinned, if it has one. */
static struct ext_index *get(struct inode *dir)
{
	struct ext_index *x;

	if (!READ_ONCE(ext_of(dir)->index))
		return NULL;
	spin_lock(&index_lock);
	x = ext_of(dir)->index;
	if (x) {
		x->users++;
		x->used = true;
	}
	spin_unlock(&index_lock);
	return x;
}

static void put(struct ext_index *x)
{
	spin_lock(&index_lock);
	x->users--;
	spin_unlock(&index_lock);
}

/* The same, made if it is worth it. */
static struct ext_index *get_or_build(struct inode *dir)
{
	struct ext_index *x = get(dir);
	int err = 0;

	if (likely(x) || blocks_of(dir) < EXT_INDEX_BLOCKS)
		return x;
	mutex_lock(&ext_of(dir)->map_lock);
	if (!READ_ONCE(ext_of(dir)->index))
		err = build(dir);
	mutex_unlock(&ext_of(dir)->map_lock);
	return err ? NULL : get(dir);
}

/* Drop the index of @dir: what it says is not so any more. holds: dir->lock for writing */
static void drop(struct inode *dir)
{
	struct ext_index *x;

	spin_lock(&index_lock);
	x = ext_of(dir)->index;
	if (x) {
		list_del(&x->link);
		WRITE_ONCE(ext_of(dir)->index, NULL);
	}
	spin_unlock(&index_lock);
	if (x)
		index_free(x);
}

/* --- for who has a directory --- */

/* Compare the record at @pos with the name. 0 with *out, -ENOENT, -EUCLEAN, -EIO, -ENOMEM */
static int look_at(struct inode *dir, u64 pos, const char *name, u32 len, struct ext_slot *out)
{
	const struct ext_sb *s = ext_sb_of(dir->sb);
	const struct ext_dirent_disk *d;
	int err;

	out->index = (u32)(pos >> s->block_bits);
	out->off = (u32)pos & (s->block_size - 1);
	out->prev = EXT_NO_PREV;
	err = ext_dir_block(dir, out->index, &out->b);
	if (err)
		return err;
	d = ext_dir_record(dir, &out->b, out->index, out->off);
	if (d && d->inode && d->name_len == len && !memcmp(d->name, name, len)) {
		out->ino = d->inode;
		return 0;
	}
	ext_buf_put(&out->b);
	return d ? -ENOENT : -EUCLEAN;
}

/* See ext.h. ctx: thread; holds: dir->lock; sleeps */
int ext_index_find(struct inode *dir, const char *name, u32 len, struct ext_slot *out)
{
	struct ext_index *x = get_or_build(dir);
	u32 hash, at;
	u64 *page;
	int err = -ENOENT;

	if (!x)
		return -EAGAIN;
	hash = hash_of(name, len);
	page = page_of(x, hash);
	at = hash % SLOTS;
	for (u32 n = 0; n < SLOTS && page[at] && err == -ENOENT; n++, at = (at + 1) % SLOTS)
		if (page[at] >> 32 == hash)
			err = look_at(dir, ((u64)(u32)page[at] - 1) * 4, name, len, out);
	put(x);
	return err;
}

/* See ext.h. ctx: thread; holds: dir->lock for writing; sleeps */
void ext_index_add(struct inode *dir, const char *name, u32 len, u64 pos)
{
	struct ext_index *x = get(dir);
	bool good;

	if (!x)
		return;
	good = insert(x, hash_of(name, len), pos);
	put(x);
	if (!good)
		drop(dir);
}

/* See ext.h. ctx: thread; holds: dir->lock for writing */
void ext_index_remove(struct inode *dir, const char *name, u32 len, u64 pos)
{
	struct ext_index *x = get(dir);
	u32 hash, at;
	u64 *page, entry;

	if (!x)
		return;
	hash = hash_of(name, len);
	entry = (u64)hash << 32 | (u32)(pos / 4 + 1);
	page = page_of(x, hash);
	at = hash % SLOTS;
	for (u32 n = 0; n < SLOTS && page[at] && page[at] != entry; n++)
		at = (at + 1) % SLOTS;
	if (page[at] == entry) {
		close_gap(page, at);
		x->count--;
	}
	for (u32 k = 0; k < EXT_ROOMS; k++)
		x->room[k] = MIN(x->room[k], (u32)(pos >> ext_sb_of(dir->sb)->block_bits));
	put(x);
}

/* See ext.h. ctx: thread; holds: dir->lock for writing */
u32 ext_index_room(struct inode *dir, u32 size)
{
	struct ext_index *x = get(dir);
	u32 k = ext_of(dir)->dir_room;

	if (x) {
		k = x->room[size / 4];
		put(x);
	}
	return k;
}

/* See ext.h. ctx: thread; holds: dir->lock for writing */
void ext_index_full(struct inode *dir, u32 block, u32 largest)
{
	struct ext_index *x = get(dir);

	if (!x)
		return;
	for (u32 k = largest / 4 + 1; k < EXT_ROOMS; k++)
		if (x->room[k] == block)
			x->room[k]++;
	put(x);
}

/* See ext.h. ctx: thread; nobody uses @dir */
void ext_index_drop(struct inode *dir)
{
	if (unlikely(ext_of(dir)->index))
		drop(dir);
}

/* Boot of the driver, once. ctx: thread, mounting; holds: the lock of mounts */
void ext_index_setup(void)
{
	static struct shrinker s = { .name = "ext directories", .shrink = shrink };

	if (seed)
		return;
	seed = rand_u64() | 1;
	pmm_add_shrinker(&s);
}
