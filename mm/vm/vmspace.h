#pragma once
/*
 * User address spaces: regions in a red-black tree by address, page tables that hold anonymous
 * memory directly, copy-on-write by the frame's reference count.
 *
 * I immutable, a atomic, v guarded by .sem (rank VMSPACE; readers: faults, writers: changes of the
 * region tree), o owned by the creator until published.
 */
#include <arch/pmap.h>
#include "kernel/lib/rbtree.h"
#include "kernel/lib/refcount.h"
#include "kernel/sched/mutex.h"
#include "mm/vm/pagecache.h"

struct vmspace;
struct region;
struct trapframe;
struct fault;

/* Region flags (beside PROT_R/W/X in .prot and .max_prot). */
#define VM_SHARED 0x001u
#define VM_GROWSDOWN 0x002u
#define VM_LOCKED 0x004u
#define VM_DONTFORK 0x008u
#define VM_WIPEONFORK 0x010u
#define VM_STACK 0x020u
#define VM_HEAP 0x040u
#define VM_DEVICE 0x080u /* maps device or special frames: no struct page refs */
#define VM_NORESERVE 0x100u
#define VM_DONTDUMP 0x200u
#define VM_DONTEXPAND 0x400u
#define VM_VDSO 0x800u
#define VM_ACCOUNT 0x1000u /* its pages are charged as committed; mm/vm sets it */
#define VM_HAS_ANON 0x2000u /* private file region that may hold copies; mm/vm sets it */
#define VM_LOCKONFAULT 0x4000u /* with VM_LOCKED: pages are not brought in beforehand */
#define VM_HUGE 0x8000u /* MADV_HUGEPAGE, kept for smaps */
#define VM_NOHUGE 0x10000u
#define VM_MERGEABLE 0x20000u
#define VM_POLICY_SHIFT 24
#define VM_POLICY (0x3fu << VM_POLICY_SHIFT) /* see policy.c */
#define VM_RAND 0x40000u /* MADV_RANDOM: no fault-around, nothing is read ahead */
#define VM_SEQ 0x80000u /* MADV_SEQUENTIAL */
#define VM_FORKED 0x200000u /* came with pages of its parent; see fork.c */
#define VM_NAMED_ANON 0x100000u /* anonymous memory: its file, /dev/zero, is but a name */

/*
 * What is mapped, given by fs at mmap; mm/vm never includes fs. One struct vm_file per region
 * reference: get/put keep the open file alive (the last put is deferred to a worker by fs).
 */
struct vm_file {
	const struct vm_file_ops *ops; /* I */
};
struct vm_file_ops {
	void (*get)(struct vm_file *f);
	void (*put)(struct vm_file *f);
	/* Page cache mapped; NULL op or NULL result: .fault provides frames. */
	struct pagecache *(*cache)(struct vm_file *f);
	/* Special mappings: frame for @pgoff with a reference. 0, -EFAULT (SIGBUS), -ENOMEM. */
	int (*fault)(struct vm_file *f, u64 pgoff, struct page **out);
	/* For /proc/PID/maps: path, device, inode number. */
	void (*describe)(struct vm_file *f, char *path, size_t size, u64 *dev, u64 *ino);
	/* msync, and the time stamps of a shared write. May be NULL. */
	int (*sync)(struct vm_file *f, u64 start, u64 end);
	/* MADV_REMOVE: take bytes [start, end) out of the file. NULL: -EOPNOTSUPP. */
	int (*punch)(struct vm_file *f, u64 start, u64 end);
	/* May current learn which pages others have brought into the cache? NULL: yes. */
	bool (*may_look)(struct vm_file *f);
};

