/*
 * io_setup(2) and its kin: contexts and their rings, transfers, polls and how they are called off,
 * eventfds, waiting, what is left after fork, exec and io_destroy(2).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define BAD ((void *)-4096l)

static int setup(unsigned n, aio_context_t *c)
{
	return (int)syscall(SYS_io_setup, n, c);
}

static int destroy(aio_context_t c)
{
	return (int)syscall(SYS_io_destroy, c);
}

static long submit(aio_context_t c, long n, struct iocb **list)
{
	return syscall(SYS_io_submit, c, n, list);
}

static long events(aio_context_t c, long min, long n, struct io_event *e, struct timespec *t)
{
	return syscall(SYS_io_getevents, c, min, n, e, t);
}

static int cancel(aio_context_t c, struct iocb *cb)
{
	struct io_event e;

	return (int)syscall(SYS_io_cancel, c, cb, &e);
}

static struct iocb request(int op, int fd, void *buf, size_t n, long long off)
{
	return (struct iocb){ .aio_data = 0x1234,
			      .aio_lio_opcode = (unsigned short)op,
			      .aio_fildes = (unsigned)fd,
			      .aio_buf = (uint64_t)(uintptr_t)buf,
			      .aio_nbytes = n,
			      .aio_offset = off };
}

static long one(aio_context_t c, struct iocb *cb)
{
	return submit(c, 1, &cb);
}

/* Submit @cb and get its event: its result, -1000 when something else is not as it must be. */
static long done(aio_context_t c, struct iocb *cb)
{
	struct io_event e = { 0 };

	if (one(c, cb) != 1 || events(c, 1, 1, &e, NULL) != 1)
		return -1000;
	return e.data == cb->aio_data && e.obj == (uint64_t)(uintptr_t)cb && !e.res2 ? (long)e.res
										     : -1000;
}

static long file_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return atol(text);
}

static void contexts(void)
{
	long before = file_number("/proc/sys/fs/aio-nr");
	aio_context_t c = 0, d = 0, set = 1;
	struct timespec none = { 0, 0 };
	struct io_event e;
	struct iocb cb = { 0 }, *list[1] = { &cb };
	unsigned *ring;

	CHECK(before >= 0 && file_number("/proc/sys/fs/aio-max-nr") == 65536);
	CHECK_ERR(setup(1, BAD), EFAULT);
	CHECK_ERR(setup(1, &set), EINVAL);
	CHECK_ERR(setup(0, &c), EINVAL);
	CHECK_ERR(setup(0x80000000u, &c), EAGAIN);
	CHECK_ERR(setup(0x7fffffffu, &c), EINVAL);
	CHECK_ERR(setup(100000, &c), EAGAIN);
	CHECK(!setup(16, &c) && c && !(c & 4095));
	CHECK(!setup(2, &d) && d && c != d);
	CHECK(file_number("/proc/sys/fs/aio-nr") >= before + 18);
	ring = (unsigned *)c; /* id, nr, head, tail, magic, features, header's length */
	CHECK(ring[1] >= 16 && ring[2] == ring[3] && ring[4] == 0xa10a10a1 && ring[5] == 1 &&
	      ring[6] == 0 && ring[7] == 32);
	CHECK_ERR(submit(c, -1, list), EINVAL);
	CHECK(submit(c, 0, NULL) == 0);
	CHECK_ERR(submit(c + 1, 1, list), EINVAL);
	CHECK_ERR(submit(c, 1, BAD), EFAULT);
	list[0] = BAD;
	CHECK_ERR(submit(c, 1, list), EFAULT);
	CHECK_ERR(events(c + 1, 0, 1, &e, &none), EINVAL);
	CHECK_ERR(events(c, -1, 1, &e, &none), EINVAL);
	CHECK_ERR(events(c, 2, 1, &e, &none), EINVAL);
	CHECK_ERR(events(c, 1, 1, &e, BAD), EFAULT);
	CHECK(events(c, 0, 1, &e, NULL) == 0 && events(c, 1, 1, &e, &none) == 0);
	none.tv_nsec = 1000000;
	CHECK(events(c, 1, 1, &e, &none) == 0);
	CHECK_ERR(cancel(c, BAD), EFAULT);
	cb.aio_key = 1;
	CHECK_ERR(cancel(c, &cb), EINVAL);
	cb.aio_key = 0;
	CHECK_ERR(cancel(c, &cb), EINVAL);
	CHECK_ERR(destroy(c + 1), EINVAL);
	CHECK(!destroy(c) && !destroy(d));
	CHECK_ERR(destroy(c), EINVAL);
	CHECK_ERR(submit(c, 0, NULL), EINVAL);
	CHECK_ERR(msync((void *)c, 4096, MS_ASYNC), ENOMEM); /* its ring is gone */
}

