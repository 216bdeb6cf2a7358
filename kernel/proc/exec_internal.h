#pragma once
/* A program image in the making: exec.c owns it, exec_args.c and elf.c fill it. */
#include "kernel/proc/internal.h"

#define EXEC_HEAD_SIZE \
	1024 /* ELF header and, as linkers lay them out, the program headers behind it */
#define EXEC_DEPTH 5 /* interpreters of interpreters */
#define EXEC_LINE_SIZE 256 /* of a script's first line */

/* Argument strings, vectors and auxv in frames that become the top of the new stack. */
struct arg_stack {
	struct page **pages; /* o */
	u32 npages, capacity;
	u64 len; /* bytes used, from the first page's start */
	u64 limit; /* most bytes of strings and vectors */
	u64 pages_max; /* as many as RLIMIT_STACK has room for */
	u32 argc, envc;
	u64 vectors; /* offset of argc, where sp will point */
	u64 auxv; /* offset of auxv */
	u64 arg_end; /* offset: end of argv's strings, begin of envp's */
	u64 env_end;
	u64 platform, random, execfn; /* offsets */
	vaddr_t execfd; /* address of the value of AT_EXECFD */
};

struct exec_image {
	const struct exec_args *args; /* I */
	struct file *file; /* the program: binary after scripts were followed */
	bool denied; /* writers of file are kept out */
	u8 head[EXEC_HEAD_SIZE] __aligned(8); /* its first bytes, an ELF header it may be */
	u32 head_len;
	/* Words of interpreters that come before argv, the outermost first; argv[0] may be out. */
	char *prefix[2 * (EXEC_DEPTH + 1) + 1];
	u32 nprefix;
	bool skip_argv0;
	bool keeps_argv0; /* said to the last interpreter, in AT_FLAGS */
	struct file *executable; /* what the interpreter gets a descriptor of; NULL: nothing */
	bool executable_creds; /* and whose credentials count */
	bool unreadable; /* something that runs may not be read */
	struct arg_stack stack;
	struct vmspace *vm; /* new address space */
	bool late; /* segments are being mapped: an error from now on ends the process */
	/* What elf_load found out. */
	vaddr_t entry; /* where to begin: program or interpreter */
	vaddr_t program_entry, phdr, interp_base;
	u32 phnum;
	vaddr_t load_end; /* end of the highest segment */
	bool stack_exec;
	bool has_interp, is_dyn;
	u32 personality;
	u64 stack_limit; /* RLIMIT_STACK of the new program */
	/* Credentials of the new image; setid: they differ by the file's mode. */
	struct cred *cred;
	bool secure;
	bool gains; /* the credentials hold more than the old ones */
	bool limited; /* they were cut: a tracer, or who shares directories, is in the way */
	bool dumpable; /* the program may be read, and is not secure */
	u32 old_tid; /* of the thread that execs */
};

/*
 * exec.c: open @name for execution, keep writers out. 0, -EACCES, -ETXTBSY, lookup errors. The
 * caller undoes both.
 */
int __must_check exec_open(const struct path *at, const char *name, u32 lookup, struct file **out);
int __must_check exec_open_path(const struct path *p, struct file **out);
void exec_close(struct file *f);

/*
 * exec_interp.c: interpreters take the place of img->file until it is a program of ours. 0, -ELOOP,
 * -ENOEXEC, -ENOENT, -ENOMEM, and what opening them gives.
 */
int __must_check exec_follow(struct exec_image *img);

/* binfmt_misc.c: an interpreter that the administrator has set for some kind of file. */
struct binfmt;
/* That for img->file, whose first bytes are in img->head, called as @name; a reference or NULL. */
struct binfmt *binfmt_match(const struct exec_image *img, const char *name);
int __must_check binfmt_open(const struct binfmt *b, struct file **out); /* as exec_open */
bool binfmt_has(const struct binfmt *b, char flag); /* P, O, C */
const char *binfmt_interpreter(const struct binfmt *b);
void binfmt_put(struct binfmt *b);

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
/* The value of AT_EXECFD, when the new address space is current's. */
int __must_check arg_stack_set_execfd(struct exec_image *img, int fd);

/* elf.c. 0, -ENOEXEC, -EINVAL, -ELIBBAD, -ENOMEM, -EIO, and what opening the interpreter gives. */
int __must_check elf_load(struct exec_image *img);

/* exec_layout.c: where things lie, by personality and chance. */
void layout_map_page_zero(struct exec_image *img);
void layout_set_mmap_base(struct exec_image *img, vaddr_t *stack_top);
vaddr_t layout_pie_base(const struct exec_image *img);
void layout_set_brk(struct exec_image *img);
int __must_check layout_map_stack(struct exec_image *img, vaddr_t top);
int __must_check layout_map_vdso(struct exec_image *img);
