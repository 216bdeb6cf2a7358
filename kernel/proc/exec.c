/*
 * execve(2): opening the program, building the new image, and becoming it.
 *
 * Check, then commit. The new address space is built completely (elf.c, exec_args.c) while the old
 * one is still in use; until then errors just return to the caller. exec_commit starts with the
 * only step that cannot be taken back, killing the other threads (exec_kill_others), and contains
 * nothing that fails. An image that turns out bad when its segments are mapped (img->late) is
 * become all the same and dies of SIGSEGV before its first instruction: so Linux does it, which has
 * no old program to return to by then.
 *
 * The thread that execs becomes the leader: if it is not, it takes over the number of the leader,
 * whose thread has exited like the others.
 *
 * Scripts and programs for interpreters are followed in exec_interp.c; the new credentials are made
 * in exec_cred.c.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/personality.h>
#include <linux/mount.h>
#include <arch/irqflags.h>
#include <arch/pmap.h>
#include <arch/signal.h>
#include "fs/landlock.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "kernel/lib/string.h"
#include "kernel/proc/exec_internal.h"
#include "kernel/proc/keys.h"
#include "kernel/proc/rseq.h"

#define SECURE_STACK_MAX MIB(8)

/*
 * The running program's file, as /proc/PID/exe shows it; keeps writers out while any address space
 * refers to it.
 */
struct exe_ref {
	struct vm_file vmf; /* first */
	refcount_t refs; /* a */
	struct file *file; /* I: reference, write denied */
};

static struct exe_ref *exe_of(struct vm_file *f)
{
	return container_of(f, struct exe_ref, vmf);
}

static void exe_get(struct vm_file *f)
{
	ref_get(&exe_of(f)->refs);
}

static void exe_put(struct vm_file *f)
{
	struct exe_ref *e = exe_of(f);

	if (!ref_put(&e->refs))
		return;
	inode_allow_write(e->file->inode);
	file_put_deferred(e->file);
	kfree(e);
}

static const struct vm_file_ops exe_ops = { .get = exe_get, .put = exe_put };

/*
 * The open file of the program that runs in @vm, with a reference; NULL. ctx: thread; sleeps.
 */
struct file *exec_file_of(struct vmspace *vm)
{
	struct file *f = NULL;

	rwsem_read_lock(&vm->sem);
	if (vm->exe && vm->exe->ops == &exe_ops)
		f = file_get(exe_of(vm->exe)->file);
	rwsem_read_unlock(&vm->sem);
	return f;
}

/* holds: vm->sem */
static bool exe_is_mapped(struct vmspace *vm)
{
	const struct pagecache *pc = exe_of(vm->exe)->file->inode->cache;
	struct region *r = vm_find(vm, 0);

	while (r && r->cache != pc)
		r = vm_next(r);
	return r;
}

/*
 * prctl(PR_SET_MM_EXE_FILE): @f, of which a reference is taken, is what runs in current's address
 * space. ctx: thread; sleeps. 0; -EBUSY: what ran so far is still mapped; -EACCES: it is being
 * written; -ENOMEM.
 */
int exec_set_file(struct file *f)
{
	struct exe_ref *e = kmalloc(sizeof(*e), 0);
	struct vmspace *vm = current->vm;
	struct vm_file *old = NULL;
	int err;

	if (!e)
		return -ENOMEM;
	e->vmf.ops = &exe_ops;
	ref_init(&e->refs, 1);
	e->file = f;
	rwsem_write_lock(&vm->sem);
	err = vm->exe && exe_is_mapped(vm) ? -EBUSY : inode_deny_write(f->inode);
	if (!err) {
		file_get(f);
		old = vm->exe;
		vm->exe = &e->vmf;
	}
	rwsem_write_unlock(&vm->sem);
	if (err)
		kfree(e);
	else if (old)
		exe_put(old);
	return err == -ETXTBSY ? -EACCES : err;
}

static int exec_check_path(const struct path *p)
{
	struct inode *i = p->dentry->inode;

	if (S_ISLNK(i->mode))
		return -ELOOP;
	if (!S_ISREG(i->mode) || (READ_ONCE(p->mnt->flags) & MS_NOEXEC))
		return -EACCES;
	return inode_permission(i, MAY_EXEC);
}

/*
 * Open @p to run it; nobody can write to it until exec_close. ctx: thread; sleeps.
 * 0, -EACCES, -ETXTBSY, -ENOMEM.
 */
