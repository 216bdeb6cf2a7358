/*
 * Open file descriptions: what open(2) makes and descriptors point to.
 *
 * Life: allocated with refs = 1 by an open (or file_alloc_anon for pipes, sockets and the like),
 * installed in descriptor tables, held by mappings and by calls that run; the last file_put()
 * releases it, in the caller, so that a closed pipe's reader sees the end at once. Mappings are
 * dropped with the address space's lock held: they use file_put_deferred(), and a worker releases.
 *
 * Position: .pos belongs to .pos_lock (rank FILE_POS), taken by read, write, lseek and readdir only
 * when somebody else may use the file at the same time, that is when refs > 1: a call through an
 * unshared descriptor table takes no reference (fdtable.c), and only the calling thread could make
 * one.
 */
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include "fs/async.h"
#include "fs/epoll.h"
#include "fs/landlock.h"
#include "fs/locks.h"
#include "fs/mount_fd.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/pipe.h"
#include "kernel/base/panic.h"
#include "kernel/lib/errseq.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"

/* Flags of open(2) that are not kept for F_GETFL. */
#define OPEN_ONCE_FLAGS (O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | OPEN_EXEC | OPEN_UNNOTICED)

static struct kmem_cache *file_cache; /* I */
static struct file *reap_list; /* a: stack of files to release */
static struct work reap_work;
static struct super *anon_super; /* I */
static struct mount *anon_mount; /* I */
static struct inode *anon_inode; /* I: shared by all that are not pipes or sockets */
static atomic64_t next_anon_ino = { 2 };

static const struct vm_file_ops file_vm_ops;

/* Not a path only, nor for ioctl. */
static inline bool counts_as_reader(const struct file *f)
{
	return (f->mode & (FILE_READ | FILE_WRITE)) == FILE_READ;
}

static int file_alloc(const struct path *p, u32 mode, u32 flags, struct file **out)
{
	struct file *f;

	if (file_max_reached())
		return -ENFILE;
	f = kmem_cache_alloc(file_cache, 0);
	if (!f)
		return -ENOMEM;
	ref_init(&f->refs, 1);
	f->mode = mode;
	f->flags = flags & ~(u32)OPEN_ONCE_FLAGS;
	f->pos = 0;
	mutex_init(&f->pos_lock, RANK_FILE_POS);
	f->path = *p;
	path_get(p);
	f->inode = dentry_inode(p->dentry);
	f->ops = f->inode->fops;
	f->cred = cred_get(current->cred);
	f->priv = NULL;
	f->vmf.ops = &file_vm_ops;
	f->owner = NULL;
	list_init(&f->eps);
	f->reap = NULL;
	if (counts_as_reader(f))
		__atomic_add_fetch(&f->inode->readers, 1, __ATOMIC_SEQ_CST);
	f->wb_err = f->inode->cache ? errseq_sample(&f->inode->cache->error) : 0;
	*out = f;
	return 0;
}

static __always_inline void file_free(struct file *f)
{
	if (counts_as_reader(f))
		__atomic_sub_fetch(&f->inode->readers, 1, __ATOMIC_RELEASE);
	path_put(&f->path);
	cred_put(f->cred);
	kmem_cache_free(file_cache, f);
}

static inline bool counts_as_writer(const struct file *f)
{
	return (f->mode & FILE_WRITE) && S_ISREG(f->inode->mode) && !f->path.mnt->anon;
}

static int writer_begin(struct file *f)
{
	int err = inode_get_write(f->inode);

	if (err == -ETXTBSY) {
		/* The program may just have ended, with its mappings still to be released. */
		file_flush_deferred();
		err = inode_get_write(f->inode);
	}
	if (!err)
		__atomic_add_fetch(&f->path.mnt->writers, 1, __ATOMIC_RELAXED);
	return err;
}

static void writer_end(struct file *f)
{
	inode_put_write(f->inode);
	__atomic_sub_fetch(&f->path.mnt->writers, 1, __ATOMIC_RELEASE);
}

/* See vfs.h. */
bool file_can_direct(const struct file *f)
{
	u32 mode = f->inode->mode;

	return S_ISBLK(mode) || (S_ISREG(mode) && f->inode->sb->dio_align);
}

/*
 * Open file on @p, found and checked by the caller; its own open operation runs.
 * ctx: thread; sleeps. Returns 0 with *out, -ENOMEM, -ETXTBSY, -EACCES (the caller's domain),
 * -ENXIO or the operation's error.
 */
