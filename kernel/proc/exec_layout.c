/*
 * Where a new program's parts lie: stack, mmap area, break, position-independent programs, vDSO.
 *
 *   0 .. program (fixed address) .. break .. position-independent programs (2/3 up) .. mmap area
 *   growing down .. gap of the stack limit .. stack .. USER_TOP
 *
 * In the old layout, for programs that ask for it (personality(2): ADDR_COMPAT_LAYOUT), with a
 * stack without limit, and for all with vm.legacy_va_layout, the mmap area grows up from a quarter
 * of the address space.
 *
 * Each of stack, mmap base, program base and break is moved by its own random number of pages,
 * unless personality(2) has ADDR_NO_RANDOMIZE or /proc/sys/kernel/randomize_va_space is 0 (1: all
 * but the break). The widths are those of Linux with 39-bit addresses: 18 bits of pages.
 */
#include <linux/errno.h>
#include <linux/personality.h>
#include <arch/signal.h>
#include "fs/procfs.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/proc/exec_internal.h"

#define RANDOM_PAGES 0x3ffffu
#define STACK_GAP_MIN MIB(128)
#define STACK_GAP_MAX (USER_TOP / 6 * 5)
#define STACK_GUARD (256 * (u64)PAGE_SIZE)
#define STACK_INITIAL KIB(128) /* room below the arguments that exists from the start */
#define PIE_BASE ALIGN_DOWN(USER_TOP / 3 * 2, MIB(2))
#define BREAK_SPREAD GIB(1)

static int randomize_va_space = 2;
SYSCTL_INT(randomize_va_space, "sys/kernel/randomize_va_space", &randomize_va_space, 0, 2);
static int legacy_va_layout;
SYSCTL_INT(legacy_va_layout, "sys/vm/legacy_va_layout", &legacy_va_layout, 0, 0x7fffffff);

static u64 random_offset(const struct exec_image *img)
{
	if ((img->personality & ADDR_NO_RANDOMIZE) || !READ_ONCE(randomize_va_space))
		return 0;
	return (rand_u64() & RANDOM_PAGES) << PAGE_SHIFT;
}

/*
 * Choose stack top and mmap base of the new address space. ctx: thread.
 */
void layout_set_mmap_base(struct exec_image *img, vaddr_t *stack_top)
{
	u64 gap = img->stack_limit;

	*stack_top = USER_TOP - PAGE_SIZE - random_offset(img);
	if ((img->personality & ADDR_COMPAT_LAYOUT) || gap == RLIM64_INFINITY ||
	    READ_ONCE(legacy_va_layout)) {
		img->vm->bottom_up = true;
		img->vm->mmap_base =
			ALIGN_UP((u64)USER_TOP / 4, (u64)PAGE_SIZE) + random_offset(img);
		return;
	}
	if (gap > STACK_GAP_MAX)
		gap = STACK_GAP_MAX;
	gap += STACK_GUARD + ((u64)(RANDOM_PAGES + 1) << PAGE_SHIFT);
	gap = MIN(MAX(gap, STACK_GAP_MIN), STACK_GAP_MAX);
	img->vm->mmap_base = ALIGN_DOWN(USER_TOP - gap - random_offset(img), (u64)PAGE_SIZE);
}

/*
 * Base for a position-independent program that has an interpreter. ctx: thread.
 */
vaddr_t layout_pie_base(const struct exec_image *img)
{
	return PIE_BASE + random_offset(img);
}

/*
 * The break begins behind the program; not behind one that lies in the mmap area, where it would
 * soon collide. ctx: thread.
 */
void layout_set_brk(struct exec_image *img)
{
	struct vmspace *vm = img->vm;
	vaddr_t brk = ALIGN_UP(img->load_end, (u64)PAGE_SIZE);

	if (img->is_dyn && !img->has_interp)
		brk = PIE_BASE;
	if (!(img->personality & ADDR_NO_RANDOMIZE) && READ_ONCE(randomize_va_space) > 1)
		brk += ALIGN_DOWN(rand_u64() % BREAK_SPREAD, (u64)PAGE_SIZE);
	vm->brk_start = vm->brk = brk;
}

