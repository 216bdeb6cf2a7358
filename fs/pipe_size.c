/*
 * How much a pipe holds, and how much a user's pipes may hold together.
 *
 * A pipe has 16 slots of a page, or what F_SETPIPE_SZ made of it, rounded up to a power of two;
 * beyond pipe-max-size only with CAP_SYS_RESOURCE. The slots of all pipes that a user made count
 * against pipe-user-pages-soft, above which new pipes get two slots and none may grow, and
 * pipe-user-pages-hard, above which there are no new pipes; 0 is no limit. Who has CAP_SYS_RESOURCE
 * or CAP_SYS_ADMIN is counted but not held to these. pipe(7).
 */
#include <asm/poll.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/pipe_internal.h"
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

#define SIZE_MAX_ASKED (1ull << 31)

static u32 pipe_max_size = 1 << 20; /* a */
static int pages_soft = 16384, pages_hard; /* a */
SYSCTL_INT(pipe_pages_soft, "sys/fs/pipe-user-pages-soft", &pages_soft, 0, 0x7fffffff);
SYSCTL_INT(pipe_pages_hard, "sys/fs/pipe-user-pages-hard", &pages_hard, 0, 0x7fffffff);

/* Bytes rounded up to a capacity that can be; 0: too much. */
static u64 round_size(u64 size)
{
	u64 n = PAGE_SIZE;

	if (size > SIZE_MAX_ASKED)
		return 0;
	while (n < size)
		n <<= 1;
	return n;
}

static int max_size_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\n", READ_ONCE(pipe_max_size));
	return 0;
}

static ssize_t max_size_write(const char *text, size_t n, void *arg)
{
	const char *end;
	u64 size;

	if (str_to_u64(text, &end, 0, &size) || (*end && *end != '\n'))
		return -EINVAL;
	size = round_size(size);
	if (!size)
		return -EINVAL;
	WRITE_ONCE(pipe_max_size, (u32)size);
	return (ssize_t)n;
}

PROC_FILE(pipe_max_size, "sys/fs/pipe-max-size", 0644, .show = max_size_show,
	  .write = max_size_write);

static bool privileged(void)
{
	return cred_capable(current->cred, CAP_SYS_RESOURCE) ||
	       cred_capable(current->cred, CAP_SYS_ADMIN);
}

static bool above(u64 pages, const int *limit)
{
	u32 max = (u32)READ_ONCE(*limit);

	return max && pages > max;
}

/* The user's pages after @n slots more, or fewer. */
static u64 charge(struct fs_user *u, s64 n)
{
	return __atomic_add_fetch(&u->pipe_pages, (u64)n, __ATOMIC_RELAXED);
}

/* See pipe_internal.h. ctx: thread; sleeps. */
int pipe_charge_new(struct pipe *p, u32 *nslots)
{
	u32 n = PIPE_SLOTS, max = READ_ONCE(pipe_max_size) >> PAGE_SHIFT;
	u64 pages;
	int err;

	if (n > max && !cred_capable(current->cred, CAP_SYS_RESOURCE))
		n = max;
	err = fs_user_get(current->cred->uid, &p->user);
	if (err)
		return err;
	pages = charge(p->user, n);
	if (unlikely(above(pages, &pages_soft)) && !privileged() && n > PIPE_SLOTS_FEW) {
		pages = charge(p->user, (s64)PIPE_SLOTS_FEW - n);
		n = PIPE_SLOTS_FEW;
	}
	if (unlikely(above(pages, &pages_hard)) && !privileged()) {
		charge(p->user, -(s64)n);
		fs_user_put(p->user);
		return -ENFILE;
	}
	*nslots = n;
	return 0;
}

/* The pipe goes. ctx: thread */
void pipe_uncharge(struct pipe *p)
{
	charge(p->user, -(s64)p->nslots);
	fs_user_put(p->user);
}

/* F_GETPIPE_SZ: bytes. ctx: any */
long pipe_get_size(struct file *f)
{
	return (long)READ_ONCE(((struct pipe *)f->priv)->nslots) << PAGE_SHIFT;
}

/* Move the pipe into rings of @nslots; holds: p->lock. 0 or -EBUSY: more is used. */
static int pipe_move(struct pipe *p, struct pipe_slot *slots, struct page **spare, u32 nslots)
{
	u32 used = p->head - p->tail;

	if (used > nslots)
		return -EBUSY;
	for (u32 i = 0; i < used; i++)
		slots[i] = *slot_at(p, p->tail + i);
	while (p->nspare > nslots)
		page_put(p->spare[--p->nspare]);
	for (u32 i = 0; i < p->nspare; i++)
		spare[i] = p->spare[i];
	if (p->slots != p->first_slots) {
		kfree(p->slots);
		kfree(p->spare);
	}
	p->slots = slots;
	p->spare = spare;
	p->tail = 0;
	WRITE_ONCE(p->head, used);
	WRITE_ONCE(p->nslots, nslots);
	return 0;
}

/* May the pipe have @n slots? Counts them; on failure nothing changed. holds: p->lock */
static int recharge(struct pipe *p, u32 n)
{
	s64 more = (s64)n - p->nslots;
	u64 pages = charge(p->user, more);

	if (more > 0 && (above(pages, &pages_soft) || above(pages, &pages_hard)) && !privileged()) {
		charge(p->user, -more);
		return -EPERM;
	}
	return 0;
}

/* Rings of @n slots for @p. 0, -EPERM, -EBUSY, -ENOMEM. */
static int pipe_resize(struct pipe *p, u32 n)
{
	struct pipe_slot *slots = kcalloc(n, sizeof(*slots), 0);
	struct page **spare = kcalloc(n, sizeof(struct page *), 0);
	u32 was;
	int err = -ENOMEM;

	if (!slots || !spare)
		goto free;
	mutex_lock(&p->lock);
	was = p->nslots;
	err = recharge(p, n);
	if (!err) {
		err = pipe_move(p, slots, spare, n);
		if (err)
			charge(p->user, (s64)was - n);
	}
	mutex_unlock(&p->lock);
	if (!err)
		return 0;
free:
	kfree(slots);
	kfree(spare);
	return err;
}

/*
 * F_SETPIPE_SZ: change the capacity to @size bytes, rounded up to a power of two of pages.
 * ctx: thread; sleeps: yes. The new capacity, -EINVAL, -EPERM (above a limit), -EBUSY (more is
 * in it), -ENOMEM.
 */
long pipe_set_size(struct file *f, u64 size)
{
	struct pipe *p = f->priv;
	u32 n = (u32)(round_size(size) >> PAGE_SHIFT);
	int err;

	if (!n)
		return -EINVAL;
	if (n > READ_ONCE(p->nslots) && n > READ_ONCE(pipe_max_size) >> PAGE_SHIFT &&
	    !cred_capable(current->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	err = pipe_resize(p, n);
	if (err)
		return err;
	waitq_wake(&p->writable, ~0u, POLL_ROOM);
	return (long)n << PAGE_SHIFT;
}