int file_open_path(const struct path *p, u32 oflags, struct file **out)
{
	static const u8 modes[4] = { FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE, 0 };
	bool path_only = oflags & O_PATH;
	struct file *f;
	int err;

	err = file_alloc(p, path_only ? FILE_PATH : modes[oflags & O_ACCMODE], oflags, &f);
	if (err || path_only)
		goto out;
	if (counts_as_writer(f)) {
		err = writer_begin(f);
		if (err)
			goto free;
	}
	if (unlikely(oflags & OPEN_UNNOTICED))
		f->mode |= FILE_UNNOTICED;
	if (unlikely(oflags & O_EXCL))
		f->mode |= FILE_EXCL;
	err = landlock_open(f);
	if (!err)
		err = notify_permission(f, oflags & OPEN_EXEC ? FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM
							      : FAN_OPEN_PERM);
	if (!err)
		err = lease_break(f->inode, oflags);
	if (err)
		goto writer;
	if (!f->ops) {
		err = -ENXIO;
		goto writer;
	}
	if ((oflags & O_DIRECT) && !file_can_direct(f)) {
		err = -EINVAL;
		goto writer;
	}
	err = f->ops->open ? f->ops->open(f->inode, f) : 0;
	if (err)
		goto writer;
	if (unlikely(oflags & O_NOCTTY))
		f->flags &= ~(u32)O_NOCTTY; /* the terminal's open has seen it */
out:
	if (!err)
		*out = f;
	return err;
writer:
	if (counts_as_writer(f))
		writer_end(f);
free:
	file_free(f);
	return err;
}

/* ctx: any */
struct file *file_get(struct file *f)
{
	ref_get(&f->refs);
	return f;
}