struct region {
	struct rb_node node; /* v */
	struct vmspace *vm; /* I */
	vaddr_t start, end; /* v: page aligned */
	u32 prot, max_prot; /* v: PROT_R/W/X as requested, and what the file allows */
	u32 flags; /* v: VM_* */
	struct vm_file *file; /* v: NULL for anonymous */
	struct pagecache *cache; /* v: of file, or of a shared anonymous object */
	u64 pgoff; /* v: page offset of .start in the file */
	struct list object_link; /* cache->maps_lock */
	const char *name; /* I: "[vdso]", "[vvar]" or NULL */
	vaddr_t seq_next; /* a: hint: where a sequential toucher of anonymous memory faults next */
	u32 seq_window; /* a: hint: pages made by the last such fault */
	u16 policy_nodes; /* v: the nodes that came with the policy in .flags */
};

/* Is the memory of @r its own? holds: sem */
static inline bool region_is_anon(const struct region *r)
{
	return !r->file || (r->flags & VM_NAMED_ANON);
}

struct vmspace {
	refcount_t users; /* a: threads; the last one out tears the regions down */
	refcount_t refs; /* a: users (together one) plus /proc readers */
	struct rwsem sem; /* rank VMSPACE */
	struct pmap pmap; /* own lock */
	struct rb_root regions; /* v */
	u32 nregions; /* v */
	struct region *cached; /* a: last fault's region, a hint checked under sem */
	vaddr_t mmap_base; /* I: search goes down from here, or up: .bottom_up */
	vaddr_t gap_top; /* v: every gap between here and mmap_base is smaller than gap_len */
	u64 gap_len; /* v */
	vaddr_t brk_start, brk; /* v */
	vaddr_t stack_start; /* I after exec: where argc is */
	vaddr_t arg_start, arg_end, env_start, env_end; /* v: for /proc/PID/cmdline and environ */
	vaddr_t code_start, code_end, data_start, data_end; /* v */
	vaddr_t vdso; /* I after exec */
	u64 auxv[64]; /* I after exec: for /proc/PID/auxv */
	u64 total_pages, locked_pages, data_pages, stack_pages, exec_pages; /* v */
	atomic64_t rss_anon, rss_file, rss_shmem; /* a: pages */
	u64 peak_rss, peak_total; /* v, approximate */
	atomic64_t minflt, majflt; /* a */
	struct vm_file *exe; /* v: /proc/PID/exe */
	u32 def_flags; /* v: mlockall(MCL_FUTURE) */
	bool dumpable; /* a */
	vaddr_t poisoned; /* a: where memory was lost that nobody was told about yet, or 0 */
	struct aio_ctx *aio; /* fs/aio.c's own lock: contexts of io_setup(2) */
	bool bottom_up; /* I: the old layout of ADDR_COMPAT_LAYOUT */
	struct list all; /* list of all address spaces: its own lock */
};

/* Limits the owner is subject to, given by kernel/proc with each growing call (bytes; ~0: none). */
struct vm_limits {
	u64 as, data, stack, memlock;
	bool ipc_lock; /* CAP_IPC_LOCK */
};

int __must_check vmspace_create(struct vmspace **out); /* users = refs = 1 */
void vmspace_get_user(struct vmspace *vm);
void vmspace_put_user(struct vmspace *vm); /* ctx: thread; last: unmaps all */
extern void (*vm_aio_hook)(struct vmspace *vm); /* the last user left one with .aio. I after boot */
void vmspace_get(struct vmspace *vm);
void vmspace_put(struct vmspace *vm);
/* Copy for fork: private pages COW, shared ones shared. 0 or -ENOMEM. */
int __must_check vmspace_fork(struct vmspace *parent, struct vmspace **out);

/*
 * mmap. @addr is a hint, or exact with VM_MAP_FIXED. *file's reference is taken on success. Returns
 * 0 and *out, or -ENOMEM, -EINVAL, -EEXIST (FIXED_NOREPLACE), -EPERM, -EAGAIN (locked limit).
 * @flags: VM_*, @how: VM_MAP_*. ctx: thread; sleeps.
 */
