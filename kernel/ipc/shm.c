/*
 * System V shared memory (shmget(2), shmop(2), shmctl(2)).
 *
 * A segment is a page cache of its own that regions map like a file; pages appear when first
 * touched. nattch counts the regions: the address space calls get and put as it splits, copies and
 * removes them. A segment marked for destruction (IPC_RMID) goes when the last region does.
 *
 * Locking: shm_ids.lock guards the table and all fields of segments. Address spaces call get and
 * put with their semaphore held, so that one is never taken under shm_ids.lock.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/shm.h>
#include "fs/procfs.h"
#include "kernel/base/time.h"
#include "kernel/ipc/ipc.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "mm/slab.h"
#include "mm/vm/vmspace.h"

#ifndef SHM_DEST
#define SHM_DEST 01000u /* of shm_perm.mode: destroyed at the last detach */
#define SHM_LOCKED 02000u
#endif

/* i: shm_ids.lock, I: immutable after creation. */
struct shm {
	struct ipc_object perm; /* i */
	struct vm_file vmf; /* I */
	struct pagecache cache; /* its own lock */
	u64 size; /* I: as asked for */
	u64 committed; /* I: pages promised */
	u32 nattch; /* i: regions, and attaches under way */
	s64 atime, dtime, ctime; /* i */
	u32 cpid, lpid; /* i */
	u32 locker; /* i: user id, while SHM_LOCKED */
};

static struct ipc_ids shm_ids;
IPC_NEXT_ID(shm_next_id, shm_ids);
static int shm_mni = 4096;
SYSCTL_INT(shmmni, "sys/kernel/shmmni", &shm_mni, 0, IPC_INDEX_MASK + 1);

/* The largest segment in bytes, and all together in pages; a. As good as no limits. */
#define SHM_NO_LIMIT (~0ull - (1ull << 24))
static u64 shm_max = SHM_NO_LIMIT, shm_all = SHM_NO_LIMIT;
SYSCTL_ROW(shmmax, "sys/kernel/shmmax", &shm_max, 1, true, 0, -1);
SYSCTL_ROW(shmall, "sys/kernel/shmall", &shm_all, 1, true, 0, -1);
static u64 shm_total; /* i: pages of all segments */

static u64 shm_pages(const struct shm *s)
{
	return s->cache.size / PAGE_SIZE;
}

static struct shm *shm_of(struct vm_file *f)
{
	return container_of(f, struct shm, vmf);
}

static struct shm *shm_find(int id)
{
	struct ipc_object *p = ipc_find_id(&shm_ids, id);

	return p ? container_of(p, struct shm, perm) : NULL;
}

/* The last reference: nobody maps it, and it is in no table. ctx: thread */
static void shm_free(struct shm *s)
{
	pagecache_fini(&s->cache);
	vm_uncommit(s->committed);
	kfree(s);
}

/*
 * Out of the table if its time has come; the caller then frees it without the lock. holds:
 * shm_ids.lock.
 */
static bool shm_end_locked(struct shm *s)
{
	if (s->nattch || !(s->perm.mode & SHM_DEST) || s->perm.removed)
		return false;
	ipc_remove(&shm_ids, &s->perm);
	shm_total -= shm_pages(s);
	return true;
}

static void shm_vm_get(struct vm_file *f)
{
	struct shm *s = shm_of(f);

	mutex_lock(&shm_ids.lock);
	s->nattch++;
	s->atime = ipc_time();
	s->lpid = ipc_pid();
	mutex_unlock(&shm_ids.lock);
}

static void shm_vm_put(struct vm_file *f)
{
	struct shm *s = shm_of(f);
	bool end;

	mutex_lock(&shm_ids.lock);
	s->nattch--;
	s->dtime = ipc_time();
	s->lpid = ipc_pid();
	end = shm_end_locked(s);
	mutex_unlock(&shm_ids.lock);
	if (end)
		shm_free(s);
}

static struct pagecache *shm_vm_cache(struct vm_file *f)
{
	return &shm_of(f)->cache;
}

static void shm_vm_describe(struct vm_file *f, char *path, size_t size, u64 *dev, u64 *ino)
{
	struct shm *s = shm_of(f);

	snprintf(path, size, "/SYSV%08x (deleted)", s->perm.key);
	*dev = 0;
	*ino = s->perm.id;
}

static int shm_vm_punch(struct vm_file *f, u64 start, u64 end)
{
	pagecache_punch(&shm_of(f)->cache, start, end);
	return 0;
}

static const struct vm_file_ops shm_vm_ops = {
	.get = shm_vm_get,
	.put = shm_vm_put,
	.cache = shm_vm_cache,
	.describe = shm_vm_describe,
	.punch = shm_vm_punch,
};

