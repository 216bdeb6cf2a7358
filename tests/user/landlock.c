/*
 * Landlock (landlock(7)), ABI 2: arguments of landlock_create_ruleset(2), landlock_add_rule(2) and
 * landlock_restrict_self(2), what each right is about, layers, mounts, tracing. Makes a
 * new directory under the current one. Run as root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/mount.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "landlock.h"

#define LAYERS 16

/* --- arguments --- */

static void test_create(void)
{
	struct {
		uint64_t handled, more[3];
	} attr = { .handled = R(READ_FILE) };
	static char page[2 * 65536];
	char text[64] = "";
	int fd;

	CHECK(create(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) == 2);
	CHECK_ERR(create(NULL, 8, LANDLOCK_CREATE_RULESET_VERSION), EINVAL);
	CHECK_ERR(create(&attr, 0, LANDLOCK_CREATE_RULESET_VERSION), EINVAL);
	CHECK_ERR(create(&attr, 8, 2), EINVAL); /* 2: what was mended since, as bits */
	CHECK((create(NULL, 0, 2) & 0xc) == 0xc);
	CHECK_ERR(create(NULL, 0, 3), EINVAL);
	CHECK_ERR(create(&attr, 8, ~0u), EINVAL);
	CHECK_ERR(create(NULL, 8, 0), EFAULT);
	CHECK_ERR(create(NULL, 0, 0), EFAULT);
	CHECK_ERR(create(&attr, 0, 0), EINVAL);
	CHECK_ERR(create(&attr, 7, 0), EINVAL);
	CHECK_ERR(create((void *)1, 8, 0), EFAULT);
	CHECK_ERR(create(page, sizeof(page), 0), E2BIG);
	CHECK_ERR(create(page, 4096, 0), ENOMSG);
	attr.more[2] = 1;
	CHECK_ERR(create(&attr, sizeof(attr), 0), E2BIG);
	attr.more[2] = 0;
	attr.handled = 0;
	CHECK_ERR(create(&attr, 8, 0), ENOMSG);
	attr.handled = ALL + 1;
	CHECK_ERR(create(&attr, 8, 0), EINVAL);
	attr.handled = ALL;
	fd = (int)create(&attr, sizeof(attr), 0);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	snprintf(page, sizeof(page), "/proc/self/fd/%d", fd);
	CHECK(readlink(page, text, sizeof(text) - 1) > 0 &&
	      !strcmp(text, "anon_inode:[landlock-ruleset]"));
	CHECK_ERR(read(fd, text, 1), EINVAL);
	CHECK_ERR(write(fd, text, 1), EINVAL);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
	close(fd);
}

static void test_add(void)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = R(READ_FILE) };
	int set = ruleset(R(READ_FILE) | R(READ_DIR)), null = open("/dev/null", O_RDONLY);
	int path = open("/dev/null", O_PATH), ends[2], mem = memfd_create("m", 0);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE(set >= 0 && null >= 0 && path >= 0 && mem >= 0 && sock >= 0 && !pipe(ends));
	rule.parent_fd = null;
	CHECK_ERR(add(-1, 0, NULL, 1), EINVAL);
	CHECK_ERR(add(-1, 1, &rule, 0), EBADF);
	CHECK_ERR(add(path, 1, &rule, 0), EBADF);
	CHECK_ERR(add(null, 0, NULL, 0), EBADFD);
	CHECK_ERR(add(set, 0, &rule, 0), EINVAL);
	CHECK_ERR(add(set, 2, NULL, 0), EINVAL);
	CHECK_ERR(add(set, 1, NULL, 0), EFAULT);
	rule.parent_fd = -1;
	rule.allowed_access = 0;
	CHECK_ERR(add(set, 1, &rule, 0), ENOMSG);
	rule.allowed_access = R(READ_FILE) | R(WRITE_FILE);
	CHECK_ERR(add(set, 1, &rule, 0), EINVAL);
	rule.allowed_access = 1ull << 40;
	CHECK_ERR(add(set, 1, &rule, 0), EINVAL);
	rule.allowed_access = R(READ_DIR);
	CHECK_ERR(add(set, 1, &rule, 0), EBADF);
	rule.parent_fd = set;
	CHECK_ERR(add(set, 1, &rule, 0), EBADFD);
	rule.parent_fd = ends[0];
	CHECK_ERR(add(set, 1, &rule, 0), EBADFD);
	rule.parent_fd = mem;
	CHECK_ERR(add(set, 1, &rule, 0), EBADFD);
	rule.parent_fd = sock;
	CHECK_ERR(add(set, 1, &rule, 0), EBADFD);
	rule.parent_fd = null;
	CHECK_ERR(add(set, 1, &rule, 0), EINVAL);
	rule.allowed_access = R(READ_FILE);
	CHECK(!add(set, 1, &rule, 0));
	rule.parent_fd = path;
	CHECK(!add(set, 1, &rule, 0));
	close(set);
	close(null);
	close(path);
	close(ends[0]);
	close(ends[1]);
	close(mem);
	close(sock);
}

