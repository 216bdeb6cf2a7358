/*
 * /proc/PID/maps, smaps, smaps_rollup, numa_maps: the regions of an address space. Formats:
 * proc(5). Memory is of one node, so numa_maps has one N0 count.
 *
 * The text is made with the address space's semaphore held for reading, so it is one consistent
 * picture.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

#define NAME_COLUMN 72

typedef unsigned long long ull;

/* What to call an anonymous region. NULL: nothing. */
static const char *region_label(const struct vmspace *vm, const struct region *r)
{
	if (r->name)
		return r->name;
	if (r->flags & VM_STACK)
		return "[stack]";
	if (r->start <= vm->brk && r->end >= vm->brk_start && (r->flags & VM_HEAP))
		return "[heap]";
	return NULL;
}

static void put_head(struct sbuf *out, const struct vmspace *vm, const struct region *r, char *path)
{
	size_t from = out->len;
	const char *label = region_label(vm, r);
	u64 dev = 0, ino = 0;

	path[0] = '\0';
	if (r->file && r->file->ops->describe && !r->name)
		r->file->ops->describe(r->file, path, PATH_MAX_LEN, &dev, &ino);
	sbuf_printf(out, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (ull)r->start,
		    (ull)r->end, r->prot & PROT_R ? 'r' : '-', r->prot & PROT_W ? 'w' : '-',
		    r->prot & PROT_X ? 'x' : '-', r->flags & VM_SHARED ? 's' : 'p',
		    r->file && !r->name ? (ull)r->pgoff << PAGE_SHIFT : 0, dev_major(dev),
		    dev_minor(dev), (ull)ino);
	if (path[0] || label) {
		sbuf_pad(out, from, NAME_COLUMN);
		sbuf_putc(out, ' ');
	}
	if (path[0])
		sbuf_puts_escaped(out, path, "\n");
	else if (label)
		sbuf_puts(out, label);
	sbuf_putc(out, '\n');
}

/* Call @fn for each region of @h's address space. 0, -ESRCH, -EACCES, -ENOMEM. */
static int for_each_region(struct sbuf *out, void *h,
			   void (*fn)(struct sbuf *out, struct vmspace *vm, struct region *r,
				      char *path, void *arg),
			   void *arg)
{
	struct vmspace *vm;
	char *path;
	int err = handle_vm(h, ACCESS_READ, &vm);

	if (err || !vm)
		return err;
	path = kmalloc(PATH_MAX_LEN, 0);
	if (!path) {
		vmspace_put(vm);
		return -ENOMEM;
	}
	rwsem_read_lock(&vm->sem);
	for (struct region *r = vm_find(vm, 0); r; r = vm_next(r))
		fn(out, vm, r, path, arg);
	rwsem_read_unlock(&vm->sem);
	kfree(path);
	vmspace_put(vm);
	return 0;
}

static void maps_line(struct sbuf *out, struct vmspace *vm, struct region *r, char *path, void *arg)
{
	put_head(out, vm, r, path);
}

/*
 * maps: one line per region. ctx: thread; sleeps. 0, -ESRCH, -EACCES, -ENOMEM.
 */
int pid_maps_show(struct sbuf *out, void *h)
{
	return for_each_region(out, h, maps_line, NULL);
}

/* @bytes in KiB, in the columns of smaps. */
static void kb_line(struct sbuf *out, const char *name, u64 bytes)
{
	char line[] = "                       0 kB\n";
	u64 kb = bytes / 1024;
	size_t from = out->len;

	if (unlikely(kb > 99999999)) {
		sbuf_puts(out, name);
		sbuf_pad(out, from, 16);
		sbuf_printf(out, "%8llu kB\n", (ull)kb);
		return;
	}
	/* Some twenty lines for each mapping: by hand, in one piece. */
	memcpy(line, name, strlen(name));
	for (u32 at = 23; kb; kb /= 10)
		line[at--] = (char)('0' + kb % 10);
	sbuf_write(out, line, sizeof(line) - 1);
}