static const struct pagecache_ops shm_cache_ops;

static int shm_create(u32 key, u64 size, u32 flags, struct shm **out)
{
	u64 pages = DIV_ROUND_UP(size, (u64)PAGE_SIZE);
	struct shm *s;

	if (size > USER_TOP)
		return -ENOMEM;
	if ((flags & SHM_NORESERVE) && vm_overcommit_mode != 2)
		pages = 0;
	if (vm_commit(pages))
		return -ENOMEM;
	s = kzalloc(sizeof(*s), 0);
	if (!s) {
		vm_uncommit(pages);
		return -ENOMEM;
	}
	s->committed = pages;
	ipc_perm_init(&s->perm, key, flags);
	s->vmf.ops = &shm_vm_ops;
	pagecache_init(&s->cache, &shm_cache_ops, s);
	s->cache.size = ALIGN_UP(size, PAGE_SIZE);
	s->size = size;
	s->ctime = ipc_time();
	s->cpid = ipc_pid();
	*out = s;
	return 0;
}

/*
 * The get call's answer if the key exists: id or -errno; 0 and *make: create one. holds:
 * shm_ids.lock.
 */
static int shm_get_existing(u32 key, u64 size, u32 flags, bool *make)
{
	struct ipc_object *p = key == IPC_PRIVATE ? NULL : ipc_find_key(&shm_ids, key);

	*make = !p;
	if (!p)
		return key == IPC_PRIVATE || (flags & IPC_CREAT) ? 0 : -ENOENT;
	if (!((flags & IPC_CREAT) && (flags & IPC_EXCL)) &&
	    container_of(p, struct shm, perm)->size < size)
		return -EINVAL;
	return ipc_existing(p, flags);
}

/*
 * SHM_HUGETLB: there are no huge pages to be had; some sizes there are not at all on this machine.
 */
static int shm_get_huge(u32 flags)
{
	switch (flags & ((u32)SHM_HUGE_MASK << SHM_HUGE_SHIFT)) {
	case 0:
	case SHM_HUGE_64KB:
	case SHM_HUGE_2MB:
	case SHM_HUGE_32MB:
	case SHM_HUGE_1GB: return cred_capable(current->cred, CAP_IPC_LOCK) ? -ENOMEM : -EPERM;
	}
	return -EINVAL;
}

/*
 * shmget(2).
 * ctx: thread; sleeps: yes. The id, or -EINVAL, -ENOENT, -EEXIST, -EACCES, -ENOSPC, -ENOMEM.
 */
int shm_get(u32 key, u64 size, u32 flags)
{
	struct radix_pool pool;
	struct shm *s;
	bool make;
	int ret;

	mutex_lock(&shm_ids.lock);
	ret = shm_get_existing(key, size, flags, &make);
	mutex_unlock(&shm_ids.lock);
	if (ret || !make)
		return ret;
	if (!size || size > READ_ONCE(shm_max) || (s64)size < 0)
		return -EINVAL;
	if (flags & SHM_HUGETLB)
		return shm_get_huge(flags);
	ret = shm_create(key, size, flags, &s);
	if (ret)
		return ret;
	ret = ipc_reserve(&pool);
	if (ret)
		goto free_segment;
	mutex_lock(&shm_ids.lock);
	/* Somebody may have made the key meanwhile. */
	ret = shm_get_existing(key, size, flags, &make);
	if (!ret && make) {
		ret = shm_total + shm_pages(s) > READ_ONCE(shm_all)
			      ? -ENOSPC
			      : ipc_add(&shm_ids, &s->perm, shm_mni, &pool);
		if (ret >= 0) {
			shm_total += shm_pages(s);
			s = NULL;
		}
	}
	mutex_unlock(&shm_ids.lock);
	ipc_unreserve(&pool);
	if (!s)
		return ret;

free_segment:
	shm_free(s);
	return ret;
}

/* Hold a segment for an attach: one nattch. */
static int shm_hold(int id, u32 want, struct shm **out)
{
	struct shm *s;
	int err;

	mutex_lock(&shm_ids.lock);
	s = shm_find(id);
	err = s ? ipc_permission(&s->perm, want) : -EINVAL;
	if (!err) {
		s->nattch++;
		*out = s;
	}
	mutex_unlock(&shm_ids.lock);
	return err;
}

static void shm_unhold(struct shm *s)
{
	bool end;

	mutex_lock(&shm_ids.lock);
	s->nattch--;
	end = shm_end_locked(s);
	mutex_unlock(&shm_ids.lock);
	if (end)
		shm_free(s);
}

/*
 * shmat(2): map segment @id; *out is the address.
 * ctx: thread; sleeps: yes. 0, -EINVAL, -EACCES, -ENOMEM.
 */
