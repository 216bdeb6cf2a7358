/*
 * System calls about the system itself: its names, figures, end, and random numbers.
 *
 * The names are those of Linux 6.1, because programs choose their behaviour by them; only the host
 * and domain names can be changed. They are guarded by uts_lock, a leaf mutex, since a reader
 * copies them to user memory from a private copy.
 *
 * Man pages: uname(2), sethostname(2), sysinfo(2), reboot(2), getrandom(2), getcpu(2).
 */
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <asm/signal.h>
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "fs/pseudo.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"
#include "kernel/tty/tty.h"
#include "mm/pmm.h"

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-linnet"
#define UTS_RELEASE_26 "2.6.61-linnet" /* for programs that know no other (personality(2)) */
#define UTS_VERSION "#1 SMP PREEMPT Linnet"
#define UTS_MACHINE "aarch64"

static struct spinlock uts_lock = SPINLOCK_INIT(RANK_EVENT); /* guards the two names */
static struct uts_name {
	u32 changes; /* a: first, as INODE_NEWS wants it */
	char text[__NEW_UTS_LEN + 1]; /* uts_lock */
} uts_nodename = { .text = "(none)" }, uts_domainname = { .text = "(none)" };

static void uts_get(const struct uts_name *from, char out[__NEW_UTS_LEN + 1])
{
	spin_lock(&uts_lock);
	memcpy(out, from->text, __NEW_UTS_LEN + 1);
	spin_unlock(&uts_lock);
}

static void uts_set(struct uts_name *to, const char *name, size_t len)
{
	spin_lock(&uts_lock);
	memset(to->text, 0, __NEW_UTS_LEN + 1);
	memcpy(to->text, name, len);
	spin_unlock(&uts_lock);
	pseudo_tell(&to->changes);
}

static long uts_set_from_user(struct uts_name *to, u64 uname, u64 len)
{
	char name[__NEW_UTS_LEN];

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((s32)len < 0 || (s32)len > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(name, uname, (u32)len))
		return -EFAULT;
	uts_set(to, name, (u32)len);
	return 0;
}

/*
 * Pass on the result of a write.
 * ctx: thread; sleeps: no. -EPIPE also raises SIGPIPE in the calling thread.
 */
ssize_t sys_write_result(ssize_t r)
{
	if (unlikely(r == -EPIPE_QUIET))
		return -EPIPE;
	if (unlikely(r == -EPIPE))
		signal_raise(SIGPIPE);
	return r;
}

/* uname(2). ctx: thread */
long sys_uname(u64 ubuf)
{
	struct new_utsname u;

	memset(&u, 0, sizeof(u));
	strlcpy(u.sysname, UTS_SYSNAME, sizeof(u.sysname));
	strlcpy(u.release, current_task()->personality & UNAME26 ? UTS_RELEASE_26 : UTS_RELEASE,
		sizeof(u.release));
	strlcpy(u.version, UTS_VERSION, sizeof(u.version));
	strlcpy(u.machine, UTS_MACHINE, sizeof(u.machine));
	uts_get(&uts_nodename, u.nodename);
	uts_get(&uts_domainname, u.domainname);
	return copy_to_user(ubuf, &u, sizeof(u));
}

/* sethostname(2): needs CAP_SYS_ADMIN. ctx: thread */
long sys_sethostname(u64 name, u64 len)
{
	return uts_set_from_user(&uts_nodename, name, len);
}

/* setdomainname(2): needs CAP_SYS_ADMIN. ctx: thread */
long sys_setdomainname(u64 name, u64 len)
{
	return uts_set_from_user(&uts_domainname, name, len);
}

/* See sys.h. */
void sys_set_hostname(const char *name)
{
	size_t len = strnlen(name, __NEW_UTS_LEN);

	if (len)
		uts_set(&uts_nodename, name, len);
}

static void hostname_get(char out[__NEW_UTS_LEN + 1])
{
	uts_get(&uts_nodename, out);
}

