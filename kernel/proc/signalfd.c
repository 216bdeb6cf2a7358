/*
 * signalfd(2): pending signals of a set as records to read.
 *
 * A signalfd holds nothing but its set. Whoever reads takes from his own thread's and his own
 * process's pending signals, blocked or not, so one descriptor that several processes share gives
 * each of them his own.
 *
 * Whom a sender wakes: each process that ever looked at a signalfd has a struct sigwatch, a wait
 * queue that every signal to it wakes. Readers wait on their own. An epoll set leaves its entry on
 * the queue for longer than the process may live, so a signalfd holds a reference to each watch
 * through which it was polled, until its release, before which epoll has taken all entries off.
 * Watches of processes that are gone and on which nobody waits are dropped when another one comes.
 *
 * The layout of a record follows what the signal is: signalfd(2), sigaction(2).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/signalfd.h"

/* a atomic */
struct sigwatch {
	refcount_t refs; /* a: the process, and signalfds polled through it */
	struct waitq wait; /* own lock */
};

struct watch_link {
	struct list link; /* w */
	struct sigwatch *watch; /* I: reference */
};

/* w: guarded by .lock; a atomic. */
struct signalfd {
	struct spinlock lock; /* rank SPIN_OUTER */
	struct list watches; /* w: struct watch_link.link */
	ksigset_t set; /* a: never SIGKILL or SIGSTOP */
};

static const struct file_ops signalfd_ops;

static void sigwatch_put(struct sigwatch *w)
{
	if (w && ref_put(&w->refs))
		kfree(w);
}

/* A signal was sent to @p. ctx: any; holds: siglock. */
void sigwatch_wake_locked(struct proc *p)
{
	waitq_wake_all(&p->sigwatch->wait);
}

/* @p is freed. ctx: any */
void sigwatch_exit(struct proc *p)
{
	sigwatch_put(p->sigwatch);
}

/* The watch of current's process, made by the first who asks; the process keeps it. */
static int sigwatch_of_current(struct sigwatch **out)
{
	struct proc *p = current_proc();
	struct sigwatch *w = READ_ONCE(p->sigwatch), *new;
	u64 f;

	if (!w) {
		new = kmalloc(sizeof(*new), 0);
		if (!new)
			return -ENOMEM;
		ref_init(&new->refs, 1);
		waitq_init(&new->wait);
		f = spin_lock_irqsave(&p->siglock);
		w = p->sigwatch;
		if (!w) {
			w = new;
			WRITE_ONCE(p->sigwatch, w);
			new = NULL;
		}
		spin_unlock_irqrestore(&p->siglock, f);
		kfree(new);
	}
	*out = w;
	return 0;
}

/* Does only a signalfd refer to @w, and does nobody wait on it? */
static bool sigwatch_unused(struct sigwatch *w)
{
	u64 f;
	bool empty;

	if (ref_read(&w->refs) != 1)
		return false;
	/* Under the lock, so that nobody who has just left the queue is still in it. */
	f = spin_lock_irqsave(&w->wait.lock);
	empty = list_empty(&w->wait.waiters);
	spin_unlock_irqrestore(&w->wait.lock, f);
	return empty;
}

static bool linked_locked(const struct signalfd *s, const struct sigwatch *w)
{
	struct watch_link *l;

	list_for_each(l, &s->watches, link)
		if (l->watch == w)
			return true;
	return false;
}

static void links_free(struct list *dead)
{
	while (!list_empty(dead)) {
		struct watch_link *l = list_first(dead, struct watch_link, link);

		list_del(&l->link);
		sigwatch_put(l->watch);
		kfree(l);
	}
}

/* Keep @w until the release of @s. 0 or -ENOMEM. */
static int link_add(struct signalfd *s, struct sigwatch *w)
{
	struct list dead = LIST_INIT(dead);
	struct watch_link *new = kmalloc(sizeof(*new), 0), *l, *tmp;

	if (!new)
		return -ENOMEM;
	spin_lock(&s->lock);
	list_for_each_safe(l, tmp, &s->watches, link) {
		if (sigwatch_unused(l->watch)) {
			list_del(&l->link);
			list_add(&dead, &l->link);
		}
	}
	if (!linked_locked(s, w)) {
		new->watch = w;
		ref_get(&w->refs);
		list_add(&s->watches, &new->link);
		new = NULL;
	}
	spin_unlock(&s->lock);
	kfree(new);
	links_free(&dead);
	return 0;
}

static bool has_pending(const struct signalfd *s)
{
	const struct task *t = current_task();

	return (READ_ONCE(t->pending.set) | READ_ONCE(t->proc->pending.set)) & READ_ONCE(s->set);
}

/* Without memory to wait with, it is an error to wait at all. */
static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->priv;
	struct sigwatch *w;
	bool known;

	if (!pt)
		return has_pending(s) ? POLLIN : 0;
	if (sigwatch_of_current(&w))
		return POLLERR;
	spin_lock(&s->lock);
	known = linked_locked(s, w);
	spin_unlock(&s->lock);
	if (!known && link_add(s, w))
		return POLLERR;
	poll_wait(pt, &w->wait);
	return has_pending(s) ? POLLIN : 0;
}

/* What the members of the siginfo's union mean. */
enum info_kind { INFO_SENDER, INFO_TIMER, INFO_POLL, INFO_FAULT, INFO_CHILD, INFO_VALUE, INFO_SYS };

