/*
 * System V semaphores (semget(2), semop(2), semctl(2)).
 *
 * A set is an array of counters. semop applies all its operations or none: apply() tries, and
 * undoes what it did when one would block. A caller that must wait leaves its operations on the
 * set's list; whoever changes a counter goes through the list in FIFO order and performs what has
 * become possible on the sleeper's behalf, then wakes it with the result. So a woken thread never
 * has to compete again.
 *
 * SEM_UNDO: each process has a list of adjustments per set (struct sem_undo), made before its first
 * such operation and applied when the process ends. Both lists, and everything else here, are
 * guarded by sem_ids.lock; user copies and sleeps happen without it. A sleeper and an undo entry
 * each hold a reference on the set.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/sem.h>
#include "fs/procfs.h"
#include "kernel/base/time.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "mm/slab.h"

/* i: sem_ids.lock. */
struct sem {
	int value; /* i */
	u32 pid; /* i: last to operate on it */
};

struct sem_set {
	struct ipc_object perm; /* i */
	s64 otime, ctime; /* i */
	struct list waiters; /* i: struct sem_waiter.link */
	struct list undos; /* i: struct sem_undo.set_link */
	u32 count; /* I */
	struct sem sems[]; /* i */
};

struct sem_undo {
	struct list set_link; /* i */
	struct list proc_link; /* i: the process's list */
	struct sem_set *set; /* i: reference; NULL when the set was removed */
	u32 id; /* I */
	s16 adjust[]; /* i: per semaphore */
};

struct sem_undo_list {
	refcount_t refs; /* a: processes that share it */
	struct list undos; /* i */
};

struct sem_waiter {
	struct list link; /* i */
	struct sembuf *ops; /* o: sleeping thread's */
	u32 n; /* o */
	u32 pid; /* o */
	u32 blocked_on; /* i: index of the operation that could not go on */
	struct sem_undo *undo; /* i */
	int result; /* a: 1 while waiting */
	struct waitq wait; /* its own lock */
};

#define WAITING 1

static struct ipc_ids sem_ids;
IPC_NEXT_ID(sem_next_id, sem_ids);
/* SEMMSL, SEMMNS, SEMOPM, SEMMNI; a */
static struct {
	int msl, mns, opm, mni;
} sem_limits = { 32000, SEMMNS, 500, 32000 };
static const struct sysctl_row sem_row = { &sem_limits, 4, false, -0x7fffffff - 1, 0x7fffffff };
static int sem_total; /* i: semaphores of all sets */

static ssize_t limits_write(const char *text, size_t n, void *arg)
{
	int mni = sem_limits.mni;
	ssize_t ret = sysctl_row_write(text, n, arg);

	if ((u32)sem_limits.mni > IPC_INDEX_MASK + 1) {
		WRITE_ONCE(sem_limits.mni, mni);
		return -ERANGE;
	}
	return ret;
}
PROC_FILE(sysctl_sem, "sys/kernel/sem", 0644, .show = sysctl_row_show, .write = limits_write,
	  .arg = (void *)&sem_row);

/* See ipc.h. ctx: any */
u32 sem_ops_max(void)
{
	return (u32)READ_ONCE(sem_limits.opm);
}

static struct sem_set *set_of(struct ipc_object *p)
{
	return p ? container_of(p, struct sem_set, perm) : NULL;
}

static void set_put(struct sem_set *s)
{
	if (ref_put(&s->perm.refs))
		kfree(s);
}

/* --- operations --- */

static void unapply(struct sem_set *s, struct sem_waiter *w, u32 done)
{
	while (done--) {
		s->sems[w->ops[done].sem_num].value -= w->ops[done].sem_op;
		if (w->undo && (w->ops[done].sem_flg & SEM_UNDO))
			w->undo->adjust[w->ops[done].sem_num] += w->ops[done].sem_op;
	}
}