int shm_attach(int id, u64 addr, u32 flags, u64 *out)
{
	u32 prot = PROT_R | (flags & SHM_RDONLY ? 0 : PROT_W) | (flags & SHM_EXEC ? PROT_X : 0);
	struct vm_map_args a = { .prot = prot, .flags = VM_SHARED };
	struct shm *s;
	int err;

	if (addr & PAGE_MASK) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = ALIGN_DOWN(addr, (u64)PAGE_SIZE);
		if (!addr && (flags & SHM_REMAP))
			return -EINVAL;
	} else if (!addr && (flags & SHM_REMAP)) {
		return -EINVAL;
	}
	err = shm_hold(id, (flags & SHM_RDONLY ? 0444 : 0666) | (flags & SHM_EXEC ? 0111 : 0), &s);
	if (err)
		return err;
	a.max_prot = PROT_R | PROT_X | (flags & SHM_RDONLY ? 0 : PROT_W);
	a.addr = addr;
	a.len = s->size;
	a.how = addr ? VM_MAP_FIXED | (flags & SHM_REMAP ? 0 : VM_MAP_NOREPLACE) : 0;
	a.file = &s->vmf;
	err = vm_map(current->vm, &a, out);
	/* The region holds the segment by itself now. */
	shm_unhold(s);
	return err == -EEXIST ? -EINVAL : err;
}

/*
 * First region at or after *@at that belongs to the attach at @addr. True: [*start, *end) and the
 * segment's end.
 */
static bool shm_next_region(u64 addr, u64 *at, u64 *start, u64 *end)
{
	struct region *r;
	bool found = false;

	rwsem_read_lock(&current->vm->sem);
	for (r = vm_find(current->vm, *at); r && !found; r = vm_next(r)) {
		if (!r->file || r->file->ops != &shm_vm_ops ||
		    r->start - r->pgoff * PAGE_SIZE != addr)
			continue;
		*start = r->start;
		*end = r->end;
		found = true;
	}
	rwsem_read_unlock(&current->vm->sem);
	*at = *end;
	return found;
}

/*
 * shmdt(2): unmap what is left of the attach whose first byte is at @addr.
 * ctx: thread; sleeps: yes. 0 or -EINVAL.
 */
int shm_detach(u64 addr)
{
	u64 at = addr, start = 0, end = 0;
	bool any = false;

	if (addr & PAGE_MASK)
		return -EINVAL;
	while (shm_next_region(addr, &at, &start, &end)) {
		int err = vm_unmap(current->vm, start, end - start);

		if (err)
			return err;
		any = true;
	}
	return any ? 0 : -EINVAL;
}

static void shm_fill(struct shm *s, struct shmid64_ds *out)
{
	memset(out, 0, sizeof(*out));
	ipc_perm_out(&s->perm, &out->shm_perm);
	out->shm_segsz = s->size;
	out->shm_atime = s->atime;
	out->shm_dtime = s->dtime;
	out->shm_ctime = s->ctime;
	out->shm_cpid = s->cpid;
	out->shm_lpid = s->lpid;
	out->shm_nattch = s->nattch;
}

/*
 * IPC_STAT by id; SHM_STAT and SHM_STAT_ANY by index, which return the id.
 * ctx: thread. -EINVAL, -EACCES.
 */
int shm_stat(int id, int cmd, struct shmid64_ds *out)
{
	struct ipc_object *p;
	int ret;

	mutex_lock(&shm_ids.lock);
	p = cmd == IPC_STAT ? ipc_find_id(&shm_ids, id) : ipc_find_index(&shm_ids, id);
	ret = p ? 0 : -EINVAL;
	if (p && cmd != SHM_STAT_ANY)
		ret = ipc_permission(p, 0444);
	if (!ret) {
		shm_fill(container_of(p, struct shm, perm), out);
		ret = cmd == IPC_STAT ? 0 : (int)p->id;
	}
	mutex_unlock(&shm_ids.lock);
	return ret;
}

/* IPC_SET. ctx: thread. 0, -EINVAL, -EPERM. */
int shm_set(int id, const struct shmid64_ds *in)
{
	struct shm *s;
	int err;

	mutex_lock(&shm_ids.lock);
	s = shm_find(id);
	err = s ? ipc_owner(&s->perm) : -EINVAL;
	if (!err)
		err = ipc_perm_set(&s->perm, &in->shm_perm);
	if (!err) {
		s->ctime = ipc_time();
	}
	mutex_unlock(&shm_ids.lock);
	return err;
}

/*
 * IPC_RMID: goes now, or with its last mapping; its key is free at once. ctx: thread; sleeps. 0,
 * -EINVAL, -EPERM.
 */
