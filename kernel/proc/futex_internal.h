#pragma once
/* Shared by the futex files. */
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
	struct list
		waiters; /* b: guarded by lock; by real-time priority, then in order of arrival */
};

/*
 * On the stack of the waiting thread. b guarded by the bucket's lock, p by that of futex_owner.c
 * (b + p: both to change, either to read), I immutable while queued
 */
struct futex_waiter {
	struct list link; /* b */
	struct thread *thread; /* I */
	struct futex_key key; /* b + p */
	struct futex_bucket *bucket; /* b + p: changed by a requeue, under both buckets' locks */
	u32 bitset; /* I */
	u32 woken; /* b; a for reading: last thing the waker writes */
	u8 prio; /* I: place in the bucket */
	bool pi; /* b: waits to own the word; set by a requeue */
	const struct futex_key *requeue_to; /* I: waits to be requeued to this word; NULL: not */
	struct task *owner; /* b + p: of the word it waits to own; NULL: it died */
	u32 owner_tid; /* b + p */
	struct list owned_link; /* p: owner->futex_owned */
	u32 orphan_of; /* b: woken to take the word that the dead thread of this id owned */
};

/* futex.c */
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
int __must_check futex_key_get(u64 uaddr, bool private, bool write, struct futex_key *out);
int __must_check futex_load_locked(u64 uaddr, u32 *out);
int __must_check futex_fault_in(u64 uaddr, bool write);
void futex_waiter_init(struct futex_waiter *w);
/* queue @w if the word at @uaddr is @val, and announce the sleep */
int __must_check futex_queue_if(struct futex_waiter *w, u64 uaddr, u32 val);
void futex_queue_locked(struct futex_bucket *b, struct futex_waiter *w);
void futex_wake_waiter_locked(struct futex_waiter *w);
int futex_sleep(struct futex_waiter *w, const struct futex_deadline *deadline);
bool futex_unqueue(struct futex_waiter *w);
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}

/* futex_requeue.c */
long futex_requeue(const struct futex_args *a, bool private, bool compare);
long futex_requeue_pi(const struct futex_args *a, bool private);
long futex_wait_requeue_pi(const struct futex_args *a, bool private);

/* futex_pi.c */
int futex_lock_pi(u64 uaddr, bool private, const struct futex_deadline *deadline, bool try);
/* the same for @w, a waiter for the key in it that is not queued */
int futex_lock_pi_as(u64 uaddr, struct futex_waiter *w, const struct futex_deadline *deadline);
int futex_unlock_pi(u64 uaddr, bool private);
/* One try for the thread of @w to own the word: see futex_pi.c */
struct pi_try {
	u64 uaddr;
	const struct futex_key *key;
	struct futex_bucket *bucket; /* of key, locked */
	struct futex_waiter *w;
	bool more; /* others will be queued for it at once */
};
int __must_check futex_pi_try_locked(const struct pi_try *p);

/* futex_owner.c */
int __must_check futex_owner_attach(struct futex_waiter *w, struct futex_bucket *b,
				    const struct futex_key *k, struct task *owner, u32 tid);
void futex_owner_detach(struct futex_waiter *w);
void futex_owner_move_locked(struct futex_bucket *b, const struct futex_key *k, struct task *to,
			     u32 tid);
struct futex_waiter *futex_owner_first_locked(struct futex_bucket *b, const struct futex_key *k,
					      const struct futex_waiter * not );
struct futex_waiter *futex_owner_best_locked(struct futex_bucket *b, const struct futex_key *k);
void futex_owner_exit(struct task *t, bool dead);
void futex_owner_pass_baton(const struct futex_waiter *w);
