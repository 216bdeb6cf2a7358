/*
 * Terminal ioctls: modes, window size, flow, breaks, queues.
 *
 * The modes are one struct ktermios; three user structures show it (termio, termios, termios2), so
 * each request is converted to the kernel's form, applied in one place (modes_apply) and converted
 * back. A change of modes by a background process raises SIGTTOU. What a terminal does not know is
 * ENOTTY, which is how programs find out that a descriptor is no terminal.
 *
 * tty_ioctl(4), termios(3).
 */
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/serial.h>
#include <linux/tty.h>
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/tty/tty.h"

#define BREAK_NS (250 * NSEC_PER_MSEC)

static const u32 baud_table[] = { 0,   50,   75,   110,	 134,  150,  200,   300,
				  600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
static const u32 baud_table_ex[] = { 0,	      57600,   115200,	230400,	 460800,  500000,
				     576000,  921600,  1000000, 1152000, 1500000, 2000000,
				     2500000, 3000000, 3500000, 4000000 };

static u32 baud_of(tcflag_t bits, u32 other)
{
	if ((bits & CBAUD) == BOTHER)
		return other;
	return bits & CBAUDEX ? baud_table_ex[bits & 15] : baud_table[bits & 15];
}

/* Output speed in bits per second. ctx: any */
u32 tty_baud(const struct ktermios *t)
{
	return t->c_ospeed;
}

static void modes_from_termio(struct ktermios *k, const struct termio *u)
{
	k->c_iflag = (k->c_iflag & 0xffff0000) | u->c_iflag;
	k->c_oflag = (k->c_oflag & 0xffff0000) | u->c_oflag;
	k->c_cflag = (k->c_cflag & 0xffff0000) | u->c_cflag;
	k->c_lflag = (k->c_lflag & 0xffff0000) | u->c_lflag;
	k->c_line = u->c_line;
	memcpy(k->c_cc, u->c_cc, NCC);
}

static void modes_to_termio(const struct ktermios *k, struct termio *u)
{
	memset(u, 0, sizeof(*u));
	u->c_iflag = (u16)k->c_iflag;
	u->c_oflag = (u16)k->c_oflag;
	u->c_cflag = (u16)k->c_cflag;
	u->c_lflag = (u16)k->c_lflag;
	u->c_line = k->c_line;
	memcpy(u->c_cc, k->c_cc, NCC);
}

_Static_assert(sizeof(struct termios2) == sizeof(struct ktermios), "termios2 shows all there is");
_Static_assert(sizeof(struct termios) < sizeof(struct ktermios), "termios is its beginning");

static u32 locked_bits(u32 new, u32 old, u32 lock)
{
	return (new & ~lock) | (old & lock);
}

/* Put @k in force, as far as it is not locked. holds: t->lock */
static void modes_apply(struct tty *t, struct ktermios *k)
{
	struct ktermios old = t->termios;

	k->c_iflag = locked_bits(k->c_iflag, old.c_iflag, t->locked.c_iflag);
	k->c_oflag = locked_bits(k->c_oflag, old.c_oflag, t->locked.c_oflag);
	k->c_cflag = locked_bits(k->c_cflag, old.c_cflag, t->locked.c_cflag);
	k->c_lflag = locked_bits(k->c_lflag, old.c_lflag, t->locked.c_lflag);
	for (int i = 0; i < NCCS; i++) {
		if (t->locked.c_cc[i])
			k->c_cc[i] = old.c_cc[i];
	}
	k->c_line = N_TTY;
	if (t->is_pty)
		k->c_cflag = (k->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8 | CREAD;
	t->termios = *k;
	if (t->ops->termios_changed)
		t->ops->termios_changed(t, &old);
	ldisc_set_termios(&t->ld, &t->termios);
}

enum modes_form { FORM_TERMIO, FORM_TERMIOS, FORM_TERMIOS2 };
#define WHEN_DRAINED 1u
#define FLUSH_INPUT 2u

static long modes_set(struct tty *t, enum modes_form form, u32 how, u64 arg)
{
	struct ktermios k;
	struct termio tio;
	long err;

	err = tty_check_job(t, SIGTTOU);
	if (err)
		return err;
	tty_lock(t);
	k = t->termios;
	tty_unlock(t);
	if (form == FORM_TERMIO) {
		if (copy_from_user(&tio, arg, sizeof(tio)))
			return -EFAULT;
		modes_from_termio(&k, &tio);
	} else if (copy_from_user(&k, arg,
				  form == FORM_TERMIOS ? sizeof(struct termios) : sizeof(k))) {
		return -EFAULT;
	}
	k.c_ospeed = baud_of(k.c_cflag, k.c_ospeed);
	k.c_ispeed = (k.c_cflag & CIBAUD) ? baud_of(k.c_cflag >> IBSHIFT, k.c_ispeed) : k.c_ospeed;
	if (how & FLUSH_INPUT) {
		tty_lock(t);
		ldisc_flush_input(&t->ld);
		tty_unlock(t);
	}
	if (how & WHEN_DRAINED) {
		err = tty_drain(t);
		if (err)
			return err;
	}
	tty_lock(t);
	modes_apply(t, &k);
	tty_unlock(t);
	waitq_wake_all(&t->read_wait);
	return 0;
}

static long modes_get(struct tty *t, enum modes_form form, u64 arg)
{
	struct ktermios k;
	struct termio tio;

	tty_lock(t);
	k = t->termios;
	tty_unlock(t);
	if (form == FORM_TERMIO) {
		modes_to_termio(&k, &tio);
		return copy_to_user(arg, &tio, sizeof(tio));
	}
	return copy_to_user(arg, &k, form == FORM_TERMIOS ? sizeof(struct termios) : sizeof(k));
}

static long locks_get(struct tty *t, u64 arg)
{
	struct ktermios k;

	tty_lock(t);
	k = t->locked;
	tty_unlock(t);
	return copy_to_user(arg, &k, sizeof(struct termios));
}

static long locks_set(struct tty *t, u64 arg)
{
	struct ktermios k = { 0 };

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&k, arg, sizeof(struct termios)))
		return -EFAULT;
	tty_lock(t);
	t->locked = k;
	tty_unlock(t);
	return 0;
}

