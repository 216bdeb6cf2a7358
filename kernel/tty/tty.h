#pragma once
/*
 * Terminals: what kernel/tty's files share. A terminal is a line discipline between a device (a
 * serial port or the other end of a pty) and open files, with a session and a foreground process
 * group.
 *
 * Life: a serial port's terminal lives for ever; a pty's slave is made with its master and freed
 * at the last reference (open files, the session's processes, the master). On the first open
 * ops->open, on the last close ops->close.
 *
 * I immutable after creation, a atomic, t guarded by .lock (rank TTY).
 */
#include <asm/termbits.h>
#include <asm/termios.h>
#include "fs/vfs.h"
#include "kernel/lib/refcount.h"
#include "kernel/proc/proc.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/waitq.h"
#include "kernel/tty/ldisc.h"

struct tty;
struct uart_port;

/*
 * A device under a terminal. Holds tty->lock, except room, pending, drained and ioctl. NULL:
 * nothing to do.
 */
struct tty_ops {
	int (*open)(struct tty *t); /* first open. 0 or -errno */
	void (*close)(struct tty *t); /* last close */
	size_t (*write)(struct tty *t, const u8 *s, size_t n); /* bytes taken */
	size_t (*room)(struct tty *t);
	size_t (*pending)(struct tty *t); /* bytes not sent yet */
	bool (*drained)(struct tty *t); /* all is on the line; NULL: when pending is 0 */
	void (*flush)(struct tty *t); /* drop what is pending */
	void (*stop)(struct tty *t);
	void (*start)(struct tty *t);
	/* A flow control character, ahead of what waits; NULL: write it. */
	void (*send_now)(struct tty *t, u8 c);
	void (*unthrottle)(struct tty *t); /* the discipline has room for input again */
	void (*input_flushed)(struct tty *t);
	void (*termios_changed)(struct tty *t, const struct ktermios *old);
	int (*modem)(struct tty *t, bool set, u32 *bits); /* TIOCM_*; NULL: -ENOTTY */
	void (*set_break)(struct tty *t, bool on);
	void (*hangup)(struct tty *t);
	int (*ioctl)(struct tty *t, u32 cmd, u64 arg); /* without lock; -ENOIOCTLCMD: not mine */
	void (*free)(struct tty *t); /* last reference; NULL: lives for ever */
};
#define ENOIOCTLCMD 515 /* internal: try the next handler */

struct tty {
	refcount_t refs; /* a */
	struct mutex lock; /* rank TTY */
	struct mutex write_lock; /* rank TTY, taken before .lock: one write(2) at a time */
	const struct tty_ops *ops; /* I */
	void *priv; /* I: the device's */
	u64 dev; /* I: device number */
	char name[16]; /* I: without /dev/ */
	bool is_pty; /* I */
	bool is_console_line; /* I: no controlling terminal by open */
	struct ldisc ld; /* t */
	struct ktermios termios, locked; /* t: the modes; bits that may not change */
	struct winsize ws; /* t */
	struct pid *pgrp, *session; /* t: references; a for comparing */
	u32 pgrp_nr; /* t to write, a to read: number of pgrp, 0: none */
	u32 opens; /* t */
	bool exclusive; /* t: TIOCEXCL */
	bool flow_off; /* t: TCOOFF */
	bool other_closed; /* t: pty: the master is gone */
	u32 hangups; /* a: opens from before the last hangup are dead */
	u32 signals; /* t: bit n: LDISC signal or TTY_SIG_* to send after unlocking */
	bool cut_short; /* t: a write found no room and did not wait */
	/* a: open files to tell (fs/async.h), of the terminal and of its pty master */
	struct list async, master_async;
	struct waitq read_wait; /* own */
	struct waitq write_wait; /* own */
};
#define TTY_SIG_WINCH 8
/* Not to the foreground group but to those who asked with O_ASYNC. */
#define TTY_TELL_INPUT 16
#define TTY_TELL_ROOM 32
#define TTY_TELL_MASTER 64

/* An open of a terminal: file->priv. */
struct tty_file {
	struct tty *tty; /* I: reference */
	u32 hangups; /* I: tty->hangups at open */
	bool console; /* I: through /dev/console, which survives hangups */
};

/* tty.c */
void tty_init(void); /* boot: /dev/tty, /dev/console, ptys, processes' operations */
void tty_setup(struct tty *t, const struct tty_ops *ops, void *priv, u64 dev, const char *name);
void tty_get(struct tty *t);
void tty_put(struct tty *t);
void tty_lock(struct tty *t);
void tty_unlock(struct tty *t); /* sends the signals that came up */
int __must_check tty_open_file(struct tty *t, struct file *f, bool console);
void tty_hangup(struct tty *t); /* files only: see tty_vhangup */
/* @n bytes were read or written through @f: its times tell who is idle (w(1)). ctx: thread */
void tty_note_time(struct file *f, ssize_t n, bool wrote);
bool tty_file_is_dead(const struct tty_file *tf);
/* Wait until output is on the line. 0 or -ERESTARTSYS */
int tty_drain(struct tty *t);
void tty_restart_output(struct tty *t); /* holds: lock */
void tty_note_room(struct tty *t); /* wakes writers. holds: lock */
extern const struct file_ops tty_file_ops;
extern const struct ktermios tty_default_termios;

/* tty_ioctl.c */
long tty_ioctl(struct file *f, u32 cmd, u64 arg);
/* Of the real terminal, also through a pty master. */
long tty_ioctl_modes(struct tty *t, u32 cmd, u64 arg);
long tty_ioctl_discipline(u64 arg); /* TIOCSETD */
u32 tty_baud(const struct ktermios *t);

/* tty_job.c */
/* May the caller read (SIGTTIN) or change (SIGTTOU)? */
int __must_check tty_check_job(struct tty *t, int sig);
long tty_ioctl_job(struct tty *t, struct file *f, u32 cmd, u64 arg);
/* A session leader without a terminal gets @t. */
void tty_open_controlling(struct tty *t, const struct file *f);
void tty_vhangup(struct tty *t); /* as when the line drops: session, then files */
void tty_vhangup_current(void); /* vhangup(2) */
void tty_job_init(void);

/* tty_console.c */
void tty_console_init(void);
long tty_console_redirect(struct file *f); /* TIOCCONS */
void tty_console_hung_up(const struct tty *t);
/* True: the write to /dev/console went elsewhere, with this result. */
bool tty_console_write_redirected(struct uio *u, ssize_t *out);

/* uart.c */
struct tty *uart_console_tty(void); /* with a reference; NULL */
void uart_console_init(void); /* boot, after /dev/console */
/* pty.c, devpts.c */
void pty_init(void);
bool pty_is_master(const struct file *f);
