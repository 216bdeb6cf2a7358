/*
 * splice(2), tee(2) and vmsplice(2) at their pipe ends.
 *
 * A slot refers to part of a page, so bytes go from one pipe to another, or from a page cache into
 * a pipe, as references: the slot moves, or the page gets another user. A page with several users
 * is not written to by pipes; one that belongs to a cache shows later changes of the file, as
 * splice(2) warns.
 *
 * From a pipe into a file, bytes are written straight out of the oldest slot, which is used up by
 * what the file took. The pipe's lock cannot be held meanwhile, since a terminal may take its time:
 * p->taking keeps other readers off for so long.
 *
 * Two pipes are locked in the order of their addresses. vmsplice lends the caller's pages: what is
 * written to them later may be seen by the reader, as vmsplice(2) warns.
 */
#include <asm/poll.h>
#include <linux/errno.h>
#include "fs/pipe_internal.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "kernel/base/errno.h"
#include "kernel/sched/thread.h"

static struct pipe *pipe_of(struct file *f)
{
	return f->priv;
}

/* Wait for bytes: 0, or 1 at the end, -EAGAIN, -ERESTARTSYS. */
static int wait_bytes(struct pipe *p, bool nonblock)
{
	for (;;) {
		if (!pipe_empty(p) && !READ_ONCE(p->taking))
			return 0;
		if (pipe_empty(p) && !READ_ONCE(p->writers))
			return 1;
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(&p->readable, pipe_may_take(p)))
			return -ERESTARTSYS;
	}
}

static int wait_room(struct pipe *p, bool nonblock)
{
	for (;;) {
		if (!READ_ONCE(p->readers))
			return -EPIPE;
		if (!pipe_full(p))
			return 0;
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(&p->writable, pipe_may_put(p)))
			return -ERESTARTSYS;
	}
}

/* See pipe.h. */
int pipe_wait_room(struct file *out, bool nonblock)
{
	return wait_room(pipe_of(out), nonblock);
}

