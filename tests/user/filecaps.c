/*
 * capabilities(7): what a program gets by its file's capabilities, root's id, the ambient and
 * bounding sets, securebits and no_new_privs; capget(2), capset(2); the attribute
 * security.capability itself. Runs as root, on a file system that has it (tmpfs, ramfs).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "in_child.h"
#include "tap.h"

#define CAP(n) (1ull << (n))
#define DIR "/tmp/filecaps"
#define PROG DIR "/prog"
#define NAME "security.capability"

typedef unsigned long long u64;

struct state {
	u64 eff, perm, inh;
	int ambient, bound, secure;
	uid_t ruid, euid;
};

static struct state got; /* of the program that was run */
static int run_errno; /* of its execve */

static int caps_get(u64 *eff, u64 *perm, u64 *inh)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -1;
	*eff = d[0].effective | (u64)d[1].effective << 32;
	*perm = d[0].permitted | (u64)d[1].permitted << 32;
	*inh = d[0].inheritable | (u64)d[1].inheritable << 32;
	return 0;
}

static int caps_set(u64 eff, u64 perm, u64 inh)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ (unsigned)eff, (unsigned)perm, (unsigned)inh },
		{ (unsigned)(eff >> 32), (unsigned)(perm >> 32), (unsigned)(inh >> 32) },
	};

	return (int)syscall(SYS_capset, &h, d);
}

/* What the program runs: tell by descriptor 9. */
static int tell(void)
{
	struct state s = { 0 };

	caps_get(&s.eff, &s.perm, &s.inh);
	s.ambient = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0);
	s.bound = prctl(PR_CAPBSET_READ, CAP_NET_RAW);
	s.secure = (int)getauxval(AT_SECURE);
	s.ruid = getuid();
	s.euid = geteuid();
	return write(9, &s, sizeof(s)) != sizeof(s);
}

/* Run the program in a child that @prepare made ready; what it says is in got. 0: it ran. */
static int run(int (*prepare)(void))
{
	char *args[] = { "prog", "tell", NULL }, *env[] = { NULL };
	int p[2], e[2], st;
	pid_t pid;

	memset(&got, 0, sizeof(got));
	run_errno = 0;
	if (pipe(p) || pipe2(e, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(p[1], 9);
		if (!prepare || !prepare()) {
			execve(PROG, args, env);
			write(e[1], &errno, sizeof(errno));
		}
		_exit(99);
	}
	close(p[1]);
	close(e[1]);
	if (read(p[0], &got, sizeof(got)) != sizeof(got))
		read(e[0], &run_errno, sizeof(run_errno));
	close(p[0]);
	close(e[0]);
	waitpid(pid, &st, 0);
	return st;
}

static int file_caps(u64 perm, u64 inh, int effective)
{
	struct vfs_cap_data d = {
		VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		{ { (unsigned)perm, (unsigned)inh },
		  { (unsigned)(perm >> 32), (unsigned)(inh >> 32) } },
	};

	return setxattr(PROG, NAME, &d, sizeof(d), 0);
}

/* --- ways to get ready --- */

static int as_user(void)
{
	return setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000);
}

static int as_user_bounded(void)
{
	return prctl(PR_CAPBSET_DROP, CAP_NET_RAW) || as_user();
}

static int as_user_nnp(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || as_user();
}

static int as_user_inheritable(void)
{
	return caps_set(CAP(CAP_SETUID) | CAP(CAP_SETGID), ~0ull >> 23, CAP(CAP_CHOWN)) ||
	       as_user();
}

static int as_user_ambient(void)
{
	u64 all = ~0ull >> 23;

	if (prctl(PR_SET_KEEPCAPS, 1) || as_user() || caps_set(0, all, CAP(CAP_NET_RAW)))
		return 1;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
}

static int root_noroot(void)
{
	return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
}

static int real_root_only(void)
{
	return setresuid(0, 1000, 0);
}

static int root_keepcaps(void)
{
	return prctl(PR_SET_KEEPCAPS, 1);
}

/* --- tests --- */

