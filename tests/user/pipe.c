/* pipe(7), fifo(7): atomic writes, capacity, packets, ends, FIFO rendezvous, bulk transfer. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

static char big[1 << 18], back[1 << 18];
static volatile int sigpipes;
static void *volatile nowhere = (void *)8; /* unmapped */

static void on_sigpipe(int sig)
{
	sigpipes += sig == SIGPIPE;
}

static int events(int fd, int want)
{
	struct pollfd p = { fd, (short)want, 0 };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void test_basics(void)
{
	int p[2], n = 0;
	struct stat st;
	struct statfs fs;

	REQUIRE(!pipe2(p, O_CLOEXEC));
	CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC && fcntl(p[1], F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(p[0], F_GETFL) & O_ACCMODE) == O_RDONLY &&
	      (fcntl(p[1], F_GETFL) & O_ACCMODE) == O_WRONLY);
	CHECK(!fstat(p[0], &st) && S_ISFIFO(st.st_mode));
	CHECK(!fstatfs(p[0], &fs) && fs.f_type == PIPEFS_MAGIC);
	CHECK_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(p[0], big, 1, 0), ESPIPE);
	CHECK_ERR(write(p[0], "x", 1), EBADF);
	CHECK_ERR(read(p[1], big, 1), EBADF);
	CHECK(write(p[1], "", 0) == 0 && write(p[1], "hello", 5) == 5 &&
	      write(p[1], " world", 6) == 6);
	CHECK(!ioctl(p[0], FIONREAD, &n) && n == 11);
	CHECK(read(p[0], back, 3) == 3 && !memcmp(back, "hel", 3));
	CHECK(read(p[0], back, 100) == 8 && !memcmp(back, "lo world", 8));
	CHECK_ERR(pipe2(p, 0x40), EINVAL);
	CHECK_ERR(pipe2(nowhere, 0), EFAULT);
	close(p[0]);
	close(p[1]);
}

static void *write_big(void *fd)
{
	return (void *)write(*(int *)fd, big, sizeof(big));
}

/* The reader goes while a write waits with part of its bytes in the pipe: both are told. */
static void test_broken_halfway(void)
{
	pthread_t t;
	void *wrote;
	int p[2], n = 0;

	sigpipes = 0;
	signal(SIGPIPE, on_sigpipe);
	REQUIRE(!pipe(p) && !pthread_create(&t, NULL, write_big, &p[1]));
	while (!ioctl(p[0], FIONREAD, &n) && n < 65536)
		sched_yield();
	close(p[0]);
	pthread_join(t, &wrote);
	CHECK((long)wrote == 65536 && sigpipes == 1);
	close(p[1]);
	signal(SIGPIPE, SIG_IGN);
}

static void test_ends(void)
{
	int p[2];

	signal(SIGPIPE, on_sigpipe);
	REQUIRE(!pipe(p));
	CHECK(events(p[0], POLLIN) == 0 && events(p[1], POLLOUT) == POLLOUT);
	CHECK(write(p[1], "z", 1) == 1 && events(p[0], POLLIN) == POLLIN);
	close(p[1]);
	CHECK(events(p[0], POLLIN) == (POLLIN | POLLHUP));
	CHECK(read(p[0], back, 9) == 1 && read(p[0], back, 9) == 0);
	CHECK(events(p[0], POLLIN) == POLLHUP);
	close(p[0]);
	REQUIRE(!pipe(p));
	close(p[0]);
	CHECK(events(p[1], POLLOUT) == (POLLOUT | POLLERR));
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	CHECK(sigpipes == 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(p[1], "x", 1), EPIPE);
	close(p[1]);
}

