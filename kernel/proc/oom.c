/*
 * When memory is gone: kill the process that gives most of it back.
 *
 * mm calls oom_kill when reclaim found nothing. The score is the memory that goes with a process
 * (resident pages, page tables, what its pipes, sockets and nameless files hold) in thousandths of
 * all memory, plus oom_score_adj (-1000: never; init is never chosen). Who shares its address space
 * dies with it. When much more memory has gone into what no process owns (files of a tmpfs, names)
 * than the largest process holds, then the one who asks for more is stopped.
 *
 * While a victim is on its way out nobody else is chosen: whoever needs memory waits until the
 * victim has left, which its last thread tells (oom_note_left), and tries again. Should the victim
 * itself wait for something that the waiter holds, the waiter's patience ends, its allocation
 * fails, and it lets go of that.
 *
 * The log says who asked, what memory is used for, and who was killed, in the words that Linux uses
 * and people grep for. Sysctls: vm.panic_on_oom, vm.oom_kill_allocating_task, vm.oom_dump_tasks.
 *
 * Locking: the process tree's lock guards the victim (T). The caller may hold any lock that one may
 * sleep with, so nothing here takes more than spinlocks, and nothing allocates.
 */
#include "fs/procfs.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define OOM_ADJ_NEVER (-1000)
#define SCORE_NEVER (-1000) /* less than any score */
#define OOM_PATIENCE (10 * NSEC_PER_SEC) /* of one who waits for a victim */
#define OOM_STUCK (3 * OOM_PATIENCE) /* a victim that is still there by then is given up */
#define OOM_MORE 4 /* times what the largest process holds belongs to none */
#define KB(frames) ((unsigned long long)(frames) * (PAGE_SIZE / 1024))

static struct pid *oom_victim; /* T; a for looking: killed and perhaps still there */
static s64 oom_since; /* T: when */
static bool oom_choosing; /* T: somebody looks for the next one */
static struct waitq oom_left =
	WAITQ_INIT(oom_left); /* woken when the victim has left, or none was found */

static int panic_on_oom, kill_allocating, dump_tasks = 1;
SYSCTL_INT(panic_on_oom, "sys/vm/panic_on_oom", &panic_on_oom, 0, 2);
SYSCTL_INT(oom_kill_allocating, "sys/vm/oom_kill_allocating_task", &kill_allocating, 0, 1);
SYSCTL_INT(oom_dump_tasks, "sys/vm/oom_dump_tasks", &dump_tasks, 0, 1);

/* What goes with a process, in frames. */
struct oom_size {
	u64 anon, file, shmem, tables, files, virt;
	u64 total;
};

static void proc_size(struct proc *p, struct oom_size *s)
{
	struct task *t = proc_get_leader(p);
	struct fdtable *files;
	struct vmspace *vm;

	memset(s, 0, sizeof(*s));
	if (!t)
		return;
	vm = task_get_vm(t);
	if (vm) {
		s->anon = (u64)atomic_read(&vm->rss_anon);
		s->file = (u64)atomic_read(&vm->rss_file);
		s->shmem = (u64)atomic_read(&vm->rss_shmem);
		s->tables = READ_ONCE(vm->pmap.tables);
		s->virt = READ_ONCE(vm->total_pages);
		vmspace_put(vm);
	}
	files = task_get_files(t);
	if (files) {
		s->files = fdtable_memory(files);
		fdtable_put_deferred(files);
	}
	task_put(t);
	s->total = s->anon + s->file + s->shmem + s->tables + s->files;
}

static bool may_kill(const struct proc *p)
{
	return !p->unkillable && READ_ONCE(p->oom_score_adj) != OOM_ADJ_NEVER;
}

/* How much @p deserves to be killed: thousandths of memory plus its adjustment. */
static s64 score_of(const struct proc *p, const struct oom_size *s)
{
	struct pmm_stats mem;

	if (!may_kill(p) || !s->total)
		return SCORE_NEVER;
	pmm_get_stats(&mem);
	return (s64)(s->total * 1000 / MAX(mem.total, (u64)1)) + READ_ONCE(p->oom_score_adj);
}