static void plain(void)
{
	u64 all = ~0ull >> 23;

	CHECK(!run(NULL) && got.perm == all && got.eff == all && !got.secure);
	CHECK(!run(as_user) && !got.perm && !got.eff && !got.secure);
	CHECK(!run(root_noroot) && !got.perm && !got.eff);
	/* Root by the real id only: permitted, not effective. */
	CHECK(!run(real_root_only) && got.perm == all && !got.eff && got.euid == 1000 &&
	      got.secure);
	CHECK(!run(root_keepcaps) && got.eff == all);
	CHECK(!run(as_user_ambient) && got.eff == CAP(CAP_NET_RAW) && got.perm == got.eff &&
	      got.ambient == 1 && !got.secure && got.inh == CAP(CAP_NET_RAW));
}

static void with_file(void)
{
	u64 raw = CAP(CAP_NET_RAW), two = raw | CAP(CAP_CHECKPOINT_RESTORE);

	REQUIRE(!file_caps(two, 0, 1));
	CHECK(!run(as_user) && got.perm == two && got.eff == two && got.secure);
	REQUIRE(!file_caps(two, 0, 0));
	CHECK(!run(as_user) && got.perm == two && !got.eff && got.secure);
	/*
	 * A program that needs what the bounding set withholds does not run; one that looks, does.
	 */
	CHECK(!run(as_user_bounded) && got.perm == CAP(CAP_CHECKPOINT_RESTORE) && !got.bound);
	REQUIRE(!file_caps(two, 0, 1));
	CHECK(run(as_user_bounded) && run_errno == EPERM);
	CHECK(!run(as_user_nnp) && !got.perm && !got.eff);
	REQUIRE(!file_caps(raw, CAP(CAP_CHOWN), 1));
	CHECK(!run(as_user_inheritable) && got.perm == (raw | CAP(CAP_CHOWN)) &&
	      got.inh == CAP(CAP_CHOWN));
	/* The file's own capabilities end the ambient ones. */
	REQUIRE(!file_caps(CAP(CAP_CHOWN), 0, 0));
	CHECK(!run(as_user_ambient) && got.perm == CAP(CAP_CHOWN) && !got.eff && !got.ambient);
	/* Root does not need them, unless it gave up being special. */
	CHECK(!run(NULL) && got.eff == ~0ull >> 23);
	REQUIRE(!file_caps(CAP(CAP_CHOWN), 0, 1));
	CHECK(!run(root_noroot) && got.eff == CAP(CAP_CHOWN) && got.perm == CAP(CAP_CHOWN));
	/* Set-user-id root and capabilities together: the capabilities only. */
	REQUIRE(!chmod(PROG, 04755) && !file_caps(raw, 0, 1));
	CHECK(!run(as_user) && got.euid == 0 && got.eff == raw && got.secure);
	CHECK(!removexattr(PROG, NAME) && !run(as_user) && got.euid == 0 && got.eff == ~0ull >> 23);
	CHECK(!run(as_user_nnp) && got.euid == 1000 && !got.eff && !got.secure);
	CHECK(!run(as_user_ambient) && !got.ambient && got.euid == 0);
	REQUIRE(!chmod(PROG, 0755));
}

static void nosuid(void)
{
	REQUIRE(!file_caps(CAP(CAP_NET_RAW), 0, 1));
	if (!CHECK(!mount(DIR, DIR, NULL, MS_BIND, NULL)))
		return;
	CHECK(!mount(NULL, DIR, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID, NULL));
	CHECK(!run(as_user) && !got.perm && !got.secure);
	CHECK(!umount(DIR));
	CHECK(!run(as_user) && got.perm == CAP(CAP_NET_RAW));
}

static int not_permitted(void)
{
	struct vfs_cap_data d = { VFS_CAP_REVISION_2, { { 1, 0 }, { 0, 0 } } };

	if (caps_set(0, 0, 0))
		return 1;
	if (setxattr(PROG, NAME, &d, sizeof(d), 0) != -1 || errno != EPERM)
		return 2;
	return getxattr(PROG, NAME, &d, sizeof(d)) == sizeof(d) ? 0 : 4;
}

