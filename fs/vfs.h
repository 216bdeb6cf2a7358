#pragma once
/*
 * The contract of the virtual file system: file-system types, superblocks, inodes, names, mounts
 * and open files, each with a table of operations. A NULL operation has the default its comment
 * names.
 *
 * Life of an inode: made by the file system (inode_alloc), kept by dentries and open files through
 * references; the last inode_put with nlink 0 calls ->evict. Life of a name: lookup finds or makes
 * a dentry (also negative) under the parent; unlink makes it negative; memory pressure drops unused
 * ones. Life of an open file: file_alloc, installed in descriptor tables; the last file_put calls
 * ->release (deferred to a worker when a spinlock or VMSPACE is held).
 *
 * Locking: inode->lock (rwsem, rank INODE) guards contents, size and, for directories, entries.
 * Rename takes the file system's rename mutex, then both directories in address order with
 * ancestors first. I immutable, a atomic, i guarded by inode->lock, d guarded by the dentry's hash
 * bucket (DCACHE).
 */
#include <linux/stat.h>
#include "kernel/base/cred.h"
#include "kernel/base/table.h"
#include "kernel/base/uio.h"
#include "kernel/lib/list.h"
#include "kernel/lib/refcount.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/waitq.h"
#include "mm/vm/pagecache.h"
#include "mm/vm/vmspace.h"

#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4096 /* with NUL */
#define SYMLINK_MAX_DEPTH 40

typedef u64 dev_t64; /* Linux new encoding: see dev_make */

struct super;
struct device;
struct inode;
struct dentry;
struct mount;
struct file;
struct poll_table;
struct file_lock_ctx;
struct sbuf;
struct kstatfs;
struct pipe;
struct chrdev;

static inline u32 dev_major(u64 d)
{
	return (u32)(d >> 20);
}
static inline u32 dev_minor(u64 d)
{
	return (u32)(d & 0xfffff);
}
static inline u64 dev_make(u32 maj, u32 min)
{
	return ((u64)maj << 20) | min;
}

struct qname {
	const char *name; /* not NUL-terminated */
	u32 len;
	u32 hash;
};

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

struct kstat {
	u64 dev, ino, rdev;
	u32 mode, nlink, uid, gid;
	u64 size, blocks; /* 512-byte blocks */
	u32 blksize;
	s64 atime, mtime, ctime, btime; /* ns since the epoch */
	bool full; /* asked for: what follows is wanted too (statx) */
	bool has_btime; /* .btime means something */
	u64 attributes, attributes_mask; /* STATX_ATTR_* */
	u64 mnt_id;
	u32 dio_align; /* of O_DIRECT; 0: it cannot be */
};

/* What setattr changes. */
#define ATTR_MODE 1u
#define ATTR_UID 2u
#define ATTR_GID 4u
#define ATTR_SIZE 8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_CTIME 64u
#define ATTR_KILL_SUID \
	128u /* mode change derived by the VFS: drop suid/sgid; file systems do not see it */
#define ATTR_TIMES_NOW \
	256u /* the times are now: write permission is enough; file systems do not see it */
struct iattr {
	u32 valid;
	u32 mode, uid, gid;
	u64 size;
	s64 atime, mtime, ctime;
};

/* Directory reading: emit returns false when the buffer is full (stop, do not advance). */
struct dir_ctx {
	bool (*emit)(struct dir_ctx *c, const char *name, u32 len, u64 ino, u8 dtype, u64 next_pos);
	u64 pos; /* in/out */
};

/*
 * Directory operations hold dir->lock for writing (lookup: reading). All return 0 or -errno. NULL:
 * see right.
 */
