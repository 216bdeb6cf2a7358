/*
 * What files without contents of their own answer beside their text: reads behind the start of a
 * setting, poll(2), the count of links, how wide the lines of /proc/net are, O_ASYNC.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "proc_text.h"

#define READY (POLLIN | POLLOUT)
#define NEWS (POLLERR | POLLPRI)

/* Bytes behind the first one, as a reader of single bytes finds them. */
static ssize_t behind(const char *name)
{
	char path[96], buf[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_RDONLY);
	n = pread(fd, buf, 1, 0) == 1 ? pread(fd, buf, sizeof(buf), 1) : -1;
	close(fd);
	return n;
}

static void settings_by_bytes(void)
{
	static const char *const numbers[] = { "kernel/pid_max",	"kernel/sem",
					       "vm/swappiness",		"fs/file-nr",
					       "net/ipv4/tcp_mem",	"kernel/cap_last_cap",
					       "kernel/random/poolsize" };
	static const char *const texts[] = { "kernel/hostname",
					     "kernel/ostype",
					     "kernel/osrelease",
					     "kernel/version",
					     "kernel/core_pattern",
					     "kernel/random/boot_id",
					     "kernel/seccomp/actions_avail",
					     "net/ipv4/tcp_congestion_control",
					     "net/ipv4/tcp_available_congestion_control" };

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		CHECK(behind(numbers[i]) == 0);
	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		CHECK(behind(texts[i]) > 0);
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = READY | POLLPRI };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

/* An attribute is news until it is read. */
static void attributes(void)
{
	int fd = open("/sys/class/net/lo/mtu", O_RDONLY);
	char buf[32];

	CHECK(polled(fd) == (READY | NEWS) && polled(fd) == (READY | NEWS));
	CHECK(read(fd, buf, sizeof(buf)) > 0 && polled(fd) == READY);
	CHECK(read(fd, buf, sizeof(buf)) == 0 && polled(fd) == READY);
	close(fd);
}

static void *sleeper(void *arg)
{
	struct epoll_event e;

	return (void *)(long)(epoll_wait(*(int *)arg, &e, 1, TAP_PATIENCE_MS) == 1 ? e.events : 0);
}

/* The names of the machine tell when they change, each open file once. */
static void names(void)
{
	int fd = open("/proc/sys/kernel/hostname", O_RDONLY), other, ep = epoll_create1(0);
	int domain = open("/proc/sys/kernel/domainname", O_RDONLY);
	struct epoll_event e = { .events = EPOLLPRI | EPOLLET };
	char host[65], dom[65];
	pthread_t t;
	void *got;

	CHECK(!gethostname(host, sizeof(host)) && !getdomainname(dom, sizeof(dom)));
	CHECK(polled(fd) == READY && polled(domain) == READY);
	CHECK(!sethostname(host, strlen(host)));
	other = open("/proc/sys/kernel/hostname", O_RDWR);
	CHECK(polled(fd) == (POLLIN | NEWS) && polled(fd) == READY && polled(domain) == READY);
	CHECK(polled(other) == READY);
	CHECK(write(other, host, strlen(host)) == (ssize_t)strlen(host));
	CHECK(polled(other) == (POLLIN | NEWS) && polled(fd) == (POLLIN | NEWS));
	CHECK(!setdomainname(dom, strlen(dom)) && polled(domain) == (POLLIN | NEWS));
	CHECK(polled(fd) == READY);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	CHECK(!pthread_create(&t, NULL, sleeper, &ep));
	CHECK(!sethostname(host, strlen(host)));
	CHECK(!pthread_join(t, &got) && ((long)got & EPOLLPRI));
	close(fd), close(other), close(ep), close(domain);
}

static long links_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long)st.st_nlink;
}

static void *idle(void *arg)
{
	return (void *)(long)read(*(int *)arg, arg, 1);
}

/* Each directory counts for the one it is in; of descriptors none is. */
static void links(void)
{
	int p[2];
	pthread_t t;

	CHECK(links_of("/proc/self") == 9 && links_of("/proc/thread-self") == 7);
	CHECK(links_of("/proc/sys") == 1 && links_of("/proc/sys/kernel") == 1);
	CHECK(links_of("/proc/self/fd") == 2 && links_of("/proc/self/ns") == 2);
	/* A thread that was joined may still be on its way out. */
	CHECK(EVENTUALLY(links_of("/proc/self/task") == 3));
	REQUIRE(!pipe(p) && !pthread_create(&t, NULL, idle, &p[0]));
	CHECK(links_of("/proc/self/task") == 4);
	close(p[1]);
	pthread_join(t, NULL);
}

/* A process that nobody has waited for is in no tree of mounts any more. */
static void zombie(void)
{
	static const char *const tables[] = { "mounts", "mountinfo", "mountstats" };
	pid_t child = fork();
	siginfo_t info;
	char path[64];
	int fd;

	if (!child)
		_exit(0);
	REQUIRE(child > 0 && !waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", child, tables[i]);
		CHECK_ERR(open(path, O_RDONLY), EINVAL);
	}
	snprintf(path, sizeof(path), "/proc/%d/pagemap", child);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, path, 7) == 0);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d", child);
	CHECK(links_of(path) == 9);
	waitpid(child, NULL, 0);
}

/* All lines of @path, of which there are @least, are @width wide. */
static int as_wide(const char *path, size_t width, int least)
{
	char line[512];
	FILE *f = fopen(path, "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (strlen(line) != width) {
			printf("# %s: %zu: %s", path, strlen(line), line);
			break;
		}
		n++;
	}
	if (f && !feof(f))
		n = -1;
	if (f)
		fclose(f);
	return n >= least;
}

static void widths(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int t = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(!bind(t, (struct sockaddr *)&here, sizeof(here)) && !listen(t, 1));
	CHECK(!bind(u, (struct sockaddr *)&here, sizeof(here)));
	CHECK(as_wide("/proc/net/tcp", 150, 2) && as_wide("/proc/net/udp", 128, 2));
	CHECK(as_wide("/proc/net/udplite", 128, 1) && as_wide("/proc/net/icmp", 128, 1));
	CHECK(as_wide("/proc/net/route", 128, 1));
	close(t), close(u);
}

/* They are always ready and never send a signal, but may be asked to. */
static void random_devices(void)
{
	static const char *const paths[] = { "/dev/random", "/dev/urandom" };
	int on = 1, off = 0;

	for (int i = 0; i < 2; i++) {
		int fd = open(paths[i], O_RDWR);

		CHECK(polled(fd) == (i ? READY : POLLIN));
		CHECK(!fcntl(fd, F_SETFL, O_ASYNC) && (fcntl(fd, F_GETFL) & O_ASYNC));
		CHECK(!ioctl(fd, FIOASYNC, &off) && !(fcntl(fd, F_GETFL) & O_ASYNC));
		CHECK(!ioctl(fd, FIOASYNC, &on) && (fcntl(fd, F_GETFL) & O_ASYNC));
		close(fd);
	}
}

/* What readers of counters and of block devices look for, if only to find none. */
static void classes(void)
{
	CHECK(slurp("/sys/class/net/lo/statistics/rx_missed_errors") > 0 && !strcmp(text, "0\n"));
	CHECK(slurp("/sys/class/net/lo/statistics/collisions") > 0 && !strcmp(text, "0\n"));
	CHECK(links_of("/sys/class/block") >= 2);
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	settings_by_bytes();
	attributes();
	names();
	links();
	zombie();
	widths();
	random_devices();
	classes();
	return tap_done();
}