static void transfers(aio_context_t c)
{
	char name[] = "/tmp/aio.XXXXXX", buf[16] = "", out[] = "hello, ring";
	struct iovec v[2] = { { out, 5 }, { out + 5, 6 } };
	int fd = mkstemp(name), ro = open(name, O_RDONLY), dir = open("/", O_RDONLY);
	struct iocb cb = request(IOCB_CMD_PWRITE, fd, out, 11, 0);

	REQUIRE(fd >= 0 && ro >= 0 && dir >= 0);
	CHECK(done(c, &cb) == 11 && lseek(fd, 0, SEEK_CUR) == 0);
	cb = request(IOCB_CMD_PREAD, ro, buf, 5, 7);
	CHECK(done(c, &cb) == 4 && !strcmp(buf, "ring"));
	cb = request(IOCB_CMD_PREAD, ro, buf, 5, 100);
	CHECK(done(c, &cb) == 0);
	cb = request(IOCB_CMD_PWRITEV, fd, v, 2, 20);
	CHECK(done(c, &cb) == 11);
	cb = request(IOCB_CMD_PREADV, ro, v, 2, 20);
	memset(out, 0, 11);
	CHECK(done(c, &cb) == 11 && !strcmp(out, "hello, ring"));
	cb = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	CHECK(done(c, &cb) == 0);
	cb = request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
	CHECK(done(c, &cb) == 0);
	cb.aio_nbytes = 1;
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, (void *)8, 5, 0); /* found out when it is done */
	CHECK(done(c, &cb) == -EFAULT);
	cb = request(IOCB_CMD_PREAD, fd, (void *)-8l, 5, 0); /* when it is begun */
	CHECK_ERR(one(c, &cb), EFAULT);
	cb = request(IOCB_CMD_PWRITE, ro, buf, 5, 0);
	CHECK_ERR(one(c, &cb), EBADF);
	cb = request(IOCB_CMD_PREAD, -1, buf, 5, 0);
	CHECK_ERR(one(c, &cb), EBADF);
	cb = request(IOCB_CMD_PREAD, dir, buf, 5, 0);
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 5, -1);
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, (size_t)-1, 0);
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_PREADV, fd, v, 1025, 0);
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_NOOP, fd, buf, 5, 0);
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(99, fd, buf, 5, 0);
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 5, 0);
	cb.aio_reserved2 = 1;
	CHECK_ERR(one(c, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 5, 0);
	cb.aio_rw_flags = 0x40000000;
	CHECK_ERR(one(c, &cb), EOPNOTSUPP);
	cb = request(IOCB_CMD_PREAD, fd, buf, 5, 0);
	cb.aio_flags = IOCB_FLAG_IOPRIO;
	cb.aio_reqprio = 7 << 13;
	CHECK_ERR(one(c, &cb), EINVAL);
	cb.aio_reqprio = 2 << 13 | 4;
	CHECK(done(c, &cb) == 5 && !memcmp(buf, "hello", 5));
	close(fd);
	close(ro);
	close(dir);
	unlink(name);
}