/* The score as /proc tells it: from 0, which is also "not at all", up to 1333. ctx: thread. */
s64 oom_score(struct proc *p)
{
	struct oom_size s;

	proc_size(p, &s);
	return (score_of(p, &s) - SCORE_NEVER) * 2 / 3;
}

/*
 * The process with the highest score, with a reference. *most: what the largest holds; *owned: what
 * all do (what they share counts more than once).
 */
static struct proc *oom_choose(struct oom_size *size, u64 *most, u64 *owned)
{
	struct proc *p, *best = NULL;
	s64 best_score = SCORE_NEVER;

	memset(size, 0, sizeof(*size));
	*most = *owned = 0;
	for (p = proc_next(1); p;) {
		u32 next = p->pid->nr + 1;
		struct oom_size s;
		s64 score;

		proc_size(p, &s);
		score = score_of(p, &s);
		*most = MAX(*most, score != SCORE_NEVER ? s.total : 0);
		*owned += s.total;
		if (score > best_score || (best && score == best_score && s.total > size->total)) {
			if (best)
				proc_put(best);
			best = proc_get(p);
			best_score = score;
			*size = s;
		}
		proc_put(p);
		p = proc_next(next);
	}
	return best;
}

/* As oom_choose, or the one who asks. */
static struct proc *oom_choose_victim(struct oom_size *size, const char **why)
{
	struct proc *me = current->user ? current_proc() : NULL, *best;
	struct pmm_stats mem;
	u64 most, owned;

	best = oom_choose(size, &most, &owned);

	pmm_get_stats(&mem);
	*why = "it has the highest score";
	if (!me || !may_kill(me) || me == best)
		return best;
	if (kill_allocating)
		*why = "it asked for memory";
	else if (most < (mem.total - MIN(owned, mem.total)) / OOM_MORE)
		*why = "it asked for memory, and no process holds much";
	else
		return best;
	if (best)
		proc_put(best);
	proc_size(me, size);
	return proc_get(me);
}

/* Does a victim have to leave, or be found, before another may be chosen? holds: tree */
static bool oom_busy_locked(void)
{
	return oom_choosing || (oom_victim && oom_victim->proc && oom_victim->proc->ntasks &&
				time_now() - oom_since < OOM_STUCK);
}

static bool oom_busy(void)
{
	bool busy;

	proc_tree_lock();
	busy = oom_busy_locked();
	proc_tree_unlock();
	return busy;
}

/* False: a victim is on its way, or about to be chosen. */
static bool oom_begin(void)
{
	struct pid *gone = NULL;
	bool begun;

	proc_tree_lock();
	begun = !oom_busy_locked();
	if (begun) {
		oom_choosing = true;
		gone = oom_victim;
		WRITE_ONCE(oom_victim, NULL);
	}
	proc_tree_unlock();
	if (gone)
		pid_put(gone);
	return begun;
}

/* The choice is made: @p, or nobody. */
static void oom_end(struct proc *p)
{
	proc_tree_lock();
	oom_choosing = false;
	if (p) {
		WRITE_ONCE(oom_victim, pid_get(p->pid));
		oom_since = time_now();
	}
	proc_tree_unlock();
	if (!p)
		waitq_wake_all(&oom_left);
}

/*
 * All threads of @p have given back what they had: those who wait for memory go on. ctx: thread.
 */
void oom_note_left(const struct proc *p)
{
	if (unlikely(READ_ONCE(oom_victim) == p->pid))
		waitq_wake_all(&oom_left);
}

