/*
 * acct(2): a record of each process that ends, at the end of a file (struct acct_v3).
 *
 * The file is open through a mount of its own, so that the one it was named by can be unmounted;
 * accounting then ends. When the file's disk has little left, accounting pauses until it has more:
 * looked at when a process ends, but not more often than /proc/sys/kernel/acct says.
 *
 * acct_lock is held while a record is written: one follows the other.
 *
 * man: acct(2), acct(5).
 */
#include <asm/param.h>
#include <linux/acct.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include "fs/procfs.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/signal.h"

#define VERSION_3 3
#define FRACTION_MAX 0x1fffu /* of comp_t, whose exponent, to the base 8, is above */
#define FRACTION_BITS 13

static struct mutex acct_lock = MUTEX_INIT(acct_lock, RANK_MODULE);
static struct file *acct_file; /* acct_lock; a for looking; NULL: off */
static const struct mount *acct_mount; /* acct_lock: where it was found; only compared */
static bool acct_active; /* acct_lock: the disk has room */
static s64 acct_check; /* acct_lock: when that is looked at next */
static int acct_parm[3] = { 4, 2, 30 }; /* a: resume, suspend (percent), seconds */

/* --- switching --- */

static void acct_set(struct file *f, const struct mount *m)
{
	struct file *old;

	mutex_lock(&acct_lock);
	old = acct_file;
	WRITE_ONCE(acct_file, f);
	acct_mount = m;
	acct_active = false;
	acct_check = 0;
	mutex_unlock(&acct_lock);
	if (old)
		file_put(old);
}

/* The open file @f once more, by a mount that is in no tree. */
static int open_apart(const struct file *f, struct file **out)
{
	struct path p = { .dentry = f->path.dentry };
	int err;

	super_get(f->inode->sb);
	err = mount_create_internal(f->inode->sb, &p.mnt);
	if (err)
		return err;
	err = file_open_path(&p, O_WRONLY | O_APPEND | O_LARGEFILE, out);
	mount_put(p.mnt);
	return err;
}

static void acct_unmounted(const struct mount *m)
{
	bool ours;

	mutex_lock(&acct_lock);
	ours = acct_file && acct_mount == m;
	mutex_unlock(&acct_lock);
	if (ours)
		acct_set(NULL, NULL);
}

/* ctx: boot */
void acct_init(void)
{
	vfs_set_umount_hook(acct_unmounted);
}

/* --- records --- */

/* Is there room on the disk? Asked rarely. holds: acct_lock */
static bool has_room(void)
{
	struct kstatfs st;
	u64 limit;

	if (time_now() < acct_check || vfs_statfs(&acct_file->path, &st))
		return acct_active;
	acct_check = time_now() + READ_ONCE(acct_parm[2]) * NSEC_PER_SEC;
	limit = st.blocks * (u64)READ_ONCE(acct_parm[acct_active ? 1 : 0]) / 100;
	if (acct_active ? st.bavail <= limit : st.bavail >= limit) {
		acct_active = !acct_active;
		log_info("Process accounting %s", acct_active ? "resumed" : "paused");
	}
	return acct_active;
}

static comp_t comp_of(u64 value)
{
	u32 exp = 0, round = 0;

	for (; value > FRACTION_MAX; exp++, value >>= 3)
		round = value & 4;
	if (round && ++value > FRACTION_MAX) {
		value >>= 3;
		exp++;
	}
	return (comp_t)((exp << FRACTION_BITS) + value);
}

/* A whole number as the bits of a float; there is no floating point here. */
static u32 float_of(u64 value)
{
	u32 top;

	if (!value)
		return 0;
	top = 63 - (u32)__builtin_clzll(value);
	return ((127 + top) << 23) | ((u32)((value << (63 - top)) >> 40) & 0x7fffff);
}

static u64 ticks_of(s64 ns)
{
	return (u64)ns / (NSEC_PER_SEC / HZ);
}

static void fill_usage(struct proc *p, struct acct_v3 *a)
{
	struct proc_usage u;
	u64 f = spin_lock_irqsave(&p->siglock);

	proc_usage_get(p, &u);
	spin_unlock_irqrestore(&p->siglock, f);
	a->ac_utime = comp_of(ticks_of(u.utime));
	a->ac_stime = comp_of(ticks_of(u.stime));
	a->ac_minflt = comp_of(u.minflt);
	a->ac_majflt = comp_of(u.majflt);
}

static u8 flags_of(const struct task *t, int code)
{
	const struct proc *p = t->proc;
	int sig = code & 0x7f;

	return (p->forked_noexec ? AFORK : 0) | (t->thread.privileged ? ASU : 0) |
	       (sig || p->signaled ? AXSIG : 0) |
	       (sig && (KSIG_CORES & SIGBIT(sig)) && p->dumpable ? ACORE : 0);
}

