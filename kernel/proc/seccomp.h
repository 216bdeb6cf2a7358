#pragma once
/*
 * Filters of system calls: seccomp(2). See seccomp.c.
 */
#include <linux/seccomp.h>
#include "kernel/lib/bpf.h"
#include "kernel/lib/refcount.h"

struct poll_table;
struct file;
struct seccomp_notify;
struct task;
struct trapframe;

/* One program, and those installed before it. I immutable once a thread has it. */
struct seccomp_filter {
	refcount_t refs; /* a */
	struct seccomp_filter *prev; /* I: with a reference; NULL: the first */
	u32 total; /* I: cost of it and all before it */
	u32 depth; /* I: filters, it included */
	bool log; /* I: SECCOMP_FILTER_FLAG_LOG */
	struct seccomp_notify *notify; /* I: reference: who is asked; NULL: nobody */
	u32 length; /* I: instructions */
	struct sock_filter code[]; /* I */
};

/* Room for @n instructions, 1..BPF_MAXINSNS. -ENOMEM. ctx: thread; sleeps */
int __must_check seccomp_filter_alloc(u32 n, struct seccomp_filter **out);
void seccomp_filter_put(struct seccomp_filter *f); /* and those before it. ctx: any */
/*
 * The program in @f binds current from now on, with SECCOMP_FILTER_FLAG_TSYNC in @flags all threads
 * of its process. Consumes @f. 0; the id of a thread that has other filters; -EINVAL, -ENOMEM,
 * -ESRCH, -EBUSY (there is a listener already). ctx: thread; sleeps
 */
long seccomp_filter_attach(struct seccomp_filter *f, u32 flags);
/* SECCOMP_MODE_STRICT for current. 0, -EINVAL: it is bound otherwise. ctx: thread */
int seccomp_bind_strictly(void);
/* A new thread is bound as current is. holds: the siglock of current's process */
void seccomp_inherit_locked(struct task *child);
/*
 * Current is bound, and *tf makes a system call. False: it is not made, and x0 is in *tf. The
 * number and the arguments may have been changed by a tracer. ctx: thread; sleeps; or it ends there
 */
bool __must_check seccomp_enter(struct trapframe *tf);
u32 seccomp_depth(struct task *t); /* how many filters it has. ctx: thread */
/*
 * Filter @index of @t, 0: the oldest, with a reference. -EINVAL: none at all; -ENOENT: not so many.
 * ctx: thread
 */
int __must_check seccomp_filter_lookup(struct task *t, u64 index, struct seccomp_filter **out);

/*
 * seccomp_notify.c: who listens to a filter. A new one has one reference; the file's end is
 * _close, the filter's _orphan, which drop theirs. ctx: thread for _create and _close; else any
 */
int __must_check seccomp_notify_create(bool killable, struct seccomp_notify **out); /* -ENOMEM */
struct seccomp_notify *seccomp_notify_get(struct seccomp_notify *n);
void seccomp_notify_put(struct seccomp_notify *n);
void seccomp_notify_close(struct seccomp_notify *n);
void seccomp_notify_orphan(struct seccomp_notify *n);
bool seccomp_notify_is_open(const struct seccomp_notify *n);
u32 seccomp_notify_poll(struct seccomp_notify *n, struct poll_table *pt);
/*
 * Current's call @data goes to the listener. True: it is to be made; else its result is in *tf,
 * also -ERESTARTSYS. ctx: thread; sleeps
 */
bool __must_check seccomp_notify_ask(struct seccomp_notify *n, struct trapframe *tf,
				     const struct seccomp_data *data);
/*
 * SECCOMP_IOCTL_NOTIF_*: -EINTR and -ENOENT (taken back) of the first, which sleeps; the caller may
 * give back what it could not use. -ENOENT, -EINPROGRESS of the others; _addfd sleeps: the
 * descriptor in the other's table, or also -EBUSY, -EBADF, -EMFILE, -ENOMEM, -ESRCH, -ERESTARTSYS.
 * ctx: thread
 */
int seccomp_notify_recv(struct seccomp_notify *n, struct seccomp_notif *out);
void seccomp_notify_unrecv(struct seccomp_notify *n, u64 id);
int seccomp_notify_send(struct seccomp_notify *n, const struct seccomp_notif_resp *answer);
int seccomp_notify_valid(struct seccomp_notify *n, u64 id);
long seccomp_notify_addfd(struct seccomp_notify *n, const struct seccomp_notif_addfd *how,
			  struct file *file);
