#pragma once
/*
 * How others put files into /proc. A file's text is made whole at the first read of an open and
 * kept for that open, so a reader never sees a torn line and can seek.
 */
#include "fs/vfs.h"
#include "kernel/lib/sbuf.h"

struct proc_file {
	const char *path; /* "meminfo", "sys/kernel/hostname": directories are made as needed */
	u32 mode;
	u32 iflags; /* INODE_* */
	int (*show)(struct sbuf *out, void *arg); /* 0 or -errno */
	ssize_t (*write)(const char *text, size_t n,
			 void *arg); /* NUL-terminated; n or -errno; NULL: read-only */
	void *arg;
	const struct file_ops *ops; /* instead of show/write: kmsg and the like */
};
#define PROC_FILE(id, path_, mode_, ...)         \
	TABLE_ENTRY(proc_file, struct proc_file, \
		    proc_file_##id) = { .path = (path_), .mode = (mode_), __VA_ARGS__ }
TABLE_DECLARE(proc_file, struct proc_file);

/* Integer under /proc/sys with bounds. */
struct sysctl_int {
	const char *path;
	int *value;
	int min, max;
	u32 mode;
};
#define SYSCTL_INT(id, path_, ptr, lo, hi) \
	TABLE_ENTRY(sysctl, struct sysctl_int, sysctl_##id) = { (path_), (ptr), (lo), (hi), 0644 }
TABLE_DECLARE(sysctl, struct sysctl_int);
/* How such a file is read and written; @arg: its struct sysctl_int. */
int sysctl_int_show(struct sbuf *out, void *arg);
ssize_t sysctl_int_write(const char *text, size_t n, void *arg);

/*
 * Numbers in a row, of 64 bits without sign when @wide, else int: a write changes as many as it
 * gives. -EINVAL for what is no number or not in [low, high].
 */
struct sysctl_row {
	void *values; /* a */
	u32 n;
	bool wide;
	s64 low, high;
};
int sysctl_row_show(struct sbuf *out, void *arg);
ssize_t sysctl_row_write(const char *text, size_t n, void *arg);
#define SYSCTL_ROW(id, path_, ...)                                                     \
	static struct sysctl_row id##_row = { __VA_ARGS__ };                           \
	PROC_FILE(id, path_, 0644, .show = sysctl_row_show, .write = sysctl_row_write, \
		  .arg = &id##_row)

/* /sys/devices/system/node/node0/meminfo: lines of /proc/meminfo (proc_mem.c). ctx: thread */
int proc_node_meminfo_show(struct sbuf *out, void *arg);

/* A file that comes later; @path as proc_file's. As pseudo_add. ctx: thread; sleeps */
struct pseudo_attr;
int procfs_add(const char *path, const struct pseudo_attr *a);
void procfs_remove(const char *path); /* with everything below. As above */

/*
 * The per-process half: kernel/proc registers how to find processes and what each directory holds.
 * "task" is kernel/proc's handle on a process or thread. Cached names hold references to it for a
 * while after death, so it should be something small that only leads to the task (a struct pid).
 * find must give the same pointer each time while the task lives: names are checked by it.
 * Callbacks for a task that is gone return -ESRCH. find, next and mode are called with a
 * directory's inode lock held (spinlocks only), show, write and link without locks but FILE_POS and
 * TEXTFILE.
 */
struct procfs_pid_entry {
	const char *name; /* NULL ends the table */
	u32 mode; /* with type: S_IFREG, S_IFLNK, S_IFDIR */
	bool guarded; /* S_IFREG: opened only by who may look into the task */
	bool anywhere; /* S_IFREG: pwrite(2) is possible; .write is not told where */
	bool asked; /* S_IFREG: .show without a buffer says whether it can be opened */
	int (*show)(struct sbuf *out, void *task); /* S_IFREG */
	ssize_t (*write)(void *task, const char *text, size_t n);
	int (*link)(void *task, struct path *out); /* S_IFLNK: magic link target, with references */
	const struct procfs_dir_ops *dir; /* S_IFDIR; NULL: the files of the network */
	/* S_IFREG with own ops (mem, pagemap): f->inode->priv leads to the task */
	const struct file_ops *ops;
};
struct procfs_dir_ops {
	const struct procfs_pid_entry *entries; /* static entries, may be NULL */
	/* Dynamic ones (fd/, task/, fdinfo/): name -> *key; next key >= from for reading. */
	int (*find)(void *task, const char *name, u32 len, u64 *key);
	int (*next)(void *task, u64 from, u64 *key, char *name); /* 0 or -ENOENT */
	/* What a dynamic entry is: mode and behaviour. */
	u32 (*mode)(void *task, u64 key);
	int (*show)(struct sbuf *out, void *task, u64 key);
	int (*link)(void *task, u64 key, struct path *out);
	/* Following a link takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (-EPERM). */
	bool privileged;
	const struct procfs_dir_ops *(*dir)(void *task, u64 key,
					    void **subtask); /* subtask with reference */
};
struct procfs_pid_ops {
	int (*find)(u32 pid, void **task); /* with reference; -ENOENT: no such process visible */
	int (*next)(u32 from, u32 *pid); /* next thread-group leader >= from */
	void (*get)(void *task);
	void (*put)(void *task);
	void (*owner)(void *task, u32 *uid, u32 *gid); /* of the files; root when not dumpable */
	int (*may_look)(void *task); /* into its memory: 0, -EACCES, -ESRCH */
	bool (*may_trace)(void *task); /* or, of a zombie, might: by credentials. Gone: no */
	u32 (*self)(void); /* for /proc/self: tgid */
	u32 (*self_thread)(void); /* for /proc/thread-self */
	const struct procfs_dir_ops *root; /* what /proc/PID holds */
};
/* Build the fixed tree from the tables. ctx: boot, before the first mount */
void procfs_init(void);
void procfs_register_pids(const struct procfs_pid_ops *ops);
extern const struct file_ops procfs_mounts_ops; /* of entries with .show; poll tells of mounts */
/*
 * The task of an open /proc/PID directory, valid as long as the file; NULL: @f is something else.
 */
void *procfs_dir_task(const struct file *f);