static void put_flags(struct sbuf *out, const struct region *r)
{
	static const struct {
		u32 flag;
		const char *name;
	} names[] = {
		{ VM_GROWSDOWN, "gd" },	  { VM_LOCKED, "lo" },	  { VM_SEQ, "sr" },
		{ VM_RAND, "rr" },	  { VM_DONTFORK, "dc" },  { VM_DONTEXPAND, "de" },
		{ VM_LOCKONFAULT, "lf" }, { VM_ACCOUNT, "ac" },	  { VM_NORESERVE, "nr" },
		{ VM_WIPEONFORK, "wf" },  { VM_DONTDUMP, "dd" },  { VM_HUGE, "hg" },
		{ VM_NOHUGE, "nh" },	  { VM_MERGEABLE, "mg" },
	};

	sbuf_puts(out, "VmFlags: ");
	sbuf_puts(out, r->prot & PROT_R ? "rd " : "");
	sbuf_puts(out, r->prot & PROT_W ? "wr " : "");
	sbuf_puts(out, r->prot & PROT_X ? "ex " : "");
	sbuf_puts(out, (r->flags & VM_SHARED) && (r->max_prot & PROT_W) ? "sh " : "");
	sbuf_puts(out, r->max_prot & PROT_R ? "mr " : "");
	sbuf_puts(out, r->max_prot & PROT_W ? "mw " : "");
	sbuf_puts(out, r->max_prot & PROT_X ? "me " : "");
	sbuf_puts(out, r->flags & VM_SHARED ? "ms " : "");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (r->flags & names[i].flag)
			sbuf_printf(out, "%s ", names[i].name);
	}
	sbuf_putc(out, '\n');
}

/* The counts that smaps and smaps_rollup share. */
static void put_counts(struct sbuf *out, const struct vm_counts *c, bool rollup)
{
	kb_line(out, "Rss:", c->rss);
	kb_line(out, "Pss:", c->pss);
	kb_line(out, "Pss_Dirty:", c->private_dirty);
	if (rollup) {
		kb_line(out, "Pss_Anon:", MIN(c->anonymous, c->pss));
		kb_line(out, "Pss_File:", c->pss - MIN(c->anonymous, c->pss));
		kb_line(out, "Pss_Shmem:", 0);
	}
	kb_line(out, "Shared_Clean:", c->shared_clean);
	kb_line(out, "Shared_Dirty:", c->shared_dirty);
	kb_line(out, "Private_Clean:", c->private_clean);
	kb_line(out, "Private_Dirty:", c->private_dirty);
	kb_line(out, "Referenced:", c->referenced);
	kb_line(out, "Anonymous:", c->anonymous);
	kb_line(out, "LazyFree:", 0);
	kb_line(out, "AnonHugePages:", 0);
	kb_line(out, "ShmemPmdMapped:", 0);
	kb_line(out, "FilePmdMapped:", 0);
	kb_line(out, "Shared_Hugetlb:", 0);
	kb_line(out, "Private_Hugetlb:", 0);
	kb_line(out, "Swap:", c->swap);
	kb_line(out, "SwapPss:", c->swap);
	kb_line(out, "Locked:", c->locked);
}

static void smaps_entry(struct sbuf *out, struct vmspace *vm, struct region *r, char *path,
			void *arg)
{
	struct vm_counts c = { 0 };

	put_head(out, vm, r, path);
	vm_region_counts(r, &c);
	kb_line(out, "Size:", r->end - r->start);
	kb_line(out, "KernelPageSize:", PAGE_SIZE);
	kb_line(out, "MMUPageSize:", PAGE_SIZE);
	put_counts(out, &c, false);
	sbuf_puts(out, "THPeligible:    0\n");
	put_flags(out, r);
}

/*
 * smaps: maps with counts. ctx: thread; sleeps. As pid_maps_show.
 */
