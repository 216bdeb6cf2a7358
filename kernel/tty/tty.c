/*
 * Terminals as files: open, read, write, poll, close, hangup.
 *
 * Input goes device -> (worker) ldisc_receive() -> read(). Output goes write() -> ldisc_write() ->
 * ops->write(), which is a ring of the device's; when that is full the writer sleeps on write_wait
 * and the device wakes it.
 *
 * tty->lock is a mutex: everything here runs in threads, and a read copies to user memory under
 * it. Signals to process groups need locks that come before it, so they are noted in tty->signals
 * and sent by tty_unlock().
 *
 * A hangup does not close files: it counts tty->hangups up, and files opened before answer end of
 * file and EIO from then on. /dev/console is excepted, because init's own descriptors must survive.
 *
 * POSIX.1-2017 chapter 11, tty(4), console(4).
 */
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/major.h>
#include "fs/async.h"
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fileowner.h"
#include "kernel/tty/tty.h"
#include "mm/slab.h"

#define WRITE_CHUNK 512 /* bytes copied from user memory at a time */
#define VTIME_UNIT (100 * NSEC_PER_MSEC)
#define POLL_INPUT (POLLIN | POLLRDNORM)
#define POLL_ROOM (POLLOUT | POLLWRNORM)

const struct ktermios tty_default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3,
		  [VQUIT] = 28,
		  [VERASE] = 127,
		  [VKILL] = 21,
		  [VEOF] = 4,
		  [VMIN] = 1,
		  [VSTART] = 17,
		  [VSTOP] = 19,
		  [VSUSP] = 26,
		  [VREPRINT] = 18,
		  [VDISCARD] = 15,
		  [VWERASE] = 23,
		  [VLNEXT] = 22 },
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

static struct tty *of_ldisc(struct ldisc *ld)
{
	return container_of(ld, struct tty, ld);
}

static size_t line_write(struct ldisc *ld, const u8 *s, size_t n)
{
	struct tty *t = of_ldisc(ld);

	return ld->stopped || t->flow_off ? 0 : t->ops->write(t, s, n);
}

static size_t line_room(struct ldisc *ld)
{
	struct tty *t = of_ldisc(ld);

	return ld->stopped || t->flow_off ? 0 : t->ops->room(t);
}

static void line_signal(struct ldisc *ld, enum ldisc_signal s)
{
	of_ldisc(ld)->signals |= 1u << s;
}

static void line_flush_output(struct ldisc *ld)
{
	struct tty *t = of_ldisc(ld);

	if (t->ops->flush)
		t->ops->flush(t);
	tty_note_room(t);
}

static void line_stop(struct ldisc *ld)
{
	struct tty *t = of_ldisc(ld);

	if (t->ops->stop && !t->flow_off)
		t->ops->stop(t);
}

static void line_start(struct ldisc *ld)
{
	tty_restart_output(of_ldisc(ld));
}

static void line_input_ready(struct ldisc *ld)
{
	struct tty *t = of_ldisc(ld);

	waitq_wake(&t->read_wait, ~0u, POLL_INPUT);
	if (unlikely(!list_empty(&t->async)))
		t->signals |= TTY_TELL_INPUT;
}

static void line_input_flushed(struct ldisc *ld)
{
	struct tty *t = of_ldisc(ld);

	if (t->ops->input_flushed)
		t->ops->input_flushed(t);
	if (t->ops->unthrottle)
		t->ops->unthrottle(t);
}

static const struct ldisc_ops line_ops = {
	.write = line_write,
	.room = line_room,
	.signal = line_signal,
	.flush_output = line_flush_output,
	.stop = line_stop,
	.start = line_start,
	.input_ready = line_input_ready,
	.input_flushed = line_input_flushed,
};

/*
 * Initialise a terminal over device @ops/@priv, with one reference and the default modes.
 * ctx: thread; sleeps: no.
 */
