/*
 * Futexes: sleeping until a word of user memory has changed, futex(2).
 *
 * A waiter is a struct futex_waiter on the sleeping thread's stack, in one of a few hundred hash
 * buckets (as many as CPUs call for). The key says which word: address space and address for
 * private memory, object and offset for shared mappings, so that processes meet whatever addresses
 * they use. As on Linux FUTEX_PRIVATE_FLAG is part of the key: who waits with it is woken with it.
 *
 * Nothing is lost between test and sleep: a waiter reads the word while it holds the bucket's lock,
 * and a waker changes the word before it takes that lock. The word is read without taking page
 * faults there; if the page is away, the lock is dropped, the page touched, and all begins again.
 *
 * Hand-over: the waker takes the waiter off its bucket, sets .woken, then wakes the thread, all
 * under the bucket's lock. (The other order loses the wake of a thread that announces its sleep
 * again in between.) The thread takes the lock of its bucket, which a requeue may have changed,
 * before it leaves, whatever it woke for, and so waits for a waker that is in the middle of this.
 *
 * Waiters with real-time priorities stand before all others, in the order of these.
 *
 * Robust lists (get_robust_list(2)): at exit the words that a thread owns get FUTEX_OWNER_DIED, and
 * a waiter is woken.
 *
 * Beside this file: requeueing (futex_requeue.c), waiting for several words (futex_waitv.c),
 * priority inheritance (futex_pi.c, futex_owner.c).
 */
#include <linux/errno.h>
#include <linux/futex.h>
#include <arch/cpu.h>
#include <arch/user.h>
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "kernel/proc/futex_internal.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

#define BUCKETS_PER_CPU 256
#define ROBUST_LIST_MAX 2048

static struct futex_bucket *buckets; /* I after boot */
static u32 bucket_shift; /* I: 64 - log2(count) */

/*
 * Boot: the table. ctx: boot, CPUs are counted.
 */