static int restrict_as_user(void)
{
	int set = ruleset(R(MAKE_SYM)), null = open("/dev/null", O_RDONLY);

	WANT(!setuid(1000));
	WANT_ERR(restrict_self(-1, 1), EPERM);
	WANT_ERR(restrict_self(set, 0), EPERM);
	WANT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	WANT_ERR(restrict_self(set, 1), EINVAL);
	WANT_ERR(restrict_self(-1, 0), EBADF);
	WANT_ERR(restrict_self(null, 0), EBADFD);
	WANT(!restrict_self(set, 0));
	WANT(!restrict_self(set, 0)); /* it may be used again */
	return 0;
}

static int restrict_as_root(void)
{
	WANT(!restrict_self(ruleset(R(MAKE_SYM)), 0));
	WANT_ERR(symlink("x", "sym"), EACCES);
	WANT(!prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return 0;
}

static int restrict_deep(void)
{
	int set = ruleset(R(MAKE_SYM));

	for (int k = 0; k < LAYERS; k++)
		WANT(!restrict_self(set, 0));
	WANT_ERR(restrict_self(set, 0), E2BIG);
	return 0;
}

/* --- rights --- */

static int rights_of_files(void)
{
	int before = open("out/f", O_RDWR), mem = memfd_create("m", 0), ends[2];
	char name[64], c;
	mqd_t queue = mq_open("/landlock", O_CREAT | O_RDWR, 0600, NULL);

	WANT(queue >= 0 && !pipe(ends));
	WANT(before >= 0 && mem >= 0);
	WANT(!layer(R(READ_FILE) | R(WRITE_FILE) | R(READ_DIR), "a", R(READ_FILE)));
	WANT(!opens("a/f", O_RDONLY));
	WANT_ERR(opens("a/f", O_WRONLY), EACCES);
	WANT_ERR(opens("a/f", O_RDWR), EACCES);
	WANT(!opens("a/f", O_RDONLY | O_TRUNC)); /* which is about contents, as truncate(2) */
	WANT_ERR(opens("out/f", O_RDONLY), EACCES);
	WANT_ERR(opens("a", O_RDONLY), EACCES);
	WANT_ERR(opens("a", O_RDONLY | O_DIRECTORY), EACCES);
	WANT(!opens("a", O_PATH) && !opens("out/f", O_PATH));
	WANT(!opens("a/f", O_ACCMODE));
	WANT(!opens("out/f", O_ACCMODE));
	WANT(read(before, &c, 1) == 0 && write(before, "x", 1) == 1);
	WANT(!truncate("out/f", 0) && !chmod("out/f", 0600) && !access("out/f", R_OK | W_OK));
	WANT(!close(before));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", mem);
	WANT(!opens(name, O_RDWR));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	WANT(!opens(name, O_RDONLY | O_NONBLOCK));
	/* Not so a queue: it has a place in a file system. */
	WANT_ERR(mq_open("/landlock", O_RDONLY), EACCES);
	WANT(!mq_unlink("/landlock"));
	/* What may be made but not opened is there afterwards. */
	WANT_ERR(opens("made", O_CREAT | O_EXCL | O_WRONLY), EACCES);
	WANT(!unlink("made"));
	WANT_ERR(opens("a", O_TMPFILE | O_WRONLY), EACCES);
	return 0;
}

static int rights_of_directories(void)
{
	DIR *d;

	WANT(!layer(R(READ_DIR), "a/b", R(READ_DIR)));
	WANT_ERR(opens(".", O_RDONLY), EACCES);
	WANT_ERR(opens("a", O_RDONLY), EACCES);
	WANT(!opens("a/f", O_RDWR));
	d = opendir("a/b");
	WANT(d && readdir(d) && !closedir(d));
	d = opendir("a/b/c");
	WANT(d && readdir(d) && !closedir(d));
	WANT(!chdir("a/b") && !opens(".", O_RDONLY));
	WANT_ERR(opens("..", O_RDONLY), EACCES);
	WANT(!chroot("c"));
	WANT(!opens("/", O_RDONLY)); /* the way up ends not at the process's root */
	return 0;
}

static int runs(const char *name)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(name, name, "exit", (char *)NULL);
		_exit(errno == EACCES ? 2 : 3);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int rights_to_run(void)
{
	WANT(runs("out/prog") == 0 && runs("a/prog") == 0 && runs("a/script") == 0);
	WANT(!layer(R(EXECUTE), "a", R(EXECUTE)));
	WANT(runs("out/prog") == 2);
	WANT(runs("a/prog") == 0);
	WANT(runs("a/script") == 2); /* its interpreter */
	WANT(!opens("out/prog", O_RDONLY));
	WANT(!layer(R(READ_FILE), NULL, 0));
	WANT(runs("a/prog") == 2);
	return 0;
}

static int bind_unix(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0), err;

	strcpy(sun.sun_path, name);
	err = bind(sock, (struct sockaddr *)&sun, sizeof(sun));
	close(sock);
	return err;
}

