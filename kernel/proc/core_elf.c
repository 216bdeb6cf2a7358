/*
 * Core files: ELF with a note segment (registers of all threads, and what debuggers want to know of
 * the process) and a load segment for each region, as gdb and readelf expect them of arm64 Linux.
 *
 * The regions are noted first (struct core_region), under the address space's lock, with what of
 * each is to be written; other processes may share the space and change it later, which costs
 * nothing but holes in the dump. The notes are made twice, the first time only to count their
 * bytes, as the headers in front of them say where the memory begins. Memory is written page by
 * page from the frames; what was never touched, and pages of zeroes, become holes.
 *
 * All other threads are stopped with their registers parked (coredump.c). Reference: elf(5),
 * core(5); the structures are those of the C library's sys/procfs.h.
 */
#include <linux/elf.h>
#include <linux/time.h>
#include <arch/frame.h>
#include <arch/regset.h>
#include "fs/pipe.h"
#include "kernel/lib/string.h"
#include "kernel/proc/coredump.h"
#include "kernel/sched/sched.h"
#include "mm/kvm.h"

#define NAMES_MAX MIB(4)
#define PSARGS_SIZE 80

struct core_timeval {
	s64 sec, usec;
};

struct core_prstatus {
	s32 si_signo, si_code, si_errno;
	s16 cursig, pad;
	u64 sigpend, sighold;
	s32 pid, ppid, pgrp, sid;
	struct core_timeval utime, stime, cutime, cstime;
	u64 regs[34];
	s32 fpvalid, pad2;
};
_Static_assert(sizeof(struct core_prstatus) == 392, "struct elf_prstatus");

struct core_prpsinfo {
	s8 state;
	char sname;
	s8 zomb, nice;
	u32 pad;
	u64 flag;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char fname[16], psargs[PSARGS_SIZE];
};
_Static_assert(sizeof(struct core_prpsinfo) == 136, "struct elf_prpsinfo");

/* A region as it is dumped. */
struct core_region {
	vaddr_t start, end;
	u64 dump; /* bytes of it that are written */
	u64 pgoff;
	u32 prot;
	u32 name; /* offset in names; NAME_NONE: no file */
};
#define NAME_NONE (~0u)

/* A file in the making. */
struct core_out {
	struct core_dump *c;
	bool counting; /* nothing is written, pos moves */
	bool seekable;
	bool failed;
	u64 pos; /* where the next byte goes, holes included */
	u64 end; /* what has been written reaches to here */
	u64 written;
	struct core_region *regions;
	u32 nregions, capacity;
	char *names; /* of mapped files, each ended by NUL; NULL: too many */
	u64 names_len, names_size;
};

/* --- writing --- */

static bool out_put(struct core_out *o, const void *data, size_t n)
{
	ssize_t done;

	if (o->failed || signal_fatal_pending() || n > o->c->limit - o->written) {
		o->failed = true;
		return false;
	}
	done = file_write_kernel(o->c->file, data, n, o->pos);
	if (done != (ssize_t)n) {
		o->failed = true;
		return false;
	}
	o->pos += n;
	o->end = o->pos;
	o->written += n;
	return true;
}

/* What was passed over: a hole, or zeroes where there cannot be one. */
static void out_fill(struct core_out *o)
{
	u64 to = o->pos;

	if (o->seekable)
		return;
	o->pos = o->end;
	while (o->pos < to && out_put(o, vm_zeroes(), MIN(to - o->pos, (u64)PAGE_SIZE)))
		;
}

static void out_write(struct core_out *o, const void *data, size_t n)
{
	if (o->counting) {
		o->pos += n;
		return;
	}
	if (o->end < o->pos)
		out_fill(o);
	(void)out_put(o, data, n);
}

static void out_align(struct core_out *o, u64 align)
{
	u64 n = ALIGN_UP(o->pos, align) - o->pos;

	if (n)
		out_write(o, vm_zeroes(), n);
}

/* The file ends where its last segment does, be it a hole. */
static void out_finish(struct core_out *o)
{
	if (o->end >= o->pos || o->failed)
		return;
	o->pos--;
	out_write(o, vm_zeroes(), 1);
}

static void note_put(struct core_out *o, const char *owner, u32 type, const void *data, size_t n)
{
	Elf64_Nhdr h = { .n_namesz = (u32)strlen(owner) + 1, .n_descsz = (u32)n, .n_type = type };

	out_write(o, &h, sizeof(h));
	out_write(o, owner, h.n_namesz);
	out_align(o, 4);
	out_write(o, data, n);
	out_align(o, 4);
}

