/* /proc/PID: the files that ps, top, gdb and shells read. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

static char text[65536];

static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, k;

	if (fd < 0)
		return -1;
	while ((k = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += k;
	close(fd);
	text[n] = 0;
	return k < 0 ? -1 : n;
}

static int has_line(const char *line)
{
	return strstr(text, line) != NULL;
}

static void test_stat(void)
{
	char comm[32], state;
	int pid, ppid, pgrp, sid, fields = 0;

	CHECK(slurp("/proc/self/stat") > 0);
	CHECK(sscanf(text, "%d (%31[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &sid) ==
	      6);
	CHECK(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && sid == getsid(0) &&
	      state == 'R');
	for (char *p = strrchr(text, ')'); p && *p; p++)
		fields += *p == ' ';
	CHECK(fields == 50);
	CHECK(slurp("/proc/self/statm") > 0 && strtoul(text, NULL, 10) > 0);
	CHECK(slurp("/proc/self/status") > 0 && has_line("\nUid:\t") && has_line("\nVmRSS:\t") &&
	      has_line("\nThreads:\t1\n") && has_line("\nSigCgt:\t") && has_line("\nCapEff:\t"));
	CHECK(slurp("/proc/self/limits") > 0 && has_line("Max open files "));
}

static void test_memory(void)
{
	unsigned long start, end;
	char prot[8], *m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char want[64];
	int fd;

	mprotect(m + 4096, 4096, PROT_READ | PROT_WRITE);
	m[5000] = 'q';
	CHECK(slurp("/proc/self/maps") > 0 && has_line("[stack]\n") && has_line("[vdso]\n"));
	CHECK(sscanf(text, "%lx-%lx %7s", &start, &end, prot) == 3 && start < end &&
	      strlen(prot) == 4);
	snprintf(want, sizeof(want), "%lx-%lx rw-p 00000000 00:00 0", (long)m + 4096,
		 (long)m + 8192);
	CHECK(has_line(want));
	CHECK(slurp("/proc/self/smaps") > 0 && has_line("\nPrivate_Dirty: ") &&
	      has_line("\nVmFlags: "));
	CHECK(slurp("/proc/self/smaps_rollup") > 0 && has_line("[rollup]\n") &&
	      has_line("\nPss: "));
	fd = open("/proc/self/mem", O_RDWR);
	CHECK(fd >= 0 && pread(fd, want, 1, (long)(m + 5000)) == 1 && want[0] == 'q');
	CHECK(pwrite(fd, "z", 1, (long)(m + 5000)) == 1 && m[5000] == 'z');
	CHECK_ERR(pread(fd, want, 1, 8), EIO);
	close(fd);
	munmap(m, 8192);
}

static void test_strings(char **argv)
{
	char link[256], path[64];
	ssize_t n;
	int fd;

	CHECK(slurp("/proc/self/cmdline") > 0 && !strcmp(text, argv[0]));
	CHECK(slurp("/proc/self/auxv") >= 32 && slurp("/proc/self/auxv") % 16 == 0);
	fd = open("/proc/self/comm", O_RDWR);
	CHECK(write(fd, "renamed", 7) == 7);
	close(fd);
	CHECK(slurp("/proc/self/comm") == 8 && !strcmp(text, "renamed\n"));
	n = readlink("/proc/self/exe", link, sizeof(link) - 1);
	CHECK(n > 0);
	CHECK(chdir("/proc") == 0 && (n = readlink("/proc/self/cwd", link, sizeof(link))) == 5);
	n = readlink("/proc/self", link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	CHECK(atoi(link) == getpid());
	fd = open("/proc/self/maps", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	CHECK(strstr(link, "/maps") != NULL);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(slurp(path) > 0 && has_line("pos:\t0\n") && has_line("flags:\t0"));
	close(fd);
	CHECK_ERR(open(path, O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/999999/stat", O_RDONLY), ENOENT);
}

static void *idle(void *arg)
{
	pause();
	return NULL;
}

static int tasks_of(pid_t p)
{
	struct dirent *e;
	char path[64];
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", p);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void test_tasks(void)
{
	pthread_t t[3];
	struct dirent *e;
	int seen = 0, st;
	char path[64];
	DIR *d;
	siginfo_t si;
	pid_t p = fork();

	if (p == 0) {
		for (int i = 0; i < 3; i++)
			pthread_create(&t[i], NULL, idle, NULL);
		pause();
	}
	CHECK(EVENTUALLY(tasks_of(p) == 4));
	snprintf(path, sizeof(path), "/proc/%d/stat", p);
	CHECK(EVENTUALLY(slurp(path) > 0 && strstr(text, ") S ") != NULL));
	kill(p, SIGSTOP);
	waitpid(p, &st, WUNTRACED);
	CHECK(slurp(path) > 0 && strstr(text, ") T ") != NULL);
	kill(p, SIGKILL);
	CHECK(!waitid(P_PID, p, &si, WEXITED | WNOWAIT));
	CHECK(slurp(path) > 0 && strstr(text, ") Z ") != NULL);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", p);
	CHECK(slurp(path) == 0);
	d = opendir("/proc");
	while (d && (e = readdir(d)))
		seen += atoi(e->d_name) == p;
	if (d)
		closedir(d);
	CHECK(seen == 1);
	waitpid(p, &st, 0);
	CHECK(slurp(path) == -1);
}

static void test_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR);

	CHECK(write(fd, "500\n", 4) == 4 && slurp("/proc/self/oom_score_adj") > 0 &&
	      !strcmp(text, "500\n"));
	CHECK_ERR(write(fd, "2000", 4), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	CHECK(slurp("/proc/self/oom_adj") > 0 && atoi(text) == 8);
	close(fd);
}

/* Field 28 of stat, behind the name in parentheses: where the stack began, which is where argc is. */
static void test_stack_start(char **argv)
{
	char *at = slurp("/proc/self/stat") > 0 ? strrchr(text, ')') : NULL;

	for (int i = 2; at && i < 28; i++)
		at = strchr(at + 1, ' ');
	CHECK(at && strtoul(at, NULL, 10) == (unsigned long)argv - sizeof(long));
}