static void attribute(void)
{
	struct vfs_ns_cap_data d = { VFS_CAP_REVISION_3, { { 1, 0 }, { 0, 0 } }, 0 }, back;
	int fd;

	CHECK(!setxattr(PROG, NAME, &d, XATTR_CAPS_SZ_3, 0));
	CHECK(getxattr(PROG, NAME, &back, sizeof(back)) == XATTR_CAPS_SZ_2 &&
	      back.magic_etc == VFS_CAP_REVISION_2 && back.data[0].permitted == 1);
	CHECK(getxattr(PROG, NAME, NULL, 0) == XATTR_CAPS_SZ_2);
	CHECK_ERR(getxattr(PROG, NAME, &back, 4), ERANGE);
	d.rootid = 1000;
	CHECK(!setxattr(PROG, NAME, &d, XATTR_CAPS_SZ_3, 0));
	CHECK(getxattr(PROG, NAME, &back, sizeof(back)) == XATTR_CAPS_SZ_3 && back.rootid == 1000);
	CHECK(!run(as_user) && !got.perm);
	CHECK_ERR(setxattr(PROG, NAME, &d, XATTR_CAPS_SZ_2, 0), EINVAL);
	d.magic_etc = VFS_CAP_REVISION_1;
	CHECK_ERR(setxattr(PROG, NAME, &d, XATTR_CAPS_SZ_1, 0), EINVAL);
	d.magic_etc = 0x05000000;
	CHECK_ERR(setxattr(PROG, NAME, &d, XATTR_CAPS_SZ_2, 0), EINVAL);
	REQUIRE(!file_caps(CAP(CAP_NET_RAW), 0, 1));
	CHECK(in_child(not_permitted) == 0);
	/* A new owner and new contents take them away, even for root. */
	CHECK(!chown(PROG, 0, 0));
	CHECK_ERR(getxattr(PROG, NAME, &back, sizeof(back)), ENODATA);
	REQUIRE(!file_caps(CAP(CAP_NET_RAW), 0, 1));
	fd = open(PROG, O_WRONLY | O_APPEND);
	CHECK(write(fd, "x", 1) == 1);
	close(fd);
	CHECK_ERR(getxattr(PROG, NAME, &back, sizeof(back)), ENODATA);
	REQUIRE(!file_caps(CAP(CAP_NET_RAW), 0, 1));
	CHECK(!chmod(PROG, 0755) && getxattr(PROG, NAME, &back, sizeof(back)) == XATTR_CAPS_SZ_2);
}

/* --- capset --- */

static int capset_rules(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	u64 all = ~0ull >> 23, e, p, i;

	if (syscall(SYS_capget, &h, NULL))
		return 1;
	h.pid = -1;
	if (syscall(SYS_capget, &h, d) != -1 || errno != EINVAL)
		return 2;
	h.pid = getppid();
	if (syscall(SYS_capget, &h, d) || syscall(SYS_capset, &h, d) != -1 || errno != EPERM)
		return 3;
	h.pid = getpid();
	h.version = 7;
	if (syscall(SYS_capset, &h, d) != -1 || errno != EINVAL ||
	    h.version != _LINUX_CAPABILITY_VERSION_3)
		return 4;
	/* Bits that no capability has are not kept. */
	if (caps_set(~0ull, ~0ull, 0) || caps_get(&e, &p, &i) || e != all || p != all || i)
		return 5;
	if (caps_set(CAP(CAP_CHOWN), 0, 0) != -1 || errno != EPERM)
		return 6;
	/* Without CAP_SETPCAP only what is permitted can become inheritable. */
	if (caps_set(0, CAP(CAP_CHOWN), 0))
		return 7;
	if (caps_set(0, CAP(CAP_CHOWN), CAP(CAP_KILL)) != -1 || errno != EPERM)
		return 8;
	if (caps_set(0, CAP(CAP_CHOWN), CAP(CAP_CHOWN)))
		return 9;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0))
		return 10;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) != -1 || errno != EPERM)
		return 11;
	if (caps_set(0, CAP(CAP_CHOWN), 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) != 0)
		return 12;
	if (caps_set(0, all, 0) != -1 || errno != EPERM)
		return 13;
	if (prctl(PR_CAPBSET_DROP, CAP_KILL) != -1 || errno != EPERM)
		return 14;
	return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT) != -1 || errno != EPERM ? 15 : 0;
}

