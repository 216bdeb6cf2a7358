/*
 * Loading ELF64 programs: static, static position-independent, and with an interpreter at its own
 * address.
 *
 * Follows the System V ABI's program loading and the arm64 conventions of Linux. Nothing in the
 * file is trusted: every address and size is checked against the user address space before use,
 * and sums cannot wrap. What the headers alone show to be wrong is an error of execve. From the
 * first segment on (img->late) the old program is given up, as programs know it from Linux: what
 * does not fit then, be it of the interpreter, ends the process, see exec.c.
 *
 * One PT_LOAD segment becomes one file mapping (private, from the page cache, nothing copied), the
 * rest of its last page is zeroed when the segment is writable, and pages beyond the file part are
 * anonymous. All segments of an object share one bias: 0 for fixed programs; for
 * position-independent ones it puts the whole span at layout_pie_base when there is an interpreter,
 * else at the top of the empty mmap area.
 */
#include <linux/elf.h>
#include <linux/errno.h>
#include <linux/personality.h>
#include "kernel/lib/string.h"
#include "kernel/proc/exec_internal.h"

#define PHDRS_MAX (65536 / sizeof(struct elf64_phdr))

/* One ELF file: the program or its interpreter. */
struct elf_object {
	struct file *file;
	const struct elf64_hdr *eh;
	u8 *head; /* of an interpreter: what eh is in, kmalloc */
	struct elf64_phdr *ph; /* copy, kmalloc */
	u64 low, high; /* span of all PT_LOAD, page aligned, relative to bias */
	u64 align; /* largest p_align */
	u64 bias;
	vaddr_t end, file_end; /* highest byte of memory, and of what the file fills; biased */
	int pad_err; /* of zeroing the page behind file_end */
};

static u64 page_down(u64 a)
{
	return a & ~(u64)PAGE_MASK;
}

static u64 page_up(u64 a)
{
	return (a + PAGE_MASK) & ~(u64)PAGE_MASK;
}

static bool elf_magic_ok(const struct elf64_hdr *eh)
{
	return memcmp(eh->e_ident, ELFMAG, SELFMAG) == 0 && eh->e_machine == EM_AARCH64;
}

static bool elf_type_ok(const struct elf64_hdr *eh)
{
	return eh->e_type == ET_EXEC || eh->e_type == ET_DYN;
}

/* Copy the program headers; most files have them in the first bytes, which are here already. */
static int elf_read_phdrs(struct elf_object *o, const u8 *head, u32 head_len)
{
	const struct elf64_hdr *eh = o->eh;
	size_t size = eh->e_phnum * sizeof(*o->ph);
	ssize_t n;

	if (eh->e_phentsize != sizeof(*o->ph) || eh->e_phnum < 1 || eh->e_phnum > PHDRS_MAX)
		return -ENOEXEC;
	o->ph = kmalloc(size, 0);
	if (!o->ph)
		return -ENOMEM;
	if (eh->e_phoff <= head_len && size <= head_len - eh->e_phoff) {
		memcpy(o->ph, head + eh->e_phoff, size);
		return 0;
	}
	if (eh->e_phoff > (u64)TIME_NEVER - size)
		return -ENOEXEC;
	n = file_read_kernel(o->file, o->ph, size, eh->e_phoff);
	return n == (ssize_t)size ? 0 : -ENOEXEC;
}

/* Sizes and addresses of one PT_LOAD make sense. */
static bool segment_ok(const struct elf64_phdr *ph)
{
	return ph->p_filesz <= ph->p_memsz && ph->p_memsz <= USER_TOP &&
	       ph->p_vaddr <= USER_TOP - ph->p_memsz &&
	       ph->p_offset <= (u64)TIME_NEVER - ph->p_filesz &&
	       (ph->p_vaddr & PAGE_MASK) == (ph->p_offset & PAGE_MASK);
}

