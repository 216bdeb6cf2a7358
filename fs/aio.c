/*
 * Asynchronous input and output as Linux has it: contexts, their rings, polls.
 *
 * The ring is shared anonymous memory that the process maps; its address is the context's name. The
 * kernel holds the frames too and writes events at the tail; readers, in the kernel or in the
 * process itself, move the head. Nothing in it is believed: the tail that counts is ->tail, and a
 * head from user space is only ever taken modulo the ring's length.
 *
 * A context belongs to an address space (vmspace.aio) and ends with it, by io_destroy(2), or by
 * exec and exit. References keep it for calls that run and for its polls.
 *
 * A poll hooks itself into the file's wait queues. A wake puts it on a list from which one kernel
 * thread takes it to look what there really is. Who takes it off the context's list ends it: that
 * thread, io_cancel(2), or the end of the context.
 *
 * Locks: ctx->lock (rank EVENT); fired_lock (rank EPOLL_READY) inside wait queues.
 */
#include <linux/aio_abi.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include <arch/cpu.h>
#include <arch/user.h>
#include "fs/aio.h"
#include "fs/eventfd.h"
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "mm/vm/vmspace.h"

#define RING_MAGIC 0xa10a10a1u
#define RING_MAX (0x10000000u / (u32)sizeof(struct io_event))
#define HOOKS 2u /* wait queues of one file */
#define BATCH 8u

/* What the process sees in front of the events. */
struct ring {
	u32 id, nr, head, tail, magic, compat, incompat, header_length;
};
_Static_assert(sizeof(struct ring) == 32 && sizeof(struct io_event) == 32, "as libaio has them");
#define PER_PAGE (PAGE_SIZE / sizeof(struct io_event))

/* I immutable, a atomic, c guarded by .lock, o guarded by owners_lock. */
struct aio_ctx {
	refcount_t refs; /* a */
	struct spinlock lock; /* rank EVENT */
	struct aio_ctx *next; /* o: of the same address space */
	u64 id; /* I: where the ring is mapped */
	u32 nr, asked; /* I: places in the ring, requests counted in aio_nr */
	u32 tail; /* c; a for looking */
	u32 pending; /* c: events that will come */
	bool dead; /* c; a for looking */
	struct list polls; /* c: struct aio_poll.active */
	struct waitq wait; /* own lock */
	u32 npages; /* I */
	struct page *pages[]; /* I: references */
};

struct hook {
	struct waiter w; /* the queue's lock */
	struct waitq *q; /* I */
	struct aio_poll *poll; /* I */
};

/* I immutable, a atomic, c guarded by ctx->lock, f guarded by fired_lock. */
struct aio_poll {
	refcount_t refs; /* a: of the active list, of the fired list */
	struct aio_ctx *ctx; /* I: reference */
	struct file *file; /* I: reference */
	struct aio_done done; /* I: its eventfd goes with the event */
	u32 events; /* I */
	bool armed; /* a: wakes are heeded */
	u32 nhooks; /* I once armed; HOOKS + 1: there were too many */
	struct hook hooks[HOOKS]; /* I once armed */
	struct list active; /* c */
	struct list fired; /* f */
};

static int aio_max_nr = 65536; /* a */
SYSCTL_INT(aio_max_nr, "sys/fs/aio-max-nr", &aio_max_nr, 0, 0x7fffffff);
static u32 aio_nr; /* a: requests that there are contexts for */
static struct spinlock owners_lock = SPINLOCK_INIT(RANK_EVENT);
static struct spinlock fired_lock = SPINLOCK_INIT(RANK_EPOLL_READY);
static struct list fired = LIST_INIT(fired); /* fired_lock */
static struct waitq fired_wait = WAITQ_INIT(fired_wait);
static u32 poller; /* a: 1: the thread that looks at what fired was started */

static int aio_nr_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\n", READ_ONCE(aio_nr));
	return 0;
}
PROC_FILE(aio_nr, "sys/fs/aio-nr", 0444, .show = aio_nr_show);

/* --- the ring --- */

static struct ring *ring_of(const struct aio_ctx *c)
{
	return page_to_va(c->pages[0]);
}

static struct io_event *event_at(const struct aio_ctx *c, u32 i)
{
	i += sizeof(struct ring) / sizeof(struct io_event);
	return (struct io_event *)page_to_va(c->pages[i / PER_PAGE]) + i % PER_PAGE;
}

/* Events from @head, taken from user memory, to @tail. */
static u32 ring_used(const struct aio_ctx *c, u32 head, u32 tail)
{
	head %= c->nr;
	return tail >= head ? tail - head : tail + c->nr - head;
}

