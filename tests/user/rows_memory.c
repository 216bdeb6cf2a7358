/*
 * Rare calls about memory and programs: remap_file_pages(2), process_mrelease(2), personalities
 * that change where memory is mapped, exchanging the program's file, timers on the CPU clock of
 * another process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

static long remap(void *at, unsigned long size, int prot, unsigned long page, int flags)
{
	return syscall(SYS_remap_file_pages, at, size, prot, page, flags);
}

/* The first bytes of @n pages from @m on. */
static const char *letters(const char *m, int n)
{
	static char text[16];

	for (int i = 0; i < n; i++)
		text[i] = m[i * PAGE];
	text[n] = '\0';
	return text;
}

static char *lettered(int flags, int fd)
{
	char *m = mmap(NULL, 8 * PAGE, RW, flags, fd, 0);

	for (int i = 0; i < 8; i++)
		m[i * PAGE] = 'a' + i;
	return m;
}

static void test_remap(void)
{
	char *m = lettered(MAP_SHARED | MAP_ANONYMOUS, -1);
	char *own = lettered(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	CHECK(!remap(m, PAGE, 0, 3, 0) && !strcmp(letters(m, 4), "dbcd"));
	m[0] = 'D';
	CHECK(m[3 * PAGE] == 'D');
	/* Parts of pages do not count, at either end. */
	CHECK(!remap(m + 1, PAGE + 1, 0, 4, 0) && !strcmp(letters(m, 4), "ebcD"));
	CHECK(!remap(m, 8 * PAGE, 0, 0, 0) && !strcmp(letters(m, 8), "abcDefgh"));
	CHECK(!remap(m + PAGE, 3 * PAGE, 0, 5, 0) && !strcmp(letters(m, 5), "afghe"));
	CHECK(!remap(m, PAGE, 0, 2, MAP_NONBLOCK) && !remap(m, PAGE, 0, 2, MAP_PRIVATE) &&
	      m[0] == 'c');
	CHECK_ERR(remap(m, 0, 0, 3, 0), EINVAL);
	CHECK_ERR(remap(m, PAGE - 1, 0, 3, 0), EINVAL);
	CHECK_ERR(remap(m, PAGE, PROT_READ, 3, 0), EINVAL);
	CHECK_ERR(remap(m, PAGE, 0, -1ul, 0), EINVAL);
	CHECK_ERR(remap(m, -PAGE, 0, 0, 0), EINVAL);
	CHECK_ERR(remap(m, 1ul << 50, 0, 0, 0), EINVAL);
	CHECK_ERR(remap(NULL, PAGE, 0, 0, 0), EINVAL);
	CHECK_ERR(remap(own, PAGE, 0, 1, 0), EINVAL);
	CHECK(!strcmp(letters(own, 3), "abc"));
	munmap(m + 7 * PAGE, PAGE);
	CHECK_ERR(remap(m + 6 * PAGE, 2 * PAGE, 0, 0, 0), EINVAL);
	munmap(m, 7 * PAGE);
	munmap(own, 8 * PAGE);
}

static void test_remap_file(void)
{
	int fd = memfd_create("pages", 0), ro;
	char path[64];
	char *m;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(ftruncate(fd, 8 * PAGE) == 0);
	m = lettered(MAP_SHARED, fd);
	CHECK(!mprotect(m, 8 * PAGE, PROT_READ) && !remap(m, 2 * PAGE, 0, 6, 0) &&
	      !strcmp(letters(m, 3), "ghc"));
	munmap(m, 8 * PAGE);
	ro = open(path, O_RDONLY);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	CHECK_ERR(remap(m, PAGE, 0, 2, 0), EINVAL); /* may never be written */
	munmap(m, PAGE);
	close(ro);
	m = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_ERR(remap(m, PAGE, 0, 2, 0), EINVAL);
	munmap(m, PAGE);
	close(fd);
}

static int hold(void *arg)
{
	for (;;)
		pause();
	return arg != NULL;
}

static long mrelease(int pidfd, unsigned flags)
{
	return syscall(SYS_process_mrelease, pidfd, flags);
}

static void test_mrelease(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t child = fork();
	siginfo_t si;
	int pidfd;
	int r;

	if (!child) {
		memset(mmap(NULL, 1 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 1 << 20);
		hold(NULL);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	CHECK_ERR(mrelease(-1, 1), EINVAL);
	CHECK_ERR(mrelease(-1, 0), EBADF);
	CHECK_ERR(mrelease(pidfd, 1), EINVAL);
	CHECK_ERR(mrelease(pidfd, 0), EINVAL);
	kill(child, SIGKILL);
	/* It may have got to its end by itself. */
	r = mrelease(pidfd, 0) ? errno : 0;
	CHECK(r == 0 || r == ESRCH || r == EAGAIN);
	CHECK(!waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT) && si.si_status == SIGKILL);
	CHECK_ERR(mrelease(pidfd, 0), ESRCH);
	waitpid(child, NULL, 0);
	CHECK_ERR(mrelease(pidfd, 0), ESRCH);
	close(pidfd);

	/* Another uses the same memory, and goes on. */
	child = clone(hold, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	kill(child, SIGKILL);
	r = mrelease(pidfd, 0) ? errno : 0;
	CHECK(r == EINVAL || r == ESRCH);
	waitpid(child, NULL, 0);
	close(pidfd);
}

/* This program again, as @what, with @persona and a stack of @limit bytes; its exit status. */
static int run_as(const char *what, unsigned long persona, rlim_t limit)
{
	int status = -1;
	pid_t child = fork();

	if (!child) {
		struct rlimit l = { limit, RLIM_INFINITY };

		if (setrlimit(RLIMIT_STACK, &l) || personality(persona) == -1)
			_exit(99);
		execl("/proc/self/exe", "rows_memory", what, NULL);
		_exit(98);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* 1: the second of two mappings lies above the first. */
static int goes_up(void)
{
	char *a = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *b = mmap(NULL, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int status;

	if (a == MAP_FAILED || b == MAP_FAILED)
		return 97;
	child = fork();
	if (!child) {
		char *c = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		_exit((c > b) != (b > a));
	}
	waitpid(child, &status, 0);
	return status ? 96 : b > a;
}

/* 1: page 0 is there, and reads as zeroes. */
static int has_zero(void)
{
	char line[256] = "", page[16] = "x";
	FILE *f = fopen("/proc/self/maps", "r");
	int fd = open("/proc/self/mem", O_RDONLY);

	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, "00000000-00001000 r-xp", 22))
		return 0;
	return pread(fd, page, sizeof(page), 0) == sizeof(page) && !page[0] ? 1 : 2;
}

static void test_personality(void)
{
	rlim_t usual = 8 << 20;

	CHECK(run_as("up", 0, usual) == 0);
	CHECK(run_as("up", ADDR_COMPAT_LAYOUT, usual) == 1);
	CHECK(run_as("up", ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE, usual) == 1);
	CHECK(run_as("up", 0, RLIM_INFINITY) == 1);
	CHECK(run_as("zero", 0, usual) == 0);
	CHECK(run_as("zero", MMAP_PAGE_ZERO, usual) == 1);
}

/* Put private copies in the place of all that is mapped of this program's file. */
static int leave_file(void)
{
	struct stat me, st;
	char line[512], name[256];
	unsigned long from[16], to[16], len;
	char prot[16][5];
	int n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	if (!f || stat("/proc/self/exe", &me))
		return 1;
	while (n < 16 && fgets(line, sizeof(line), f)) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255s", &from[n], &to[n], prot[n], name) <
		    4)
			continue;
		if (name[0] == '/' && !stat(name, &st) && st.st_ino == me.st_ino &&
		    st.st_dev == me.st_dev)
			n++;
	}
	fclose(f);
	for (int i = 0; i < n; i++) {
		char *copy;

		len = to[i] - from[i];
		copy = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (copy == MAP_FAILED)
			return 2;
		memcpy(copy, (void *)from[i], len);
		__builtin___clear_cache(copy, copy + len);
		if (mprotect(copy, len,
			     PROT_READ | (prot[i][1] == 'w' ? PROT_WRITE : 0) |
				     (prot[i][2] == 'x' ? PROT_EXEC : 0)) ||
		    mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, from[i]) !=
			    (void *)from[i])
			return 3;
	}
	return n ? 0 : 4;
}

static int set_exe(int fd)
{
	return prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0);
}