/* Check all PT_LOADs and find the span they cover; there may be none. 0 or -EINVAL. */
static int elf_measure(struct elf_object *o)
{
	o->align = PAGE_SIZE;
	o->low = ~0ull;
	o->high = 0;
	for (u32 i = 0; i < o->eh->e_phnum; i++) {
		const struct elf64_phdr *ph = &o->ph[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (!segment_ok(ph))
			return -EINVAL;
		o->low = MIN(o->low, page_down(ph->p_vaddr));
		o->high = MAX(o->high, page_up(ph->p_vaddr + ph->p_memsz));
		if (ph->p_align > o->align && !(ph->p_align & (ph->p_align - 1)) &&
		    ph->p_align <= GIB(1))
			o->align = ph->p_align;
	}
	if (o->low > o->high)
		o->low = o->high = 0;
	return 0;
}

static u32 segment_prot(const struct elf64_phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_R : 0) | (ph->p_flags & PF_W ? PROT_W : 0) |
	       (ph->p_flags & PF_X ? PROT_X : 0);
}

static int map_file_part(struct exec_image *img, struct elf_object *o, const struct elf64_phdr *ph)
{
	vaddr_t start = page_down(o->bias + ph->p_vaddr), at;
	struct vm_map_args a = {
		.addr = start,
		.len = page_up(o->bias + ph->p_vaddr + ph->p_filesz) - start,
		.prot = segment_prot(ph),
		.max_prot = PROT_R | PROT_W | PROT_X,
		.how = VM_MAP_FIXED,
		.pgoff = ph->p_offset >> PAGE_SHIFT,
	};
	int err = file_mmap(o->file, &a);

	if (err)
		return err == -ENODEV ? -ENOEXEC : err;
	a.max_prot = PROT_R | PROT_W | PROT_X;
	return vm_map(img->vm, &a, &at);
}

/* The rest of the last file page reads as zeroes. -EFAULT: it may not be written. */
static int zero_partial_page(struct exec_image *img, vaddr_t end, u32 prot)
{
	struct page *p;
	int err;

	if (!(end & PAGE_MASK))
		return 0;
	if (!(prot & PROT_W))
		return -EFAULT;
	err = vm_get_page(img->vm, end, true, &p);
	if (err)
		return err == -ENOMEM ? err : -EFAULT;
	memset((u8 *)page_to_va(p) + (end & PAGE_MASK), 0, PAGE_SIZE - (end & PAGE_MASK));
	page_put(p);
	return 0;
}

static int map_zero_part(struct exec_image *img, vaddr_t start, vaddr_t end, u32 prot)
{
	struct vm_map_args a = {
		.addr = start,
		.len = end - start,
		.prot = prot,
		.max_prot = PROT_R | PROT_W | PROT_X,
		.how = VM_MAP_FIXED,
	};
	vaddr_t at;

	return end > start ? vm_map(img->vm, &a, &at) : 0;
}

static int elf_map_segment(struct exec_image *img, struct elf_object *o,
			   const struct elf64_phdr *ph)
{
	vaddr_t file_end = o->bias + ph->p_vaddr + ph->p_filesz;
	vaddr_t end = o->bias + ph->p_vaddr + ph->p_memsz;
	u32 prot = segment_prot(ph);
	vaddr_t zero_from = page_down(o->bias + ph->p_vaddr);
	int err;

	if (ph->p_filesz) {
		err = map_file_part(img, o, ph);
		if (err)
			return err;
		if (ph->p_memsz > ph->p_filesz || o->head)
			err = zero_partial_page(img, file_end, prot);
		if (file_end >= o->file_end)
			o->pad_err = err;
		o->file_end = MAX(o->file_end, file_end);
		zero_from = page_up(file_end);
	}
	o->end = MAX(o->end, end);
	return map_zero_part(img, zero_from, page_up(end), prot | PROT_R | PROT_W);
}

