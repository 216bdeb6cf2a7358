/*
 * credentials(7), capabilities(7), execve(2) of set-id programs, kill(2) permissions. Runs as root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "tap.h"

static char self_path[256];

static int ids_are(uid_t r, uid_t e, uid_t s)
{
	uid_t a, b, c;

	return !getresuid(&a, &b, &c) && a == r && b == e && c == s;
}

static int drop(void)
{
	if (setuid(1000) || !ids_are(1000, 1000, 1000))
		return 1;
	if (setuid(0) != -1 || errno != EPERM)
		return 2;
	if (setgid(5) != -1 || errno != EPERM || setgroups(0, NULL) != -1 || errno != EPERM)
		return 3;
	if (kill(1, 0) != -1 || errno != EPERM)
		return 4;
	if (setuid(-1) != -1 || errno != EINVAL)
		return 5;
	return 0;
}

static int saved(void)
{
	if (setresuid(1000, 1000, 0) || !ids_are(1000, 1000, 0))
		return 1;
	if (setresuid(-1, 0, -1) || geteuid() != 0)
		return 2;
	if (seteuid(1000) || setreuid(-1, 0) || geteuid())
		return 3;
	if (setreuid(500, 600) || !ids_are(500, 600, 600))
		return 4;
	return 0;
}

static int get_caps(unsigned long long *eff, unsigned long long *perm)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -1;
	*eff = d[0].effective | (unsigned long long)d[1].effective << 32;
	*perm = d[0].permitted | (unsigned long long)d[1].permitted << 32;
	return 0;
}

static int caps(void)
{
	unsigned long long e, p;

	if (get_caps(&e, &p) || !(e >> CAP_SYS_ADMIN & 1) || e != p)
		return 1;
	if (seteuid(1000) || get_caps(&e, &p) || e || !p)
		return 2;
	if (seteuid(0) || get_caps(&e, &p) || !e)
		return 3;
	if (prctl(PR_SET_KEEPCAPS, 1) || setuid(1000) || get_caps(&e, &p) || e || !p)
		return 4;
	if (prctl(PR_CAPBSET_READ, CAP_CHOWN) != 1 || prctl(PR_CAPBSET_READ, 99) != -1)
		return 5;
	struct __user_cap_header_struct h = { 0x12345, 0 };
	if (syscall(SYS_capget, &h, NULL) || h.version != _LINUX_CAPABILITY_VERSION_3)
		return 6;
	return 0;
}

static int groups(void)
{
	gid_t set[3] = { 30, 10, 20 }, got[8];

	if (setgroups(3, set) || getgroups(0, NULL) != 3 || getgroups(8, got) != 3)
		return 1;
	if (got[0] != 10 || got[1] != 20 || got[2] != 30)
		return 2;
	if (getgroups(1, got) != -1 || errno != EINVAL)
		return 3;
	if (setfsuid(1000) != 0 || setfsuid(-1) != 1000)
		return 4;
	return 0;
}

static void copy_self(const char *to, mode_t mode, uid_t uid)
{
	char buf[65536];
	int in = open(self_path, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		write(out, buf, (size_t)n);
	close(in);
	close(out);
	chown(to, uid, 0);
	chmod(to, mode);
}

static int run_setuid(void)
{
	char *args[] = { "x", "ids", NULL }, *env[] = { NULL };

	if (setresuid(1000, 1000, 1000))
		return 1;
	execve("/setid", args, env);
	return 2;
}

/* A stack without limit is not for a privileged program: see role_of_setid. */
static int run_with_stack(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_STACK, &all) ? 1 : run_setuid();
}

/* 40: root by the file's mode, with AT_SECURE, and a stack of 8 MiB at most; 41: nothing gained */
static int role_of_setid(void)
{
	struct rlimit stack;

	if (getrlimit(RLIMIT_STACK, &stack))
		return 43;
	if (geteuid() == 1000)
		return getauxval(AT_SECURE) ? 42 : 41;
	if (stack.rlim_cur > 8 << 20 || stack.rlim_max != RLIM_INFINITY)
		return 44;
	return geteuid() == 0 && getuid() == 1000 && getauxval(AT_SECURE) ? 40 : 42;
}

static int run_nnp(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	return run_setuid();
}

static int may_signal(void)
{
	pid_t p = fork();

	if (p == 0) {
		setresuid(1000, 1000, 1000);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	if (!EVENTUALLY(is_asleep(p)))
		return 3;
	if (setresuid(1001, 1001, 1001))
		return 1;
	if (kill(p, SIGTERM) != -1 || errno != EPERM)
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	if (n < 0)
		strcpy(self_path, argv[0]);
	if (argc > 1)
		return role_of_setid();
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	CHECK(in_child(drop) == 0);
	CHECK(in_child(saved) == 0);
	CHECK(in_child(caps) == 0);
	CHECK(in_child(groups) == 0);
	copy_self("/setid", 04755, 0);
	CHECK(in_child(run_setuid) == 40);
	CHECK(in_child(run_with_stack) == 40);
	CHECK(in_child(run_nnp) == 41);
	copy_self("/setid", 0755, 0);
	CHECK(in_child(run_setuid) == 41);
	unlink("/setid");
	CHECK(in_child(may_signal) == 0);
	return tap_done();
}
