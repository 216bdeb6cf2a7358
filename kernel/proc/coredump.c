/*
 * Core dumps: whether, where to, and everybody holding still meanwhile. See core(5).
 *
 * The thread that takes a signal whose default action dumps core kills the group (so that nothing
 * else can happen to it) and sets proc.core. The other threads come, as the dying do, to
 * proc_exit_thread, see that, park their registers and wait (coredump_hold); when the last one has,
 * the first thread writes, then lets them go on dying. That somebody waits is undone by nothing but
 * the writer's end; SIGKILL makes that come soon.
 *
 * Where to is /proc/sys/kernel/core_pattern: a file name with % letters, or "|program arguments",
 * which gets the dump on its standard input. A process that changed its credentials is dumped only
 * if fs.suid_dumpable says so, and then as root, to an absolute name that does not exist yet.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <arch/thread.h>
#include "fs/pipe.h"
#include "fs/procfs.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/coredump.h"
#include "kernel/proc/procfs_pid.h"
#include "kernel/sched/sched.h"

#define PATTERN_SIZE 128
#define NAME_SIZE 512
#define ARGS_MAX (PATTERN_SIZE / 2)
#define DUMP_MIN PAGE_SIZE /* a smaller limit means none */

int suid_dumpable;
SYSCTL_INT(suid_dumpable, "sys/fs/suid_dumpable", &suid_dumpable, 0, 2);
static int core_uses_pid;
SYSCTL_INT(core_uses_pid, "sys/kernel/core_uses_pid", &core_uses_pid, 0, 1);

void (*proc_hostname)(char out[65]);

static struct spinlock pattern_lock = SPINLOCK_INIT(RANK_EVENT); /* guards the pattern */
static char pattern[PATTERN_SIZE] = "core";

/* --- the pattern --- */

static void pattern_get(char out[PATTERN_SIZE])
{
	spin_lock(&pattern_lock);
	memcpy(out, pattern, PATTERN_SIZE);
	spin_unlock(&pattern_lock);
}

static int pattern_show(struct sbuf *out, void *arg)
{
	char text[PATTERN_SIZE];

	pattern_get(text);
	sbuf_printf(out, "%s\n", text);
	return 0;
}

static ssize_t pattern_write(const char *text, size_t n, void *arg)
{
	size_t len = MIN(strcspn(text, "\n"), (size_t)PATTERN_SIZE - 1);

	spin_lock(&pattern_lock);
	memset(pattern, 0, sizeof(pattern));
	memcpy(pattern, text, len);
	spin_unlock(&pattern_lock);
	return (ssize_t)n;
}

PROC_FILE(core_pattern, "sys/kernel/core_pattern", 0644, .show = pattern_show,
	  .write = pattern_write, .iflags = INODE_JOIN);

/* A value that becomes part of a file's name is one component of it. */
static void put_component(struct sbuf *out, const char *text)
{
	if (!strcmp(text, ".") || !strcmp(text, "..")) {
		sbuf_putc(out, '!');
		sbuf_puts(out, text + 1);
		return;
	}
	for (; *text; text++)
		sbuf_putc(out, *text == '/' ? '!' : *text);
}

/* The program's file: its last name, or all of it. */
static void put_program(struct sbuf *out, bool last)
{
	struct file *f = exec_file_of(current->vm);
	char *path = kmalloc(PATH_MAX_LEN, 0), *s = NULL;
	const char *slash;
	struct path root;

	fsctx_get_root(&root);
	if (f && path && !path_to_string(&f->path, &root, path, PATH_MAX_LEN, &s)) {
		slash = last ? strrchr(s, '/') : NULL;
		put_component(out, slash ? slash + 1 : s);
	} else {
		put_component(out, current->name);
	}
	path_put(&root);
	kfree(path);
	if (f)
		file_put(f);
}

static void put_escape(struct sbuf *out, const struct core_dump *c, char letter)
{
	const struct cred *cred = current->cred;
	char host[65];

	switch (letter) {
	case '%': sbuf_putc(out, '%'); break;
	case 'p':
	case 'P': sbuf_printf(out, "%u", current_proc()->pid->nr); break;
	case 'i':
	case 'I': sbuf_printf(out, "%u", current_task()->tid->nr); break;
	case 'u': sbuf_printf(out, "%u", cred->uid); break;
	case 'g': sbuf_printf(out, "%u", cred->gid); break;
	case 'd': sbuf_printf(out, "%d", current_proc()->dumpable); break;
	case 's': sbuf_printf(out, "%d", c->sig); break;
	case 't': sbuf_printf(out, "%lld", (long long)(time_wall() / NSEC_PER_SEC)); break;
	case 'h':
		proc_hostname(host);
		put_component(out, host);
		break;
	case 'e': put_component(out, current->name); break;
	case 'f': put_program(out, true); break;
	case 'E': put_program(out, false); break;
	case 'c': sbuf_printf(out, "%llu", (unsigned long long)proc_rlimit(RLIMIT_CORE)); break;
	default: break;
	}
}

/*
 * The pattern with its letters replaced; @split: words end in NUL. True when all of it had room.
 */