static void test_capacity(void)
{
	int p[2];
	long n, total = 0;

	REQUIRE(!pipe2(p, O_NONBLOCK));
	CHECK(fcntl(p[0], F_GETPIPE_SZ) == 65536);
	CHECK_ERR(read(p[0], back, 1), EAGAIN);
	CHECK(write(p[1], big, sizeof(big)) == 65536);
	CHECK_ERR(write(p[1], big, 1), EAGAIN);
	CHECK(events(p[1], POLLOUT) == 0);
	CHECK(read(p[0], back, 100) == 100);
	/* A page must be free before a write of a page is begun. */
	CHECK_ERR(write(p[1], big, 4096), EAGAIN);
	CHECK(read(p[0], back, 3996) == 3996 && events(p[1], POLLOUT) == POLLOUT);
	CHECK(write(p[1], big, 4096) == 4096);
	CHECK_ERR(fcntl(p[0], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK(fcntl(p[0], F_SETPIPE_SZ, 100000) == 131072 && fcntl(p[1], F_GETPIPE_SZ) == 131072);
	while ((n = write(p[1], big, 1000)) > 0)
		total += n;
	CHECK(n < 0 && total >= 60000);
	total += 65536;
	while ((n = read(p[0], back, 777)) > 0)
		total -= n;
	CHECK(total == 0);
	CHECK(fcntl(p[0], F_SETPIPE_SZ, 1) == 4096);
	CHECK(write(p[1], big, 5000) == 4096);
	close(p[0]);
	close(p[1]);
}

/* Edges of the writing end are where a full pipe is read from, and only there. */
static void test_edges(void)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	int p[2], ep = epoll_create1(0);

	REQUIRE(!pipe2(p, O_NONBLOCK) && !epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &e));
	CHECK(epoll_wait(ep, &e, 1, 0) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(write(p[1], big, 8192) == 8192 && read(p[0], back, 4096) == 4096);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	while (write(p[1], big, 4096) > 0)
		;
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(read(p[0], back, 4096) == 4096 && epoll_wait(ep, &e, 1, 0) == 1);
	CHECK(read(p[0], back, 4096) == 4096 && epoll_wait(ep, &e, 1, 0) == 0);
	close(ep);
	close(p[0]);
	close(p[1]);
}

static void test_packets(void)
{
	int p[2];

	REQUIRE(!pipe2(p, O_DIRECT));
	CHECK(write(p[1], "abc", 3) == 3 && write(p[1], "defg", 4) == 4);
	CHECK(read(p[0], back, 100) == 3);
	CHECK(read(p[0], back, 2) == 2);
	CHECK(write(p[1], "h", 1) == 1 && read(p[0], back, 100) == 1 && back[0] == 'h');
	CHECK(write(p[1], big, 5000) == 5000 && read(p[0], back, 9000) == 4096 &&
	      read(p[0], back, 9000) == 904);
	close(p[0]);
	close(p[1]);
}

static void test_vectors_and_faults(void)
{
	struct iovec v[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } },
		     bad[2] = { { "xy", 2 }, { NULL, 5 } };
	int p[2];

	REQUIRE(!pipe2(p, O_NONBLOCK));
	CHECK(writev(p[1], v, 3) == 5 && read(p[0], back, 9) == 5 && !memcmp(back, "abcde", 5));
	CHECK_ERR(write(p[1], nowhere, 5), EFAULT);
	CHECK_ERR(read(p[0], back, 9), EAGAIN);
	CHECK(writev(p[1], bad, 2) != 0);
	while (read(p[0], back, 100) > 0)
		;
	CHECK(write(p[1], "left", 4) == 4);
	CHECK_ERR(read(p[0], nowhere, 4), EFAULT);
	CHECK(read(p[0], back, 9) == 4 && !memcmp(back, "left", 4));
	close(p[0]);
	close(p[1]);
}

static void *pump(void *arg)
{
	long left = 3 * (long)sizeof(big);
	int fd = *(int *)arg;

	while (left > 0) {
		long chunk = 1 + (left * 7919) % 70000, off = 3 * (long)sizeof(big) - left, n;
		long start = off % (long)sizeof(big);

		if (chunk > (long)sizeof(big) - start)
			chunk = (long)sizeof(big) - start;
		n = write(fd, big + start, (size_t)chunk);
		if (n <= 0)
			break;
		left -= n;
	}
	close(fd);
	return NULL;
}

static void test_bulk(void)
{
	long got = 0, wrong = 0, n;
	pthread_t t;
	int p[2];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31 + i / 251);
	REQUIRE(!pipe(p));
	REQUIRE(!pthread_create(&t, NULL, pump, &p[1]));
	while ((n = read(p[0], back, 1 + (size_t)(got * 31 % 50000))) > 0) {
		for (long i = 0; i < n; i++)
			wrong += back[i] != big[(got + i) % (long)sizeof(big)];
		got += n;
	}
	pthread_join(t, NULL);
	CHECK(got == 3 * (long)sizeof(big));
	CHECK(wrong == 0);
	close(p[0]);
}

