/*
 * Regular files and symlinks of tmpfs: contents are the page cache (filemap.c does reading); here
 * is what is special: space is limited by the super's page count, holes are kept, fallocate makes
 * or punches pages.
 *
 * A write that does not fit in what is left is cut short, as write(2) allows, and the next one gets
 * -ENOSPC.
 */
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "fs/namei.h"
#include "fs/tmpfs.h"
#include "fs/xattr_list.h"
#include "kernel/lib/string.h"

static u64 pages_free(struct tmpfs_super *ts)
{
	u64 max = READ_ONCE(ts->max_pages), used = READ_ONCE(ts->used_pages);

	if (!max)
		return ~0ULL;
	return used < max ? max - used : 0;
}

/*
 * Memory for @want pages of @i, or how many there can be: a file with a name outlives who writes
 * it, so the OOM killer could not get its memory back, and is not to be asked.
 */
static u64 memory_for(struct inode *i, u64 want)
{
	u64 spare = pmm_spare_frames();

	if (likely(want <= spare) || !READ_ONCE(i->nlink))
		return want;
	(void)pmm_shrink(want - spare);
	return pmm_spare_frames();
}

/* How many of the @len bytes at @pos can be written with the pages left. holds: i->lock */
static u64 space_for(struct inode *i, u64 pos, u64 len)
{
	u64 index = pos >> PAGE_SHIFT, end = DIV_ROUND_UP(pos + len, PAGE_SIZE);
	u64 room = MIN(pages_free(tmpfs_sb(i->sb)), memory_for(i, end - index));

	room = MIN(room, vm_commit_room());

	if (likely(end - index <= room))
		return len;
	while (index < end) {
		u64 data = pagecache_next_data(i->cache, index);

		if (data > index) { /* absent ones up to there need room */
			u64 need = MIN(data, end) - index;

			if (need > room) {
				u64 stop = (index + room) << PAGE_SHIFT;

				return stop > pos ? stop - pos : 0;
			}
			room -= need;
			index += need;
		} else {
			index = pagecache_next_hole(i->cache, index);
		}
	}
	return len;
}

static ssize_t tmpfs_write(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	u64 fits;
	ssize_t n;

	rwsem_write_lock(&i->lock);
	n = generic_write_begin(f, u, pos);
	if (n || !u->left)
		goto unlock;
	n = tmpfs_seal_check(i, *pos + u->left);
	if (n)
		goto unlock;
	fits = space_for(i, *pos, u->left);
	n = -ENOSPC;
	if (!fits)
		goto unlock;
	u->left = MIN(u->left, fits);
	n = pagecache_write(i->cache, u, pos);
	WRITE_ONCE(i->size, i->cache->size);
	tmpfs_recount(i);
unlock:
	rwsem_write_unlock(&i->lock);
	return n;
}

/* Does @pc hold data at @index? What fallocate reserved is none until it is touched. */
static bool is_data(struct pagecache *pc, u64 index)
{
	struct page *p = pagecache_find(pc, index);

	if (p)
		page_put(p);
	return p;
}

/* The next page from @at on that holds data, or with @hole one that does not; ~0: none. */
static u64 seek_page(struct pagecache *pc, u64 at, bool hole)
{
	if (hole) {
		while (is_data(pc, at))
			at++;
		return at;
	}
	do {
		at = pagecache_next_data(pc, at);
	} while (at != ~0ull && !is_data(pc, at) && ++at);
	return at;
}

static s64 tmpfs_seek(struct file *f, s64 off, int whence)
{
	struct pagecache *pc = f->inode->cache;
	u64 size = READ_ONCE(pc->size), at;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_seek(f, off, whence);
	if (off < 0 || (u64)off >= size)
		return -ENXIO;
	at = seek_page(pc, (u64)off >> PAGE_SHIFT, whence == SEEK_HOLE);
	if (at > size >> PAGE_SHIFT)
		at = size;
	else
		at = MAX(at << PAGE_SHIFT, (u64)off);
	if (at >= size) {
		if (whence == SEEK_DATA)
			return -ENXIO;
		at = size;
	}
	f->pos = at;
	return (s64)at;
}

/* Make the pages of [off, off + len). holds: i->lock for writing */
static int fill_range(struct inode *i, u64 off, u64 len)
{
	u64 index = off >> PAGE_SHIFT, end = DIV_ROUND_UP(off + len, PAGE_SIZE);
	int err = 0;

	if (space_for(i, off, len) < len)
		return -ENOSPC;
	for (; index < end && !err; index++) {
		if (current->interrupted)
			err = -EINTR;
		else
			err = pagecache_reserve(i->cache, index);
	}
	tmpfs_recount(i);
	return err;
}

/* 0, -EPERM: a seal keeps @i from being as large as @size. holds: its lock */
static int grow_check(struct inode *i, u64 size)
{
	return (tmpfs_of(i)->seals & F_SEAL_GROW) && size > i->cache->size ? -EPERM : 0;
}

static int tmpfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	/* What is allocated changes no byte: a seal on writing allows it. */
	err = mode & FALLOC_FL_PUNCH_HOLE ? tmpfs_seal_check(i, 0) : grow_check(i, off + len);
	if (err)
		goto unlock;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		pagecache_punch(i->cache, off, off + len);
		tmpfs_recount(i);
		goto changed;
	}
	err = off + len > i->cache->size ? vfs_check_fsize(off + len) : 0;
	if (!err)
		err = fill_range(i, off, len);
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && off + len > i->cache->size) {
		WRITE_ONCE(i->cache->size, off + len);
		WRITE_ONCE(i->size, off + len);
	}
	if (err)
		goto unlock;
