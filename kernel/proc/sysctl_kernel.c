/*
 * Settings under /proc/sys/kernel and /proc/sys/user that tell what this kernel is: most cannot be
 * changed, since there is only one way that it works.
 *
 * No name spaces can be made: the limits of sys/user are 0, and raising them changes nothing.
 *
 * man: proc(5), namespaces(7), sched(7).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"

static int text_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%s\n", (const char *)arg);
	return 0;
}

#define FIXED(id, path, text) \
	PROC_FILE(id, path, 0444, .show = text_show, .arg = (void *)(text), .iflags = INODE_JOIN)

FIXED(sysctl_arch, "sys/kernel/arch", "aarch64");
FIXED(sysctl_seccomp, "sys/kernel/seccomp/actions_avail",
      "kill_process kill_thread trap errno trace log allow");

/* What is kept and changes nothing: limits of what there is none of, and the like. */
#define KEPT(id, path)                 \
	static int id##_value; /* a */ \
	SYSCTL_INT(id, path, &id##_value, 0, 0x7fffffff)
KEPT(sysctl_userns, "sys/kernel/unprivileged_userns_clone");
KEPT(sysctl_child_first, "sys/kernel/sched_child_runs_first");
KEPT(sysctl_cgroup_max, "sys/user/max_cgroup_namespaces");
KEPT(sysctl_ipc_max, "sys/user/max_ipc_namespaces");
KEPT(sysctl_mnt_max, "sys/user/max_mnt_namespaces");
KEPT(sysctl_net_max, "sys/user/max_net_namespaces");
KEPT(sysctl_pid_max, "sys/user/max_pid_namespaces");
KEPT(sysctl_time_max, "sys/user/max_time_namespaces");
KEPT(sysctl_user_max, "sys/user/max_user_namespaces");
KEPT(sysctl_uts_max, "sys/user/max_uts_namespaces");

static int last_pid_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\n", pid_last());
	return 0;
}

/* The next number shall be the one after it, as who restores processes wants it. */
static ssize_t last_pid_write(const char *text, size_t n, void *arg)
{
	int nr;
	struct sysctl_int s = { .value = &nr, .max = proc_pid_max() };

	if (!cred_capable(current->cred, CAP_SYS_ADMIN) &&
	    !cred_capable(current->cred, CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (sysctl_int_write(text, n, &s) < 0)
		return -EINVAL;
	pid_set_last((u32)nr);
	return (ssize_t)n;
}
PROC_FILE(ns_last_pid, "sys/kernel/ns_last_pid", 0666, .show = last_pid_show,
	  .write = last_pid_write);
