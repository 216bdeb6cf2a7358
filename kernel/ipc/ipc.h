#pragma once
/*
 * What the three System V facilities share: objects with a key, an owner and a mode, found by key
 * or id.
 *
 * An id is (sequence << 15) | index; the sequence number makes ids of removed objects stay invalid
 * for long. Each facility has one struct ipc_ids, whose lock guards its table and every object in
 * it; an object that somebody sleeps on is kept by a reference, and ->removed tells the sleeper
 * that it is gone (EIDRM).
 *
 * I immutable, a atomic, i guarded by ids->lock (rank LEAF_MUTEX).
 */
#include <linux/ipc.h>
#include "fs/procfs.h"
#include "kernel/lib/list.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/refcount.h"
#include "kernel/sched/mutex.h"

struct ipc64_perm;
struct sbuf;

#define IPC_INDEX_BITS 15
#define IPC_INDEX_MASK ((1u << IPC_INDEX_BITS) - 1)
#define IPC_MODE_BITS 0777u
#define IPC_KEY_BUCKETS 64
#define IPC_NEW_NODES 4 /* radix nodes one insertion can need: 15 bits of index */

struct ipc_object {
	refcount_t refs; /* a: table and sleepers */
	struct list bucket; /* i: key hash; empty for IPC_PRIVATE */
	u32 key; /* i */
	u32 id; /* I */
	u32 uid, gid; /* i */
	u32 cuid, cgid; /* I */
	u32 mode; /* i: permission bits and facility flags */
	u16 seq; /* I */
	bool removed; /* i */
};

struct ipc_ids {
	struct mutex lock; /* rank LEAF_MUTEX */
	struct radix_tree tree; /* i: index -> struct ipc_object */
	struct radix_pool spare; /* i: nodes given back by removals */
	struct list keys[IPC_KEY_BUCKETS]; /* i */
	u32 used; /* i */
	u32 next; /* i: index to try first */
	u16 seq; /* i */
	int next_id; /* a: that the next object shall have, taken by it; negative: none */
};

/*
 * /proc/sys/kernel/X_next_id: whoever restores a saved process gives its objects the ids that they
 * had.
 */
#define IPC_NEXT_ID(name_, ids_)                                              \
	PROC_FILE(name_, "sys/kernel/" #name_, 0444, .show = sysctl_int_show, \
		  .iflags = INODE_RESTORE, .write = sysctl_int_write,         \
		  .arg = &(struct sysctl_int){                                \
			  .value = &(ids_).next_id, .min = 0, .max = 0x7fffffff })

void ipc_ids_init(struct ipc_ids *ids);
/* Fill the fields of a new object from the current thread; refs = 1. ctx: thread */
void ipc_perm_init(struct ipc_object *p, u32 key, u32 mode);

/*
 * Nodes for one ipc_add, to be allocated before the lock is taken. 0 or -ENOMEM. ctx: thread;
 * sleeps
 */
int __must_check ipc_reserve(struct radix_pool *pool);
void ipc_unreserve(struct radix_pool *pool);
/* Enter @p, at most @max objects. Its id, or -ENOSPC. holds: ids->lock. */
int __must_check ipc_add(struct ipc_ids *ids, struct ipc_object *p, u32 max,
			 struct radix_pool *pool);
/* Take @p out and mark it removed; the caller drops the table's reference. holds: ids->lock. */
void ipc_remove(struct ipc_ids *ids, struct ipc_object *p);

/* Object of a key or id, NULL if none. holds: ids->lock. */
struct ipc_object *ipc_find_key(struct ipc_ids *ids, u32 key);
struct ipc_object *ipc_find_id(struct ipc_ids *ids, u32 id);
struct ipc_object *ipc_find_index(struct ipc_ids *ids, u32 index);
/* First object at or after *@index, for /proc; *@index is set past it. */
struct ipc_object *ipc_next(struct ipc_ids *ids, u64 *index);
u32 ipc_max_index(struct ipc_ids *ids);

/*
 * May current access @p with the permission bits @want (0444, 0222)? 0 or -EACCES. holds:
 * ids->lock.
 */
int __must_check ipc_permission(const struct ipc_object *p, u32 want);
/* May current change or remove @p? 0 or -EPERM. */
int __must_check ipc_owner(const struct ipc_object *p);
/* The existing object of a get call: checks flags, mode. @p's id or -errno. */
int __must_check ipc_existing(const struct ipc_object *p, u32 flags);

void ipc_perm_out(const struct ipc_object *p, struct ipc64_perm *out);
int __must_check ipc_perm_set(struct ipc_object *p, const struct ipc64_perm *in);
s64 ipc_time(void); /* seconds since the epoch */
u32 ipc_pid(void); /* of current */

/* --- the facilities, as the system calls see them; user structures are copied by kernel/sys --- */
struct sembuf;
struct semid64_ds;
struct shmid64_ds;
struct msqid64_ds;
struct seminfo;
struct msginfo;
struct shminfo64;
struct shm_info;
struct proc;

/* Boot. */
void shm_init(void);
void sem_init(void);
void msg_init(void);

int shm_get(u32 key, u64 size, u32 flags);
int shm_attach(int id, u64 addr, u32 flags, u64 *out);
int shm_detach(u64 addr);
/* IPC_STAT, SHM_STAT, SHM_STAT_ANY; id (STAT by index) or 0 */
int shm_stat(int id, int cmd, struct shmid64_ds *out);
int shm_set(int id, const struct shmid64_ds *in);
int shm_remove(int id);
int shm_lock(int id, bool lock);
int shm_info(struct shminfo64 *limits, struct shm_info *usage); /* highest used index */

int sem_get(u32 key, u32 count, u32 flags);
u32 sem_ops_max(void); /* more than so many operations are -E2BIG */
/* @deadline TIME_NEVER: wait for ever. 0, -EAGAIN, -EIDRM, -EINTR, -EFBIG, -ERANGE, ... */
int sem_op(int id, struct sembuf *ops, u32 n, s64 deadline);
int sem_stat(int id, int cmd, struct semid64_ds *out);
int sem_set(int id, const struct semid64_ds *in);
int sem_remove(int id);
int sem_value(int id, u32 num, int cmd); /* GETVAL, GETPID, GETNCNT, GETZCNT */
int sem_set_value(int id, u32 num, int value);
int sem_get_count(int id, u32 want, u32 *count);
int sem_get_all(int id, u16 *values, u32 count); /* count alone when values is NULL */
int sem_set_all(int id, const u16 *values, u32 count);
int sem_info(struct seminfo *out, bool usage);

int msg_get(u32 key, u32 flags);
int msg_send(int id, s64 type, const void *text, size_t size, u32 flags); /* copies @text */
/* Takes a message: *text is the caller's to kfree. Its size or -errno. */
ssize_t msg_receive(int id, size_t size, s64 type, u32 flags, s64 *got_type, void **text);
int msg_stat(int id, int cmd, struct msqid64_ds *out);
int msg_set(int id, const struct msqid64_ds *in);
int msg_remove(int id);
int msg_info(struct msginfo *out, bool usage);
