/*
 * Frames that somebody filled before an address space had them: exec builds a program's arguments
 * in fresh frames and then hands them over, so that nothing is copied twice.
 *
 * The region is private and anonymous, so the frame becomes an ordinary page of it: counted as
 * resident, copied on write after fork. Instructions are not an issue, as the caller promises that
 * nothing executable is in it: the caches were not made to agree.
 */
#include "mm/vm/vm_internal.h"

/*
 * The entry of @addr in @r becomes @p. -EEXIST: there is something already. holds: sem for reading
 */
static int give_entry(struct region *r, vaddr_t addr, struct page *p)
{
	struct pmap *pm = &r->vm->pmap;
	pte_t *slot;
	int err = 0;

	spin_lock(&pm->lock);
	slot = pmap_leaf_alloc(pm, addr);
	if (!slot)
		err = -ENOMEM;
	else if (pte_present(*slot))
		err = -EEXIST;
	else
		pte_set(slot, pte_mkdirty(pte_make(page_to_pa(p), vm_pte_prot(r->prot))));
	spin_unlock(&pm->lock);
	return err;
}

/*
 * Make the fresh frame @p the memory at @addr, which lies in a private anonymous region without
 * PROT_X or with nothing executable in @p yet. ctx: thread; sleeps; consumes @p on success. 0,
 * -EFAULT (no such region), -EEXIST, -ENOMEM.
 */
int vm_give_page(struct vmspace *vm, vaddr_t addr, struct page *p)
{
	struct region *r;
	int err = -EFAULT;

	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (r && r->start <= addr && region_is_anon(r) && !r->cache) {
		p->type = PAGE_ANON;
		err = give_entry(r, addr, p);
	}
	if (!err)
		atomic_inc(&vm->rss_anon);
	rwsem_read_unlock(&vm->sem);
	return err;
}
