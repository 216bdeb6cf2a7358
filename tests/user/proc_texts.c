/*
 * proc(5): that the texts which ps, top, free, vmstat and uptime read tell the truth: of a process
 * stat, status, statm, maps, environ, exe, wchan, limits; of the system stat, meminfo, vmstat, cpuinfo,
 * loadavg, uptime, slabinfo, swaps, sysvipc, random; the nodes of null(4), full(4) and their like.
 * Runs as root.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/random.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include "proc_text.h"

#define CHUNK (16u << 20)
#define MOST (4 * CHUNK - (1u << 20)) /* of four: Linux counts the last pages later */

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Pages that are there from now on. */
static char *touched(size_t size)
{
	char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(m != MAP_FAILED);
	memset(m, 1, size);
	return m;
}

/* Field @n of a stat file, behind the name in parentheses. */
static unsigned long long stat_field(const char *path, int n)
{
	char *at = slurp(path) > 0 ? strrchr(text, ')') : NULL;

	for (int i = 2; at && i < n; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : ~0ull;
}

static void processor_time(void)
{
	unsigned long long before = stat_field("/proc/self/stat", 14), now;
	double start = (double)stat_field("/proc/self/stat", 22) / 100;
	volatile unsigned n = 0;

	CHECK(start > 0 && start <= seconds(CLOCK_BOOTTIME) + 0.01);
	do {
		for (int i = 0; i < 1000000; i++)
			n++;
		now = stat_field("/proc/self/stat", 14);
	} while (now < before + 5);
	CHECK((double)now / 100 <= seconds(CLOCK_PROCESS_CPUTIME_ID) + 0.01);
}

/* Resident memory in all the places that tell of it. */
static void resident(void)
{
	unsigned long long stat0 = stat_field("/proc/self/stat", 24), status0, rss = 0;
	unsigned long long free0;
	struct sysinfo info;
	char *m;

	CHECK(slurp("/proc/self/status") > 0);
	status0 = field("\nVmRSS:");
	CHECK(slurp("/proc/meminfo") > 0 && !sysinfo(&info));
	CHECK(field("MemTotal:") * 1024 == (unsigned long long)info.totalram * info.mem_unit);
	free0 = field("MemFree:");
	m = touched(4 * CHUNK);
	CHECK(stat_field("/proc/self/stat", 24) >= stat0 + MOST / 4096);
	CHECK(slurp("/proc/self/status") > 0 && field("\nVmRSS:") >= status0 + MOST / 1024);
	CHECK(field("\nVmHWM:") >= field("\nVmRSS:") && field("\nVmSize:") >= field("\nVmRSS:"));
	CHECK(field("\nRssAnon:") >= MOST / 1024);
	CHECK(slurp("/proc/self/statm") > 0 && sscanf(text, "%*u %llu", &rss) == 1);
	CHECK(rss >= MOST / 4096);
	CHECK(slurp("/proc/meminfo") > 0 && field("MemFree:") + 2 * CHUNK / 1024 < free0);
	CHECK(field("AnonPages:") >= MOST / 1024);
	munmap(m, 4 * CHUNK);
	CHECK(slurp("/proc/self/status") > 0 && field("\nVmHWM:") >= status0 + MOST / 1024 &&
	      field("\nVmRSS:") < status0 + CHUNK / 1024);
}

static unsigned long long hex(const char *name)
{
	char *p = strstr(text, name);

	return p ? strtoull(p + strlen(name), NULL, 16) : ~0ull;
}

static void on_signal(int sig)
{
}

static void status_of_signals(void)
{
	const unsigned long long usr1 = 1ull << (SIGUSR1 - 1), usr2 = 1ull << (SIGUSR2 - 1);
	sigset_t set, old;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	kill(getpid(), SIGUSR1);
	CHECK(slurp("/proc/self/status") > 0 && hex("\nShdPnd:") == usr1 && hex("\nSigPnd:") == 0);
	CHECK(hex("\nSigBlk:") & usr1 && hex("\nSigCgt:") & usr1 && !(hex("\nSigIgn:") & usr1));
	CHECK(hex("\nSigIgn:") & usr2 && !(hex("\nSigCgt:") & usr2));
	CHECK(field("\nSigQ:") >= 1 && sigwait(&set, &sig) == 0 && sig == SIGUSR1);
	pthread_kill(pthread_self(), SIGUSR1);
	CHECK(slurp("/proc/self/status") > 0 && hex("\nSigPnd:") == usr1 && !hex("\nShdPnd:"));
	sigwait(&set, &sig);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGUSR2, SIG_DFL);
}