static void lock_two(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock_nested(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct pipe *a, struct pipe *b)
{
	mutex_unlock(&a->lock);
	mutex_unlock(&b->lock);
}

/* @n bytes of the oldest slot are used up. holds: p->lock */
static void slot_consume(struct pipe *p, u32 n)
{
	struct pipe_slot *s = slot_at(p, p->tail);

	s->off += n;
	s->len -= n;
	if (!s->len) {
		pipe_page_give(p, s->page, s->shared);
		WRITE_ONCE(p->tail, p->tail + 1);
	}
}

/* holds: p->lock; there is a free slot. Takes over the slot's reference. */
static void slot_push(struct pipe *p, const struct pipe_slot *s)
{
	*slot_at(p, p->head) = *s;
	WRITE_ONCE(p->head, p->head + 1);
}

/* Slots of @i, at most @len bytes, to @o. holds: both locks. Bytes. */
static u64 move_locked(struct pipe *i, struct pipe *o, u64 len)
{
	u64 done = 0;

	while (done < len && !pipe_empty(i) && !pipe_full(o)) {
		struct pipe_slot s = *slot_at(i, i->tail);

		if (s.len > len - done) {
			s.len = (u32)(len - done);
			page_get(s.page);
			slot_push(o, &s);
			slot_consume(i, s.len);
		} else {
			slot_push(o, &s);
			WRITE_ONCE(i->tail, i->tail + 1);
		}
		done += s.len;
	}
	return done;
}

/* As above; @i keeps them. */
static u64 share_locked(struct pipe *i, struct pipe *o, u64 len)
{
	u64 done = 0;

	for (u32 at = i->tail; done < len && at != i->head && !pipe_full(o); at++) {
		struct pipe_slot s = *slot_at(i, at);

		s.len = (u32)MIN((u64)s.len, len - done);
		page_get(s.page);
		slot_push(o, &s);
		done += s.len;
	}
	return done;
}

/* The common part of pipe to pipe: until some bytes went, or there will be none. */
static ssize_t between(struct pipe *i, struct pipe *o, u64 len, bool nonblock, bool keep)
{
	u64 done = 0;
	int err;

	do {
		err = wait_bytes(i, nonblock);
		if (err)
			return err > 0 ? 0 : err;
		err = wait_room(o, nonblock);
		if (err)
			return err;
		lock_two(i, o);
		if (o->readers && !i->taking)
			done = keep ? share_locked(i, o, len) : move_locked(i, o, len);
		unlock_two(i, o);
	} while (!done);
	pipe_wake_readers(o);
	if (!keep)
		pipe_wake_writers(i);
	return (ssize_t)done;
}

/* See pipe.h. */
ssize_t pipe_move_pages(struct file *in, struct file *out, u64 len, bool nonblock)
{
	return between(pipe_of(in), pipe_of(out), len, nonblock, false);
}

/* See pipe.h. */
ssize_t pipe_share_pages(struct file *in, struct file *out, u64 len, bool nonblock)
{
	return between(pipe_of(in), pipe_of(out), len, nonblock, true);
}

/*
 * The part of the page at @pos as a slot with a reference; a hole becomes a page of zeroes.
 * 1, 0 at the end of the file, or -errno.
 */
static int cache_slot(struct file *in, u64 pos, u64 len, struct pipe_slot *s)
{
	struct pagecache *pc = in->inode->cache;
	u64 size = READ_ONCE(pc->size);
	int err;

	if (pos >= size)
		return 0;
	s->off = (u32)(pos & PAGE_MASK);
	len = MIN(len, size - pos);
	s->len = (u32)MIN(len, PAGE_SIZE - s->off);
	s->packet = false;
	s->shared = true;
	err = pagecache_get_existing(pc, pos >> PAGE_SHIFT, &s->page);
	if (err == -ENOENT) {
		s->shared = false;
		s->page = pmm_alloc(0, PMM_USER | PMM_ZERO);
		err = s->page ? 0 : -ENOMEM;
	}
	return err ? err : 1;
}

/* Put @s into @p if there is room and somebody who reads. */
static bool push_if_room(struct pipe *p, const struct pipe_slot *s)
{
	bool ok;

	mutex_lock(&p->lock);
	ok = p->readers && !pipe_full(p);
	if (ok)
		slot_push(p, s);
	mutex_unlock(&p->lock);
	return ok;
}

/* See pipe.h. */
ssize_t pipe_from_cache(struct file *in, u64 *pos, struct file *out, u64 len, bool nonblock)
{
	struct pipe *p = pipe_of(out);
	struct pipe_slot s;
	u64 done = 0;
	int err = notify_permission(in, FAN_ACCESS_PERM);

	if (err)
		return err;
	while (done < len) {
		err = done ? 0 : wait_room(p, nonblock);
		if (!err)
			err = cache_slot(in, *pos, len - done, &s);
		if (err <= 0)
			break;
		if (push_if_room(p, &s)) {
			done += s.len;
			*pos += s.len;
			continue;
		}
		page_put(s.page);
		if (done)
			break;
	}
	if (!done)
		return err;
	pipe_wake_readers(p);
	file_accessed(in);
	return (ssize_t)done;
}

/* Keep other readers off. 0, 1 at the end, or an error as wait_bytes. */
static int take_begin(struct pipe *p, bool nonblock)
{
	for (;;) {
		int err = wait_bytes(p, nonblock);
		bool got;

		if (err)
			return err;
		mutex_lock(&p->lock);
		got = !pipe_empty(p) && !p->taking;
		if (got)
			WRITE_ONCE(p->taking, true);
		mutex_unlock(&p->lock);
		if (got)
			return 0;
	}
}

static void take_end(struct pipe *p)
{
	mutex_lock(&p->lock);
	WRITE_ONCE(p->taking, false);
	mutex_unlock(&p->lock);
	waitq_wake(&p->readable, 1, POLL_INPUT);
}

/* Write from the oldest slot. Bytes, 0: there is none, or @out's error. */
static ssize_t write_slot(struct pipe *p, struct file *out, u64 *opos, u64 len)
{
	struct pipe_slot s = { .page = NULL };
	struct uio u;
	ssize_t n;

	mutex_lock(&p->lock);
	if (!pipe_empty(p)) {
		s = *slot_at(p, p->tail);
		page_get(s.page);
	}
	mutex_unlock(&p->lock);
	if (!s.page)
		return 0;
	uio_init_kernel(&u, (u8 *)page_to_va(s.page) + s.off, MIN((u64)s.len, len));
	u.lend = true;
	n = file_write(out, &u, opos);
	page_put(s.page);
	if (n > 0) {
		mutex_lock(&p->lock);
		slot_consume(p, (u32)n);
		mutex_unlock(&p->lock);
	}
	return n;
}

/* See pipe.h. */
ssize_t pipe_to_file(struct file *in, struct file *out, u64 *opos, u64 len, bool nonblock)
{
	struct pipe *p = pipe_of(in);
	u64 done = 0;
	ssize_t n = take_begin(p, nonblock);

	if (n)
		return n > 0 ? 0 : n;
	while (done < len) {
		n = write_slot(p, out, opos, len - done);
		if (n <= 0)
			break;
		done += (u64)n;
		pipe_wake_writers(p);
		if (current->interrupted)
			break;
	}
	take_end(p);
	return done ? (ssize_t)done : n;
}

/* Lend the page at @at of current's memory, @len bytes of it. @len, 0: no room, or -errno. */
static ssize_t lend_page(struct pipe *p, u64 at, size_t len)
{
	struct pipe_slot s = { .off = (u32)(at & PAGE_MASK), .len = (u32)len, .shared = true };
	int err = vm_get_page(current->vm, at, false, &s.page);

	if (err)
		return err;
	if (push_if_room(p, &s))
		return (ssize_t)len;
	page_put(s.page);
	return 0;
}

/* The user's pages one after the other: what went in before one that is not there counts. */
static ssize_t lend_pages(struct pipe *p, struct uio *u)
{
	ssize_t done = 0, n = 0;
	size_t len;
	u64 at;

	while (u->left) {
		at = u->seg->base + u->off;
		len = MIN(u->seg->len - u->off, PAGE_SIZE - (at & PAGE_MASK));
		if (len) {
			n = lend_page(p, at, len);
			if (n <= 0)
				break;
			done += n;
			uio_advance(u, len);
		} else {
			u->seg++;
			u->nseg--;
			u->off = 0;
		}
	}
	return done ? done : n;
}

/* See pipe.h. */
ssize_t pipe_from_user(struct file *out, struct uio *u, bool nonblock)
{
	struct pipe *p = pipe_of(out);
	ssize_t n;
	int err;

	do {
		err = wait_room(p, nonblock);
		if (err)
			return err;
		n = lend_pages(p, u);
	} while (!n);
	if (n > 0)
		pipe_wake_readers(p);
	return n;
}