static int apply_one(struct sem_set *s, struct sem_waiter *w, const struct sembuf *op)
{
	int v = s->sems[op->sem_num].value, adjust;

	if (op->sem_op == 0)
		return v ? WAITING : 0;
	if (v + op->sem_op < 0)
		return WAITING;
	if (v + op->sem_op > SEMVMX)
		return -ERANGE;
	if (w->undo && (op->sem_flg & SEM_UNDO)) {
		adjust = w->undo->adjust[op->sem_num] - op->sem_op;
		if (adjust < -SEMAEM - 1 || adjust > SEMAEM)
			return -ERANGE;
		w->undo->adjust[op->sem_num] = adjust;
	}
	s->sems[op->sem_num].value = v + op->sem_op;
	return 0;
}

/* All or nothing: 0, WAITING, or -errno. */
static int apply(struct sem_set *s, struct sem_waiter *w)
{
	for (u32 i = 0; i < w->n; i++) {
		int r = apply_one(s, w, &w->ops[i]);

		if (!r)
			continue;
		unapply(s, w, i);
		w->blocked_on = i;
		return r == WAITING && (w->ops[i].sem_flg & IPC_NOWAIT) ? -EAGAIN : r;
	}
	for (u32 i = 0; i < w->n; i++)
		s->sems[w->ops[i].sem_num].pid = w->pid;
	s->otime = ipc_time();
	return 0;
}

static void waiter_finish(struct sem_waiter *w, int result)
{
	list_del(&w->link);
	/*
	 * The sleeper may be gone as soon as it sees the result, so the wake comes from a queue it
	 * leaves under lock.
	 */
	__atomic_store_n(&w->result, result, __ATOMIC_RELEASE);
	waitq_wake_all(&w->wait);
}

/*
 * Counters changed: perform what can go on now, again from the start after each success, since it
 * changes them too.
 */
static void set_changed(struct sem_set *s)
{
	struct sem_waiter *w, *tmp;
	bool again = true;

	while (again) {
		again = false;
		list_for_each_safe(w, tmp, &s->waiters, link) {
			int r = apply(s, w);

			if (r == WAITING)
				continue;
			waiter_finish(w, r);
			again |= r == 0;
		}
	}
}

/* --- undo --- */

static struct sem_undo *undo_find(struct sem_undo_list *l, struct sem_set *s)
{
	struct sem_undo *u;

	list_for_each(u, &l->undos, proc_link) {
		if (u->set == s)
			return u;
	}
	return NULL;
}

static void undo_unlink(struct sem_undo *u)
{
	list_del(&u->set_link);
	list_del(&u->proc_link);
}

/* The list of the current process, made at first use. NULL: no memory. */
static struct sem_undo_list *undo_list_current(void)
{
	struct proc *p = current_proc();
	struct sem_undo_list *l = load_acquire(&p->sem_undo), *expected = NULL;