/* Of the terminal that current has, 0: none. */
static u16 tty_number(void)
{
	struct tty *tty = proc_get_tty(current_proc());
	u16 nr;

	if (!tty)
		return 0;
	nr = (u16)proc_tty_ops->dev(tty);
	proc_tty_ops->put(tty);
	return nr;
}

/*
 * See internal.h: @x is what acct_process will not find any more. ctx: thread, the last of its
 * process.
 */
void acct_collect(struct acct_exit *x)
{
	struct vmspace *vm = current->vm;

	*x = (struct acct_exit){ .ends = true };
	if (!READ_ONCE(acct_file))
		return;
	if (vm)
		x->kib = READ_ONCE(vm->total_pages) * (PAGE_SIZE / 1024);
	x->tty = tty_number();
}

/* holds: acct_lock */
static void fill(struct acct_v3 *a, const struct acct_exit *x, int code)
{
	struct task *t = current_task();
	struct proc *p = t->proc;
	u64 elapsed = ticks_of(time_now() - p->start_time);
	u32 etime = float_of(elapsed);

	*a = (struct acct_v3){
		.ac_version = VERSION_3 | ACCT_BYTEORDER,
		.ac_flag = x->ends ? (char)flags_of(t, code) : 0,
		.ac_tty = x->tty,
		.ac_exitcode = (u32)code,
		.ac_uid = current->cred->uid,
		.ac_gid = current->cred->gid,
		.ac_pid = p->pid->nr,
		.ac_ppid = READ_ONCE(p->ppid),
		.ac_btime = (u32)(time_wall() / NSEC_PER_SEC - (s64)(elapsed / HZ)),
		.ac_mem = comp_of(x->kib),
	};
	memcpy(&a->ac_etime, &etime, sizeof(etime));
	memcpy(a->ac_comm, current->name, sizeof(a->ac_comm));
	if (x->ends)
		fill_usage(p, a);
}

/* See internal.h. The process's limit on files does not count. ctx: thread; sleeps */
void acct_process(const struct acct_exit *x, int code)
{
	struct rlimit64 *limit = &current_proc()->rlim[RLIMIT_FSIZE], was = *limit;
	struct acct_v3 a;

	if (!READ_ONCE(acct_file))
		return;
	mutex_lock(&acct_lock);
	if (acct_file && has_room()) {
		fill(&a, x, code);
		limit->rlim_cur = RLIM64_INFINITY;
		(void)file_write_kernel(acct_file, &a, sizeof(a), 0);
		*limit = was;
	}
	mutex_unlock(&acct_lock);
}

/* The last record in a file is of who takes another, or none. */
static void acct_switch(struct file *f, const struct mount *m)
{
	struct acct_exit x = { .tty = tty_number() };

	acct_process(&x, 0);
	acct_set(f, m);
}

/*
 * Records go to the file @name; NULL: nowhere. ctx: thread; sleeps. 0, -EACCES, -EINVAL, or as
 * opening.
 */
int acct_on(const char *name)
{
	struct file *f, *apart;
	int err = 0;

	if (!name) {
		acct_switch(NULL, NULL);
		return 0;
	}
	err = vfs_open(NULL, name, O_WRONLY | O_APPEND | O_LARGEFILE, 0, LOOKUP_FOLLOW, &f);
	if (err)
		return err;
	if (!S_ISREG(f->inode->mode))
		err = -EACCES;
	else if (f->path.mnt->anon || f->inode->sb->magic == PROC_SUPER_MAGIC ||
		 f->inode->sb->magic == SYSFS_MAGIC)
		err = -EINVAL; /* nothing that keeps records */
	if (!err)
		err = open_apart(f, &apart);
	if (!err)
		acct_switch(apart, f->path.mnt);
	file_put(f);
	return err;
}

/* --- /proc/sys/kernel/acct --- */

static int acct_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\t%d\t%d\n", acct_parm[0], acct_parm[1], acct_parm[2]);
	return 0;
}

static ssize_t acct_write(const char *text, size_t n, void *arg)
{
	s64 v;

	for (u32 i = 0; i < ARRAY_SIZE(acct_parm); i++) {
		text += strspn(text, " \t\n");
		if (!*text)
			return i ? (ssize_t)n : -EINVAL;
		if (str_to_s64(text, &text, 10, &v) || (*text && !char_is_space(*text)) ||
		    v != (int)v)
			return -EINVAL;
		WRITE_ONCE(acct_parm[i], (int)v);
	}
	return (ssize_t)n;
}
PROC_FILE(acct, "sys/kernel/acct", 0644, .show = acct_show, .write = acct_write);