static long soft_carrier(struct tty *t, bool set, u64 arg)
{
	struct ktermios k;
	s32 on;

	if (set && get_user(&on, arg))
		return -EFAULT;
	tty_lock(t);
	k = t->termios;
	if (set) {
		k.c_cflag = on ? k.c_cflag | CLOCAL : k.c_cflag & ~(tcflag_t)CLOCAL;
		modes_apply(t, &k);
	}
	on = !!(k.c_cflag & CLOCAL);
	tty_unlock(t);
	return set ? 0 : put_user(arg, on);
}

static long winsize_set(struct tty *t, u64 arg)
{
	struct winsize ws;

	if (copy_from_user(&ws, arg, sizeof(ws)))
		return -EFAULT;
	tty_lock(t);
	if (memcmp(&ws, &t->ws, sizeof(ws)) != 0) {
		t->ws = ws;
		t->signals |= TTY_SIG_WINCH;
	}
	tty_unlock(t);
	return 0;
}

static long winsize_get(struct tty *t, u64 arg)
{
	struct winsize ws;

	tty_lock(t);
	ws = t->ws;
	tty_unlock(t);
	return copy_to_user(arg, &ws, sizeof(ws));
}

/*
 * Modes and window size of terminal @t. ctx: thread; sleeps: yes. 0, -errno, -ENOIOCTLCMD when
 * @cmd is none of them.
 */