/* Choose the bias: nothing of the address space but the program itself is mapped yet. */
static int elf_place(struct exec_image *img, struct elf_object *o, bool interp)
{
	u64 span = o->high - o->low;
	vaddr_t base;

	if (o->eh->e_type == ET_EXEC) {
		o->bias = 0;
		return 0;
	}
	if (!interp && img->has_interp) {
		base = ALIGN_DOWN(layout_pie_base(img), o->align);
	} else {
		if (span + o->align > img->vm->mmap_base)
			return -ENOMEM;
		base = img->vm->bottom_up ? ALIGN_UP(img->vm->mmap_base, o->align)
					  : ALIGN_DOWN(img->vm->mmap_base - span, o->align);
	}
	if (span > USER_TOP - base)
		return -ENOMEM;
	o->bias = base - o->low;
	return 0;
}

/* That zeroes cannot be written matters behind an interpreter's last segment only. */
static int elf_map_object(struct exec_image *img, struct elf_object *o)
{
	for (u32 i = 0; i < o->eh->e_phnum; i++) {
		int err;

		if (o->ph[i].p_type != PT_LOAD || !o->ph[i].p_memsz)
			continue;
		err = elf_map_segment(img, o, &o->ph[i]);
		if (err)
			return err;
	}
	return o->head ? o->pad_err : 0;
}

static const struct elf64_phdr *elf_find(const struct elf_object *o, u32 type)
{
	for (u32 i = 0; i < o->eh->e_phnum; i++) {
		if (o->ph[i].p_type == type)
			return &o->ph[i];
	}
	return NULL;
}

/* The interpreter's path, kmalloc. 0, -ENOEXEC, -ENOMEM, -EIO. */
static int interp_path(const struct elf_object *o, const struct elf64_phdr *ph, char **out)
{
	char *path;
	ssize_t n;

	if (ph->p_filesz > PATH_MAX_LEN || ph->p_filesz < 2 ||
	    ph->p_offset > (u64)TIME_NEVER - PATH_MAX_LEN)
		return -ENOEXEC;
	path = kmalloc(ph->p_filesz, 0);
	if (!path)
		return -ENOMEM;
	n = file_read_kernel(o->file, path, ph->p_filesz, ph->p_offset);
	if (n == (ssize_t)ph->p_filesz && path[n - 1] == '\0') {
		*out = path;
		return 0;
	}
	kfree(path);
	return n < 0 ? (int)n : n == (ssize_t)ph->p_filesz ? -ENOEXEC : -EIO;
}

/* Read what o->file begins with. -ELIBBAD: it is not a program of ours. */
static int interp_read(struct elf_object *o)
{
	ssize_t n;
	int err;

	o->head = kmalloc(EXEC_HEAD_SIZE, 0);
	if (!o->head)
		return -ENOMEM;
	n = file_read_kernel(o->file, o->head, EXEC_HEAD_SIZE, 0);
	o->eh = (const struct elf64_hdr *)o->head;
	if (n < (ssize_t)sizeof(*o->eh))
		return n < 0 ? (int)n : -EIO;
	if (!elf_magic_ok(o->eh))
		return -ELIBBAD;
	err = elf_read_phdrs(o, o->head, (u32)n);
	return err && err != -ENOMEM ? -ELIBBAD : err;
}

/* Open the interpreter that @ph of @prog names; interp_close also after an error. */
static int interp_open(struct exec_image *img, const struct elf_object *prog,
		       const struct elf64_phdr *ph, struct elf_object *o)
{
	const struct path none = { NULL, NULL };
	struct file *file;
	char *path = NULL;
	int err = interp_path(prog, ph, &path);

	if (err)
		return err;
	err = exec_open(&none, path, LOOKUP_FOLLOW | LOOKUP_EMPTY, &file);
	kfree(path);
	if (err)
		return err;
	o->file = file;
	if (inode_permission(file->inode, MAY_READ))
		img->unreadable = true;
	return interp_read(o);
}

