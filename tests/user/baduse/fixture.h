#pragma once
/*
 * What rows of bad use are about: memory of every sort at known addresses, a descriptor of every
 * sort under a known number, and a folder with every sort of file, which is the current one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096L
#define A_BASE 0x1000000000L
#define A_BUF (A_BASE + 0x100000) /* outputs: ARG_ROOM for each argument; nothing behind */
#define A_IN (A_BASE + 0x200000) /* inputs: ARG_ROOM for each argument; nothing behind */
#define A_END (A_BASE + 0x302000) /* the end of a mapping of two pages */
#define A_NONE (A_BASE + 0x400000) /* no access */
#define A_RO (A_BASE + 0x500000) /* read-only, after its contents are put there */
#define A_EOF (A_BASE + 0x600000) /* of a file, behind its end */
#define A_HOLE (A_BASE + 0x700000) /* nothing */
#define A_MAP (A_BASE + 0x800000) /* eight pages to work on, the last two of them read-only */
#define A_FILE (A_BASE + 0x900000) /* four pages of a shared file mapping */
#define A_AUX (A_BASE + 0xa00000) /* what inputs point to, a page of 'a' */
#define ARG_ROOM 0x4000L

enum {
	FD_FILE = 10, /* "file", read and write */
	FD_RDONLY,
	FD_WRONLY,
	FD_DIR,
	FD_PATH, /* O_PATH */
	FD_PIPE_R, /* 16 bytes wait in it */
	FD_PIPE_W,
	FD_EPOLL,
	FD_EVENT,
	FD_TIMER,
	FD_TTY, /* the slave of a pseudo terminal */
	FD_PTMX, /* and its master */
	FD_NULL,
	FD_PROC,
	FD_PIDFD,
	FD_MEMFD,
	FD_SOCKET, /* Unix stream, connected */
	FD_SIGNAL,
	FD_INOTIFY,
	FD_ZERO,
	FD_APPEND,
	FD_EMPTY_R, /* an empty pipe */
	FD_EMPTY_W,
	FD_DIR_PATH, /* a folder by O_PATH */
	FD_UDP,
	FD_LISTEN, /* Unix stream, listening */
	FD_BIG, /* a file of 64 KiB, the middle a hole */
	FD_FULL, /* /dev/full */
	FD_SYS, /* a file of sysfs */
	FD_LAST,
	FD_OWN = 120, /* the folder, for the test itself */
	FD_CLOSED = 99,
};

#define FIXTURE_TOP "/tmp/baduse" /* no mount, so that one on ".." can be taken away */
static const char fixture_dir[] = FIXTURE_TOP "/dir";

/*
 * Programs that rows of exec begin, this one, with whatever arguments, must end at once. They know
 * themselves by a limit that nothing else depends on.
 */
#define MARK_RESOURCE RLIMIT_RTTIME
#define MARK_VALUE 4242424242

static inline void fixture_mark(void)
{
	setrlimit(MARK_RESOURCE, &(struct rlimit){ MARK_VALUE, MARK_VALUE });
}

static inline void fixture_end_if_marked(void)
{
	struct rlimit r;

	if (!getrlimit(MARK_RESOURCE, &r) && r.rlim_max == MARK_VALUE)
		_exit(77);
}

/* The newest record of the kernel's log is short, and everybody may read it. */
static inline void fixture_log(void)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	write(fd, "<7>bad use\n", 11);
	close(fd);
	fd = open("/proc/sys/kernel/dmesg_restrict", O_WRONLY | O_CLOEXEC);
	write(fd, "0", 1);
	close(fd);
}

static void fix_at(int want, int fd)
{
	if (fd >= 0 && fd != want) {
		dup3(fd, want, O_CLOEXEC);
		close(fd);
	}
}

static void fix_map(long addr, long pages, int prot, int flags, int fd)
{
	void *p = mmap((void *)addr, pages * PAGE, prot, flags | MAP_FIXED, fd, 0);

	if (p == MAP_FAILED) {
		perror("fixture: mmap");
		exit(2);
	}
}