#define VM_MAP_FIXED 1u
#define VM_MAP_NOREPLACE 2u
#define VM_MAP_POPULATE 4u
#define VM_MAP_NONBLOCK 8u
struct vm_map_args {
	vaddr_t addr;
	u64 len;
	u32 prot, max_prot, flags, how;
	struct vm_file *file; /* NULL: anonymous */
	u64 pgoff;
	const char *name;
	const struct vm_limits *limits; /* NULL: none */
};
int __must_check vm_map(struct vmspace *vm, const struct vm_map_args *a, vaddr_t *out);
int vm_unmap(struct vmspace *vm, vaddr_t addr, u64 len); /* 0, -EINVAL, -ENOMEM */
int vm_protect(struct vmspace *vm, vaddr_t addr, u64 len, u32 prot, const struct vm_limits *lim);
/* remap_file_pages(2): see map.c */
int vm_remap_pages(struct vmspace *vm, vaddr_t addr, u64 size, u64 pgoff, bool nonblock,
		   const struct vm_limits *lim);
/* mremap with Linux's MREMAP_* flags. */
int vm_remap(struct vmspace *vm, vaddr_t old, u64 old_len, u64 new_len, u32 flags, vaddr_t new_addr,
	     const struct vm_limits *lim, vaddr_t *out);
int vm_advise(struct vmspace *vm, vaddr_t addr, u64 len, int advice); /* Linux MADV_* */
void vm_reap(struct vmspace *vm); /* drop what only this space holds: its users are dying */
int vm_sync(struct vmspace *vm, vaddr_t addr, u64 len, int flags); /* msync */
int vm_lock(struct vmspace *vm, vaddr_t addr, u64 len, bool lock, bool onfault,
	    const struct vm_limits *lim);
int vm_lock_all(struct vmspace *vm, int flags, const struct vm_limits *lim);
int vm_mincore(struct vmspace *vm, vaddr_t addr, u64 pages,
	       u8 *vec); /* vec in kernel memory, for <= 4096 pages a call */
/* brk: returns the new (or unchanged) break. */
vaddr_t vm_brk(struct vmspace *vm, vaddr_t addr, const struct vm_limits *lim);

/*
 * Resolve a fault at @addr of the current or another address space. 0, -EFAULT (no region:
 * SEGV_MAPERR), -EACCES (SEGV_ACCERR), -EIO (beyond the file, or its read failed: SIGBUS
 * BUS_ADRERR), -EHWPOISON (lost: SIGBUS BUS_MCEERR_AR), -ENOMEM, -EINTR (killed while waiting).
 * ctx: thread; sleeps. @write/@exec from the access.
 */
int vm_fault(struct vmspace *vm, vaddr_t addr, bool write, bool exec, const struct vm_limits *lim);

/*
 * Access another address space (ptrace, /proc/PID/mem, process_vm_*, core dumps): bytes moved or
 * -EIO/-EFAULT. @force: ptrace override of protection.
 */
ssize_t vm_access(struct vmspace *vm, vaddr_t addr, void *buf, size_t len, bool write, bool force);
/*
 * Core dumps: the next address in [@addr, @end) whose page holds something, @end when there is
 * none. *out is its frame, with a reference. Anonymous memory that was not touched is passed over
 * fast; nothing is brought in but pages of files on a device. ctx: thread; sleeps.
 */
vaddr_t vm_dump_next(struct vmspace *vm, vaddr_t addr, vaddr_t end, struct page **out);
/*
 * A fresh frame becomes the anonymous memory at @addr; consumed on success. 0, -EFAULT, -EEXIST,
 * -ENOMEM.
 */
int __must_check vm_give_page(struct vmspace *vm, vaddr_t addr, struct page *p);
/* Frame behind a user address with a reference (futex keys of shared memory, splice). */
int __must_check vm_get_page(struct vmspace *vm, vaddr_t addr, bool write, struct page **out);
/*
 * Futex key of a shared mapping: object and byte offset; -EFAULT; *object NULL when the address is
 * private.
 */