void futex_init(void)
{
	u32 bits = 8;
	u32 count;

	while ((1u << bits) < cpu_count * BUCKETS_PER_CPU && bits < 12)
		bits++;
	count = 1u << bits;
	buckets = kcalloc(count, sizeof(*buckets), 0);
	if (!buckets)
		panic("no memory for the futex table");
	for (u32 i = 0; i < count; i++) {
		spin_init(&buckets[i].lock, RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
	bucket_shift = 64 - bits;
}

/*
 * The bucket that @k hashes to. ctx: any.
 */
struct futex_bucket *futex_bucket_of(const struct futex_key *k)
{
	u64 h = ((u64)k->object >> 4) * 0x9e3779b97f4a7c15ull +
		(k->offset >> 2) * 0xc2b2ae3d27d4eb4full;

	return &buckets[h * 0x9e3779b97f4a7c15ull >> bucket_shift];
}

/*
 * What identifies the word at @uaddr, which the call will @write or only read. A word of shared
 * memory must be there, and one of private memory be writable, as nobody could change it.
 * ctx: thread; sleeps unless private. 0, -EINVAL, -EFAULT.
 */
int futex_key_get(u64 uaddr, bool private, bool write, struct futex_key *out)
{
	const void *object = NULL;
	u64 offset = uaddr;
	u32 v;

	if (uaddr & 3)
		return -EINVAL;
	if (!user_ok(uaddr, 4))
		return -EFAULT;
	if (!private) {
		int err = vm_shared_key(current->vm, uaddr, write, &object, &offset);

		if (err || copy_from_user(&v, uaddr, sizeof(v)))
			return -EFAULT;
	}
	out->object = object ? object : current->vm;
	out->offset = object ? offset : uaddr | !private;
	return 0;
}

/*
 * Read the word under a bucket's lock. ctx: thread; holds: bucket. -EFAULT: drop the locks and call
 * futex_fault_in.
 */
int futex_load_locked(u64 uaddr, u32 *out)
{
	return arch_user_load32(out, uaddr);
}

/*
 * Bring the word's page in. ctx: thread; sleeps. 0, -EFAULT, -EINTR: being killed.
 */
int futex_fault_in(u64 uaddr, bool write)
{
	u32 v;

	if (signal_fatal_pending())
		return -EINTR;
	if (copy_from_user(&v, uaddr, sizeof(v)))
		return -EFAULT;
	if (write && arch_user_atomic32(uaddr, FUTEX_OP_OR, 0, &v))
		return -EFAULT;
	return 0;
}

/*
 * A waiter of current's, on no bucket. ctx: thread.
 */
void futex_waiter_init(struct futex_waiter *w)
{
	memset(w, 0, sizeof(*w));
	list_init(&w->link);
	list_init(&w->owned_link);
	w->thread = current;
	w->bitset = FUTEX_BITSET_MATCH_ANY;
	w->prio = sched_prio(current);
}

/*
 * Put @w in its place in @b, which its key hashes to. ctx: any; holds: bucket.
 */
void futex_queue_locked(struct futex_bucket *b, struct futex_waiter *w)
{
	struct futex_waiter *other;

	w->bucket = b;
	if (unlikely(w->prio)) {
		list_for_each(other, &b->waiters, link) {
			if (other->prio < w->prio) {
				list_add_tail(&other->link, &w->link);
				return;
			}
		}
	}
	list_add_tail(&b->waiters, &w->link);
}

/*
 * Take @w off its bucket and wake its thread. ctx: any; holds: the bucket's lock.
 */
void futex_wake_waiter_locked(struct futex_waiter *w)
{
	struct thread *t = w->thread;

	list_del(&w->link);
	store_release(&w->woken, 1);
	sched_wake(t, WAKE_NORMAL);
}

/*
 * Sleep until woken, @deadline or a signal. The waiter is queued and sched_prepare was called
 * before its bucket was unlocked. ctx: thread. 0: woken; -ETIMEDOUT, -EINTR: it is off its bucket.
 */
int futex_sleep(struct futex_waiter *w, const struct futex_deadline *deadline)
{
	int err = 0;

	for (;;) {
		if (load_acquire(&w->woken))
			break;
		if (signal_pending())
			err = -EINTR;
		if (err)
			break;
		err = schedule_until_clock(deadline->at, deadline->wall);
		sched_prepare(TS_SLEEPING);
	}
	sched_cancel();
	if (!futex_unqueue(w))
		return 0;
	if (w->pi)
		futex_owner_detach(w);
	return err;
}

/*
 * Take @w off the bucket it is on. ctx: thread. False: a waker was faster.
 */
bool futex_unqueue(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = READ_ONCE(w->bucket);

		spin_lock(&b->lock);
		if (b == w->bucket) {
			bool queued = !w->woken;

			if (queued)
				list_del(&w->link);
			spin_unlock(&b->lock);
			return queued;
		}
		spin_unlock(&b->lock);
	}
}

struct wait_args {
	u64 uaddr;
	bool private;
	u32 val, bitset;
	struct futex_deadline deadline;
};

static long futex_wait_restart(struct task *t);

/*
 * Queue @w, which has its key, and announce the sleep, if the word at @uaddr is @val. ctx: thread;
 * sleeps (page faults). 0, -EAGAIN: it is not, -EFAULT, -EINTR.
 */
int futex_queue_if(struct futex_waiter *w, u64 uaddr, u32 val)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);
	u32 v;
	int err;

	for (;;) {
		spin_lock(&b->lock);
		if (likely(futex_load_locked(uaddr, &v) == 0))
			break;
		spin_unlock(&b->lock);
		err = futex_fault_in(uaddr, false);
		if (err)
			return err;
	}
	if (v != val) {
		spin_unlock(&b->lock);
		return -EAGAIN;
	}
	futex_queue_locked(b, w);
	sched_prepare(TS_SLEEPING);
	spin_unlock(&b->lock);
	return 0;
}

static int futex_wait(const struct wait_args *a)
{
	struct futex_waiter w;
	int err;

	if (!a->bitset)
		return -EINVAL;
	futex_waiter_init(&w);
	w.bitset = a->bitset;
	err = futex_key_get(a->uaddr, a->private, false, &w.key);
	if (!err)
		err = futex_queue_if(&w, a->uaddr, a->val);
	return err ? err : futex_sleep(&w, &a->deadline);
}

