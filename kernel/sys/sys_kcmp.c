/*
 * kcmp(2): do two threads share an object of the kernel's, and if not, in which order are theirs?
 *
 * The order must be the same at every call and say nothing about addresses: pointers are compared
 * after a reversible scrambling with numbers that are drawn at the first call, others for each
 * kind. The objects are looked at, never touched, so no reference is needed; they may have changed
 * when the caller reads the answer, as may the threads.
 */
#include <linux/kcmp.h>
#include "fs/epoll.h"
#include "kernel/base/rand.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

struct scramble {
	u64 flip, factor; /* a: factor is odd; 0 until drawn */
};

static u64 scrambled(int kind, const void *p)
{
	static struct scramble by_kind[KCMP_TYPES];
	static struct spinlock lock = SPINLOCK_INIT(RANK_EVENT);
	struct scramble *s = &by_kind[kind];

	if (!READ_ONCE(s->factor)) {
		u64 flip = rand_u64(), factor = rand_u64() | 1;

		spin_lock(&lock);
		if (!s->factor) {
			s->flip = flip;
			store_release(&s->factor, factor);
		}
		spin_unlock(&lock);
	}
	return ((u64)p ^ s->flip) * load_acquire(&s->factor);
}

/* 0: the same, 1: a is less, 2: more. */
static long compare(int kind, const void *a, const void *b)
{
	u64 x = scrambled(kind, a), y = scrambled(kind, b);

	return x == y ? 0 : x < y ? 1 : 2;
}

/* What @t has of @kind. 0 or -EINVAL: no such kind. */
static int object_of(struct task *t, int kind, const void **out)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	int err = 0;

	switch (kind) {
	case KCMP_VM: *out = t->thread.vm; break;
	case KCMP_FILES: *out = t->thread.files; break;
	case KCMP_FS: *out = t->thread.fs; break;
	case KCMP_SIGHAND: *out = t->proc->sighand; break;
	case KCMP_IO: *out = READ_ONCE(t->io_context); break;
	case KCMP_SYSVSEM: *out = READ_ONCE(t->proc->sem_undo); break;
	default: err = -EINVAL;
	}
	spin_unlock_irqrestore(&t->proc->siglock, f);
	return err;
}

static long compare_files(struct task *a, struct task *b, u64 fd1, u64 fd2)
{
	struct file *f1, *f2;
	long r;

	if (sys_file_of_task(a, (int)fd1, &f1))
		return -EBADF;
	if (sys_file_of_task(b, (int)fd2, &f2)) {
		file_put(f1);
		return -EBADF;
	}
	r = compare(KCMP_FILE, f1, f2);
	file_put(f2);
	file_put(f1);
	return r;
}

/* Descriptor @fd1 of @a against what the epoll set of @b watches, see struct kcmp_epoll_slot. */
static long compare_watched(struct task *a, struct task *b, u64 fd1, u64 uslot)
{
	struct kcmp_epoll_slot slot;
	const struct file *target;
	struct file *f1, *set;
	long r;

	if (copy_from_user(&slot, uslot, sizeof(slot)))
		return -EFAULT;
	if (sys_file_of_task(a, (int)fd1, &f1))
		return -EBADF;
	r = sys_file_of_task(b, (int)slot.efd, &set) ? -EBADF : 0;
	if (!r) {
		r = epoll_find_target(set, (int)slot.tfd, slot.toff, &target);
		if (!r)
			r = compare(KCMP_FILE, f1, target);
		file_put(set);
	}
	file_put(f1);
	return r;
}

static long compare_tasks(struct task *a, struct task *b, int kind, u64 fd1, u64 fd2)
{
	const void *x, *y;
	int err;

	if (proc_may_access(a, ACCESS_READ | ACCESS_REAL_IDS) ||
	    proc_may_access(b, ACCESS_READ | ACCESS_REAL_IDS))
		return -EPERM;
	if (kind == KCMP_FILE)
		return compare_files(a, b, fd1, fd2);
	if (kind == KCMP_EPOLL_TFD)
		return compare_watched(a, b, fd1, fd2);
	err = object_of(a, kind, &x);
	if (!err)
		err = object_of(b, kind, &y);
	return err ? err : compare(kind, x, y);
}

/* kcmp(2) */
long sys_kcmp(u64 pid1, u64 pid2, u64 kind, u64 idx1, u64 idx2)
{
	struct task *a = task_lookup_dead((u32)pid1), *b = task_lookup_dead((u32)pid2);
	long r = -ESRCH;

	if (a && b)
		r = compare_tasks(a, b, (int)kind, idx1, idx2);
	if (a)
		task_put(a);
	if (b)
		task_put(b);
	return r;
}
