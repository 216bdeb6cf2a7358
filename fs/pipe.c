/*
 * Pipes and FIFOs.
 *
 * A pipe is a ring of slots; each slot is part of one page: bytes [off, off + len). A write first
 * adds to the last slot's page what fits there as a whole, then fills a fresh page per slot. A
 * read takes from the oldest slot. Pages that were read empty go onto a small stack in the pipe
 * and are used again by the next write, last in first out, so a ping-pong between two processes
 * stays within one page.
 *
 * A write of at most PIPE_BUF bytes is never split: it fits the rest of the last page, or one slot
 * of its own. With O_DIRECT each write is a packet, that is a slot that nothing is added to and
 * that one read takes whole.
 *
 * Locking: p->lock (PIPE) is held while bytes are copied, so reads and writes are atomic as far as
 * they go in one piece, and dropped to sleep. Sleepers are exclusive: one write wakes one reader,
 * who wakes the next if something is left. The wake is "sync": the waker is usually about to sleep.
 *
 * Life: the pipe hangs off its inode: a FIFO's (inode->lock) while it is open, by the count
 * p->files; a nameless one's as long as the inode, so that /proc/PID/fd/N can open it again. A
 * FIFO's open waits for the other side by the counters of openings, which only grow.
 *
 * pipe(7), fifo(7), pipe(2), open(2), fcntl(2).
 */
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include "fs/pipe_internal.h"
#include "kernel/base/errno.h"
#include "mm/slab.h"

static const struct file_ops pipe_ops;

static int pipe_alloc(bool fifo, struct pipe **out)
{
	struct pipe *p = kzalloc(sizeof(*p), 0);
	int err = p ? pipe_charge_new(p, &p->nslots) : -ENOMEM;

	if (err) {
		kfree(p);
		return err;
	}
	mutex_init(&p->lock, RANK_PIPE);
	waitq_init(&p->readable);
	waitq_init(&p->writable);
	list_init(&p->read_async);
	list_init(&p->write_async);
	p->slots = p->first_slots;
	p->spare = p->first_spare;
	p->fifo = fifo;
	*out = p;
	return 0;
}

/* Give all pages back: nobody is left who could read them. */
static void pipe_drop_pages(struct pipe *p)
{
	for (; p->tail != p->head; p->tail++)
		page_put(p->slots[p->tail & (p->nslots - 1)].page);
	while (p->nspare)
		page_put(p->spare[--p->nspare]);
}

static void pipe_free(struct pipe *p)
{
	pipe_drop_pages(p);
	pipe_uncharge(p);
	if (p->slots != p->first_slots) {
		kfree(p->slots);
		kfree(p->spare);
	}
	kfree(p);
}

static struct page *page_take(struct pipe *p)
{
	return p->nspare ? p->spare[--p->nspare] : pmm_alloc(0, PMM_USER);
}

/* A slot's page was used up. ctx: thread; holds: p->lock */
void pipe_page_give(struct pipe *p, struct page *page, bool shared)
{
	if (p->nspare < p->nslots && !shared && page_refs(page) == 1)
		p->spare[p->nspare++] = page;
	else
		page_put(page);
}

/* ctx: thread */
void pipe_wake_readers(struct pipe *p)
{
	if (waitq_active(&p->readable))
		waitq_wake_sync(&p->readable, 1, POLL_INPUT);
	async_notify(&p->read_async, POLL_IN);
}

/* ctx: thread */
void pipe_wake_writers(struct pipe *p)
{
	if (waitq_active(&p->writable))
		waitq_wake_sync(&p->writable, 1, POLL_ROOM);
	async_notify(&p->write_async, POLL_OUT);
}

/*
 * From the oldest slot into @u. Bytes, or -EFAULT when none; holds: p->lock. *done: a packet ended
 * the read.
 */
static ssize_t slot_read(struct pipe *p, struct uio *u, bool *done)
{
	struct pipe_slot *s = slot_at(p, p->tail);
	size_t n = MIN((size_t)s->len, u->left);
	ssize_t c = uio_copy_to(u, (const u8 *)page_to_va(s->page) + s->off, n);

	/* What cannot be taken whole stays, as on Linux. */
	if (unlikely(c != (ssize_t)n))
		return -EFAULT;
	s->off += (u32)c;
	s->len -= (u32)c;
	*done = s->packet;
	if (s->packet)
		s->len = 0;
	if (!s->len) {
		pipe_page_give(p, s->page, s->shared);
		WRITE_ONCE(p->tail, p->tail + 1);
	}
	return c;
}

