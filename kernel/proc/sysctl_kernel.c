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

#define FIXED(id, path, text) PROC_FILE(id, path, 0444, .show = text_show, .arg = (void *)(text))

FIXED(sysctl_arch, "sys/kernel/arch", "aarch64");
FIXED(sysctl_rr, "sys/kernel/sched_rr_timeslice_ms", "100");
FIXED(sysctl_seccomp, "sys/kernel/seccomp/actions_avail",
      "kill_process kill_thread trap errno trace log allow");

/* Limits of what there is none of: kept, and never reached. */
static int max_cgroup, max_ipc, max_mnt, max_net, max_pid, max_time, max_user, max_uts; /* a */
static int userns_clone, child_first; /* a: as well */
SYSCTL_INT(sysctl_userns, "sys/kernel/unprivileged_userns_clone", &userns_clone, 0, 0x7fffffff);
SYSCTL_INT(sysctl_child_first, "sys/kernel/sched_child_runs_first", &child_first, 0, 0x7fffffff);
SYSCTL_INT(sysctl_cgroup_max, "sys/user/max_cgroup_namespaces", &max_cgroup, 0, 0x7fffffff);
SYSCTL_INT(sysctl_ipc_max, "sys/user/max_ipc_namespaces", &max_ipc, 0, 0x7fffffff);
SYSCTL_INT(sysctl_mnt_max, "sys/user/max_mnt_namespaces", &max_mnt, 0, 0x7fffffff);
SYSCTL_INT(sysctl_net_max, "sys/user/max_net_namespaces", &max_net, 0, 0x7fffffff);
SYSCTL_INT(sysctl_pid_max, "sys/user/max_pid_namespaces", &max_pid, 0, 0x7fffffff);
SYSCTL_INT(sysctl_time_max, "sys/user/max_time_namespaces", &max_time, 0, 0x7fffffff);
SYSCTL_INT(sysctl_user_max, "sys/user/max_user_namespaces", &max_user, 0, 0x7fffffff);
SYSCTL_INT(sysctl_uts_max, "sys/user/max_uts_namespaces", &max_uts, 0, 0x7fffffff);

static int last_pid_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\n", pid_last());
	return 0;
}
PROC_FILE(ns_last_pid, "sys/kernel/ns_last_pid", 0444, .show = last_pid_show);