void tty_setup(struct tty *t, const struct tty_ops *ops, void *priv, u64 dev, const char *name)
{
	memset(t, 0, sizeof(*t));
	ref_init(&t->refs, 1);
	mutex_init(&t->lock, RANK_TTY);
	mutex_init(&t->write_lock, RANK_TTY);
	waitq_init(&t->read_wait);
	waitq_init(&t->write_wait);
	list_init(&t->async);
	list_init(&t->master_async);
	t->ops = ops;
	t->priv = priv;
	t->dev = dev;
	strlcpy(t->name, name, sizeof(t->name));
	t->termios = tty_default_termios;
	ldisc_init(&t->ld, &line_ops, &t->termios);
}

/* ctx: any. */
void tty_get(struct tty *t)
{
	ref_get(&t->refs);
}

/*
 * Drop a reference; the last frees the terminal of a pty.
 * ctx: thread; sleeps: yes.
 */
void tty_put(struct tty *t)
{
	if (!ref_put(&t->refs))
		return;
	if (t->pgrp)
		pid_put(t->pgrp);
	if (t->session)
		pid_put(t->session);
	if (t->ops->free)
		t->ops->free(t);
}

/* ctx: thread; sleeps. */
void tty_lock(struct tty *t)
{
	mutex_lock(&t->lock);
}

/*
 * Unlock and send the signals that came up meanwhile to the foreground group.
 * ctx: thread; sleeps: yes.
 */
void tty_unlock(struct tty *t)
{
	static const struct {
		u32 bit;
		int sig;
	} map[] = {
		{ 1u << LDISC_INTR, SIGINT },
		{ 1u << LDISC_QUIT, SIGQUIT },
		{ 1u << LDISC_SUSP, SIGTSTP },
		{ TTY_SIG_WINCH, SIGWINCH },
	};
	u32 signals = t->signals, tell;
	struct pid *pgrp = NULL;

	if (likely(!signals)) {
		mutex_unlock(&t->lock);
		return;
	}
	t->signals = 0;
	tell = signals & (TTY_TELL_INPUT | TTY_TELL_ROOM | TTY_TELL_MASTER);
	if (t->pgrp && signals != tell)
		pgrp = pid_get(t->pgrp);
	mutex_unlock(&t->lock);
	if (tell & TTY_TELL_INPUT)
		async_notify(&t->async, POLL_IN);
	if (tell & TTY_TELL_ROOM)
		async_notify(&t->async, POLL_OUT);
	if (tell & TTY_TELL_MASTER)
		async_notify(&t->master_async, POLL_IN);
	if (!pgrp)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(map); i++) {
		if (signals & map[i].bit)
			signal_send_pgrp(pgrp, map[i].sig, NULL);
	}
	pid_put(pgrp);
}

/* Was the terminal hung up since @tf was opened? ctx: any */
bool tty_file_is_dead(const struct tty_file *tf)
{
	return READ_ONCE(tf->tty->hangups) != tf->hangups && !tf->console;
}

/*
 * Output may flow again, unless something else still holds it: pass waiting echoes on, wake
 * writers.
 * ctx: thread; holds: t->lock.
 */
void tty_restart_output(struct tty *t)
{
	if (t->ld.stopped || t->flow_off)
		return;
	if (t->ops->start)
		t->ops->start(t);
	ldisc_echo_flush(&t->ld);
	tty_note_room(t);
}

/* There is, or soon will be, room for output. ctx: thread; holds: t->lock. */
void tty_note_room(struct tty *t)
{
	waitq_wake(&t->write_wait, ~0u, POLL_ROOM);
	if (unlikely(t->cut_short)) {
		t->cut_short = false;
		t->signals |= TTY_TELL_ROOM;
	}
}

/*
 * Make @f an open of @t. Takes a reference of its own.
 * ctx: thread; sleeps: yes. 0, -EBUSY (TIOCEXCL), -EIO (pty without master), -ENOMEM.
 */
int tty_open_file(struct tty *t, struct file *f, bool console)
{
	struct tty_file *tf = kzalloc(sizeof(*tf), 0);
	int err = 0;

	if (!tf)
		return -ENOMEM;
	tty_lock(t);
	if (t->other_closed)
		err = -EIO;
	else if (t->exclusive && (t->opens || t->is_pty) &&
		 !cred_capable(current->cred, CAP_SYS_ADMIN))
		err = -EBUSY;
	else if (t->opens == 0 && t->ops->open)
		err = t->ops->open(t);
	if (!err) {
		t->opens++;
		tf->hangups = t->hangups;
	}
	tty_unlock(t);
	if (err) {
		kfree(tf);
		return err;
	}
	tty_get(t);
	tf->tty = t;
	tf->console = console;
	f->priv = tf;
	f->ops = &tty_file_ops;
	f->mode |= FILE_STREAM;
	if (!console)
		tty_open_controlling(t, f);
	return 0;
}

