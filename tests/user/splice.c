/*
 * splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): what goes where, positions,
 * waiting, sharing of pages, errors. Works in the current directory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

#define SIZE 100000
static char text[SIZE], back[SIZE];
static volatile int sigpipes;

static void on_sigpipe(int sig)
{
	sigpipes++;
}

static int queued(int fd)
{
	int n = -1;

	return ioctl(fd, FIONREAD, &n) ? -1 : n;
}

static int file_with(const char *name, const void *s, size_t n)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (fd < 0 || write(fd, s, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET))
		perror(name);
	return fd;
}

static int drain(int fd, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = read(fd, back + done, n - done);

		if (r <= 0)
			return 0;
		done += (size_t)r;
	}
	return 1;
}

static void test_file_to_pipe(void)
{
	int p[2], f = file_with("splice.a", text, SIZE), hole;
	off_t off = 10;
	loff_t loff = 5000;

	REQUIRE(!pipe(p));
	CHECK(splice(f, NULL, p[1], NULL, 100, 0) == 100 && lseek(f, 0, SEEK_CUR) == 100);
	CHECK(queued(p[0]) == 100 && drain(p[0], 100) && !memcmp(back, text, 100));
	CHECK(splice(f, &loff, p[1], NULL, 8192, 0) == 8192 && loff == 13192);
	CHECK(lseek(f, 0, SEEK_CUR) == 100);
	CHECK(drain(p[0], 8192) && !memcmp(back, text + 5000, 8192));
	/* What does not fit is for the next call; nobody waits. */
	lseek(f, 0, SEEK_SET);
	CHECK(splice(f, NULL, p[1], NULL, SIZE, 0) == 65536);
	CHECK_ERR(splice(f, NULL, p[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(drain(p[0], 65536) && !memcmp(back, text, 65536));
	CHECK(splice(f, NULL, p[1], NULL, SIZE, 0) == SIZE - 65536);
	CHECK(drain(p[0], SIZE - 65536) && !memcmp(back, text + 65536, SIZE - 65536));
	CHECK(splice(f, NULL, p[1], NULL, SIZE, 0) == 0);
	CHECK(sendfile(p[1], f, &off, 20) == 20 && off == 30);
	CHECK(drain(p[0], 20) && !memcmp(back, text + 10, 20));
	/* Later changes of the file show in the pipe, those of a copy do not. */
	loff = 0;
	CHECK(splice(f, &loff, p[1], NULL, 4, 0) == 4 && pwrite(f, "!!", 2, 0) == 2);
	CHECK(drain(p[0], 4) && !memcmp(back, "!!", 2));
	/* A hole is zeroes. */
	hole = open("splice.h", O_CREAT | O_TRUNC | O_RDWR, 0644);
	CHECK(!ftruncate(hole, 6000) && splice(hole, NULL, p[1], NULL, 6000, 0) == 6000);
	memset(back, 1, 6000);
	CHECK(drain(p[0], 6000) && !back[0] && !memcmp(back, back + 1, 5999));
	close(f), close(hole), close(p[0]), close(p[1]);
	unlink("splice.a"), unlink("splice.h");
}

static void test_pipe_to_file(void)
{
	int p[2], f = open("splice.b", O_CREAT | O_TRUNC | O_RDWR, 0644);
	loff_t loff = 3;
	struct stat st;

	REQUIRE(!pipe(p));
	CHECK(write(p[1], "hello world", 11) == 11);
	CHECK(splice(p[0], NULL, f, NULL, 5, 0) == 5 && lseek(f, 0, SEEK_CUR) == 5);
	CHECK(splice(p[0], NULL, f, &loff, 100, 0) == 6 && loff == 9);
	CHECK(!fstat(f, &st) && st.st_size == 9 && lseek(f, 0, SEEK_CUR) == 5);
	CHECK(pread(f, back, 9, 0) == 9 && !memcmp(back, "hel world", 9));
	CHECK_ERR(splice(p[0], NULL, f, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	/* What the file does not take stays in the pipe. */
	CHECK(write(p[1], text, 9000) == 9000);
	if (!fork()) {
		struct rlimit r = { 6000, 6000 };
		int bad;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &r);
		lseek(f, 1000, SEEK_SET);
		bad = splice(p[0], NULL, f, NULL, 9000, 0) != 5000;
		bad |= splice(p[0], NULL, f, NULL, 9000, 0) != -1 || errno != EFBIG;
		_exit(bad);
	}
	int status;

	wait(&status);
	CHECK(status == 0);
	CHECK(queued(p[0]) == 4000 && drain(p[0], 4000) && !memcmp(back, text + 5000, 4000));
	close(p[1]);
	CHECK(splice(p[0], NULL, f, NULL, 10, 0) == 0);
	close(p[0]), close(f);
	unlink("splice.b");
}

static void test_pipe_to_pipe(void)
{
	int a[2], b[2];

	REQUIRE(!pipe(a) && !pipe(b));
	CHECK(write(a[1], text, 10000) == 10000);
	CHECK(splice(a[0], NULL, b[1], NULL, 5000, 0) == 5000);
	CHECK(queued(a[0]) == 5000 && queued(b[0]) == 5000);
	CHECK(drain(b[0], 5000) && !memcmp(back, text, 5000));
	CHECK(write(b[1], "<", 1) == 1);
	CHECK(splice(a[0], NULL, b[1], NULL, 5000, SPLICE_F_MOVE) == 5000);
	CHECK(write(b[1], ">", 1) == 1);
	CHECK(drain(b[0], 5002) && back[0] == '<' && back[5001] == '>' &&
	      !memcmp(back + 1, text + 5000, 5000));
	CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	/* tee shares and takes nothing away; neither pipe writes into the other's bytes. */
	CHECK(write(a[1], "shared", 6) == 6);
	CHECK(tee(a[0], b[1], 100, 0) == 6 && queued(a[0]) == 6 && queued(b[0]) == 6);
	CHECK(write(a[1], "AAA", 3) == 3 && write(b[1], "BBB", 3) == 3);
	CHECK(drain(b[0], 9) && !memcmp(back, "sharedBBB", 9));
	CHECK(drain(a[0], 9) && !memcmp(back, "sharedAAA", 9));
	CHECK(write(a[1], text, 20000) == 20000);
	CHECK(tee(a[0], b[1], 5000, SPLICE_F_NONBLOCK) == 5000);
	CHECK(drain(b[0], 5000) && !memcmp(back, text, 5000));
	CHECK(drain(a[0], 20000) && !memcmp(back, text, 20000));
	CHECK_ERR(tee(a[0], b[1], 5000, SPLICE_F_NONBLOCK), EAGAIN);
	/* No room. */
	fcntl(b[1], F_SETFL, O_NONBLOCK);
	while (write(b[1], text, 4096) > 0)
		;
	CHECK(write(a[1], "x", 1) == 1);
	CHECK_ERR(tee(a[0], b[1], 1, 0), EAGAIN);
	CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, 0), EAGAIN);
	close(b[0]);
	sigpipes = 0;
	CHECK_ERR(tee(a[0], b[1], 1, 0), EPIPE);
	CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, 0), EPIPE);
	CHECK(sigpipes == 2);
	close(a[1]);
	CHECK(drain(a[0], 1));
	close(b[1]);
	REQUIRE(!pipe(b));
	CHECK(tee(a[0], b[1], 1, 0) == 0 && splice(a[0], NULL, b[1], NULL, 1, 0) == 0);
	close(a[0]), close(b[0]), close(b[1]);
}

