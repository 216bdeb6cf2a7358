/*
 * Address spaces: their life. vmspace_create makes an empty one for exec, vmspace_fork (fork.c) a
 * copy. Threads hold "users"; when the last is gone the mappings and page tables go at once, so
 * that memory is back before anybody waits for the process. Readers of /proc hold "refs", which
 * keep only the struct: they find an empty tree then.
 *
 * The page tables are freed after pmap_deactivate() has taken them off every CPU that still had
 * them loaded for lack of anything else to run.
 */
#include "mm/vm/vm_internal.h"

int vm_max_map_count = 65530;
int vm_mmap_min_addr = 4096;

static struct kmem_cache *vmspace_cache;

/* All address spaces with users, and the faults of those that went. */
static struct spinlock all_lock = SPINLOCK_INIT(RANK_VM_OBJECT);
static struct list all_spaces = LIST_INIT(all_spaces); /* all_lock */
static u64 past_minflt, past_majflt; /* all_lock */

/* Boot: object caches and the zero page. ctx: boot, after slab_init. */
void vm_init(void)
{
	vmspace_cache = kmem_cache_create("vmspace", sizeof(struct vmspace), 0);
	region_setup();
	pagecache_setup();
	fault_setup();
}

/*
 * A new empty address space, users = refs = 1, searching for room below USER_TOP until exec sets
 * mmap_base.
 * ctx: thread; sleeps. 0 or -ENOMEM.
 */
int vmspace_create(struct vmspace **out)
{
	struct vmspace *vm = kmem_cache_alloc(vmspace_cache, PMM_ZERO);
	int err;

	if (!vm)
		return -ENOMEM;
	err = pmap_init(&vm->pmap);
	if (err) {
		kmem_cache_free(vmspace_cache, vm);
		return err;
	}
	ref_init(&vm->users, 1);
	ref_init(&vm->refs, 1);
	rwsem_init(&vm->sem, RANK_VMSPACE);
	rb_root_init(&vm->regions);
	vm->mmap_base = USER_TOP - GIB(1);
	vm->dumpable = true;
	spin_lock(&all_lock);
	list_add_tail(&all_spaces, &vm->all);
	spin_unlock(&all_lock);
	*out = vm;
	return 0;
}

/* One more thread (CLONE_VM). */
void vmspace_get_user(struct vmspace *vm)
{
	ref_get(&vm->users);
}

void (*vm_aio_hook)(struct vmspace *vm); /* I after boot */

/*
 * A thread leaves; the last frees mappings and tables. The caller no longer runs in @vm's address
 * space as far as user accesses go. ctx: thread; sleeps.
 */
void vmspace_put_user(struct vmspace *vm)
{
	struct vm_file *exe;

	if (!ref_put(&vm->users))
		return;
	if (vm->aio)
		vm_aio_hook(vm);
	spin_lock(&all_lock);
	list_del(&vm->all);
	past_minflt += atomic_read(&vm->minflt);
	past_majflt += atomic_read(&vm->majflt);
	spin_unlock(&all_lock);
	vm_unmap_all(vm);
	rwsem_write_lock(&vm->sem);
	exe = vm->exe;
	vm->exe = NULL;
	rwsem_write_unlock(&vm->sem);
	if (exe)
		exe->ops->put(exe);
	pmap_deactivate(&vm->pmap);
	pmap_fini(&vm->pmap);
	vmspace_put(vm);
}

/* Keep the struct for a reader. */
void vmspace_get(struct vmspace *vm)
{
	ref_get(&vm->refs);
}

/* Let it go. ctx: thread */
void vmspace_put(struct vmspace *vm)
{
	if (ref_put(&vm->refs))
		kmem_cache_free(vmspace_cache, vm);
}

/* See the header. ctx: any without VM_OBJECT or later locks; sleeps: no */
void vm_for_each(void (*fn)(struct vmspace *vm, void *arg), void *arg)
{
	struct vmspace *vm;

	spin_lock(&all_lock);
	list_for_each(vm, &all_spaces, all)
		fn(vm, arg);
	spin_unlock(&all_lock);
}

/* See the header. ctx: any without VM_OBJECT or later locks */
void vm_get_totals(struct vm_totals *out)
{
	struct vmspace *vm;

	memset(out, 0, sizeof(*out));
	spin_lock(&all_lock);
	out->minflt = past_minflt;
	out->majflt = past_majflt;
	list_for_each(vm, &all_spaces, all) {
		out->anon += atomic_read(&vm->rss_anon);
		out->mapped += atomic_read(&vm->rss_file) + atomic_read(&vm->rss_shmem);
		out->tables += READ_ONCE(vm->pmap.tables);
		out->minflt += atomic_read(&vm->minflt);
		out->majflt += atomic_read(&vm->majflt);
	}
	spin_unlock(&all_lock);
}