static bool pattern_expand(struct sbuf *out, const struct core_dump *c, const char *from,
			   bool split, u32 *words)
{
	bool pid = false, gap = true;

	*words = 0;
	for (; *from; from++) {
		if (split && char_is_space(*from)) {
			if (!gap)
				sbuf_putc(out, '\0');
			gap = true;
			continue;
		}
		if (gap)
			++*words;
		gap = false;
		if (*from != '%') {
			sbuf_putc(out, *from);
			continue;
		}
		if (!*++from)
			break;
		pid |= *from == 'p';
		put_escape(out, c, *from);
	}
	if (!split && !pid && READ_ONCE(core_uses_pid))
		sbuf_printf(out, ".%u", current_proc()->pid->nr);
	return !sbuf_overflowed(out);
}

/* --- where to --- */

static bool file_is_fit(const struct file *f)
{
	const struct inode *i = f->inode;

	return S_ISREG(i->mode) && i->nlink == 1 && i->uid == current->cred->fsuid &&
	       (i->mode & 0677) == 0600;
}

static int dump_to_file(struct core_dump *c, const char *name)
{
	struct path at;
	int err;

	if (c->suid && name[0] != '/')
		return -EPERM;
	fsctx_get_cwd(&at);
	/* What is in the way goes, unless it is root who writes on behalf of another. */
	if (!c->suid)
		(void)vfs_unlink(&at, name);
	err = vfs_open(&at, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE, 0600, 0,
		       &c->file);
	path_put(&at);
	if (err)
		return err;
	if (file_is_fit(c->file))
		return 0;
	file_put(c->file);
	return -EPERM;
}

/* The new process reads from @input. */
static int program_begin(void *input)
{
	int fd, err = fd_reserve(0, 1, false, &fd);

	if (!err)
		fd_install(fd, file_get(input));
	return err;
}

static int dump_to_program(struct core_dump *c, char *text, u32 words)
{
	static const char *const no_env[] = { NULL };
	const char *argv[ARGS_MAX + 1];
	struct file *r, *w;
	int err;

	for (u32 i = 0; i < words; i++) {
		argv[i] = text;
		text += strlen(text) + 1;
	}
	argv[words] = NULL;
	if (!words)
		return -ENOENT;
	err = pipe_create(0, &r, &w);
	if (err)
		return err;
	err = helper_run(argv, no_env, program_begin, r);
	file_put(r);
	if (err)
		file_put(w);
	else
		c->file = w;
	return err;
}

/* Open what the dump goes to. 0 or -errno. */
static int dump_open(struct core_dump *c)
{
	char from[PATTERN_SIZE], *text = kmalloc(NAME_SIZE, 0);
	struct sbuf out;
	bool program;
	u32 words;
	int err = -ENAMETOOLONG;

	if (!text)
		return -ENOMEM;
	pattern_get(from);
	program = from[0] == '|';
	sbuf_init(&out, text, NAME_SIZE);
	if (pattern_expand(&out, c, from + program, program, &words)) {
		(void)sbuf_cstr(&out);
		/* The limit is for files; a program sees to itself. */
		c->limit = program ? RLIM64_INFINITY : proc_rlimit(RLIMIT_CORE);
		err = program ? dump_to_program(c, text, words) : dump_to_file(c, text);
	}
	if (err)
		log_limited(LOG_INFO, "%s[%u]: no core dump to %s (error %d)", current->name,
			    current_proc()->pid->nr, from, -err);
	kfree(text);
	return err;
}

/* --- holding still --- */

/*
 * Will a deadly signal of current dump core? ctx: thread.
 */
bool coredump_wanted(void)
{
	char from[PATTERN_SIZE];

	if (!READ_ONCE(current_proc()->dumpable) || !current->vm)
		return false;
	pattern_get(from);
	return from[0] == '|' || proc_rlimit(RLIMIT_CORE) >= DUMP_MIN;
}

/*
 * The thread @t, current, ends: if a dump of its process is under way it waits for that to be over.
 * ctx: thread; sleeps.
 */
void coredump_hold(struct task *t)
{
	struct proc *p = t->proc;
	u64 f;

	if (READ_ONCE(p->ntasks) == 1)
		return;
	f = spin_lock_irqsave(&p->siglock);
	if (p->core && p->core->dumper != t) {
		arch_thread_park();
		word_or(&t->jobctl, TJ_DUMPED);
		p->core->missing--;
		spin_unlock_irqrestore(&p->siglock, f);
		waitq_wake_all(&p->child_wait);
		wait_event(&p->child_wait, !(READ_ONCE(t->jobctl) & TJ_DUMPED));
		return;
	}
	word_or(&t->jobctl, TJ_LEAVING);
	spin_unlock_irqrestore(&p->siglock, f);
}

/*
 * SIGKILL came while @p dumps core: the dump ends, and that is what the process died of. ctx: any;
 * holds: siglock.
 */
void coredump_abort_locked(struct proc *p)
{
	if (!p->core)
		return;
	p->exit_code = SIGKILL;
	signal_wake_task(p->core->dumper, true);
}