/* A thread that reads its own syscall file is in that call. */
static void test_own_syscall(void)
{
	char want[80], got[200] = "";
	int fd = open("/proc/self/syscall", O_RDONLY);

	snprintf(want, sizeof(want), "%d 0x%x 0x%lx 0x%lx ", SYS_read, fd, (long)got,
		 sizeof(got) - 1);
	CHECK(syscall(SYS_read, fd, got, sizeof(got) - 1) > 0 && !strncmp(got, want, strlen(want)));
	close(fd);
}

/* What kind of entry a directory says that @name is. */
static int kind_listed(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	int kind = -1;

	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));)
		if (!strcmp(e->d_name, name))
			kind = e->d_type;
	closedir(d);
	return kind;
}

/* The files of the network belong to each process; /proc/net is a link to one's own. */
static void test_net(void)
{
	char target[32] = "", path[64];
	struct stat up, pid;
	int fd, child;

	CHECK(readlink("/proc/net", target, sizeof(target) - 1) == 8 &&
	      !strcmp(target, "self/net"));
	CHECK(kind_listed("/proc", "net") == DT_LNK && kind_listed("/proc/self", "net") == DT_DIR);
	CHECK(kind_listed("/proc/thread-self", "net") == DT_DIR &&
	      kind_listed("/proc/net", "dev") == DT_REG);
	CHECK(kind_listed("/proc/net", ".") == DT_DIR && kind_listed("/proc/net", "..") == DT_DIR);
	CHECK(slurp("/proc/net/dev") > 0 && has_line("lo:"));
	CHECK(slurp("/proc/thread-self/net/dev") > 0 && has_line("lo:"));
	CHECK(!stat("/proc/net/..", &up) && !stat("/proc/self", &pid) && up.st_ino == pid.st_ino);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/net", child);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && !faccessat(fd, "tcp", R_OK, 0));
	CHECK(mkdirat(fd, "new", 0755) < 0 && faccessat(fd, "none", F_OK, 0) < 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(access(path, F_OK) < 0 && errno == ENOENT);
	close(fd);
}

/* The whole of what is read, or "-" and the errno. */
static const char *attr(const char *path)
{
	static char err[16];

	if (slurp(path) >= 0)
		return text;
	snprintf(err, sizeof(err), "-%d", errno);
	return err;
}

/* As AppArmor without profiles has it, where there is a security module. */
static void test_attr(void)
{
	int fd = open("/proc/self/attr/current", O_RDWR), st = -1;
	pid_t pid;

	CHECK(!strcmp(attr("/proc/self/attr/current"), "unconfined\n"));
	CHECK(!strcmp(attr("/proc/thread-self/attr/apparmor/current"), "unconfined\n"));
	CHECK(!strcmp(attr("/proc/1/attr/current"), "unconfined\n"));
	CHECK(!strcmp(attr("/proc/self/attr/exec"), "-22"));
	CHECK(!strcmp(attr("/proc/self/attr/apparmor/prev"), "-22"));
	CHECK(!strcmp(attr("/proc/self/attr/keycreate"), "-22"));
	CHECK_ERR(write(fd, "unconfined", 10), EINVAL);
	CHECK_ERR(write(fd, "changeprofile ", 14), EINVAL);
	CHECK_ERR(write(fd, "changeprofile nosuch", 20), ENOENT);
	pid = fork();
	if (pid == 0)
		_exit(write(fd, "changeprofile nosuch", 20) == -1 && errno == EPERM ? 0 : 1);
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	close(fd);
	fd = open("/proc/self/attr/exec", O_WRONLY);
	CHECK_ERR(write(fd, "exec nosuch", 11), ENOENT);
	CHECK_ERR(write(fd, "changeprofile nosuch", 20), EINVAL);
	close(fd);
	fd = open("/proc/self/attr/fscreate", O_WRONLY);
	CHECK_ERR(write(fd, "exec nosuch", 11), EINVAL);
	close(fd);
	CHECK_ERR(open("/proc/self/attr/smack/current", O_RDONLY), ENOENT);
}

int main(int argc, char **argv)
{
	test_stat();
	test_memory();
	test_strings(argv);
	test_stack_start(argv);
	test_tasks();
	test_oom();
	test_own_syscall();
	test_net();
	test_attr();
	return tap_done();
}