/* One kind of file: how it is made, and the right for it. */
static int make_kind(int kind, const char *name, uint64_t *right)
{
	static const struct {
		uint64_t right;
		mode_t mode;
	} nodes[] = { { R(MAKE_CHAR), S_IFCHR }, { R(MAKE_BLOCK), S_IFBLK },
		      { R(MAKE_FIFO), S_IFIFO }, { R(MAKE_SOCK), S_IFSOCK },
		      { R(MAKE_REG), S_IFREG },	 { R(MAKE_REG), 0 } };

	switch (kind) {
	case 0: *right = R(MAKE_REG); return make_file(name);
	case 1: *right = R(MAKE_DIR); return mkdir(name, 0755);
	case 2: *right = R(MAKE_SYM); return symlink("a", name);
	case 3: *right = R(MAKE_SOCK); return bind_unix(name);
	default:
		*right = nodes[kind - 4].right;
		return mknod(name, nodes[kind - 4].mode | 0644, makedev(1, 3));
	}
}

/* Only what @right is about can be made in a/b, and none of it removed. */
static int make_with(uint64_t right)
{
	uint64_t need;
	char name[32];

	WANT(!layer(ALL & ~(RIGHTS_OF_FILES | R(READ_DIR) | R(REFER)), "a/b", right));
	for (int kind = 0; kind < 10; kind++) {
		snprintf(name, sizeof(name), "a/b/new%d", kind);
		WANT(make_kind(kind, name, &need) ? need != right && errno == EACCES
						  : need == right);
		snprintf(name, sizeof(name), "a/new%d", kind);
		WANT_ERR(make_kind(kind, name, &need), EACCES);
	}
	WANT_ERR(mkdir("a/b", 0755), EEXIST);
	WANT_ERR(mkdir("a/none/x", 0755), ENOENT);
	WANT_ERR(unlink("a/b/f"), EACCES);
	WANT_ERR(unlink("a/b/none"), ENOENT);
	WANT_ERR(unlink("a/b/f/"), ENOTDIR);
	WANT_ERR(rmdir("a/b/c"), EACCES);
	return 0;
}

static int rights_to_make(void)
{
	static const uint64_t rights[] = { R(MAKE_CHAR), R(MAKE_DIR),	R(MAKE_REG), R(MAKE_SOCK),
					   R(MAKE_FIFO), R(MAKE_BLOCK), R(MAKE_SYM) };
	char name[32];

	for (unsigned k = 0; k < sizeof(rights) / sizeof(rights[0]); k++) {
		int status;
		pid_t pid = fork();

		if (!pid)
			_exit(make_with(rights[k]));
		WANT(waitpid(pid, &status, 0) == pid && !status);
		for (int kind = 0; kind < 10; kind++) {
			snprintf(name, sizeof(name), "a/b/new%d", kind);
			(void)remove(name);
		}
	}
	return 0;
}