/* Kill @p and who shares its memory. */
static void oom_kill_all_of(struct proc *p)
{
	struct task *t = proc_get_leader(p);
	struct vmspace *vm = t ? task_get_vm(t) : NULL;
	struct proc *q;

	if (t)
		task_put(t);
	signal_send_proc(p, SIGKILL, NULL);
	for (q = vm ? proc_next(1) : NULL; q;) {
		u32 next = q->pid->nr + 1;

		t = q == p || !may_kill(q) ? NULL : proc_get_leader(q);
		/* Only compared: who changes it meanwhile does not share it any more. */
		if (t && READ_ONCE(t->thread.vm) == vm)
			signal_send_proc(q, SIGKILL, NULL);
		if (t)
			task_put(t);
		proc_put(q);
		q = proc_next(next);
	}
	if (vm)
		vmspace_put(vm);
}

static void log_tasks(void)
{
	struct proc *p;

	log_info("[  pid  ]   uid  total_vm      rss   tables    files oom_score_adj name");
	for (p = proc_next(1); p;) {
		u32 next = p->pid->nr + 1;
		struct cred *c = proc_get_cred(p);
		struct oom_size s;
		char name[16];

		proc_size(p, &s);
		proc_get_name(p, name);
		if (s.total)
			log_info("[%7u] %5u %9llu %8llu %8llu %8llu %13d %s", p->pid->nr, c->uid,
				 (unsigned long long)s.virt,
				 (unsigned long long)(s.anon + s.file + s.shmem),
				 (unsigned long long)s.tables, (unsigned long long)s.files,
				 READ_ONCE(p->oom_score_adj), name);
		cred_put(c);
		proc_put(p);
		p = proc_next(next);
	}
}

/* Who asked, and where memory is. */
static void log_situation(u32 order)
{
	u64 cached = pagecache_total_frames(), shmem = pagecache_memory_frames();
	struct pmm_stats mem;
	struct vm_totals vm;
	char name[16];

	thread_get_name(current, name);
	log_warn("%s invoked oom-killer: order=%u, oom_score_adj=%d", name, order,
		 current->user ? READ_ONCE(current_proc()->oom_score_adj) : 0);
	pmm_get_stats(&mem);
	vm_get_totals(&vm);
	log_warn("Mem-Info: total:%llukB free:%llukB anon:%llukB shmem:%llukB cache:%llukB "
		 "slab:%llukB vmalloc:%llukB pagetables:%llukB",
		 KB(mem.total), KB(mem.free), KB(vm.anon), KB(shmem),
		 KB(cached - MIN(shmem, cached)), KB(slab_total_frames()), KB(kvm_used_frames()),
		 KB(vm.tables));
	if (dump_tasks)
		log_tasks();
}

static void log_victim(struct proc *p, const struct oom_size *s, const char *why)
{
	struct cred *c = proc_get_cred(p);
	char name[16];

	proc_get_name(p, name);
	log_crit("Out of memory: Killed process %u (%s) total-vm:%llukB, anon-rss:%llukB, "
		 "file-rss:%llukB, shmem-rss:%llukB, UID:%u pgtables:%llukB files:%llukB "
		 "oom_score_adj:%d: %s",
		 p->pid->nr, name, KB(s->virt), KB(s->anon), KB(s->file), KB(s->shmem), c->uid,
		 KB(s->tables), KB(s->files), READ_ONCE(p->oom_score_adj), why);
	cred_put(c);
}

/*
 * Memory for a block of 2^@order frames cannot be had: make some. ctx: thread; sleeps.
 * True: somebody has died, try again.
 */
static bool oom_kill(u32 order)
{
	struct oom_size size;
	const char *why;
	struct proc *p;

	if (current->user && signal_fatal_pending())
		return false;
	if (!oom_begin())
		return !wait_event_timeout(&oom_left, !oom_busy(), time_now() + OOM_PATIENCE);
	p = oom_choose_victim(&size, &why);
	if (!p) {
		oom_end(NULL);
		return false;
	}
	if (panic_on_oom)
		panic_plain("out of memory, and vm.panic_on_oom is set");
	log_situation(order);
	log_victim(p, &size, why);
	oom_end(p);
	oom_kill_all_of(p);
	proc_put(p);
	return true;
}

/*
 * Boot. ctx: boot.
 */
void oom_init(void)
{
	pmm_set_oom_handler(oom_kill);
}
