/*
 * /proc/PID and /proc/PID/task/TID: what they hold, who may look.
 *
 * procfs keeps the inodes and asks here: pid_ops finds processes, the two tables at the end name
 * the files. A handle (procfs_pid.h) is a struct pid, so that an open file of a process that has
 * gone finds nothing (ESRCH) rather than the next process with its number. Rules of access are
 * those of ptrace(2), "access mode checking".
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

static struct pid *handle_pid(void *h)
{
	return (struct pid *)((u64)h & ~1ull);
}

/*
 * The process of @h with a reference; NULL: gone. ctx: thread.
 */
struct proc *handle_proc(void *h)
{
	struct pid *pid = handle_pid(h);
	struct proc *p = NULL;

	proc_tree_lock();
	if (!handle_is_thread(h) || !pid->task)
		p = pid->proc; /* or a leader that has exited */
	else
		p = pid->task->proc;
	if (p)
		proc_get(p);
	proc_tree_unlock();
	return p;
}

/*
 * The thread of @h, or its process's leader, with a reference; NULL: gone, or a zombie. ctx:
 * thread.
 */
struct task *handle_task(void *h)
{
	struct pid *pid = handle_pid(h);
	struct task *t = NULL;
	struct proc *p;

	if (!handle_is_thread(h)) {
		p = handle_proc(h);
		if (!p)
			return NULL;
		t = proc_get_leader(p);
		proc_put(p);
		return t;
	}
	proc_tree_lock();
	if (pid->task) {
		t = pid->task;
		task_get(t);
	}
	proc_tree_unlock();
	return t;
}

/*
 * As handle_task(), and of a zombie the leader as it was. ctx: thread.
 */
struct task *handle_task_dead(void *h)
{
	struct task *t = handle_task(h);

	return t ? t : pid_get_task(handle_pid(h));
}

static int task_access(void *h, u32 mode, struct task **out)
{
	struct task *t = handle_task(h);

	if (!t)
		return -ESRCH;
	if (proc_may_access(t, mode)) {
		task_put(t);
		return -EPERM;
	}
	*out = t;
	return 0;
}

/*
 * The task of @h, if current may look into it: see procfs_pid.h. ctx: thread.
 */
int handle_access(void *h, struct task **out)
{
	int err = task_access(h, ACCESS_READ, out);

	return err == -EPERM ? -EACCES : err;
}

/*
 * The task of @h, or NULL when all that is left of it is a process: see procfs_pid.h. ctx: thread.
 */
int handle_remains(void *h, u32 mode, struct task **out)
{
	int err = task_access(h, mode, out);
	struct proc *p = err == -ESRCH ? handle_proc(h) : NULL;

	if (!p)
		return err;
	*out = NULL;
	err = proc_may_see(p) ? 0 : -EPERM;
	proc_put(p);
	return err;
}

/*
 * The address space of @h: see procfs_pid.h. ctx: thread.
 */
int handle_vm(void *h, u32 mode, struct vmspace **out)
{
	struct task *t;
	int err = 0;

	*out = NULL;
	t = handle_task(h);
	if (!t) {
		struct proc *p = handle_proc(h);

		if (!p)
			return -ESRCH;
		proc_put(p);
		return 0;
	}
	if (mode && proc_may_access(t, mode))
		err = -EACCES;
	else
		*out = task_get_vm(t);
	task_put(t);
	return err;
}

/* --- short texts --- */

static int comm_show(struct sbuf *out, void *h)
{
	struct proc *p = handle_proc(h);
	struct task *t;
	char name[16];

	if (!p)
		return -ESRCH;
	t = handle_is_thread(h) ? handle_task(h) : NULL;
	if (t) {
		thread_get_name(&t->thread, name);
		task_put(t);
	} else {
		proc_get_name(p, name);
	}
	proc_put(p);
	sbuf_printf(out, "%s\n", name);
	return 0;
}

static ssize_t comm_write(void *h, const char *text, size_t n)
{
	struct task *t = handle_task(h);
	char name[16];
	ssize_t ret = -EINVAL;

	if (!t)
		return -ESRCH;
	if (t->proc == current_proc()) {
		strlcpy(name, text, sizeof(name));
		thread_set_name(&t->thread, name);
		ret = (ssize_t)n;
	}
	task_put(t);
	return ret;
}

