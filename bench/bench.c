/*
 * Guest micro-benchmarks: what one operation of the kernel costs.
 *
 *   bench [-t MICROSECONDS] [ROW...]    run all rows but those of a disk and of a host, or those named;
 *                                       "disk", "net": those
 *   bench -n ROW COUNT                  do a row's operation COUNT times, for a profile
 *   bench boot                          nanoseconds since power on, memory not free
 *   bench load FILE...                  load modules, on Linux
 *
 * Each row is a function that does an operation n times and returns the nanoseconds it took. The
 * number is doubled until a run is long enough, then the best of five runs counts. The rows that
 * touch pages include giving them back; the process that forks has BALLAST pages of its own, as a
 * shell has. Prints ROW <tab> FIGURE <tab> UNIT. Under QEMU's -icount shift=0 a nanosecond is an
 * instruction. The program is static and runs on Linux as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

#define PAGE 4096L
#define PAGES_MAX 2048L
#define RUNS 5
#define BALLAST 64

typedef int64_t (*bench_fn)(long n);

int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Without the time that nothing was to be done: on one CPU, what was executed, to 10 ms. */
int64_t busy(void)
{
	long idle, waits;
	FILE *f = fopen("/proc/stat", "r");

	must(f && fscanf(f, "cpu %*d %*d %*d %ld %ld", &idle, &waits) == 2, "/proc/stat");
	fclose(f);
	return now() - (idle + waits) * 10000000;
}

void must(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static char *map_pages(long n, int prot, int flags, int fd)
{
	char *p = mmap(NULL, n * PAGE, prot, flags, fd, 0);

	must(p != MAP_FAILED, "mmap");
	/*
	 * Huge pages would answer another question; kernels without them refuse, which is as good.
	 */
	madvise(p, n * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static int64_t bench_getppid(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++)
		getppid();
	return now() - start;
}

static int64_t bench_stat(long n)
{
	struct stat st;
	int64_t start;
	int fd = open("/tmp/bench-stat", O_CREAT | O_WRONLY, 0644);

	must(fd >= 0, "/tmp/bench-stat");
	close(fd);
	start = now();
	for (long i = 0; i < n; i++)
		stat("/tmp/bench-stat", &st);
	return now() - start;
}

static int64_t bench_fork(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		must(pid > 0, "fork");
		waitpid(pid, NULL, 0);
	}
	return now() - start;
}

static int64_t bench_exec(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			execl("/bench/nothing", "nothing", (char *)NULL);
			_exit(127);
		}
		int status = 0;

		must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
		     "exec of /bench/nothing");
	}
	return now() - start;
}

static void *thread_nothing(void *arg)
{
	return arg;
}

static int64_t bench_thread(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		pthread_t t;

		must(pthread_create(&t, NULL, thread_nothing, NULL) == 0, "pthread_create");
		pthread_join(t, NULL);
	}
	return now() - start;
}