/* Memory, once: children inherit it. */
static void fixture_memory(void)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
	int fd;

	mkdir(FIXTURE_TOP, 0777);
	mkdir(fixture_dir, 0777);
	fix_map(A_BUF, 6 * ARG_ROOM / PAGE, rw, anon, -1);
	fix_map(A_IN, 6 * ARG_ROOM / PAGE, rw, anon, -1);
	fix_map(A_END - 2 * PAGE, 2, rw, anon, -1);
	fix_map(A_NONE, 4, PROT_NONE, anon, -1);
	fix_map(A_RO, 2, rw, anon, -1);
	fix_map(A_MAP, 8, rw, anon, -1);
	mprotect((char *)A_MAP + 6 * PAGE, 2 * PAGE, PROT_READ);
	fix_map(A_AUX, 1, rw, anon, -1);
	memset((void *)A_MAP, 1, 4 * PAGE);
	memset((void *)A_AUX, 'a', PAGE);
	strcpy((char *)A_AUX + 4000, "word"); /* what rows of exec say */
	fd = open("/tmp/baduse-map", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4 * PAGE)) {
		perror("fixture: /tmp/baduse-map");
		exit(2);
	}
	fix_map(A_FILE, 4, rw, MAP_SHARED, fd);
	close(fd);
	unlink("/tmp/baduse-map");
	fd = open("/tmp/baduse-eof", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fix_map(A_EOF, 2, rw, MAP_SHARED, fd);
	close(fd);
	unlink("/tmp/baduse-eof");
}

/* Everything in the current folder goes. */
static void fix_clear(int dirfd_)
{
	DIR *d = fdopendir(dirfd_);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) && (errno == EISDIR || errno == EPERM)) {
			int sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			if (sub >= 0)
				fix_clear(sub);
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
		}
	}
	if (d)
		closedir(d);
}

static void fix_file(const char *name, int mode, long size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char text[100];

	memset(text, 'x', sizeof(text));
	if (fd < 0)
		return;
	if (size)
		write(fd, text, sizeof(text));
	if (size > 100)
		pwrite(fd, text, sizeof(text), size - 100);
	fchmod(fd, mode);
	close(fd);
}

/* What rows name outside of the folder, as it was. */
static void fixture_outside(void)
{
	static const struct {
		const char *path;
		int mode;
	} kept[] = {
		{ "/sys/kernel", 0755 }, { "/dev/ptmx", 0666 },
		{ "/dev/null", 0666 },	 { "/dev/zero", 0666 },
		{ "/dev/full", 0666 },	 { "/sys/devices/system/cpu/online", 0444 },
		{ FIXTURE_TOP, 0755 },
	};

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		removexattr(kept[i].path, "trusted.a");
		removexattr(kept[i].path, "user.a");
		chown(kept[i].path, 0, 0);
		chmod(kept[i].path, kept[i].mode);
	}
}