changed:
	err = MIN(inode_strip_suid_locked(i), 0);
	inode_touch(i, ATTR_MTIME | ATTR_CTIME);
unlock:
	rwsem_write_unlock(&i->lock);
	return err;
}

/* file_ops.fsync: there is nothing behind the pages. ctx: thread */
int tmpfs_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return 0;
}

static int tmpfs_getattr(struct inode *i, struct kstat *st)
{
	if (i->cache) {
		tmpfs_recount(i);
		WRITE_ONCE(i->blocks, READ_ONCE(i->cache->npages) * (PAGE_SIZE / 512));
	}
	inode_getattr_generic(i, st);
	return 0;
}

static int tmpfs_setattr(struct inode *i, const struct iattr *a)
{
	u32 seals = tmpfs_of(i)->seals;
	int err;

	if ((a->valid & ATTR_SIZE) && ((a->size > i->size && (seals & F_SEAL_GROW)) ||
				       (a->size < i->size && (seals & F_SEAL_SHRINK))))
		return -EPERM;
	err = inode_setattr_generic(i, a);
	if (!err && (a->valid & ATTR_SIZE))
		tmpfs_recount(i);
	return err;
}

static ssize_t tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	size_t n = MIN((size_t)i->size, size);

	memcpy(buf, tmpfs_of(i)->link, n);
	return (ssize_t)n;
}

/* A page is about to be stored to through a mapping, for the first time: is there room? */
static int tmpfs_make_writable(struct pagecache *pc, u64 index)
{
	struct inode *i = pc->owner;

	inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	if (likely(pages_free(tmpfs_sb(i->sb)) && vm_commit_room() == ~0ull))
		return 0;
	tmpfs_recount(i);
	if ((pages_free(tmpfs_sb(i->sb)) && vm_commit_room()) ||
	    pagecache_next_data(pc, index) == index)
		return 0;
	return -ENOSPC;
}

/* See namei.h. ctx: thread */
void tmpfs_allow_seals(struct inode *i, bool allow)
{
	tmpfs_of(i)->seals = allow ? 0 : F_SEAL_SEAL;
}

/* See tmpfs.h. ctx: thread */
int tmpfs_seal_check(struct inode *i, u64 grow_to)
{
	u32 seals = tmpfs_of(i)->seals;

	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return grow_check(i, grow_to);
}

/* F_GET_SEALS. ctx: thread. -EINVAL: not a tmpfs file */
long tmpfs_get_seals(struct file *f)
{
	return f->ops == &tmpfs_file_fops ? (long)READ_ONCE(tmpfs_of(f->inode)->seals) : -EINVAL;
}

/* Is any page of it mapped so that it may be written through the mapping? */
static bool has_writable_maps(struct pagecache *pc)
{
	struct region *r;
	bool found = false;

	spin_lock(&pc->maps_lock);
	list_for_each(r, &pc->maps, object_link)
		if ((r->flags & VM_SHARED) && (r->max_prot & PROT_W))
			found = true;
	spin_unlock(&pc->maps_lock);
	return found;
}

/* F_ADD_SEALS. ctx: thread; sleeps. 0, -EINVAL, -EPERM, -EBUSY. */
long tmpfs_add_seals(struct file *f, u32 seals)
{
	const u32 known =
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	struct tmpfs_inode *ti;
	long err = 0;

	if (!(f->mode & FILE_WRITE))
		return -EPERM;
	if (f->ops != &tmpfs_file_fops || (seals & ~known))
		return -EINVAL;
	ti = tmpfs_of(f->inode);
	rwsem_write_lock(&f->inode->lock);
	if (ti->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & ~ti->seals & F_SEAL_WRITE) && has_writable_maps(f->inode->cache))
		err = -EBUSY;
	else
		ti->seals |= seals;
	rwsem_write_unlock(&f->inode->lock);
	return err;
}

/* Page-cache mapping; a sealed file gives no writable shared one. ctx: thread. 0 or -EPERM. */
int tmpfs_file_mmap(struct file *f, struct vm_map_args *a)
{
	if ((tmpfs_of(f->inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) &&
	    (a->flags & VM_SHARED)) {
		if (a->prot & PROT_W)
			return -EPERM;
		a->max_prot &= ~(u32)PROT_W;
	}
	a->file = &f->vmf;
	file_accessed(f);
	return 0;
}

const struct pagecache_ops tmpfs_cache_ops = { .make_writable = tmpfs_make_writable };

/* ctx: any */
struct xattr_item **tmpfs_xattrs(struct inode *i)
{
	return &tmpfs_of(i)->xattrs;
}

const struct inode_ops tmpfs_file_inode_ops = {
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	XATTR_LIST_OPS(tmpfs_xattrs),
	.fileattr = tmpfs_fileattr,
};

const struct inode_ops tmpfs_link_ops = {
	.readlink = tmpfs_readlink,
	XATTR_LIST_OPS(tmpfs_xattrs),
};

/* What has no name any more, or never had one (memfd), goes with its last file. */
static u64 tmpfs_memory(const struct file *f)
{
	return READ_ONCE(f->inode->nlink) ? 0 : READ_ONCE(f->inode->cache->npages);
}

const struct file_ops tmpfs_file_fops = {
	.memory = tmpfs_memory,
	.read = generic_file_read,
	.write = tmpfs_write,
	.seek = tmpfs_seek,
	.fsync = tmpfs_fsync,
	.mmap = tmpfs_file_mmap,
	.fallocate = tmpfs_fallocate,
};
