#pragma once
/* Shared by futex.c and futex_pi.c. */
#include "kernel/base/spinlock.h"
#include "kernel/lib/list.h"
#include "kernel/proc/futex.h"
#include "kernel/sched/thread.h"

struct futex_key {
	const void *object; /* address space, or shared object */
	u64 offset; /* address, or bytes into the object */
};

struct futex_bucket {
	struct spinlock lock; /* rank FUTEX */
	struct list waiters; /* b: guarded by lock */
};

/* On the stack of the waiting thread. b guarded by the bucket's lock, I immutable while queued */
struct futex_waiter {
	struct list link; /* b */
	struct thread *thread; /* I */
	struct futex_key key; /* b */
	struct futex_bucket *bucket; /* b: changed by a requeue, under both locks */
	u32 bitset; /* I */
	u32 woken; /* b; a for reading: last thing the waker writes */
	bool pi; /* I: waits to own the word */
};

struct futex_bucket *futex_bucket_of(const struct futex_key *k);
int __must_check futex_key_get(u64 uaddr, bool private, struct futex_key *out);
int __must_check futex_load_locked(u64 uaddr, u32 *out);
int __must_check futex_fault_in(u64 uaddr, bool write);
void futex_wake_waiter_locked(struct futex_waiter *w);
int futex_sleep(struct futex_waiter *w, const struct futex_deadline *deadline);
bool futex_unqueue(struct futex_waiter *w);

/* futex_pi.c */
int futex_lock_pi(u64 uaddr, bool private, const struct futex_deadline *deadline, bool try);
int futex_unlock_pi(u64 uaddr, bool private);
void futex_pi_owner_died(u64 uaddr); /* the word has FUTEX_OWNER_DIED: the best waiter gets it */