/* Several at once; the first bad one ends the call, and the ring is as long as it is. */
static void many(void)
{
	static struct iocb cb[4096];
	static struct io_event ev[4096];
	struct iocb *list[3];
	struct timespec none = { 0, 0 };
	aio_context_t c = 0;
	int fd = open("/dev/zero", O_RDWR), efd = eventfd(0, 0);
	unsigned room, head;
	uint64_t count = 0;
	char buf[8];
	long n = 0;
	int err;

	REQUIRE(!setup(8, &c));
	for (int i = 0; i < 4096; i++) {
		cb[i] = request(IOCB_CMD_PREAD, fd, buf, 8, 0);
		cb[i].aio_data = (uint64_t)i;
	}
	cb[0].aio_flags = IOCB_FLAG_RESFD;
	cb[0].aio_resfd = (unsigned)efd;
	list[0] = &cb[0];
	list[1] = &cb[1];
	list[2] = BAD;
	CHECK(submit(c, 3, list) == 2);
	CHECK(read(efd, &count, 8) == 8 && count == 1);
	cb[2].aio_flags = IOCB_FLAG_RESFD;
	cb[2].aio_resfd = (unsigned)fd;
	CHECK_ERR(one(c, &cb[2]), EINVAL);
	cb[2].aio_resfd = 999;
	CHECK_ERR(one(c, &cb[2]), EBADF);
	cb[2].aio_flags = 0;
	CHECK(events(c, 1, 1, ev, NULL) == 1 && ev[0].data == 0);
	CHECK(events(c, 0, 4096, ev, &none) == 1 && ev[0].data == 1);
	/* Until it is full; then what was taken, also by the process itself, makes room. */
	room = ((unsigned *)c)[1] - 1;
	while (n < 4096 && one(c, &cb[n]) == 1)
		n++;
	err = errno;
	CHECK(n >= 8 && n <= (long)room && err == EAGAIN); /* Linux keeps some per CPU */
	CHECK_ERR(events(c, 1, 1, BAD, NULL), EFAULT);
	head = ((volatile unsigned *)c)[2];
	((volatile unsigned *)c)[2] = (head + 3) % (room + 1);
	CHECK(one(c, &cb[n]) == 1);
	CHECK(events(c, 1, 4096, ev, NULL) == n - 2 && ev[0].data == 3);
	CHECK(!destroy(c));
	close(fd);
	close(efd);
}

/* What no write can do: the counter comes to its end, says so, and is as good as new when read. */
static void overflow(aio_context_t c)
{
	int f = open("/dev/null", O_WRONLY), efd = eventfd(0, EFD_NONBLOCK);
	struct iocb cb = request(IOCB_CMD_PWRITE, f, "", 1, 0);
	struct pollfd p = { efd, POLLIN | POLLOUT, 0 };
	uint64_t count = UINT64_MAX - 1;

	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)efd;
	CHECK(write(efd, &count, 8) == 8 && poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	for (int i = 0; i < 2; i++) {
		CHECK(done(c, &cb) == 1);
		CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLERR));
	}
	count = 0;
	CHECK_ERR(write(efd, &count, 8), EAGAIN);
	CHECK(read(efd, &count, 8) == 8 && count == UINT64_MAX);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	close(efd);
	close(f);
}