/* A wait with a deadline that a signal interrupts goes on with what is left of it. */
static long futex_wait_op(const struct wait_args *a)
{
	struct task *t = current_task();
	int err = futex_wait(a);

	if (err != -EINTR)
		return err;
	if (a->deadline.at == TIME_NEVER)
		return -ERESTARTSYS;
	t->restart_fn = futex_wait_restart;
	t->restart_arg[0] = a->uaddr;
	t->restart_arg[1] = a->val | (u64)a->bitset << 32;
	t->restart_arg[2] = (u64)a->deadline.at;
	t->restart_arg[3] = a->private;
	t->restart_arg[4] = a->deadline.wall;
	return -ERESTART_RESTARTBLOCK;
}

static long futex_wait_restart(struct task *t)
{
	struct wait_args a = {
		.uaddr = t->restart_arg[0],
		.val = (u32)t->restart_arg[1],
		.bitset = (u32)(t->restart_arg[1] >> 32),
		.deadline = { (s64)t->restart_arg[2], t->restart_arg[4] },
		.private = t->restart_arg[3],
	};

	return futex_wait_op(&a);
}

/*
 * Wake up to @nr waiters for @k, one at least. -EINVAL: they wait to own the word. holds: bucket
 */
static int wake_locked(struct futex_bucket *b, const struct futex_key *k, int nr, u32 bitset)
{
	struct futex_waiter *w, *tmp;
	int woken = 0;

	list_for_each_safe(w, tmp, &b->waiters, link) {
		if (!futex_key_equal(&w->key, k))
			continue;
		if (w->pi || w->requeue_to)
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		futex_wake_waiter_locked(w);
		if (++woken >= nr)
			break;
	}
	return woken;
}

static int futex_wake(u64 uaddr, bool private, int nr, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key k;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = futex_key_get(uaddr, private, false, &k);
	if (ret)
		return ret;
	b = futex_bucket_of(&k);
	spin_lock(&b->lock);
	ret = list_empty(&b->waiters) ? 0 : wake_locked(b, &k, nr, bitset);
	spin_unlock(&b->lock);
	return ret;
}

/*
 * Wake up to @nr waiters on a word of this address space that may lie in shared memory. ctx:
 * thread; sleeps.
 */
void futex_wake_address(u64 uaddr, int nr)
{
	(void)futex_wake(uaddr, false, nr, FUTEX_BITSET_MATCH_ANY);
}

/*
 * Lock two buckets, in address order; they may be the same. ctx: thread.
 */
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		struct futex_bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
}

/*
 * Undo futex_lock_two. ctx: thread.
 */
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

static bool wake_op_compare(u32 cmp, s32 old, s32 arg)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ: return old == arg;
	case FUTEX_OP_CMP_NE: return old != arg;
	case FUTEX_OP_CMP_LT: return old < arg;
	case FUTEX_OP_CMP_GE: return old >= arg;
	case FUTEX_OP_CMP_LE: return old <= arg;
	case FUTEX_OP_CMP_GT: return old > arg;
	default: return false;
	}
}

static int futex_wake_op(const struct futex_args *a, bool private)
{
	u32 op = a->val3 >> 28 & 7, cmp = a->val3 >> 24 & 15, old;
	s32 oparg = (s32)(a->val3 << 8) >> 20, cmparg = (s32)(a->val3 << 20) >> 20;
	struct futex_bucket *b1, *b2;
	struct futex_key k1, k2;
	int err, ret, more;

	if (a->val3 & (u32)FUTEX_OP_OPARG_SHIFT << 28)
		oparg = (s32)(1u << (oparg & 31));
	err = futex_key_get(a->uaddr, private, false, &k1);
	if (!err)
		err = futex_key_get(a->uaddr2, private, true, &k2);
	if (!err && op > FUTEX_OP_XOR)
		err = -ENOSYS;
	if (err)
		return err;
	b1 = futex_bucket_of(&k1);
	b2 = futex_bucket_of(&k2);
	for (;;) {
		futex_lock_two(b1, b2);
		err = arch_user_atomic32(a->uaddr2, (int)op, (u32)oparg, &old);
		if (!err)
			break;
		futex_unlock_two(b1, b2);
		err = futex_fault_in(a->uaddr2, true);
		if (err)
			return err;
	}
	/* The operation is done all the same. */
	ret = cmp > FUTEX_OP_CMP_GE ? -ENOSYS
				    : wake_locked(b1, &k1, (int)a->val, FUTEX_BITSET_MATCH_ANY);
	if (ret >= 0 && wake_op_compare(cmp, (s32)old, cmparg)) {
		more = wake_locked(b2, &k2, (int)a->val2, FUTEX_BITSET_MATCH_ANY);
		ret = more < 0 ? more : ret + more;
	}
	futex_unlock_two(b1, b2);
	return ret;
}