struct inode_ops {
	/* *out with a reference, or -ENOENT. NULL: -ENOTDIR. */
	int (*lookup)(struct inode *dir, const struct qname *n, struct inode **out);
	/* any type but dir and symlink; NULL: -EPERM */
	int (*create)(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, struct inode **out);
	/* NULL: -EPERM */
	int (*mkdir)(struct inode *dir, struct dentry *d, u32 mode, struct inode **out);
	/* NULL: -EPERM */
	int (*symlink)(struct inode *dir, struct dentry *d, const char *target, struct inode **out);
	int (*link)(struct inode *dir, struct dentry *d, struct inode *target); /* NULL: -EPERM */
	int (*unlink)(struct inode *dir, struct dentry *d); /* NULL: -EPERM */
	int (*rmdir)(struct inode *dir, struct dentry *d); /* NULL: -EPERM */
	/* NULL: -EPERM; RENAME_EXCHANGE etc. */
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		      u32 flags);
	int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out); /* NULL: -EOPNOTSUPP */
	/* Symlink text into buf (not NUL-terminated); length. NULL: -EINVAL. */
	ssize_t (*readlink)(struct inode *i, char *buf, size_t size);
	/* Magic links (/proc/PID/fd/N): go straight to *out. NULL: text. */
	int (*follow)(struct inode *i, struct path *out);
	/* checks done; NULL: fields are stored, size -> pagecache_truncate */
	int (*setattr)(struct inode *i, const struct iattr *a);
	int (*getattr)(struct inode *i, struct kstat *st); /* NULL: from the inode's fields */
	int (*permission)(struct inode *i, u32 mask); /* extra to the mode check; NULL: none */
	bool (*permitted)(struct inode *i); /* is it, in spite of the mode? NULL: no */
	/*
	 * Of an inode with INODE_ACL: may current, who does not own it, do @want? 0, -EACCES, or
	 * -EAGAIN: it has no list, so ask the mode. And has a directory one that is inherited, in
	 * place of the umask? NULL: no
	 */
	int (*acl)(struct inode *i, u32 want);
	bool (*default_acl)(struct inode *dir);
	/* Revalidate a cached name (procfs): false = drop it. NULL: always valid. */
	bool (*revalidate)(struct inode *dir, struct dentry *d);
	/* NULL: -EOPNOTSUPP */
	ssize_t (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
	/* NULL: -EOPNOTSUPP */
	int (*setxattr)(struct inode *i, const char *name, const void *buf, size_t size, int flags);
	ssize_t (*listxattr)(struct inode *i, char *buf, size_t size); /* NULL: 0 */
	int (*removexattr)(struct inode *i, const char *name); /* NULL: -EOPNOTSUPP */
	/* For XATTR_LIST_OPS: where the list is. NULL: there is none */
	struct xattr_item **(*xattrs)(struct inode *i);
	/*
	 * FS_*_FL of FS_IOC_GETFLAGS; @set: these they become, with i->lock held for writing, also
	 * in i->flags as far as the VFS knows them. 0 or -EOPNOTSUPP. NULL: -ENOTTY.
	 */
	int (*fileattr)(struct inode *i, u32 *flags, bool set);
	/*
	 * Of at most @want blocks from @index on: *count that lie at *phys in a row, or that are a
	 * hole (0). Holds i->lock for reading. NULL: nobody is told
	 */
	int (*map)(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count);
};

/* Open-file operations. */
struct file_ops {
	/* NULL: 0. May replace f->ops (device files) */
	int (*open)(struct inode *i, struct file *f);
	void (*release)(struct file *f); /* last reference gone. NULL: nothing */
	int (*flush)(struct file *f); /* each close. NULL: 0 */
	/*
	 * Bytes, 0 at end, -errno; *pos advances. NULL: -EINVAL. Interruptible waits return -EINTR
	 * or -ERESTARTSYS (512).
	 */
	ssize_t (*read)(struct file *f, struct uio *u, u64 *pos);
	ssize_t (*write)(struct file *f, struct uio *u, u64 *pos);
	/* NULL: generic with inode size, or -ESPIPE for FILE_STREAM files */
	s64 (*seek)(struct file *f, s64 off, int whence);
	/* NULL: -ENOTDIR; holds inode lock for reading */
	int (*readdir)(struct file *f, struct dir_ctx *c);
	/*
	 * Events now (POLL*); registers with @pt unless NULL. NULL op: always readable and
	 * writable.
	 */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	long (*ioctl)(struct file *f, u32 cmd, u64 arg); /* NULL: -ENOTTY */
	/*
	 * Fill a->file/pgoff/... for vm_map; NULL: page cache mapping if the inode has one, else
	 * -ENODEV.
	 */
	int (*mmap)(struct file *f, struct vm_map_args *a);
	int (*fsync)(struct file *f, u64 start, u64 end, bool datasync); /* NULL: -EINVAL */
	int (*fallocate)(struct file *f, int mode, u64 off, u64 len); /* NULL: -EOPNOTSUPP */
	/* O_ASYNC goes on or off, also at the file's end (async.h). NULL: just a flag */
	int (*fasync)(struct file *f, int fd, bool on);
	/* For /proc/PID/fdinfo. NULL: nothing more than pos/flags/mnt_id. */
	void (*show_fdinfo)(struct file *f, struct sbuf *sb);
	/*
	 * Frames that go when the file goes (what a pipe holds, a file without a name): a guess for
	 * the OOM killer. Called with a table's spinlock held, so without any lock. NULL: 0.
	 */
	u64 (*memory)(const struct file *f);
	/* May be spliced from and to. What has a page cache, pipes and sockets may in any case. */
	bool splice_read, splice_write;
};

