#pragma once
/*
 * Pseudo terminals: what pty.c and devpts.c share. The slave is a struct tty whose device is the
 * ring .out that the master reads; the master's writes are the slave's input.
 *
 * Life: made by opening ptmx, with the master's reference; each open of the slave and the
 * session's processes hold the slave's terminal, whose last reference frees it. I immutable, t
 * guarded by slave.lock, d guarded by the instance's lock.
 */
#include "kernel/tty/tty.h"

#define PTY_OUT 8192 /* bytes from slave to master */
#define PTY_ARRIVED 4095 /* of them, which no flush of the slave reaches: as on Linux */
#define PTY_MAX 4096 /* per instance */

struct devpts;

struct pty {
	struct tty slave;
	u32 index; /* I */
	struct devpts *dir; /* I: instance, reference held */
	struct inode *inode; /* d: /dev/pts/N, reference; NULL after the master closed */
	struct list link; /* d: devpts.ptys, until the master closes */
	struct ring out; /* t */
	u8 *out_buf; /* I */
	struct waitq master_read; /* own */
	struct waitq master_write; /* own */
	bool locked; /* a: TIOCSPTLCK */
	bool slave_seen; /* t: was opened once */
	bool master_held; /* t: TCOOFF by the master: what it writes waits */
	bool master_exclusive; /* t: its own TIOCEXCL, which nothing asks for */
	bool master_hung; /* t to set, a: TIOCVHANGUP by the master */
	bool packet; /* t: TIOCPKT */
	u8 packet_status; /* t: TIOCPKT_* to report */
};

/* An open of a master: file->priv. */
struct pty_master {
	struct pty *pty; /* I: reference on its slave */
	struct path root; /* I: of the devpts mount, references: for TIOCGPTPEER */
};

static inline struct pty *pty_of_master(struct file *f)
{
	return ((struct pty_master *)f->priv)->pty;
}

/* pty.c */
int __must_check pty_create(struct devpts *dir, u32 index, struct pty **out);
int __must_check pty_open_slave(struct pty *p, struct file *f);

/* pty_ioctl.c */
long pty_master_ioctl(struct file *f, u32 cmd, u64 arg);

/* devpts.c */
/*
 * The instance that opening ptmx at @p makes ptys in; *root: its root with references. 0 or
 * -ENODEV.
 */
int __must_check devpts_of_ptmx(const struct path *p, struct devpts **out, struct path *root);
void devpts_put(struct devpts *d);
/* A new pty in @d with its name. 0, -ENOSPC, -ENOMEM. */
int __must_check devpts_new(struct devpts *d, struct pty **out);
void devpts_remove(struct pty *p); /* the name goes; the number is free when the pty is */
void devpts_free_index(struct devpts *d, u32 index);
extern const struct file_ops pty_ptmx_ops;