int shm_remove(int id)
{
	struct shm *s;
	bool end = false;
	int err;

	mutex_lock(&shm_ids.lock);
	s = shm_find(id);
	err = s ? ipc_owner(&s->perm) : -EINVAL;
	if (!err) {
		s->perm.mode |= SHM_DEST;
		list_del(&s->perm.bucket);
		s->perm.key = IPC_PRIVATE;
		end = shm_end_locked(s);
	}
	mutex_unlock(&shm_ids.lock);
	if (end)
		shm_free(s);
	return err;
}

/* Bytes of segments that current's user has locked. holds: shm_ids.lock */
static u64 shm_locked(void)
{
	u64 at = 0, sum = 0;

	for (struct ipc_object *p; (p = ipc_next(&shm_ids, &at));) {
		const struct shm *s = container_of(p, struct shm, perm);

		if ((p->mode & SHM_LOCKED) && s->locker == current->cred->uid)
			sum += s->size;
	}
	return sum;
}

/* May current lock (or unlock) @s? 0, -EPERM, -ENOMEM. holds: shm_ids.lock */
static int shm_lock_check(const struct shm *s, bool lock)
{
	const struct cred *c = current->cred;
	u64 limit = proc_rlimit(RLIMIT_MEMLOCK);

	if (cred_capable(c, CAP_IPC_LOCK))
		return 0;
	if (c->euid != s->perm.uid && c->euid != s->perm.cuid)
		return -EPERM;
	if (!lock || (s->perm.mode & SHM_LOCKED))
		return 0;
	if (!limit)
		return -EPERM;
	return shm_locked() + s->size > limit ? -ENOMEM : 0;
}

/*
 * SHM_LOCK and SHM_UNLOCK: segments are never swapped here; the mark is kept, and counts. ctx:
 * thread. 0, -EINVAL, -EPERM, -ENOMEM.
 */
int shm_lock(int id, bool lock)
{
	struct shm *s;
	int err;

	mutex_lock(&shm_ids.lock);
	s = shm_find(id);
	err = s ? shm_lock_check(s, lock) : -EINVAL;
	if (!err && lock && !(s->perm.mode & SHM_LOCKED))
		s->locker = current->cred->uid;
	if (!err)
		s->perm.mode = lock ? s->perm.mode | SHM_LOCKED : s->perm.mode & ~SHM_LOCKED;
	mutex_unlock(&shm_ids.lock);
	return err;
}

/* IPC_INFO and SHM_INFO. ctx: thread. The highest used index. */
int shm_info(struct shminfo64 *limits, struct shm_info *usage)
{
	u64 at = 0;
	u32 top;

	memset(limits, 0, sizeof(*limits));
	memset(usage, 0, sizeof(*usage));
	limits->shmmax = shm_max;
	limits->shmmin = 1;
	limits->shmmni = limits->shmseg = shm_mni;
	limits->shmall = shm_all;
	mutex_lock(&shm_ids.lock);
	for (struct ipc_object *p; (p = ipc_next(&shm_ids, &at));) {
		struct shm *s = container_of(p, struct shm, perm);

		usage->shm_rss += s->cache.npages;
	}
	usage->shm_tot = shm_total;
	usage->used_ids = shm_ids.used;
	top = ipc_max_index(&shm_ids);
	mutex_unlock(&shm_ids.lock);
	return top;
}

static int shm_show(struct sbuf *out, void *arg)
{
	u64 at = 0;

	sbuf_puts(out, "       key      shmid perms                  size  cpid  lpid nattch"
		       "   uid   gid  cuid  cgid      atime      dtime      ctime"
		       "                   rss                  swap\n");
	mutex_lock(&shm_ids.lock);
	for (struct ipc_object *p; (p = ipc_next(&shm_ids, &at));) {
		struct shm *s = container_of(p, struct shm, perm);

		sbuf_printf(out,
			    "%10d %10d  %4o %21llu %5u %5u  %5u"
			    " %5u %5u %5u %5u %10lld %10lld %10lld"
			    " %21llu %21u\n",
			    (int)p->key, (int)p->id, p->mode, (unsigned long long)s->size, s->cpid,
			    s->lpid, s->nattch, p->uid, p->gid, p->cuid, p->cgid,
			    (long long)s->atime, (long long)s->dtime, (long long)s->ctime,
			    (unsigned long long)s->cache.npages * PAGE_SIZE, 0u);
	}
	mutex_unlock(&shm_ids.lock);
	return 0;
}
PROC_FILE(sysvipc_shm, "sysvipc/shm", 0444, .show = shm_show);

/*
 * An empty table.
 * ctx: boot.
 */
void shm_init(void)
{
	ipc_ids_init(&shm_ids);
}
