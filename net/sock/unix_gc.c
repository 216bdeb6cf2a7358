/*
 * AF_UNIX: sockets that only messages hold.
 *
 * A descriptor sent over a socket is a reference in a message. A socket whose own descriptor lies
 * in a message that nobody can read any more, because the receiving socket is held by such messages
 * too, would stay for ever. So each socket counts the messages it is in (inflight), and when
 * sockets are closed while some are in flight, a worker looks for rings:
 *
 *   1. candidates: sockets in flight whose file has no other references than messages;
 *   2. from each candidate's queue, what it holds is subtracted: a candidate that still counts
 *      something is in the queue of a socket that somebody can read;
 *   3. those, and all that can be reached from them, are in use;
 *   4. the queues of the rest are dropped, which closes them.
 *
 * As on Linux a collection follows the end of a socket, not each close(2) of a descriptor: a ring
 * whose last descriptor was that of a socket in flight stays until the next AF_UNIX socket ends.
 *
 * gc_lock makes the picture stand still: files get into messages and out of them under it only, and
 * a candidate's other references cannot grow, as nobody has a descriptor of it.
 */
#include "fs/fsuser.h"
#include "kernel/sched/work.h"
#include "net/sock/unix.h"

struct mutex unix_gc_lock;
static struct list flying = LIST_INIT(flying); /* gc_lock: sockets in flight */
static u32 nflying; /* gc_lock; a for looking */

static struct unix_sock *unix_of_file(const struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

/* See unix.h. holds: gc_lock */
void unix_fly(struct scm *scm)
{
	for (u32 i = 0; i < scm->nfiles; i++) {
		struct unix_sock *u = unix_of_file(scm->files[i]);

		if (u && !u->inflight++) {
			list_add_tail(&flying, &u->flying);
			nflying++;
		}
	}
	if (scm->user)
		__atomic_add_fetch(&scm->user->unix_inflight, scm->nfiles, __ATOMIC_RELAXED);
}

/* See unix.h. holds: gc_lock */
void unix_land(struct scm *scm)
{
	for (u32 i = 0; i < scm->nfiles; i++) {
		struct unix_sock *u = unix_of_file(scm->files[i]);

		if (u && !--u->inflight) {
			list_del(&u->flying);
			nflying--;
		}
	}
	if (scm->user)
		__atomic_sub_fetch(&scm->user->unix_inflight, scm->nfiles, __ATOMIC_RELAXED);
}

/* Is @u a candidate of this collection? Marked by .found above zero. */
#define FOUND_CANDIDATE 0x80000000u

typedef void (*sock_fn)(struct unix_sock *u, struct list *arg);

/* Call @fn for @u and, of a listener, for the connections that it has not given out. */
static void each_reader(struct unix_sock *u, sock_fn fn, struct list *arg)
{
	struct unix_sock *child;

	fn(u, arg);
	if (u->state != UNIX_LISTEN)
		return;
	spin_lock(&u->lock);
	list_for_each(child, &u->pending, accept_link) {
		spin_unlock(&u->lock); /* gc_lock and no descriptor: nobody accepts meanwhile */
		fn(child, arg);
		spin_lock(&u->lock);
	}
	spin_unlock(&u->lock);
}

/* Call @fn for each candidate in the messages of @u's queue. */
static void each_held(struct unix_sock *u, sock_fn fn, struct list *arg)
{
	struct unix_msg *m;

	spin_lock(&u->lock);
	list_for_each(m, &u->queue, link) {
		for (u32 i = 0; i < m->scm.nfiles; i++) {
			struct unix_sock *held = unix_of_file(m->scm.files[i]);

			if (held && (held->found & FOUND_CANDIDATE))
				fn(held, arg);
		}
	}
	spin_unlock(&u->lock);
}

static void subtract(struct unix_sock *held, struct list *arg)
{
	held->found--;
}

static void subtract_held(struct unix_sock *u, struct list *arg)
{
	each_held(u, subtract, arg);
}

/* @held is in use: it leaves the candidates, and what it holds is looked at too. */
static void rescue(struct unix_sock *held, struct list *in_use)
{
	held->found = 0;
	list_del(&held->flying);
	list_add_tail(in_use, &held->flying);
}

static void rescue_held(struct unix_sock *u, struct list *in_use)
{
	each_held(u, rescue, in_use);
}

static void mark_candidates(void)
{
	struct unix_sock *u;

	list_for_each(u, &flying, flying) {
		struct file *f = READ_ONCE(u->s.file);

		u->found = 0;
		if (f && ref_read(&f->refs) == u->inflight)
			u->found = FOUND_CANDIDATE | u->inflight;
	}
	list_for_each(u, &flying, flying)
		if (u->found & FOUND_CANDIDATE)
			each_reader(u, subtract_held, NULL);
}

/* What is left of the candidates afterwards is garbage. holds: gc_lock */
static void rescue_used(void)
{
	struct list in_use = LIST_INIT(in_use), done = LIST_INIT(done);
	struct unix_sock *u, *next;

	list_for_each_safe(u, next, &flying, flying)
		if ((u->found & FOUND_CANDIDATE) && u->found != FOUND_CANDIDATE)
			rescue(u, &in_use);
	while (!list_empty(&in_use)) {
		u = list_first(&in_use, struct unix_sock, flying);
		list_del(&u->flying);
		list_add_tail(&done, &u->flying);
		each_reader(u, rescue_held, &in_use);
	}
	list_splice_tail(&flying, &done);
}

/*
 * The garbage's messages are taken off their queues all at once: were they dropped one by one
 * outside gc_lock, another collection would take a ring that is half gone for one in use, and this
 * one would then leave the other half.
 */
static void collect(struct work *w)
{
	struct list dead = LIST_INIT(dead);
	struct unix_sock *u;

	mutex_lock(&unix_gc_lock);
	mark_candidates();
	rescue_used();
	list_for_each(u, &flying, flying)
		if (u->found == FOUND_CANDIDATE)
			each_reader(u, unix_unqueue, &dead);
	mutex_unlock(&unix_gc_lock);
	unix_drop(&dead);
}

static struct work gc_work = { .link = LIST_INIT(gc_work.link), .fn = collect };

/* See unix.h. ctx: any */
void unix_gc_kick(void)
{
	if (READ_ONCE(nflying))
		work_queue(&gc_work);
}