/* Digits alone, and one end of line. */
static int parse_decimal(const char *text, u64 *v)
{
	const char *end;

	if (str_to_u64(text, &end, 10, v))
		return -EINVAL;
	return *end && strcmp(end, "\n") != 0 ? -EINVAL : 0;
}

static int personality_show(struct sbuf *out, void *h)
{
	struct task *t;
	int err = handle_remains(h, ACCESS_ATTACH, &t);

	if (!err && !t)
		t = handle_task_dead(h);
	if (err || !t)
		return err ? err : -ESRCH;
	sbuf_printf(out, "%08x\n", t->personality);
	task_put(t);
	return 0;
}

/* The leader of @h, of whom another than itself needs CAP_SYS_NICE to know; a zombie, too. */
static int slack_task(void *h, struct task **out)
{
	struct task *t = handle_task_dead(h);

	if (!t)
		return -ESRCH;
	if (t != current_task() && !cred_capable(current->cred, CAP_SYS_NICE)) {
		task_put(t);
		return -EPERM;
	}
	*out = t;
	return 0;
}

static int slack_show(struct sbuf *out, void *h)
{
	struct task *t;
	int err = slack_task(h, &t);

	if (err)
		return err;
	sbuf_printf(out, "%llu\n", (unsigned long long)t->timer_slack);
	task_put(t);
	return 0;
}

static ssize_t slack_write(void *h, const char *text, size_t n)
{
	struct task *t;
	u64 v;
	int err;

	err = parse_decimal(text, &v);
	if (!err)
		err = slack_task(h, &t);
	if (err)
		return err;
	t->timer_slack = v ? v : t->default_slack;
	task_put(t);
	return (ssize_t)n;
}

/* --- who logged in --- */

static int login_show(struct sbuf *out, void *h, bool session)
{
	struct task *t = handle_task_dead(h);

	if (!t)
		return -ESRCH;
	sbuf_printf(out, "%u", (session ? t->login_session : t->login_uid) - 1);
	task_put(t);
	return 0;
}

static int loginuid_show(struct sbuf *out, void *h)
{
	return login_show(out, h, false);
}

static int sessionid_show(struct sbuf *out, void *h)
{
	return login_show(out, h, true);
}

/* pam_loginuid(8) says once who begins a session; children inherit it. Nothing else is audited. */
static ssize_t loginuid_write(void *h, const char *text, size_t n)
{
	static u32 last = 1; /* a: session, plus 1 */
	struct task *t = current_task();
	u64 uid;

	if (handle_pid(h) != t->tid)
		return -EPERM;
	if (parse_decimal(text, &uid))
		return -EINVAL;
	if (uid > 0xffffffff)
		return -ERANGE;
	if (t->login_uid && !cred_capable(current->cred, CAP_AUDIT_CONTROL))
		return -EPERM;
	t->login_uid = (u32)uid + 1;
	t->login_session = t->login_uid ? __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) : 0;
	return (ssize_t)n;
}

/* There are no control groups. */
static int cgroup_show(struct sbuf *out, void *h)
{
	sbuf_puts(out, "0::/\n");
	return 0;
}

/* --- mounts --- */

static int mounts_show_style(struct sbuf *out, void *h, int style)
{
	struct task *t = handle_task(h);
	struct fsctx *fs;
	struct path root;

	if (!t)
		return -EINVAL;
	fs = task_get_fs(t);
	task_put(t);
	if (!fs)
		return -EINVAL;
	spin_lock(&fs->lock);
	root = fs->root;
	path_get(&root);
	spin_unlock(&fs->lock);
	fsctx_put(fs);
	if (out)
		mount_show(out, &root, style);
	path_put(&root);
	return 0;
}

static int mounts_show(struct sbuf *out, void *h)
{
	return mounts_show_style(out, h, 0);
}

static int mountinfo_show(struct sbuf *out, void *h)
{
	return mounts_show_style(out, h, 1);
}

static int mountstats_show(struct sbuf *out, void *h)
{
	return mounts_show_style(out, h, 2);
}

/* --- links --- */

