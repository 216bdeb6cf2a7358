/*
 * System V message queues (msgget(2), msgop(2), msgctl(2)).
 *
 * A queue is a list of messages in order of arrival. Senders wait for room, receivers for a message
 * of their type; both sleep on the queue's wait queue and look again when anything changed. All
 * state is guarded by msg_ids.lock; message texts are allocated before and freed after it is held.
 * A sleeper holds a reference on its queue.
 */
#include <linux/capability.h>
#include <linux/msg.h>
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "mm/slab.h"

struct msg {
	struct list link; /* i: queue->messages */
	s64 type; /* I */
	size_t size; /* I */
	u8 text[]; /* I */
};

/* i: msg_ids.lock. */
struct msg_queue {
	struct ipc_object perm; /* i */
	struct list messages; /* i */
	u64 bytes, count, max_bytes; /* i */
	s64 stime, rtime, ctime; /* i */
	u32 lspid, lrpid; /* i */
	u32 changes; /* a: bumped whenever a sleeper should look again */
	struct waitq wait; /* its own lock */
};

static struct ipc_ids msg_ids;
IPC_NEXT_ID(msg_next_id, msg_ids);
static int msg_max = 8192, msg_mnb = 16384, msg_mni = 32000;
SYSCTL_INT(msgmax, "sys/kernel/msgmax", &msg_max, 0, 0x7fffffff);
SYSCTL_INT(msgmnb, "sys/kernel/msgmnb", &msg_mnb, 0, 0x7fffffff);
SYSCTL_INT(msgmni, "sys/kernel/msgmni", &msg_mni, 0, IPC_INDEX_MASK + 1);

static struct msg_queue *queue_of(struct ipc_object *p)
{
	return p ? container_of(p, struct msg_queue, perm) : NULL;
}

static void queue_put(struct msg_queue *q)
{
	if (ref_put(&q->perm.refs))
		kfree(q);
}

static void queue_changed(struct msg_queue *q)
{
	__atomic_fetch_add(&q->changes, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&q->wait);
}

/* The get call's answer if the key exists; 0 and *make: create. holds: msg_ids.lock. */
static int msg_get_existing(u32 key, u32 flags, bool *make)
{
	struct ipc_object *p = key == IPC_PRIVATE ? NULL : ipc_find_key(&msg_ids, key);

	*make = !p;
	if (!p)
		return key == IPC_PRIVATE || (flags & IPC_CREAT) ? 0 : -ENOENT;
	return ipc_existing(p, flags);
}

static struct msg_queue *queue_create(u32 key, u32 flags)
{
	struct msg_queue *q = kzalloc(sizeof(*q), 0);

	if (!q)
		return NULL;
	ipc_perm_init(&q->perm, key, flags);
	list_init(&q->messages);
	waitq_init(&q->wait);
	q->max_bytes = msg_mnb;
	q->ctime = ipc_time();
	return q;
}

/*
 * msgget(2).
 * ctx: thread; sleeps: yes. The id, or -ENOENT, -EEXIST, -EACCES, -ENOSPC, -ENOMEM.
 */
int msg_get(u32 key, u32 flags)
{
	struct msg_queue *q;
	struct radix_pool pool;
	bool make;
	int ret;

	mutex_lock(&msg_ids.lock);
	ret = msg_get_existing(key, flags, &make);
	mutex_unlock(&msg_ids.lock);
	if (ret || !make)
		return ret;
	q = queue_create(key, flags);
	if (!q)
		return -ENOMEM;
	ret = ipc_reserve(&pool);
	if (ret)
		goto put_queue;
	mutex_lock(&msg_ids.lock);
	ret = msg_get_existing(key, flags, &make);
	if (!ret && make) {
		ret = ipc_add(&msg_ids, &q->perm, msg_mni, &pool);
		if (ret >= 0)
			q = NULL;
	}
	mutex_unlock(&msg_ids.lock);
	ipc_unreserve(&pool);
	if (!q)
		return ret;

put_queue:
	queue_put(q);
	return ret;
}

/* Find @id with permission @want and a reference. */
static int queue_lookup_locked(int id, u32 want, struct msg_queue **out)
{
	struct msg_queue *q = queue_of(ipc_find_id(&msg_ids, id));
	int err = q ? ipc_permission(&q->perm, want) : -EINVAL;

	if (!err) {
		ref_get(&q->perm.refs);
		*out = q;
	}
	return err;
}

/*
 * Sleep until the queue changed since @seen. Called with msg_ids.lock held; comes back with it
 * held. 0 or -ERESTARTNOHAND, -EIDRM, -EACCES: @want is not granted any more.
 */
static int queue_wait_locked(struct msg_queue *q, u32 seen, u32 want)
{
	int err;

	mutex_unlock(&msg_ids.lock);
	err = wait_event_interruptible(&q->wait,
				       __atomic_load_n(&q->changes, __ATOMIC_ACQUIRE) != seen);
	mutex_lock(&msg_ids.lock);
	if (q->perm.removed)
		return -EIDRM;
	return err ? -ERESTARTNOHAND : ipc_permission(&q->perm, want);
}

