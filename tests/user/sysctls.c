/* proc(5): settings under /proc/sys that can be written: their limits, and what they do. As root. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define USER 1000

static char text[256];

/* A setting as text, without the end of its line. */
static const char *get(const char *name)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n - 1 : 0] = 0;
	close(fd);
	return text;
}

static int set(const char *name, const char *value)
{
	char path[128];
	int fd, r, e;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	r = write(fd, value, strlen(value)) > 0 ? 0 : -1;
	e = errno;
	close(fd);
	errno = e;
	return r;
}

static int is(const char *name, const char *want)
{
	if (!strcmp(get(name), want))
		return 1;
	printf("# %s: %s, not %s\n", name, text, want);
	return 0;
}

/* @value is taken, and read back as @want. */
static int becomes(const char *name, const char *value, const char *want)
{
	return set(name, value) == 0 && is(name, want);
}

static char saved[256];

static void save(const char *name)
{
	strcpy(saved, get(name));
}

/* The exit status of a child with nobody's privileges that runs @fn. */
static int as_user(int (*fn)(void))
{
	int st = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setresgid(USER, USER, USER) || setresuid(USER, USER, USER) ? 99 : fn());
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int opens(void)
{
	return open("/dev/null", O_RDONLY) >= 0 ? 0 : errno;
}

static void file_max(void)
{
	static const char name[] = "fs/file-max";
	int fd;

	save(name);
	CHECK(becomes(name, " 0x20 \n", "32") && becomes(name, "77 78", "77"));
	CHECK_ERR(set(name, "-1"), EINVAL);
	CHECK_ERR(set(name, "9223372036854775808"), EINVAL);
	CHECK_ERR(set(name, "7x"), EINVAL);
	CHECK(is(name, "77") && becomes(name, "9223372036854775807", "9223372036854775807"));
	/* It binds all but administrators. */
	CHECK(as_user(opens) == 0);
	CHECK(set(name, "0") == 0 && as_user(opens) == ENFILE);
	CHECK((fd = open("/dev/null", O_RDONLY)) >= 0 && !close(fd));
	CHECK(set(name, saved) == 0);
}

static void shared_memory(void)
{
	int id;

	save("kernel/shmmax");
	CHECK(becomes("kernel/shmmax", "8192", "8192"));
	CHECK_ERR(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	CHECK((id = shmget(IPC_PRIVATE, 8192, 0600)) >= 0 && !shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(set("kernel/shmmax", "-1"), EINVAL);
	CHECK(becomes("kernel/shmmax", "18446744073709551615", "18446744073709551615"));
	CHECK(set("kernel/shmmax", saved) == 0);
	save("kernel/shmall");
	CHECK(!strcmp(saved, "18446744073692774399") && becomes("kernel/shmall", "2", "2"));
	CHECK((id = shmget(IPC_PRIVATE, 4097, 0600)) >= 0);
	CHECK_ERR(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	CHECK((id = shmget(IPC_PRIVATE, 1, 0600)) >= 0 && !shmctl(id, IPC_RMID, NULL));
	CHECK(set("kernel/shmall", saved) == 0);
}

static void semaphores(void)
{
	static const char name[] = "kernel/sem";
	struct sembuf ops[3] = { { 0 } };
	int id;

	save(name);
	CHECK(becomes(name, "3 5", "3\t5\t500\t32000") && becomes(name, "3 5 2 1 9", "3\t5\t2\t1"));
	CHECK_ERR(semget(IPC_PRIVATE, 4, 0600), EINVAL);
	CHECK((id = semget(IPC_PRIVATE, 3, 0600)) >= 0);
	CHECK_ERR(semget(IPC_PRIVATE, 1, 0600), ENOSPC);
	CHECK_ERR(semop(id, ops, 3), E2BIG);
	CHECK(semop(id, ops, 2) == 0);
	CHECK(set(name, "3 5 2 9") == 0);
	CHECK_ERR(semget(IPC_PRIVATE, 3, 0600), ENOSPC);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	CHECK((id = semget(IPC_PRIVATE, 3, 0600)) >= 0 && !semctl(id, 0, IPC_RMID));
	CHECK_ERR(set(name, "3 5 2 32769"), ERANGE);
	CHECK_ERR(set(name, "3 5 x"), EINVAL);
	CHECK(is(name, "3\t5\t2\t9") && becomes(name, "-1", "-1\t5\t2\t9"));
	CHECK_ERR(semget(IPC_PRIVATE, 1, 0600), EINVAL);
	CHECK(becomes(name, saved, saved));
}

static void tainted(void)
{
	static const char name[] = "kernel/tainted";
	uint64_t was = strtoull(get(name), NULL, 10);

	/* What is noted down stays. */
	CHECK(set(name, "1099511627776") == 0 && set(name, "0") == 0);
	CHECK(strtoull(get(name), NULL, 10) == was);
	CHECK(set(name, "32") == 0 && set(name, "64") == 0);
	CHECK(strtoull(get(name), NULL, 10) == (was | 96));
	CHECK_ERR(set(name, "-1"), EINVAL);
}

static void turns(void)
{
	static const char name[] = "kernel/sched_rr_timeslice_ms";
	struct sched_param sp = { .sched_priority = 1 };
	struct timespec ts;

	CHECK(is(name, "100") && becomes(name, "40", "40"));
	CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &sp) == 0);
	CHECK(sched_rr_get_interval(0, &ts) == 0 && !ts.tv_sec && ts.tv_nsec == 40000000);
	CHECK(becomes(name, "-1", "100") && becomes(name, "50", "50") && becomes(name, "0", "100"));
	CHECK(sched_rr_get_interval(0, &ts) == 0 && !ts.tv_sec && ts.tv_nsec == 100000000);
	sp.sched_priority = 0;
	CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp) == 0);
	CHECK_ERR(set(name, "x"), EINVAL);
}