/*
 * The host's name for those below who need it.
 * ctx: boot.
 */
void sys_names_init(void)
{
	proc_hostname = hostname_get;
}

/* /proc/sys/kernel names. */
static int uts_show_name(struct sbuf *out, void *arg)
{
	char name[__NEW_UTS_LEN + 1];

	uts_get(arg, name);
	sbuf_printf(out, "%s\n", name);
	return 0;
}

static ssize_t uts_write_name(const char *text, size_t n, void *arg)
{
	size_t len = strcspn(text, "\n");

	if (len > __NEW_UTS_LEN)
		len = __NEW_UTS_LEN;
	uts_set(arg, text, len);
	return (ssize_t)n;
}

static int uts_show_text(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%s\n", (const char *)arg);
	return 0;
}

static int uts_show_version(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%s version %s %s\n", UTS_SYSNAME, UTS_RELEASE, UTS_VERSION);
	return 0;
}

PROC_FILE(uts_hostname, "sys/kernel/hostname", 0644, .show = uts_show_name, .write = uts_write_name,
	  .arg = &uts_nodename, .iflags = INODE_JOIN | INODE_NEWS);
PROC_FILE(uts_domainname, "sys/kernel/domainname", 0644, .show = uts_show_name,
	  .write = uts_write_name, .arg = &uts_domainname, .iflags = INODE_JOIN | INODE_NEWS);
PROC_FILE(uts_ostype, "sys/kernel/ostype", 0444, .show = uts_show_text, .arg = (void *)UTS_SYSNAME,
	  .iflags = INODE_JOIN);
PROC_FILE(uts_osrelease, "sys/kernel/osrelease", 0444, .show = uts_show_text,
	  .arg = (void *)UTS_RELEASE, .iflags = INODE_JOIN);
PROC_FILE(uts_version, "sys/kernel/version", 0444, .show = uts_show_text,
	  .arg = (void *)UTS_VERSION, .iflags = INODE_JOIN);
PROC_FILE(version, "version", 0444, .show = uts_show_version);

/* getcpu(2): one memory node; the third argument has had no use for long. ctx: thread */
long sys_getcpu(u64 ucpu, u64 unode, u64 unused)
{
	u32 cpu, node = 0;

	preempt_disable();
	cpu = cpu_id();
	preempt_enable();
	if ((ucpu && put_user(ucpu, cpu)) || (unode && put_user(unode, node)))
		return -EFAULT;
	return 0;
}

/* sysinfo(2). ctx: thread */
long sys_sysinfo(u64 uinfo)
{
	struct pmm_stats st;
	struct sysinfo si;
	u32 avg[3];

	memset(&si, 0, sizeof(si));
	pmm_get_stats(&st);
	sched_get_loadavg(avg);
	si.uptime = DIV_ROUND_UP(time_now(), NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		si.loads[i] = (u64)avg[i] << (SI_LOAD_SHIFT - 11);
	si.totalram = st.total << PAGE_SHIFT;
	si.freeram = st.free << PAGE_SHIFT;
	si.sharedram = pagecache_memory_frames() << PAGE_SHIFT;
	si.procs = (u16)MIN(thread_count(), 0xffffu);
	si.mem_unit = 1;
	return copy_to_user(uinfo, &si, sizeof(si));
}

/*
 * Timing noise for a machine that gave the generator no seed: scheduling and timer jitter, a bit
 * per sleep.
 */
static int random_gather(void)
{
	while (!rand_ready()) {
		u64 noise[2] = { time_counter(), (u64)time_now() };

		rand_add(noise, sizeof(noise), 1);
		if (sched_sleep_interruptible(time_now() + NSEC_PER_MSEC))
			return -ERESTARTSYS;
	}
	return 0;
}

/* getrandom(2). ctx: thread */
long sys_getrandom(u64 ubuf, u64 len, u64 flags)
{
	u8 chunk[256];
	struct uio u;
	u64 done = 0;
	long err;

	if ((u32)flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & GRND_RANDOM) && (flags & GRND_INSECURE))
		return -EINVAL;
	if (!(flags & GRND_INSECURE) && !rand_ready()) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		err = random_gather();
		if (err)
			return err;
	}
	len = MIN(len, (u64)0x7ffff000);
	if (!user_ok(ubuf, len))
		return -EFAULT;
	uio_init_user(&u, ubuf, len);
	while (done < len) {
		size_t n = MIN(len - done, sizeof(chunk));
		ssize_t copied;

		rand_bytes(chunk, n);
		copied = uio_copy_to(&u, chunk, n);
		if (copied < 0)
			return done ? (long)done : copied;
		done += (u64)copied;
		if ((size_t)copied < n)
			break;
		if (!(done & PAGE_MASK) && signal_pending())
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	return (long)done;
}