static __cold void notify_release(struct file *f)
{
	notify_file(f, f->mode & FILE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	notify_close(f, NULL);
}

static void file_release(struct file *f)
{
	if (notify_wanted())
		notify_release(f);
	if (unlikely(f->inode->locks))
		locks_release_file(f);
	if (unlikely(!list_empty(&f->eps)))
		epoll_forget(f);
	if (unlikely(f->flags & FASYNC) && f->ops && f->ops->fasync)
		(void)f->ops->fasync(f, -1, false);
	if (!(f->mode & FILE_PATH)) {
		if (f->ops && f->ops->release)
			f->ops->release(f);
		if (counts_as_writer(f))
			writer_end(f);
	}
	if (unlikely(f->owner)) /* after what may still have had something to tell him */
		file_owner_ops->release(f);
	if (unlikely(f->mode & FILE_UNMOUNT))
		mount_release_loose(f->path.mnt);
	file_free(f);
}

/* Drop a reference; the last releases. ctx: thread; sleeps. */
void file_put(struct file *f)
{
	if (ref_put(&f->refs))
		file_release(f);
}

static void release_all(struct file *f)
{
	for (struct file *next; f; f = next) {
		next = f->reap;
		file_release(f);
	}
}

static void reap_run(struct work *w)
{
	release_all(word_xchg(&reap_list, NULL));
}

/* See vfs.h. */
void file_puts_begin(struct file **list)
{
	*list = NULL;
	current->puts = list;
}

/* See vfs.h. */
void file_puts_end(struct file **list)
{
	current->puts = NULL;
	release_all(*list);
}

/* Drop a reference; if it was the last, a worker releases. ctx: any; sleeps: no. */
void file_put_deferred(struct file *f)
{
	struct file *head;

	if (!ref_put(&f->refs))
		return;
	head = load_acquire(&reap_list);
	do {
		f->reap = head;
	} while (!__atomic_compare_exchange_n(&reap_list, &head, f, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	work_queue(&reap_work);
}

/*
 * Wait until files that were put so far by file_put_deferred() are released. ctx: thread; sleeps;
 * no locks held.
 */
void file_flush_deferred(void)
{
	work_flush(&reap_work);
}

static inline bool pos_lock(struct file *f)
{
	if (likely(ref_read(&f->refs) == 1))
		return false;
	mutex_lock(&f->pos_lock);
	return true;
}

static inline void pos_unlock(struct file *f, bool locked)
{
	if (locked)
		mutex_unlock(&f->pos_lock);
}

/*
 * Read at *pos; &f->pos is the file's own position, locked as needed.
 * ctx: thread; sleeps. Returns bytes, 0 at the end, -EBADF (not open for reading), -EINVAL, -EISDIR
 * or the object's error.
 */
ssize_t file_read(struct file *f, struct uio *u, u64 *pos)
{
	bool locked = false;
	ssize_t n;

	if (!(f->mode & FILE_READ))
		return -EBADF;
	if (!f->ops->read)
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	u->nonblock |= (f->flags & O_NONBLOCK) != 0;
	if (!(f->mode & FILE_STREAM)) {
		if (pos == &f->pos)
			locked = pos_lock(f);
		if (unlikely((s64)(*pos + u->left) < 0)) {
			pos_unlock(f, locked);
			return -EINVAL;
		}
	}
	n = f->ops->read(f, u, pos);
	pos_unlock(f, locked);
	if (n > 0)
		notify_file(f, IN_ACCESS);
	return n;
}

/*
 * As file_read. Returns bytes, -EBADF (not open for writing), -EINVAL or the object's error. ctx:
 * thread; sleeps.
 */
ssize_t file_write(struct file *f, struct uio *u, u64 *pos)
{
	bool locked = false;
	ssize_t n;

	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	u->nonblock |= (f->flags & O_NONBLOCK) != 0;
	if (!(f->mode & FILE_STREAM)) {
		if (pos == &f->pos)
			locked = pos_lock(f);
		if (unlikely((s64)(*pos + u->left) < 0)) {
			pos_unlock(f, locked);
			return -EINVAL;
		}
	}
	n = f->ops->write(f, u, pos);
	pos_unlock(f, locked);
	if (n > 0)
		notify_file(f, IN_MODIFY);
	return n;
}

/* lseek. ctx: thread; sleeps. The new position, -ESPIPE, -EINVAL, -ENXIO. */
s64 file_seek(struct file *f, s64 off, int whence)
{
	bool locked;
	s64 pos;

	if ((f->mode & FILE_STREAM) && !f->ops->seek)
		return -ESPIPE;
	locked = pos_lock(f);
	pos = f->ops->seek ? f->ops->seek(f, off, whence) : generic_file_seek(f, off, whence);
	pos_unlock(f, locked);
	return pos;
}

/*
 * A seek operation for objects that have no positions but do not mind being asked, as Linux's event
 * descriptors: nothing moves. ctx: thread. The position, which is 0.
 */
s64 file_seek_nothing(struct file *f, s64 off, int whence)
{
	return (s64)f->pos;
}

/* Events that are true now; see struct poll_table. ctx: thread; sleeps: no. */
u32 file_poll(struct file *f, struct poll_table *pt)
{
	/* POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM */
	return f->ops->poll ? f->ops->poll(f, pt) : 0x145;
}

/* The object's own ioctls. ctx: thread; sleeps. -ENOTTY: it has none. */
long file_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

/* See the header. ctx: thread; holds: the directory's inode lock; sleeps. */
bool dir_emit_dots(struct file *f, struct dir_ctx *c)
{
	struct dentry *up;
	bool more = true;

	if (c->pos == 0) {
		more = c->emit(c, ".", 1, f->inode->ino, S_IFDIR >> 12, 1);
		if (more)
			c->pos = 1;
	}
	if (more && c->pos == 1) {
		up = dentry_get_parent(f->path.dentry);
		more = c->emit(c, "..", 2, dentry_inode(up)->ino, S_IFDIR >> 12, 2);
		dentry_put(up);
		if (more)
			c->pos = 2;
	}
	return more;
}

/*
 * Read directory entries from the file's position on.
 * ctx: thread; sleeps. Returns 0, -ENOTDIR, -EBADF, -ENOENT (it was removed) or the file system's
 * error.
 */
int file_readdir(struct file *f, struct dir_ctx *c)
{
	struct inode *i = f->inode;
	bool locked;
	int err;

	if (!f->ops || !f->ops->readdir)
		return -ENOTDIR;
	if (!(f->mode & FILE_READ))
		return -EBADF;
	err = notify_permission(f, FAN_ACCESS_PERM);
	if (err)
		return err;
	locked = pos_lock(f);
	rwsem_read_lock(&i->lock);
	err = -ENOENT;
	if (!(i->flags & INODE_DEAD)) {
		c->pos = f->pos;
		err = f->ops->readdir(f, c);
		f->pos = c->pos;
	}
	rwsem_read_unlock(&i->lock);
	file_accessed(f);
	pos_unlock(f, locked);
	if (err != -ENOENT)
		notify_file(f, IN_ACCESS);
	return err;
}

/* ctx: thread; sleeps. 0, -EINVAL (no such thing for this object) or an I/O error. */
int file_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return f->ops->fsync ? f->ops->fsync(f, start, end, datasync) : -EINVAL;
}

/*
 * Read up to @len bytes at @pos into kernel memory, whole unless the file ends. ctx: thread;
 * sleeps. Bytes or -errno.
 */
ssize_t file_read_kernel(struct file *f, void *buf, size_t len, u64 pos)
{
	size_t done = 0;
	struct uio u;
	ssize_t n;

	while (done < len) {
		uio_init_kernel(&u, (char *)buf + done, len - done);
		n = file_read(f, &u, &pos);
		if (n < 0)
			return done ? (ssize_t)done : n;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Write @len bytes from kernel memory at @pos. ctx: thread; sleeps. Bytes or -errno. */
ssize_t file_write_kernel(struct file *f, const void *buf, size_t len, u64 pos)
{
	size_t done = 0;
	struct uio u;
	ssize_t n;

	while (done < len) {
		uio_init_kernel(&u, (char *)buf + done, len - done);
		n = file_write(f, &u, &pos);
		if (n < 0)
			return done ? (ssize_t)done : n;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Which of the modes go together. 0, -EOPNOTSUPP, -EINVAL. */
static int check_fallocate_mode(int mode)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			  FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
	const int both = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

	if ((mode & ~known) || (mode & both) == both)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_COLLAPSE_RANGE) && (mode & ~FALLOC_FL_COLLAPSE_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_INSERT_RANGE) && (mode & ~FALLOC_FL_INSERT_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_UNSHARE_RANGE) &&
	    (mode & ~(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE)))
		return -EINVAL;
	return 0;
}

/*
 * fallocate(2) with Linux's FALLOC_FL_*. ctx: thread; sleeps: yes. 0, or what the man page says.
 */
int file_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	int err = (s64)off < 0 || (s64)len <= 0 ? -EINVAL : check_fallocate_mode(mode);

	if (err)
		return err;
	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if ((f->inode->flags & INODE_APPEND) && (mode & ~FALLOC_FL_KEEP_SIZE))
		return -EPERM;
	if (f->inode->flags & INODE_IMMUTABLE)
		return -EPERM;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode))
		return -ENODEV;
	if (off + len < off || off + len > f->inode->sb->max_size)
		return -EFBIG;
	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	err = f->ops->fallocate(f, mode, off, len);
	if (!err)
		notify_file(f, IN_MODIFY);
	return err;
}