static void tty_release(struct file *f)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;

	tty_lock(t);
	if (--t->opens == 0) {
		if (t->ops->close)
			t->ops->close(t);
		if (!t->is_pty) { /* whose master keeps it as it is */
			t->exclusive = false;
			t->flow_off = false;
			t->ld.stopped = false;
			ldisc_flush_input(&t->ld);
		}
	}
	tty_unlock(t);
	tty_put(t);
	kfree(tf);
}

/*
 * The line is gone: end reads and writes of all opens. The caller has dealt with the session.
 * ctx: thread; sleeps: yes.
 */
void tty_hangup(struct tty *t)
{
	tty_lock(t);
	WRITE_ONCE(t->hangups, t->hangups + 1);
	if (!t->is_pty) { /* what its slave wrote last is still for the master to read */
		t->flow_off = false;
		t->ld.stopped = false;
		if (t->ops->flush)
			t->ops->flush(t);
	}
	ldisc_flush_input(&t->ld);
	ring_clear(&t->ld.echo);
	if (t->ops->hangup)
		t->ops->hangup(t);
	tty_unlock(t);
	waitq_wake(&t->read_wait, ~0u, POLL_INPUT | POLLHUP);
	waitq_wake(&t->write_wait, ~0u, POLL_ROOM | POLLHUP);
	tty_console_hung_up(t);
}

/* Bytes from the discipline to the reader, up to a line's end; holds: t->lock. */
static ssize_t read_available(struct tty *t, struct uio *u, bool *ended)
{
	ssize_t done = 0;

	*ended = false;
	while (u->left && !*ended && t->ld.tail != t->ld.head) {
		const u8 *p;
		size_t n = ldisc_peek(&t->ld, u->left, &p);
		ssize_t c = n ? uio_copy_to(u, p, n) : 0;

		if (c < 0)
			return done ? done : c;
		if (!n && !ldisc_readable(&t->ld, 1))
			break;
		*ended = ldisc_consume(&t->ld, (size_t)c);
		done += c;
		if ((size_t)c < n)
			break;
	}
	if (t->ops->unthrottle && ldisc_room(&t->ld) >= LDISC_BUF / 2)
		t->ops->unthrottle(t);
	return done;
}

/*
 * Conditions of waits. They look at counters of the discipline and of the device's ring without
 * the lock: each is one word, and whoever changes it wakes afterwards.
 */
static bool input_or_dead(struct tty *t, struct tty_file *tf, size_t want)
{
	return tty_file_is_dead(tf) || READ_ONCE(t->other_closed) || ldisc_readable(&t->ld, want);
}

/* How a read waits: POSIX's four cases of MIN and TIME; canonical reads are MIN 1, TIME 0. */
struct read_wait {
	size_t min; /* return when so many were read */
	s64 first; /* wait so long for the first byte, ns */
	s64 next; /* and so long for each further one */
};

static struct read_wait read_wait_of(const struct tty *t, size_t len)
{
	const struct ktermios *k = &t->termios;
	s64 time = k->c_cc[VTIME] * VTIME_UNIT;
	size_t min = k->c_cc[VMIN];

	if (k->c_lflag & ICANON)
		return (struct read_wait){ 1, TIME_NEVER, TIME_NEVER };
	if (min)
		return (struct read_wait){ MIN(min, len), TIME_NEVER, time ? time : TIME_NEVER };
	return (struct read_wait){ 1, time, 0 };
}

/*
 * One sleep of a read that has @done bytes. 0: look again; else the read ends with this, or
 * -ETIMEDOUT.
 */