static int sets_last_pid(void)
{
	return set("kernel/ns_last_pid", "20000") ? errno : 0;
}

static void last_pid(void)
{
	static const char name[] = "kernel/ns_last_pid";
	pid_t pid = -1;
	struct stat st;

	CHECK(stat("/proc/sys/kernel/ns_last_pid", &st) == 0 && (st.st_mode & 0777) == 0666);
	CHECK(as_user(sets_last_pid) == EPERM);
	CHECK_ERR(set(name, "-1"), EINVAL);
	CHECK_ERR(set(name, "4194305"), EINVAL);
	/* Others may start something in between. */
	CHECK(EVENTUALLY({
		if (pid > 0)
			waitpid(pid, NULL, 0);
		if (set(name, "20000") == 0 && (pid = fork()) == 0)
			_exit(0);
		pid == 20001;
	}));
	CHECK(waitpid(pid, NULL, 0) == 20001);
}

static int takes_reno(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) ? errno : 0;
}

static void congestion_control(void)
{
	static const char name[] = "net/ipv4/tcp_allowed_congestion_control";

	save(name);
	CHECK(as_user(takes_reno) == 0);
	CHECK(becomes(name, "cubic\n", "cubic") && as_user(takes_reno) == EPERM);
	CHECK(takes_reno() == 0);
	CHECK_ERR(set(name, "reno nosuch"), ENOENT);
	CHECK(is(name, "cubic") && becomes(name, "reno  cubic", "reno"));
	CHECK(set(name, saved) == 0 && is(name, saved));
}

static void numbers_in_rows(void)
{
	static const char name[] = "net/ipv4/tcp_mem";

	save(name);
	CHECK(becomes(name, "10000 20000 30000", "10000\t20000\t30000"));
	CHECK(becomes(name, "11000", "11000\t20000\t30000"));
	CHECK_ERR(set(name, "-1"), EINVAL);
	CHECK(becomes(name, saved, saved));
	CHECK(set("net/ipv4/route/flush", "1") == 0 && set("net/ipv4/route/flush", "x") == 0);
	CHECK_ERR(open("/proc/sys/net/ipv4/route/flush", O_RDONLY), EACCES);
}

/* @value is written at @pos, taken whole, and leaves @want. */
static int at(const char *name, const char *value, long pos, const char *want)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_WRONLY);
	n = pwrite(fd, value, strlen(value), pos);
	close(fd);
	return n == (ssize_t)strlen(value) && is(name, want);
}

/* Behind the start a text is lengthened, all else is taken and forgotten; what a number is. */
static void positions(void)
{
	static const char *const texts[] = { "kernel/domainname", "kernel/core_pattern" };
	static const char number[] = "vm/overcommit_memory";
	char path[128];
	int fd;

	for (int i = 0; i < 2; i++) {
		save(texts[i]);
		CHECK(at(texts[i], "abcdef", 0, "abcdef") && at(texts[i], "XY", 2, "abXY"));
		CHECK(at(texts[i], "-", 4, "abXY-") && at(texts[i], "Z", 6, "abXY-"));
		CHECK(at(texts[i], "Z", 300, "abXY-") && at(texts[i], "c\nd", 1, "ac"));
		snprintf(path, sizeof(path), "/proc/sys/%s", texts[i]);
		fd = open(path, O_WRONLY);
		CHECK(write(fd, "one", 3) == 3 && write(fd, "two\n", 4) == 4);
		CHECK(is(texts[i], "onetwo") && write(fd, "three", 5) == 5);
		CHECK(is(texts[i], "onetwo"));
		close(fd);
		CHECK(becomes(texts[i], saved, saved));
	}
	save(number);
	CHECK(at(number, "0\n", 0, "0") && at(number, "1", 1, "0") && at(number, "x", 9, "0"));
	CHECK(at("kernel/sem", "1", 1, get("kernel/sem")));
	fd = open("/proc/sys/vm/overcommit_memory", O_RDWR);
	CHECK(pwrite(fd, "1  2", 4, 0) == 3 && is(number, "1"));
	CHECK_ERR(pwrite(fd, "+0", 2, 0), EINVAL);
	CHECK_ERR(pwrite(fd, "0\0", 2, 0), EINVAL);
	CHECK(pwrite(fd, "0 \0", 3, 0) == 2 && is(number, "0"));
	CHECK(lseek(fd, 0, SEEK_END) == 0 && lseek(fd, 5, SEEK_END) == 5);
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	close(fd);
	CHECK(becomes(number, saved, saved));
}

/* How much may come beside a message. */
static void option_memory(void)
{
	static const char name[] = "net/core/optmem_max";
	static char control[4096];
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_control = control,
			    .msg_controllen = 1000 };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	save(name);
	CHECK(becomes(name, "1000", "1000"));
	CHECK(sendmsg(s, &m, 0) == -1 && errno == ENOBUFS);
	CHECK(set(name, "1001") == 0 && sendmsg(s, &m, 0) == -1 && errno == EINVAL);
	CHECK(becomes(name, saved, saved));
	close(s);
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	file_max();
	shared_memory();
	semaphores();
	tainted();
	turns();
	last_pid();
	congestion_control();
	numbers_in_rows();
	option_memory();
	positions();
	return tap_done();
}
