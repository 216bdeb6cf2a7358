/*
 * Pseudo terminals: the master's side.
 *
 * The slave is an ordinary terminal. Its output goes into a ring that the master reads; what the
 * master writes goes straight through the slave's line discipline in the writer's context. When
 * the slave's last open is closed the master reads EIO; when the master is closed the slave is
 * hung up, its session gets SIGHUP, and its name disappears.
 *
 * In packet mode each read of the master begins with a byte: 0 before data, or TIOCPKT_* bits that
 * tell of flushes and flow control on the slave.
 *
 * All state is guarded by the slave's lock. pty(7), ioctl_tty(2).
 */
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/major.h>
#include "fs/async.h"
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/base/uio.h"
#include "kernel/lib/fmt.h"
#include "kernel/proc/fileowner.h"
#include "kernel/tty/pty.h"
#include "mm/slab.h"

#define POLL_INPUT (POLLIN | POLLRDNORM)
#define POLL_ROOM (POLLOUT | POLLWRNORM)
#define WRITE_CHUNK 512

static const struct file_ops master_ops;

static struct pty *of_slave(struct tty *t)
{
	return container_of(t, struct pty, slave);
}

/* Is @f a pty master? ctx: any */
bool pty_is_master(const struct file *f)
{
	return f->ops == &master_ops;
}

static void packet_note(struct pty *p, u8 bits, u8 not )
{
	if (!p->packet)
		return;
	p->packet_status = (u8)((p->packet_status & ~not ) | bits);
	waitq_wake(&p->master_read, ~0u, POLL_INPUT | POLLPRI);
}

static int slave_open(struct tty *t)
{
	of_slave(t)->slave_seen = true;
	return 0;
}

static void slave_close(struct tty *t)
{
	waitq_wake(&of_slave(t)->master_read, ~0u, POLL_INPUT | POLLHUP);
}

static size_t slave_write(struct tty *t, const u8 *s, size_t n)
{
	struct pty *p = of_slave(t);
	u32 done = ring_write(&p->out, s, (u32)MIN(n, (size_t)PTY_OUT));

	if (done) {
		waitq_wake(&p->master_read, ~0u, POLL_INPUT);
		if (unlikely(!list_empty(&t->master_async)))
			t->signals |= TTY_TELL_MASTER;
	}
	return done;
}

static size_t slave_room(struct tty *t)
{
	return ring_space(&of_slave(t)->out);
}

/* What the master's side has room for has arrived there already. */
static void slave_flush(struct tty *t)
{
	ring_keep(&of_slave(t)->out, PTY_ARRIVED);
	packet_note(of_slave(t), TIOCPKT_FLUSHWRITE, 0);
}

static void slave_stop(struct tty *t)
{
	packet_note(of_slave(t), TIOCPKT_STOP, TIOCPKT_START);
}

static void slave_start(struct tty *t)
{
	packet_note(of_slave(t), TIOCPKT_START, TIOCPKT_STOP);
}

static void slave_unthrottle(struct tty *t)
{
	waitq_wake(&of_slave(t)->master_write, ~0u, POLL_ROOM);
}

static void slave_input_flushed(struct tty *t)
{
	packet_note(of_slave(t), TIOCPKT_FLUSHREAD, 0);
}

static bool normal_flow(const struct ktermios *k)
{
	return (k->c_iflag & IXON) && k->c_cc[VSTOP] == 19 && k->c_cc[VSTART] == 17;
}

static void slave_termios_changed(struct tty *t, const struct ktermios *old)
{
	struct pty *p = of_slave(t);

	if ((old->c_lflag | t->termios.c_lflag) & EXTPROC)
		packet_note(p, TIOCPKT_IOCTL, 0);
	if (normal_flow(old) && !normal_flow(&t->termios))
		packet_note(p, TIOCPKT_NOSTOP, TIOCPKT_DOSTOP);
	else if (!normal_flow(old) && normal_flow(&t->termios))
		packet_note(p, TIOCPKT_DOSTOP, TIOCPKT_NOSTOP);
}

/* A hangup leaves the modes of a new pty, and nothing to tell. */
static void slave_hangup(struct tty *t)
{
	t->termios = tty_default_termios;
	t->termios.c_cflag &= ~(tcflag_t)HUPCL; /* there is no line to drop */
	ldisc_set_termios(&t->ld, &t->termios);
	of_slave(t)->packet_status = 0;
}

