/*
 * The first page or two of a new program's stack: argument strings, environment, auxv.
 *
 * The frames are filled before the new address space shows them. Strings are copied once, from the
 * old user memory straight into these frames, in the order of their addresses:
 *
 *   sp -> argc | argv[] NULL | envp[] NULL | auxv ... AT_NULL | argv strings | envp strings |
 *   platform,
 *         random bytes, file name | 8 zero bytes
 *
 * The vectors first hold offsets; when the last byte is known, so is the address of the first page,
 * and arg_stack_install turns offsets into addresses, gives the frames to the address space and
 * writes auxv. The start is moved by a random multiple of 16 within the first page, the rest by the
 * choice of the stack's top.
 *
 * Limits are those of execve(2): a quarter of RLIMIT_STACK (at least 128 KiB, at most 6 MiB) for
 * strings and pointers together, 128 KiB for one string. What is copied has room on the stack that
 * the limit allows, a page in any case.
 */
#include <linux/auxvec.h>
#include <linux/binfmts.h>
#include <linux/errno.h>
#include <linux/elf.h>
#include <linux/personality.h>
#include <asm/auxvec.h>
#include <asm/hwcap.h>
#include <arch/cpu.h>
#include <arch/signal.h>
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec_internal.h"

#define ARG_TOTAL_MIN KIB(128)
#define ARG_TOTAL_MAX MIB(6)
#define ARG_STRING_MAX KIB(128)
#define ARG_COUNT_MAX 0x7fffffffu
#define AUXV_PAIRS 24
#define EXECFD_PAIR 20 /* where AT_EXECFD is among them, if anywhere */
#define CLOCK_TICKS 100

static u8 *stack_at(const struct arg_stack *s, u64 off)
{
	return (u8 *)page_to_va(s->pages[off >> PAGE_SHIFT]) + (off & PAGE_MASK);
}

static int stack_grow_list(struct arg_stack *s)
{
	u32 capacity = s->capacity ? s->capacity * 4 : 8;
	struct page **p = krealloc(s->pages, s->capacity * sizeof(*p), capacity * sizeof(*p), 0);

	if (!p)
		return -ENOMEM;
	s->pages = p;
	s->capacity = capacity;
	return 0;
}

/* Make the bytes up to offset @end exist; contents are undefined. */
static int stack_reserve(struct arg_stack *s, u64 end)
{
	while ((u64)s->npages << PAGE_SHIFT < end) {
		struct page *p;

		if (s->npages >= s->pages_max)
			return -E2BIG;
		if (s->npages == s->capacity && stack_grow_list(s))
			return -ENOMEM;
		p = pmm_alloc(0, PMM_USER);
		if (!p)
			return -ENOMEM;
		s->pages[s->npages++] = p;
	}
	return 0;
}

static int stack_charge(struct arg_stack *s, u64 n)
{
	if (n > s->limit)
		return -E2BIG;
	s->limit -= n;
	return 0;
}

static void stack_put64(struct arg_stack *s, u64 off, u64 v)
{
	*(u64 *)stack_at(s, off) = v;
}

static u64 stack_get64(const struct arg_stack *s, u64 off)
{
	return *(const u64 *)stack_at(s, off);
}

/* Append kernel bytes. */
static int stack_append(struct arg_stack *s, const void *data, size_t n)
{
	const u8 *from = data;
	int err = stack_reserve(s, s->len + n);

	if (err)
		return err;
	while (n) {
		size_t part = MIN(n, (size_t)(PAGE_SIZE - (s->len & PAGE_MASK)));

		memcpy(stack_at(s, s->len), from, part);
		from += part;
		s->len += part;
		n -= part;
	}
	return 0;
}

static int stack_append_kernel_string(struct arg_stack *s, const char *str)
{
	size_t n = strlen(str) + 1;
	int err;

	if (n > ARG_STRING_MAX)
		return -E2BIG;
	err = stack_charge(s, n);
	return err ? err : stack_append(s, str, n);
}