static int exe_link(void *h, struct path *out)
{
	struct vmspace *vm;
	struct file *f;
	int err = handle_vm(h, ACCESS_READ, &vm);

	if (err)
		return err;
	if (!vm)
		return -ENOENT;
	f = exec_file_of(vm);
	vmspace_put(vm);
	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static int fs_link(void *h, bool root, struct path *out)
{
	struct fsctx *fs;
	struct task *t;
	int err = handle_access(h, &t);

	if (err)
		return err == -ESRCH ? -ENOENT : err;
	fs = task_get_fs(t);
	task_put(t);
	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = root ? fs->root : fs->cwd;
	path_get(out);
	spin_unlock(&fs->lock);
	fsctx_put(fs);
	return 0;
}

static int cwd_link(void *h, struct path *out)
{
	return fs_link(h, false, out);
}

static int root_link(void *h, struct path *out)
{
	return fs_link(h, true, out);
}

/* --- task/ --- */

/*
 * Handle of thread @tid of @h's process; NULL. A leader that has exited is there, as a zombie, as
 * long as its process.
 */
static void *thread_handle(void *h, u64 tid)
{
	struct proc *p = handle_proc(h);
	struct pid *pid;
	void *found = NULL;

	if (!p)
		return NULL;
	proc_tree_lock();
	pid = pid_find_locked((u32)tid);
	if (pid && (pid->task ? pid->task->proc : pid->proc) == p)
		found = (void *)((u64)pid_get(pid) | 1);
	proc_tree_unlock();
	proc_put(p);
	return found;
}

static int task_find(void *h, const char *name, u32 len, u64 *key)
{
	u64 tid = 0;
	void *t;

	if (!len || len > 9 || name[0] == '0')
		return -ENOENT;
	for (u32 i = 0; i < len; i++) {
		if (!char_is_digit(name[i]))
			return -ENOENT;
		tid = tid * 10 + (u64)(name[i] - '0');
	}
	t = thread_handle(h, tid);
	if (!t)
		return -ENOENT;
	pid_put(handle_pid(t));
	*key = tid;
	return 0;
}

static int task_list_next(void *h, u64 from, u64 *key, char *name)
{
	struct proc *p = handle_proc(h);
	struct task *t;
	u32 nr = 0;

	if (!p)
		return -ENOENT;
	t = task_next(p, (u32)from);
	if (t) {
		nr = t->tid->nr;
		task_put(t);
	}
	if (!READ_ONCE(p->leader) && p->pid->nr >= from && (!nr || p->pid->nr < nr))
		nr = p->pid->nr;
	proc_put(p);
	if (!nr)
		return -ENOENT;
	*key = nr;
	snprintf(name, 12, "%u", nr);
	return 0;
}

static u32 task_mode(void *h, u64 key)
{
	return S_IFDIR | 0555;
}

static const struct procfs_dir_ops thread_dir;

static const struct procfs_dir_ops *task_dir(void *h, u64 key, void **sub)
{
	void *t = thread_handle(h, key);

	if (!t)
		return NULL;
	*sub = t;
	return &thread_dir;
}

static const struct procfs_dir_ops task_list_dir = {
	.find = task_find,
	.next = task_list_next,
	.mode = task_mode,
	.dir = task_dir,
};

/* --- the tables --- */

/* What a process and a thread both have. */
#define COMMON_ENTRIES                                                                       \
	{ .name = "fd", .mode = S_IFDIR | 0500, .dir = &pid_fd_dir },                        \
		{ .name = "fdinfo", .mode = S_IFDIR | 0555, .dir = &pid_fdinfo_dir },        \
		{ .name = "ns", .mode = S_IFDIR | 0511, .dir = &pid_ns_dir },                \
		{ .name = "net", .mode = S_IFDIR | 0555 },                                   \
		{ .name = "attr", .mode = S_IFDIR | 0555, .dir = &pid_attr_dir },            \
		{ .name = "environ",                                                         \
		  .mode = S_IFREG | 0400,                                                    \
		  .guarded = true,                                                           \
		  .show = pid_environ_show },                                                \
		{ .name = "auxv",                                                            \
		  .mode = S_IFREG | 0400,                                                    \
		  .guarded = true,                                                           \
		  .show = pid_auxv_show },                                                   \
		{ .name = "status", .mode = S_IFREG | 0444, .show = pid_status_show },       \
		{ .name = "personality", .mode = S_IFREG | 0400, .show = personality_show }, \
		{ .name = "limits", .mode = S_IFREG | 0444, .show = pid_limits_show },       \
		{ .name = "sched", .mode = S_IFREG | 0644, .show = pid_sched_show },         \
		{ .name = "comm",                                                            \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = comm_show,                                                         \
		  .write = comm_write },                                                     \
		{ .name = "syscall", .mode = S_IFREG | 0400, .show = pid_syscall_show },     \
		{ .name = "cmdline", .mode = S_IFREG | 0444, .show = pid_cmdline_show },     \
		{ .name = "stat", .mode = S_IFREG | 0444, .show = pid_stat_show },           \
		{ .name = "statm", .mode = S_IFREG | 0444, .show = pid_statm_show },         \
		{ .name = "maps",                                                            \
		  .mode = S_IFREG | 0444,                                                    \
		  .guarded = true,                                                           \
		  .show = pid_maps_show },                                                   \
		{ .name = "mem", .mode = S_IFREG | 0600, .ops = &pid_mem_ops },              \
		{ .name = "fail-nth", .mode = S_IFREG | 0644, .ops = &pid_failnth_ops },     \
		{ .name = "io", .mode = S_IFREG | 0400, .show = pid_io_show },               \
		{ .name = "stack", .mode = S_IFREG | 0400, .show = pid_stack_show },         \
		{ .name = "pagemap", .mode = S_IFREG | 0400, .ops = &pid_pagemap_ops },      \
		{ .name = "clear_refs",                                                      \
		  .mode = S_IFREG | 0200,                                                    \
		  .write = pid_clear_refs_write,                                             \
		  .anywhere = true },                                                        \
		{ .name = "numa_maps",                                                       \
		  .mode = S_IFREG | 0444,                                                    \
		  .guarded = true,                                                           \
		  .show = pid_numa_maps_show },                                              \
		{ .name = "cpuset", .mode = S_IFREG | 0444, .show = pid_cpuset_show },       \
		{ .name = "uid_map",                                                         \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = pid_id_map_show,                                                   \
		  .write = pid_id_map_write },                                               \
		{ .name = "gid_map",                                                         \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = pid_id_map_show,                                                   \
		  .write = pid_id_map_write },                                               \
		{ .name = "projid_map",                                                      \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = pid_id_map_show,                                                   \
		  .write = pid_id_map_write },                                               \
		{ .name = "setgroups",                                                       \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = pid_setgroups_show,                                                \
		  .write = pid_setgroups_write },                                            \
		{ .name = "cwd", .mode = S_IFLNK | 0777, .link = cwd_link },                 \
		{ .name = "root", .mode = S_IFLNK | 0777, .link = root_link },               \
		{ .name = "exe", .mode = S_IFLNK | 0777, .link = exe_link },                 \
		{ .name = "mounts",                                                          \
		  .mode = S_IFREG | 0444,                                                    \
		  .asked = true,                                                             \
		  .show = mounts_show,                                                       \
		  .ops = &procfs_mounts_ops },                                               \
		{ .name = "mountinfo",                                                       \
		  .mode = S_IFREG | 0444,                                                    \
		  .asked = true,                                                             \
		  .show = mountinfo_show,                                                    \
		  .ops = &procfs_mounts_ops },                                               \
		{ .name = "smaps",                                                           \
		  .mode = S_IFREG | 0444,                                                    \
		  .guarded = true,                                                           \
		  .show = pid_smaps_show },                                                  \
		{ .name = "smaps_rollup",                                                    \
		  .mode = S_IFREG | 0444,                                                    \
		  .guarded = true,                                                           \
		  .show = pid_smaps_rollup_show },                                           \
		{ .name = "wchan", .mode = S_IFREG | 0444, .show = pid_wchan_show },         \
		{ .name = "schedstat", .mode = S_IFREG | 0444, .show = pid_schedstat_show }, \
		{ .name = "cgroup", .mode = S_IFREG | 0444, .show = cgroup_show },           \
		{ .name = "oom_score", .mode = S_IFREG | 0444, .show = pid_oom_score_show }, \
		{ .name = "oom_adj",                                                         \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = pid_oom_adj_show,                                                  \
		  .write = pid_oom_adj_write,                                                \
		  .anywhere = true },                                                        \
		{ .name = "oom_score_adj",                                                   \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = pid_oom_score_adj_show,                                            \
		  .write = pid_oom_score_adj_write,                                          \
		  .anywhere = true },                                                        \
		{ .name = "loginuid",                                                        \
		  .mode = S_IFREG | 0644,                                                    \
		  .show = loginuid_show,                                                     \
		  .write = loginuid_write,                                                   \
		  .anywhere = true },                                                        \
	{                                                                                    \
		.name = "sessionid", .mode = S_IFREG | 0444, .show = sessionid_show          \
	}

static const struct procfs_pid_entry thread_entries[] = {
	COMMON_ENTRIES,
	{ .name = NULL },
};
static const struct procfs_dir_ops thread_dir = { .entries = thread_entries };

static const struct procfs_pid_entry proc_entries[] = {
	{ .name = "task", .mode = S_IFDIR | 0555, .dir = &task_list_dir },
	{ .name = "map_files", .mode = S_IFDIR | 0500, .dir = &pid_map_files_dir },
	COMMON_ENTRIES,
	{ .name = "mountstats", .mode = S_IFREG | 0400, .asked = true, .show = mountstats_show },
	{ .name = "coredump_filter",
	  .mode = S_IFREG | 0644,
	  .show = pid_coredump_filter_show,
	  .write = pid_coredump_filter_write,
	  .anywhere = true },
	{ .name = "timers", .mode = S_IFREG | 0444, .show = pid_timers_show },
	{ .name = "timens_offsets",
	  .mode = S_IFREG | 0644,
	  .show = pid_timens_show,
	  .write = pid_timens_write },
	{ .name = "timerslack_ns",
	  .mode = S_IFREG | 0666,
	  .show = slack_show,
	  .write = slack_write },
	{ .name = NULL },
};
static const struct procfs_dir_ops proc_dir = { .entries = proc_entries };

/* --- what procfs asks --- */

static int pid_find(u32 nr, void **out)
{
	struct pid *pid = NULL;
	void *h = NULL;

	proc_tree_lock();
	pid = nr ? pid_find_locked(nr) : NULL;
	/* A thread's number is found, too, though no listing shows it. */
	if (pid && pid->proc)
		h = pid_get(pid);
	else if (pid && pid->task)
		h = (void *)((u64)pid_get(pid) | 1);
	proc_tree_unlock();
	if (!h)
		return -ENOENT;
	*out = h;
	return 0;
}

static int pid_next(u32 from, u32 *out)
{
	struct proc *p = proc_next(from);

	if (!p)
		return -ENOENT;
	*out = p->pid->nr;
	proc_put(p);
	return 0;
}

static void handle_get(void *h)
{
	pid_get(handle_pid(h));
}

static void handle_put(void *h)
{
	pid_put(handle_pid(h));
}

static void handle_owner(void *h, u32 *uid, u32 *gid)
{
	struct proc *p = handle_proc(h);
	struct cred *c;

	*uid = *gid = 0;
	if (!p)
		return;
	if (READ_ONCE(p->dumpable) == 1) {
		c = proc_get_cred(p);
		*uid = c->euid;
		*gid = c->egid;
		cred_put(c);
	}
	proc_put(p);
}

static u32 self_nr(void)
{
	return current->proc ? current_proc()->pid->nr : 0;
}

static u32 self_thread_nr(void)
{
	return current->user ? current_task()->tid->nr : 0;
}

/* ctx: thread */
static int handle_may_look(void *h)
{
	struct vmspace *vm;
	int err = handle_vm(h, ACCESS_READ, &vm);

	if (!err && vm)
		vmspace_put(vm);
	return err;
}

static bool handle_may_trace(void *h)
{
	struct proc *p = handle_proc(h);
	bool may = p && proc_may_see(p);

	if (p)
		proc_put(p);
	return may;
}

static const struct procfs_pid_ops pid_ops = {
	.find = pid_find,
	.next = pid_next,
	.get = handle_get,
	.put = handle_put,
	.owner = handle_owner,
	.may_look = handle_may_look,
	.may_trace = handle_may_trace,
	.self = self_nr,
	.self_thread = self_thread_nr,
	.root = &proc_dir,
};

/*
 * Boot: processes appear in /proc. ctx: boot.
 */
void procfs_pid_init(void)
{
	procfs_register_pids(&pid_ops);
}