/* Whiteouts, devices that are none, are made by the right for regular files. */
static int whiteouts(void)
{
	struct stat st;

	WANT(!chdir("mnt") && !mkdir("w", 0755) && !mkdir("v", 0755));
	WANT(!mkfifo("w/p", 0600) && !mkfifo("v/p", 0600));
	WANT(!layer(R(MAKE_REG) | R(MAKE_CHAR), "w", R(MAKE_REG)));
	WANT(!mknod("w/white", S_IFCHR | 0600, 0) && !unlink("w/white"));
	WANT_ERR(mknod("w/null", S_IFCHR | 0600, makedev(1, 3)), EACCES);
	WANT_ERR(mknod("v/white", S_IFCHR | 0600, 0), EACCES);
	WANT_ERR(rename2("v/p", "v/q", RENAME_WHITEOUT), EACCES);
	WANT(!rename2("w/p", "w/q", RENAME_WHITEOUT));
	WANT(!stat("w/p", &st) && S_ISCHR(st.st_mode) && !st.st_rdev);
	WANT(!unlink("w/p") && !unlink("w/q") && !rmdir("w") && !unlink("v/p") && !rmdir("v"));
	return 0;
}

static int rights_to_remove(void)
{
	WANT(!make_file("a/r1") && !make_file("a/b/r2") && !mkdir("a/r3", 0755) &&
	     !mkdir("a/b/r4", 0755) && !make_file("a/b/r4/f"));
	WANT(!layer(R(REMOVE_FILE) | R(REMOVE_DIR), "a/b", R(REMOVE_FILE)));
	WANT_ERR(unlink("a/r1"), EACCES);
	WANT(!unlink("a/b/r2"));
	WANT_ERR(rmdir("a/r3"), EACCES);
	WANT_ERR(rmdir("a/b/r4"), EACCES);
	WANT_ERR(unlink("a/b/r4"), EISDIR);
	WANT_ERR(rename("a/b/r4", "a/b/r5"), EACCES);
	WANT(!rename("a/b/r4/f", "a/b/r4/g") && !unlink("a/b/r4/g"));
	WANT_ERR(rename("a/r1", "a/r6"), EACCES);
	return 0;
}

static int unlink_a_directory(void)
{
	WANT(!layer(R(REMOVE_FILE), NULL, 0));
	WANT_ERR(unlink("a/b"), EACCES); /* and not EISDIR */
	WANT_ERR(rmdir("a/b"), ENOTEMPTY);
	return 0;
}

/* --- layers --- */

static int layers_meet(void)
{
	const uint64_t rw = R(READ_FILE) | R(WRITE_FILE);

	int set = ruleset(rw);

	/* In a layer what is allowed above adds up. */
	WANT(!allow(set, "a", R(READ_FILE)) && !allow(set, "a/b", R(WRITE_FILE)));
	WANT(!allow(set, "out/f", R(WRITE_FILE)) && !allow(set, "out/f", R(READ_FILE)));
	WANT(!enforce(set));
	WANT(!opens("a/f", O_RDONLY) && !opens("a/b/f", O_RDWR) && !opens("a/b/c/f", O_RDWR));
	WANT_ERR(opens("a/f", O_RDWR), EACCES);
	WANT(!opens("out/f", O_RDWR));
	/* All layers must allow, and the second cannot allow more. */
	WANT(!layer(R(WRITE_FILE), ".", R(WRITE_FILE)));
	WANT_ERR(opens("a/f", O_RDWR), EACCES);
	WANT(!opens("a/b/f", O_RDWR));
	WANT(!layer(R(WRITE_FILE), "a/b/c", R(WRITE_FILE)));
	WANT_ERR(opens("a/b/f", O_RDWR), EACCES);
	WANT(!opens("a/b/f", O_RDONLY));
	WANT(!opens("a/b/c/f", O_RDWR));
	WANT_ERR(opens("out/f", O_WRONLY), EACCES);
	return 0;
}

/* A ruleset that is changed later changes no domain. */
static int domain_is_a_copy(void)
{
	int set = ruleset(R(READ_FILE));

	WANT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	WANT(!restrict_self(set, 0));
	WANT(!allow(set, "a", R(READ_FILE)));
	WANT_ERR(opens("a/f", O_RDONLY), EACCES);
	return 0;
}

