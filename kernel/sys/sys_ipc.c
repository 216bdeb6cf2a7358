/*
 * System calls of System V IPC: shm*, sem*, msg*. Structures are copied here, the work is
 * kernel/ipc's.
 *
 * The generic ABI has no ipc(2) multiplexer; arm64 programs always use the 64-bit structures, and
 * IPC_64 is no part of the command.
 */
#include <linux/ipc.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include "kernel/ipc/ipc.h"
#include "kernel/sys/abi.h"
#include "mm/slab.h"

long sys_shmget(u64 key, u64 size, u64 flags)
{
	return shm_get((u32)key, size, (u32)flags);
}

long sys_shmat(u64 id, u64 addr, u64 flags)
{
	u64 at = 0;
	int err = shm_attach((int)id, addr, (u32)flags, &at);

	return err ? err : (long)at;
}

long sys_shmdt(u64 addr)
{
	return shm_detach(addr);
}

static long shm_ctl_stat(int id, int cmd, u64 buf)
{
	struct shmid64_ds ds;
	int ret = shm_stat(id, cmd, &ds);

	if (ret >= 0 && copy_to_user(buf, &ds, sizeof(ds)))
		return -EFAULT;
	return ret;
}

static long shm_ctl_info(int cmd, u64 buf)
{
	struct shminfo64 limits;
	struct shm_info usage;
	int top = shm_info(&limits, &usage), err;

	if (cmd == IPC_INFO)
		err = copy_to_user(buf, &limits, sizeof(limits));
	else
		err = copy_to_user(buf, &usage, sizeof(usage));
	return err ? err : top;
}