int vm_shared_key(struct vmspace *vm, vaddr_t addr, bool write, const void **object, u64 *offset);

struct region *vm_find(struct vmspace *vm,
		       vaddr_t addr); /* first region ending above @addr; holds: sem */
struct region *vm_next(struct region *r); /* holds: sem */
/*
 * Take [start, end) of @pc out of every address space (truncate). @even_cow: also private copies.
 */
void vm_unmap_object(struct pagecache *pc, u64 first, u64 last, bool even_cow);
/* Unmap everything (exec's old space, exit). */
void vm_unmap_all(struct vmspace *vm);

struct vm_counts {
	u64 rss, shared, anon, pss;
	u64 private_clean, private_dirty, shared_clean, shared_dirty, referenced, anonymous, locked,
		swap;
};
void vm_region_counts(struct region *r, struct vm_counts *out); /* smaps; holds: sem */
void vm_init(void);

/* A page of zeroes, for whoever writes them out. Read only. ctx: any, after vm_init(). */
const void *vm_zeroes(void);
/*
 * Shared anonymous memory as an object (MAP_SHARED|MAP_ANONYMOUS, SysV shm, memfd use tmpfs inodes
 * instead). @flags: VM_NORESERVE.
 */
int __must_check vm_shared_anon(u64 size, u32 flags, struct vm_file **out);
/*
 * policy.c: the memory policy of pages [start, end), with the nodes that came with it, and of one
 * address. -EFAULT: nothing is mapped (at a start or in between; MPOL_DEFAULT: anywhere), -ENOMEM.
 * The last: may their policy have a home node? -ENOENT: there is none, -EOPNOTSUPP. ctx: thread;
 * sleep
 */
int __must_check vm_set_policy(struct vmspace *vm, vaddr_t start, vaddr_t end, u32 policy,
			       u16 nodes);
int __must_check vm_get_policy(struct vmspace *vm, vaddr_t addr, u32 *policy, u64 *nodes);
int __must_check vm_check_home_node(struct vmspace *vm, vaddr_t start, vaddr_t end);
/*
 * The node of the page mapped at @addr: 0. -EFAULT: nothing is mapped, or anonymous memory not
 * touched; -ENOENT: a page of a file that is not mapped yet. ctx: thread; sleeps
 */
int vm_page_node(struct vmspace *vm, vaddr_t addr);
/*
 * poison.c: take the frame at @addr out of use; its contents are lost, or with @soft move. 0,
 * -EFAULT (not mapped, or lost already), -EBUSY (cannot be taken), -ENOMEM, -EINTR. ctx: thread;
 * sleeps
 */
int __must_check vm_retire(struct vmspace *vm, vaddr_t addr, bool soft);
/* Every address space with users, under the lock of their list. */
void vm_for_each(void (*fn)(struct vmspace *vm, void *arg), void *arg);
/* Overcommit accounting (vm.overcommit_memory). */
extern int vm_overcommit_mode;
extern int vm_overcommit_ratio;
extern int vm_overcommit_kbytes; /* not 0: the limit of mode 2, whatever the ratio */
extern int vm_admin_reserve_kbytes, vm_user_reserve_kbytes; /* what mode 2 keeps back */
extern int vm_max_map_count;
extern int vm_mmap_min_addr;
int __must_check vm_commit(u64 pages);
void vm_uncommit(u64 pages);
u64 vm_commit_room(void);
u64 vm_commit_limit_pages(void);
u64 vm_committed_pages(void);
/*
 * Sums over all address spaces, for /proc. A frame that several share (after fork, of a file)
 * counts in each.
 */
struct vm_totals {
	u64 anon, mapped, tables; /* frames */
	u64 minflt, majflt; /* since boot */
};
void vm_get_totals(struct vm_totals *out);