/* A rule is about the directory, not about its name. */
static int rules_follow_files(void)
{
	int set = ruleset(R(READ_FILE));

	WANT(!mkdir("d1", 0755) && !mkdir("d2", 0755) && !make_file("d1/f") && !make_file("d2/f"));
	WANT(!allow(set, "d1", R(READ_FILE)) && !allow(set, "d2", R(READ_FILE)));
	WANT(!enforce(set));
	WANT(!rename("d1", "d3") && !opens("d3/f", O_RDONLY));
	WANT(!unlink("d2/f") && !rmdir("d2"));
	for (int k = 0; k < 64; k++) {
		WANT(!mkdir("d2", 0755) && !make_file("d2/f"));
		WANT_ERR(opens("d2/f", O_RDONLY), EACCES);
		WANT(!unlink("d2/f") && !rmdir("d2"));
	}
	return 0;
}

/* --- mounts --- */

static int mounts_stay(void)
{
	int tree;

	WANT(!layer(R(MAKE_SYM), NULL, 0));
	WANT_ERR(mount("none", "mnt", "tmpfs", 0, NULL), EPERM);
	WANT_ERR(mount("a", "mnt", NULL, MS_BIND, NULL), EPERM);
	WANT_ERR(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), EPERM);
	WANT_ERR(mount("mnt", "a", NULL, MS_MOVE, NULL), EPERM);
	WANT_ERR(mount(NULL, "mnt", NULL, MS_PRIVATE, NULL), EPERM);
	WANT_ERR(umount("mnt"), EPERM);
	WANT_ERR(umount2("mnt", MNT_DETACH), EPERM);
	WANT_ERR(umount("a"), EINVAL);
	WANT_ERR(umount2("mnt", 1 << 20), EINVAL);
	WANT_ERR(syscall(SYS_pivot_root, "mnt", "mnt"), EPERM);
	WANT_ERR(syscall(SYS_pivot_root, "none", "mnt"), ENOENT);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, "a", OPEN_TREE_CLONE);
	WANT(tree >= 0);
	WANT_ERR(syscall(SYS_move_mount, tree, "", AT_FDCWD, "mnt", MOVE_MOUNT_F_EMPTY_PATH),
		 EPERM);
	WANT_ERR(syscall(SYS_move_mount, tree, "", AT_FDCWD, "none", MOVE_MOUNT_F_EMPTY_PATH),
		 ENOENT);
	close(tree);
	tree = (int)syscall(SYS_fspick, AT_FDCWD, "mnt", 0);
	WANT(tree >= 0);
	WANT_ERR(syscall(SYS_fsconfig, tree, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EPERM);
	return 0;
}

static int rules_cross_mounts(void)
{
	int set = ruleset(R(READ_FILE) | R(WRITE_FILE));

	WANT(!umount("mnt") && !allow(set, "mnt", R(READ_FILE))); /* what is hidden later */
	WANT(!mount("none", "mnt", "tmpfs", 0, NULL) && !make_file("mnt/f"));
	WANT(!allow(set, ".", R(WRITE_FILE)));
	WANT(!enforce(set));
	WANT(!opens("mnt/f", O_WRONLY));
	WANT_ERR(opens("mnt/f", O_RDONLY), EACCES);
	return 0;
}

static int rule_for_mounted(void)
{
	WANT(!layer(R(READ_FILE) | R(WRITE_FILE), "mnt", R(READ_FILE)));
	WANT(!opens("mnt/f", O_RDONLY));
	WANT_ERR(opens("a/f", O_RDONLY), EACCES);
	return 0;
}

/* A rule neither keeps a file system, nor does it hold for the next one. */
static int rules_end_with_mounts(void)
{
	int set = ruleset(R(READ_FILE)), later = ruleset(R(READ_FILE)), fds[2];
	char c = 0;
	pid_t pid;

	WANT(!pipe(fds));
	WANT(!allow(set, "mnt", R(READ_FILE)) && !allow(set, "mnt/f", R(READ_FILE)));
	WANT(!allow(later, "mnt", R(READ_FILE)) && !unlink("mnt/f"));
	pid = fork();
	if (!pid) {
		enforce(set);
		(void)!read(fds[0], &c, 1);
		_exit(!opens("mnt/f", O_RDONLY) || errno != EACCES);
	}
	close(set);
	WANT(!umount("mnt"));
	WANT(!mount("none", "mnt", "tmpfs", 0, NULL) && !make_file("mnt/f"));
	WANT(write(fds[1], "x", 1) == 1);
	WANT(waitpid(pid, &set, 0) == pid && !set);
	WANT(!allow(later, "a", R(READ_FILE)) && !enforce(later));
	WANT(!opens("a/f", O_RDONLY));
	WANT_ERR(opens("mnt/f", O_RDONLY), EACCES);
	return 0;
}