long sys_shmctl(u64 id, u64 cmd, u64 buf)
{
	struct shmid64_ds ds;

	if ((int)id < 0 || (int)cmd < 0)
		return -EINVAL;
	switch ((int)cmd) {
	case IPC_INFO:
	case SHM_INFO: return shm_ctl_info((int)cmd, buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY: return shm_ctl_stat((int)id, (int)cmd, buf);
	case IPC_SET:
		if (copy_from_user(&ds, buf, sizeof(ds)))
			return -EFAULT;
		return shm_set((int)id, &ds);
	case IPC_RMID: return shm_remove((int)id);
	case SHM_LOCK:
	case SHM_UNLOCK: return shm_lock((int)id, (int)cmd == SHM_LOCK);
	default: return -EINVAL;
	}
}

long sys_semget(u64 key, u64 count, u64 flags)
{
	return (int)count < 0 ? -EINVAL : sem_get((u32)key, (u32)count, (u32)flags);
}

static long sem_op_user(int id, u64 uops, u64 count, const struct __kernel_timespec *ts)
{
	struct sembuf few[8], *ops = few;
	s64 deadline = TIME_NEVER, rel;
	u32 n = (u32)count;
	long ret;

	if (n > sem_ops_max())
		return -E2BIG;
	if (!n)
		return -EINVAL;
	if (n > ARRAY_SIZE(few)) {
		ops = kcalloc(n, sizeof(*ops), 0);
		if (!ops)
			return -ENOMEM;
	}
	ret = copy_from_user(ops, uops, n * sizeof(*ops));
	if (!ret && (id < 0 || (ts && !sys_timespec_ns(ts, &rel))))
		ret = -EINVAL;
	if (!ret && ts)
		deadline = sys_deadline(rel);
	if (!ret)
		ret = sem_op(id, ops, n, deadline);
	if (ops != few)
		kfree(ops);
	return ret;
}

long sys_semop(u64 id, u64 ops, u64 n)
{
	return sem_op_user((int)id, ops, n, NULL);
}

long sys_semtimedop(u64 id, u64 ops, u64 n, u64 timeout)
{
	struct __kernel_timespec ts;

	if (timeout && copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	return sem_op_user((int)id, ops, n, timeout ? &ts : NULL);
}

static long sem_ctl_stat(int id, int cmd, u64 buf)
{
	struct semid64_ds ds;
	int ret = sem_stat(id, cmd, &ds);

	if (ret >= 0 && copy_to_user(buf, &ds, sizeof(ds)))
		return -EFAULT;
	return ret;
}

static long sem_ctl_info(int cmd, u64 buf)
{
	struct seminfo info;
	int top = sem_info(&info, cmd == SEM_INFO);

	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : top;
}

/* GETALL and SETALL move as many values as the set has, in one buffer. */
static long sem_ctl_all(int id, bool set, u64 buf)
{
	u16 *values;
	u32 count = 0;
	long err = sem_get_count(id, set ? 0222 : 0444, &count);

	if (err)
		return err;
	values = kcalloc(count, sizeof(*values), 0);
	if (!values)
		return -ENOMEM;
	if (set) {
		err = copy_from_user(values, buf, count * sizeof(*values));
		if (!err)
			err = sem_set_all(id, values, count);
	} else {
		err = sem_get_all(id, values, count);
		if (!err)
			err = copy_to_user(buf, values, count * sizeof(*values));
	}
	kfree(values);
	return err;
}

long sys_semctl(u64 id, u64 num, u64 cmd, u64 arg)
{
	struct semid64_ds ds;

	if ((int)id < 0 || (int)cmd < 0)
		return -EINVAL;
	switch ((int)cmd) {
	case IPC_INFO:
	case SEM_INFO: return sem_ctl_info((int)cmd, arg);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY: return sem_ctl_stat((int)id, (int)cmd, arg);
	case GETALL:
	case SETALL: return sem_ctl_all((int)id, (int)cmd == SETALL, arg);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT: return sem_value((int)id, (u32)num, (int)cmd);
	case SETVAL: return sem_set_value((int)id, (u32)num, (int)arg);
	case IPC_SET:
		if (copy_from_user(&ds, arg, sizeof(ds)))
			return -EFAULT;
		return sem_set((int)id, &ds);
	case IPC_RMID: return sem_remove((int)id);
	default: return -EINVAL;
	}
}

long sys_msgget(u64 key, u64 flags)
{
	return msg_get((u32)key, (u32)flags);
}

/* struct msgbuf: a long type, then the text. */
long sys_msgsnd(u64 id, u64 msgp, u64 size, u64 flags)
{
	struct msginfo limits;
	void *text;
	s64 type;
	long ret;

	if (get_user(&type, msgp))
		return -EFAULT;
	msg_info(&limits, false);
	if ((s64)size < 0 || (int)id < 0 || size > (u64)limits.msgmax || type < 1)
		return -EINVAL;
	text = kmalloc(MAX(size, 1ull), 0);
	if (!text)
		return -ENOMEM;
	ret = copy_from_user(text, msgp + sizeof(type), size);
	if (!ret)
		ret = msg_send((int)id, type, text, size, (u32)flags);
	kfree(text);
	return ret;
}

long sys_msgrcv(u64 id, u64 msgp, u64 size, u64 type, u64 flags)
{
	void *text = NULL;
	s64 got = 0;
	ssize_t n = msg_receive((int)id, size, (s64)type, (u32)flags, &got, &text);

	if (n < 0)
		return n;
	if (put_user(msgp, got) || copy_to_user(msgp + sizeof(got), text, n))
		n = -EFAULT;
	kfree(text);
	return n;
}

static long msg_ctl_stat(int id, int cmd, u64 buf)
{
	struct msqid64_ds ds;
	int ret = msg_stat(id, cmd, &ds);

	if (ret >= 0 && copy_to_user(buf, &ds, sizeof(ds)))
		return -EFAULT;
	return ret;
}

static long msg_ctl_info(int cmd, u64 buf)
{
	struct msginfo info;
	int top = msg_info(&info, cmd == MSG_INFO);

	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : top;
}

long sys_msgctl(u64 id, u64 cmd, u64 buf)
{
	struct msqid64_ds ds;

	if ((int)id < 0 || (int)cmd < 0)
		return -EINVAL;
	switch ((int)cmd) {
	case IPC_INFO:
	case MSG_INFO: return msg_ctl_info((int)cmd, buf);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY: return msg_ctl_stat((int)id, (int)cmd, buf);
	case IPC_SET:
		if (copy_from_user(&ds, buf, sizeof(ds)))
			return -EFAULT;
		return msg_set((int)id, &ds);
	case IPC_RMID: return msg_remove((int)id);
	default: return -EINVAL;
	}
}