/* Append the user string at @addr, page by page. */
static int stack_append_user_string(struct arg_stack *s, u64 addr)
{
	u64 total = 0;

	for (;;) {
		size_t room = PAGE_SIZE - (s->len & PAGE_MASK);
		ssize_t n;
		int err = stack_reserve(s, s->len + 1);

		if (err)
			return err;
		n = strncpy_from_user((char *)stack_at(s, s->len), addr + total, room);
		if (n == -EFAULT)
			return -EFAULT;
		if (n >= 0)
			room = (size_t)n + 1;
		total += room;
		s->len += room;
		err = stack_charge(s, room);
		if (err || total > ARG_STRING_MAX)
			return -E2BIG;
		if (n >= 0)
			return 0;
	}
}

/*
 * A window on a user array of pointers, so that it is read a few at a time and never beyond a page
 * it may end in.
 */
struct ptr_reader {
	u64 addr; /* of the next to read from user memory */
	u32 at, have;
	u64 buf[32];
};

static int ptr_next(struct ptr_reader *r, u64 *out)
{
	if (r->at == r->have) {
		u64 in_page = (PAGE_SIZE - (r->addr & PAGE_MASK)) / sizeof(u64);
		u32 n = (u32)MIN(MAX(in_page, (u64)1), (u64)ARRAY_SIZE(r->buf));

		if (copy_from_user(r->buf, r->addr, n * sizeof(u64)))
			return -EFAULT;
		r->addr += n * sizeof(u64);
		r->have = n;
		r->at = 0;
	}
	*out = r->buf[r->at++];
	return 0;
}

static int count_user(u64 array, u32 *out)
{
	struct ptr_reader r = { .addr = array };
	u32 n = 0;
	u64 p;

	if (!array) {
		*out = 0;
		return 0;
	}
	for (;;) {
		int err = ptr_next(&r, &p);

		if (err)
			return err;
		if (!p)
			break;
		if (++n > ARG_COUNT_MAX / sizeof(u64))
			return -E2BIG;
		if (n % 1024 == 0 && signal_fatal_pending())
			return -EINTR;
	}
	*out = n;
	return 0;
}

static u32 count_kernel(const char *const *v)
{
	u32 n = 0;

	while (v && v[n])
		n++;
	return n;
}

/* Strings of one vector; their offsets go to the vector at @slot. @skip: leave out the first. */
static int copy_user_strings(struct arg_stack *s, u64 array, u32 count, u32 skip, u64 slot)
{
	struct ptr_reader r = { .addr = array };
	u64 p;

	for (u32 i = 0; i < count; i++) {
		int err = ptr_next(&r, &p);

		if (err)
			return err;
		if (i < skip)
			continue;
		stack_put64(s, slot, s->len);
		slot += sizeof(u64);
		err = p ? stack_append_user_string(s, p) : -EFAULT;
		if (err)
			return err;
	}
	return 0;
}

static int copy_kernel_strings(struct arg_stack *s, const char *const *v, u32 count, u64 slot)
{
	for (u32 i = 0; i < count; i++) {
		int err;

		stack_put64(s, slot + i * sizeof(u64), s->len);
		err = stack_append_kernel_string(s, v[i]);
		if (err)
			return err;
	}
	return 0;
}

/* Room for argc, both vectors and auxv, at a random place in the first page. */
static int reserve_vectors(struct exec_image *img)
{
	struct arg_stack *s = &img->stack;
	u64 words = 1 + (u64)s->argc + 1 + s->envc + 1;
	int err = stack_charge(s, ((u64)s->argc + s->envc) * sizeof(u64));

	if (err)
		return err;
	s->vectors = (img->personality & ADDR_NO_RANDOMIZE) ? 0 : rand_u64() & 0x1f0;
	s->auxv = s->vectors + words * sizeof(u64);
	s->len = s->auxv + AUXV_PAIRS * 2 * sizeof(u64);
	err = stack_reserve(s, s->len);
	if (err)
		return err;
	memset(stack_at(s, 0), 0, s->vectors);
	stack_put64(s, s->vectors, s->argc);
	stack_put64(s, s->vectors + (1 + (u64)s->argc) * sizeof(u64), 0);
	stack_put64(s, s->auxv - sizeof(u64), 0);
	return 0;
}