/* Writers of PIPE_BUF bytes at most do not mix. */
static void test_atomic(void)
{
	int p[2], mixed = 0;
	long total = 0;
	unsigned char rec[500];

	REQUIRE(!pipe(p));
	for (int w = 0; w < 4; w++) {
		if (fork() == 0) {
			memset(rec, 'a' + w, sizeof(rec));
			for (int i = 0; i < 200; i++)
				if (write(p[1], rec, sizeof(rec)) != sizeof(rec))
					_exit(1);
			_exit(0);
		}
	}
	close(p[1]);
	for (;;) {
		size_t have = 0;
		long n = 1;

		while (have < sizeof(rec) && (n = read(p[0], rec + have, sizeof(rec) - have)) > 0)
			have += (size_t)n;
		if (have < sizeof(rec))
			break;
		for (size_t i = 1; i < sizeof(rec); i++)
			mixed += rec[i] != rec[0];
		total += (long)have;
	}
	for (int w = 0, st; w < 4; w++)
		CHECK(wait(&st) > 0 && st == 0);
	CHECK(total == 4 * 200 * 500 && mixed == 0);
	close(p[0]);
}

static void *open_writer(void *path)
{
	return (void *)(long)open(path, O_WRONLY);
}

static void test_fifo(void)
{
	static char path[] = "/tmp/pipe-test-fifo";
	pthread_t t;
	void *wfd;
	int r, w;

	unlink(path);
	REQUIRE(!mkfifo(path, 0600));
	CHECK_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK_ERR(open(path, 3 | O_NONBLOCK), EINVAL); /* neither end */
	r = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0 && read(r, back, 1) == 0 && events(r, POLLIN) == 0);
	w = open(path, O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	CHECK_ERR(read(r, back, 1), EAGAIN);
	CHECK(write(w, "q", 1) == 1);
	close(w);
	CHECK(events(r, POLLIN) == (POLLIN | POLLHUP) && read(r, back, 5) == 1 &&
	      read(r, back, 5) == 0);
	close(r);
	REQUIRE(!pthread_create(&t, NULL, open_writer, path));
	r = open(path, O_RDONLY);
	pthread_join(t, &wfd);
	w = (int)(long)wfd;
	CHECK(r >= 0 && w >= 0 && write(w, "fifo", 4) == 4 && read(r, back, 9) == 4);
	close(r);
	close(w);
	r = open(path, O_RDWR);
	CHECK(r >= 0 && write(r, "both", 4) == 4 && read(r, back, 9) == 4);
	close(r);
	/* What nobody read is gone when nobody has it open. */
	r = open(path, O_RDWR | O_NONBLOCK);
	CHECK(write(r, "lost", 4) == 4);
	close(r);
	r = open(path, O_RDWR | O_NONBLOCK);
	CHECK_ERR(read(r, back, 9), EAGAIN);
	close(r);
	unlink(path);
}

/* A nameless pipe opened again by its descriptor's place in /proc: either end, or both in one. */
static void test_reopen(void)
{
	char path[32];
	int p[2], r, w, o;

	REQUIRE(!pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	w = open(path, O_WRONLY | O_TRUNC);
	CHECK(w >= 0 && write(w, "again", 5) == 5 && read(p[0], back, 9) == 5);
	close(w);
	r = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK_ERR(read(r, back, 9), EAGAIN);
	CHECK(write(p[1], "one", 3) == 3 && read(r, back, 9) == 3);
	o = open(path, O_PATH);
	CHECK(o >= 0);
	close(p[1]);
	CHECK(read(r, back, 9) == 0);
	close(p[0]);
	/* The last end is still open by its second name: a writer comes back. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", o);
	w = open(path, O_RDWR);
	CHECK(w >= 0 && write(w, "two", 3) == 3 && read(r, back, 9) == 3);
	CHECK(write(w, "lost", 4) == 4);
	close(w);
	close(r);
	r = open(path, O_RDWR | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK_ERR(read(r, back, 9), EAGAIN);
	close(r);
	close(o);
}

static void on_alarm(int sig)
{
}

static void test_interrupt(void)
{
	struct itimerval it = { { 0, 50000 }, { 0, 50000 } }, off = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	int p[2];

	REQUIRE(!pipe(p));
	sigaction(SIGALRM, &sa, NULL);
	/* Again and again: one may come before the call that it is to interrupt. */
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(read(p[0], back, 1), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(write(p[1], big, 65536) == 65536);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(write(p[1], big, 1), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	test_basics();
	test_ends();
	test_broken_halfway();
	test_capacity();
	test_edges();
	test_packets();
	test_vectors_and_faults();
	test_bulk();
	test_atomic();
	test_fifo();
	test_reopen();
	test_interrupt();
	return tap_done();
}