/* The group dies, and current dumps it. False: it is dying already. */
static bool dump_claim(struct task *t, struct core_dump *c)
{
	struct proc *p = t->proc;
	struct task *other;
	u64 f = spin_lock_irqsave(&p->siglock);

	if (p->group_exit || p->exec_task) {
		spin_unlock_irqrestore(&p->siglock, f);
		return false;
	}
	signal_group_exit_locked(p, c->sig);
	p->core = c;
	list_for_each(other, &p->tasks, proc_link) {
		if (other != t && !(other->jobctl & TJ_LEAVING))
			c->missing++;
	}
	/* From here on being killed means to stop dumping. */
	WRITE_ONCE(t->thread.killed, false);
	WRITE_ONCE(t->thread.interrupted, false);
	word_and(&t->thread.arch.work, ~WORK_SIGNAL);
	spin_unlock_irqrestore(&p->siglock, f);
	return true;
}

static bool all_here(struct proc *p)
{
	u64 f = spin_lock_irqsave(&p->siglock);
	bool yes = p->core->missing == 0;

	spin_unlock_irqrestore(&p->siglock, f);
	return yes;
}

/* References to the threads that wait for us. 0 or -ENOMEM. */
static int dump_gather(struct proc *p, struct core_dump *c)
{
	u32 room = READ_ONCE(p->ntasks);
	struct task *t;
	u64 f;

	c->others = kmalloc(room * sizeof(struct task *), 0);
	if (!c->others)
		return -ENOMEM;
	f = spin_lock_irqsave(&p->siglock);
	list_for_each(t, &p->tasks, proc_link) {
		if ((t->jobctl & TJ_DUMPED) && c->nothers < room) {
			task_get(t);
			c->others[c->nothers++] = t;
		}
	}
	spin_unlock_irqrestore(&p->siglock, f);
	return 0;
}

/* Let the others go; @dumped: the wait status says that there is a core. */
static void dump_release(struct proc *p, struct core_dump *c, bool dumped)
{
	struct task *t;
	u64 f = spin_lock_irqsave(&p->siglock);

	p->core = NULL;
	if (dumped && !signal_fatal_pending())
		p->exit_code |= 0x80;
	list_for_each(t, &p->tasks, proc_link)
		word_and(&t->jobctl, ~TJ_DUMPED);
	spin_unlock_irqrestore(&p->siglock, f);
	waitq_wake_all(&p->child_wait);
	for (u32 i = 0; i < c->nothers; i++)
		task_put(c->others[i]);
	kfree(c->others);
}

/* --- dumping --- */

static void cred_set(struct cred *c)
{
	struct proc *p = current_proc();
	u64 f = spin_lock_irqsave(&p->siglock);

	current->cred = c;
	spin_unlock_irqrestore(&p->siglock, f);
}

static bool dump_write(struct core_dump *c)
{
	bool dumped;

	arch_thread_park();
	if (dump_open(c))
		return false;
	dumped = core_elf_write(c);
	file_put(c->file);
	return dumped;
}

/* As whom to dump: root, if the process is one that others may not look into. */
static bool dump_as(struct core_dump *c)
{
	struct cred *mine = current->cred, *root;
	bool dumped;

	if (!c->suid)
		return dump_write(c);
	if (cred_copy(mine, mine->ngroups, &root))
		return false;
	root->fsuid = 0;
	cred_set(root);
	dumped = dump_write(c);
	cred_set(mine);
	cred_put(root);
	return dumped;
}

/*
 * Current took the signal @sig, whose default action dumps core: the group ends with it. ctx:
 * thread; sleeps. The caller then ends the thread.
 */
void coredump(struct task *t, int sig, const struct ksiginfo *info)
{
	struct proc *p = t->proc;
	struct core_dump c = { .dumper = t, .sig = sig, .info = info };

	c.suid = READ_ONCE(p->dumpable) == 2;
	if (!dump_claim(t, &c))
		return;
	wait_event(&p->child_wait, all_here(p));
	dump_release(p, &c, dump_gather(p, &c) == 0 && dump_as(&c));
}

/* --- /proc/PID/coredump_filter --- */

/*
 * coredump_filter: which regions are dumped. ctx: thread. 0 or -ESRCH.
 */
int pid_coredump_filter_show(struct sbuf *out, void *h)
{
	struct proc *p = handle_proc(h);

	if (!p)
		return -ESRCH;
	if (p->state == PROC_ALIVE)
		sbuf_printf(out, "%08x\n", READ_ONCE(p->core_filter));
	proc_put(p);
	return 0;
}

/*
 * The same, written. ctx: thread. @n, -ESRCH, -EINVAL.
 */
ssize_t pid_coredump_filter_write(void *h, const char *text, size_t n)
{
	struct proc *p;
	const char *end;
	u64 v;

	if (str_to_u64(text, &end, 0, &v) || (*end && *end != '\n') || v > ~0u)
		return -EINVAL;
	p = handle_proc(h);
	if (!p)
		return -ESRCH;
	if (p->state == PROC_ALIVE)
		WRITE_ONCE(p->core_filter, (u32)v & CORE_FILTER_MASK);
	else
		n = (size_t)-ESRCH;
	proc_put(p);
	return (ssize_t)n;
}
