#pragma once
/*
 * The handle behind /proc/PID and /proc/PID/task/TID: a struct pid with a reference, its lowest bit
 * set when the thread is meant and not the process. It stays the same as long as the number is
 * borne by the same process or thread.
 */
#include "fs/procfs.h"
#include "kernel/lib/sbuf.h"
#include "kernel/proc/internal.h"

/* What a handle stands for at the moment; NULL: it has gone. With references. */
struct proc *handle_proc(void *h);
/* the thread, or the process's leader (any thread when that has exited) */
struct task *handle_task(void *h);
struct task *handle_task_dead(void *h); /* also one that has ended and was not waited for */
static inline bool handle_is_thread(const void *h)
{
	return (u64)h & 1;
}
/* As handle_task, if current may look into it. 0, -ESRCH, -EACCES. */
int handle_access(void *h, struct task **out);
/* With the access @mode (ACCESS_*), also of a zombie: then *out is NULL. 0, -ESRCH, -EPERM */
int handle_remains(void *h, u32 mode, struct task **out);
/*
 * Address space, if current has the access @mode (ACCESS_*; 0: any may). 0 with *out NULL: it has
 * none (kernel side exited). -ESRCH, -EACCES.
 */
int handle_vm(void *h, u32 mode, struct vmspace **out);

/* procfs_stat.c */
int pid_stat_show(struct sbuf *out, void *h);
int pid_statm_show(struct sbuf *out, void *h);
int pid_status_show(struct sbuf *out, void *h);
int pid_sched_show(struct sbuf *out, void *h);
int pid_schedstat_show(struct sbuf *out, void *h);
int pid_limits_show(struct sbuf *out, void *h);
int pid_wchan_show(struct sbuf *out, void *h);
int pid_syscall_show(struct sbuf *out, void *h);

/* procfs_maps.c */
int pid_maps_show(struct sbuf *out, void *h);
int pid_smaps_show(struct sbuf *out, void *h);
int pid_smaps_rollup_show(struct sbuf *out, void *h);

/* procfs_mem.c */
int pid_cmdline_show(struct sbuf *out, void *h);
int pid_environ_show(struct sbuf *out, void *h);
int pid_auxv_show(struct sbuf *out, void *h);
extern const struct file_ops pid_mem_ops;

/* procfs_failnth.c */
extern const struct file_ops pid_failnth_ops;
/* procfs_io.c */
int pid_io_show(struct sbuf *out, void *h);
int pid_oom_score_show(struct sbuf *out, void *h);
int pid_oom_score_adj_show(struct sbuf *out, void *h);
int pid_oom_adj_show(struct sbuf *out, void *h);
ssize_t pid_oom_score_adj_write(void *h, const char *text, size_t n);
ssize_t pid_oom_adj_write(void *h, const char *text, size_t n);
int pid_stack_show(struct sbuf *out, void *h);
int pid_id_map_show(struct sbuf *out, void *h);
ssize_t pid_id_map_write(void *h, const char *text, size_t n);
int pid_setgroups_show(struct sbuf *out, void *h);
ssize_t pid_setgroups_write(void *h, const char *text, size_t n);
int pid_timens_show(struct sbuf *out, void *h);
ssize_t pid_timens_write(void *h, const char *text, size_t n);
int pid_cpuset_show(struct sbuf *out, void *h);

/* procfs_pagemap.c */
extern const struct file_ops pid_pagemap_ops;
ssize_t pid_clear_refs_write(void *h, const char *text, size_t n);
int pid_numa_maps_show(struct sbuf *out, void *h);

/* procfs_ns.c, procfs_attr.c */
extern const struct procfs_dir_ops pid_ns_dir, pid_attr_dir;

/* ptimer.c */
int pid_timers_show(struct sbuf *out, void *h);

/* coredump.c */
int pid_coredump_filter_show(struct sbuf *out, void *h);
ssize_t pid_coredump_filter_write(void *h, const char *text, size_t n);

/* procfs_fd.c */
extern const struct procfs_dir_ops pid_fd_dir, pid_fdinfo_dir;
/* procfs_mapfiles.c */
extern const struct procfs_dir_ops pid_map_files_dir;
