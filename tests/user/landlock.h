#pragma once
/*
 * What the tests of Landlock share: rulesets, and the tree of files that they are about. A test
 * forbids in children, since nothing takes a domain away.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "in_child.h"
#include "tap.h"

#define R(name) LANDLOCK_ACCESS_FS_##name
#define ALL ((R(REFER) << 1) - 1)
#define RIGHTS_OF_FILES (R(EXECUTE) | R(WRITE_FILE) | R(READ_FILE))

/* In a child: the first that does not hold ends it, and is told. */
#define WANT(x)                                                                       \
	do {                                                                          \
		errno = 0;                                                            \
		if (!(x)) {                                                           \
			printf("# line %d: %s: %s\n", __LINE__, #x, strerror(errno)); \
			return 1;                                                     \
		}                                                                     \
	} while (0)
#define WANT_ERR(call, e) WANT((long)(call) == -1 && errno == (e))

static char self[4096];

static inline long create(const void *attr, size_t size, unsigned flags)
{
	return syscall(SYS_landlock_create_ruleset, attr, size, flags);
}

static inline long add(int fd, int type, const void *rule, unsigned flags)
{
	return syscall(SYS_landlock_add_rule, fd, type, rule, flags);
}

static inline long restrict_self(int fd, unsigned flags)
{
	return syscall(SYS_landlock_restrict_self, fd, flags);
}

static inline int ruleset(uint64_t handled)
{
	return (int)create(&handled, sizeof(handled), 0);
}

static inline int allow(int set, const char *name, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	int err;

	rule.parent_fd = open(name, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -1;
	err = (int)add(set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return err;
}

/* @set becomes a layer of the caller's domain, and is closed. */
static inline int enforce(int set)
{
	int err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -1 : (int)restrict_self(set, 0);

	close(set);
	return err;
}

/* A layer that handles @handled and allows @rights beneath @name. */
static inline int layer(uint64_t handled, const char *name, uint64_t rights)
{
	int set = ruleset(handled);

	if (set < 0 || (name && allow(set, name, rights)))
		return -1;
	return enforce(set);
}

static inline long rename2(const char *from, const char *to, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static inline int make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0755);

	return fd < 0 ? -1 : close(fd);
}

/* open(2), closed again: 0 or -1 */
static inline int opens(const char *name, int flags)
{
	int fd = open(name, flags, 0644);

	return fd < 0 ? -1 : close(fd);
}

/* The tree: a/f, a/prog, a/script, a/b/f, a/b/c/f, a/b/x/, a/y/, out/f, out/prog, mnt (a tmpfs)/f. */
static inline void make_tree(void)
{
	char folder[] = "landlock.XXXXXX", text[2 * sizeof(self) + 64];
	int fd;

	REQUIRE(mkdtemp(folder) && !chmod(folder, 0755) && !chdir(folder));
	REQUIRE(!mkdir("a", 0755) && !mkdir("a/b", 0755) && !mkdir("a/b/c", 0755) &&
		!mkdir("a/b/x", 0755) && !mkdir("a/y", 0755) && !mkdir("out", 0755) &&
		!mkdir("mnt", 0755));
	REQUIRE(!make_file("a/f") && !make_file("a/b/f") && !make_file("a/b/c/f") &&
		!make_file("out/f"));
	REQUIRE(!mount("none", "mnt", "tmpfs", 0, NULL) && !make_file("mnt/f"));
	REQUIRE(realpath("/proc/self/exe", self));
	snprintf(text, sizeof(text), "cp '%s' a/prog && cp '%s' out/prog", self, self);
	REQUIRE(!system(text));
	fd = open("a/script", O_CREAT | O_WRONLY, 0755);
	snprintf(text, sizeof(text), "#! %.200s exit\n", "out/prog");
	REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd));
}
