/*
 * Rows of the network. On loopback but for net-send and net-receive, which move 1 MiB blocks to and
 * from a host: environment NET_PEER, "address port port", names it; the first port swallows, the
 * second pours. scripts/bench starts one behind QEMU's user network.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define BLOCK 65536
#define HOST_BLOCK (1 << 20)
#define CROWD 10000

static char block[HOST_BLOCK];

static struct sockaddr_in address(const char *host, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

static int stream(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd >= 0, "socket");
	return fd;
}

static int listener(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = stream();

	*a = address("127.0.0.1", 0);
	must(bind(fd, (struct sockaddr *)a, sizeof(*a)) == 0, "bind");
	must(listen(fd, 128) == 0 && getsockname(fd, (struct sockaddr *)a, &len) == 0, "listen");
	return fd;
}

static void joined(int l, const struct sockaddr_in *a, int *client, int *server)
{
	*client = stream();
	must(connect(*client, (const struct sockaddr *)a, sizeof(*a)) == 0, "connect");
	*server = accept(l, NULL, NULL);
	must(*server >= 0, "accept");
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in a;
	int l = listener(&a), one = 1;

	joined(l, &a, &fd[0], &fd[1]);
	close(l);
	setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int64_t connect_n(int l, const struct sockaddr_in *a, long n)
{
	int64_t start = now();
	int client, server;

	for (long i = 0; i < n; i++) {
		joined(l, a, &client, &server);
		close(client);
		close(server);
	}
	return now() - start;
}

int64_t bench_tcp_connect(long n)
{
	struct sockaddr_in a;
	int l = listener(&a);
	int64_t took = connect_n(l, &a, n);

	close(l);
	return took;
}

/* How long @here takes, with @there at the other end in another process. Takes both ends. */
static int64_t with_peer(int fd[2], long n, void (*here)(int fd, long n),
			 void (*there)(int fd, long n))
{
	int64_t start;
	pid_t pid = fork();

	if (pid == 0) {
		close(fd[0]);
		there(fd[1], n);
		_exit(0);
	}
	must(pid > 0, "fork");
	close(fd[1]);
	start = now();
	here(fd[0], n);
	start = now() - start;
	waitpid(pid, NULL, 0);
	close(fd[0]);
	return start;
}

static void ask(int fd, long n)
{
	char c = 'x';

	while (n--)
		must(send(fd, &c, 1, 0) == 1 && recv(fd, &c, 1, 0) == 1, "round trip");
}

static void echo(int fd, long n)
{
	char c;

	while (n--) {
		if (recv(fd, &c, 1, 0) != 1 || send(fd, &c, 1, 0) != 1)
			_exit(1);
	}
}

int64_t bench_tcp_round_trip(long n)
{
	int fd[2];

	tcp_pair(fd);
	return with_peer(fd, n, ask, echo);
}

int64_t bench_udp_round_trip(long n)
{
	int fd[2] = { socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0) };
	struct sockaddr_in a[2];
	socklen_t len = sizeof(a[0]);

	for (int i = 0; i < 2; i++) {
		a[i] = address("127.0.0.1", 0);
		must(bind(fd[i], (struct sockaddr *)&a[i], len) == 0, "bind");
		must(getsockname(fd[i], (struct sockaddr *)&a[i], &len) == 0, "getsockname");
	}
	for (int i = 0; i < 2; i++)
		must(connect(fd[i], (struct sockaddr *)&a[!i], len) == 0, "connect");
	return with_peer(fd, n, ask, echo);
}

int64_t bench_unix_round_trip(long n)
{
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	return with_peer(fd, n, ask, echo);
}

static void pour(int fd, long n, size_t size)
{
	for (long left = n * (long)size; left > 0;) {
		ssize_t put = send(fd, block, left < (long)size ? (size_t)left : size, 0);

		if (put <= 0)
			_exit(1);
		left -= put;
	}
}

static void swallow(int fd, long n, size_t size)
{
	for (long left = n * (long)size; left > 0;) {
		ssize_t got = recv(fd, block, size, 0);

		must(got > 0, "recv");
		left -= got;
	}
}

static void pour_blocks(int fd, long n)
{
	pour(fd, n, BLOCK);
}

static void swallow_blocks(int fd, long n)
{
	swallow(fd, n, BLOCK);
}

static int64_t bandwidth(int fd[2], long n)
{
	memset(block, 'b', sizeof(block));
	return with_peer(fd, n, swallow_blocks, pour_blocks);
}

int64_t bench_tcp_bandwidth(long n)
{
	int fd[2];

	tcp_pair(fd);
	return bandwidth(fd, n);
}

int64_t bench_unix_bandwidth(long n)
{
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	return bandwidth(fd, n);
}

/* --- a crowd of connections that do nothing --- */

static int crowd[2 * CROWD];

static long memory_free(void)
{
	char line[128];
	long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	must(f != NULL, "/proc/meminfo");
	while (fgets(line, sizeof(line), f) && sscanf(line, "MemFree: %ld kB", &kb) != 1)
		;
	fclose(f);
	return kb;
}

static void gather(int l, const struct sockaddr_in *a)
{
	struct rlimit r = { 2 * CROWD + 64, 2 * CROWD + 64 };

	must(setrlimit(RLIMIT_NOFILE, &r) == 0, "setrlimit");
	for (int i = 0; i < CROWD; i++)
		joined(l, a, &crowd[2 * i], &crowd[2 * i + 1]);
}

/*
 * What one connection of a crowd keeps, both ends together, in bytes; as if nanoseconds, so that
 * the row is one like others. @n counts for nothing.
 */
int64_t bench_tcp_crowd_memory(long n)
{
	static long kept;
	struct sockaddr_in a;
	long before;
	int l;

	if (kept)
		return kept * n;
	l = listener(&a);
	connect_n(l, &a, 16);
	before = memory_free();
	gather(l, &a);
	kept = (before - memory_free()) * 1024 / CROWD;
	for (int i = 0; i < 2 * CROWD; i++)
		close(crowd[i]);
	close(l);
	return kept * n;
}

/* As tcp-connect, beside a crowd. */
int64_t bench_tcp_crowd_connect(long n)
{
	static struct sockaddr_in a;
	static int l;

	if (!l) {
		l = listener(&a);
		gather(l, &a);
	}
	return connect_n(l, &a, n);
}

/* --- to and from the host --- */

static int host(int which)
{
	const char *peer = getenv("NET_PEER");
	struct sockaddr_in a;
	char name[32];
	int port[2], fd = stream();

	must(peer && sscanf(peer, "%31s %d %d", name, &port[0], &port[1]) == 3, "NET_PEER");
	a = address(name, port[which]);
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect to NET_PEER");
	return fd;
}

/* Until the host has all: it answers the end with its own. */
int64_t bench_net_send(long n)
{
	int64_t start;
	char c;
	int fd = host(0);

	start = now();
	pour(fd, n, HOST_BLOCK);
	shutdown(fd, SHUT_WR);
	must(recv(fd, &c, 1, 0) == 0, "the host's end");
	start = now() - start;
	close(fd);
	return start;
}

int64_t bench_net_receive(long n)
{
	int64_t start;
	int fd = host(1);

	start = now();
	swallow(fd, n, HOST_BLOCK);
	start = now() - start;
	close(fd);
	return start;
}