static void polls(aio_context_t c)
{
	struct iocb cb, other, file;
	struct io_event e = { 0 };
	struct timespec none = { 0, 0 };
	int p[2], efd = eventfd(0, EFD_NONBLOCK), f = open("/proc/self/exe", O_RDONLY);
	uint64_t count;

	REQUIRE(!pipe(p));
	cb = request(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)efd;
	CHECK(one(c, &cb) == 1 && events(c, 0, 1, &e, &none) == 0);
	CHECK(write(p[1], "x", 1) == 1);
	CHECK(events(c, 1, 1, &e, NULL) == 1 && e.obj == (uint64_t)(uintptr_t)&cb);
	CHECK((e.res & POLLIN) && read(efd, &count, 8) == 8 && count == 1);
	CHECK(done(c, &cb) == POLLIN); /* at once */
	CHECK(read(p[0], &count, 8) == 1);
	CHECK(one(c, &cb) == 1 && !close(p[1]));
	CHECK(events(c, 1, 1, &e, NULL) == 1 && (e.res & POLLHUP));
	close(p[0]);
	/* The request keeps the file; only its own can call it off. */
	REQUIRE(!pipe(p));
	cb = request(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
	other = cb;
	CHECK(one(c, &cb) == 1 && !close(p[0]));
	CHECK_ERR(cancel(c, &other), EINVAL);
	CHECK_ERR(cancel(c, &cb), EINPROGRESS);
	CHECK(events(c, 1, 1, &e, NULL) == 1 && e.obj == (uint64_t)(uintptr_t)&cb && e.res == 0);
	CHECK_ERR(cancel(c, &cb), EINVAL);
	close(p[1]);
	file = request(IOCB_CMD_POLL, f, (void *)POLLIN, 0, 0);
	CHECK(done(c, &file) == POLLIN);
	file.aio_buf = POLLPRI;
	CHECK_ERR(one(c, &file), EINVAL); /* nothing that one could wait for */
	file.aio_buf = 0x10000;
	CHECK_ERR(one(c, &file), EINVAL);
	file.aio_buf = POLLIN;
	file.aio_offset = 1;
	CHECK_ERR(one(c, &file), EINVAL);
	close(f);
	close(efd);
}

static aio_context_t shared;
static volatile long waited;

static void *waiter(void *arg)
{
	struct io_event e[2];

	waited = events(shared, (long)arg, 2, e, NULL);
	if (waited < 0)
		waited = -errno;
	return NULL;
}

static void on_signal(int sig)
{
}

/*
 * Waiting: for a poll of another thread's, in vain, until the context ends, until a signal comes.
 */
static void waiting(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct timespec none = { 0, 0 };
	struct iocb cb;
	struct io_event e;
	pthread_t t;
	int p[2], st;
	pid_t pid;
	struct {
		void *mask;
		size_t size;
	} sig;
	sigset_t mask;

	REQUIRE(!setup(4, &shared) && !pipe(p));
	cb = request(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
	REQUIRE(!pthread_create(&t, NULL, waiter, (void *)1l) && one(shared, &cb) == 1);
	CHECK(write(p[1], "x", 1) == 1 && !pthread_join(t, NULL) && waited == 1);
	REQUIRE(!pthread_create(&t, NULL, waiter, (void *)1l));
	CHECK(!destroy(shared)); /* with its waiter asleep, or not there yet */
	CHECK(!pthread_join(t, NULL) && waited == -EINVAL);
	close(p[0]);
	close(p[1]);
	shared = 0;
	sigaction(SIGUSR1, &act, NULL);
	pid = fork();
	if (!pid) {
		aio_context_t own = 0;

		/* Not the parent's context, though its ring may be there. */
		_exit(!setup(1, &own) && events(own, 1, 1, &e, NULL) == -1 && errno == EINTR ? 0
											     : 1);
	}
	CHECK(EVENTUALLY(is_asleep(pid)) && !kill(pid, SIGUSR1));
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	REQUIRE(!setup(1, &shared));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	kill(getpid(), SIGUSR1);
	sig.mask = &mask;
	sig.size = 8;
	CHECK(syscall(SYS_io_pgetevents, shared, 1, 1, &e, &none, &sig) == 0);
	sigemptyset(&mask);
	CHECK_ERR(syscall(SYS_io_pgetevents, shared, 1, 1, &e, NULL, &sig), EINTR);
	sig.size = 4;
	CHECK_ERR(syscall(SYS_io_pgetevents, shared, 1, 1, &e, &none, &sig), EINVAL);
	CHECK_ERR(syscall(SYS_io_pgetevents, shared, 1, 1, &e, &none, BAD), EFAULT);
	CHECK(syscall(SYS_io_pgetevents, shared, 0, 1, &e, NULL, NULL) == 0);
	CHECK(!destroy(shared));
}

/* What a process leaves: its requests are counted no more, its polls let go of their files. */
static void ends(char **argv)
{
	long before = file_number("/proc/sys/fs/aio-nr");
	struct iocb cb;
	aio_context_t c = 0, parents = 0;
	int p[2], st;
	char b;
	pid_t pid;

	REQUIRE(!pipe(p) && !setup(3, &parents));
	pid = fork();
	if (!pid) {
		cb = request(IOCB_CMD_POLL, p[1], (void *)POLLERR, 0, 0);
		if (submit(parents, 0, NULL) != -1 || setup(5, &c) || one(c, &cb) != 1)
			_exit(1);
		close(p[1]);
		execl("/proc/self/exe", argv[0], "exit", NULL);
		_exit(1);
	}
	close(p[1]);
	CHECK(read(p[0], &b, 1) == 0); /* the poll's was the last writer */
	CHECK(waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == 7);
	CHECK(EVENTUALLY(file_number("/proc/sys/fs/aio-nr") == before + 3));
	CHECK(!destroy(parents));
	CHECK(EVENTUALLY(file_number("/proc/sys/fs/aio-nr") == before));
	close(p[0]);
}

int main(int argc, char **argv)
{
	aio_context_t c = 0;

	if (argc > 1)
		return 7;
	alarm(TAP_LIMIT);
	contexts();
	REQUIRE(!setup(32, &c));
	transfers(c);
	overflow(c);
	polls(c);
	CHECK(!destroy(c));
	many();
	waiting();
	ends(argv);
	return tap_done();
}