int exec_open_path(const struct path *p, struct file **out)
{
	struct file *f;
	int err = landlock_check(p, LANDLOCK_ACCESS_FS_EXECUTE);

	if (!err)
		err = file_open_path(p, O_RDONLY | O_LARGEFILE | OPEN_EXEC, &f);
	if (err)
		return err;
	notify_file(f, IN_OPEN | FAN_OPEN_EXEC);
	err = inode_deny_write(f->inode);
	if (err) {
		file_put(f);
		return err;
	}
	*out = f;
	return 0;
}

/*
 * The same by @name. ctx: thread; sleeps. Errors also as the lookup gives them.
 */
int exec_open(const struct path *at, const char *name, u32 lookup, struct file **out)
{
	struct path p;
	int err = path_lookup(at->dentry ? at : NULL, name, lookup, &p);

	if (err)
		return err;
	err = exec_check_path(&p);
	if (!err)
		err = exec_open_path(&p, out);
	path_put(&p);
	return err;
}

/*
 * Undo exec_open. ctx: thread; sleeps.
 */
void exec_close(struct file *f)
{
	inode_allow_write(f->inode);
	file_put(f);
}

/* --- building --- */

static int attach_exe(struct exec_image *img)
{
	struct exe_ref *e = kmalloc(sizeof(*e), 0);

	if (!e)
		return -ENOMEM;
	e->vmf.ops = &exe_ops;
	ref_init(&e->refs, 1);
	e->file = img->file;
	img->file = NULL;
	img->vm->exe = &e->vmf;
	return 0;
}

/* The new address space with everything in it; *sp where the program's stack begins. */
static int build_image(struct exec_image *img, vaddr_t *sp)
{
	vaddr_t top;
	int err = vmspace_create(&img->vm);

	if (err)
		return err;
	layout_set_mmap_base(img, &top);
	err = elf_load(img);
	if (err)
		return err;
	layout_map_page_zero(img);
	layout_set_brk(img);
	err = layout_map_vdso(img);
	if (err)
		return err;
	err = layout_map_stack(img, top);
	if (err)
		return err;
	err = arg_stack_install(img, top, sp);
	if (!err)
		img->vm->stack_start = *sp;
	return err;
}

/* --- becoming it --- */

/* Tables that the new program must not share with anybody; made before the point of no return. */
struct exec_spares {
	struct sighand *sighand;
	struct fdtable *files;
};

static int spares_make(struct exec_spares *s)
{
	int err = 0;

	/* Another thread may share it with a new process until it is ended. */
	if (ref_read(&current_proc()->sighand->refs) > 1 || READ_ONCE(current_proc()->ntasks) > 1)
		err = sighand_copy(current_proc()->sighand, false, &s->sighand);
	if (!err && fdtable_shared(current->files))
		err = fdtable_copy(current->files, &s->files);
	return err;
}

static void spares_free(struct exec_spares *s)
{
	if (s->sighand)
		sighand_put(s->sighand);
	if (s->files)
		fdtable_put(s->files);
}

/*
 * End all other threads. 0; -EAGAIN when we are being killed or another thread was first;
 * -ERESTARTNOINTR when a tracer came after the credentials were made: nothing has happened then.
 */
static int exec_kill_others(struct exec_image *img, struct task *t)
{
	struct proc *p = t->proc;
	struct task *other;
	u64 f = spin_lock_irqsave(&p->siglock);

	if (p->group_exit || p->exec_task) {
		spin_unlock_irqrestore(&p->siglock, f);
		return -EAGAIN;
	}
	if (img->gains && !img->limited && !ptrace_allows_setid(t)) {
		spin_unlock_irqrestore(&p->siglock, f);
		return -ERESTARTNOINTR;
	}
	p->exec_cred = img->cred;
	p->exec_dumpable = img->dumpable;
	if (p->ntasks == 1) {
		spin_unlock_irqrestore(&p->siglock, f);
		return 0;
	}
	p->exec_task = t;
	list_for_each(other, &p->tasks, proc_link) {
		if (other != t)
			signal_wake_task(other, true);
	}
	spin_unlock_irqrestore(&p->siglock, f);
	word_or(&t->jobctl, TJ_KILLABLE);
	wait_event(&p->child_wait, READ_ONCE(p->ntasks) == 1 || signal_fatal_pending());
	word_and(&t->jobctl, ~TJ_KILLABLE);
	f = spin_lock_irqsave(&p->siglock);
	p->exec_task = NULL;
	if (p->ntasks != 1)
		p->exec_cred = NULL;
	spin_unlock_irqrestore(&p->siglock, f);
	return READ_ONCE(p->ntasks) == 1 ? 0 : -EAGAIN;
}