static void slave_free(struct tty *t)
{
	struct pty *p = of_slave(t);

	devpts_free_index(p->dir, p->index);
	devpts_put(p->dir);
	kfree(p->out_buf);
	kfree(p);
}

static const struct tty_ops slave_ops = {
	.open = slave_open,
	.close = slave_close,
	.write = slave_write,
	.room = slave_room,
	.flush = slave_flush,
	.stop = slave_stop,
	.start = slave_start,
	.unthrottle = slave_unthrottle,
	.input_flushed = slave_input_flushed,
	.termios_changed = slave_termios_changed,
	.hangup = slave_hangup,
	.free = slave_free,
};

/*
 * A pty without name: index @index of instance @dir, whose reference is taken over on success.
 * ctx: thread; sleeps: yes. 0 or -ENOMEM.
 */
int pty_create(struct devpts *dir, u32 index, struct pty **out)
{
	struct pty *p = kzalloc(sizeof(*p), 0);
	char name[16];

	if (!p)
		return -ENOMEM;
	p->out_buf = kmalloc(PTY_OUT, 0);
	if (!p->out_buf) {
		kfree(p);
		return -ENOMEM;
	}
	scnprintf(name, sizeof(name), "pts/%u", index);
	tty_setup(&p->slave, &slave_ops, p, dev_make(UNIX98_PTY_SLAVE_MAJOR, index), name);
	p->slave.is_pty = true;
	slave_hangup(&p->slave);
	ring_init(&p->out, p->out_buf, PTY_OUT);
	waitq_init(&p->master_read);
	waitq_init(&p->master_write);
	list_init(&p->link);
	p->index = index;
	p->dir = dir;
	p->locked = true;
	*out = p;
	return 0;
}

/*
 * Make @f an open of the slave. The caller holds a reference on it.
 * ctx: thread; sleeps: yes. 0, -EIO (locked, or the master is gone), -ENOMEM, -EBUSY.
 */
int pty_open_slave(struct pty *p, struct file *f)
{
	return READ_ONCE(p->locked) ? -EIO : tty_open_file(&p->slave, f, false);
}

static bool slave_gone(const struct pty *p)
{
	return READ_ONCE(p->slave_seen) && READ_ONCE(p->slave.opens) == 0;
}

static bool master_is_dead(const struct pty *p)
{
	return READ_ONCE(p->master_hung);
}

static bool master_has_input(const struct pty *p)
{
	return ring_used(&p->out) || (READ_ONCE(p->packet) && READ_ONCE(p->packet_status));
}

static ssize_t ring_to_uio(struct ring *r, struct uio *u)
{
	ssize_t done = 0;

	while (u->left && ring_used(r)) {
		const u8 *s;
		u32 n = (u32)MIN((size_t)ring_peek(r, &s), u->left);
		ssize_t c = uio_copy_to(u, s, n);

		if (c < 0)
			return done ? done : c;
		ring_consume(r, (u32)c);
		done += c;
		if (c < (ssize_t)n)
			break;
	}
	return done;
}

/* holds: slave.lock. 0: nothing there. */
static ssize_t master_read_locked(struct pty *p, struct uio *u)
{
	u8 head = TIOCPKT_DATA;
	ssize_t n, with_head = 0;

	if (p->packet && p->packet_status) {
		n = uio_copy_to(u, &p->packet_status, 1);
		if (n > 0)
			p->packet_status = 0;
		return n;
	}
	if (!ring_used(&p->out))
		return 0;
	if (p->packet) {
		with_head = uio_copy_to(u, &head, 1);
		if (with_head < 0)
			return with_head;
	}
	n = ring_to_uio(&p->out, u);
	if (n < 0)
		return n;
	ldisc_echo_flush(&p->slave.ld);
	tty_note_room(&p->slave);
	return n + with_head;
}

static ssize_t master_read(struct file *f, struct uio *u, u64 *pos)
{
	struct pty *p = pty_of_master(f);

	if (!u->left)
		return 0;
	for (;;) {
		ssize_t n;

		tty_lock(&p->slave);
		n = master_is_dead(p) ? 0 : master_read_locked(p, u);
		if (n == 0 && slave_gone(p))
			n = -EIO;
		tty_unlock(&p->slave);
		if (n || master_is_dead(p))
			return master_is_dead(p) ? 0 : n;
		if (u->nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(&p->master_read, master_has_input(p) ||
								      slave_gone(p) ||
								      master_is_dead(p)))
			return -ERESTARTSYS;
	}
}