	if (l)
		return l;
	l = kzalloc(sizeof(*l), 0);
	if (!l)
		return NULL;
	ref_init(&l->refs, 1);
	list_init(&l->undos);
	if (__atomic_compare_exchange_n(&p->sem_undo, &expected, l, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return l;
	kfree(l);
	return expected;
}

/*
 * The current process's entry for @s: found, or made from *spare, which is then NULL. holds:
 * sem_ids.lock.
 */
static struct sem_undo *undo_attach(struct sem_undo_list *l, struct sem_set *s,
				    struct sem_undo **spare)
{
	struct sem_undo *u = undo_find(l, s);

	if (u)
		return u;
	u = *spare;
	*spare = NULL;
	u->set = s;
	u->id = s->perm.id;
	list_add(&s->undos, &u->set_link);
	list_add(&l->undos, &u->proc_link);
	return u;
}

/*
 * clone with CLONE_SYSVSEM between processes: the child shares the parent's list.
 * ctx: thread.
 */
static void sem_share(struct proc *child, struct proc *parent)
{
	struct sem_undo_list *l = undo_list_current();

	if (l)
		ref_get(&l->refs);
	child->sem_undo = l;
}

static void undo_apply(struct sem_undo *u, u32 pid)
{
	struct sem_set *s = u->set;

	for (u32 i = 0; i < s->count; i++) {
		int v = s->sems[i].value + u->adjust[i];

		if (!u->adjust[i])
			continue;
		s->sems[i].value = MIN(MAX(v, 0), SEMVMX);
		s->sems[i].pid = pid;
	}
	s->otime = ipc_time();
	set_changed(s);
}

/*
 * @p ends: undo what it did with SEM_UNDO, unless others share its list.
 * ctx: thread; sleeps: yes.
 */
static void sem_exit(struct proc *p)
{
	struct sem_undo_list *l = p->sem_undo;

	p->sem_undo = NULL;
	if (!l || !ref_put(&l->refs))
		return;
	mutex_lock(&sem_ids.lock);
	while (!list_empty(&l->undos)) {
		struct sem_undo *u = list_first(&l->undos, struct sem_undo, proc_link);

		undo_unlink(u);
		undo_apply(u, p->pid->nr);
		kfree(u);
	}
	mutex_unlock(&sem_ids.lock);
	kfree(l);
}

static const struct proc_sem_ops sem_proc_ops = { .share = sem_share, .exit = sem_exit };

/* --- system calls --- */

static int sem_get_existing(u32 key, u32 count, u32 flags, bool *make)
{
	struct ipc_object *p = key == IPC_PRIVATE ? NULL : ipc_find_key(&sem_ids, key);

	*make = !p;
	if (!p)
		return key == IPC_PRIVATE || (flags & IPC_CREAT) ? 0 : -ENOENT;
	if (!((flags & IPC_CREAT) && (flags & IPC_EXCL)) && count > set_of(p)->count)
		return -EINVAL;
	return ipc_existing(p, flags);
}

static struct sem_set *set_create(u32 key, u32 count, u32 flags)
{
	struct sem_set *s = kzalloc(sizeof(*s) + count * sizeof(struct sem), 0);

	if (!s)
		return NULL;
	ipc_perm_init(&s->perm, key, flags);
	list_init(&s->waiters);
	list_init(&s->undos);
	s->count = count;
	s->ctime = ipc_time();
	return s;
}

/*
 * semget(2).
 * ctx: thread; sleeps: yes. The id, or -EINVAL, -ENOENT, -EEXIST, -EACCES, -ENOSPC, -ENOMEM.
 */
int sem_get(u32 key, u32 count, u32 flags)
{
	struct radix_pool pool;
	struct sem_set *s;
	bool make;
	int ret;

	if ((int)count < 0 || (int)count > READ_ONCE(sem_limits.msl))
		return -EINVAL;
	mutex_lock(&sem_ids.lock);
	ret = sem_get_existing(key, count, flags, &make);
	mutex_unlock(&sem_ids.lock);
	if (ret || !make)
		return ret;
	if (!count)
		return -EINVAL;
	s = set_create(key, count, flags);
	if (!s)
		return -ENOMEM;
	ret = ipc_reserve(&pool);
	if (ret)
		goto put_set;
	mutex_lock(&sem_ids.lock);
	ret = sem_get_existing(key, count, flags, &make);
	if (!ret && make) {
		ret = (s64)sem_total + count > READ_ONCE(sem_limits.mns)
			      ? -ENOSPC
			      : ipc_add(&sem_ids, &s->perm, sem_limits.mni, &pool);
		if (ret >= 0) {
			sem_total += (int)count;
			s = NULL;
		}
	}
	mutex_unlock(&sem_ids.lock);
	ipc_unreserve(&pool);
	if (!s)
		return ret;

put_set:
	set_put(s);
	return ret;
}

/* @id's set with a reference, for @ops that need @want. */
static int set_lookup_locked(int id, const struct sembuf *ops, u32 n, u32 want,
			     struct sem_set **out)
{
	struct sem_set *s = set_of(ipc_find_id(&sem_ids, id));
	int err;

	if (!s)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		if (ops[i].sem_num >= s->count)
			return -EFBIG;
	}
	err = ipc_permission(&s->perm, want);
	if (err)
		return err;
	ref_get(&s->perm.refs);
	*out = s;
	return 0;
}

static void ops_scan(const struct sembuf *ops, u32 n, bool *undo, u32 *want)
{
	*undo = false;
	*want = 0444;
	for (u32 i = 0; i < n; i++) {
		*undo |= ops[i].sem_flg & SEM_UNDO && ops[i].sem_op;
		if (ops[i].sem_op)
			*want = 0222;
	}
}

/*
 * Sleep until somebody performed @w, removed the set, a signal, or @deadline. Takes and leaves
 * without the lock.
 */
static int waiter_sleep(struct sem_waiter *w, s64 deadline)
{
	int err = wait_event_interruptible_timeout(
		&w->wait, __atomic_load_n(&w->result, __ATOMIC_ACQUIRE) != WAITING, deadline);

	mutex_lock(&sem_ids.lock);
	if (w->result == WAITING) {
		list_del(&w->link);
		w->result = err == -ETIMEDOUT ? -EAGAIN : -EINTR;
	}
	mutex_unlock(&sem_ids.lock);
	return w->result;
}

static int sem_op_locked(struct sem_set *s, struct sem_waiter *w, struct sem_undo_list *l,
			 struct sem_undo **spare)
{
	int r;