#define INODE_NOATIME 1u
#define INODE_IMMUTABLE 2u
#define INODE_APPEND 4u
#define INODE_TMPFILE 32u /* never had a name yet: link(2) may give it one */
#define INODE_NOLINK 16u /* O_TMPFILE|O_EXCL: may not get a name */
#define INODE_UNCACHED 64u /* its name lives only as long as its users (processes in procfs) */
#define INODE_FILECAPS 128u /* has the attribute security.capability (filecap.h) */
#define INODE_HANDLE 256u /* there is a handle of it (handle.c) */
#define INODE_ACL 512u /* may have an access control list (inode_ops.acl) */
#define INODE_BOUND 1024u /* the mode binds the superuser too (/proc/sys); nor can it be changed */
#define INODE_RESTORE 4096u /* with INODE_BOUND: CAP_CHECKPOINT_RESTORE reads and writes it */
/* With INODE_BOUND: a text, read piece by piece and extended by a write behind its start */
#define INODE_JOIN 8192u
#define INODE_NEWS 16384u /* made up; its arg begins with a u32 of pseudo_tell (pseudo.h) */
#define INODE_STRICT 2048u /* nobody opens it beyond its mode, though access(2) may say he could */
#define INODE_HINT_SHIFT 28 /* the bits from here on: fcntl's write hint */
#define INODE_DEAD 8u /* directory that was removed: nothing can be made in it */

struct inode {
	refcount_t refs; /* a */
	u32 mode; /* i; a for reading */
	u32 uid, gid; /* i */
	u32 nlink; /* i */
	u32 flags; /* i: INODE_* */
	u64 ino; /* I */
	u64 rdev; /* I */
	u64 size; /* i, a for reading: regular files mirror it in cache.size */
	u64 blocks; /* i: 512-byte */
	s64 atime, mtime, ctime, btime; /* i: ns */
	struct super *sb; /* I */
	const struct inode_ops *ops; /* I */
	const struct file_ops *fops; /* I */
	struct rwsem lock; /* rank INODE */
	struct pagecache *cache; /* I: NULL if none; often embedded in the fs's inode */
	struct file_lock_ctx *locks; /* a: POSIX, OFD and flock state, made on demand */
	u32 writers; /* a: open for writing; negative count in .deny_write */
	u32 deny_write; /* a: being executed (ETXTBSY) */
	u32 readers; /* a: open for reading only */
	void *priv; /* I: file system's own */
	struct waitq waitq; /* own lock: fs-specific (FIFO open and so on) */
	struct list watches; /* inotify's own lock */
	struct list hash; /* lock of the super's inode table, if the fs uses it */
	struct pipe *pipe; /* i: FIFO's, made by the first open; I: nameless pipe's */
	struct chrdev *cdev; /* i: character device */
};

/*
 * A name. References: one for being hashed, one per child, one per user. The inode pointer goes
 * from NULL to an inode at any time, and back only while nobody else holds a reference: so who
 * holds one may use what it read without a lock.
 */
#define DENTRY_HASHED 1u /* d: found by lookups; clear: deleted, or never had a name */
#define DENTRY_USED 2u /* a: looked up since the shrinker passed */
#define DENTRY_UNCACHED \
	4u /* I: the table has no reference (INODE_UNCACHED); or never in it: what may appear */
#define DENTRY_NAME_INLINE 38 /* makes a dentry 128 bytes */
struct dentry_name; /* counted storage of a long name */
struct dentry {
	refcount_t refs; /* a */
	u32 hash; /* d: of parent and name */
	struct dentry *chain; /* d: next in the bucket */
	struct dentry *parent; /* d, tree lock: root: itself; a reference is held on it */
	/* k: first of the children, hashed or not; k: one of dentry.c's family locks */
	struct dentry *child;
	struct dentry *sibling, **sibling_of; /* parent's k: next, and who points here */
	struct inode *inode; /* a: NULL = negative; a reference is held */
	struct super *sb; /* I */
	u32 nmounts; /* a: mounts on it */
	u32 flags; /* d: DENTRY_* */
	const char *name; /* d, tree lock: inline_name or in .longname; ended by NUL */
	struct dentry_name *longname; /* d, tree lock: NULL when inline */
	u16 name_len; /* d, tree lock */
	char inline_name[DENTRY_NAME_INLINE]; /* d, tree lock */
};

struct super_ops {
	/* last reference: free the inode (and blocks if nlink is 0). NULL: kfree */
	void (*evict)(struct inode *i);
	int (*statfs)(struct super *sb, struct kstatfs *st);
	int (*sync)(struct super *sb, bool wait); /* NULL: 0 */
	int (*remount)(struct super *sb, u32 flags, const char *data); /* NULL: 0 */
	void (*put_super)(struct super *sb); /* after the last inode */
	/* after "rw": ",size=..." NULL: nothing */
	void (*show_options)(struct super *sb, struct sbuf *out);
};

struct kstatfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
	u64 fsid;
};

