#pragma once
/* Private to locks.c and lease.c: all that is locked on one inode. */
#include "fs/locks.h"

/* l: guarded by .lock (rank SPIN_OUTER), a: by locks.c's all_lock, I immutable after creation. */
struct file_lock_ctx {
	struct spinlock lock;
	struct list all; /* a: all_contexts */
	const struct inode *inode; /* I: it owns the context */
	struct list flocks; /* l: struct file_lock.link */
	struct list ranges; /* l: record locks by start */
	struct list waiters; /* l: struct lock_waiter.link, first come first */
	struct list leases; /* l: struct lease.link */
	struct waitq lease_wait; /* own lock: who waits for a lease to end */
	struct list breakers; /* l: struct lease_breaker.link, for /proc/locks */
};

/* The context of @i; it stays as long as the inode. ctx: any */
static inline struct file_lock_ctx *locks_ctx_of(struct inode *i)
{
	return load_acquire(&i->locks);
}
int __must_check locks_make_ctx(struct inode *i, struct file_lock_ctx **out); /* 0 or -ENOMEM */

/* @f goes: so does its lease. ctx: thread */
void lease_release_file(struct file *f, struct file_lock_ctx *c);
/* Lines of /proc/locks after number @nr; the last number. holds: c->lock */
u32 leases_show(struct sbuf *out, u32 nr, struct file_lock_ctx *c);