/* Everything is on the disks, and file systems on them are as after umount. */
static void leave_disks(void)
{
	vfs_sync_all();
	vfs_read_only_all(true);
	vfs_sync_all();
}

static void reboot_restart(const char *arg)
{
	leave_disks();
	if (arg)
		log_print(LOG_EMERG, "reboot: Restarting system with command '%s'", arg);
	else
		log_print(LOG_EMERG, "reboot: Restarting system");
	cpu_power_reset();
}

static void reboot_halt(void)
{
	u32 self;

	leave_disks();
	log_print(LOG_EMERG, "reboot: System halted");
	preempt_disable();
	self = cpu_id();
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (cpu != self && (cpu_online_mask >> cpu & 1))
			ipi_send(cpu, IPI_STOP);
	}
	cpu_halt_forever();
}

static long reboot_with_command(u64 uarg)
{
	char command[256];
	ssize_t n = strncpy_from_user(command, uarg, sizeof(command));

	if (n == -EFAULT)
		return -EFAULT;
	command[sizeof(command) - 1] = 0;
	reboot_restart(command);
	return -EIO;
}

/* What the keys would do: none of the keyboards here has them, so that nobody asks but programs. */
static int ctrl_alt_del;
SYSCTL_INT(sysctl_cad, "sys/kernel/ctrl-alt-del", &ctrl_alt_del, -0x7fffffff - 1, 0x7fffffff);

/* reboot(2). Returns only for the Ctrl-Alt-Del switches and errors. ctx: thread */
long sys_reboot(u64 magic1, u64 magic2, u64 cmd, u64 uarg)
{
	if (!sys_capable(CAP_SYS_BOOT))
		return -EPERM;
	if ((u32)magic1 != LINUX_REBOOT_MAGIC1 ||
	    ((u32)magic2 != LINUX_REBOOT_MAGIC2 && (u32)magic2 != LINUX_REBOOT_MAGIC2A &&
	     (u32)magic2 != LINUX_REBOOT_MAGIC2B && (u32)magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch ((u32)cmd) {
	case LINUX_REBOOT_CMD_CAD_ON: ctrl_alt_del = 1; return 0;
	case LINUX_REBOOT_CMD_CAD_OFF: ctrl_alt_del = 0; return 0;
	case LINUX_REBOOT_CMD_RESTART: reboot_restart(NULL); return -EIO;
	case LINUX_REBOOT_CMD_RESTART2: return reboot_with_command(uarg);
	case LINUX_REBOOT_CMD_POWER_OFF:
		leave_disks();
		log_print(LOG_EMERG, "reboot: Power down");
		cpu_power_off();
		return -EIO;
	case LINUX_REBOOT_CMD_HALT: reboot_halt(); return 0;
	default: return -EINVAL;
	}
}

/* vhangup(2): needs CAP_SYS_TTY_CONFIG. ctx: thread; sleeps */
long sys_vhangup(void)
{
	if (!sys_capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_vhangup_current();
	return 0;
}