static void test_vmsplice(void)
{
	struct iovec v[2] = { { text, 3000 }, { text + 3000, 90000 } }, r = { back, SIZE }, bad;
	int p[2], f = file_with("splice.v", "x", 1);
	ssize_t n;

	REQUIRE(!pipe(p));
	/* As much as fits, and no waiting for the rest. */
	n = vmsplice(p[1], v, 2, 0);
	CHECK(n > 40000 && n <= 65536 && queued(p[0]) == n);
	CHECK_ERR(vmsplice(p[1], v, 2, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(vmsplice(p[0], &r, 1, 0) == n && !memcmp(back, text, (size_t)n));
	CHECK_ERR(vmsplice(p[0], &r, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(vmsplice(p[1], v, 1, SPLICE_F_GIFT) == 3000 && drain(p[0], 3000));
	CHECK(vmsplice(p[1], v, 0, 0) == 0 && vmsplice(f, v, 0, 0) == 0);
	CHECK_ERR(vmsplice(f, v, 1, 0), EBADF);
	CHECK_ERR(vmsplice(99, v, 1, 0), EBADF);
	CHECK_ERR(vmsplice(p[1], v, 1, 0x10), EINVAL);
	CHECK_ERR(vmsplice(p[1], v, 1025, 0), EINVAL);
	bad = (struct iovec){ (void *)16, 10 };
	CHECK_ERR(vmsplice(p[1], &bad, 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_vmsplice, p[1], 16, 1, 0), EFAULT);
	close(p[0]);
	sigpipes = 0;
	CHECK_ERR(vmsplice(p[1], v, 1, 0), EPIPE);
	CHECK(sigpipes == 1);
	close(p[1]), close(f);
	unlink("splice.v");
}

static int pipes[2], other[2];

static void *splice_late(void *arg)
{
	return (void *)(long)splice(pipes[0], NULL, other[1], NULL, 100, 0);
}

static void *tee_late(void *arg)
{
	return (void *)(long)tee(pipes[0], other[1], 100, 0);
}

static void *vmsplice_late(void *arg)
{
	struct iovec v = { text, 10 };

	return (void *)(long)vmsplice(pipes[1], &v, 1, 0);
}

static void on_alarm(int sig)
{
}

static void test_waiting(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	/* Again and again: one may come before the call that it is to interrupt. */
	struct itimerval it = { { 0, 50000 }, { 0, 50000 } }, off = { 0 };
	pthread_t t;
	void *n;

	REQUIRE(!pipe(pipes) && !pipe(other));
	pthread_create(&t, NULL, splice_late, NULL);
	CHECK(write(pipes[1], "abc", 3) == 3);
	CHECK(!pthread_join(t, &n) && (long)n == 3 && drain(other[0], 3) &&
	      !memcmp(back, "abc", 3));
	pthread_create(&t, NULL, tee_late, NULL);
	CHECK(write(pipes[1], "defg", 4) == 4);
	CHECK(!pthread_join(t, &n) && (long)n == 4 && drain(other[0], 4) && drain(pipes[0], 4));
	/* The writer of a full pipe waits for a reader. */
	fcntl(pipes[1], F_SETFL, O_NONBLOCK);
	while (write(pipes[1], text, 4096) > 0)
		;
	fcntl(pipes[1], F_SETFL, 0);
	pthread_create(&t, NULL, vmsplice_late, NULL);
	CHECK(drain(pipes[0], 65536));
	CHECK(!pthread_join(t, &n) && (long)n == 10 && drain(pipes[0], 10));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(splice(pipes[0], NULL, other[1], NULL, 1, 0), EINTR);
	CHECK_ERR(tee(pipes[0], other[1], 1, 0), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	close(pipes[0]), close(pipes[1]), close(other[0]), close(other[1]);
}

static void test_splice_errors(void)
{
	int p[2], q[2], f = file_with("splice.e", text, 1000), g, e = eventfd(1, 0), z, dir;
	loff_t off = 0;

	REQUIRE(!pipe(p) && !pipe(q));
	z = open("/dev/zero", O_RDWR), dir = open(".", O_RDONLY);
	g = open("splice.e", O_WRONLY | O_APPEND);
	CHECK(splice(99, NULL, 99, NULL, 0, 0x100) == 0);
	CHECK_ERR(splice(99, NULL, p[1], NULL, 1, 0), EBADF);
	CHECK_ERR(splice(f, NULL, 99, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(f, NULL, p[1], NULL, 1, 0x100), EINVAL);
	CHECK_ERR(splice(f, NULL, f, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(p[0], NULL, p[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(p[0], &off, f, NULL, 1, 0), ESPIPE);
	CHECK_ERR(splice(f, NULL, p[1], &off, 1, 0), ESPIPE);
	CHECK_ERR(splice(p[1], NULL, f, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(f, NULL, p[0], NULL, 1, 0), EBADF);
	CHECK_ERR(splice(p[0], NULL, dir, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(dir, NULL, p[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(e, NULL, p[1], NULL, 8, 0), EINVAL);
	CHECK_ERR(splice(z, NULL, p[1], NULL, 8, 0), EINVAL);
	CHECK(write(p[1], text, 100) == 100);
	CHECK_ERR(splice(p[0], NULL, g, NULL, 8, 0), EINVAL);
	CHECK_ERR(splice(p[0], NULL, e, NULL, 8, 0), EINVAL);
	CHECK_ERR(splice(p[0], NULL, z, NULL, 8, 0), EINVAL);
	CHECK_ERR(splice(f, (void *)16, p[1], NULL, 8, 0), EFAULT);
	off = -1;
	CHECK_ERR(splice(f, &off, p[1], NULL, 8, 0), EINVAL);
	CHECK(queued(p[0]) == 100);
	close(z);
	z = open("/dev/null", O_WRONLY);
	CHECK(splice(p[0], NULL, z, NULL, 1000, 0) == 100);
	CHECK(tee(99, 99, 0, 0) == 0);
	CHECK_ERR(tee(p[0], q[1], 1, 0x100), EINVAL);
	CHECK_ERR(tee(99, q[1], 1, 0), EBADF);
	CHECK_ERR(tee(p[0], p[1], 1, 0), EINVAL);
	CHECK_ERR(tee(p[0], f, 1, 0), EINVAL);
	CHECK_ERR(tee(f, p[1], 1, 0), EINVAL);
	CHECK_ERR(tee(p[1], q[1], 1, 0), EBADF);
	CHECK_ERR(tee(p[0], q[0], 1, 0), EBADF);
	close(f), close(g), close(e), close(z), close(dir);
	close(p[0]), close(p[1]), close(q[0]), close(q[1]);
	unlink("splice.e");
}

static void test_sendfile(void)
{
	int f = file_with("splice.s", text, SIZE), g = open("splice.t", O_CREAT | O_RDWR, 0644);
	int p[2], ap, e = eventfd(1, EFD_NONBLOCK);
	off_t off = 90000;
	struct stat st;

	REQUIRE(!pipe(p));
	CHECK(sendfile(g, f, NULL, 5000) == 5000);
	CHECK(lseek(f, 0, SEEK_CUR) == 5000 && lseek(g, 0, SEEK_CUR) == 5000);
	CHECK(sendfile(g, f, &off, 20000) == 10000 && off == SIZE);
	CHECK(lseek(f, 0, SEEK_CUR) == 5000 && !fstat(g, &st) && st.st_size == 15000);
	CHECK(pread(g, back, 10000, 5000) == 10000 && !memcmp(back, text + 90000, 10000));
	CHECK(sendfile(g, f, &off, 1) == 0 && sendfile(g, f, NULL, 0) == 0);
	ap = open("splice.t", O_WRONLY | O_APPEND);
	CHECK_ERR(sendfile(ap, f, NULL, 1), EINVAL);
	CHECK_ERR(sendfile(g, p[0], NULL, 1), EINVAL);
	CHECK_ERR(sendfile(g, p[0], &off, 1), ESPIPE);
	CHECK_ERR(sendfile(g, e, NULL, 8), EINVAL);
	CHECK_ERR(sendfile(ap, ap, NULL, 8), EBADF);
	CHECK_ERR(sendfile(99, f, NULL, 8), EBADF);
	CHECK_ERR(sendfile(g, 99, NULL, 8), EBADF);
	CHECK_ERR(sendfile(p[0], f, NULL, 8), EBADF);
	CHECK_ERR(sendfile(g, f, (void *)16, 8), EFAULT);
	off = -1;
	CHECK_ERR(sendfile(g, f, &off, 8), EINVAL);
	close(f), close(g), close(ap), close(e), close(p[0]), close(p[1]);
	unlink("splice.s"), unlink("splice.t");
}

static ssize_t cfr(int in, loff_t *ipos, int out, loff_t *opos, size_t n, unsigned flags)
{
	return syscall(SYS_copy_file_range, in, ipos, out, opos, n, flags);
}

static void test_copy_file_range(void)
{
	int f = file_with("splice.c", text, SIZE), g = open("splice.d", O_CREAT | O_RDWR, 0644);
	int p[2], dir = open(".", O_RDONLY), ap, ro = open("splice.d", O_RDONLY), m;
	loff_t i = 100, o = 50, big = 0x7fffffffffffffff;
	struct stat st;

	REQUIRE(!pipe(p));
	ap = open("splice.d", O_WRONLY | O_APPEND);
	CHECK(cfr(f, &i, g, &o, 10000, 0) == 10000 && i == 10100 && o == 10050);
	CHECK(!lseek(f, 0, SEEK_CUR) && !lseek(g, 0, SEEK_CUR));
	CHECK(pread(g, back, 10000, 50) == 10000 && !memcmp(back, text + 100, 10000));
	CHECK(cfr(f, NULL, g, NULL, 20, 0) == 20);
	CHECK(lseek(f, 0, SEEK_CUR) == 20 && lseek(g, 0, SEEK_CUR) == 20);
	i = SIZE - 5;
	CHECK(cfr(f, &i, g, NULL, 100, 0) == 5 && i == SIZE && cfr(f, &i, g, NULL, 1, 0) == 0);
	/* Within one file, without overlap; past the end counts only what is there. */
	i = 0, o = 50000;
	CHECK(cfr(f, &i, f, &o, 1000, 0) == 1000);
	i = 0, o = 999;
	CHECK_ERR(cfr(f, &i, f, &o, 1000, 0), EINVAL);
	i = 999, o = 0;
	CHECK_ERR(cfr(f, &i, f, &o, 1000, 0), EINVAL);
	i = SIZE - 10, o = SIZE;
	CHECK(cfr(f, &i, f, &o, 1000, 0) == 10);
	CHECK_ERR(cfr(f, NULL, g, NULL, 1, 1), EINVAL);
	CHECK_ERR(cfr(99, NULL, g, NULL, 1, 1), EBADF);
	CHECK_ERR(cfr(f, NULL, 99, NULL, 1, 0), EBADF);
	CHECK_ERR(cfr(f, NULL, ro, NULL, 1, 0), EBADF);
	CHECK_ERR(cfr(f, NULL, ap, NULL, 1, 0), EBADF);
	CHECK_ERR(cfr(ap, NULL, g, NULL, 1, 0), EBADF);
	CHECK_ERR(cfr(dir, NULL, g, NULL, 1, 0), EISDIR);
	CHECK_ERR(cfr(f, NULL, p[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(cfr(p[0], NULL, g, NULL, 1, 0), EINVAL);
	CHECK_ERR(cfr(f, (void *)16, g, NULL, 1, 0), EFAULT);
	CHECK_ERR(cfr(f, NULL, g, (void *)16, 1, 0), EFAULT);
	CHECK_ERR(cfr(f, &big, g, NULL, (size_t)-1, 0), EOVERFLOW);
	i = 0;
	CHECK_ERR(cfr(f, &i, g, &big, 1, 0), EFBIG);
	i = -1;
	CHECK_ERR(cfr(f, &i, g, NULL, 1, 0), EOVERFLOW);
	i = -5;
	CHECK_ERR(cfr(f, &i, g, NULL, 1, 0), EINVAL);
	CHECK(!fstat(g, &st) && st.st_size == 10050);
	mkdir("splice.m", 0755);
	REQUIRE(!mount("none", "splice.m", "tmpfs", 0, NULL));
	m = open("splice.m/x", O_CREAT | O_RDWR, 0600);
	CHECK_ERR(cfr(f, NULL, m, NULL, 1, 0), EXDEV);
	close(m);
	CHECK(!umount("splice.m") && !rmdir("splice.m"));
	close(f), close(g), close(dir), close(ap), close(ro), close(p[0]), close(p[1]);
	unlink("splice.c"), unlink("splice.d");
}

int main(void)
{
	for (int k = 0; k < SIZE; k++)
		text[k] = (char)('a' + (k * 7 + k / 4096) % 26);
	signal(SIGPIPE, on_sigpipe);
	test_file_to_pipe();
	test_pipe_to_file();
	test_pipe_to_pipe();
	test_vmsplice();
	test_waiting();
	test_splice_errors();
	test_sendfile();
	test_copy_file_range();
	return tap_done();
}