struct fs_type {
	const char *name;
	u32 flags; /* FS_* */
	/* Make a superblock with its root dentry. 0 or -errno. @source is the device name given. */
	int (*mount)(const struct fs_type *t, const char *source, u32 flags, const char *data,
		     struct super **out);
	/*
	 * Judge one option before a superblock is made of it; @value NULL: a bare word. 0; -ENOENT:
	 * there is none of that name; -EINVAL: not with that value. NULL: all is seen at mount.
	 */
	int (*check_option)(const char *name, const char *value);
};
#define FS_NODEV 1u /* needs no block device: "nodev" in /proc/filesystems */
#define FS_SINGLE 2u /* one superblock shared by all mounts (devtmpfs, sysfs) */
#define FS_TYPE(id, ...) \
	TABLE_ENTRY(fs_type, struct fs_type, fs_type_##id) = { .name = #id, __VA_ARGS__ }
TABLE_DECLARE(fs_type, struct fs_type);
/* For types that have no option at all: -ENOENT. */
int fs_no_option(const char *name, const char *value);

struct super {
	refcount_t refs; /* a */
	const struct fs_type *type; /* I */
	const struct super_ops *ops; /* I */
	u64 magic; /* I */
	u64 dev; /* I: st_dev */
	u32 blksize; /* I */
	u32 flags; /* a: MS_RDONLY, MS_SYNCHRONOUS... */
	bool has_btime; /* I: inodes know when they were made */
	bool no_new_names; /* I: a name is there or it is -ENOENT, whatever is to be done with it */
	bool handles; /* I: inode numbers are never used twice: handles can be made of them */
	u64 max_size; /* I: largest file */
	u32 dio_align; /* I: what O_DIRECT on regular files asks for; 0: it cannot be */
	struct dentry *root; /* I after mount: a reference is held */
	struct mutex rename_lock; /* rank RENAME */
	void *priv; /* I */
	char source[64]; /* I */
};

/* Open file description. */
#define FILE_READ 1u
#define FILE_WRITE 2u
#define FILE_STREAM 4u /* no position: pipe, socket, tty */
#define FILE_PATH 8u /* O_PATH */
#define FILE_NOPWRITE 16u /* has positions, yet none to write at: text made on demand */
#define FILE_UNMOUNT 64u /* its mount is loose: goes with it (mount_fd.c) */
#define FILE_UNNOTICED 128u /* nobody is told what is done by it (a fanotify event's) */
#define FILE_NOWAIT 32u /* understands RWF_NOWAIT */
#define FILE_EXCL 256u /* opened with O_EXCL: a block device is claimed by it */
struct file {
	refcount_t refs; /* a */
	u32 mode; /* I: FILE_* */
	u32 flags; /* a: O_APPEND, O_NONBLOCK, O_DIRECT... as F_GETFL shows */
	u64 pos; /* p: pos_lock */
	struct mutex pos_lock; /* rank FILE_POS */
	const struct file_ops *ops; /* I after open */
	struct path path; /* I: references */
	struct inode *inode; /* I */
	struct cred *cred; /* I: opener's */
	void *priv; /* I: the object's own */
	struct vm_file vmf; /* I: embedded for mappings */
	struct file_owner *owner; /* a: F_SETOWN and F_SETSIG: kernel/proc's (fs/async.h) */
	struct list eps; /* epoll watches, epoll's lock */
	struct file *reap; /* o: list of files whose release was deferred */
	u32 wb_err; /* o: error sequence seen (fsync) */
	u8 order; /* a: READ_* of uio.h: posix_fadvise */
};

/* ---- Inodes and names (inode.c, dentry.c, namei.c) ---- */
/* refs = 1, times = now, uid/gid from current */
void inode_init(struct inode *i, struct super *sb, u64 ino, u32 mode);
void inode_get(struct inode *i);
void inode_put(struct inode *i); /* ctx: thread; sleeps */
/* Sets fops (and what open does) by the type in i->mode: devices, FIFOs, sockets. */
void inode_init_special(struct inode *i, u64 rdev);
/* Count a writer, or forbid writers while a program runs from the file. 0 or -ETXTBSY. */
int __must_check inode_get_write(struct inode *i);
void inode_put_write(struct inode *i);
int __must_check inode_deny_write(struct inode *i);
void inode_allow_write(struct inode *i);
void inode_touch(struct inode *i, u32 attr_times); /* ATTR_ATIME|MTIME|CTIME := now (coarse) */
int inode_setattr_generic(struct inode *i, const struct iattr *a);
void inode_getattr_generic(struct inode *i, struct kstat *st);
/*
 * May current do MAY_READ|WRITE|EXEC (4,2,1)? The one place of permission checks. 0, -EACCES,
 * -EROFS, -EPERM.
 */
#define MAY_EXEC 1u
#define MAY_WRITE 2u
#define MAY_READ 4u
int __must_check inode_permission(struct inode *i, u32 mask);
/* What the umask leaves of the mode of something new in @dir. ctx: thread; sleeps */
u32 inode_umask(struct inode *dir, u32 mode);
bool inode_owner_or_capable(struct inode *i);
/*
 * Owner, group and mode of a new inode in @dir: fsuid, fsgid or the set-group-id directory's. The
 * umask is applied already.
 */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode);

struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/*
 * Name cache entry for pseudo and anonymous files; refs = 1, takes over the inode reference. NULL:
 * -ENOMEM.
 */
struct dentry *dentry_make_root(struct inode *i, struct super *sb);
int dentry_path(struct dentry *d, char *buf, size_t size, char **out); /* within its file system */

/*
 * Lookup. dirfd semantics: @at is the start for relative paths (a directory, or AT_FDCWD resolved
 * by the caller via fsctx).
 */
#define LOOKUP_FOLLOW 1u /* follow a final symlink */
#define LOOKUP_PARENT 2u /* stop at the parent: last component in nd->last */
#define LOOKUP_DIRECTORY 4u
#define LOOKUP_EMPTY 8u /* "" means the start itself */
#define LOOKUP_NO_SYMLINKS 16u
#define LOOKUP_BENEATH 32u
#define LOOKUP_IN_ROOT 64u
#define LOOKUP_NO_XDEV 128u
#define LOOKUP_NO_MAGICLINKS 256u
#define LOOKUP_CACHED 512u /* -EAGAIN for a name that is not in the cache */
int __must_check path_lookup(const struct path *at, const char *name, u32 flags, struct path *out);
void path_get(const struct path *p);
void path_put(const struct path *p);
/*
 * Path as the current root sees it, "(unreachable)" prefixed if outside, " (deleted)" appended if
 * unlinked. *out points into buf. -ENAMETOOLONG
 */
int path_to_string(const struct path *p, const struct path *root, char *buf, size_t size,
		   char **out);

bool path_is_deleted(const struct path *p); /* its name was removed */

/*
 * Whole operations, as the system calls need them (open.c, namei_ops.c). @at as above. All check
 * permission.
 */
int __must_check vfs_open_check(u32 oflags); /* before vfs_open, for flags from a user */
int __must_check vfs_open(const struct path *at, const char *name, u32 oflags, u32 mode, u32 lookup,
			  struct file **out);
int vfs_mknod(const struct path *at, const char *name, u32 mode, u64 rdev);
int vfs_mkdir(const struct path *at, const char *name, u32 mode);
int vfs_symlink(const char *target, const struct path *at, const char *name);
int vfs_link(const struct path *old, const struct path *at, const char *name);
int vfs_unlink(const struct path *at, const char *name);
int vfs_rmdir(const struct path *at, const char *name);
int vfs_rename(const struct path *oat, const char *oname, const struct path *nat, const char *nname,
	       u32 flags);
int vfs_getattr(const struct path *p, struct kstat *st);
int vfs_getattr_at(const struct path *at, const char *name, u32 lookup, struct kstat *st);
/* chmod, chown, utimens, truncate checks by Linux's rules */
int vfs_setattr(const struct path *p, struct iattr *a);
int vfs_truncate(const struct path *p, u64 size);
ssize_t vfs_readlink(const struct path *p, char *buf, size_t size);
int vfs_statfs(const struct path *p, struct kstatfs *st);
/* The flags of FS_IOC_GETFLAGS (FS_*_FL). 0 or -ENOTTY. */
int vfs_get_fileattr(struct inode *i, u32 *flags);
/* Sets them but for those in @keep. 0, -EROFS, -ENOTTY, -EPERM, -EOPNOTSUPP. */
int vfs_set_fileattr(const struct path *p, u32 flags, u32 keep);
/* by the current fsuid: access(2) sets that for the time of the call */
int vfs_access(const struct path *p, u32 mask);
int vfs_set_size(const struct path *p, u64 size); /* ftruncate: no permission check */
int vfs_setattr_nocheck(const struct path *p, struct iattr *a);
/* Does RLIMIT_FSIZE allow a file of @size? 0 or -EFBIG (with its signal). */
int __must_check vfs_check_fsize(u64 size);
/* How many of *len bytes may be written at @pos by both limits: *len is cut. 0, -EFBIG. */
int __must_check vfs_check_write(const struct super *sb, u64 pos, size_t *len);
/* Drop set-id bits before contents change: 1 if there were any. holds: i->lock for writing */
int inode_strip_suid_locked(struct inode *i);

/* ---- Open files (file.c) ---- */
/* Are there fs.file-max of them, and current is no administrator? (proc_misc.c) ctx: thread */
bool file_max_reached(void);
/* Anonymous file (pipe, eventfd, socket...): "anon_inode:[name]". @mode FILE_*. */
/* A "pipe" or "socket" gets an inode of its own of that type, all others share one. */
int __must_check file_alloc_anon(const char *name, const struct file_ops *ops, void *priv, u32 mode,
				 u32 flags, struct file **out);
