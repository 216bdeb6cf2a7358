/*
 * What threads that clone(2) made with CLONE_IO share: their I/O priority.
 *
 * A thread has such a context once it was given a priority, and until its struct goes. A child gets
 * its parent's, by CLONE_IO, or one of its own with the same priority; of a parent without one
 * neither.
 */
#include <linux/errno.h>
#include <linux/ioprio.h>
#include "kernel/proc/internal.h"
#include "mm/slab.h"

struct io_context {
	refcount_t refs; /* a */
	u16 ioprio; /* a */
};

/* See proc.h. ctx: any */
u16 task_ioprio(const struct task *t)
{
	const struct io_context *io = load_acquire(&t->io_context);

	return io ? READ_ONCE(io->ioprio) : 0;
}

/* See proc.h. ctx: thread; sleeps */
int task_set_ioprio(struct task *t, u16 ioprio)
{
	struct io_context *io = load_acquire(&t->io_context), *fresh;

	if (!io) {
		fresh = kmalloc(sizeof(*fresh), 0);
		if (!fresh)
			return -ENOMEM;
		ref_init(&fresh->refs, 1);
		fresh->ioprio = ioprio;
		if (__atomic_compare_exchange_n(&t->io_context, &io, fresh, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return 0;
		kfree(fresh);
	}
	WRITE_ONCE(io->ioprio, ioprio);
	return 0;
}

/*
 * @child, which nobody knows yet, gets what current has: the same (@share) or a copy. ctx: thread;
 * sleeps. 0 or -ENOMEM.
 */
int io_context_inherit(struct task *child, bool share)
{
	struct io_context *io = current_task()->io_context;
	u16 ioprio = task_ioprio(current_task());

	if (io && share) {
		ref_get(&io->refs);
		child->io_context = io;
	} else if (IOPRIO_PRIO_CLASS(ioprio)) {
		return task_set_ioprio(child, ioprio);
	}
	return 0;
}

/*
 * Drop a reference; the last frees. @io may be NULL. ctx: any.
 */
void io_context_put(struct io_context *io)
{
	if (io && ref_put(&io->refs))
		kfree(io);
}