static int change_exe(void)
{
	int fd = open("exe.test", O_RDWR | O_CREAT | O_TRUNC, 0755), other = open("/", O_RDONLY);
	char path[64] = "";
	int r;

	if (write(fd, "x", 1) != 1)
		return 10;
	if (set_exe(other) != -1 || errno != EACCES)
		return 11;
	r = leave_file();
	if (r)
		return r;
	if (set_exe(fd) != -1 || errno != EACCES) /* open for writing */
		return 12;
	close(fd);
	fd = open("exe.test", O_RDONLY);
	if (set_exe(fd))
		return 13;
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 9 || !strstr(path, "/exe.test"))
		return 14;
	if (open("exe.test", O_WRONLY) != -1 || errno != ETXTBSY)
		return 15;
	return 0;
}

static void test_exe(void)
{
	pid_t child = fork();
	int status, fd;

	if (!child)
		_exit(change_exe());
	waitpid(child, &status, 0);
	if (!CHECK(status == 0))
		printf("# status %x\n", status);
	fd = open("exe.test", O_WRONLY);
	CHECK(fd >= 0);
	close(fd);
	unlink("exe.test");
}

static void test_timer(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec it = { .it_value.tv_nsec = 20000000, .it_interval.tv_nsec = 5000000 };
	struct timespec used, patience = { TAP_PATIENCE_MS / 1000, 0 };
	siginfo_t si;
	sigset_t set;
	clockid_t clock;
	timer_t t;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (!child)
		for (volatile long spin = 0;; spin++)
			;
	CHECK(!clock_getcpuclockid(child, &clock) && !timer_create(clock, &ev, &t));
	CHECK(!timer_settime(t, 0, &it, NULL));
	CHECK(sigtimedwait(&set, &si, &patience) == SIGUSR1 && si.si_code == SI_TIMER);
	CHECK(!clock_gettime(clock, &used) && used.tv_sec * 1000000000l + used.tv_nsec >= 20000000);
	CHECK(sigtimedwait(&set, &si, &patience) == SIGUSR1);
	CHECK(!timer_gettime(t, &it) && it.it_interval.tv_nsec == 5000000 && it.it_value.tv_nsec);
	/* An absolute time: what the child has used in all. */
	it = (struct itimerspec){ .it_value = used };
	CHECK(!timer_settime(t, TIMER_ABSTIME, &it, NULL) &&
	      sigtimedwait(&set, &si, &patience) == SIGUSR1);
	it.it_value.tv_sec += TAP_LONG;
	CHECK(!timer_settime(t, 0, &it, NULL));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(!timer_gettime(t, &it) && !it.it_value.tv_sec && !it.it_value.tv_nsec);
	it.it_value.tv_sec = 1;
	CHECK_ERR(timer_settime(t, 0, &it, NULL), ESRCH);
	CHECK(!timer_delete(t));
	CHECK_ERR(timer_create(clock, &ev, &t), EINVAL);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return argv[1][0] == 'u' ? goes_up() : has_zero();
	alarm(TAP_LIMIT);
	test_remap();
	test_remap_file();
	test_mrelease();
	test_personality();
	test_exe();
	test_timer();
	return tap_done();
}
