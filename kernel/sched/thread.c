/*
 * The life of a thread.
 *
 * thread_init gives a zeroed struct a stack and scheduling parameters; thread_start makes it
 * runnable; it ends in thread_exit. The thread itself holds one reference from thread_init on. A
 * thread cannot free the stack it stands on, so the one that the CPU runs next does (thread_ended,
 * from the tail of the switch): it takes the dead thread off the list of all, frees the stack, and
 * drops that reference. Others who hold references keep the struct, not the stack.
 *
 * A wake that races with the end finds the state DEAD, which no wake applies to; who wakes must
 * hold a reference or a lock under which the sleeper leaves, like that of a wait queue.
 *
 * Locking: all_lock (rank THREAD_LIST) guards the list; thread.lock the name; the rest is the
 * scheduler's.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include "kernel/base/cred.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched_internal.h"
#include "mm/kvm.h"
#include "mm/mm_debug.h"
#include "mm/slab.h"

/* A kernel thread and what it runs. */
struct kthread {
	struct thread thread; /* first */
	void (*fn)(void *); /* I */
	void *arg; /* I */
};

/* The context that head.S starts in. */
struct thread boot_thread = {
	.lock = SPINLOCK_INIT(RANK_THREAD),
	.refs = { { 2 } }, /* never freed: it is not from the heap */
	.state = TS_RUNNABLE,
	.affinity = ~0ull,
	.name = "boot",
	.se = { .weight = WEIGHT_NICE0, .klass = SC_FAIR, .policy = SCHED_NORMAL },
	.cred = &cred_root,
	.all = LIST_INIT(boot_thread.all),
};

static struct spinlock all_lock = SPINLOCK_INIT(RANK_THREAD_LIST);
static struct list all_threads = LIST_INIT(all_threads);

static void inherit(struct thread *t, const struct thread *from)
{
	t->affinity = from->affinity;
	t->cpu = from->cpu;
	sched_inherit(t, from);
}

/*
 * See thread.h.
 * ctx: thread; sleeps: for the stack. 0 or -ENOMEM.
 */
int thread_init(struct thread *t, const char *name, void (*fn)(void *), void *arg)
{
	t->stack = kvm_stack_alloc();
	if (!t->stack)
		return -ENOMEM;
	arch_thread_init(&t->arch, t->stack, KSTACK_SIZE, fn, arg);
	/* Comes on in the middle of a switch: in __schedule, with the run queue locked. */
	t->arch.preempt_count = 2;
	spin_init(&t->lock, RANK_THREAD);
	ref_init(&t->refs, 1);
	t->state = TS_NEW;
	list_init(&t->all);
	list_init(&t->se.link);
	rb_clear(&t->se.node);
	inherit(t, current);
	strlcpy(t->name, name, sizeof(t->name));
	t->start_time = time_now();
	if (!t->user)
		t->cred = &cred_root;
	return 0;
}

/*
 * Make an initialised thread runnable for the first time.
 * ctx: thread
 */
void thread_start(struct thread *t)
{
	u64 irq = spin_lock_irqsave(&all_lock);

	list_add_tail(&all_threads, &t->all);
	runq_this()->forks++;
	spin_unlock_irqrestore(&all_lock, irq);
	/*
	 * Others may know it already and change its parameters: it leaves its queue under the lock.
	 */
	(void)sched_wake(t, 1u << TS_NEW);
}

/*
 * Undo thread_init for a thread that was never started; the struct stays the caller's.
 * ctx: thread
 */
void thread_fini_unstarted(struct thread *t)
{
	kvm_stack_free(t->stack);
	t->stack = NULL;
}

static void kthread_main(void *arg)
{
	struct kthread *k = arg;

	k->fn(k->arg);
	thread_exit();
}

/*
 * Start a kernel thread; see thread.h.
 * ctx: thread; sleeps: for memory. 0 or -ENOMEM.
 */
int thread_create(const char *name, void (*fn)(void *), void *arg, struct thread **out)
{
	struct kthread *k = kzalloc(sizeof(*k), 0);

	if (!k)
		return -ENOMEM;
	k->fn = fn;
	k->arg = arg;
	if (thread_init(&k->thread, name, kthread_main, k)) {
		kfree(k);
		return -ENOMEM;
	}
	k->thread.cred = &cred_root;
	k->thread.affinity = ~0ull;
	(void)sched_set_policy(&k->thread, SCHED_NORMAL, 0, 0);
	if (out) {
		thread_get(&k->thread);
		*out = &k->thread;
	}
	thread_start(&k->thread);
	return 0;
}

/*
 * End the running thread.
 * ctx: thread, no lock held; does not return
 */
void thread_exit(void)
{
	lockdebug_assert_none();
	sched_prepare(TS_DEAD);
	schedule();
	panic("a dead thread runs");
}

/*
 * The CPU has left the dead thread @t for good.
 * ctx: tail of a switch, preemption off; consumes: the thread's own reference
 */
void thread_ended(struct thread *t)
{
	u64 irq = spin_lock_irqsave(&all_lock);

	list_del(&t->all);
	spin_unlock_irqrestore(&all_lock, irq);
	if (t->stack)
		kvm_stack_free(t->stack);
	t->stack = NULL;
	thread_put(t);
}

/* One more reference. ctx: any */
void thread_get(struct thread *t)
{
	ref_get(&t->refs);
}

/*
 * Drop a reference; the last one frees the thread.
 * ctx: any that t->destroy allows
 */
void thread_put(struct thread *t)
{
	if (!ref_put(&t->refs))
		return;
	mm_fail_nth_set(&t->arch, 0);
	if (t->destroy)
		t->destroy(t);
	else
		kfree(t);
}

/* Change the name that ps shows; PR_GET_NAME gives all of it: nothing stays behind. ctx: any */
void thread_set_name(struct thread *t, const char *name)
{
	u64 irq = spin_lock_irqsave(&t->lock);
	size_t n = strlcpy(t->name, name, sizeof(t->name));

	if (n < sizeof(t->name))
		memset(t->name + n, 0, sizeof(t->name) - n);
	spin_unlock_irqrestore(&t->lock, irq);
}

/* Copy the name. ctx: any */
void thread_get_name(struct thread *t, char out[16])
{
	u64 irq = spin_lock_irqsave(&t->lock);

	memcpy(out, t->name, sizeof(t->name));
	spin_unlock_irqrestore(&t->lock, irq);
}

/*
 * Call @fn for every thread that was started and has not ended.
 * ctx: any; @fn runs under the list's lock
 */
void thread_foreach(void (*fn)(struct thread *t, void *arg), void *arg)
{
	u64 irq = spin_lock_irqsave(&all_lock);
	struct thread *t;

	list_for_each(t, &all_threads, all)
		fn(t, arg);
	spin_unlock_irqrestore(&all_lock, irq);
}