/* The folder's contents, anew. Owned by @owner, except what begins with "root". */
static void fixture_files(int owner)
{
	static const char *const owned[] = { ".",	 "file", "dir", "dir/f", "link",
					     "dangling", "loop", "ro",	"priv",	 "fifo",
					     "big",	 "hard", "mnt", "empty" };

	umask(022);
	chmod(FIXTURE_TOP, 0755);
	chmod(fixture_dir, 0755);
	if (chdir(fixture_dir)) {
		perror(fixture_dir);
		_exit(2);
	}
	fix_clear(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	removexattr(".", "trusted.a");
	removexattr(".", "user.a");
	fixture_outside();
	fix_file("file", 0644, 100);
	fix_file("ro", 0444, 100);
	fix_file("priv", 0600, 100);
	fix_file("rootfile", 0600, 100);
	fix_file("big", 0644, 65536);
	mkdir("dir", 0755);
	mkdir("mnt", 0755);
	mkdir("empty", 0755);
	mkdir("rootdir", 0700);
	fix_file("dir/f", 0644, 100);
	link("dir/f", "hard");
	symlink("file", "link");
	symlink("nowhere", "dangling");
	symlink("loop", "loop");
	symlink("/proc/self/exe", "exe");
	mkfifo("fifo", 0644);
	for (unsigned i = 0; owner && i < sizeof(owned) / sizeof(owned[0]); i++)
		lchown(owned[i], owner, owner);
}

/* Which descriptors to make: a bit for each, from FD_FILE on. */
static uint64_t fix_wanted = ~0ull;

static int fix_wants(int fd)
{
	return fix_wanted >> (fd - FD_FILE) & 1;
}

static void fix_pipe(int r, int w, int bytes)
{
	char text[64] = "";
	int p[2];

	if ((!fix_wants(r) && !fix_wants(w)) || pipe2(p, O_CLOEXEC))
		return;
	write(p[1], text, bytes);
	fix_at(r, p[0]);
	fix_at(w, p[1]);
}

static void fix_tty(void)
{
	int n, fd, zero = 0;
	char name[32];

	if (!fix_wants(FD_TTY) && !fix_wants(FD_PTMX))
		return;
	fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	ioctl(fd, TIOCSPTLCK, &zero);
	ioctl(fd, TIOCGPTN, &n);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	fix_at(FD_TTY, open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
	fix_at(FD_PTMX, fd);
}

static void fix_sockets(void)
{
	int s[2];

	if (fix_wants(FD_SOCKET) && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s)) {
		fix_at(FD_SOCKET, s[0]);
		fix_at(FD_SOCKET + 80, s[1]);
	}
	if (fix_wants(FD_UDP))
		fix_at(FD_UDP, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (!fix_wants(FD_LISTEN))
		return;
	s[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s[0] >= 0 && !listen(s[0], 1))
		fix_at(FD_LISTEN, s[0]);
	else if (s[0] >= 0)
		close(s[0]);
}

/* Files by name, each open in one way. */
static void fix_open(void)
{
	static const struct {
		int fd;
		const char *path;
		int flags;
	} files[] = {
		{ FD_FILE, "file", O_RDWR },
		{ FD_RDONLY, "file", O_RDONLY },
		{ FD_WRONLY, "file", O_WRONLY },
		{ FD_DIR, "dir", O_RDONLY | O_DIRECTORY },
		{ FD_PATH, "file", O_PATH },
		{ FD_DIR_PATH, "dir", O_PATH },
		{ FD_APPEND, "file", O_RDWR | O_APPEND },
		{ FD_BIG, "big", O_RDWR },
		{ FD_NULL, "/dev/null", O_RDWR },
		{ FD_ZERO, "/dev/zero", O_RDWR },
		{ FD_FULL, "/dev/full", O_RDWR },
		{ FD_PROC, "/proc/self/status", O_RDONLY },
		{ FD_SYS, "/sys/devices/system/cpu/online", O_RDONLY },
	};

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (fix_wants(files[i].fd))
			fix_at(files[i].fd, open(files[i].path, files[i].flags | O_CLOEXEC));
}

/* Those that calls of their own make. */
static void fix_make(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	if (fix_wants(FD_EPOLL))
		fix_at(FD_EPOLL, epoll_create1(EPOLL_CLOEXEC));
	if (fix_wants(FD_EVENT))
		fix_at(FD_EVENT, eventfd(3, EFD_CLOEXEC));
	if (fix_wants(FD_TIMER))
		fix_at(FD_TIMER, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	if (fix_wants(FD_PIDFD))
		fix_at(FD_PIDFD, syscall(__NR_pidfd_open, getpid(), 0));
	if (fix_wants(FD_MEMFD))
		fix_at(FD_MEMFD, syscall(__NR_memfd_create, "m", 3));
	if (fix_wants(FD_SIGNAL))
		fix_at(FD_SIGNAL, signalfd(-1, &set, SFD_CLOEXEC));
	if (fix_wants(FD_INOTIFY))
		fix_at(FD_INOTIFY, inotify_init1(IN_CLOEXEC));
}

/* One descriptor of each sort that is wanted. Those that the kernel does not have stay closed. */
static void fixture_descriptors(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	fix_wanted |= 1ull << (FD_NULL - FD_FILE);
	if (fix_wants(FD_EPOLL))
		fix_wanted |= 1ull << (FD_EVENT - FD_FILE);
	fix_open();
	fix_make();
	fix_pipe(FD_PIPE_R, FD_PIPE_W, 16);
	fix_pipe(FD_EMPTY_R, FD_EMPTY_W, 0);
	fix_tty();
	fix_sockets();
	if (fix_wants(FD_EPOLL))
		epoll_ctl(FD_EPOLL, EPOLL_CTL_ADD, FD_EVENT, &ev);
	fix_at(FD_OWN, open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (int i = 0; i < 3; i++)
		dup3(FD_NULL, i, 0);
}

/* All message queues go, whatever their names. */
static void fix_remove_queues(void)
{
	const char *where = FIXTURE_TOP "/mqueue";

	mkdir(where, 0700);
	if (mount("mqueue", where, "mqueue", 0, NULL))
		return;
	fix_clear(open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	umount2(where, MNT_DETACH);
}

/* Everything of System V's and all message queues go. */
static void fixture_remove_ipc(void)
{
	struct shmid_ds shm;
	struct msqid_ds msg;
	struct seminfo sem;
	int id, top;

	top = shmctl(0, SHM_INFO, &shm);
	for (int i = 0; i <= top; i++)
		if ((id = shmctl(i, SHM_STAT, &shm)) >= 0)
			shmctl(id, IPC_RMID, NULL);
	top = msgctl(0, MSG_INFO, &msg);
	for (int i = 0; i <= top; i++)
		if ((id = msgctl(i, MSG_STAT, &msg)) >= 0)
			msgctl(id, IPC_RMID, NULL);
	top = semctl(0, 0, SEM_INFO, &sem);
	for (int i = 0; i <= top; i++) {
		struct semid_ds set;

		if ((id = semctl(i, 0, SEM_STAT, &set)) >= 0)
			semctl(id, 0, IPC_RMID);
	}
	fix_remove_queues();
}
