/*
 * Pseudo terminals: what the master answers to ioctl(2).
 *
 * Requests fall into three kinds. Those of ptys alone (number, lock, packet mode, signals, opening
 * the other end) are the master's. Modes, window size and job control act on the slave, as the
 * master has no use for its own. Queues, flow control, exclusive use, faked input and hangups are
 * about the master's own end: its output is what the slave will read, its input what the slave
 * wrote. A pty has no line, so breaks are nothing and output is never on its way.
 *
 * All state is guarded by the slave's lock. ioctl_tty(2), pty(7).
 */
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/tty.h>
#include "kernel/base/errno.h"
#include "kernel/base/uio.h"
#include "kernel/lib/fmt.h"
#include "kernel/tty/pty.h"

#define OPEN_FLAGS                                                                              \
	(O_ACCMODE | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | O_APPEND | O_DSYNC | O_SYNC | FASYNC | \
	 O_LARGEFILE | O_NOATIME | O_NOFOLLOW | O_DIRECT)

static long set_packet(struct pty *p, u64 arg)
{
	s32 on;

	if (get_user(&on, arg))
		return -EFAULT;
	tty_lock(&p->slave);
	if (on && !p->packet)
		p->packet_status = 0;
	p->packet = on;
	tty_unlock(&p->slave);
	return 0;
}

static long send_signal(struct pty *p, u64 arg)
{
	struct pid *pgrp;

	if (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP)
		return -EINVAL;
	tty_lock(&p->slave);
	pgrp = p->slave.pgrp ? pid_get(p->slave.pgrp) : NULL;
	tty_unlock(&p->slave);
	if (pgrp) {
		signal_send_pgrp(pgrp, (int)arg, NULL);
		pid_put(pgrp);
	}
	return 0;
}

/*
 * TIOCGPTPEER: open the slave by its place in the file system the master came from. Who has the
 * master may, whatever the slave's mode says.
 */
static long open_peer(struct pty_master *m, u64 flags)
{
	u32 oflags = (u32)flags & (flags & O_PATH ? O_PATH | O_NOFOLLOW : OPEN_FLAGS);
	struct path slave;
	struct file *f;
	char name[16];
	int fd, err;

	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), flags & O_CLOEXEC, &fd);
	if (err)
		return err;
	scnprintf(name, sizeof(name), "%u", m->pty->index);
	err = path_lookup(&m->root, name, 0, &slave);
	if (!err) {
		err = file_open_path(&slave, oflags, &f);
		path_put(&slave);
	}
	if (err) {
		fd_unreserve(fd);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

static long set_lock(struct pty *p, u64 arg)
{
	s32 on;

	if (get_user(&on, arg))
		return -EFAULT;
	WRITE_ONCE(p->locked, on != 0);
	return 0;
}

static long flush_queues(struct pty *p, u64 which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	tty_lock(&p->slave);
	if (which != TCOFLUSH) {
		ring_clear(&p->out);
		tty_note_room(&p->slave);
	}
	if (which != TCIFLUSH)
		ldisc_flush_input(&p->slave.ld);
	tty_unlock(&p->slave);
	return 0;
}

/* What the master writes waits, or goes on. holds: slave.lock */
static void hold_output(struct pty *p, bool hold)
{
	WRITE_ONCE(p->master_held, hold);
	if (!hold)
		waitq_wake(&p->master_write, ~0u, POLLOUT | POLLWRNORM);
}

/* A flow control character for the slave, past what holds the master's output. */
static void send_char(struct pty *p, u8 c)
{
	if (c)
		ldisc_receive(&p->slave.ld, &c, NULL, 1);
}

static long flow_control(struct pty *p, u64 action)
{
	long err = 0;

	tty_lock(&p->slave);
	switch (action) {
	case TCOOFF:
	case TCOON: hold_output(p, action == TCOOFF); break;
	case TCIOFF: send_char(p, tty_default_termios.c_cc[VSTOP]); break;
	case TCION: send_char(p, tty_default_termios.c_cc[VSTART]); break;
	default: err = -EINVAL;
	}
	tty_unlock(&p->slave);
	return err;
}

/* The master's next read finds @arg's byte. */
static long fake_input(struct pty *p, u64 arg)
{
	u8 c;

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(&c, arg))
		return -EFAULT;
	tty_lock(&p->slave);
	p->slave.ops->write(&p->slave, &c, 1);
	tty_unlock(&p->slave);
	return 0;
}

/* This open of the master is of no use any more; the slave does not notice. */
static long hang_up(struct pty *p)
{
	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	tty_lock(&p->slave);
	WRITE_ONCE(p->master_hung, true);
	tty_unlock(&p->slave);
	waitq_wake(&p->master_read, ~0u, POLLIN | POLLRDNORM | POLLHUP);
	waitq_wake(&p->master_write, ~0u, POLLOUT | POLLWRNORM | POLLHUP);
	return 0;
}

static long set_exclusive(struct pty *p, bool on)
{
	WRITE_ONCE(p->master_exclusive, on);
	return 0;
}

/* What only masters know. */
static long ioctl_pty(struct file *f, struct pty *p, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGPTN: return put_user(arg, p->index);
	case TIOCSPTLCK: return set_lock(p, arg);
	case TIOCGPTLCK: return put_user(arg, (s32)READ_ONCE(p->locked));
	case TIOCPKT: return set_packet(p, arg);
	case TIOCGPKT: return put_user(arg, (s32)READ_ONCE(p->packet));
	case TIOCSIG: return send_signal(p, arg);
	case TIOCGPTPEER: return open_peer(f->priv, arg);
	default: return -ENOIOCTLCMD;
	}
}

/* The master's end of the line. */
static long ioctl_end(struct file *f, struct pty *p, u32 cmd, u64 arg)
{
	switch (cmd) {
	case FIONREAD: return put_user(arg, (s32)ring_used(&p->out));
	case TIOCOUTQ: return put_user(arg, (s32)0);
	case TCFLSH: return flush_queues(p, arg);
	case TCXONC: return flow_control(p, arg);
	case TCSBRK:
	case TCSBRKP:
	case TIOCSBRK:
	case TIOCCBRK: return 0;
	case TIOCSTI: return fake_input(p, arg);
	case TIOCEXCL:
	case TIOCNXCL: return set_exclusive(p, cmd == TIOCEXCL);
	case TIOCGEXCL: return put_user(arg, (s32)READ_ONCE(p->master_exclusive));
	case TIOCGETD: return put_user(arg, (s32)N_TTY);
	case TIOCSETD: return tty_ioctl_discipline(arg);
	case TIOCGDEV: return put_user(arg, proc_tty_ops->dev(&p->slave));
	case TIOCCONS: return tty_console_redirect(f);
	case TIOCVHANGUP: return hang_up(p);
	default: return -ENOIOCTLCMD;
	}
}

/*
 * ioctl(2) on a pty's master.
 * ctx: thread; sleeps: yes. -ENOTTY: not known to masters; -EIO: hung up, or a slave that is
 * locked.
 */
long pty_master_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pty *p = pty_of_master(f);
	long r;

	if (READ_ONCE(p->master_hung))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	r = ioctl_pty(f, p, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = ioctl_end(f, p, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = tty_ioctl_modes(&p->slave, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = tty_ioctl_job(&p->slave, f, cmd, arg);
	return r == -ENOIOCTLCMD ? -ENOTTY : r;
}
