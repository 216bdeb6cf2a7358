#pragma once
/* Between the files of AF_UNIX: af_unix.c has names and connections, unix_msg.c messages, unix_gc.c
 * descriptors on their way. */
#include <linux/un.h>
#include "kernel/lib/refcount.h"
#include "kernel/sched/mutex.h"
#include "net/sock/socket.h"

struct unix_addr {
	u32 len; /* of the whole sockaddr_un */
	struct sockaddr_un sun;
};

/* One piece of a stream, or one message. */
struct unix_msg {
	struct list link; /* receiver's u */
	bool peeked; /* receiver's rlock: an empty one was looked at */
	struct unix_sock *sender; /* I: reference */
	u32 size; /* I */
	u32 off; /* receiver's rlock: read so far, of a stream */
	u32 charge; /* I: what it counts against the sender's buffer */
	struct scm scm; /* receiver's rlock; the files also gc_lock */
	u8 data[]; /* I */
};

enum unix_state { UNIX_FREE, UNIX_LISTEN, UNIX_CONNECTED };

/*
 * u: .lock; n: the names' lock (af_unix.c); g: gc_lock (unix_gc.c); r: .rlock; a: atomic; I:
 * immutable after creation. References: the file's, a listener's for each connection it has not
 * given out, a peer's, each message's to its sender.
 */
struct unix_sock {
	struct socket s; /* a: as its fields say */
	refcount_t refs; /* a */
	struct spinlock lock; /* rank UNIX */
	struct mutex rlock; /* rank SOCK: one receiver at a time copies */
	enum unix_state state; /* u; a for looking */
	u32 shut; /* u; a for looking: SHUT_* of this end */
	bool dead; /* u; a for looking: the file is gone */
	struct unix_sock *peer; /* u: reference; other end, or default destination */
	struct list queue; /* u: struct unix_msg */
	u32 nqueued; /* u; a for looking: messages that hold something */
	u32 arrivals; /* u; a for looking: messages that ever came */
	struct unix_msg *oob; /* u: of the queue: the out-of-band byte, unless it was read */
	u32 bytes; /* u; a for looking: to be read from the queue */
	u32 wmem; /* a: charges of messages of this sender */
	struct list pending; /* u, of a listener: connections to accept, by .accept_link */
	struct list accept_link; /* u of the listener */
	u32 npending; /* u; a for looking */
	u32 backlog; /* u; a for looking: a listener's; datagrams that may wait, I */
	struct unix_addr *addr; /* n to set once; a for looking */
	struct inode *bound; /* n: NULL: not bound to a file */
	struct path where; /* I once bound: references */
	struct list named, all; /* n */
	u32 uid; /* I: who made it */
	struct sock_ucred peercred; /* u */
	struct cred *peergroups; /* u: reference; who .peercred is, or NULL */
	bool has_peercred; /* u */
	struct waitq wait; /* own lock */
	u32 inflight; /* g: times it is in messages */
	u32 found; /* g, while collecting */
	struct list flying; /* g */
};

static inline struct unix_sock *unix_of(struct socket *s)
{
	return container_of(s, struct unix_sock, s);
}

static inline struct unix_sock *unix_get(struct unix_sock *u)
{
	ref_get(&u->refs);
	return u;
}

void unix_put(struct unix_sock *u); /* ctx: thread; sleeps */
/* The other end, with a reference, or NULL. */
struct unix_sock *unix_peer(struct unix_sock *u);
/* Is @a no name at all? */
bool unix_addr_wrong(const struct sock_addr *a);
/*
 * Socket named by @a with a reference; type must fit @type. -ECONNREFUSED, -EPROTOTYPE, path
 * errors.
 */
int __must_check unix_find(const struct sock_addr *a, u16 type, struct unix_sock **out);
/* A name of the kernel's choice, unless it has one. 0, -ENOMEM, -ENOSPC. */
int __must_check unix_autobind(struct unix_sock *u);

/*
 * References to the sockets there are, @max at most; how many there are. ctx: thread; sleeps: no
 */
u32 unix_collect(struct unix_sock **out, u32 max);

/* --- unix_msg.c --- */
ssize_t unix_stream_send(struct socket *s, struct sock_msg *m);
ssize_t unix_stream_recv(struct socket *s, struct sock_msg *m);
ssize_t unix_dgram_send(struct socket *s, struct sock_msg *m);
ssize_t unix_dgram_recv(struct socket *s, struct sock_msg *m);
ssize_t unix_seqpacket_send(struct socket *s, struct sock_msg *m);
void unix_msg_free(struct unix_msg *m); /* on no queue. ctx: thread; sleeps */
void unix_unqueue(struct unix_sock *u, struct list *out); /* what was not read goes to @out's end */
void unix_drop(struct list *msgs); /* free all of @msgs. ctx: thread; sleeps */
void unix_flush(struct unix_sock *u); /* drop what was not read. ctx: thread; sleeps */
void unix_dgram_lost(struct unix_sock *u, struct unix_sock *peer);
bool unix_writable(const struct unix_sock *u);
/* May a datagram go to @to from @from, as far as its queue goes? */
bool unix_has_room(const struct unix_sock *to, const struct unix_sock *from);
extern struct waitq unix_room; /* woken when a full queue of datagrams is no longer full */

/* --- unix_look.c --- */
u32 unix_stream_poll(struct socket *s, struct poll_table *pt);
u32 unix_dgram_poll(struct socket *s, struct poll_table *pt);
long unix_queued(struct socket *s, bool out);
bool unix_at_mark(struct socket *s);
bool unix_peercred(struct socket *s, struct sock_ucred *out, struct cred **groups);
bool unix_listening(struct socket *s);
long unix_ioctl(struct socket *s, u32 cmd, u64 arg);
/* One line of /proc/net/unix. ctx: thread; holds: the names' lock */
void unix_show_sock(struct sbuf *out, const struct unix_sock *u);

/* --- unix_gc.c --- */
/* @scm's files begin or end to be on their way. holds: gc_lock */
extern struct mutex unix_gc_lock;
void unix_fly(struct scm *scm);
void unix_land(struct scm *scm);
void unix_gc_kick(void); /* look for sockets that only messages hold, if there may be any */
