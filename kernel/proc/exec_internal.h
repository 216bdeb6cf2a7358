#pragma once
/* A program image in the making: exec.c owns it, exec_args.c and elf.c fill it. */
#include "kernel/proc/internal.h"

#define EXEC_HEAD_SIZE \
	1024 /* ELF header and, as linkers lay them out, the program headers behind it */
#define EXEC_SCRIPT_DEPTH 5
#define EXEC_LINE_SIZE 256 /* of a script's first line */

/* Argument strings, vectors and auxv in frames that become the top of the new stack. */
struct arg_stack {
	struct page **pages; /* o */
	u32 npages, capacity;
	u64 len; /* bytes used, from the first page's start */
	u64 limit; /* most bytes of strings and vectors */
	u32 argc, envc;
	u64 vectors; /* offset of argc, where sp will point */
	u64 auxv; /* offset of auxv */
	u64 arg_end; /* offset: end of argv's strings, begin of envp's */
	u64 env_end;
	u64 platform, random, execfn; /* offsets */
};

struct exec_image {
	const struct exec_args *args; /* I */
	struct file *file; /* the program: binary after scripts were followed */
	bool denied; /* writers of file are kept out */
	u8 head[EXEC_HEAD_SIZE] __aligned(8); /* its first bytes, an ELF header it may be */
	u32 head_len;
	/* Scripts: words that replace argv[0], outermost interpreter first. */
	char *prefix[2 * EXEC_SCRIPT_DEPTH + 1];
	u32 nprefix;
	struct arg_stack stack;
	struct vmspace *vm; /* new address space */
	/* What elf_load found out. */
	vaddr_t entry; /* where to begin: program or interpreter */
	vaddr_t program_entry, phdr, interp_base;
	u32 phnum;
	vaddr_t load_end; /* end of the highest segment */
	bool stack_exec;
	bool has_interp, is_dyn;
	u32 personality;
	/* Credentials of the new image; setid: they differ by the file's mode. */
	struct cred *cred;
	bool secure;
	bool gains; /* the credentials hold more than the old ones */
	bool limited; /* they were cut: a tracer, or somebody who shares directories, is in the way */
	bool dumpable; /* the program may be read, and is not secure */
	u32 old_tid; /* of the thread that execs */
};

/*
 * exec.c: open @name for execution, keep writers out. 0, -EACCES, -ETXTBSY, lookup errors. The
 * caller undoes both.
 */
int __must_check exec_open(const struct path *at, const char *name, u32 lookup, struct file **out);
void exec_close(struct file *f);

/* exec_cred.c: img->cred and what follows from it. 0, -ENOMEM, -EPERM, -EINVAL (see there). */
int __must_check exec_cred_prepare(struct exec_image *img);

/* exec_args.c. Each 0 or -E2BIG, -EFAULT, -ENOMEM. */
int __must_check arg_stack_build(struct exec_image *img);
/*
 * Fill vectors and auxv for a stack whose last byte is below @top; map the frames. *sp is the
 * initial stack pointer.
 */
int __must_check arg_stack_install(struct exec_image *img, vaddr_t top, vaddr_t *sp);
void arg_stack_free(struct arg_stack *s);

/* elf.c. 0, -ENOEXEC, -EINVAL, -ELIBBAD, -ENOMEM, -EIO, and what opening the interpreter gives. */
int __must_check elf_load(struct exec_image *img);

/* exec_layout.c: where things lie, by personality and chance. */
void layout_map_page_zero(struct exec_image *img);
void layout_set_mmap_base(struct exec_image *img, vaddr_t *stack_top);
vaddr_t layout_pie_base(const struct exec_image *img);
void layout_set_brk(struct exec_image *img);
int __must_check layout_map_stack(struct exec_image *img, vaddr_t top);
int __must_check layout_map_vdso(struct exec_image *img);