/* --- regions --- */

static bool name_is_deleted(const char *path)
{
	static const char suffix[] = " (deleted)";
	size_t n = strlen(path);

	return n >= sizeof(suffix) && !strcmp(path + n - sizeof(suffix) + 1, suffix);
}

/* How many bytes of @r are dumped, but for the ELF header of a file. */
static u64 region_dump_size(const struct region *r, const char *path, u32 filter)
{
	u64 all = r->end - r->start;
	bool mine;

	if (r->flags & VM_DONTDUMP)
		return 0;
	if (r->flags & VM_VDSO)
		return all;
	if (r->flags & VM_DEVICE)
		return 0;
	if (r->flags & VM_SHARED)
		return filter & (name_is_deleted(path) ? CORE_ANON_SHARED : CORE_FILE_SHARED) ? all
											      : 0;
	mine = region_is_anon(r) || (r->flags & VM_HAS_ANON);
	if (mine && (filter & CORE_ANON_PRIVATE))
		return all;
	return r->file && (filter & CORE_FILE_PRIVATE) ? all : 0;
}

static u32 name_add(struct core_out *o, const char *path)
{
	size_t n = strlen(path) + 1;
	u32 at = (u32)o->names_len;

	if (!path[0])
		return NAME_NONE;
	o->names_len += n;
	if (!o->names || o->names_len > o->names_size)
		return NAME_NONE;
	memcpy(o->names + at, path, n);
	return at;
}

/* One pass over the regions: how many there are, or, when there is room, what they are. */
static void regions_pass(struct core_out *o, struct vmspace *vm, char *path)
{
	u32 filter = READ_ONCE(current_proc()->core_filter);
	u64 dev, ino;

	o->nregions = 0;
	o->names_len = 0;
	rwsem_read_lock(&vm->sem);
	for (struct region *r = vm_find(vm, 0); r; r = vm_next(r)) {
		struct core_region *c = o->regions ? &o->regions[o->nregions] : NULL;

		path[0] = '\0';
		if (r->file && r->file->ops->describe)
			r->file->ops->describe(r->file, path, PATH_MAX_LEN, &dev, &ino);
		if (c && o->nregions < o->capacity)
			*c = (struct core_region){ .start = r->start,
						   .end = r->end,
						   .dump = region_dump_size(r, path, filter),
						   .pgoff = r->pgoff,
						   .prot = r->prot,
						   .name = name_add(o, path) };
		else
			(void)name_add(o, path);
		o->nregions++;
	}
	rwsem_read_unlock(&vm->sem);
	if (o->regions)
		o->nregions = MIN(o->nregions, o->capacity);
}

/* Of the file mapped at @c only the page that tells which file it was. */
static void region_check_header(struct core_region *c, struct vmspace *vm)
{
	char magic[SELFMAG];

	if (c->dump || c->name == NAME_NONE || c->pgoff || !(c->prot & PROT_R))
		return;
	if (!(READ_ONCE(current_proc()->core_filter) & CORE_ELF_HEADERS))
		return;
	if (vm_access(vm, c->start, magic, SELFMAG, false, false) == SELFMAG &&
	    !memcmp(magic, ELFMAG, SELFMAG))
		c->dump = PAGE_SIZE;
}

static bool regions_collect(struct core_out *o, struct vmspace *vm)
{
	char *path = kmalloc(PATH_MAX_LEN, 0);

	if (!path)
		return false;
	regions_pass(o, vm, path);
	o->capacity = MAX(o->nregions, 1u);
	o->names_size = MAX(o->names_len, 1ull);
	o->regions = kvm_alloc(o->capacity * sizeof(*o->regions), 0);
	if (o->regions) {
		if (o->names_size <= NAMES_MAX)
			o->names = kvm_alloc(o->names_size, 0);
		regions_pass(o, vm, path);
	}
	kfree(path);
	if (!o->regions)
		return false;
	for (u32 i = 0; i < o->nregions; i++)
		region_check_header(&o->regions[i], vm);
	return true;
}

/* --- notes --- */