static bool queue_has_room(struct msg_queue *q, size_t size)
{
	/* The second condition bounds empty messages, which take no bytes. */
	return q->bytes + size <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

static void queue_append(struct msg_queue *q, struct msg *m)
{
	list_add_tail(&q->messages, &m->link);
	q->bytes += m->size;
	q->count++;
	q->lspid = ipc_pid();
	q->stime = ipc_time();
	queue_changed(q);
}

/*
 * msgsnd(2): queue a copy of @text.
 * ctx: thread; sleeps: yes. 0, -EINVAL, -EACCES, -EAGAIN, -EIDRM, -ERESTARTNOHAND, -ENOMEM.
 */
int msg_send(int id, s64 type, const void *text, size_t size, u32 flags)
{
	struct msg_queue *q;
	struct msg *m;
	int err;

	if (type < 1 || size > (size_t)msg_max || id < 0)
		return -EINVAL;
	m = kmalloc(sizeof(*m) + size, 0);
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->size = size;
	memcpy(m->text, text, size);
	mutex_lock(&msg_ids.lock);
	err = queue_lookup_locked(id, 0222, &q);
	if (err)
		goto unlock;
	while (!err && !queue_has_room(q, size))
		err = flags & IPC_NOWAIT ? -EAGAIN : queue_wait_locked(q, q->changes, 0222);
	if (!err) {
		queue_append(q, m);
		m = NULL;
	}
	mutex_unlock(&msg_ids.lock);
	queue_put(q);
	kfree(m);
	return err;

unlock:
	mutex_unlock(&msg_ids.lock);
	kfree(m);
	return err;
}

/* The message a receiver of @type is to get, NULL if none. holds: msg_ids.lock. */
static struct msg *queue_pick(struct msg_queue *q, s64 type, u32 flags)
{
	struct msg *m, *best = NULL;
	s64 most = -MAX(type, -TIME_NEVER), nr = 0;

	list_for_each(m, &q->messages, link) {
		if (flags & MSG_COPY) {
			if (nr++ == type)
				return m;
			continue;
		}
		if (type == 0)
			return m;
		if (type > 0 && (m->type == type) == !(flags & MSG_EXCEPT))
			return m;
		if (type < 0 && m->type <= most && (!best || m->type < best->type))
			best = m;
	}
	return best;
}

static void queue_take(struct msg_queue *q, struct msg *m)
{
	list_del(&m->link);
	q->bytes -= m->size;
	q->count--;
	q->lrpid = ipc_pid();
	q->rtime = ipc_time();
	queue_changed(q);
}

/*
 * Take @m off the queue, or with MSG_COPY make a copy of it; *m is the caller's. holds:
 * msg_ids.lock.
 */
static int queue_hand_out(struct msg_queue *q, struct msg **m, u32 flags)
{
	struct msg *copy;
	size_t size = sizeof(*copy) + (*m)->size;

	if (!(flags & MSG_COPY)) {
		queue_take(q, *m);
		return 0;
	}
	copy = kmalloc(size, 0);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, *m, size);
	*m = copy;
	return 0;
}

/*
 * msgrcv(2): take the first message that fits @type, or copy the one whose number it is.
 * ctx: thread; sleeps: yes. Bytes in *text (the caller's to kfree), or -E2BIG, -EACCES, -EINVAL,
 * -EIDRM, -ERESTARTNOHAND, -ENOMSG, -ENOMEM.
 */
ssize_t msg_receive(int id, size_t size, s64 type, u32 flags, s64 *got_type, void **text)
{
	struct msg_queue *q;
	struct msg *m = NULL;
	size_t n;
	int err;

	if (id < 0 || (s64)size < 0)
		return -EINVAL;
	if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	mutex_lock(&msg_ids.lock);
	err = queue_lookup_locked(id, 0444, &q);
	if (err) {
		mutex_unlock(&msg_ids.lock);
		return err;
	}
	while (!err && !(m = queue_pick(q, type, flags)))
		err = flags & IPC_NOWAIT ? -ENOMSG : queue_wait_locked(q, q->changes, 0444);
	if (!err && m->size > size && !(flags & MSG_NOERROR))
		err = -E2BIG;
	else if (!err && m->size > size && (flags & MSG_COPY))
		err = -EINVAL; /* copies are not cut off */
	if (!err)
		err = queue_hand_out(q, &m, flags);
	mutex_unlock(&msg_ids.lock);
	queue_put(q);
	if (err)
		return err;
	*got_type = m->type;
	n = MIN(m->size, size);
	/* The text becomes the caller's buffer: it begins where the message's header was. */
	memmove(m, m->text, n);
	*text = m;
	return n;
}

static void queue_fill(struct msg_queue *q, struct msqid64_ds *out)
{
	memset(out, 0, sizeof(*out));
	ipc_perm_out(&q->perm, &out->msg_perm);
	out->msg_stime = q->stime;
	out->msg_rtime = q->rtime;
	out->msg_ctime = q->ctime;
	out->msg_cbytes = q->bytes;
	out->msg_qnum = q->count;
	out->msg_qbytes = q->max_bytes;
	out->msg_lspid = q->lspid;
	out->msg_lrpid = q->lrpid;
}