static u32 ring_ready(const struct aio_ctx *c)
{
	return ring_used(c, READ_ONCE(ring_of(c)->head), READ_ONCE(c->tail));
}

/* See aio.h. */
int aio_reserve(struct aio_ctx *c)
{
	int err = -EAGAIN;

	spin_lock(&c->lock);
	if (c->dead) {
		err = -EINVAL;
	} else if (ring_ready(c) + c->pending < c->nr - 1) {
		c->pending++;
		err = 0;
	}
	spin_unlock(&c->lock);
	return err;
}

/* See aio.h. */
void aio_unreserve(struct aio_ctx *c)
{
	spin_lock(&c->lock);
	c->pending--;
	spin_unlock(&c->lock);
}

/* See aio.h. */
void aio_complete(struct aio_ctx *c, const struct aio_done *d, s64 res)
{
	struct io_event *e;
	u32 tail;

	spin_lock(&c->lock);
	e = event_at(c, c->tail);
	e->data = d->data;
	e->obj = d->iocb;
	e->res = res;
	e->res2 = 0;
	tail = (c->tail + 1) % c->nr;
	store_release(&ring_of(c)->tail, tail);
	store_release(&c->tail, tail);
	c->pending--;
	spin_unlock(&c->lock);
	if (d->eventfd) {
		eventfd_signal(d->eventfd);
		file_put(d->eventfd);
	}
	waitq_wake_all(&c->wait);
}