/* What was moved out of the part that is mounted elsewhere is still reached through it. */
static int moved_out_of_mount(void)
{
	int dir, set = ruleset(R(READ_FILE));

	WANT(!mkdir("mnt/part", 0755) && !mkdir("mnt/part/in", 0755) && !mkdir("at", 0755) &&
	     !make_file("mnt/part/in/f"));
	WANT(!mount("mnt/part", "at", NULL, MS_BIND, NULL));
	dir = open("at/in", O_PATH);
	WANT(dir >= 0 && !rename("mnt/part/in", "mnt/in"));
	WANT(!allow(set, "at", R(READ_FILE)));
	if (!fork()) {
		enforce(set);
		_exit(openat(dir, "f", O_RDONLY) < 0 || !opens("mnt/in/f", O_RDONLY));
	}
	WANT(wait(&set) > 0 && !set);
	close(dir);
	WANT(!umount("at") && !rmdir("at"));
	return 0;
}

/* What hangs nowhere any more has lost the way to the rules above it. */
static int detached_mounts(void)
{
	int dir, set = ruleset(R(READ_FILE)), inner = ruleset(R(READ_FILE));

	WANT(!allow(set, ".", R(READ_FILE)) && !allow(inner, "mnt", R(READ_FILE)));
	dir = open("mnt", O_PATH);
	WANT(dir >= 0 && !umount2("mnt", MNT_DETACH));
	WANT(!enforce(inner));
	WANT(openat(dir, "f", O_RDONLY) >= 0);
	WANT(!enforce(set));
	WANT_ERR(openat(dir, "f", O_RDONLY), EACCES);
	return 0;
}

/* --- who has it --- */

static int exec_keeps_it(void)
{
	int status;
	pid_t pid;

	WANT(!layer(R(WRITE_FILE), NULL, 0));
	pid = fork();
	if (!pid) {
		execl(self, self, "write", "out/f", (char *)NULL);
		_exit(9);
	}
	WANT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == EACCES);
	return 0;
}

static void *bound_thread(void *arg)
{
	*(int *)arg = !layer(R(READ_FILE), NULL, 0) && opens("a/f", O_RDONLY) && errno == EACCES;
	return NULL;
}

static int threads_have_their_own(void)
{
	pthread_t t;
	int bound = 0;

	WANT(!pthread_create(&t, NULL, bound_thread, &bound) && !pthread_join(t, NULL));
	WANT(bound == 1);
	WANT(!opens("a/f", O_RDONLY));
	return 0;
}

/* A process that waits, bound by @layers more than its parent; *fd: its end. */
static pid_t waiting_child(int layers, int *fd)
{
	int go[2], ready[2];
	char c;
	pid_t pid;

	if (pipe(go) || pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		close(go[1]);
		while (layers-- > 0)
			layer(R(MAKE_SYM), NULL, 0);
		(void)!write(ready[1], "x", 1);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	*fd = go[1];
	return pid;
}

static int can_trace(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return errno == EPERM ? 0 : -1;
	if (waitpid(pid, &status, 0) != pid || ptrace(PTRACE_DETACH, pid, 0, 0))
		return -1;
	return 1;
}

static int can_read_memory(pid_t pid)
{
	char c;
	struct iovec to = { &c, 1 }, from = { self, 1 };

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) == 1)
		return 1;
	return errno == EPERM ? 0 : -1;
}

static int can_see_files(pid_t pid)
{
	char name[64], text[4096];

	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	if (readlink(name, text, sizeof(text)) > 0)
		return 1;
	return errno == EACCES ? 0 : -1;
}