static int read_sleep(struct tty *t, struct tty_file *tf, struct uio *u, const struct read_wait *w,
		      size_t done, s64 deadline)
{
	size_t want = w->next == TIME_NEVER ? w->min - MIN(done, w->min - 1) : 1;
	int err;

	if (deadline == 0)
		return -ETIMEDOUT;
	if (u->nonblock)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(&t->read_wait, input_or_dead(t, tf, want), deadline);
	return err == -EINTR ? -ERESTARTSYS : err;
}

static s64 read_deadline(s64 wait)
{
	return wait == TIME_NEVER || wait == 0 ? wait : time_now() + wait;
}

/*
 * See tty.h: to 8 seconds, lest the times tell when each key was hit; the rest stays as it was set.
 */
void tty_note_time(struct file *f, ssize_t n, bool wrote)
{
	s64 *time = wrote ? &f->inode->mtime : &f->inode->atime, was = READ_ONCE(*time), now;

	if (n <= 0)
		return;
	now = time_wall() / NSEC_PER_SEC;
	if ((now ^ (was / NSEC_PER_SEC)) & ~7)
		WRITE_ONCE(*time, now * NSEC_PER_SEC + was % NSEC_PER_SEC);
}

static ssize_t read_input(struct file *f, struct uio *u)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	struct read_wait w;
	s64 deadline = 0;
	ssize_t done = 0;
	bool begun = false;

	if (!tf->console && !tty_file_is_dead(tf)) {
		int err = tty_check_job(t, SIGTTIN);

		if (err)
			return err;
	}
	for (;;) {
		bool ended = false, closed;
		ssize_t n = 0;
		int err;

		tty_lock(t);
		if (!begun) {
			w = read_wait_of(t, u->left);
			deadline = read_deadline(w.first);
			begun = true;
		}
		closed = t->other_closed;
		if (!tty_file_is_dead(tf) && ldisc_readable(&t->ld, 1))
			n = read_available(t, u, &ended);
		tty_unlock(t);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (ended || !u->left || (size_t)done >= w.min || tty_file_is_dead(tf) || closed)
			return done;
		if (n)
			deadline = read_deadline(w.next);
		err = read_sleep(t, tf, u, &w, (size_t)done, deadline);
		if (err)
			return done || err == -ETIMEDOUT ? done : err;
	}
}

static ssize_t tty_read(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n = read_input(f, u);

	tty_note_time(f, n, false);
	return n;
}

/* Room for what one character may become, or waiting would end without progress. */
static bool room_or_dead(struct tty *t, struct tty_file *tf)
{
	return tty_file_is_dead(tf) || READ_ONCE(t->other_closed) ||
	       line_room(&t->ld) >= LDISC_OUT_MAX;
}

/*
 * Write @n bytes at @s, waiting for room. Bytes written; fewer when *err says why. holds:
 * write_lock.
 */
static size_t write_chunk(struct tty *t, struct tty_file *tf, const u8 *s, size_t n, bool nonblock,
			  int *err)
{
	size_t done = 0;

	*err = 0;
	for (;;) {
		mutex_lock_nested(&t->lock);
		if (tty_file_is_dead(tf) || t->other_closed)
			*err = -EIO;
		else
			done += ldisc_write(&t->ld, s + done, n - done);
		if (nonblock && done < n)
			t->cut_short = !list_empty(&t->async);
		tty_unlock(t);
		if (*err || done == n)
			return done;
		if (nonblock)
			*err = -EAGAIN;
		else if (wait_event_interruptible(&t->write_wait, room_or_dead(t, tf)))
			*err = -ERESTARTSYS;
		if (*err)
			return done;
	}
}

static ssize_t write_all(struct tty *t, struct tty_file *tf, struct uio *u)
{
	u8 chunk[WRITE_CHUNK];
	ssize_t done = 0;
	int err = 0;

	while (u->left && !err) {
		size_t want = MIN(u->left, sizeof(chunk)), w;
		ssize_t n = uio_copy_from(u, chunk, want);

		if (n < (ssize_t)want) { /* a piece that is not all there is not written at all */
			uio_revert(u, n < 0 ? 0 : (size_t)n);
			return done ? done : -EFAULT;
		}
		w = write_chunk(t, tf, chunk, (size_t)n, u->nonblock, &err);
		uio_revert(u, (size_t)n - w);
		done += (ssize_t)w;
	}
	return done ? done : err;
}