static struct core_timeval timeval_of(s64 ns)
{
	return (struct core_timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

static void ids_of(struct proc *p, s32 *ppid, s32 *pgrp, s32 *sid)
{
	proc_tree_lock();
	*ppid = (s32)p->ppid;
	*pgrp = p->pgrp ? (s32)p->pgrp->nr : 0;
	*sid = p->session ? (s32)p->session->nr : 0;
	proc_tree_unlock();
}

static void note_prstatus(struct core_out *o, struct task *t, struct regset_buf *buf)
{
	struct proc *p = t->proc;
	const struct regset *gpr = regset_find(NT_PRSTATUS);
	struct core_prstatus s = {
		.si_signo = o->c->sig,
		.si_code = o->c->info->si_code,
		.si_errno = o->c->info->si_errno,
		.cursig = (s16)o->c->sig,
		.sigpend = t->pending.set,
		.sighold = t->blocked,
		.pid = (s32)t->tid->nr,
		.fpvalid = 1,
	};
	s64 user, sys;

	ids_of(p, &s.ppid, &s.pgrp, &s.sid);
	if (t == p->leader)
		proc_times(p, &user, &sys);
	else
		sched_times(&t->thread, &user, &sys);
	s.utime = timeval_of(user);
	s.stime = timeval_of(sys);
	s.cutime = timeval_of(p->kids.utime);
	s.cstime = timeval_of(p->kids.stime);
	gpr->get(&t->thread.arch, buf);
	memcpy(s.regs, buf, sizeof(s.regs));
	note_put(o, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static void note_prpsinfo(struct core_out *o, struct task *t)
{
	struct proc *p = t->proc;
	struct vmspace *vm = t->thread.vm;
	struct core_prpsinfo s = {
		.sname = 'R',
		.nice = t->thread.se.nice,
		.uid = t->thread.cred->uid,
		.gid = t->thread.cred->gid,
		.pid = (s32)p->pid->nr,
	};
	ssize_t n = 0;

	ids_of(p, &s.ppid, &s.pgrp, &s.sid);
	thread_get_name(&t->thread, s.fname);
	if (vm->arg_end > vm->arg_start)
		n = vm_access(vm, vm->arg_start, s.psargs,
			      MIN(vm->arg_end - vm->arg_start, (u64)PSARGS_SIZE - 1), false, true);
	for (ssize_t i = 0; i < n; i++) {
		if (!s.psargs[i])
			s.psargs[i] = ' ';
	}
	note_put(o, "CORE", NT_PRPSINFO, &s, sizeof(s));
}

static void note_siginfo(struct core_out *o)
{
	siginfo_t si;

	signal_siginfo_to_user(o->c->info, &si);
	note_put(o, "CORE", NT_SIGINFO, &si, sizeof(si));
}

static void note_auxv(struct core_out *o, const struct vmspace *vm)
{
	u32 n = 0;

	while (n + 2 < ARRAY_SIZE(vm->auxv) && vm->auxv[n])
		n += 2;
	note_put(o, "CORE", NT_AUXV, vm->auxv, (n + 2) * sizeof(vm->auxv[0]));
}

/* Which files are mapped where: count, page size, then ranges, then names. */
static void note_files(struct core_out *o)
{
	Elf64_Nhdr h = { .n_namesz = 5, .n_type = NT_FILE };
	u64 head[2] = { 0, PAGE_SIZE };
	u64 len = 0;

	for (u32 i = 0; i < o->nregions; i++) {
		if (o->regions[i].name == NAME_NONE)
			continue;
		head[0]++;
		len += 3 * sizeof(u64) + strlen(o->names + o->regions[i].name) + 1;
	}
	if (!head[0])
		return;
	h.n_descsz = (u32)(sizeof(head) + len);
	out_write(o, &h, sizeof(h));
	out_write(o, "CORE\0\0\0", 8);
	out_write(o, head, sizeof(head));
	for (u32 i = 0; i < o->nregions; i++) {
		const struct core_region *r = &o->regions[i];
		u64 range[3] = { r->start, r->end, r->pgoff };

		if (r->name != NAME_NONE)
			out_write(o, range, sizeof(range));
	}
	for (u32 i = 0; i < o->nregions; i++) {
		const char *name = o->names + o->regions[i].name;

		if (o->regions[i].name != NAME_NONE)
			out_write(o, name, strlen(name) + 1);
	}
	out_align(o, 4);
}

static void note_regsets(struct core_out *o, struct task *t, struct regset_buf *buf)
{
	const struct regset *r;

	for (u32 i = 0; (r = regset_at(i)); i++) {
		if (!r->dumped || (r->present && !r->present()))
			continue;
		r->get(&t->thread.arch, buf);
		note_put(o, r->note == NT_PRFPREG ? "CORE" : "LINUX", r->note, buf, r->size);
	}
}

/* The thread that the signal was for comes first, with what concerns the process. */
static void notes_write(struct core_out *o)
{
	struct task *t = o->c->dumper;
	struct regset_buf buf;

	note_prstatus(o, t, &buf);
	note_prpsinfo(o, t);
	note_siginfo(o);
	note_auxv(o, t->thread.vm);
	if (o->names)
		note_files(o);
	note_regsets(o, t, &buf);
	for (u32 i = 0; i < o->c->nothers; i++) {
		note_prstatus(o, o->c->others[i], &buf);
		note_regsets(o, o->c->others[i], &buf);
	}
}

/* --- the file --- */

static u32 segment_flags(u32 prot)
{
	return (prot & PROT_R ? PF_R : 0) | (prot & PROT_W ? PF_W : 0) | (prot & PROT_X ? PF_X : 0);
}

/* @data: where memory begins in the file, after @notes bytes of notes. */
static void headers_write(struct core_out *o, u64 notes, u64 data)
{
	bool many = o->nregions + 1 >= PN_XNUM;
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_AARCH64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (u16)(many ? PN_XNUM : o->nregions + 1),
	};
	Elf64_Phdr ph = { .p_type = PT_NOTE, .p_filesz = notes };
	u64 table = (u64)(o->nregions + 1) * sizeof(ph);

	if (many) {
		e.e_shoff = data;
		for (u32 i = 0; i < o->nregions; i++)
			e.e_shoff += o->regions[i].dump;
		e.e_shentsize = sizeof(Elf64_Shdr);
		e.e_shnum = 1;
	}
	ph.p_offset = sizeof(e) + table;
	out_write(o, &e, sizeof(e));
	out_write(o, &ph, sizeof(ph));
	for (u32 i = 0; i < o->nregions; i++) {
		const struct core_region *r = &o->regions[i];

		ph = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_flags = segment_flags(r->prot),
				   .p_offset = data,
				   .p_vaddr = r->start,
				   .p_filesz = r->dump,
				   .p_memsz = r->end - r->start,
				   .p_align = PAGE_SIZE };
		out_write(o, &ph, sizeof(ph));
		data += r->dump;
	}
}

static bool page_is_zero(const u64 *words)
{
	for (u32 i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
		if (words[i])
			return false;
	}
	return true;
}

static void region_write(struct core_out *o, struct vmspace *vm, const struct core_region *r)
{
	vaddr_t at = r->start, end = r->start + r->dump;
	u64 base = o->pos;
	struct page *p;

	while (!o->failed && (at = vm_dump_next(vm, at, end, &p)) < end) {
		if (!page_is_zero(page_to_va(p))) {
			o->pos = base + (at - r->start);
			out_write(o, page_to_va(p), PAGE_SIZE);
		}
		page_put(p);
		at += PAGE_SIZE;
	}
	o->pos = base + r->dump;
}

/* Where a file has more segments than its header can count. */
static void extra_count_write(struct core_out *o)
{
	Elf64_Shdr s = { .sh_size = 1, .sh_info = o->nregions + 1 };

	if (o->nregions + 1 >= PN_XNUM)
		out_write(o, &s, sizeof(s));
}

/* Contract in coredump.h. */
bool core_elf_write(struct core_dump *c)
{
	struct vmspace *vm = current->vm;
	struct core_out o = { .c = c, .seekable = !file_is_pipe(c->file) };
	u64 notes, data;
	bool good = regions_collect(&o, vm);

	if (good) {
		o.counting = true;
		notes_write(&o);
		notes = o.pos;
		data = sizeof(Elf64_Ehdr) + (u64)(o.nregions + 1) * sizeof(Elf64_Phdr) + notes;
		data = ALIGN_UP(data, (u64)PAGE_SIZE);
		o.counting = false;
		o.pos = 0;
		headers_write(&o, notes, data);
		notes_write(&o);
		o.pos = data;
		for (u32 i = 0; i < o.nregions && !o.failed; i++)
			region_write(&o, vm, &o.regions[i]);
		extra_count_write(&o);
		out_finish(&o);
	}
	kvm_free(o.names);
	kvm_free(o.regions);
	return good;
}