/*
 * For mmap(2): what the open mode allows, and what is mapped.
 * ctx: thread; sleeps. Returns 0, -EACCES, -EPERM (noexec), -ENODEV or the object's error.
 */
int file_mmap(struct file *f, struct vm_map_args *a)
{
	bool shared = a->flags & VM_SHARED;

	if (!(f->mode & FILE_READ))
		return -EACCES;
	if (shared && (a->prot & PROT_W) &&
	    (!(f->mode & FILE_WRITE) || (f->inode->flags & INODE_APPEND)))
		return -EACCES;
	a->max_prot = PROT_R | PROT_W | PROT_X;
	if (shared && !(f->mode & FILE_WRITE))
		a->max_prot &= ~(u32)PROT_W;
	if (f->path.mnt->flags & MS_NOEXEC) {
		if (a->prot & PROT_X)
			return -EPERM;
		a->max_prot &= ~(u32)PROT_X;
	}
	if (f->ops->mmap)
		return f->ops->mmap(f, a);
	if (!f->inode->cache)
		return -ENODEV;
	a->file = &f->vmf;
	file_accessed(f);
	return 0;
}

/*
 * Do @len bytes (whole pages) from page @pgoff on lie within what a file of this kind can have?
 * ctx: any.
 */
bool file_mmap_in_range(const struct file *f, u64 pgoff, u64 len)
{
	u32 mode = f->inode->mode;
	u64 most = S_ISREG(mode) || S_ISBLK(mode) || S_ISSOCK(mode) ? ~0ull >> 1 : ~0ull;

	return len <= most && pgoff <= (most - len) >> PAGE_SHIFT;
}

static void vmf_get(struct vm_file *v)
{
	ref_get(&file_of_vm(v)->refs);
}

static void vmf_put(struct vm_file *v)
{
	struct file *f = file_of_vm(v), **mine = current->puts;

	if (!mine) {
		file_put_deferred(f);
	} else if (ref_put(&f->refs)) {
		f->reap = *mine;
		*mine = f;
	}
}

static struct pagecache *vmf_cache(struct vm_file *v)
{
	return file_of_vm(v)->inode->cache;
}

