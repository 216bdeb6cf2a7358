/*
 * The other system-wide /proc files: the command line, file systems, symbols, and the settings
 * under sys/kernel and sys/fs that no other part owns.
 *
 * Each file is a function that writes its text (fs/procfs.h); what never changes is one function
 * over a string. The table of modules has no lines: nothing is loaded at run time.
 *
 * man: proc(5), random(4); RFC 4122 for uuid.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

typedef unsigned long long ull;

static int text_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%s\n", (const char *)arg);
	return 0;
}

static int cmdline_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%s\n", bootargs_line());
	return 0;
}
PROC_FILE(cmdline, "cmdline", 0444, .show = cmdline_show);

static int filesystems_show(struct sbuf *out, void *arg)
{
	const struct fs_type *t;

	TABLE_FOREACH(fs_type, t)
		sbuf_printf(out, "%s\t%s\n", t->flags & FS_NODEV ? "nodev" : "", t->name);
	return 0;
}
PROC_FILE(filesystems, "filesystems", 0444, .show = filesystems_show);

static int empty_show(struct sbuf *out, void *arg)
{
	return 0;
}
PROC_FILE(modules, "modules", 0444, .show = empty_show);
PROC_FILE(fb, "fb", 0444, .show = empty_show);
PROC_FILE(execdomains, "execdomains", 0444, .show = text_show,
	  .arg = (void *)"0-0\tLinux           \t[kernel]");

static int kptr_restrict; /* a: 2 hides addresses from everybody */

/*
 * Addresses are shown to who may administer the log only: they would give away where the kernel
 * lies.
 */
static int kallsyms_show(struct sbuf *out, void *arg)
{
	bool show = cred_capable(current->cred, CAP_SYSLOG) && READ_ONCE(kptr_restrict) < 2;
	struct symbol sym;
	vaddr_t addr;

	for (u32 i = 0; (addr = symbol_address(i, &sym)); i++)
		sbuf_printf(out, "%016llx t %s\n", show ? (ull)addr : 0ull, sym.name);
	return 0;
}
PROC_FILE(kallsyms, "kallsyms", 0444, .show = kallsyms_show);

/* --- random --- */

static void show_uuid(struct sbuf *out, const u8 u[16])
{
	for (u32 i = 0; i < 16; i++)
		sbuf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	sbuf_putc(out, '\n');
}

/* RFC 4122, version 4. */
static void make_uuid(u8 u[16])
{
	rand_bytes(u, 16);
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
}

static int uuid_show(struct sbuf *out, void *arg)
{
	u8 u[16];

	make_uuid(u);
	show_uuid(out, u);
	return 0;
}
PROC_FILE(random_uuid, "sys/kernel/random/uuid", 0444, .show = uuid_show, .iflags = INODE_JOIN);

/* The same for as long as the system runs: made at the first look. */
static int boot_id_show(struct sbuf *out, void *arg)
{
	static struct spinlock lock = SPINLOCK_INIT(RANK_EVENT);
	static u8 id[16], made; /* lock */
	u8 u[16];

	make_uuid(u);
	spin_lock(&lock);
	if (!made) {
		memcpy(id, u, sizeof(id));
		made = 1;
	}
	memcpy(u, id, sizeof(u));
	spin_unlock(&lock);
	show_uuid(out, u);
	return 0;
}
PROC_FILE(random_boot_id, "sys/kernel/random/boot_id", 0444, .show = boot_id_show,
	  .iflags = INODE_JOIN);

static int entropy_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\n", rand_ready() ? 256u : 0u);
	return 0;
}
PROC_FILE(random_entropy, "sys/kernel/random/entropy_avail", 0444, .show = entropy_show);
PROC_FILE(random_poolsize, "sys/kernel/random/poolsize", 0444, .show = text_show,
	  .arg = (void *)"256");

/* --- sys/kernel --- */

static int printk_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\t4\t1\t7\n", log_console_level());
	return 0;
}

static ssize_t printk_write(const char *text, size_t n, void *arg)
{
	u64 v;

	if (str_to_u64(text, NULL, 10, &v) || v > 15)
		return -EINVAL;
	log_set_console_level((int)v);
	return (ssize_t)n;
}
PROC_FILE(printk, "sys/kernel/printk", 0644, .show = printk_show, .write = printk_write);

PROC_FILE(cap_last_cap, "sys/kernel/cap_last_cap", 0444, .show = text_show, .arg = (void *)"40");
_Static_assert(CAP_LAST_CAP == 40, "shown above");
PROC_FILE(ngroups_max, "sys/kernel/ngroups_max", 0444, .show = text_show, .arg = (void *)"65536");
_Static_assert(CRED_NGROUPS_MAX == 65536, "shown above");

/* Nothing here taints; what an administrator notes down stays. */
#define TAINTS 0x7ffff
static u64 taints; /* a */
static const struct sysctl_row taints_row = { &taints, 1, true, 0, -1 };

static ssize_t tainted_write(const char *text, size_t n, void *arg)
{
	u64 more;
	struct sysctl_row r = { &more, 1, true, 0, -1 };

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (sysctl_row_write(text, n, &r) < 0)
		return -EINVAL;
	__atomic_fetch_or(&taints, more & TAINTS, __ATOMIC_RELAXED);
	return (ssize_t)n;
}
PROC_FILE(tainted, "sys/kernel/tainted", 0644, .show = sysctl_row_show, .write = tainted_write,
	  .arg = (void *)&taints_row);
PROC_FILE(fips, "sys/crypto/fips_enabled", 0444, .show = text_show, .arg = (void *)"0");

/* Of who has no number in a name space: everybody has one. */
static int overflow_uid = 65534, overflow_gid = 65534; /* a */
SYSCTL_INT(overflowuid, "sys/kernel/overflowuid", &overflow_uid, 0, 65535);
SYSCTL_INT(overflowgid, "sys/kernel/overflowgid", &overflow_gid, 0, 65535);
SYSCTL_INT(kptr_restrict, "sys/kernel/kptr_restrict", &kptr_restrict, 0, 2);

/* --- sys/fs --- */

#define FILE_MAX 0x7fffffffffffffff
static u64 file_max = FILE_MAX; /* a */

/* Objects in use of the slab cache called @name. */
static u64 slab_active(const char *name)
{
	struct slab_info i;

	for (u32 n = 0; slab_get_info(n, &i); n++)
		if (!strcmp(i.name, name))
			return i.active;
	return 0;
}

static int file_nr_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%llu\t0\t%llu\n", (ull)slab_active("file"), (ull)READ_ONCE(file_max));
	return 0;
}
PROC_FILE(file_nr, "sys/fs/file-nr", 0444, .show = file_nr_show);
SYSCTL_ROW(file_max, "sys/fs/file-max", &file_max, 1, true, 0, FILE_MAX);

/* See vfs.h. */
bool file_max_reached(void)
{
	u64 most = READ_ONCE(file_max);

	return unlikely(most != FILE_MAX) && slab_active("file") >= most &&
	       !cred_capable(current->cred, CAP_SYS_ADMIN);
}
