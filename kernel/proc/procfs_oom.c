/*
 * /proc/PID/oom_*: how likely a process is to be killed for its memory (oom.c), and by whom that
 * may be changed.
 *
 * man: proc(5).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

#define OOM_ADJ_MIN (-1000)
#define OOM_ADJ_MAX 1000
#define OOM_OLD_DISABLE (-17)

/*
 * oom_score: as the killer of processes would reckon it. ctx: thread. 0 or -ESRCH.
 */
int pid_oom_score_show(struct sbuf *out, void *h)
{
	struct proc *p = handle_proc(h);

	if (!p)
		return -ESRCH;
	sbuf_printf(out, "%d\n", (int)oom_score(p));
	proc_put(p);
	return 0;
}

/*
 * oom_score_adj. ctx: thread. 0 or -ESRCH.
 */
int pid_oom_score_adj_show(struct sbuf *out, void *h)
{
	struct proc *p = handle_proc(h);

	if (!p)
		return -ESRCH;
	sbuf_printf(out, "%d\n", p->oom_score_adj);
	proc_put(p);
	return 0;
}

/*
 * oom_adj: the same on the scale of old, to 15. ctx: thread. 0 or -ESRCH.
 */
int pid_oom_adj_show(struct sbuf *out, void *h)
{
	struct proc *p = handle_proc(h);
	int adj;

	if (!p)
		return -ESRCH;
	adj = p->oom_score_adj;
	sbuf_printf(out, "%d\n", adj == OOM_ADJ_MAX ? 15 : adj * -OOM_OLD_DISABLE / OOM_ADJ_MAX);
	proc_put(p);
	return 0;
}

/* What was raised without privilege may be lowered again, but not by the @old file. */
static ssize_t oom_set(void *h, s64 adj, bool old, size_t n)
{
	bool capable = cred_capable(current->cred, CAP_SYS_RESOURCE);
	struct proc *p = handle_proc(h);
	ssize_t ret = (ssize_t)n;

	if (!p)
		return -ESRCH;
	if (!capable && adj < READ_ONCE(*(old ? &p->oom_score_adj : &p->oom_score_adj_min))) {
		ret = -EACCES;
	} else {
		WRITE_ONCE(p->oom_score_adj, (int)adj);
		if (capable && !old)
			WRITE_ONCE(p->oom_score_adj_min, (int)adj);
	}
	proc_put(p);
	return ret;
}

static int parse_line(const char *text, s64 *v)
{
	const char *end;

	while (char_is_space(*text))
		text++;
	if (str_to_s64(text, &end, 0, v))
		return -EINVAL;
	while (char_is_space(*end))
		end++;
	return *end ? -EINVAL : 0;
}

/*
 * oom_score_adj is set. ctx: thread. @n, -EINVAL, -EACCES, -ESRCH.
 */
ssize_t pid_oom_score_adj_write(void *h, const char *text, size_t n)
{
	s64 v;

	if (parse_line(text, &v) || v < OOM_ADJ_MIN || v > OOM_ADJ_MAX)
		return -EINVAL;
	return oom_set(h, v, false, n);
}

/*
 * oom_adj is set. ctx: thread. @n, -EINVAL, -EACCES, -ESRCH.
 */
ssize_t pid_oom_adj_write(void *h, const char *text, size_t n)
{
	s64 v;

	if (parse_line(text, &v) || ((v < -16 || v > 15) && v != OOM_OLD_DISABLE))
		return -EINVAL;
	return oom_set(h, v == 15 ? OOM_ADJ_MAX : v * OOM_ADJ_MAX / -OOM_OLD_DISABLE, true, n);
}