static int64_t bench_pipe(long n)
{
	int to[2], from[2];
	int64_t start;
	pid_t pid;
	char c = 'x';

	must(pipe(to) == 0 && pipe(from) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		for (long i = 0; i < n; i++) {
			if (read(to[0], &c, 1) != 1 || write(from[1], &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	start = now();
	for (long i = 0; i < n; i++)
		must(write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1, "pipe round trip");
	start = now() - start;
	waitpid(pid, NULL, 0);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	return start;
}

static int ball; /* whose turn: 0 or 1 */
static long rallies;

static void player(int side)
{
	for (long i = 0; i < rallies; i++) {
		while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != side)
			syscall(SYS_futex, &ball, FUTEX_WAIT_PRIVATE, !side, NULL, NULL, 0);
		__atomic_store_n(&ball, !side, __ATOMIC_RELEASE);
		syscall(SYS_futex, &ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void *player_one(void *arg)
{
	player(1);
	return arg;
}

static int64_t bench_futex(long n)
{
	pthread_t t;
	int64_t start;

	ball = 0;
	rallies = n;
	must(pthread_create(&t, NULL, player_one, NULL) == 0, "pthread_create");
	start = now();
	player(0);
	pthread_join(t, NULL);
	return now() - start;
}

/* Does @part for at most PAGES_MAX pages at a time until n are done; sums up. */
static int64_t in_parts(long n, int64_t (*part)(long))
{
	int64_t sum = 0;

	for (; n > 0; n -= PAGES_MAX)
		sum += part(n < PAGES_MAX ? n : PAGES_MAX);
	return sum;
}

static int64_t touch_anonymous(long n)
{
	char *p = map_pages(n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int64_t start = now();

	for (long i = 0; i < n; i++)
		p[i * PAGE] = 1;
	munmap(p, n * PAGE);
	return now() - start;
}

static int64_t bench_anonymous(long n)
{
	return in_parts(n, touch_anonymous);
}

/* A file of PAGES_MAX pages, all in memory. */
static int cached_file(void)
{
	static int fd;
	char page[PAGE];

	if (fd)
		return fd;
	memset(page, 'f', sizeof(page));
	fd = open("/tmp/bench-file", O_CREAT | O_RDWR | O_TRUNC, 0644);
	must(fd > 0, "/tmp/bench-file");
	for (long i = 0; i < PAGES_MAX; i++)
		must(write(fd, page, PAGE) == PAGE, "write");
	return fd;
}

static int64_t touch_file(long n)
{
	volatile char *p;
	int64_t start;

	p = map_pages(n, PROT_READ, MAP_PRIVATE, cached_file());
	start = now();
	for (long i = 0; i < n; i++)
		(void)p[i * PAGE];
	munmap((void *)p, n * PAGE);
	return now() - start;
}

static int64_t bench_file(long n)
{
	return in_parts(n, touch_file);
}

static int64_t touch_cow(long n)
{
	char *p = map_pages(n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int64_t *result =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t took;
	pid_t pid;

	must(result != MAP_FAILED, "mmap");
	memset(p, 1, n * PAGE);
	pid = fork();
	if (pid == 0) {
		int64_t start = now();

		for (long i = 0; i < n; i++)
			p[i * PAGE] = 2;
		munmap(p, n * PAGE);
		*result = now() - start;
		_exit(0);
	}
	must(pid > 0, "fork");
	waitpid(pid, NULL, 0);
	took = *result;
	munmap(result, PAGE);
	munmap(p, n * PAGE);
	return took;
}

static int64_t bench_cow(long n)
{
	return in_parts(n, touch_cow);
}

static int64_t bench_mmap16(long n)
{
	int fd = cached_file();
	int64_t start = now();

	for (long k = 0; k < n; k++) {
		volatile char *p = mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

		must((void *)p != MAP_FAILED, "mmap");
		for (long i = 0; i < 16; i++)
			(void)p[i * PAGE];
		munmap((void *)p, 16 * PAGE);
	}
	return now() - start;
}

#define BLOCK 65536

static int64_t bench_bandwidth(long n)
{
	static char block[BLOCK];
	long left = n * BLOCK;
	int64_t start;
	int fd[2];
	pid_t pid;

	must(pipe(fd) == 0, "pipe");
	memset(block, 'b', BLOCK);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		for (long i = 0; i < n; i++) {
			if (write(fd[1], block, BLOCK) != BLOCK)
				_exit(1);
		}
		_exit(0);
	}
	close(fd[1]);
	start = now();
	while (left > 0) {
		ssize_t got = read(fd[0], block, BLOCK);

		must(got > 0, "read from the pipe");
		left -= got;
	}
	start = now() - start;
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return start;
}

#define BUSY 1 /* the row waits for the disk: what it counts has steps of hundredths of a second */
#define BLOCKS 2 /* it returns blocks, once */

static const struct row {
	const char *name;
	bench_fn fn;
	long bytes; /* an operation moves; 0: the figure is nanoseconds per operation */
	int kind;
} rows[] = {
	{ "getppid", bench_getppid, 0 },
	{ "stat", bench_stat, 0 },
	{ "fork-exit-wait", bench_fork, 0 },
	{ "fork-exec-wait", bench_exec, 0 },
	{ "thread-create-join", bench_thread, 0 },
	{ "pipe-round-trip", bench_pipe, 0 },
	{ "futex-ping-pong", bench_futex, 0 },
	{ "touch-anonymous", bench_anonymous, 0 },
	{ "touch-file", bench_file, 0 },
	{ "copy-on-write", bench_cow, 0 },
	{ "mmap-16-munmap", bench_mmap16, 0 },
	{ "pipe-bandwidth", bench_bandwidth, BLOCK },
	{ "open-close", bench_open, 0 },
	{ "read-zero", bench_read_zero, 0 },
	{ "write-null", bench_write_null, 0 },
	{ "sigaction", bench_sigaction, 0 },
	{ "signal-self", bench_signal, 0 },
	{ "yield-two", bench_yield, 0 },
	{ "epoll-wait-1000", bench_epoll, 0 },
	{ "eventfd-round-trip", bench_eventfd, 0 },
	{ "create-unlink", bench_create, 0 },
	{ "sh-c-true", bench_shell, 0 },
	{ "find-500", bench_find, 0 },
	{ "tar-500", bench_tar, 0 },
	{ "tcp-connect-accept-close", bench_tcp_connect, 0 },
	{ "tcp-round-trip", bench_tcp_round_trip, 0 },
	{ "udp-round-trip", bench_udp_round_trip, 0 },
	{ "unix-round-trip", bench_unix_round_trip, 0 },
	{ "tcp-bandwidth", bench_tcp_bandwidth, BLOCK },
	{ "unix-bandwidth", bench_unix_bandwidth, BLOCK },
	{ "tcp-crowd-bytes", bench_tcp_crowd_memory, 0 },
	{ "tcp-crowd-connect", bench_tcp_crowd_connect, 0 },
	{ "net-send", bench_net_send, 1 << 20 },
	{ "net-receive", bench_net_receive, 1 << 20 },
	{ "disk-create-unlink", bench_disk_create, 0 },
	{ "disk-create-4k-unlink", bench_disk_create_write, 0 },
	{ "disk-mkdir-rmdir", bench_disk_mkdir, 0 },
	{ "disk-rename", bench_disk_rename, 0 },
	{ "disk-read-4k", bench_disk_read4k, 4096 },
	{ "disk-overwrite-4k", bench_disk_write4k, 4096 },
	{ "disk-read-1m", bench_disk_read1m, 1 << 20 },
	{ "disk-write-1m", bench_disk_write1m, 1 << 20 },
	{ "disk-append-4k", bench_disk_append, 4096 },
	{ "disk-write-fsync", bench_disk_fsync, 0, BUSY },
	{ "disk-read-cold", bench_disk_cold, 1 << 20, BUSY },
	{ "disk-names-make", bench_disk_names_make, 0, BUSY },
	{ "disk-names-stat", bench_disk_names_stat, 0, BUSY },
	{ "disk-mount-64g", bench_disk_mount, 0, BLOCKS },
};

static void run_row(const struct row *r, int64_t enough)
{
	int64_t best, took;
	long n = 1;

	if (r->kind == BLOCKS) {
		printf("%s\t%ld\tblocks\n", r->name, (long)r->fn(1));
		return;
	}
	if (r->kind == BUSY)
		enough = 200000000;
	while ((took = r->fn(n)) < enough && n < 1L << 30)
		n *= 2;
	best = took;
	for (int i = 1; i < (r->kind == BUSY ? 1 : RUNS); i++) {
		took = r->fn(n);
		if (took < best)
			best = took;
	}
	if (r->bytes)
		printf("%s\t%.0f\tMB/s\n", r->name, (double)r->bytes * n * 1000.0 / best);
	else
		printf("%s\t%.1f\tns\n", r->name, (double)best / n);
	fflush(stdout);
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0, path);
	close(fd);
}

/* The counter starts at power on, so it tells the whole boot; the memory figure needs /proc. */
static void report_boot(void)
{
	uint64_t count, freq;
	char line[128];
	long total = 0, kb = 0;
	FILE *f;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(freq));
	printf("boot\t%.0f\tns\n", (double)count * 1e9 / freq);
	f = fopen("/proc/meminfo", "r");
	must(f != NULL, "/proc/meminfo");
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "MemTotal: %ld kB", &total);
		if (sscanf(line, "MemFree: %ld kB", &kb) == 1)
			printf("memfree\t%ld\tkB\n", kb);
	}
}

int main(int argc, char **argv)
{
	static char ballast[BALLAST * PAGE];
	int64_t enough = 4000000;

	memset(ballast, 1, sizeof(ballast));
	__asm__ volatile("" : : "r"(ballast) : "memory");
	if (argc > 1 && strcmp(argv[1], "boot") == 0) {
		report_boot();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "load") == 0) {
		for (int a = 2; a < argc; a++)
			load_module(argv[a]);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "-n") == 0) {
		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			if (strcmp(argv[2], rows[i].name) == 0)
				rows[i].fn(atol(argv[3]));
		}
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "-t") == 0) {
		enough = atol(argv[2]) * 1000;
		argv += 2;
		argc -= 2;
	}
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int wanted = argc == 1;

		if (strncmp(rows[i].name, "disk-", 5) == 0)
			wanted = argc == 2 && strcmp(argv[1], "disk") == 0;
		if (strncmp(rows[i].name, "net-", 4) == 0)
			wanted = argc == 2 && strcmp(argv[1], "net") == 0;
		for (int a = 1; a < argc; a++)
			wanted |= strcmp(argv[a], rows[i].name) == 0;
		if (wanted)
			run_row(&rows[i], enough);
	}
	return 0;
}
