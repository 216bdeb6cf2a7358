/*
 * Path arguments of system calls.
 *
 * Names are copied into a small buffer on the caller's stack; one that does not fit gets an
 * allocation of PATH_MAX. "dirfd" is resolved here, so that below kernel/sys a start is a path. It
 * counts only for relative names, as openat(2) says; with an absolute name even a bad dirfd goes
 * unnoticed.
 */
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/slab.h"

static int name_copy_long(struct sys_path *p, u64 uname)
{
	char *buf = kmalloc(PATH_MAX_LEN, 0);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = strncpy_from_user(buf, uname, PATH_MAX_LEN);
	if (n < 0) {
		kfree(buf);
		return (int)n;
	}
	p->name = buf;
	return 0;
}

static int name_copy(struct sys_path *p, u64 uname)
{
	ssize_t n = strncpy_from_user(p->shortname, uname, sizeof(p->shortname));

	p->name = p->shortname;
	if (likely(n >= 0))
		return 0;
	return n == -ENAMETOOLONG ? name_copy_long(p, uname) : (int)n;
}

static void name_free(struct sys_path *p)
{
	if (p->name != p->shortname)
		kfree(p->name);
}

/* @always: @dfd counts for absolute names too. */
static int start_of(struct sys_path *p, int dfd, bool always)
{
	int err;

	p->at = NULL;
	p->ref.counted = false;
	if (likely(dfd == AT_FDCWD || (p->name[0] == '/' && !always)))
		return 0;
	err = fd_borrow_any(dfd, &p->ref);
	if (err)
		return err;
	if (unlikely(p->name[0] && !S_ISDIR(p->ref.file->inode->mode))) {
		fd_release(&p->ref);
		return -ENOTDIR;
	}
	p->at = &p->ref.file->path;
	return 0;
}

/* See path.h. ctx: thread; sleeps. */
int sys_path_begin_empty(struct sys_path *p, int dfd, u64 uname)
{
	int err = name_copy(p, uname);

	if (unlikely(err))
		return err;
	err = start_of(p, dfd, false);
	if (unlikely(err))
		name_free(p);
	return err;
}

static int begin_named(struct sys_path *p, int dfd, u64 uname, bool always)
{
	int err = name_copy(p, uname);

	if (unlikely(err))
		return err;
	err = p->name[0] ? start_of(p, dfd, always) : -ENOENT;
	if (unlikely(err))
		name_free(p);
	return err;
}

/* See path.h. ctx: thread; sleeps. */
int sys_path_begin(struct sys_path *p, int dfd, u64 uname)
{
	return begin_named(p, dfd, uname, false);
}

/* See path.h. ctx: thread; sleeps. */
int sys_path_begin_in_root(struct sys_path *p, int dfd, u64 uname)
{
	return begin_named(p, dfd, uname, true);
}

/* Give back what begin took. ctx: thread; sleeps. */
void sys_path_end(struct sys_path *p)
{
	if (p->at)
		fd_release(&p->ref);
	name_free(p);
}

/* See path.h. ctx: thread; sleeps. */
int sys_path_lookup(int dfd, u64 uname, u32 lookup, u32 at_flags, struct path *out)
{
	struct sys_path p;
	int err;

	if (at_flags & AT_EMPTY_PATH) {
		lookup |= LOOKUP_EMPTY;
		err = sys_path_begin_empty(&p, dfd, uname);
	} else {
		err = sys_path_begin(&p, dfd, uname);
	}
	if (unlikely(err))
		return err;
	err = path_lookup(p.at, p.name, lookup, out);
	sys_path_end(&p);
	return err;
}

/* See path.h. ctx: thread; sleeps. */
int sys_string_dup(u64 ustr, size_t max, char **out)
{
	char *buf = kmalloc(max, 0);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = strncpy_from_user(buf, ustr, max);
	if (n < 0) {
		kfree(buf);
		return (int)n;
	}
	*out = buf;
	return 0;
}