/*
 * futex(2): see futex.h. ctx: thread; sleeps.
 */
long futex_call(const struct futex_args *a)
{
	bool private = a->op & FUTEX_PRIVATE_FLAG;
	struct wait_args w = {
		.uaddr = a->uaddr,
		.private = private,
		.val = a->val,
		.bitset = FUTEX_BITSET_MATCH_ANY,
		.deadline = a->deadline,
	};

	switch (a->op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT_BITSET: w.bitset = a->val3; return futex_wait_op(&w);
	case FUTEX_WAIT: return futex_wait_op(&w);
	case FUTEX_WAKE: return futex_wake(a->uaddr, private, (int)a->val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET: return futex_wake(a->uaddr, private, (int)a->val, a->val3);
	case FUTEX_REQUEUE: return futex_requeue(a, private, false);
	case FUTEX_CMP_REQUEUE: return futex_requeue(a, private, true);
	case FUTEX_CMP_REQUEUE_PI: return futex_requeue_pi(a, private);
	case FUTEX_WAIT_REQUEUE_PI: return futex_wait_requeue_pi(a, private);
	case FUTEX_WAKE_OP: return futex_wake_op(a, private);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2: return futex_lock_pi(a->uaddr, private, &a->deadline, false);
	case FUTEX_TRYLOCK_PI: return futex_lock_pi(a->uaddr, private, &a->deadline, true);
	case FUTEX_UNLOCK_PI: return futex_unlock_pi(a->uaddr, private);
	default: return -ENOSYS;
	}
}

/* The word @v at @uaddr, which the dying @tid owned, says so. 0, 1: it is not its, -EFAULT */
static int mark_dead(u64 uaddr, u32 tid, u32 *v)
{
	u32 found;

	for (;;) {
		u32 want = (*v & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		int err;

		if ((*v & FUTEX_TID_MASK) != tid)
			return 1;
		err = arch_user_cmpxchg32(uaddr, *v, want, &found);
		if (err == -EFAULT)
			return err;
		if (!err && found == *v)
			return 0;
		if (!err)
			*v = found;
	}
}

/*
 * An entry of the list of the dying @tid: the word at @uaddr. Waiters of PI words are woken by
 * futex_owner_exit. True: go on with the list.
 */
static bool robust_release(u64 uaddr, u32 tid, bool pi, bool pending)
{
	int err;
	u32 v;

	if ((uaddr & 3) || !user_ok(uaddr, 4) || copy_from_user(&v, uaddr, sizeof(v)))
		return false;
	/* It may have unlocked the word, and not come to wake somebody. */
	if (pending && !pi && !(v & FUTEX_TID_MASK)) {
		futex_wake_address(uaddr, 1);
		return true;
	}
	err = mark_dead(uaddr, tid, &v);
	if (!err && !pi && (v & FUTEX_WAITERS))
		futex_wake_address(uaddr, 1);
	return err != -EFAULT;
}

/* Mark the robust locks that @t holds. The list is user memory and may hold anything. */
static void robust_exit(struct task *t)
{
	struct robust_list_head head;
	u64 entry, next, pending;
	u32 tid = t->tid->nr;

	if (copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	entry = (u64)head.list.next;
	pending = (u64)head.list_op_pending;
	for (u32 n = 0; n < ROBUST_LIST_MAX && (entry & ~1ull) != t->robust_list; n++) {
		u64 at = entry & ~1ull;
		bool failed = copy_from_user(&next, at, sizeof(next)) != 0;

		/* An entry that is also pending is done last, once. */
		if (at != (pending & ~1ull) &&
		    !robust_release(at + (u64)head.futex_offset, tid, entry & 1, false))
			return;
		if (failed)
			return;
		entry = next;
	}
	if (pending & ~1ull)
		(void)robust_release((pending & ~1ull) + (u64)head.futex_offset, tid, pending & 1,
				     true);
}

/*
 * @t, current, exits (@dead) or execs: those who wait for what it holds go on.
 * ctx: thread; sleeps.
 */
void futex_exit(struct task *t, bool dead)
{
	if (t->robust_list)
		robust_exit(t);
	t->robust_list = 0;
	futex_owner_exit(t, dead);
}