/* Another open file on the inode of @peer (the second end of a pipe). */
int __must_check file_alloc_peer(struct file *peer, const struct file_ops *ops, void *priv,
				 u32 mode, u32 flags, struct file **out);
/*
 * path known and checked; beside O_*: it is to be run; FILE_UNNOTICED
 */
#define OPEN_EXEC 0x20u
#define OPEN_UNNOTICED 0x04000000u
int __must_check file_open_path(const struct path *p, u32 oflags, struct file **out);
bool file_can_direct(const struct file *f); /* O_DIRECT. ctx: any */
struct file *file_get(struct file *f);
void file_put(struct file *f); /* ctx: thread; the last one releases, which sleeps */
/* as file_put, but a worker releases: spinlocks or VMSPACE may be held */
void file_put_deferred(struct file *f);
/*
 * Between the two a file whose last reference was a mapping of the caller's waits in *@list for the
 * second, which releases it: its end is seen when the call or the process is over. ctx: thread; the
 * second sleeps
 */
void file_puts_begin(struct file **list);
void file_puts_end(struct file **list);
void file_flush_deferred(void); /* wait for releases under way (before an EBUSY or ETXTBSY) */
/* checks mode, limits, locks offset when pos == &f->pos */
ssize_t file_read(struct file *f, struct uio *u, u64 *pos);
ssize_t file_write(struct file *f, struct uio *u, u64 *pos);
s64 file_seek(struct file *f, s64 off, int whence);
/* for file_ops.seek: stays where it is */
s64 file_seek_nothing(struct file *f, s64 off, int whence);
u32 file_poll(struct file *f, struct poll_table *pt);
long file_ioctl(struct file *f, u32 cmd, u64 arg);
int file_readdir(struct file *f, struct dir_ctx *c);
/* For file_ops.readdir: "." and "..", positions 0 and 1. False: the buffer is full. */
bool __must_check dir_emit_dots(struct file *f, struct dir_ctx *c);
int __must_check file_fallocate(struct file *f, int mode, u64 off, u64 len);
int file_fsync(struct file *f, u64 start, u64 end, bool datasync);
int file_readahead(struct file *f, u64 off, u64 count);
int file_advise(struct file *f, u64 off, u64 len, u32 advice); /* POSIX_FADV_* */
int file_sync_range(struct file *f, u64 off, u64 len, u32 flags); /* SYNC_FILE_RANGE_* */
/* Kernel-internal read of a whole range (exec): bytes or -errno. */
ssize_t file_read_kernel(struct file *f, void *buf, size_t len, u64 pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t len, u64 pos);
/* For mmap: fills a->file, max_prot by open mode. 0, -EACCES, -ENODEV. */
int __must_check file_mmap(struct file *f, struct vm_map_args *a);
bool file_mmap_in_range(const struct file *f, u64 pgoff, u64 len);
static inline struct file *file_of_vm(struct vm_file *v)
{
	return container_of(v, struct file, vmf);
}
/* The file that @v (or NULL) is part of; NULL: something else is mapped. ctx: any */
struct file *file_of_mapping(struct vm_file *v);

/* File operations over i->cache that any disk or memory file system may use. */
ssize_t generic_file_read(struct file *f, struct uio *u, u64 *pos);
ssize_t generic_file_write(struct file *f, struct uio *u, u64 *pos);
s64 generic_file_seek(struct file *f, s64 off, int whence);
s64 sizeless_seek(struct file *f, s64 off, int whence); /* the end is at 0, of a directory too */
/* What a write does before touching data, with i->lock held for writing: append position, limits,
 * set-id bits, times. Shortens @u; 0 or -EFBIG, -EPERM. */
int __must_check generic_write_begin(struct file *f, struct uio *u, u64 *pos);
void file_accessed(struct file *f); /* atime by the mount's rules */
/* RLIMIT_FSIZE and signals belong to layers above: how to ask for it and to send one to current. */
void vfs_set_write_hooks(u64 (*limit)(void), void (*signal)(int sig));
/* To current, whose call goes on: for what its result does not say. */
void vfs_signal(int sig);

/* ---- Polling (poll.c) ---- */
/*
 * A poll op calls poll_wait(pt, &queue) for each queue that will be woken, then returns the events
 * true now. The table's owner (poll, select, epoll) decides what an entry does.
 */
struct poll_table {
	void (*queue)(struct poll_table *pt, struct waitq *q);
	u32 key; /* events asked for */
};
static inline void poll_wait(struct poll_table *pt, struct waitq *q)
{
	if (pt && pt->queue)
		pt->queue(pt, q);
}