/* Everything that is there and fits. Bytes, or -EFAULT; holds: p->lock. */
static ssize_t pipe_take(struct pipe *p, struct uio *u)
{
	ssize_t total = 0;
	bool done = false;

	while (!done && u->left && p->tail != p->head) {
		ssize_t c = slot_read(p, u, &done);

		if (c < 0)
			return total ? total : c;
		total += c;
	}
	return total;
}

static ssize_t pipe_read(struct file *f, struct uio *u, u64 *pos)
{
	struct pipe *p = f->priv;
	bool slept = false;
	ssize_t n;

	if (!u->left)
		return 0;
	for (;;) {
		bool full, more, end;

		mutex_lock(&p->lock);
		full = p->head - p->tail >= p->nslots;
		n = likely(!p->taking) ? pipe_take(p, u) : 0;
		more = p->tail != p->head;
		end = !p->writers;
		mutex_unlock(&p->lock);
		if (n) {
			/* Writers wait when it is full: more room beside room is no news. */
			if (n > 0 && full)
				pipe_wake_writers(p);
			else if (n > 0)
				async_notify(&p->write_async, POLL_OUT);
			break;
		}
		if (end && !more)
			return 0;
		if (u->nonblock)
			return -EAGAIN;
		slept = true;
		if (wait_event_exclusive(&p->readable, pipe_may_take(p))) {
			n = -ERESTARTSYS;
			break;
		}
	}
	/* The one wake that came for this reader may have been meant for more than it took. */
	if (slept && waitq_active(&p->readable) && pipe_may_take(p))
		waitq_wake(&p->readable, 1, POLL_INPUT);
	if (n > 0 && p->fifo)
		inode_touch(f->inode, ATTR_ATIME);
	return n;
}

/*
 * Add the whole of what @u has modulo pages to the last slot, if it fits. Bytes or -EFAULT; holds:
 * p->lock.
 */
static ssize_t slot_append(struct pipe *p, struct uio *u)
{
	size_t n = u->left & PAGE_MASK;
	struct pipe_slot *s;
	ssize_t c;

	if (!n || p->head == p->tail)
		return 0;
	s = slot_at(p, p->head - 1);
	if (s->packet || s->shared || s->off + s->len + n > PAGE_SIZE || page_refs(s->page) != 1)
		return 0;
	c = uio_copy_from(u, (u8 *)page_to_va(s->page) + s->off + s->len, n);
	if (unlikely(c != (ssize_t)n))
		return -EFAULT;
	s->len += (u32)n;
	return c;
}

/* One fresh slot from @u: a page, or all that is left. Bytes, -EFAULT, -ENOMEM; holds: p->lock. */
static ssize_t slot_fill(struct pipe *p, struct uio *u, bool packet)
{
	size_t n = MIN(u->left, (size_t)PAGE_SIZE);
	struct page *page = page_take(p);
	ssize_t c;

	if (unlikely(!page))
		return -ENOMEM;
	c = uio_copy_from(u, page_to_va(page), n);
	if (unlikely(c != (ssize_t)n)) {
		pipe_page_give(p, page, false);
		return -EFAULT;
	}
	*slot_at(p, p->head) = (struct pipe_slot){ page, 0, (u32)c, packet, false };
	WRITE_ONCE(p->head, p->head + 1);
	return c;
}

/*
 * As much of @u as goes in now. Bytes, or -errno when none went. *stop: an error ends the write.
 * holds: p->lock
 */
static ssize_t pipe_put(struct pipe *p, struct uio *u, bool packet, bool *stop)
{
	ssize_t total = 0, c = 0;

	if (!packet) {
		total = slot_append(p, u);
		if (total < 0) {
			*stop = true;
			return total;
		}
	}
	while (u->left && p->head - p->tail < p->nslots) {
		c = slot_fill(p, u, packet);
		if (c < 0) {
			*stop = true;
			break;
		}
		total += c;
	}
	return total ? total : MIN(c, (ssize_t)0);
}

/* See pipe_internal.h. ctx: thread; sleeps */
ssize_t pipe_put_now(struct pipe *p, struct uio *u)
{
	bool stop = false;
	ssize_t n;

	mutex_lock(&p->lock);
	n = p->readers ? pipe_put(p, u, false, &stop) : -EPIPE;
	mutex_unlock(&p->lock);
	return n;
}

