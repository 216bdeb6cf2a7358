/*
 * /proc/PID: what a process read and wrote (io), where its threads sleep in the kernel (stack), its
 * POSIX timers (timers), and the maps of its name spaces.
 *
 * Bytes are counted where system calls read and write, whatever the file; of blocks that went to a
 * device read_bytes and write_bytes tell. There is one user name space, in which every id is
 * itself, so its maps are fixed and cannot be written again.
 *
 * man: proc(5), user_namespaces(7), time_namespaces(7).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

#define STACK_MAX 32
#define BLOCK_SIZE 512

typedef unsigned long long ull;

/*
 * io: characters and calls. ctx: thread. 0, -ESRCH, -EACCES.
 */
int pid_io_show(struct sbuf *out, void *h)
{
	struct proc_usage u = { 0 };
	struct task *t;
	struct proc *p;
	int err = handle_remains(h, ACCESS_READ, &t);
	u64 f;

	if (err)
		return err == -EPERM ? -EACCES : err;
	p = handle_proc(h);
	if (p) {
		f = spin_lock_irqsave(&p->siglock);
		if (!handle_is_thread(h))
			proc_usage_get(p, &u);
		else if (t)
			proc_usage_add_task(&u, t);
		spin_unlock_irqrestore(&p->siglock, f);
		proc_put(p);
	}
	if (t)
		task_put(t);
	sbuf_printf(out, "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\n", (ull)u.io.rchar,
		    (ull)u.io.wchar, (ull)u.io.syscr, (ull)u.io.syscw);
	sbuf_printf(out, "read_bytes: %llu\nwrite_bytes: %llu\ncancelled_write_bytes: 0\n",
		    (ull)u.inblock * BLOCK_SIZE, (ull)u.oublock * BLOCK_SIZE);
	return 0;
}

/*
 * stack: return addresses in the kernel, innermost first, without the addresses themselves. ctx:
 * thread. 0, -ESRCH, -EACCES.
 */
int pid_stack_show(struct sbuf *out, void *h)
{
	vaddr_t addr[STACK_MAX];
	struct task *t;
	u32 n = 0;
	int err = cred_capable(current->cred, CAP_SYS_ADMIN) ? handle_remains(h, ACCESS_ATTACH, &t)
							     : -EACCES;

	if (err || !t)
		return err;
	if (t == current_task())
		n = stacktrace(NULL, NULL, addr, STACK_MAX);
	else if (!READ_ONCE(t->thread.se.on_cpu))
		n = stacktrace_sleeping(&t->thread.arch, addr, STACK_MAX);
	task_put(t);
	for (u32 i = 0; i < n; i++) {
		struct symbol sym;
		const char *name = symbol_lookup(addr[i] - 4, &sym);

		if (name)
			sbuf_printf(out, "[<0>] %s+%#llx\n", name, (ull)sym.off + 4);
	}
	return 0;
}

/* --- name spaces --- */

/*
 * uid_map, gid_map, projid_map: every id is itself. ctx: any. 0.
 */
int pid_id_map_show(struct sbuf *out, void *h)
{
	sbuf_printf(out, "%10u %10u %10u\n", 0u, 0u, ~0u);
	return 0;
}

/*
 * A map is written once; that of the first name space was there from the beginning. ctx: any.
 */
ssize_t pid_id_map_write(void *h, const char *text, size_t n)
{
	return -EPERM;
}

/*
 * setgroups: allowed. ctx: any. 0.
 */
int pid_setgroups_show(struct sbuf *out, void *h)
{
	sbuf_puts(out, "allow\n");
	return 0;
}

/*
 * It cannot be denied once ids are mapped. ctx: any. @n, -EPERM, -EINVAL.
 */
ssize_t pid_setgroups_write(void *h, const char *text, size_t n)
{
	bool allow = str_begins(text, "allow"), deny = str_begins(text, "deny");
	const char *end = text + (allow ? 5 : 4);

	if (!allow && !deny)
		return -EINVAL;
	while (char_is_space(*end))
		end++;
	if (*end)
		return -EINVAL;
	return allow ? (ssize_t)n : -EPERM;
}

/*
 * timens_offsets: none. ctx: any. 0.
 */
int pid_timens_show(struct sbuf *out, void *h)
{
	sbuf_puts(out, "monotonic           0         0\nboottime            0         0\n");
	return 0;
}

/*
 * They cannot be changed once a process lives by them. ctx: any. -EACCES.
 */
ssize_t pid_timens_write(void *h, const char *text, size_t n)
{
	return -EACCES;
}

/*
 * cpuset: there is one. ctx: any. 0.
 */
int pid_cpuset_show(struct sbuf *out, void *h)
{
	sbuf_puts(out, "/\n");
	return 0;
}