static bool master_may_write(const struct pty *p)
{
	return !READ_ONCE(p->master_held) && ldisc_room(&p->slave.ld) > 0;
}

static ssize_t master_write(struct file *f, struct uio *u, u64 *pos)
{
	struct pty *p = pty_of_master(f);
	ssize_t done = 0;

	while (u->left) {
		u8 chunk[WRITE_CHUNK];
		size_t want = MIN(u->left, sizeof(chunk)), taken = 0;
		ssize_t n = uio_copy_from(u, chunk, want);

		if (n < (ssize_t)want) { /* a piece that is not all there is not written at all */
			uio_revert(u, n < 0 ? 0 : (size_t)n);
			return done ? done : -EFAULT;
		}
		tty_lock(&p->slave);
		if (!p->master_held && !p->master_hung)
			taken = ldisc_receive(&p->slave.ld, chunk, NULL, (size_t)n);
		tty_unlock(&p->slave);
		uio_revert(u, (size_t)n - taken);
		done += (ssize_t)taken;
		if (taken == (size_t)n)
			continue;
		if (master_is_dead(p))
			return done ? done : -EIO;
		if (u->nonblock)
			return done ? done : -EAGAIN;
		if (wait_event_interruptible(&p->master_write,
					     master_may_write(p) || master_is_dead(p)))
			return done ? done : -ERESTARTSYS;
	}
	return done;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct pty *p = pty_of_master(f);
	u32 events = 0;

	poll_wait(pt, &p->master_read);
	poll_wait(pt, &p->master_write);
	if (master_is_dead(p))
		return POLL_INPUT | POLL_ROOM | POLLERR | POLLHUP;
	if (master_has_input(p))
		events |= POLL_INPUT;
	if (READ_ONCE(p->packet) && READ_ONCE(p->packet_status))
		events |= POLLPRI;
	if (master_may_write(p))
		events |= POLL_ROOM;
	if (slave_gone(p))
		events |= POLLHUP;
	return events;
}

static void master_release(struct file *f)
{
	struct pty_master *m = f->priv;
	struct pty *p = m->pty;

	devpts_remove(p);
	tty_lock(&p->slave);
	p->slave.other_closed = true;
	tty_unlock(&p->slave);
	tty_vhangup(&p->slave);
	tty_put(&p->slave);
	path_put(&m->root);
	kfree(m);
}

static int master_fasync(struct file *f, int fd, bool on)
{
	int err = async_change(&pty_of_master(f)->slave.master_async, f, fd, on);

	if (!err && on)
		file_owner_set_default(f, F_OWNER_PID, current_proc()->pid);
	return err;
}

static const struct file_ops master_ops = {
	.fasync = master_fasync,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = pty_master_ioctl,
	.release = master_release,
	.splice_read = true,
	.splice_write = true,
};

static int ptmx_open(struct inode *i, struct file *f)
{
	struct pty_master *m = kzalloc(sizeof(*m), 0);
	struct devpts *dir;
	int err;

	if (!m)
		return -ENOMEM;
	err = devpts_of_ptmx(&f->path, &dir, &m->root);
	if (err)
		goto free;
	err = devpts_new(dir, &m->pty);
	devpts_put(dir);
	if (err)
		goto put_root;
	f->priv = m;
	f->ops = &master_ops;
	f->mode |= FILE_STREAM;
	return 0;
put_root:
	path_put(&m->root);
free:
	kfree(m);
	return err;
}

/* Opening /dev/ptmx or a devpts's own ptmx. */
const struct file_ops pty_ptmx_ops = { .open = ptmx_open };

static struct chrdev dev_ptmx = { .name = "ptmx", .mode = 0666, .ops = &pty_ptmx_ops };

/* Make /dev/ptmx. ctx: boot */
void pty_init(void)
{
	dev_ptmx.dev = dev_make(TTYAUX_MAJOR, 2);
	if (chrdev_register(&dev_ptmx))
		log_err("pty: no device file");
}