/* ---- Mounts (mount.c) ---- */
/* umount2(2); the packaged headers leave these to the C library. */
#define MNT_FORCE 1u
#define MNT_DETACH 2u
#define MNT_EXPIRE 4u
#define UMOUNT_NOFOLLOW 8u
struct mount {
	refcount_t refs; /* a */
	u32 id; /* I */
	u32 flags; /* a: MNT_* = MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_RDONLY, atime bits */
	u32 writers; /* a: regular files open for writing through it */
	struct super *sb; /* I */
	struct dentry *root; /* I: of this mount (bind: subtree) */
	struct mount *parent; /* m: MOUNT lock */
	struct dentry *mountpoint; /* m */
	struct list children, sibling, all; /* m */
	struct list hash; /* m and its bucket's lock: (parent, mountpoint) */
	bool detached; /* m */
	bool loose; /* m: of a tree that hangs nowhere yet (mount_fd.c) */
	bool anon; /* I: never in the tree: pipes, sockets, memfd */
	struct mount *clone; /* m: during a copy of a tree */
	u8 expire; /* a: umount2(MNT_EXPIRE) sets 2, each put takes 1, umount2's own the first */
	const char *source; /* I: device name as given */
	/* mount_peer.c explains these. */
	u32 group; /* m: number of the peer group; 0: not shared */
	bool unbindable; /* m */
	bool fresh; /* m: became shared for a propagation under way */
	struct mount *master; /* m: of a slave */
	struct mount *hung; /* m: during a propagation: the copy for this mount */
	struct list peers; /* m: ring of the group */
	struct list slaves, slave_link; /* m */
	struct list todo, doomed; /* m: during a propagation */
};
int vfs_mount(const char *source, const struct path *where, const char *type, u64 ms_flags,
	      const char *data);
int vfs_umount(const struct path *where, u32 flags);
int vfs_pivot_root(const struct path *new_root, const struct path *put_old, struct path *was);
/* Whom to tell of a mount that is gone; boot. */
void vfs_set_umount_hook(void (*gone)(const struct mount *m));
/* Mount root file system of the kernel (tmpfs) and devtmpfs; boot. */
void vfs_init(void);
/* Topmost mount on @p; replaces it (references moved). */
void mount_traverse(struct path *p);
/* /proc/PID/mounts, mountinfo and mountstats as seen from @root. */
void mount_show(struct sbuf *out, const struct path *root, int style);
int vfs_sync_all(void);
void vfs_read_only_all(bool for_good);
void mount_foreach(void (*fn)(struct mount *m, void *arg), void *arg);
/* Poll of /proc/mounts: bumps when the tree changes. */
u32 mount_generation(void);
extern struct waitq mount_waitq;
/*
 * Call @each with every option of @data, which is changed as it likes. 0, its first error, -ENOMEM.
 * ctx: thread; sleeps
 */
int __must_check vfs_each_option(const char *data, int (*each)(void *arg, char *word), void *arg);
/*
 * Would a @t that judges options one by one take those of @data? *flags is changed by those that
 * every file system has. ctx: thread; sleeps. 0, -EINVAL, -ENOMEM
 */
int __must_check vfs_judge_options(const struct fs_type *t, const char *data, u32 *flags);
/*
 * Is @word an option of every file system? Which flags of the superblock it sets and clears.
 * ctx: any
 */
bool vfs_common_option(const char *word, u32 *set, u32 *clear);
int vfs_register_super(struct super *sb); /* gives an anonymous st_dev when dev is 0 */
/* NULL: no memory */
struct super *super_alloc(const struct fs_type *t, u64 magic, const struct super_ops *ops);
void super_get(struct super *sb);
/* last: drops the names, then ->put_super and frees. ctx: thread; sleeps */
void super_put(struct super *sb);
/* A mount that is in no tree (pipes, memfd); consumes the reference to @sb. */
int __must_check mount_create_internal(struct super *sb, struct mount **out);
/* The same of the one instance of a FS_SINGLE type. 0 or -ENOMEM. */
int __must_check mount_single_internal(const struct fs_type *t, struct mount **out);
/*
 * Names that may go by themselves (of processes in procfs) and have mounts on or below them: these
 * are taken off once the name means nothing any more. A process or thread has left the tables;
 * ctx: thread, no lock held; sleeps
 */
extern u32 mounts_on_passing; /* a: how many mounts hang on such a name */
void mount_prune(void);
static inline void mount_prune_gone(void)
{
	if (unlikely(READ_ONCE(mounts_on_passing)))
		mount_prune();
}
void mount_prune_soon(void); /* a worker does it. ctx: any */
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m); /* ctx: thread; sleeps */
/* May @m be written to? 0 or -EROFS. */
int __must_check mount_may_write(const struct mount *m);

/*
 * ---- Extended attributes (xattr.c): names and sizes as xattr(7), buffers in kernel memory. ----
 */
ssize_t vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size);
int vfs_setxattr(const struct path *p, const char *name, const void *buf, size_t size, int flags);
ssize_t vfs_listxattr(const struct path *p, char *buf, size_t size);
int vfs_removexattr(const struct path *p, const char *name);