static ssize_t pipe_write(struct file *f, struct uio *u, u64 *pos)
{
	struct pipe *p = f->priv;
	bool packet = f->flags & O_DIRECT, stop = false, slept = false;
	ssize_t done = 0, n;

	if (!u->left)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		n = p->readers ? pipe_put(p, u, packet, &stop) : -EPIPE;
		mutex_unlock(&p->lock);
		if (n > 0) {
			done += n;
			pipe_wake_readers(p);
		}
		if (n < 0 || stop || !u->left)
			break;
		if (u->nonblock) {
			n = -EAGAIN;
			break;
		}
		slept = true;
		if (wait_event_exclusive(&p->writable, pipe_may_put(p))) {
			n = -ERESTARTSYS;
			break;
		}
	}
	if (slept && waitq_active(&p->writable) && pipe_may_put(p))
		waitq_wake(&p->writable, 1, POLL_ROOM);
	if (done && p->fifo)
		inode_touch(f->inode, ATTR_MTIME | ATTR_CTIME);
	if (done && unlikely(n == -EPIPE))
		vfs_signal(SIGPIPE); /* the rest is lost, whatever the count says */
	return done ? done : n;
}

/*
 * f->pos, which a stream has no use for, remembers writer_opens as it was when a reader opened: no
 * hang-up is reported before a writer has come.
 */
static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 events = 0;

	if (f->mode & FILE_READ) {
		poll_wait(pt, &p->readable);
		if (!pipe_empty(p))
			events |= POLL_INPUT;
		if (!READ_ONCE(p->writers) && f->pos != READ_ONCE(p->writer_opens))
			events |= POLLHUP;
	}
	if (f->mode & FILE_WRITE) {
		poll_wait(pt, &p->writable);
		if (!pipe_full(p))
			events |= POLL_ROOM;
		if (!READ_ONCE(p->readers))
			events |= POLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = f->priv;
	s32 bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		bytes += (s32)slot_at(p, i)->len;
	mutex_unlock(&p->lock);
	return put_user(arg, bytes);
}

/* A file of mode @mode begins or ceases to use @p; holds: p->lock. */
static void count_ends(struct pipe *p, u32 mode, u32 delta)
{
	if (mode & FILE_READ)
		WRITE_ONCE(p->readers, p->readers + delta);
	if (mode & FILE_WRITE)
		WRITE_ONCE(p->writers, p->writers + delta);
}

/* The FIFO's pipe, made at the first open; counted as an open file. 0, -ENFILE, -ENOMEM */
static int fifo_get(struct inode *i, struct pipe **out)
{
	int err = 0;

	rwsem_write_lock(&i->lock);
	if (!i->pipe)
		err = pipe_alloc(true, &i->pipe);
	if (!err) {
		i->pipe->files++;
		*out = i->pipe;
	}
	rwsem_write_unlock(&i->lock);
	return err;
}

static void fifo_put(struct inode *i, struct pipe *p)
{
	bool last;

	rwsem_write_lock(&i->lock);
	last = --p->files == 0;
	if (last)
		i->pipe = NULL;
	rwsem_write_unlock(&i->lock);
	if (last)
		pipe_free(p);
}

static void pipe_leave(struct pipe *p, struct inode *i, u32 mode)
{
	mutex_lock(&p->lock);
	count_ends(p, mode, ~0u);
	if (!p->readers && !p->writers)
		pipe_drop_pages(p);
	mutex_unlock(&p->lock);
	waitq_wake(&p->readable, ~0u, POLL_INPUT | POLLHUP);
	waitq_wake(&p->writable, ~0u, POLL_ROOM | POLLERR);
	async_notify(&p->read_async, POLL_IN);
	async_notify(&p->write_async, POLL_OUT);
	/*
	 * Our count, or our file's reference to the inode, keeps the pipe until nothing here
	 * touches it any more: the other end may leave at any time.
	 */
	if (p->fifo)
		fifo_put(i, p);
}

static void pipe_release(struct file *f)
{
	pipe_leave(f->priv, f->inode, f->mode);
}

static int pipe_fasync(struct file *f, int fd, bool on)
{
	struct pipe *p = f->priv;
	int err = 0;

	if (f->mode & FILE_READ)
		err = async_change(&p->read_async, f, fd, on);
	if (!err && (f->mode & FILE_WRITE)) {
		err = async_change(&p->write_async, f, fd, on);
		if (err && (f->mode & FILE_READ))
			async_leave(&p->read_async, f);
	}
	return err;
}

/* Each end stands for half of what is in it. */
static u64 pipe_memory(const struct file *f)
{
	const struct pipe *p = f->priv;

	return (READ_ONCE(p->head) - READ_ONCE(p->tail) + READ_ONCE(p->nspare)) / 2;
}

