/*
 * /proc/stats, which only this kernel has: calls, their errors, calls that are not there, faults, waits
 * for locks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#define ABSENT 999 /* no call of this number is there */
#define FILE_LOCK "rwsem" /* what a writer of a file holds */

static unsigned long long value(const char *prefix)
{
	FILE *f = fopen("/proc/stats", "r");
	unsigned long long n = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, prefix, strlen(prefix)) && line[strlen(prefix)] == ' ')
			n = strtoull(line + strlen(prefix) + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return n;
}

/* Of close() on what is not open. Who finds the table of errors full is counted with the others. */
static unsigned long long close_errors(void)
{
	return value("error close 9") + value("error other 0");
}

/* How many records of the kernel's log, from where @log stands, hold @text. */
static int records(int log, const char *text)
{
	char record[2048];
	ssize_t n;
	int found = 0;

	while ((n = read(log, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		record[n < 0 ? 0 : n] = 0;
		found += strstr(record, text) != NULL;
	}
	return found;
}

/* Three programs of the name @name ask for the call @nr; how often is that in the log? */
static int told_of(const char *name, long nr)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), found, st;
	char text[80];

	lseek(log, 0, SEEK_END);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_NAME, name);
			_exit(syscall(nr) != -1 || errno != ENOSYS || syscall(nr) != -1 ||
			      errno != ENOSYS);
		}
		if (waitpid(pid, &st, 0) != pid || st)
			return -1;
	}
	snprintf(text, sizeof(text), "system call %ld is not implemented", nr);
	found = records(log, text);
	close(log);
	return found;
}

/* Sum of the numbers at place @at behind @word, which lines begin with. */
static unsigned long long sum_of(const char *word, int at)
{
	char line[256];
	unsigned long long v[3], sum = 0;
	FILE *f = fopen("/proc/stats", "r");

	while (f && fgets(line, sizeof(line), f)) {
		char *p = line + strlen(word);

		if (!strncmp(line, word, strlen(word)) &&
		    sscanf(p, "%llu %llu %llu", &v[0], &v[1], &v[2]) > at)
			sum += v[at];
	}
	if (f)
		fclose(f);
	return sum;
}

/* Interrupts go on; what is open is in use in its cache, which has room for it. */
static void interrupts_and_caches(void)
{
	unsigned long long irqs = sum_of("irq ", 1), files = sum_of("cache file ", 0);
	int fd[200];

	CHECK(irqs > 0 && EVENTUALLY(sum_of("irq ", 1) > irqs));
	for (int i = 0; i < 200; i++)
		fd[i] = open("/dev/null", O_RDONLY);
	CHECK(fd[199] >= 0 && sum_of("cache file ", 0) >= files + 100);
	CHECK(sum_of("cache file ", 1) >= sum_of("cache file ", 0));
	CHECK(sum_of("cache file ", 2) * 4096 >= sum_of("cache file ", 1) * 64);
	for (int i = 0; i < 200; i++)
		close(fd[i]);
}

/* All that was waited for a lock of @kind; false: a line of them is not as it should be. */
static int lock_waits(const char *kind, unsigned long long *waits)
{
	char line[256], who[32], where[128];
	FILE *f = fopen("/proc/stats", "r");
	unsigned long long ns;
	unsigned n, good = 1;

	*waits = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "lock ", 5))
			continue;
		if (sscanf(line, "lock %31s %127s %u %llu", who, where, &n, &ns) != 4)
			good = 0;
		else if (!strcmp(who, kind))
			*waits += n;
		if (strcmp(who, "other") && !strstr(where, "+0x"))
			good = 0;
	}
	if (f)
		fclose(f);
	return good;
}

/* Two who write to one file wait for each other: true when more than @before have waited. */
static int waits_grow(int fd, const char *data, size_t n, unsigned long long before)
{
	unsigned long long waits;

	for (int i = 0; i < 20; i++) {
		if (pwrite(fd, data, n, 0) != (ssize_t)n)
			return 0;
	}
	return lock_waits(FILE_LOCK, &waits) && waits > before;
}

static void waits_are_counted(void)
{
	const size_t n = 4 << 20;
	char *data = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("contended", 0), other;
	unsigned long long before, waits;

	CHECK(lock_waits(FILE_LOCK, &before));
	REQUIRE(data != MAP_FAILED && fd >= 0);
	other = fork();
	if (!other) {
		while (pwrite(fd, data, n, 0) == (ssize_t)n)
			;
		_exit(1);
	}
	REQUIRE(other > 0);
	CHECK(EVENTUALLY(waits_grow(fd, data, n, before)));
	kill(other, SIGKILL);
	CHECK(waitpid(other, NULL, 0) == other);
	CHECK(lock_waits("spin", &waits) && lock_waits("other", &waits));
	close(fd);
	munmap(data, n);
}

int main(void)
{
	unsigned long long calls, errors, absent, faults;
	char *page;

	if (access("/proc/stats", F_OK)) {
		printf("ok 1 - there is no /proc/stats # skip\n1..1\n");
		return 0;
	}
	calls = value("call getppid");
	errors = close_errors();
	absent = value("absent 999 stats");
	faults = value("fault translation") + value("fault permission");
	for (int i = 0; i < 1000; i++) {
		syscall(SYS_getppid);
		close(-1);
	}
	CHECK_ERR(syscall(ABSENT), ENOSYS);
	page = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 64; i++)
		page[i << 12] = 1;
	/* A count may be lost now and then when a thread is preempted just there. */
	CHECK(value("call getppid") >= calls + 900 && value("call getppid") < calls + 1900);
	CHECK(close_errors() >= errors + 900 && close_errors() < errors + 1900);
	CHECK(value("absent 999 stats") == absent + 1);
	CHECK(value("fault translation") + value("fault permission") > faults);
	CHECK(value("switches 0") > 0 && value("frames total") > value("frames free"));
	/* Each program's name once, an empty one too. */
	CHECK(told_of("absent one", ABSENT) == 1 && told_of("absent two", ABSENT) == 1);
	CHECK(told_of("absent two", ABSENT) == 0 && told_of("absent two", ABSENT + 1) == 1);
	CHECK(told_of("", ABSENT) == 1 && told_of("", ABSENT) == 0);
	interrupts_and_caches();
	waits_are_counted();
	return tap_done();
}