/* The only thread left becomes the leader, with the leader's number. */
static void exec_become_leader(struct task *t)
{
	struct proc *p = t->proc;
	struct pid *old = NULL;
	struct cred *dead_cred = NULL;
	struct task *dead_task = NULL;
	struct dead_list dead = DEAD_LIST_INIT(dead);
	u64 f;

	proc_tree_lock();
	ptrace_drop_leader_locked(p, &dead);
	f = spin_lock_irqsave(&p->siglock);
	if (p->leader != t) {
		old = t->tid;
		t->tid = pid_get(p->pid);
		p->pid->task = t;
		p->leader = t;
		dead_cred = p->dead_cred;
		p->dead_cred = NULL;
		dead_task = p->dead_task;
		p->dead_task = NULL;
	}
	spin_unlock_irqrestore(&p->siglock, f);
	if (old) {
		old->task = NULL;
		pid_release_locked(old);
		pid_put(old);
	}
	p->did_exec = true;
	p->forked_noexec = false;
	p->exit_signal = SIGCHLD;
	proc_tree_unlock();
	dead_list_put(&dead);
	mount_prune_gone();
	if (dead_cred)
		cred_put(dead_cred);
	if (dead_task)
		task_put(dead_task);
}

/* Enter the new address space and leave the old one. */
static void exec_switch_vm(struct task *t, struct vmspace *vm)
{
	struct vmspace *old = t->thread.vm;
	struct proc *p = t->proc;
	u64 f;

	if (old)
		task_release_vm(t);
	f = spin_lock_irqsave(&p->siglock);
	t->thread.vm = vm;
	t->thread.pmap = &vm->pmap;
	pmap_activate(&vm->pmap);
	spin_unlock_irqrestore(&p->siglock, f);
	task_wake_vfork_parent(t);
	if (old) {
		p->dead.maxrss = MAX(p->dead.maxrss, READ_ONCE(old->peak_rss));
		vmspace_put_user(old);
	}
}

/* Signals: handlers become defaults, the alternate stack and timers go, what is pending stays. */
static void exec_reset_signals(struct task *t, struct exec_spares *s)
{
	struct proc *p = t->proc;
	struct sighand *old = NULL;
	u64 f;

	ptimers_exit(p);
	proc_tree_lock();
	f = spin_lock_irqsave(&p->siglock);
	if (s->sighand) {
		old = p->sighand;
		p->sighand = s->sighand;
		s->sighand = NULL;
	}
	signal_flush_handlers(p->sighand);
	spin_unlock_irqrestore(&p->siglock, f);
	proc_tree_unlock();
	if (old)
		sighand_put(old);
	keys_exec();
	t->altstack_sp = 0;
	t->altstack_size = 0;
}

static void exec_switch_files(struct task *t, struct exec_spares *s)
{
	struct fdtable *old = t->thread.files;
	u64 f;

	if (s->files) {
		f = spin_lock_irqsave(&t->proc->siglock);
		t->thread.files = s->files;
		spin_unlock_irqrestore(&t->proc->siglock, f);
		s->files = NULL;
		fdtable_put(old);
	}
	fdtable_close_on_exec(t->thread.files);
}

static void set_name(struct thread *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	thread_set_name(t, slash ? slash + 1 : path);
}

/*
 * The thread's name: of the file as it was called or, where only a descriptor was, as it is; a
 * memfd's name has a slash before it.
 */
static void exec_set_name(struct exec_image *img, struct thread *t)
{
	const struct exec_args *a = img->args;

	if (!a->lookup_name || *a->lookup_name) {
		set_name(t, a->filename);
		return;
	}
	spin_lock(&vfs_tree_lock); /* the file's name may be changed */
	set_name(t, exe_of(img->vm->exe)->file->path.dentry->name);
	spin_unlock(&vfs_tree_lock);
}

static void exec_set_identity(struct exec_image *img, struct task *t)
{
	struct proc *p = t->proc;
	u64 f;

	exec_set_name(img, &t->thread);
	p->dumpable = img->dumpable ? 1 : (u8)READ_ONCE(suid_dumpable);
	img->vm->dumpable = p->dumpable;
	if (img->secure)
		t->pdeath_signal = 0;
	t->personality = img->personality;
	p->membarrier = 0;
	rseq_exec();
	cred_commit(img->cred);
	img->cred = NULL;
	f = spin_lock_irqsave(&p->siglock);
	p->exec_cred = NULL;
	p->rlim[RLIMIT_STACK].rlim_cur = img->stack_limit;
	spin_unlock_irqrestore(&p->siglock, f);
}