static const struct file_ops pipe_ops = {
	.memory = pipe_memory,
	.fasync = pipe_fasync,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

/* Open of a nameless pipe by its place in /proc/PID/fd. Waits for nobody. */
static int pipe_open_anon(struct inode *i, struct file *f)
{
	struct pipe *p = i->pipe;

	f->pos = 0;
	f->mode |= FILE_STREAM;
	f->priv = p;
	f->ops = &pipe_ops;
	mutex_lock(&p->lock);
	count_ends(p, f->mode, 1);
	mutex_unlock(&p->lock);
	waitq_wake(&p->readable, ~0u, POLL_INPUT);
	waitq_wake(&p->writable, ~0u, POLL_ROOM);
	return 0;
}

static const struct file_ops pipe_anon_fops = { .open = pipe_open_anon };

/*
 * The nameless inode @i goes, and its pipe if it has one.
 * ctx: thread; sleeps: no.
 */
void pipe_evict(struct inode *i)
{
	if (i->pipe)
		pipe_free(i->pipe);
}

/*
 * A new pipe as two open files.
 * @flags: O_NONBLOCK, O_DIRECT. ctx: thread; sleeps: yes. 0, -ENFILE (the user has too many),
 * -ENOMEM.
 */
int pipe_create(u32 flags, struct file **r, struct file **w)
{
	struct pipe *p;
	struct file *rf, *wf;
	int err = pipe_alloc(false, &p);

	if (err)
		return err;
	flags &= O_NONBLOCK | O_DIRECT;
	err = file_alloc_anon("pipe", &pipe_ops, p, FILE_READ | FILE_STREAM,
			      O_RDONLY | (flags & O_NONBLOCK), &rf);
	if (err) {
		pipe_free(p);
		return err;
	}
	rf->inode->pipe = p;
	rf->inode->fops = &pipe_anon_fops;
	p->readers = p->reader_opens = 1;
	err = file_alloc_peer(rf, &pipe_ops, p, FILE_WRITE | FILE_STREAM, O_WRONLY | flags, &wf);
	if (err) {
		file_put(rf);
		return err;
	}
	p->writers = p->writer_opens = 1;
	*r = rf;
	*w = wf;
	return 0;
}

/* Wait until *@opens moves on from @seen. 0 or -ERESTARTSYS */
static int wait_for_partner(struct waitq *q, const u32 *opens, u32 seen)
{
	return wait_event_interruptible(q, READ_ONCE(*opens) != seen) ? -ERESTARTSYS : 0;
}

/* Count the opening, and say what it has to wait for. */
static int fifo_enter(struct pipe *p, struct file *f, u32 *seen_readers, u32 *seen_writers)
{
	mutex_lock(&p->lock);
	if ((f->mode & (FILE_READ | FILE_WRITE)) == FILE_WRITE && (f->flags & O_NONBLOCK) &&
	    !p->readers) {
		mutex_unlock(&p->lock);
		return -ENXIO;
	}
	*seen_readers = p->reader_opens;
	*seen_writers = p->writer_opens;
	if (p->readers)
		*seen_readers = ~p->reader_opens;
	if (p->writers)
		*seen_writers = ~p->writer_opens;
	count_ends(p, f->mode, 1);
	if (f->mode & FILE_READ)
		WRITE_ONCE(p->reader_opens, p->reader_opens + 1);
	if (f->mode & FILE_WRITE)
		WRITE_ONCE(p->writer_opens, p->writer_opens + 1);
	mutex_unlock(&p->lock);
	waitq_wake(&p->readable, ~0u, POLL_INPUT);
	waitq_wake(&p->writable, ~0u, POLL_ROOM);
	return 0;
}

/*
 * Open of a FIFO: readers wait for a writer and writers for a reader, unless O_NONBLOCK (a writer
 * then needs a reader) or both in one.
 * ctx: thread; sleeps: yes. 0, -ENXIO, -ENOMEM, -ERESTARTSYS.
 */
int pipe_open_fifo(struct inode *i, struct file *f)
{
	u32 seen_readers, seen_writers, ends = f->mode & (FILE_READ | FILE_WRITE);
	struct pipe *p;
	int err;

	if (!ends)
		return -EINVAL; /* access mode 3 */
	f->pos = 0;
	f->mode |= FILE_STREAM;
	err = fifo_get(i, &p);
	if (err)
		return err;
	err = fifo_enter(p, f, &seen_readers, &seen_writers);
	if (err) {
		fifo_put(i, p);
		return err;
	}
	f->priv = p;
	f->ops = &pipe_ops;
	if (ends == FILE_READ && (f->flags & O_NONBLOCK))
		f->pos = READ_ONCE(p->writers) ? 0 : seen_writers;
	else if (ends == FILE_READ)
		err = wait_for_partner(&p->readable, &p->writer_opens, seen_writers);
	else if (ends == FILE_WRITE)
		err = wait_for_partner(&p->writable, &p->reader_opens, seen_readers);
	if (err)
		pipe_leave(p, i, f->mode);
	return err;
}

/* Is @f an end of a pipe or FIFO? ctx: any */
bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}