/* A few events to user memory, after which the head moves. How many, 0, -EFAULT. */
static long ring_take(struct aio_ctx *c, u64 uevents, long most)
{
	struct io_event few[BATCH];
	u32 head, n;

	do {
		head = READ_ONCE(ring_of(c)->head);
		n = ring_used(c, head, load_acquire(&c->tail));
		n = MIN(n, BATCH);
		n = (u32)MIN((long)n, most);
		for (u32 i = 0; i < n; i++)
			few[i] = *event_at(c, (head % c->nr + i) % c->nr);
		if (!n || copy_to_user(uevents, few, n * sizeof(few[0])))
			return n ? -EFAULT : 0;
		/* Somebody else may have taken them meanwhile. */
	} while (!__atomic_compare_exchange_n(&ring_of(c)->head, &head, (head % c->nr + n) % c->nr,
					      false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return n;
}

/* See aio.h. */
long aio_collect(struct aio_ctx *c, u64 uevents, long min, long most, s64 deadline)
{
	long got = 0, n;

	for (;;) {
		n = got < most
			    ? ring_take(c, uevents + (u64)got * sizeof(struct io_event), most - got)
			    : 0;
		if (n > 0) {
			got += n;
			continue;
		}
		if (!n && READ_ONCE(c->dead))
			n = -EINVAL;
		if (n < 0 || got >= min || !deadline)
			break;
		n = wait_event_interruptible_timeout(&c->wait, ring_ready(c) || READ_ONCE(c->dead),
						     deadline);
		if (n) {
			n = n == -ETIMEDOUT ? 0 : n;
			break;
		}
	}
	return got ? got : n;
}

/* --- polls --- */

static void poll_put(struct aio_poll *p)
{
	if (!ref_put(&p->refs))
		return;
	file_put(p->file);
	aio_put(p->ctx);
	kfree(p);
}

/* ctx: any; holds: the queue's lock */
static bool hook_wake(struct waiter *w, u32 key)
{
	struct aio_poll *p = container_of(w, struct hook, w)->poll;
	u64 flags;

	if (!READ_ONCE(p->armed) || (key && !(key & p->events)))
		return false;
	flags = spin_lock_irqsave(&fired_lock);
	if (list_empty(&p->fired)) {
		list_add_tail(&fired, &p->fired);
		ref_get(&p->refs);
	}
	spin_unlock_irqrestore(&fired_lock, flags);
	waitq_wake_one(&fired_wait);
	return true;
}

static void hooks_remove(struct aio_poll *p)
{
	for (u32 i = 0; i < MIN(p->nhooks, HOOKS); i++)
		waitq_remove(p->hooks[i].q, &p->hooks[i].w);
}

/* The first that fired, with its reference; NULL: none. */
static struct aio_poll *fired_pop(void)
{
	struct aio_poll *p = NULL;
	u64 flags = spin_lock_irqsave(&fired_lock);

	if (!list_empty(&fired)) {
		p = list_first(&fired, struct aio_poll, fired);
		list_del(&p->fired);
	}
	spin_unlock_irqrestore(&fired_lock, flags);
	return p;
}

/* It is over, with these events, unless somebody else has ended it. */
static void poll_end(struct aio_poll *p, u32 events)
{
	bool mine;

	spin_lock(&p->ctx->lock);
	mine = !list_empty(&p->active);
	list_del(&p->active);
	spin_unlock(&p->ctx->lock);
	if (!mine)
		return;
	hooks_remove(p);
	aio_complete(p->ctx, &p->done, events);
	poll_put(p);
}

static void poller_main(void *arg)
{
	for (;;) {
		struct aio_poll *p;
		u32 events;

		(void)wait_event_interruptible(&fired_wait, !list_empty(&fired));
		p = fired_pop();
		if (!p)
			continue;
		events = file_poll(p->file, NULL) & p->events;
		if (events)
			poll_end(p, events);
		poll_put(p);
	}
}

static int poller_start(void)
{
	u32 none = 0;
	int err;

	if (!__atomic_compare_exchange_n(&poller, &none, 1, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return 0;
	err = thread_create("aio", poller_main, NULL, NULL);
	if (err)
		WRITE_ONCE(poller, 0);
	return err;
}

/* Carried through a poll operation. */
struct hooking {
	struct poll_table pt;
	struct aio_poll *poll;
};

static void hook_add(struct poll_table *pt, struct waitq *q)
{
	struct aio_poll *p = container_of(pt, struct hooking, pt)->poll;
	struct hook *h = &p->hooks[p->nhooks];

	if (p->nhooks >= HOOKS) {
		p->nhooks = HOOKS + 1;
		return;
	}
	p->nhooks++;
	waiter_init(&h->w);
	h->w.wake = hook_wake;
	h->q = q;
	h->poll = p;
	waitq_add(q, &h->w);
}

/* From now on wakes count; what came before them is looked at once more. */
static void poll_arm(struct aio_poll *p)
{
	struct aio_ctx *c = p->ctx;
	bool dead;
	u32 events;

	ref_get(&p->refs);
	spin_lock(&c->lock);
	dead = c->dead;
	list_add_tail(&c->polls, &p->active);
	WRITE_ONCE(p->armed, true);
	spin_unlock(&c->lock);
	smp_mb(); /* who did not see it armed has made true what is looked at here */
	events = dead ? 0 : file_poll(p->file, NULL) & p->events;
	if (dead || events)
		poll_end(p, events);
	poll_put(p);
}

/* See aio.h. */
int aio_poll(struct aio_ctx *c, struct file *f, u32 events, const struct aio_done *d)
{
	struct hooking h = { .pt = { .queue = hook_add, .key = events } };
	struct aio_poll *p;
	int err = poller_start();

	if (err)
		return err;
	p = h.poll = kzalloc(sizeof(*p), 0);
	if (!p)
		return -ENOMEM;
	ref_init(&p->refs, 1);
	list_init(&p->active);
	list_init(&p->fired);
	p->events = events | POLLERR | POLLHUP;
	p->done = *d;
	p->file = f;
	p->ctx = c;
	events = file_poll(f, &h.pt) & p->events;
	if (!events && (!p->nhooks || p->nhooks > HOOKS)) {
		hooks_remove(p);
		kfree(p);
		return -EINVAL;
	}
	ref_get(&c->refs);
	if (!events) {
		poll_arm(p);
		return 0;
	}
	hooks_remove(p);
	aio_complete(c, d, events);
	poll_put(p);
	return 0;
}

/* A poll of @c, with a reference: that of @iocb, or any. NULL: there is none. */
static struct aio_poll *poll_find(struct aio_ctx *c, u64 iocb, bool any)
{
	struct aio_poll *p, *found = NULL;

	spin_lock(&c->lock);
	list_for_each(p, &c->polls, active) {
		if (any || p->done.iocb == iocb) {
			ref_get(&p->refs);
			found = p;
			break;
		}
	}
	spin_unlock(&c->lock);
	return found;
}

/* See aio.h. */
int aio_cancel(struct aio_ctx *c, u64 iocb)
{
	struct aio_poll *p = poll_find(c, iocb, false);

	if (!p)
		return -EINVAL;
	poll_end(p, 0);
	poll_put(p);
	return 0;
}

/* --- contexts --- */

/* See aio.h. */
void aio_put(struct aio_ctx *c)
{
	if (!ref_put(&c->refs))
		return;
	for (u32 i = 0; i < c->npages; i++)
		page_put(c->pages[i]);
	__atomic_sub_fetch(&aio_nr, c->asked, __ATOMIC_RELAXED);
	kfree(c);
}

static struct aio_ctx *ctx_alloc(u32 nr)
{
	u32 npages = (u32)DIV_ROUND_UP(sizeof(struct ring) + (nr + 2) * sizeof(struct io_event),
				       PAGE_SIZE);
	struct aio_ctx *c = kzalloc(sizeof(*c) + npages * sizeof(c->pages[0]), 0);

	if (!c)
		return NULL;
	ref_init(&c->refs, 1);
	spin_init(&c->lock, RANK_EVENT);
	list_init(&c->polls);
	waitq_init(&c->wait);
	c->nr = (u32)(npages * PER_PAGE - sizeof(struct ring) / sizeof(struct io_event));
	c->npages = npages;
	return c;
}

/* Map a ring for @c, and keep its frames. */
static int ring_map(struct aio_ctx *c, const struct vm_limits *lim)
{
	struct vm_map_args a = {
		.len = (u64)c->npages * PAGE_SIZE,
		.prot = PROT_R | PROT_W,
		.max_prot = PROT_R | PROT_W,
		.flags = VM_SHARED | VM_DONTEXPAND,
		.name = "/[aio] (deleted)",
		.limits = lim,
	};
	u32 npages = c->npages;
	int err = vm_shared_anon(a.len, 0, &a.file);

	c->npages = 0;
	if (err)
		return err;
	err = vm_map(current->vm, &a, &c->id);
	a.file->ops->put(a.file); /* the mapping has its own reference */
	if (err)
		return err;
	for (; !err && c->npages < npages; c->npages += !err)
		err = vm_get_page(current->vm, c->id + (u64)c->npages * PAGE_SIZE, true,
				  &c->pages[c->npages]);
	if (err) {
		(void)vm_unmap(current->vm, c->id, a.len);
		return -ENOMEM;
	}
	*ring_of(c) = (struct ring){
		.nr = c->nr, .magic = RING_MAGIC, .compat = 1, .header_length = sizeof(struct ring)
	};
	return 0;
}

/* Count @nr more requests in aio_nr. */
static bool count_more(u32 nr)
{
	u32 was = READ_ONCE(aio_nr);

	do {
		if (nr > (u32)READ_ONCE(aio_max_nr) || was > (u32)READ_ONCE(aio_max_nr) - nr)
			return false;
	} while (!__atomic_compare_exchange_n(&aio_nr, &was, was + nr, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* See aio.h. As on Linux there is room for more than was asked: at least four per CPU, doubled. */
int aio_setup(u32 nr, const struct vm_limits *lim, u64 *id)
{
	u32 room = MAX(nr, cpu_count * 4);
	struct aio_ctx *c;
	int err;

	if (room * 2 > RING_MAX) /* which wraps, as on Linux, for what is too much anyway */
		return -EINVAL;
	if (nr > (u32)READ_ONCE(aio_max_nr))
		return -EAGAIN;
	c = ctx_alloc(room * 2);
	if (!c)
		return -ENOMEM;
	if (!count_more(nr)) {
		c->npages = 0;
		aio_put(c);
		return -EAGAIN;
	}
	c->asked = nr;
	err = ring_map(c, lim);
	if (err) {
		aio_put(c);
		return err;
	}
	*id = c->id;
	spin_lock(&owners_lock);
	c->next = current->vm->aio;
	current->vm->aio = c;
	spin_unlock(&owners_lock);
	return 0;
}

/* See aio.h. */
struct aio_ctx *aio_find(u64 id)
{
	struct aio_ctx *c;

	spin_lock(&owners_lock);
	for (c = current->vm->aio; c && c->id != id; c = c->next)
		;
	if (c)
		ref_get(&c->refs);
	spin_unlock(&owners_lock);
	return c;
}

/* It is off its owner's list, whose reference goes. */
static void ctx_end(struct aio_ctx *c)
{
	struct aio_poll *p;

	spin_lock(&c->lock);
	WRITE_ONCE(c->dead, true);
	spin_unlock(&c->lock);
	while ((p = poll_find(c, 0, true))) {
		poll_end(p, 0);
		poll_put(p);
	}
	waitq_wake_all(&c->wait);
	aio_put(c);
}

/* See aio.h. */
int aio_destroy(struct aio_ctx *c)
{
	struct vmspace *vm = current->vm;
	struct aio_ctx **p;
	bool found;

	spin_lock(&owners_lock);
	for (p = &vm->aio; *p && *p != c; p = &(*p)->next)
		;
	found = *p != NULL;
	if (found)
		*p = c->next;
	spin_unlock(&owners_lock);
	if (!found)
		return -EINVAL;
	(void)vm_unmap(vm, c->id, (u64)c->npages * PAGE_SIZE);
	ctx_end(c);
	return 0;
}

/* The address space goes, and with it its contexts. ctx: thread; sleeps */
static void space_ends(struct vmspace *vm)
{
	struct aio_ctx *c;

	while ((c = vm->aio)) {
		vm->aio = c->next;
		ctx_end(c);
	}
}

/* See aio.h. */
void aio_init(void)
{
	vm_aio_hook = space_ends;
}