/*
 * personality(2), MMAP_PAGE_ZERO: page 0 reads as zeroes, where that may be mapped. ctx: thread;
 * sleeps
 */
void layout_map_page_zero(struct exec_image *img)
{
	struct vm_map_args a = {
		.len = PAGE_SIZE,
		.prot = PROT_R | PROT_X,
		.max_prot = PROT_R | PROT_W | PROT_X,
		.how = VM_MAP_FIXED,
	};
	vaddr_t at;

	if ((img->personality & MMAP_PAGE_ZERO) && vm_map(img->vm, &a, &at))
		return; /* a program that may not have it runs without */
}

/*
 * Map the stack below @top: the arguments' pages and, as far as the limit goes, some more; it grows
 * by faults. ctx: thread; sleeps. 0 or -ENOMEM (the program lies there).
 */
int layout_map_stack(struct exec_image *img, vaddr_t top)
{
	u64 used = (u64)img->stack.npages << PAGE_SHIFT;
	u64 len = MIN(used + STACK_INITIAL, ALIGN_DOWN(img->stack_limit, (u64)PAGE_SIZE));
	struct vm_map_args a = {
		.prot = PROT_R | PROT_W | (img->stack_exec ? PROT_X : 0),
		.max_prot = PROT_R | PROT_W | PROT_X,
		.flags = VM_GROWSDOWN | VM_STACK,
		.how = VM_MAP_FIXED | VM_MAP_NOREPLACE,
	};
	vaddr_t at;

	a.len = MAX(len, used);
	a.addr = top - a.len;
	return vm_map(img->vm, &a, &at) ? -ENOMEM : 0;
}

static void vdso_get(struct vm_file *f)
{
}

/* Page 0 is the kernel's time data, the code follows. */
static int vdso_fault(struct vm_file *f, u64 pgoff, struct page **out)
{
	paddr_t pa;

	if (pgoff == 0)
		pa = time_vdso_page();
	else if ((pgoff - 1) << PAGE_SHIFT < (u64)(vdso_end - vdso_start))
		pa = kimage_to_pa(vdso_start) + ((pgoff - 1) << PAGE_SHIFT);
	else
		return -EFAULT;
	*out = pa_to_page(pa);
	page_get(*out);
	return 0;
}

static const struct vm_file_ops vdso_ops = {
	.get = vdso_get,
	.put = vdso_get,
	.fault = vdso_fault,
};
static struct vm_file vdso_file = { &vdso_ops };

/*
 * Map the vDSO's data page and, behind it, its code. ctx: thread; sleeps. 0 or -ENOMEM.
 */
int layout_map_vdso(struct exec_image *img)
{
	u64 code = ALIGN_UP((u64)(vdso_end - vdso_start), (u64)PAGE_SIZE);
	struct vm_map_args a = {
		.len = PAGE_SIZE + code,
		.prot = PROT_R,
		.max_prot = PROT_R,
		.flags = VM_VDSO | VM_DONTEXPAND | VM_DONTDUMP,
		.file = &vdso_file,
		.name = "[vvar]",
	};
	vaddr_t at;
	int err = vm_map(img->vm, &a, &at);

	if (err)
		return err;
	a.addr = at + PAGE_SIZE;
	a.len = code;
	a.prot = PROT_R | PROT_X;
	a.max_prot = PROT_R | PROT_W | PROT_X;
	a.flags = VM_VDSO | VM_DONTEXPAND;
	a.how = VM_MAP_FIXED;
	a.pgoff = 1;
	a.name = "[vdso]";
	err = vm_map(img->vm, &a, &at);
	if (!err)
		img->vm->vdso = at;
	return err;
}