	if (l)
		w->undo = undo_attach(l, s, spare);
	r = apply(s, w);
	if (r == 0)
		set_changed(s);
	else if (r == WAITING)
		list_add_tail(&s->waiters, &w->link);
	return r;
}

static int undo_prepare(int id, struct sem_undo_list **list, struct sem_undo **spare)
{
	struct sem_set *s;
	u32 count = 0;

	*list = undo_list_current();
	if (!*list)
		return -ENOMEM;
	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	if (s)
		count = s->count;
	mutex_unlock(&sem_ids.lock);
	if (!s)
		return -EINVAL;
	*spare = kzalloc(sizeof(**spare) + count * sizeof(s16), 0);
	return *spare ? 0 : -ENOMEM;
}

/*
 * semop(2), semtimedop(2): @ops in kernel memory.
 * ctx: thread; sleeps: yes. 0, -EACCES, -EAGAIN, -EFBIG, -EIDRM, -EINTR, -EINVAL, -ENOMEM,
 * -ERANGE.
 */
int sem_op(int id, struct sembuf *ops, u32 n, s64 deadline)
{
	struct sem_waiter w = { .ops = ops, .n = n, .pid = ipc_pid(), .result = WAITING };
	struct sem_undo_list *list = NULL;
	struct sem_undo *spare = NULL;
	struct sem_set *s;
	bool undo;
	u32 want;
	int r;

	if (n < 1 || id < 0)
		return -EINVAL;
	list_init(&w.link);
	waitq_init(&w.wait);
	ops_scan(ops, n, &undo, &want);
	if (undo) {
		r = undo_prepare(id, &list, &spare);
		if (r)
			return r;
	}
	mutex_lock(&sem_ids.lock);
	r = set_lookup_locked(id, ops, n, want, &s);
	if (!r) {
		r = sem_op_locked(s, &w, list, &spare);
		mutex_unlock(&sem_ids.lock);
		if (r == WAITING)
			r = waiter_sleep(&w, deadline);
		set_put(s);
	} else {
		mutex_unlock(&sem_ids.lock);
	}
	kfree(spare);
	return r;
}

static void set_fill(const struct sem_set *s, struct semid64_ds *out)
{
	memset(out, 0, sizeof(*out));
	ipc_perm_out(&s->perm, &out->sem_perm);
	out->sem_otime = s->otime;
	out->sem_ctime = s->ctime;
	out->sem_nsems = s->count;
}

/* IPC_STAT, SEM_STAT, SEM_STAT_ANY. ctx: thread. 0 or the id, -EINVAL, -EACCES. */
int sem_stat(int id, int cmd, struct semid64_ds *out)
{
	struct ipc_object *p;
	int ret;

	mutex_lock(&sem_ids.lock);
	p = cmd == IPC_STAT ? ipc_find_id(&sem_ids, id) : ipc_find_index(&sem_ids, id);
	ret = p ? 0 : -EINVAL;
	if (p && cmd != SEM_STAT_ANY)
		ret = ipc_permission(p, 0444);
	if (!ret) {
		set_fill(set_of(p), out);
		ret = cmd == IPC_STAT ? 0 : (int)p->id;
	}
	mutex_unlock(&sem_ids.lock);
	return ret;
}

/* IPC_SET. ctx: thread. 0, -EINVAL, -EPERM. */
int sem_set(int id, const struct semid64_ds *in)
{
	struct sem_set *s;
	int err;

	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	err = s ? ipc_owner(&s->perm) : -EINVAL;
	if (!err)
		err = ipc_perm_set(&s->perm, &in->sem_perm);
	if (!err) {
		s->ctime = ipc_time();
	}
	mutex_unlock(&sem_ids.lock);
	return err;
}

static void set_dismantle(struct sem_set *s)
{
	struct sem_waiter *w, *wtmp;
	struct sem_undo *u, *utmp;

	list_for_each_safe(w, wtmp, &s->waiters, link)
		waiter_finish(w, -EIDRM);
	list_for_each_safe(u, utmp, &s->undos, set_link) {
		undo_unlink(u);
		kfree(u);
	}
}

/* IPC_RMID: sleepers get EIDRM, undo entries go. ctx: thread. 0, -EINVAL, -EPERM. */
int sem_remove(int id)
{
	struct sem_set *s;
	int err;

	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	err = s ? ipc_owner(&s->perm) : -EINVAL;
	if (!err) {
		ipc_remove(&sem_ids, &s->perm);
		sem_total -= (int)s->count;
		set_dismantle(s);
	}
	mutex_unlock(&sem_ids.lock);
	if (!err)
		set_put(s);
	return err;
}

/* Threads that wait for @num to grow, or to become zero. */
static int waiters_count(const struct sem_set *s, u32 num, bool zero)
{
	const struct sem_waiter *w;
	int n = 0;

	list_for_each(w, &s->waiters, link) {
		const struct sembuf *op = &w->ops[w->blocked_on];

		n += op->sem_num == num && (op->sem_op == 0) == zero;
	}
	return n;
}

/* GETVAL, GETPID, GETNCNT, GETZCNT. ctx: thread. The number, -EINVAL, -EACCES. */
int sem_value(int id, u32 num, int cmd)
{
	struct sem_set *s;
	int ret;

	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	ret = s ? ipc_permission(&s->perm, 0444) : -EINVAL;
	if (!ret && num >= s->count)
		ret = -EINVAL;
	if (!ret && cmd == GETVAL)
		ret = s->sems[num].value;
	else if (!ret && cmd == GETPID)
		ret = s->sems[num].pid;
	else if (!ret)
		ret = waiters_count(s, num, cmd == GETZCNT);
	mutex_unlock(&sem_ids.lock);
	return ret;
}

/* A value set by hand voids everybody's adjustments of it. */
static void value_store(struct sem_set *s, u32 num, int value)
{
	struct sem_undo *u;

	s->sems[num].value = value;
	s->sems[num].pid = ipc_pid();
	list_for_each(u, &s->undos, set_link)
		u->adjust[num] = 0;
}

/* SETVAL. ctx: thread. 0, -EINVAL, -EACCES, -ERANGE. */
int sem_set_value(int id, u32 num, int value)
{
	struct sem_set *s;
	int err;

	if (value < 0 || value > SEMVMX)
		return -ERANGE;
	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	err = s && num < s->count ? ipc_permission(&s->perm, 0222) : -EINVAL;
	if (!err) {
		value_store(s, num, value);
		s->ctime = ipc_time();
		set_changed(s);
	}
	mutex_unlock(&sem_ids.lock);
	return err;
}

/*
 * How many values GETALL (@want 0444) or SETALL (0222) moves. ctx: thread. 0, -EINVAL, -EACCES.
 */
int sem_get_count(int id, u32 want, u32 *count)
{
	struct sem_set *s;
	int err;

	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	err = s ? ipc_permission(&s->perm, want) : -EINVAL;
	if (!err)
		*count = s->count;
	mutex_unlock(&sem_ids.lock);
	return err;
}

/* GETALL: @count must be the set's. ctx: thread. 0, -EINVAL, -EACCES. */
int sem_get_all(int id, u16 *values, u32 count)
{
	struct sem_set *s;
	int err;

	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	err = s && s->count == count ? ipc_permission(&s->perm, 0444) : -EINVAL;
	for (u32 i = 0; !err && i < count; i++)
		values[i] = (u16)s->sems[i].value;
	mutex_unlock(&sem_ids.lock);
	return err;
}

/* SETALL: @count must be the set's. ctx: thread. 0, -EINVAL, -EACCES, -ERANGE. */
int sem_set_all(int id, const u16 *values, u32 count)
{
	struct sem_set *s;
	int err = 0;

	for (u32 i = 0; i < count; i++)
		err |= values[i] > SEMVMX ? -ERANGE : 0;
	if (err)
		return err;
	mutex_lock(&sem_ids.lock);
	s = set_of(ipc_find_id(&sem_ids, id));
	err = s && s->count == count ? ipc_permission(&s->perm, 0222) : -EINVAL;
	for (u32 i = 0; !err && i < count; i++)
		value_store(s, i, values[i]);
	if (!err) {
		s->ctime = ipc_time();
		set_changed(s);
	}
	mutex_unlock(&sem_ids.lock);
	return err;
}

/* IPC_INFO, or SEM_INFO with @usage. ctx: thread. The highest used index. */
int sem_info(struct seminfo *out, bool usage)
{
	u32 top;

	memset(out, 0, sizeof(*out));
	out->semmni = sem_limits.mni;
	out->semmns = sem_limits.mns;
	out->semmsl = sem_limits.msl;
	out->semopm = sem_limits.opm;
	out->semvmx = SEMVMX;
	out->semmnu = SEMMNU;
	out->semmap = SEMMAP;
	out->semume = SEMUME;
	mutex_lock(&sem_ids.lock);
	out->semusz = usage ? (int)sem_ids.used : SEMUSZ;
	out->semaem = usage ? sem_total : SEMAEM;
	top = ipc_max_index(&sem_ids);
	mutex_unlock(&sem_ids.lock);
	return top;
}

static int sem_show(struct sbuf *out, void *arg)
{
	u64 at = 0;

	sbuf_puts(out, "       key      semid perms      nsems"
		       "   uid   gid  cuid  cgid      otime      ctime\n");
	mutex_lock(&sem_ids.lock);
	for (struct ipc_object *p; (p = ipc_next(&sem_ids, &at));) {
		struct sem_set *s = set_of(p);

		sbuf_printf(out, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lld %10lld\n", (int)p->key,
			    (int)p->id, p->mode, s->count, p->uid, p->gid, p->cuid, p->cgid,
			    (long long)s->otime, (long long)s->ctime);
	}
	mutex_unlock(&sem_ids.lock);
	return 0;
}
PROC_FILE(sysvipc_sem, "sysvipc/sem", 0444, .show = sem_show);

/*
 * An empty table; processes call back when they fork and end.
 * ctx: boot.
 */
void sem_init(void)
{
	ipc_ids_init(&sem_ids);
	proc_sem_ops = &sem_proc_ops;
}
