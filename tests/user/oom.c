/*
 * A program that eats all memory dies, alone, and its memory is back: by anonymous pages, shared
 * ones, page tables, a file without a name, pipes, sockets, descriptors. Beside it a process that
 * holds a little must live, but for one that asked to be the first to go (oom_score_adj). The log
 * tells who was killed. A file that has a name outlives its writer, who gets ENOSPC instead.
 *
 * What only page tables, pipes, sockets and files hold, Linux counts little or not at all against a
 * process: it may kill anybody. There these parts are left out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "meminfo.h"
#include "tap.h"

#define MB (1024 * 1024ul)
#define SMALL (4 * MB) /* what the bystander holds */
#define SLACK_KB 8192 /* of free memory, before and after: caches */
#define DIR "/tmp/oom"

static void set_number(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void allow_descriptors(rlim_t n)
{
	struct rlimit r = { n, n };

	if (setrlimit(RLIMIT_NOFILE, &r))
		_exit(2);
}

/* --- the ways to eat memory; each ends only by an error --- */

static void eat_pages(int flags)
{
	for (;;) {
		char *p = mmap(NULL, MB, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

		if (p == MAP_FAILED)
			return;
		for (unsigned long i = 0; i < MB; i += 4096)
			p[i] = 1;
	}
}

static void eat_anonymous(void)
{
	eat_pages(MAP_PRIVATE);
}

static void eat_shared(void)
{
	eat_pages(MAP_SHARED);
}

/* A page of zeroes in each table. */
static void eat_tables(void)
{
	for (;;) {
		volatile char *p = mmap(NULL, 1024 * MB, PROT_READ,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			return;
		for (unsigned long i = 0; i < 1024 * MB; i += 2 * MB)
			(void)p[i];
	}
}

static char chunk[MB];

static void eat_file(int fd)
{
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
}

static void eat_memfd(void)
{
	eat_file(syscall(SYS_memfd_create, "oom", 0));
}

static void eat_tmpfs(void)
{
	eat_file(open(DIR "/file", O_CREAT | O_WRONLY, 0600));
	_exit(errno == ENOSPC ? 0 : 3);
}

static void eat_pipes(void)
{
	int fd[2];

	allow_descriptors(65536);
	while (!pipe2(fd, O_NONBLOCK)) {
		fcntl(fd[1], 1031 /* F_SETPIPE_SZ */, MB);
		while (write(fd[1], chunk, sizeof(chunk)) > 0)
			;
	}
}

static void eat_sockets(void)
{
	int fd[2];

	allow_descriptors(65536);
	while (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		while (write(fd[0], chunk, sizeof(chunk)) > 0)
			;
}

/* This one may come to an end: the number of descriptors is limited. */
static void eat_descriptors(void)
{
	allow_descriptors(1 << 20);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	printf("# no more descriptors: %s\n", strerror(errno));
	_exit(0);
}

/* --- who lives and who dies --- */

static int bystander_ask = -1, bystander_answer = -1;

/* A process that holds a little memory, and answers when it is asked. */
static pid_t bystander_start(const char *adj)
{
	int ask[2], answer[2];
	char byte = 0;
	pid_t pid;

	REQUIRE(!pipe(ask) && !pipe(answer));
	pid = fork();
	if (!pid) {
		char *p = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		memset(p, 1, SMALL);
		close(ask[1]);
		if (adj)
			set_number("/proc/self/oom_score_adj", adj);
		if (write(answer[1], &byte, 1) != 1)
			_exit(1);
		while (read(ask[0], &byte, 1) == 1 && write(answer[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(ask[0]);
	close(answer[1]);
	bystander_ask = ask[1];
	bystander_answer = answer[0];
	REQUIRE(read(bystander_answer, &byte, 1) == 1);
	return pid;
}

static int bystander_lives(void)
{
	char byte = 5;

	return write(bystander_ask, &byte, 1) == 1 && read(bystander_answer, &byte, 1) == 1 &&
	       byte == 5;
}

static void bystander_end(pid_t pid)
{
	close(bystander_ask);
	close(bystander_answer);
	waitpid(pid, NULL, 0);
}

static pid_t eater_start(void (*eat)(void))
{
	pid_t pid = fork();

	if (!pid) {
		eat();
		printf("# the eater stopped: %s\n", strerror(errno));
		_exit(1);
	}
	return pid;
}

static int log_names(pid_t pid)
{
	static char text[1 << 20];
	int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text, sizeof(text) - 1);
	char line[64];

	text[n > 0 ? n : 0] = 0;
	snprintf(line, sizeof(line), "Out of memory: Killed process %d ", pid);
	return strstr(text, line) != NULL;
}

static long free_before;

static void note_memory(void)
{
	drop_caches();
	free_before = meminfo("MemFree");
}

static int memory_is_back(void)
{
	drop_caches();
	return meminfo("MemFree") > free_before - SLACK_KB;
}

static int memory_comes_back(void)
{
	if (EVENTUALLY_EACH(200, memory_is_back()))
		return 1;
	printf("# free: %ld kB, were %ld\n", meminfo("MemFree"), free_before);
	return 0;
}

static const char *wanted = "";

static void test_eater(const char *what, void (*eat)(void), int may_end)
{
	int status = 0, good;
	pid_t other, pid;

	if (!strstr(what, wanted))
		return;
	other = bystander_start(NULL);
	note_memory();
	pid = eater_start(eat);
	good = waitpid(pid, &status, 0) == pid;
	printf("# %s: status %x\n", what, status);
	CHECK(good && ((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && log_names(pid)) ||
		       (may_end && WIFEXITED(status) && WEXITSTATUS(status) == 0)));
	CHECK(bystander_lives());
	if (eat == eat_tmpfs)
		CHECK(unlink(DIR "/file") == 0);
	CHECK(memory_comes_back());
	bystander_end(other);
}

/* Who says so goes first, however little it holds. */
static void test_adjusted(void)
{
	int status = 0;
	pid_t other, pid;

	if (!strstr("adjusted", wanted))
		return;
	other = bystander_start("1000");
	note_memory();
	pid = eater_start(eat_anonymous);
	CHECK(waitpid(other, &status, 0) == other && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL && log_names(other));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL);
	CHECK(memory_comes_back());
	close(bystander_ask);
	close(bystander_answer);
}

int main(int argc, char **argv)
{
	int counted = access("/proc/stats", F_OK) == 0;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		wanted = argv[1];
	test_eater("anonymous pages", eat_anonymous, 0);
	test_eater("shared pages", eat_shared, 0);
	test_adjusted();
	if (!counted)
		return tap_done();
	test_eater("page tables", eat_tables, 0);
	test_eater("a file without a name", eat_memfd, 0);
	test_eater("pipes", eat_pipes, 0);
	test_eater("sockets", eat_sockets, 0);
	test_eater("descriptors", eat_descriptors, 1);
	mkdir(DIR, 0700);
	REQUIRE(mount("none", DIR, "tmpfs", 0, "size=16g") == 0);
	test_eater("a file of a tmpfs", eat_tmpfs, 1);
	CHECK(umount2(DIR, MNT_DETACH) == 0 && rmdir(DIR) == 0);
	return tap_done();
}
