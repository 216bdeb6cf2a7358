#pragma once
/* What kernel/sys offers to the boot code and between its own files. */
#include "kernel/lib/types.h"

struct file;
struct ksiginfo;
struct task;

/*
 * The kernel log as files: /dev/kmsg; readers are woken from now on. ctx: boot, after the device
 * file system is there.
 */
void kmsg_init(void);
/*
 * The real-time clock as /dev/rtc0, and what the power button does. ctx: boot, after the drivers.
 */
void machine_init(void);
/* Wake the log's readers if a record came where that was not possible at once. ctx: thread */
void kmsg_flush_notify(void);
/* May the caller ask for this I/O priority? 0, -EINVAL, -EPERM. ctx: thread */
int sys_ioprio_check(u32 ioprio);
/* RWF_* of a transfer with @f: 0 or -EOPNOTSUPP. ctx: any */
int sys_rw_check(const struct file *f, u32 flags);
/* Pass on the result of a write; -EPIPE also raises SIGPIPE. ctx: thread */
ssize_t sys_write_result(ssize_t r);
/* @n bytes (or an error) were read from one file and written to another. ctx: thread */
void sys_count_copied(long n);
/* File behind descriptor @fd of @t, with a reference. 0, -EBADF, -ESRCH. ctx: thread; sleeps */
int sys_file_of_task(struct task *t, int fd, struct file **out);
/* Core dumps can be named by the host. ctx: boot */
void sys_names_init(void);
/*
 * A siginfo that a program made up, for the signal @sig; 0: for the one it names. Of one whose code
 * has no known layout, the rest must be zero. 0, -EFAULT, -E2BIG. ctx: thread; sleeps
 */
int __must_check sys_siginfo_from_user(struct ksiginfo *out, u64 uinfo, int sig);
/* The host name that the command line, or a server, gave; "": none. ctx: thread */
void sys_set_hostname(const char *name);
/* Traced threads report their system calls from now on. ctx: boot */
void syscall_init(void);
struct file;
/* F_SETFL of @f, which the caller knows as @fd. 0 or -errno. ctx: thread; sleeps */
long sys_file_set_flags(struct file *f, int fd, u32 flags);
/*
 * F_SETOWN and F_GETOWN: a process, or a group by the negative of its number. ctx: thread; sleeps
 */
long sys_file_set_owner(struct file *f, int who);
long sys_file_get_owner(struct file *f);
/* FS_IOC_FIEMAP and FIBMAP: where the blocks of a file lie. ctx: thread; sleeps */
long sys_fiemap(struct file *f, u64 arg);
long sys_fibmap(struct file *f, u64 arg);
/* Tell the file layer how to ask for RLIMIT_FSIZE. ctx: boot */
void sys_rw_init(void);
/* prctl(PR_SET_MM): sys_prctl_mm.c. ctx: thread; sleeps */
long prctl_set_mm(int what, u64 addr, u64 a4, u64 a5);
/* The modes of seccomp(2) for the caller. ctx: thread; the second sleeps */
long sys_seccomp_strict(void);
long sys_seccomp_filter(u64 flags, u64 uprog);
/* Time of clock @clock now. 0 or -EINVAL. ctx: thread */
int sys_clock_read(int clock, s64 *out);
/* Set the wall clock, as nobody keeps it in step any more. 0 or -EINVAL. ctx: thread; sleeps */
int sys_clock_set(s64 wall_ns);
/* Sockets: families that need it, and whose they are. ctx: boot */
void sys_socket_init(void);
