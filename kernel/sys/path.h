#pragma once
/*
 * Path arguments of system calls: the name copied in, and the start that "dirfd" gives.
 */
#include "fs/vfs.h"

#define SYS_PATH_SHORT 120

struct sys_path {
	const char *name; /* in .shortname or allocated */
	const struct path *at; /* start of a relative name; NULL: the current directory */
	struct fdref ref; /* of dirfd, when .at points into it */
	char shortname[SYS_PATH_SHORT];
};

/*
 * Copy the name in and look @dfd up. 0, -EFAULT, -ENAMETOOLONG, -ENOENT (empty), -EBADF, -ENOMEM.
 * ctx: thread; sleeps.
 */
int __must_check sys_path_begin(struct sys_path *p, int dfd, u64 uname);
/* As above; an empty name is allowed and means @dfd itself. */
int __must_check sys_path_begin_empty(struct sys_path *p, int dfd, u64 uname);
/* As sys_path_begin, for LOOKUP_IN_ROOT: @dfd is where absolute names start, too. */
int __must_check sys_path_begin_in_root(struct sys_path *p, int dfd, u64 uname);
void sys_path_end(struct sys_path *p);
/*
 * The whole way: from arguments to a path with references. @flags: AT_SYMLINK_NOFOLLOW,
 * AT_SYMLINK_FOLLOW, AT_EMPTY_PATH.
 */
int __must_check sys_path_lookup(int dfd, u64 uname, u32 lookup, u32 at_flags, struct path *out);
/*
 * A kernel copy of a string argument of at most @max bytes with NUL; kfree it. -ENAMETOOLONG,
 * -EFAULT, -ENOMEM.
 */
int __must_check sys_string_dup(u64 ustr, size_t max, char **out);