/* IPC_STAT, MSG_STAT, MSG_STAT_ANY. ctx: thread. 0 or the id, -EINVAL, -EACCES. */
int msg_stat(int id, int cmd, struct msqid64_ds *out)
{
	struct ipc_object *p;
	int ret;

	mutex_lock(&msg_ids.lock);
	p = cmd == IPC_STAT ? ipc_find_id(&msg_ids, id) : ipc_find_index(&msg_ids, id);
	ret = p ? 0 : -EINVAL;
	if (p && cmd != MSG_STAT_ANY)
		ret = ipc_permission(p, 0444);
	if (!ret) {
		queue_fill(queue_of(p), out);
		ret = cmd == IPC_STAT ? 0 : (int)p->id;
	}
	mutex_unlock(&msg_ids.lock);
	return ret;
}

/* IPC_SET: owner, mode and size limit. ctx: thread. 0, -EINVAL, -EPERM. */
int msg_set(int id, const struct msqid64_ds *in)
{
	struct msg_queue *q;
	int err;

	mutex_lock(&msg_ids.lock);
	q = queue_of(ipc_find_id(&msg_ids, id));
	err = q ? ipc_owner(&q->perm) : -EINVAL;
	if (!err && in->msg_qbytes > (u64)msg_mnb && !cred_capable(current->cred, CAP_SYS_RESOURCE))
		err = -EPERM;
	if (!err)
		err = ipc_perm_set(&q->perm, &in->msg_perm);
	if (!err) {
		q->max_bytes = in->msg_qbytes;
		q->ctime = ipc_time();
		queue_changed(q);
	}
	mutex_unlock(&msg_ids.lock);
	return err;
}

/* IPC_RMID: sleepers get EIDRM. ctx: thread. 0, -EINVAL, -EPERM. */
int msg_remove(int id)
{
	struct list doomed = LIST_INIT(doomed);
	struct msg_queue *q;
	struct msg *m, *tmp;
	int err;

	mutex_lock(&msg_ids.lock);
	q = queue_of(ipc_find_id(&msg_ids, id));
	err = q ? ipc_owner(&q->perm) : -EINVAL;
	if (!err) {
		ipc_remove(&msg_ids, &q->perm);
		list_splice_tail(&doomed, &q->messages);
		queue_changed(q);
	}
	mutex_unlock(&msg_ids.lock);
	if (err)
		return err;
	list_for_each_safe(m, tmp, &doomed, link)
		kfree(m);
	queue_put(q);
	return 0;
}

/* IPC_INFO, or MSG_INFO with @usage. ctx: thread. The highest used index. */
int msg_info(struct msginfo *out, bool usage)
{
	u64 at = 0, messages = 0, bytes = 0;
	u32 top;

	memset(out, 0, sizeof(*out));
	out->msgmni = msg_mni;
	out->msgmax = msg_max;
	out->msgmnb = msg_mnb;
	out->msgssz = MSGSSZ;
	out->msgseg = MSGSEG;
	mutex_lock(&msg_ids.lock);
	for (struct ipc_object *p; (p = ipc_next(&msg_ids, &at));) {
		messages += queue_of(p)->count;
		bytes += queue_of(p)->bytes;
	}
	out->msgpool = usage ? (int)msg_ids.used : MSGPOOL;
	out->msgmap = usage ? (int)messages : MSGMAP;
	out->msgtql = usage ? (int)bytes : MSGTQL;
	top = ipc_max_index(&msg_ids);
	mutex_unlock(&msg_ids.lock);
	return top;
}

static int msg_show(struct sbuf *out, void *arg)
{
	u64 at = 0;

	sbuf_puts(out, "       key      msqid perms      cbytes       qnum lspid lrpid"
		       "   uid   gid  cuid  cgid      stime      rtime      ctime\n");
	mutex_lock(&msg_ids.lock);
	for (struct ipc_object *p; (p = ipc_next(&msg_ids, &at));) {
		struct msg_queue *q = queue_of(p);

		sbuf_printf(out,
			    "%10d %10d  %4o  %10llu %10llu %5u %5u"
			    " %5u %5u %5u %5u %10lld %10lld %10lld\n",
			    (int)p->key, (int)p->id, p->mode, (unsigned long long)q->bytes,
			    (unsigned long long)q->count, q->lspid, q->lrpid, p->uid, p->gid,
			    p->cuid, p->cgid, (long long)q->stime, (long long)q->rtime,
			    (long long)q->ctime);
	}
	mutex_unlock(&msg_ids.lock);
	return 0;
}
PROC_FILE(sysvipc_msg, "sysvipc/msg", 0444, .show = msg_show);

/*
 * An empty table.
 * ctx: boot.
 */
void msg_init(void)
{
	ipc_ids_init(&msg_ids);
}