/* Become the new program. 0, or -EAGAIN before anything has changed. */
static int exec_commit(struct exec_image *img, struct exec_spares *s, vaddr_t sp)
{
	struct task *t = current_task();
	int err;

	img->old_tid = t->tid->nr;
	img->dumpable = !img->secure && !img->unreadable &&
			inode_permission(exe_of(img->vm->exe)->file->inode, MAY_READ) == 0;
	err = exec_kill_others(img, t);
	if (err)
		return err;
	exec_become_leader(t);
	exec_set_identity(img, t);
	exec_switch_vm(t, img->vm);
	img->vm = NULL;
	exec_reset_signals(t, s);
	exec_switch_files(t, s);
	arch_thread_exec();
	frame_init_user(t->frame, img->entry, sp);
	return 0;
}

static void image_free(struct exec_image *img)
{
	arg_stack_free(&img->stack);
	for (u32 i = 0; i < img->nprefix; i++)
		kfree(img->prefix[i]);
	if (img->vm)
		vmspace_put_user(img->vm);
	if (img->file)
		exec_close(img->file);
	if (img->executable)
		file_put(img->executable);
	if (img->cred)
		cred_put(img->cred);
	kfree(img);
}

/* A descriptor of the program for its interpreter, who finds it in AT_EXECFD. 0 or -errno */
static int give_execfd(struct exec_image *img)
{
	int fd, err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), false, &fd);

	if (err)
		return err;
	fd_install(fd, img->executable);
	img->executable = NULL;
	return arg_stack_set_execfd(img, fd);
}

static int exec_image(struct exec_image *img)
{
	const struct exec_args *a = img->args;
	struct exec_spares spares = { 0 };
	vaddr_t sp = 0;
	int bad, err = arg_stack_build(img);

	if (!err)
		err = a->open_err;
	if (!err)
		err = exec_open(&a->at, a->lookup_name ? a->lookup_name : a->filename, a->lookup,
				&img->file);
	if (err)
		return err;
	err = exec_follow(img);
	if (err)
		return err;
	err = exec_cred_prepare(img);
	if (err)
		return err;
	if (img->nprefix) { /* a script: its interpreter's words come first */
		arg_stack_free(&img->stack);
		err = arg_stack_build(img);
		if (err)
			return err;
	}
	if (img->secure) /* its layout is not for the caller to choose */
		img->stack_limit = MIN(img->stack_limit, SECURE_STACK_MAX);
	bad = build_image(img, &sp);
	if (bad && !img->late)
		return bad;
	err = attach_exe(img);
	if (!err)
		err = spares_make(&spares);
	if (!err)
		err = exec_commit(img, &spares, sp);
	spares_free(&spares);
	if (!err && bad)
		signal_doom(SIGSEGV);
	else if (!err && img->executable && give_execfd(img))
		signal_doom(SIGSEGV);
	return err ? err : bad;
}

static int exec_once(const struct exec_args *a, u32 *old_tid)
{
	struct exec_image *img = kzalloc(sizeof(*img), 0);
	int err;

	if (!img)
		return -ENOMEM;
	img->args = a;
	img->personality = current_task()->personality;
	img->stack_limit = proc_rlimit(RLIMIT_STACK);
	err = exec_image(img);
	*old_tid = img->old_tid;
	image_free(img);
	return err;
}

/*
 * Replace the program of current's process: see proc.h. ctx: thread, a user task with no lock held;
 * sleeps. 0: the user frame is the new program's. Else nothing has changed, or the process is to
 * die on its way to user mode: -ENOENT, -EACCES, -ENOEXEC, -ELIBBAD, -E2BIG, -EFAULT, -ENOMEM,
 * -ETXTBSY, -ELOOP, -EAGAIN and others of the lookup. The arguments are read before the program is
 * looked up, as on Linux.
 */
int proc_exec(const struct exec_args *a)
{
	const struct cred *c = current->cred;
	u32 old_tid;
	int err;

	/*
	 * A process over its limit may not begin a program under another user: see RLIMIT_NPROC of
	 * getrlimit(2).
	 */
	if (atomic_read(&current_proc()->user->tasks) > proc_rlimit(RLIMIT_NPROC) && c->uid != 0 &&
	    !cred_capable(c, CAP_SYS_RESOURCE) && !cred_capable(c, CAP_SYS_ADMIN) &&
	    current_proc()->nproc_exceeded)
		return -EAGAIN;
	do
		err = exec_once(a, &old_tid);
	while (err == -ERESTARTNOINTR);
	if (!err)
		ptrace_exec_event(old_tid);
	return err;
}