/* What a child that has changed much of itself says. */
static int changed(void)
{
	cpu_set_t one;
	char line[64];

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	umask(026);
	if (sched_setaffinity(0, sizeof(one), &one) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    setpgid(0, 0) || setgid(7) || setresuid(1, 2, 3) || slurp("/proc/self/status") <= 0)
		return 1;
	snprintf(line, sizeof(line), "\nPid:\t%d\nPPid:\t%d\n", getpid(), getppid());
	if (!strstr(text, line) || !strstr(text, "\nUid:\t1\t2\t3\t2\n") ||
	    !strstr(text, "\nGid:\t7\t7\t7\t7\n"))
		return 2;
	if (!strstr(text, "\nUmask:\t0026\n") || !strstr(text, "\nState:\tR (running)\n"))
		return 3;
	if (!strstr(text, "\nCpus_allowed_list:\t0\n") || field("\nNoNewPrivs:") != 1)
		return 4;
	if (field("\nTracerPid:") != 0 || field("\nvoluntary_ctxt_switches:") > 1000000 ||
	    hex("\nCapEff:") != 0)
		return 5;
	return stat_field("/proc/self/stat", 5) != (unsigned long long)getpid();
}

static void limits_of(void)
{
	struct rlimit old, r;

	CHECK(!getrlimit(RLIMIT_NOFILE, &old));
	r = (struct rlimit){ 77, old.rlim_max };
	CHECK(!setrlimit(RLIMIT_NOFILE, &r) && slurp("/proc/self/limits") > 0);
	CHECK(field("\nMax open files            ") == 77);
	CHECK(strstr(text, "\nMax core file size ") && strstr(text, " unlimited "));
	CHECK(!setrlimit(RLIMIT_NOFILE, &old));
}