static int setpcap_bounds(void)
{
	/* With CAP_SETPCAP anything in the bounding set can. */
	if (caps_set(CAP(CAP_SETPCAP), CAP(CAP_SETPCAP), CAP(CAP_KILL)))
		return 1;
	if (prctl(PR_CAPBSET_DROP, CAP_CHOWN))
		return 2;
	if (caps_set(CAP(CAP_SETPCAP), CAP(CAP_SETPCAP), CAP(CAP_CHOWN)) != -1 || errno != EPERM)
		return 3;
	return 0;
}

static int fsuid_caps(void)
{
	u64 fs = CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) |
		 CAP(CAP_FOWNER) | CAP(CAP_FSETID) | CAP(CAP_LINUX_IMMUTABLE) | CAP(CAP_MKNOD) |
		 CAP(CAP_MAC_OVERRIDE);
	u64 all = ~0ull >> 23, e, p, i;

	if (setfsuid(1000) != 0 || caps_get(&e, &p, &i) || e != (all & ~fs) || p != all)
		return 1;
	if (setfsuid(0) != 1000 || caps_get(&e, &p, &i) || e != all)
		return 2;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) || setfsuid(1000) != 0 ||
	    caps_get(&e, &p, &i) || e != all)
		return 3;
	if (setresuid(1000, 1000, 1000) || caps_get(&e, &p, &i) || e != all)
		return 4;
	return 0;
}

static int ambient_and_uids(void)
{
	u64 e, p, i;

	if (caps_set(~0ull >> 23, ~0ull >> 23, CAP(CAP_NET_RAW)) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0))
		return 1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0) != -1 || errno != EINVAL ||
	    prctl(PR_CAP_AMBIENT, 9, 0, 0, 0) != -1 || errno != EINVAL ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 64, 0, 0) != -1 || errno != EINVAL)
		return 2;
	/* Leaving root behind clears the ambient set, whatever is kept. */
	if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(1000, 1000, 1000) || caps_get(&e, &p, &i) || e ||
	    !p || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0))
		return 3;
	return 0;
}

static int securebits(void)
{
	if (prctl(PR_SET_SECUREBITS, 1 << 20) != -1 || errno != EPERM)
		return 1;
	if (prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED) || prctl(PR_SET_KEEPCAPS, 1) != -1 ||
	    errno != EPERM)
		return 2;
	if (prctl(PR_SET_SECUREBITS, 0) != -1 || errno != EPERM)
		return 3;
	if (prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE) ||
	    prctl(PR_GET_SECUREBITS) != (SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE))
		return 4;
	if (caps_set(~0ull >> 23, ~0ull >> 23, CAP(CAP_KILL)) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) != -1 || errno != EPERM)
		return 5;
	return prctl(PR_SET_KEEPCAPS, 2) != -1 || errno != EINVAL ? 6 : 0;
}

static int copy_self(void)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY), out;
	ssize_t n;

	out = open(PROG, O_CREAT | O_TRUNC | O_WRONLY, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return -1;
	close(in);
	return close(out);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return tell();
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	mkdir("/tmp", 0777);
	mkdir(DIR, 0755);
	REQUIRE(!copy_self());
	plain();
	with_file();
	nosuid();
	attribute();
	CHECK(in_child(capset_rules) == 0);
	CHECK(in_child(setpcap_bounds) == 0);
	CHECK(in_child(fsuid_caps) == 0);
	CHECK(in_child(ambient_and_uids) == 0);
	CHECK(in_child(securebits) == 0);
	unlink(PROG);
	rmdir(DIR);
	return tap_done();
}