/*
 * argv after scripts have had their say: prefix words, then what the caller gave without its
 * argv[0].
 */
static int copy_args(struct exec_image *img, u32 given)
{
	const struct exec_args *a = img->args;
	struct arg_stack *s = &img->stack;
	u64 slot = s->vectors + sizeof(u64);
	u32 skip = img->skip_argv0 && given ? 1 : 0;
	static const char *const nothing[] = { "" };
	int err = copy_kernel_strings(s, (const char *const *)img->prefix, img->nprefix, slot);

	if (err)
		return err;
	slot += img->nprefix * sizeof(u64);
	if (!given)
		return img->skip_argv0 ? 0 : copy_kernel_strings(s, nothing, 1, slot);
	if (a->argv)
		return copy_kernel_strings(s, a->argv + skip, given - skip, slot);
	return copy_user_strings(s, a->user_argv, given, skip, slot);
}

static int copy_env(struct exec_image *img)
{
	const struct exec_args *a = img->args;
	struct arg_stack *s = &img->stack;
	u64 slot = s->vectors + (2 + (u64)s->argc) * sizeof(u64);

	if (a->argv)
		return copy_kernel_strings(s, a->envp, s->envc, slot);
	return copy_user_strings(s, a->user_envp, s->envc, 0, slot);
}

static int append_tail(struct exec_image *img)
{
	struct arg_stack *s = &img->stack;
	u8 random[16];
	int err;

	rand_bytes(random, sizeof(random));
	s->platform = s->len;
	err = stack_append(s, "aarch64", 8);
	if (err)
		return err;
	s->random = s->len;
	err = stack_append(s, random, sizeof(random));
	if (err)
		return err;
	s->execfn = s->len;
	err = stack_append(s, img->args->filename, strlen(img->args->filename) + 1);
	if (err)
		return err;
	return stack_append(s, "\0\0\0\0\0\0\0", 8);
}

/*
 * Copy arguments and environment of img->args. ctx: thread, still in the old address space; sleeps.
 * 0, -E2BIG, -EFAULT, -ENOMEM, -EINTR; arg_stack_free in any case.
 */
int arg_stack_build(struct exec_image *img)
{
	const struct exec_args *a = img->args;
	struct arg_stack *s = &img->stack;
	u32 given = count_kernel(a->argv);
	int err = 0;

	s->limit = MIN(img->stack_limit / 4, ARG_TOTAL_MAX);
	s->limit = MAX(s->limit, ARG_TOTAL_MIN);
	s->pages_max = MAX(img->stack_limit >> PAGE_SHIFT, 1ul);
	s->envc = count_kernel(a->envp);
	if (!a->argv) {
		err = count_user(a->user_argv, &given);
		if (!err)
			err = count_user(a->user_envp, &s->envc);
	}
	if (err)
		return err;
	s->argc = MAX(given, 1u) + img->nprefix - img->skip_argv0; /* none given: an empty one */
	err = reserve_vectors(img);
	if (err)
		return err;
	err = copy_args(img, given);
	if (err)
		return err;
	s->arg_end = s->len;
	err = copy_env(img);
	if (err)
		return err;
	s->env_end = s->len;
	return append_tail(img);
}