long tty_ioctl_modes(struct tty *t, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TCGETS: return modes_get(t, FORM_TERMIOS, arg);
	case TCGETS2: return modes_get(t, FORM_TERMIOS2, arg);
	case TCGETA: return modes_get(t, FORM_TERMIO, arg);
	case TCSETS: return modes_set(t, FORM_TERMIOS, 0, arg);
	case TCSETSW: return modes_set(t, FORM_TERMIOS, WHEN_DRAINED, arg);
	case TCSETSF: return modes_set(t, FORM_TERMIOS, WHEN_DRAINED | FLUSH_INPUT, arg);
	case TCSETS2: return modes_set(t, FORM_TERMIOS2, 0, arg);
	case TCSETSW2: return modes_set(t, FORM_TERMIOS2, WHEN_DRAINED, arg);
	case TCSETSF2: return modes_set(t, FORM_TERMIOS2, WHEN_DRAINED | FLUSH_INPUT, arg);
	case TCSETA: return modes_set(t, FORM_TERMIO, 0, arg);
	case TCSETAW: return modes_set(t, FORM_TERMIO, WHEN_DRAINED, arg);
	case TCSETAF: return modes_set(t, FORM_TERMIO, WHEN_DRAINED | FLUSH_INPUT, arg);
	case TIOCGLCKTRMIOS: return locks_get(t, arg);
	case TIOCSLCKTRMIOS: return locks_set(t, arg);
	case TIOCGSOFTCAR: return soft_carrier(t, false, arg);
	case TIOCSSOFTCAR: return soft_carrier(t, true, arg);
	case TIOCGWINSZ: return winsize_get(t, arg);
	case TIOCSWINSZ: return winsize_set(t, arg);
	default: return -ENOIOCTLCMD;
	}
}

static long flush_queues(struct tty *t, u64 which)
{
	long err = tty_check_job(t, SIGTTOU);

	if (err)
		return err;
	if (which > TCIOFLUSH)
		return -EINVAL;
	tty_lock(t);
	if (which != TCOFLUSH)
		ldisc_flush_input(&t->ld);
	if (which != TCIFLUSH) {
		ring_clear(&t->ld.echo);
		t->ld.ops->flush_output(&t->ld);
	}
	tty_unlock(t);
	return 0;
}

/* A character straight to the device, past flow control. */
static void send_char(struct tty *t, u8 c)
{
	if (c && t->ops->send_now)
		t->ops->send_now(t, c);
	else if (c)
		t->ops->write(t, &c, 1);
}

static long flow_control(struct tty *t, u64 action)
{
	long err = tty_check_job(t, SIGTTOU);

	if (err)
		return err;
	tty_lock(t);
	switch (action) {
	case TCOOFF:
		if (!t->flow_off && !t->ld.stopped && t->ops->stop)
			t->ops->stop(t);
		t->flow_off = true;
		break;
	case TCOON: /* ends a stop that was typed meanwhile, too */
		if (!t->flow_off)
			break;
		t->flow_off = t->ld.stopped = false;
		tty_restart_output(t);
		break;
	case TCIOFF: send_char(t, t->termios.c_cc[VSTOP]); break;
	case TCION: send_char(t, t->termios.c_cc[VSTART]); break;
	default: err = -EINVAL;
	}
	tty_unlock(t);
	return err;
}

static void line_break(struct tty *t, bool on)
{
	tty_lock(t);
	if (t->ops->set_break)
		t->ops->set_break(t, on);
	tty_unlock(t);
}

/* What groups in the background may not do, and what comes after all that was written. */
static long in_turn(struct tty *t)
{
	long err = tty_check_job(t, SIGTTOU);

	if (!err && tty_drain(t))
		err = -EINTR;
	return err;
}

static long send_break(struct tty *t, s64 ns)
{
	long err = in_turn(t);

	if (err || !ns || !t->ops->set_break)
		return err;
	line_break(t, true);
	err = sched_sleep_interruptible(time_now() + ns);
	line_break(t, false);
	return err ? -EINTR : 0;
}

static long set_break(struct tty *t, bool on)
{
	long err = on ? in_turn(t) : tty_check_job(t, SIGTTOU);

	if (!err)
		line_break(t, on);
	return err;
}