static void interp_close(struct elf_object *o)
{
	kfree(o->ph);
	kfree(o->head);
	if (o->file)
		exec_close(o->file);
}

/*
 * Below what the mmap area already holds: a static position-independent program has no interpreter.
 */
static int interp_load(struct exec_image *img, struct elf_object *o)
{
	int err = elf_type_ok(o->eh) ? elf_measure(o) : -EPERM;

	if (!err)
		err = elf_place(img, o, true);
	if (!err)
		err = elf_map_object(img, o);
	if (!err && o->bias + o->eh->e_entry >= USER_TOP)
		err = -EINVAL;
	if (!err) {
		img->interp_base = o->bias + o->low;
		img->entry = o->bias + o->eh->e_entry;
	}
	return err;
}

/* Where the program headers lie in memory: in the segment that holds their file offset. */
static vaddr_t phdr_address(const struct elf_object *o)
{
	u64 off = o->eh->e_phoff;

	for (u32 i = 0; i < o->eh->e_phnum; i++) {
		const struct elf64_phdr *ph = &o->ph[i];

		if (ph->p_type == PT_LOAD && ph->p_offset <= off &&
		    off - ph->p_offset < ph->p_filesz)
			return o->bias + ph->p_vaddr + (off - ph->p_offset);
	}
	return 0;
}

/* For /proc/PID/stat and brk: what is code, what is data. */
static void record_extent(struct exec_image *img, const struct elf_object *o)
{
	struct vmspace *vm = img->vm;

	vm->code_start = USER_TOP;
	for (u32 i = 0; i < o->eh->e_phnum; i++) {
		const struct elf64_phdr *ph = &o->ph[i];
		vaddr_t start = o->bias + ph->p_vaddr;

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_flags & PF_X)
			vm->code_end = MAX(vm->code_end, start + ph->p_filesz);
		vm->code_start = MIN(vm->code_start, start);
		if (start >= vm->data_start) {
			vm->data_start = start;
			vm->data_end = start + ph->p_filesz;
		}
	}
}

static int elf_load_program(struct exec_image *img, struct elf_object *o)
{
	int err = elf_measure(o);

	if (!err)
		err = elf_place(img, o, false);
	if (!err)
		err = elf_map_object(img, o);
	if (err)
		return err;
	img->program_entry = o->bias + o->eh->e_entry;
	if (!img->has_interp && img->program_entry >= USER_TOP)
		return -EINVAL;
	img->entry = img->program_entry;
	img->phdr = phdr_address(o);
	img->phnum = o->eh->e_phnum;
	img->load_end = o->end;
	record_extent(img, o);
	return 0;
}

/*
 * Map the program in img->file, whose first bytes are in img->head, and its interpreter into
 * img->vm.
 * ctx: thread; sleeps. See exec_internal.h for errors.
 */
int elf_load(struct exec_image *img)
{
	struct elf_object o = { .file = img->file, .eh = (const struct elf64_hdr *)img->head };
	struct elf_object in = { .file = NULL };
	const struct elf64_phdr *interp, *stack;
	int err;

	if (img->head_len < sizeof(*o.eh) || !elf_magic_ok(o.eh) || !elf_type_ok(o.eh))
		return -ENOEXEC;
	err = elf_read_phdrs(&o, img->head, img->head_len);
	if (err)
		goto out;
	interp = elf_find(&o, PT_INTERP);
	if (interp)
		err = interp_open(img, &o, interp, &in);
	if (err)
		goto out;
	stack = elf_find(&o, PT_GNU_STACK);
	img->has_interp = interp;
	img->is_dyn = o.eh->e_type == ET_DYN;
	img->stack_exec = stack && (stack->p_flags & PF_X);
	img->late = true;
	err = elf_load_program(img, &o);
	if (!err && interp)
		err = interp_load(img, &in);
out:
	interp_close(&in);
	kfree(o.ph);
	return err;
}
