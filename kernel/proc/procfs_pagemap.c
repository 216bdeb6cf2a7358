/*
 * /proc/PID/pagemap, clear_refs: page tables as user space may see them.
 *
 * pagemap is an array of 64-bit words, one per page of the address space, read at its position:
 * bit 63 the page is there, 61 it belongs to a file or is shared anonymous memory, 56 nobody else
 * maps it, and with CAP_SYS_ADMIN the frame number in bits 0-54, else 0. Soft-dirty bits (55) are
 * not kept.
 *
 * The address space's semaphore is held while words are made, never while they are copied.
 *
 * man: proc(5); Linux, admin-guide/mm/pagemap.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <arch/pmap.h>
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

#define WORDS 64 /* made at a time */
#define PM_PRESENT BIT(63)
#define PM_FILE BIT(61)
#define PM_EXCLUSIVE BIT(56)
#define PM_FRAME (BIT(55) - 1)

typedef unsigned long long ull;

/* What a reader opened: the address space, and whether frame numbers are for him. */
struct pagemap {
	struct vmspace *vm; /* reference; NULL: none */
	bool frames;
};

static u64 word_of(struct region *r, vaddr_t va, bool frames)
{
	struct pmap *pm = &r->vm->pmap;
	struct page *p;
	u64 w = 0;
	pte_t *slot;

	if (r->flags & VM_DEVICE)
		return 0;
	spin_lock(&pm->lock);
	slot = pmap_leaf(pm, va);
	if (slot && pte_present(*slot)) {
		p = pa_to_page(pte_pa(*slot));
		w = PM_PRESENT;
		if (p->type == PAGE_CACHE)
			w |= PM_FILE;
		else if (p->type == PAGE_ANON && page_refs(p) == 1)
			w |= PM_EXCLUSIVE;
		if (frames)
			w |= pte_pa(*slot) >> PAGE_SHIFT & PM_FRAME;
	}
	spin_unlock(&pm->lock);
	return w;
}

/* The words of @n pages from @va on. */
static void words_make(const struct pagemap *m, vaddr_t va, u64 *w, size_t n)
{
	struct region *r;

	rwsem_read_lock(&m->vm->sem);
	r = vm_find(m->vm, va);
	for (size_t i = 0; i < n; i++, va += PAGE_SIZE) {
		while (r && r->end <= va)
			r = vm_next(r);
		w[i] = r && r->start <= va ? word_of(r, va, m->frames) : 0;
	}
	rwsem_read_unlock(&m->vm->sem);
}

static int pagemap_open(struct inode *i, struct file *f)
{
	struct pagemap *m = kmalloc(sizeof(*m), 0);
	int err = m ? handle_vm(i->priv, ACCESS_READ, &m->vm) : -ENOMEM;

	if (err) {
		kfree(m);
		return err;
	}
	m->frames = cred_capable(current->cred, CAP_SYS_ADMIN);
	f->priv = m;
	return 0;
}

static void pagemap_release(struct file *f)
{
	struct pagemap *m = f->priv;

	if (m && m->vm)
		vmspace_put(m->vm);
	kfree(m);
}

static ssize_t pagemap_read(struct file *f, struct uio *u, u64 *pos)
{
	const struct pagemap *m = f->priv;
	ssize_t done = 0;
	u64 w[WORDS];

	if (m->vm && (*pos % sizeof(w[0]) || u->left % sizeof(w[0])))
		return -EINVAL;
	while (m->vm && u->left && *pos / sizeof(w[0]) < USER_TOP / PAGE_SIZE) {
		vaddr_t va = *pos / sizeof(w[0]) * PAGE_SIZE;
		size_t most = MIN(u->left / sizeof(w[0]), (size_t)WORDS);
		size_t n = MIN(most, (size_t)((USER_TOP - va) / PAGE_SIZE));
		ssize_t got;

		words_make(m, va, w, n);
		got = uio_copy_to(u, w, n * sizeof(w[0]));
		if (got <= 0)
			return done ? done : got;
		*pos += (u64)got;
		done += got;
	}
	return done;
}

static s64 pagemap_seek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

/* pagemap: one word per page. */
const struct file_ops pid_pagemap_ops = {
	.open = pagemap_open,
	.release = pagemap_release,
	.read = pagemap_read,
	.seek = pagemap_seek,
};

/* --- clear_refs --- */

/* All pages of @r are not referenced from here on. holds: sem */
static void region_clear_refs(struct region *r)
{
	struct pmap *pm = &r->vm->pmap;

	if (r->flags & VM_DEVICE)
		return;
	for (vaddr_t va = r->start; va < r->end; va += PAGE_SIZE) {
		pte_t *slot;

		spin_lock(&pm->lock);
		slot = pmap_leaf(pm, va);
		if (slot && pte_present(*slot) && pte_young(*slot)) {
			pte_set(slot, pte_mkold(*slot));
			tlb_flush_range(pm, va, va + PAGE_SIZE);
		}
		spin_unlock(&pm->lock);
	}
}

/*
 * clear_refs: 1 forgets which pages were referenced, 2 of anonymous memory only, 3 of files, 4 the
 * soft-dirty bits (there are none), 5 the peak of resident memory. ctx: thread; sleeps. @n,
 * -EINVAL, -ESRCH, -EACCES.
 */
ssize_t pid_clear_refs_write(void *h, const char *text, size_t n)
{
	struct vmspace *vm;
	const char *end;
	u64 what;
	int err;

	while (char_is_space(*text))
		text++;
	if (str_to_u64(text, &end, 10, &what) || what < 1 || what > 5)
		return -EINVAL;
	err = handle_vm(h, ACCESS_READ, &vm);
	if (err)
		return err;
	if (!vm)
		return (ssize_t)n;
	rwsem_write_lock(&vm->sem);
	for (struct region *r = what <= 3 ? vm_find(vm, 0) : NULL; r; r = vm_next(r)) {
		if (what == 1 || (what == 2) == !r->file)
			region_clear_refs(r);
	}
	if (what == 5)
		vm->peak_rss = atomic_read(&vm->rss_anon) + atomic_read(&vm->rss_file) +
			       atomic_read(&vm->rss_shmem);
	rwsem_write_unlock(&vm->sem);
	vmspace_put(vm);
	return (ssize_t)n;
}