static long modem_lines(struct tty *t, u32 cmd, u64 arg)
{
	u32 bits = 0, given;
	int err;

	if (!t->ops->modem)
		return -ENOTTY;
	if (cmd != TIOCMGET && get_user(&given, arg))
		return -EFAULT;
	tty_lock(t);
	err = t->ops->modem(t, false, &bits);
	if (!err && cmd != TIOCMGET) {
		bits = cmd == TIOCMSET ? given : cmd == TIOCMBIS ? bits | given : bits & ~given;
		err = t->ops->modem(t, true, &bits);
	}
	tty_unlock(t);
	return err || cmd != TIOCMGET ? err : put_user(arg, bits);
}

static long fake_input(struct tty *t, u64 arg)
{
	u8 c;

	if (READ_ONCE(current_proc()->tty) != t && !cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(&c, arg))
		return -EFAULT;
	tty_lock(t);
	ldisc_receive(&t->ld, &c, NULL, 1);
	tty_unlock(t);
	return 0;
}

static long set_exclusive(struct tty *t, bool on)
{
	tty_lock(t);
	t->exclusive = on;
	tty_unlock(t);
	return 0;
}

static long count_to_user(struct tty *t, size_t (*count)(struct tty *t), u64 arg)
{
	s32 n;

	tty_lock(t);
	n = count ? (s32)count(t) : 0;
	tty_unlock(t);
	return put_user(arg, n);
}

static size_t count_input(struct tty *t)
{
	return ldisc_available(&t->ld);
}

/* TIOCSETD: there is one discipline. ctx: thread. 0, -EINVAL, -EFAULT */
long tty_ioctl_discipline(u64 arg)
{
	s32 n;

	if (get_user(&n, arg))
		return -EFAULT;
	return n == N_TTY ? 0 : -EINVAL;
}

static long set_discipline(struct tty *t, u64 arg)
{
	long err = in_turn(t);

	return err ? err : tty_ioctl_discipline(arg);
}

static long hangup(struct tty *t)
{
	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	tty_vhangup(t);
	return 0;
}

/* What a terminal knows besides modes and job control. */
static long ioctl_line(struct tty *t, struct file *f, u32 cmd, u64 arg)
{
	switch (cmd) {
	case FIONREAD: return count_to_user(t, count_input, arg);
	case TIOCOUTQ: return count_to_user(t, t->ops->pending, arg);
	case TCFLSH: return flush_queues(t, arg);
	case TCXONC: return flow_control(t, arg);
	case TCSBRK: return send_break(t, arg ? 0 : BREAK_NS);
	case TCSBRKP:
		return send_break(t, (u32)arg ? (s64)(u32)arg * 100 * NSEC_PER_MSEC : BREAK_NS);
	case TIOCSBRK: return set_break(t, true);
	case TIOCCBRK: return set_break(t, false);
	case TIOCMGET:
	case TIOCMSET:
	case TIOCMBIS:
	case TIOCMBIC: return modem_lines(t, cmd, arg);
	case TIOCSTI: return fake_input(t, arg);
	case TIOCEXCL:
	case TIOCNXCL: return set_exclusive(t, cmd == TIOCEXCL);
	case TIOCGEXCL: return put_user(arg, (s32)t->exclusive);
	case TIOCGETD: return put_user(arg, (s32)N_TTY);
	case TIOCSETD: return set_discipline(t, arg);
	case TIOCCONS: return tty_console_redirect(f);
	case TIOCGDEV: return put_user(arg, proc_tty_ops->dev(t));
	case TIOCVHANGUP: return hangup(t);
	case TIOCGPTPEER: return -EIO; /* only masters have one */
	default: return t->ops->ioctl ? t->ops->ioctl(t, cmd, arg) : -ENOIOCTLCMD;
	}
}

/*
 * ioctl(2) on an open terminal.
 * ctx: thread; sleeps: yes. -ENOTTY: not known to terminals; -EIO: hung up.
 */
long tty_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tty_file *tf = f->priv;
	long r;

	if (tty_file_is_dead(tf))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	r = tty_ioctl_modes(tf->tty, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = tty_ioctl_job(tf->tty, f, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = ioctl_line(tf->tty, f, cmd, arg);
	return r == -ENOIOCTLCMD ? -ENOTTY : r;
}