/* ---- Process file state (fsctx.c). Kernel threads use the boot context. ---- */
struct fsctx {
	refcount_t refs; /* a */
	struct spinlock lock; /* rank FSCTX */
	struct path root, cwd; /* f: guarded by lock */
	u32 umask; /* a */
	struct fsmove *moves; /* f */
};
int __must_check fsctx_copy(struct fsctx *f, struct fsctx **out);
struct fsctx *fsctx_get(struct fsctx *f);
void fsctx_put(struct fsctx *f);
void fsctx_get_root(struct path *out); /* of current, with references */
void fsctx_get_cwd(struct path *out);
void fsctx_set_cwd(const struct path *p); /* takes references of its own */
void fsctx_set_root(const struct path *p);
void fsctx_boot_follow(void); /* kernel threads get the current process's root */
/* pivot_root(2): see fsctx.c */
void fsctx_move(struct fsctx *f, struct thread *t, const struct path *from, const struct path *to);
void fsctx_moved(struct fsctx *f);

/* ---- Descriptor tables (fdtable.c) ---- */
struct fdtable;
int __must_check fdtable_create(struct fdtable **out);
int __must_check fdtable_copy(struct fdtable *t, struct fdtable **out);
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* last: closes all */
/*
 * File of @fd with a reference, or -EBADF. O_PATH files only with @path_ok. A single-threaded table
 * needs no atomic.
 */
int __must_check fd_get(int fd, struct file **out);
int __must_check fd_get_any(int fd, struct file **out); /* also O_PATH */
/* Light form: no reference taken when the table is not shared; pair with fd_release. */
struct fdref {
	struct file *file;
	bool counted;
};
int __must_check fd_borrow(int fd, struct fdref *out);
int __must_check fd_borrow_any(int fd, struct fdref *out); /* also O_PATH */
void fd_release(struct fdref *r);
/*
 * Reserve then commit: reserve may fail (-EMFILE, -ENOMEM), install cannot. @limit: RLIMIT_NOFILE.
 */
extern int fd_nr_open; /* a: how far RLIMIT_NOFILE may be raised (proc(5)) */
int __must_check fd_reserve(int min, u64 limit, bool cloexec, int *out);
void fd_install(int fd, struct file *f); /* takes over the reference */
void fd_unreserve(int fd);
int fd_close(int fd); /* 0, -EBADF, or flush's error */
/* replaces; newfd or -errno; takes its own reference */
int fd_dup2(struct file *f, int newfd, bool cloexec, u64 limit);
int fd_get_cloexec(int fd);
int fd_set_cloexec(int fd, bool on);
int fd_close_range(u32 first, u32 last, bool cloexec_only);
void fdtable_close_on_exec(struct fdtable *t);
/* Iterate a table of another process: next fd >= @from with its file referenced, or -ENOENT. */
int fdtable_next(struct fdtable *t, int from, int *fd, struct file **out);
u32 fdtable_size(struct fdtable *t);
u64 fdtable_memory(struct fdtable *t); /* frames that its files hold (file_ops.memory) */
void fdtable_put_deferred(struct fdtable *t); /* as fdtable_put, but a worker closes. ctx: any */
bool fdtable_get_cloexec(struct fdtable *t, int fd); /* of any table; false also when closed */
bool fdtable_shared(const struct fdtable *t);
bool fd_table_has(const struct file *f); /* does any descriptor of current refer to @f? */

/* ---- Pipes, device files ---- */
int __must_check pipe_create(u32 flags, struct file **r, struct file **w);
int pipe_open_fifo(struct inode *i, struct file *f);

struct chrdev {
	const char *name; /* I: in /dev and /proc/devices */
	u64 dev; /* I */
	u32 mode; /* I: permissions in devtmpfs */
	const struct file_ops *ops; /* I */
	void *priv; /* I: f->priv at open */
	const char *class; /* I: in sysfs; NULL: by the major number */
	const struct device *parent; /* I: what it is a part of; NULL: nothing, devices/virtual */
	struct list link; /* registry lock */
};
/* Register and appear in devtmpfs as @name (may contain '/'). 0, -EBUSY, -ENOMEM. */
int __must_check chrdev_register(struct chrdev *c);
void chrdev_unregister(struct chrdev *c);
/* Whole major or minor range without nodes of their own (ptys). */
int chrdev_open(struct inode *i, struct file *f);
/* Populate devtmpfs with nodes, links, directories. */
int devfs_add_node(const char *name, u32 mode, u64 rdev);
int devfs_add_link(const char *name, const char *target);
int devfs_remove(const char *name);

/*
 * ---- initramfs.c: unpack a (possibly compressed, concatenated) cpio into the root. ctx: boot ----
 */
int initramfs_unpack(const void *data, size_t size);
/* why the last one failed, as a clause: "the compressed data ends early" */
const char *initramfs_error(void);