/* A map of a file: protection, offset, device, number and name. */
static void mapped_file(void)
{
	char path[] = "/tmp/proc_texts.XXXXXX", want[256];
	int fd = mkstemp(path);
	struct stat st;
	char *m;

	REQUIRE(fd >= 0 && !ftruncate(fd, 16384) && !fstat(fd, &st));
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	snprintf(want, sizeof(want), "%lx-%lx rw-s 00001000 %02x:%02x %lu ", (long)m,
		 (long)m + 8192, major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
	CHECK(slurp("/proc/self/maps") > 0 && strstr(text, want) && strstr(text, path));
	unlink(path);
	strcat(path, " (deleted)\n");
	CHECK(slurp("/proc/self/maps") > 0 && strstr(text, want) && strstr(text, path));
	munmap(m, 8192);
	close(fd);
}

/* Arguments without an end, as setproctitle(3) leaves them: the text goes on behind them. */
static int title(char *args, size_t last)
{
	char want[PATH_MAX];

	args[4] = args[14] = ' ';
	args[last] = '-';
	snprintf(want, sizeof(want), "%.*s-A=9", (int)last, args);
	return slurp("/proc/self/cmdline") != (ssize_t)strlen(want) + 1 || strcmp(text, want) ? 7
											      : 0;
}

/* The program under another name, which it takes away: 0 if all is told of it. */
static int is_deleted(const char *name)
{
	char link[PATH_MAX] = "", want[PATH_MAX];

	snprintf(want, sizeof(want), "%s (deleted)", name);
	if (readlink("/proc/self/exe", link, sizeof(link) - 1) < 0 || strcmp(link, name))
		return 1;
	if (slurp("/proc/self/environ") != 10 || memcmp(text, "A=1\0B=two\0", 10))
		return 2;
	if (slurp("/proc/self/cmdline") != (ssize_t)(15 + strlen(name) + 1) ||
	    memcmp(text, "some\0arguments\0", 15))
		return 3;
	environ[0][2] = '9'; /* it is the memory itself that is shown */
	if (slurp("/proc/self/environ") != 10 || memcmp(text, "A=9", 4))
		return 4;
	memset(link, 0, sizeof(link));
	if (unlink(name) || readlink("/proc/self/exe", link, sizeof(link) - 1) < 0)
		return 5;
	if (strcmp(link, want) != 0)
		return 6;
	return title((char *)name - 15, strlen(name) + 15);
}

static void program(void)
{
	static char name[] = "/tmp/proc_texts.copy";
	char *const argv[] = { "some", "arguments", name, NULL };
	char *const env[] = { "A=1", "B=two", NULL };
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT, 0755);
	int status = -1;
	pid_t pid;

	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	close(to), close(from);
	pid = fork();
	if (!pid) {
		execve(name, argv, env);
		_exit(9);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* Where one sleeps: the name of something in the kernel. */
static void sleeps_in(void)
{
	char path[64];
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	CHECK(EVENTUALLY(slurp(path) > 1 && (isalpha(text[0]) || text[0] == '_')));
	CHECK(slurp("/proc/self/wchan") == 1 && text[0] == '0');
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	CHECK(EVENTUALLY(slurp(path) > 0 && isdigit(text[0])));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Pairs until AT_NULL, as the program was given them. */
static void auxiliary(void)
{
	unsigned long v[128];
	ssize_t n = slurp("/proc/self/auxv");
	int same = 0, i = 0;

	REQUIRE(n > 0 && n <= (ssize_t)sizeof(v) && n % 16 == 0);
	memcpy(v, text, (size_t)n);
	for (; v[i] != AT_NULL; i += 2)
		same += getauxval(v[i]) == v[i + 1];
	CHECK(same == i / 2 && same > 15 && getauxval(AT_PAGESZ) == 4096);
	CHECK(n == (i + 2) * 8);
}

/* A link of fd/ leads to what is open, also when it has no name any more. */
static void descriptor_links(void)
{
	char path[] = "/tmp/proc_texts.XXXXXX", link[64], name[64] = "", c = 0;
	int fd = mkstemp(path), again, p[2];

	REQUIRE(fd >= 0 && write(fd, "x", 1) == 1 && !unlink(path) && !pipe(p));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(readlink(link, name, sizeof(name) - 1) > 0 && !strncmp(name, path, strlen(path)) &&
	      !strcmp(name + strlen(path), " (deleted)"));
	again = open(link, O_RDONLY);
	CHECK(again >= 0 && read(again, &c, 1) == 1 && c == 'x');
	snprintf(link, sizeof(link), "/proc/self/fd/%d", p[0]);
	CHECK(readlink(link, name, sizeof(name) - 1) > 7 && !strncmp(name, "pipe:[", 6));
	close(fd), close(again);
	again = open(link, O_WRONLY | O_NONBLOCK);
	CHECK(again >= 0 && write(again, "y", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'y');
	close(again), close(p[0]), close(p[1]);
}

static int other_slack(const char *path)
{
	int fd = open(path, O_RDWR);

	return setgid(1000) || setuid(1000) || read(fd, text, 10) != -1 || errno != EPERM ||
	       write(fd, "7", 1) != -1 || errno != EPERM || write(fd, "x", 1) != -1 ||
	       errno != EINVAL;
}

/* timerslack_ns: for oneself and who has CAP_SYS_NICE, of a zombie, too. */
static void slack(void)
{
	char path[64];
	int status = -1;
	siginfo_t info;
	pid_t look, child = fork();

	if (!child)
		_exit(prctl(PR_SET_TIMERSLACK, 4321) || setgid(1000) || setuid(1000));
	REQUIRE(child > 0 && !waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", child);
	CHECK(slurp(path) == 5 && !strcmp(text, "4321\n"));
	CHECK(!spit(path, "99\n") && slurp(path) == 3 && !strcmp(text, "99\n"));
	CHECK(spit(path, "-1") == -1 && errno == EINVAL);
	CHECK(spit(path, "0x10") == -1 && errno == EINVAL);
	CHECK(spit(path, "1 ") == -1 && errno == EINVAL);
	look = fork();
	if (!look)
		_exit(other_slack(path));
	CHECK(waitpid(look, &status, 0) == look && status == 0);
	CHECK(!spit(path, "0") && slurp(path) == 6 && !strcmp(text, "50000\n"));
	waitpid(child, NULL, 0);
}

static long long clock_now(void)
{
	return slurp("/sys/class/rtc/rtc0/since_epoch") > 0 ? atoll(text) : -1;
}

/* date and time say what since_epoch does, all of them within one second. */
static int same_second(void)
{
	long long now = clock_now();
	time_t t = (time_t)now;
	char want[32], got[32];
	struct tm tm;

	strftime(want, sizeof(want), "%Y-%m-%d\n%H:%M:%S\n", gmtime_r(&t, &tm));
	if (slurp("/sys/class/rtc/rtc0/date") != 11)
		return 0;
	strcpy(got, text);
	if (slurp("/sys/class/rtc/rtc0/time") != 9)
		return 0;
	strcat(got, text);
	return clock_now() == now && !strcmp(got, want);
}

/* What udev's rules and hwclock(8) read of the clock that keeps time. */
static void clock_attributes(void)
{
	if (access("/sys/class/rtc/rtc0", F_OK))
		return;
	CHECK(slurp("/sys/class/rtc/rtc0/name") > 0 && !strcmp(text, "rtc-pl031 9010000.pl031\n"));
	CHECK(slurp("/sys/class/rtc/rtc0/hctosys") == 2 && !strcmp(text, "1\n"));
	CHECK(clock_now() > 1000000000 && EVENTUALLY(same_second()));
}

static void scheduling(void)
{
	char want[64], name[16];

	prctl(PR_GET_NAME, name);
	snprintf(want, sizeof(want), "%s (%d, #threads: 1)\n", name, getpid());
	CHECK(slurp("/proc/self/sched") > 0 && !strncmp(text, want, strlen(want)));
	CHECK(strstr(text, "\nnr_switches ") && strstr(text, "\npolicy "));
	CHECK(personality(ADDR_NO_RANDOMIZE) != -1);
	CHECK(slurp("/proc/self/personality") == 9 && !strcmp(text, "00040000\n"));
	CHECK(personality(0) != -1);
	CHECK(slurp("/proc/consoles") > 0 && strstr(text, " (E") && strstr(text, "-W"));
}

/* pwrite(2) is for files that are written whole; not for those that are lists of records. */
static void written_at(void)
{
	static const char *const files[] = { "oom_score_adj", "coredump_filter", "comm",
					     "timerslack_ns" };
	static const char *const values[] = { "0", "33", "it", "50000" };
	char path[64];

	for (int i = 0; i < 4; i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		fd = open(path, O_RDWR);
		if (i < 2)
			CHECK(pwrite(fd, values[i], strlen(values[i]), 0) > 0);
		else
			CHECK_ERR(pwrite(fd, values[i], strlen(values[i]), 0), ESPIPE);
		CHECK(pread(fd, path, 1, 0) == 1 && write(fd, values[i], strlen(values[i])) > 0);
		close(fd);
	}
}

static void unset(void)
{
	CHECK(slurp("/proc/self/loginuid") == 10 && !strcmp(text, "4294967295"));
	CHECK(slurp("/proc/self/sessionid") == 10 && !strcmp(text, "4294967295"));
	CHECK(slurp("/proc/self/cpuset") == 2 && !strcmp(text, "/\n"));
}

/* Under a login that is said once, as a user: 0 if all is as it should be. */
static int logs_in(pid_t parent)
{
	char path[64];
	int fd = open("/proc/self/loginuid", O_RDWR | O_NOFOLLOW), st = 1;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/loginuid", parent);
	if (spit(path, "7") != -1 || errno != EPERM || spit("/proc/self/loginuid", "x") != -1 ||
	    errno != EINVAL)
		return 1;
	if (lseek(fd, 0, SEEK_SET) || ftruncate(fd, 0) || write(fd, "1000", 4) != 4)
		return 2;
	if (slurp("/proc/self/loginuid") != 4 || strcmp(text, "1000"))
		return 3;
	if (slurp("/proc/self/sessionid") <= 0 || field("") == 4294967295)
		return 4;
	if (spit("/proc/self/loginuid", "1001") || setgid(1000) || setuid(1000))
		return 5;
	pid = fork();
	if (!pid)
		_exit(slurp("/proc/self/loginuid") != 4 || strcmp(text, "1001") ||
		      write(fd, "1002", 4) != -1 || errno != EPERM);
	if (pwrite(fd, "1002", 4, 0) != -1 || errno != EPERM)
		return 7;
	return waitpid(pid, &st, 0) != pid || st ? 6 : 0;
}

/* oom_score_adj: what is raised without privilege comes down again, to where it was. */
static int raises(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR), old;

	if (pwrite(fd, "-5", 2, 0) != 2 || setgid(1000) || setuid(1000))
		return 1;
	if (pwrite(fd, "500", 3, 0) != 3 || pwrite(fd, "-5", 2, 0) != 2 ||
	    pwrite(fd, "-6", 2, 0) != -1 || errno != EACCES)
		return 2;
	old = open("/proc/self/oom_adj", O_RDWR);
	return old >= 0 &&
	       (pwrite(old, "3", 1, 0) != 1 || pwrite(old, "2", 1, 0) != -1 || errno != EACCES);
}

static int in_child(int (*fn)(void))
{
	int st = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int child_logs_in(void)
{
	return logs_in(getppid());
}

static int lines_with(const char *what)
{
	int n = 0;

	for (char *p = text; (p = strstr(p, what)); p++)
		n += p == text || p[-1] == '\n';
	return n;
}

static void processors(void)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long long switches, forks, idle, user, t;
	double now = seconds(CLOCK_REALTIME), up = seconds(CLOCK_BOOTTIME);

	CHECK(slurp("/proc/cpuinfo") > 0 && lines_with("processor\t: ") == cpus);
	CHECK(lines_with("Features\t: fp asimd ") == cpus && lines_with("CPU part\t: 0x") == cpus);
	CHECK(slurp("/proc/stat") > 0 && lines_with("cpu") == cpus + 1 && lines_with("cpu ") == 1);
	t = field("\nbtime ");
	CHECK((double)t > now - up - 2 && (double)t < now - up + 2);
	switches = field("\nctxt ");
	forks = field("\nprocesses ");
	CHECK(field("\nprocs_running ") >= 1);
	if (!fork())
		_exit(0);
	wait(NULL);
	CHECK(slurp("/proc/stat") > 0 && field("\nctxt ") > switches &&
	      field("\nprocesses ") >= forks + 1);
	CHECK(sscanf(text, "cpu  %llu %*u %*u %llu", &user, &idle) == 2 && user > 0);
	CHECK((double)(user + idle) / 100 <= (seconds(CLOCK_BOOTTIME) + 1) * cpus);
}

static void since_start(void)
{
	double up, idle, before = seconds(CLOCK_BOOTTIME), load[3];
	unsigned running, all, last;
	pid_t pid;

	CHECK(slurp("/proc/uptime") > 0 && sscanf(text, "%lf %lf\n", &up, &idle) == 2);
	CHECK(up >= before - 0.02 && up <= seconds(CLOCK_BOOTTIME) + 0.02 && idle > 0);
	pid = fork();
	if (!pid)
		_exit(0);
	CHECK(slurp("/proc/loadavg") > 0 && sscanf(text, "%lf %lf %lf %u/%u %u\n", load, load + 1,
						   load + 2, &running, &all, &last) == 6);
	CHECK(load[0] >= 0 && load[0] < 1000 && running >= 1 && running <= all && all >= 3);
	CHECK(last >= (unsigned)pid);
	waitpid(pid, NULL, 0);
}

static void counters(void)
{
	unsigned long long faults, allocated;
	char *m;

	CHECK(slurp("/proc/vmstat") > 0 && field("nr_free_pages ") > 0);
	faults = field("\npgfault ");
	allocated = field("\npgalloc_normal ") + field("\npgalloc_dma ");
	m = touched(CHUNK);
	CHECK(slurp("/proc/vmstat") > 0 && field("\npgfault ") >= faults + 8);
	CHECK(field("\npgalloc_normal ") + field("\npgalloc_dma ") >= allocated);
	munmap(m, CHUNK);
	CHECK(slurp("/proc/slabinfo") > 0 &&
	      !strncmp(text, "slabinfo - version: 2.1\n# name ", 31));
	CHECK(strstr(text, "\ndentry ") != NULL);
	CHECK(slurp("/proc/swaps") > 0 &&
	      !strcmp(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"));
}

static void shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, 12345, 0640);
	int perms, got_id, key, found = 0;
	unsigned long size;

	CHECK(id >= 0 && slurp("/proc/sysvipc/shm") > 0 && strstr(text, " shmid perms "));
	for (char *p = strchr(text, '\n'); p && p[1]; p = strchr(p + 1, '\n'))
		found += sscanf(p + 1, "%d %d %o %lu", &key, &got_id, &perms, &size) == 4 &&
			 got_id == id && perms == 0640 && size == 12345;
	CHECK(found == 1 && !shmctl(id, IPC_RMID, NULL));
	CHECK(slurp("/proc/sysvipc/sem") > 0 && strstr(text, "semid perms"));
	CHECK(slurp("/proc/sysvipc/msg") > 0 && strstr(text, "msqid perms"));
}

static void random_settings(void)
{
	char first[64], boot[64];

	CHECK(slurp("/proc/sys/kernel/random/uuid") == 37 && text[14] == '4' && text[8] == '-');
	strcpy(first, text);
	CHECK(slurp("/proc/sys/kernel/random/uuid") == 37 && strcmp(text, first) != 0);
	CHECK(slurp("/proc/sys/kernel/random/boot_id") == 37);
	strcpy(boot, text);
	CHECK(slurp("/proc/sys/kernel/random/boot_id") == 37 && !strcmp(text, boot));
	CHECK(slurp("/proc/sys/kernel/random/entropy_avail") > 0 && field("") == 256);
}

static int is_node(const char *path, unsigned ma, unsigned mi, unsigned mode)
{
	struct stat st;

	return !stat(path, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(ma, mi) &&
	       (mode == 0 || (st.st_mode & 0777) == mode);
}

/* random(4): what root may do to the pool, and others not. */
static void entropy(int fd)
{
	struct {
		int bits, size;
		char bytes[8];
	} info = { 8, 8, "secrets" };
	int n = 0, status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(setuid(1000) || ioctl(fd, RNDADDENTROPY, &info) != -1 || errno != EPERM ||
		      ioctl(fd, RNDGETENTCNT, &n) || ioctl(fd, RNDRESEEDCRNG) != -1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(!ioctl(fd, RNDGETENTCNT, &n) && n == 256);
	CHECK(!ioctl(fd, RNDADDENTROPY, &info) && !ioctl(fd, RNDRESEEDCRNG));
	info.bits = -1;
	CHECK_ERR(ioctl(fd, RNDADDENTROPY, &info), EINVAL);
	CHECK_ERR(ioctl(fd, RNDADDENTROPY, 8), EFAULT);
	n = -1;
	CHECK_ERR(ioctl(fd, RNDADDTOENTCNT, &n), EINVAL);
	n = 0;
	CHECK(!ioctl(fd, RNDADDTOENTCNT, &n) && !ioctl(fd, RNDZAPENTCNT) &&
	      !ioctl(fd, RNDCLEARPOOL));
	CHECK_ERR(ioctl(fd, _IO('R', 0x55)), EINVAL);
}

/* Those that need no hardware: what they are and what comes out of them. */
static void nodes(void)
{
	static const char none[4096];
	char a[4096], b[4096];
	int fd;

	CHECK(is_node("/dev/null", 1, 3, 0666) && is_node("/dev/zero", 1, 5, 0666));
	CHECK(is_node("/dev/full", 1, 7, 0666) && is_node("/dev/random", 1, 8, 0666));
	CHECK(is_node("/dev/urandom", 1, 9, 0666) && is_node("/dev/kmsg", 1, 11, 0));
	CHECK(is_node("/dev/tty", 5, 0, 0666) && is_node("/dev/console", 5, 1, 0));
	CHECK(is_node("/dev/ptmx", 5, 2, 0666));
	fd = open("/dev/null", O_RDWR);
	CHECK(write(fd, none, 4096) == 4096 && read(fd, a, 10) == 0 &&
	      lseek(fd, 99, SEEK_END) == 0);
	close(fd);
	memset(a, 1, sizeof(a));
	fd = open("/dev/zero", O_RDWR);
	CHECK(read(fd, a, 4096) == 4096 && !memcmp(a, none, 4096) && write(fd, a, 9) == 9);
	close(fd);
	fd = open("/dev/full", O_RDWR);
	CHECK(read(fd, a, 1) == 1 && a[0] == 0);
	CHECK_ERR(write(fd, a, 1), ENOSPC);
	close(fd);
	fd = open("/dev/urandom", O_RDWR);
	CHECK(read(fd, a, 4096) == 4096 && read(fd, b, 4096) == 4096 && memcmp(a, b, 4096));
	CHECK(memcmp(a, none, 64) && write(fd, a, 100) == 100);
	entropy(fd);
	close(fd);
}

int main(int argc, char **argv)
{
	int status = -1;
	pid_t pid;

	if (!strcmp(argv[0], "some"))
		return is_deleted(argv[2]);
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	processor_time();
	resident();
	status_of_signals();
	pid = fork();
	if (!pid)
		_exit(changed());
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	limits_of();
	mapped_file();
	program();
	sleeps_in();
	auxiliary();
	descriptor_links();
	scheduling();
	slack();
	clock_attributes();
	written_at();
	unset();
	CHECK(in_child(child_logs_in) == 0);
	CHECK(in_child(raises) == 0);
	unset();
	processors();
	since_start();
	counters();
	shared_memory();
	random_settings();
	nodes();
	return tap_done();
}