static enum info_kind info_kind_of(const struct ksiginfo *i)
{
	if (i->si_code == SI_TIMER)
		return INFO_TIMER;
	if (i->si_code == SI_SIGIO)
		return INFO_POLL;
	if (i->si_code < 0)
		return INFO_VALUE;
	if (i->si_code == SI_USER || i->si_code >= SI_KERNEL)
		return INFO_SENDER;
	switch (i->si_signo) {
	case SIGCHLD: return INFO_CHILD;
	case SIGSYS: return INFO_SYS;
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP: return INFO_FAULT;
	}
	return i->si_code <= NSIGPOLL ? INFO_POLL : INFO_SENDER;
}

static void record_child(struct signalfd_siginfo *r, const struct ksiginfo *i)
{
	r->ssi_pid = (u32)i->si_pid;
	r->ssi_uid = i->si_uid;
	r->ssi_status = i->si_status;
	r->ssi_utime = (u64)i->si_utime;
	r->ssi_stime = (u64)i->si_stime;
}

static void record_fill(struct signalfd_siginfo *r, const struct ksiginfo *i)
{
	memset(r, 0, sizeof(*r));
	r->ssi_signo = (u32)i->si_signo;
	r->ssi_errno = i->si_errno;
	r->ssi_code = i->si_code;
	switch (info_kind_of(i)) {
	case INFO_SENDER:
		r->ssi_pid = (u32)i->si_pid;
		r->ssi_uid = i->si_uid;
		break;
	case INFO_TIMER:
		r->ssi_tid = (u32)i->si_tid;
		r->ssi_overrun = (u32)i->si_overrun;
		r->ssi_ptr = (u64)i->si_ptr;
		r->ssi_int = i->si_int;
		break;
	case INFO_POLL:
		r->ssi_band = (u32)i->si_band;
		r->ssi_fd = i->si_fd;
		break;
	case INFO_FAULT:
		r->ssi_addr = (u64)i->si_addr;
		if (i->si_signo == SIGBUS && i->si_code >= BUS_MCEERR_AR)
			r->ssi_addr_lsb = (u16)i->si_addr_lsb;
		break;
	case INFO_CHILD: record_child(r, i); break;
	case INFO_VALUE:
		r->ssi_pid = (u32)i->si_pid;
		r->ssi_uid = i->si_uid;
		r->ssi_ptr = (u64)i->si_ptr;
		r->ssi_int = i->si_int;
		break;
	case INFO_SYS:
		r->ssi_call_addr = (u64)i->si_call_addr;
		r->ssi_syscall = i->si_syscall;
		r->ssi_arch = i->si_arch;
		break;
	}
}

/* Wait for a signal of the set. Its number, -EAGAIN or -ERESTARTSYS. */
static int signalfd_next(struct signalfd *s, bool nonblock, struct ksiginfo *info)
{
	int sig = signal_dequeue(READ_ONCE(s->set), info), err;
	struct sigwatch *w;

	if (sig)
		return sig;
	if (nonblock)
		return -EAGAIN;
	err = sigwatch_of_current(&w);
	if (!err &&
	    wait_event_interruptible(&w->wait, (sig = signal_dequeue(READ_ONCE(s->set), info))))
		err = -ERESTARTSYS;
	return sig ? sig : err;
}

static ssize_t signalfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct signalfd_siginfo r;
	struct ksiginfo info;
	bool nonblock = u->nonblock;
	ssize_t done = 0;
	int sig;

	if (u->left < sizeof(r))
		return -EINVAL;
	while (u->left >= sizeof(r)) {
		sig = signalfd_next(f->priv, nonblock, &info);
		if (sig < 0)
			return done ? done : sig;
		record_fill(&r, &info);
		if (uio_copy_to(u, &r, sizeof(r)) != sizeof(r))
			return done ? done : -EFAULT;
		done += (ssize_t)sizeof(r);
		nonblock = true;
	}
	return done;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->priv;

	links_free(&s->watches);
	kfree(s);
}

static void signalfd_show(struct file *f, struct sbuf *sb)
{
	const struct signalfd *s = f->priv;

	sbuf_printf(sb, "sigmask:\t%016llx\n", (unsigned long long)READ_ONCE(s->set));
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.seek = file_seek_nothing,
	.release = signalfd_release,
	.show_fdinfo = signalfd_show,
};

/*
 * A signalfd of @set; @flags: O_NONBLOCK. ctx: thread; sleeps. 0 or -ENOMEM.
 */
int signalfd_create(ksigset_t set, u32 flags, struct file **out)
{
	struct signalfd *s = kmalloc(sizeof(*s), 0);
	int err;

	if (!s)
		return -ENOMEM;
	spin_init(&s->lock, RANK_SPIN_OUTER);
	list_init(&s->watches);
	s->set = set & ~KSIG_UNBLOCKABLE;
	err = file_alloc_anon("[signalfd]", &signalfd_ops, s, FILE_READ | FILE_WRITE | FILE_STREAM,
			      O_RDWR | (flags & O_NONBLOCK), out);
	if (err)
		kfree(s);
	return err;
}

/*
 * Another set for the signalfd @f; who waits looks again. ctx: thread. 0, or -EINVAL: it is none.
 */
int signalfd_set(struct file *f, ksigset_t set)
{
	struct signalfd *s = f->priv;
	struct watch_link *l;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	WRITE_ONCE(s->set, set & ~KSIG_UNBLOCKABLE);
	spin_lock(&s->lock);
	list_for_each(l, &s->watches, link)
		waitq_wake_all(&l->watch->wait);
	spin_unlock(&s->lock);
	if (READ_ONCE(current_proc()->sigwatch))
		waitq_wake_all(&current_proc()->sigwatch->wait);
	return 0;
}