static int tracing(void)
{
	int fd, outer, status;
	pid_t child, other = waiting_child(0, &outer);

	WANT(other > 0);
	child = waiting_child(1, &fd);
	WANT(can_trace(child) == 1 && can_read_memory(child) == 1 && can_see_files(child) == 1);
	close(fd);
	WANT(waitpid(child, &status, 0) == child);
	WANT(!layer(R(MAKE_SYM), NULL, 0));
	WANT(can_trace(other) == 0 && can_read_memory(other) == 0 && can_see_files(other) == 0);
	WANT(can_see_files(getpid()) == 1 && can_read_memory(getpid()) == 1);
	WANT(!kill(other, 0));
	for (int layers = 0; layers < 3; layers++) {
		child = waiting_child(layers, &fd);
		WANT(child > 0 && can_trace(child) == 1 && can_read_memory(child) == 1);
		close(fd);
		WANT(waitpid(child, &status, 0) == child);
	}
	/* Siblings with as many layers are strangers. */
	child = waiting_child(1, &fd);
	WANT(!layer(R(MAKE_SYM), NULL, 0));
	WANT(can_trace(child) == 0);
	close(fd);
	close(outer);
	WANT(waitpid(child, &status, 0) == child && waitpid(other, &status, 0) == other);
	return 0;
}

/* PTRACE_TRACEME asks whether the parent may. */
static int traceme(void)
{
	int go[2], status;
	char c;
	pid_t pid;

	WANT(!pipe(go));
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1 || !ptrace(PTRACE_TRACEME, 0, 0, 0) || errno != EPERM)
			_exit(1);
		_exit(0);
	}
	WANT(!layer(R(MAKE_SYM), NULL, 0));
	WANT(write(go[1], "x", 1) == 1);
	WANT(waitpid(pid, &status, 0) == pid && !status);
	pid = fork();
	if (!pid)
		_exit(layer(R(MAKE_SYM), NULL, 0) || ptrace(PTRACE_TRACEME, 0, 0, 0));
	WANT(waitpid(pid, &status, 0) == pid && !status);
	return 0;
}

/* --- many at once --- */

static void *opener(void *arg)
{
	for (int k = 0; k < 300; k++)
		if (opens("a/b/c/f", O_RDONLY))
			*(int *)arg = 1;
	return NULL;
}

/* Questions while the directories on the way move about and other domains come and go. */
static int questions_and_moves(void)
{
	pthread_t t[2];
	int bad[2] = { 0, 0 }, status;

	WANT(!layer(R(READ_FILE) | R(REFER), "a", R(READ_FILE) | R(REFER)));
	for (int k = 0; k < 2; k++)
		WANT(!pthread_create(&t[k], NULL, opener, &bad[k]));
	for (int k = 0; k < 40; k++) {
		pid_t pid = fork();

		if (!pid)
			_exit(layer(R(READ_FILE), "a/b", R(READ_FILE)) != 0 ||
			      opens("a/b/c/f", O_RDONLY) || !opens("a/f", O_RDONLY));
		WANT(!rename2("a/b/x", "a/y", RENAME_EXCHANGE));
		WANT(waitpid(pid, &status, 0) == pid && !status);
	}
	for (int k = 0; k < 2; k++)
		WANT(!pthread_join(t[k], NULL));
	WANT(!bad[0] && !bad[1]);
	return 0;
}

static void test_rights(void)
{
	CHECK(!in_child(restrict_as_user));
	CHECK(!in_child(restrict_as_root));
	CHECK(!in_child(restrict_deep));
	CHECK(!in_child(rights_of_files));
	CHECK(!in_child(rights_of_directories));
	CHECK(!in_child(rights_to_run));
	CHECK(!in_child(rights_to_make));
	CHECK(!in_child(whiteouts));
	CHECK(!in_child(rights_to_remove));
	CHECK(!in_child(unlink_a_directory));
	CHECK(!in_child(layers_meet));
	CHECK(!in_child(domain_is_a_copy));
	CHECK(!in_child(rules_follow_files));
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "write"))
		return opens(argv[2], O_WRONLY) ? errno : 0;
	if (argc > 1)
		return 0;
	alarm(TAP_LIMIT);
	test_create();
	test_add();
	make_tree();
	test_rights();
	CHECK(!in_child(mounts_stay));
	CHECK(!in_child(rules_cross_mounts));
	CHECK(!in_child(rule_for_mounted));
	CHECK(!in_child(rules_end_with_mounts));
	CHECK(!in_child(moved_out_of_mount));
	CHECK(!in_child(detached_mounts));
	CHECK(!in_child(exec_keeps_it));
	CHECK(!in_child(threads_have_their_own));
	CHECK(!in_child(tracing));
	CHECK(!in_child(traceme));
	CHECK(!in_child(questions_and_moves));
	return tap_done();
}
