#pragma once
/*
 * Contexts of io_setup(2): a ring of events that the process has mapped, and polls that are not
 * over yet. Reading, writing and syncing is done by the caller (kernel/sys) before it tells of the
 * end.
 */
#include "fs/vfs.h"

struct aio_ctx;
struct vm_limits;

void aio_init(void); /* boot */

/* Whose event it is: what the user put into struct iocb. */
struct aio_done {
	u64 iocb, data;
	struct file *eventfd; /* to be told too; a reference; or NULL */
};

/*
 * A context of the current address space for @nr requests; *id is where its ring is mapped. 0,
 * -EINVAL (too many), -EAGAIN (more than the system gives), -ENOMEM. ctx: thread; sleeps
 */
int __must_check aio_setup(u32 nr, const struct vm_limits *lim, u64 *id);
/* The context of the current address space, with a reference; NULL: there is none. ctx: thread */
struct aio_ctx *aio_find(u64 id);
void aio_put(struct aio_ctx *c); /* ctx: thread */
/* It ends: polls are called off, who waits is told. 0, or -EINVAL: it has ended. ctx: thread */
int aio_destroy(struct aio_ctx *c);
/* Room in the ring for one event. 0 or -EAGAIN. ctx: thread */
int __must_check aio_reserve(struct aio_ctx *c);
void aio_unreserve(struct aio_ctx *c); /* it is not needed. ctx: thread */
/* The event, into the room reserved; gives up @d->eventfd. ctx: thread */
void aio_complete(struct aio_ctx *c, const struct aio_done *d, s64 res);
/*
 * Wait for @events of @f, then aio_complete(). Takes over the room and the references to @f and
 * @d->eventfd when it succeeds. 0, -EINVAL (cannot be waited for), -ENOMEM. ctx: thread; sleeps
 */
int __must_check aio_poll(struct aio_ctx *c, struct file *f, u32 events, const struct aio_done *d);
/* Call off the poll of @iocb: its event comes, with no events. 0, -EINVAL. ctx: thread; sleeps */
int __must_check aio_cancel(struct aio_ctx *c, u64 iocb);
/*
 * Events to user memory, waiting until @min of @most have come, @deadline or a signal. How many,
 * or -EINTR, -EINVAL (the context ended), -EFAULT when none was had. ctx: thread; sleeps
 */
long aio_collect(struct aio_ctx *c, u64 uevents, long min, long most, s64 deadline);