static void fill_auxv(struct exec_image *img, vaddr_t base)
{
	const struct arg_stack *s = &img->stack;
	struct vmspace *vm = img->vm;
	const struct cred *c = img->cred;
	const u64 pairs[][2] = {
		{ AT_SYSINFO_EHDR, vm->vdso },
		{ AT_MINSIGSTKSZ, sigframe_min_size() },
		{ AT_HWCAP, cpu_hwcap() },
		{ AT_PAGESZ, PAGE_SIZE },
		{ AT_CLKTCK, CLOCK_TICKS },
		{ AT_PHDR, img->phdr },
		{ AT_PHENT, sizeof(struct elf64_phdr) },
		{ AT_PHNUM, img->phnum },
		{ AT_BASE, img->interp_base },
		{ AT_FLAGS, img->keeps_argv0 ? AT_FLAGS_PRESERVE_ARGV0 : 0 },
		{ AT_ENTRY, img->program_entry },
		{ AT_UID, c->uid },
		{ AT_EUID, c->euid },
		{ AT_GID, c->gid },
		{ AT_EGID, c->egid },
		{ AT_SECURE, img->secure },
		{ AT_RANDOM, base + s->random },
		{ AT_HWCAP2, cpu_hwcap2() },
		{ AT_EXECFN, base + s->execfn },
		{ AT_PLATFORM, base + s->platform },
		[EXECFD_PAIR] = { img->executable ? AT_EXECFD : AT_NULL, 0 },
		{ AT_NULL, 0 },
	};

	_Static_assert(ARRAY_SIZE(pairs) <= AUXV_PAIRS && AUXV_PAIRS * 2 <= ARRAY_SIZE(vm->auxv),
		       "fits");
	memcpy(vm->auxv, pairs, sizeof(pairs));
}

/* Offsets become addresses. */
static void relocate_vectors(struct arg_stack *s, vaddr_t base)
{
	u64 off = s->vectors + sizeof(u64);

	for (u32 i = 0; i < s->argc; i++, off += sizeof(u64))
		stack_put64(s, off, stack_get64(s, off) + base);
	off += sizeof(u64);
	for (u32 i = 0; i < s->envc; i++, off += sizeof(u64))
		stack_put64(s, off, stack_get64(s, off) + base);
}

/*
 * Put the frames at the top of the stack region that ends at @top. ctx: thread; sleeps. 0 or
 * -ENOMEM.
 */
int arg_stack_install(struct exec_image *img, vaddr_t top, vaddr_t *sp)
{
	struct arg_stack *s = &img->stack;
	vaddr_t base = top - ((u64)s->npages << PAGE_SHIFT);
	struct vmspace *vm = img->vm;
	u64 first = stack_get64(s, s->vectors + sizeof(u64));

	fill_auxv(img, base);
	for (u32 i = 0; i < AUXV_PAIRS * 2; i++)
		stack_put64(s, s->auxv + i * sizeof(u64), vm->auxv[i]);
	vm->arg_start = base + first;
	vm->arg_end = vm->env_start = base + s->arg_end;
	vm->env_end = base + s->env_end;
	relocate_vectors(s, base);
	if (s->len & PAGE_MASK)
		memset(stack_at(s, s->len), 0, PAGE_SIZE - (s->len & PAGE_MASK));
	for (u32 i = 0; i < s->npages; i++) {
		int err = vm_give_page(vm, base + ((u64)i << PAGE_SHIFT), s->pages[i]);

		if (err)
			return err;
		s->pages[i] = NULL;
	}
	s->execfd = base + s->auxv + (EXECFD_PAIR * 2 + 1) * sizeof(u64);
	*sp = base + s->vectors;
	return 0;
}

/* See exec_internal.h. ctx: thread; sleeps. 0 or -ENOMEM */
int arg_stack_set_execfd(struct exec_image *img, int fd)
{
	vaddr_t at = img->stack.execfd;
	struct page *p;
	int err = vm_get_page(current->vm, at, true, &p);

	if (err)
		return err;
	*(u64 *)((u8 *)page_to_va(p) + (at & PAGE_MASK)) = (u64)fd;
	page_put(p);
	current->vm->auxv[EXECFD_PAIR * 2 + 1] = (u64)fd;
	return 0;
}

/*
 * Free what was not installed. ctx: thread.
 */
void arg_stack_free(struct arg_stack *s)
{
	for (u32 i = 0; i < s->npages; i++) {
		if (s->pages[i])
			page_put(s->pages[i]);
	}
	kfree(s->pages);
	*s = (struct arg_stack){ 0 };
}