static void vmf_describe(struct vm_file *v, char *path, size_t size, u64 *dev, u64 *ino)
{
	struct file *f = file_of_vm(v);
	struct path root;
	char *s;

	*dev = f->inode->sb->dev;
	*ino = f->inode->ino;
	fsctx_get_root(&root);
	if (path_to_string(&f->path, &root, path, size, &s))
		path[0] = '\0';
	else
		memmove(path, s, strlen(s) + 1);
	path_put(&root);
}

static int vmf_sync(struct vm_file *v, u64 start, u64 end)
{
	struct file *f = file_of_vm(v);

	return f->ops->fsync ? f->ops->fsync(f, start, end, false) : 0;
}

static int vmf_punch(struct vm_file *v, u64 start, u64 end)
{
	return file_fallocate(file_of_vm(v), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
			      end - start);
}

static bool vmf_may_look(struct vm_file *v)
{
	struct inode *i = container_of(v, struct file, vmf)->inode;

	return inode_owner_or_capable(i) || inode_permission(i, MAY_WRITE) == 0;
}

static const struct vm_file_ops file_vm_ops = {
	.may_look = vmf_may_look,
	.get = vmf_get,
	.put = vmf_put,
	.cache = vmf_cache,
	.describe = vmf_describe,
	.sync = vmf_sync,
	.punch = vmf_punch,
};

/* See vfs.h. ctx: any */
struct file *file_of_mapping(struct vm_file *v)
{
	return v && v->ops == &file_vm_ops ? file_of_vm(v) : NULL;
}

/* An inode of the kernel's own nameless file system. */
static struct inode *anon_inode_make(u32 mode)
{
	struct inode *i = kzalloc(sizeof(*i), 0);

	if (i)
		inode_init(i, anon_super, atomic_add_return(&next_anon_ino, 1), mode);
	return i;
}

static int alloc_on_inode(const char *name, struct inode *i, const struct file_ops *ops, void *priv,
			  u32 mode, u32 flags, struct file **out)
{
	struct path p = { .mnt = anon_mount };
	struct qname q = { name, (u32)strlen(name), 0 };
	int err = dentry_alloc(anon_super, NULL, &q, i, &p.dentry);

	if (err) {
		inode_put(i);
		return err;
	}
	err = file_alloc(&p, mode, flags, out);
	dentry_put(p.dentry);
	if (err)
		return err;
	(*out)->ops = ops;
	(*out)->priv = priv;
	return 0;
}

/*
 * Open file that has no place in any directory: a pipe or socket (with an inode of its own),
 * eventfd and so on.
 * ctx: thread; sleeps. Returns 0 with *out, or -ENOMEM; @priv stays the caller's on failure.
 */
int file_alloc_anon(const char *name, const struct file_ops *ops, void *priv, u32 mode, u32 flags,
		    struct file **out)
{
	struct inode *i;

	if (!strcmp(name, "pipe")) {
		i = anon_inode_make(S_IFIFO | 0600);
	} else if (!strcmp(name, "socket")) {
		i = anon_inode_make(S_IFSOCK | 0777);
	} else {
		i = anon_inode;
		inode_get(i);
	}
	return i ? alloc_on_inode(name, i, ops, priv, mode, flags, out) : -ENOMEM;
}

/* Another open file on the inode and name of @peer. ctx: thread; sleeps. 0 or -ENOMEM. */
int file_alloc_peer(struct file *peer, const struct file_ops *ops, void *priv, u32 mode, u32 flags,
		    struct file **out)
{
	int err = file_alloc(&peer->path, mode, flags, out);

	if (err)
		return err;
	(*out)->ops = ops;
	(*out)->priv = priv;
	return 0;
}

static void anon_evict(struct inode *i)
{
	pipe_evict(i);
	kfree(i);
}

static const struct super_ops anon_super_ops = { .evict = anon_evict };
static const struct fs_type anon_type = { .name = "anon_inodefs", .flags = FS_NODEV };

/* Boot: the cache, the worker, the nameless file system. ctx: boot thread */
void file_init(void)
{
	file_cache = kmem_cache_create("file", sizeof(struct file), 16);
	work_init(&reap_work, reap_run);
	anon_super = super_alloc(&anon_type, ANON_INODE_FS_MAGIC, &anon_super_ops);
	if (!anon_super)
		panic("no memory for anonymous files");
	vfs_register_super(anon_super);
	anon_inode = anon_inode_make(0600);
	if (!anon_inode)
		panic("no memory for anonymous files");
	inode_get(anon_inode);
	anon_super->root = dentry_make_root(anon_inode, anon_super);
	if (!anon_super->root || mount_create_internal(anon_super, &anon_mount))
		panic("no memory for anonymous files");
}
