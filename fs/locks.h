#pragma once
/*
 * Advisory file locks: flock(2), POSIX record locks and open-file-description locks (fcntl(2)).
 */
#include "fs/vfs.h"

#define LOCK_END_MAX 0x7fffffffffffffffULL

enum lock_kind { LOCK_KIND_FLOCK, LOCK_KIND_POSIX, LOCK_KIND_OFD };

/*
 * A held lock, or one asked for. Bytes start..end inclusive (flock: all). x: guarded by the inode's
 * lock context.
 */
struct file_lock {
	struct list link; /* x: held locks, by start */
	u8 kind; /* I */
	bool write; /* x: exclusive */
	const void *owner; /* I: descriptor table (POSIX) or open file */
	u32 pid; /* I: for F_GETLK and /proc/locks; ~0: of an open file */
	u64 start, end; /* x */
};

/* Nodes for a change that cannot fail: at most two are needed (lockrange.c). */
struct lock_pool {
	struct list free; /* o: struct file_lock.link */
};

/*
 * lockrange.c: pure list work, also compiled on the host. Lists hold record locks sorted by start.
 */
bool lock_ranges_overlap(const struct file_lock *a, const struct file_lock *b);
struct file_lock *lock_range_conflict(const struct list *held, const struct file_lock *want);
/*
 * Make @want's bytes of @want->owner locked (or free: @unlock); merges and splits. Replaced nodes
 * go to @pool.
 */
void lock_range_apply(struct list *held, const struct file_lock *want, bool unlock,
		      struct lock_pool *pool);

/*
 * flock(2): @type 0 unlock, 1 shared, 2 exclusive; @pid is shown in /proc/locks. 0, -EAGAIN (@wait
 * false), -ERESTARTSYS, -ENOMEM.
 */
int locks_flock(struct file *f, int type, u32 pid, bool wait);
/* F_SETLK and kin; @want->owner set. 0, -EAGAIN, -EDEADLK, -ERESTARTSYS, -ENOMEM. */
int locks_set(struct file *f, const struct file_lock *want, bool unlock, bool wait);
/* F_GETLK: *found is the first conflicting lock; false: none. */
bool locks_test(struct file *f, const struct file_lock *want, struct file_lock *found);
/*
 * close(2) drops all POSIX locks of the table on the file; the last close of a description its
 * flock and OFD locks.
 */
void locks_remove_posix(struct file *f, const void *owner);
void locks_release_file(struct file *f);
void locks_free_ctx(struct inode *i);

/*
 * Leases (lease.c; fcntl(2), F_SETLEASE): @type is F_RDLCK, F_WRLCK or F_UNLCK. @f has an owner's
 * record already, and its user knows it as @fd. 0, -EINVAL, -EACCES, -EAGAIN, -ENOMEM.
 * ctx: thread; sleeps
 */
int lease_set(struct file *f, int fd, u64 type);
int lease_get(struct file *f); /* what it has, or what it is to become. ctx: thread */
int __must_check lease_break_slow(struct inode *i, u32 oflags);

/*
 * @i was opened with @oflags (counted already, as reader or writer), or is to be truncated: leases
 * in the way end first. 0, -EWOULDBLOCK (O_NONBLOCK), -ERESTARTSYS. ctx: thread; sleeps
 */
static inline int __must_check lease_break(struct inode *i, u32 oflags)
{
	if (likely(!__atomic_load_n(&i->locks, __ATOMIC_SEQ_CST)))
		return 0;
	return lease_break_slow(i, oflags);
}