int pid_smaps_show(struct sbuf *out, void *h)
{
	return for_each_region(out, h, smaps_entry, NULL);
}

struct rollup {
	struct vm_counts sum;
	vaddr_t first, last;
	bool any;
};

static void rollup_add(struct sbuf *out, struct vmspace *vm, struct region *r, char *path,
		       void *arg)
{
	struct rollup *u = arg;
	struct vm_counts c = { 0 };

	vm_region_counts(r, &c);
	u->sum.rss += c.rss;
	u->sum.pss += c.pss;
	u->sum.shared_clean += c.shared_clean;
	u->sum.shared_dirty += c.shared_dirty;
	u->sum.private_clean += c.private_clean;
	u->sum.private_dirty += c.private_dirty;
	u->sum.referenced += c.referenced;
	u->sum.anonymous += c.anonymous;
	u->sum.swap += c.swap;
	u->sum.locked += c.locked;
	if (!u->any)
		u->first = r->start;
	u->any = true;
	u->last = r->end;
}

/*
 * smaps_rollup: the sum of smaps. ctx: thread; sleeps. As pid_maps_show.
 */
int pid_smaps_rollup_show(struct sbuf *out, void *h)
{
	struct rollup u = { .any = false };
	size_t from = out->len;
	int err = for_each_region(out, h, rollup_add, &u);

	if (err || !u.any)
		return err ? err : -ESRCH;
	sbuf_printf(out, "%08llx-%08llx ---p 00000000 00:00 0 ", (ull)u.first, (ull)u.last);
	sbuf_pad(out, from, NAME_COLUMN);
	sbuf_puts(out, " [rollup]\n");
	put_counts(out, &u.sum, true);
	return 0;
}

/* --- numa_maps --- */

/* By MPOL_*, which mbind(2) set. */
static const char *policy_name(const struct region *r)
{
	static const char *const names[8] = { "default",      "prefer:0", "bind:0",
					      "interleave:0", "local",	  "prefer (many):0" };

	return names[r->flags >> VM_POLICY_SHIFT & 7];
}

static void numa_line(struct sbuf *out, struct vmspace *vm, struct region *r, char *path, void *arg)
{
	struct vm_counts c = { 0 };
	u64 dev, ino;

	vm_region_counts(r, &c);
	path[0] = '\0';
	if (r->file && r->file->ops->describe && !r->name)
		r->file->ops->describe(r->file, path, PATH_MAX_LEN, &dev, &ino);
	sbuf_printf(out, "%08llx %s", (ull)r->start, policy_name(r));
	if (path[0]) {
		sbuf_puts(out, " file=");
		sbuf_puts_escaped(out, path, "\n\t= ");
	} else if (r->flags & VM_STACK) {
		sbuf_puts(out, " stack");
	} else if (r->flags & VM_HEAP) {
		sbuf_puts(out, " heap");
	}
	if (c.anonymous)
		sbuf_printf(out, " anon=%llu", (ull)c.anonymous >> PAGE_SHIFT);
	if (c.private_dirty + c.shared_dirty)
		sbuf_printf(out, " dirty=%llu",
			    (ull)(c.private_dirty + c.shared_dirty) >> PAGE_SHIFT);
	if (c.rss > c.anonymous)
		sbuf_printf(out, " mapped=%llu", (ull)c.rss >> PAGE_SHIFT);
	if (c.rss)
		sbuf_printf(out, " active=%llu N0=%llu kernelpagesize_kB=4",
			    (ull)c.referenced >> PAGE_SHIFT, (ull)c.rss >> PAGE_SHIFT);
	sbuf_putc(out, '\n');
}

/*
 * numa_maps: one line per region. ctx: thread; sleeps. 0, -ESRCH, -EACCES, -ENOMEM.
 */
int pid_numa_maps_show(struct sbuf *out, void *h)
{
	return for_each_region(out, h, numa_line, NULL);
}