static ssize_t tty_write(struct file *f, struct uio *u, u64 *pos)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	ssize_t n;
	int err;

	if (tty_file_is_dead(tf))
		return -EIO;
	if (tf->console && tty_console_write_redirected(u, &n))
		return n;
	if ((READ_ONCE(t->termios.c_lflag) & TOSTOP) && !tf->console) {
		err = tty_check_job(t, SIGTTOU);
		if (err)
			return err;
	}
	if (u->nonblock) {
		if (!mutex_trylock(&t->write_lock))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&t->write_lock)) {
		return -ERESTARTSYS;
	}
	n = write_all(t, tf, u);
	mutex_unlock(&t->write_lock);
	tty_note_time(f, n, true);
	return n;
}

static u32 tty_poll(struct file *f, struct poll_table *pt)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	u32 events = 0;
	size_t min;

	poll_wait(pt, &t->read_wait);
	poll_wait(pt, &t->write_wait);
	if (tty_file_is_dead(tf))
		return POLL_INPUT | POLL_ROOM | POLLERR | POLLHUP;
	min = t->termios.c_cc[VTIME] ? 1 : t->termios.c_cc[VMIN];
	if (ldisc_readable(&t->ld, min))
		events |= POLL_INPUT;
	if (READ_ONCE(t->other_closed))
		events |= POLL_INPUT | POLLHUP;
	if (line_room(&t->ld) >= LDISC_OUT_MAX)
		events |= POLL_ROOM;
	return events;
}

static bool drained(struct tty *t)
{
	return t->ops->drained ? t->ops->drained(t) : !t->ops->pending || t->ops->pending(t) == 0;
}

/*
 * Wait until everything written is on the line.
 * ctx: thread; sleeps: yes. 0 or -ERESTARTSYS. The device says when its buffer is empty but not
 * when its last characters have left, which takes ten bit times each: that is what the deadline is
 * for.
 */
int tty_drain(struct tty *t)
{
	u32 baud = MAX(tty_baud(&t->termios), 50u);
	u32 gone = READ_ONCE(t->hangups);
	s64 step = 16 * 10 * NSEC_PER_SEC / baud;

	while (READ_ONCE(t->hangups) == gone && !drained(t)) {
		int err = wait_event_interruptible_timeout(
			&t->write_wait, drained(t) || READ_ONCE(t->hangups) != gone,
			time_now() + step);

		if (err == -EINTR)
			return -ERESTARTSYS;
	}
	return 0;
}

/* Without another owner, the foreground group or the caller is told. */
static int tty_fasync(struct file *f, int fd, bool on)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;
	struct pid *pgrp;
	int err = async_change(&t->async, f, fd, on);

	if (err || !on)
		return err;
	tty_lock(t);
	pgrp = t->pgrp ? pid_get(t->pgrp) : NULL;
	tty_unlock(t);
	if (pgrp) {
		file_owner_set_default(f, F_OWNER_PGRP, pgrp);
		pid_put(pgrp);
	} else {
		file_owner_set_default(f, F_OWNER_PID, current_proc()->pid);
	}
	return 0;
}

const struct file_ops tty_file_ops = {
	.fasync = tty_fasync,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.release = tty_release,
	.splice_read = true,
	.splice_write = true,
};

static int dev_tty_open(struct inode *i, struct file *f)
{
	struct tty *t = proc_get_tty(current_proc());
	int err;

	if (!t)
		return -ENXIO;
	err = tty_open_file(t, f, false);
	tty_put(t);
	return err;
}

static const struct file_ops dev_tty_ops = { .open = dev_tty_open };

static struct chrdev dev_tty = { .name = "tty", .mode = 0666, .ops = &dev_tty_ops };

/*
 * Make the devices that are no line of their own, and ptys; tell kernel/proc how to treat
 * terminals.
 * ctx: boot, after the device file system is there.
 */
void tty_init(void)
{
	dev_tty.dev = dev_make(TTYAUX_MAJOR, 0);
	if (chrdev_register(&dev_tty))
		log_err("tty: no /dev/tty");
	tty_console_init();
	uart_console_init();
	tty_job_init();
	pty_init();
}
