#pragma once
/* Between processes: pipes, sockets, System V. */
#include <linux/netlink.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "engine.h"

static void close_pair(int fd[2])
{
	closed(fd[0]);
	closed(fd[1]);
	fd[0] = fd[1] = -1;
}

static long do_pipe(void)
{
	static char data[3 * PAGE];
	int fd[2] = { -1, -1 };
	long r;

	if (pipe2(fd, O_NONBLOCK))
		return -1;
	r = write(fd[1], data, sizeof(data));
	if (r >= 0)
		r = fcntl(fd[1], 1031 /* F_SETPIPE_SZ */, 1 << 18);
	if (r >= 0)
		r = read(fd[0], data, sizeof(data));
	KEEP_ERRNO((close_pair(fd), 0));
	return r;
}

static long do_fifo(void)
{
	int fd = open("/tmp/failnth.fifo", O_RDWR | O_NONBLOCK);
	long r;

	if (fd < 0)
		return -1;
	r = write(fd, "x", 1);
	KEEP_ERRNO(close(fd));
	return r;
}

static int fifo_make(void)
{
	return mkfifo("/tmp/failnth.fifo", 0600);
}

static void fifo_drop(void)
{
	unlink("/tmp/failnth.fifo");
}

static long do_splice(void)
{
	static char data[2 * PAGE];
	struct iovec iov = { data, sizeof(data) };
	int a[2] = { -1, -1 }, b[2] = { -1, -1 };
	int file = open(self_path, O_RDONLY);
	long r = file < 0 ? -1 : pipe2(a, O_NONBLOCK);

	if (!r)
		r = pipe2(b, O_NONBLOCK);
	if (r >= 0)
		r = splice(file, NULL, a[1], NULL, 3 * PAGE, 0);
	if (r >= 0)
		r = tee(a[0], b[1], 2 * PAGE, 0);
	if (r >= 0)
		r = vmsplice(b[1], &iov, 1, 0);
	if (r >= 0)
		r = splice(a[0], NULL, b[1], NULL, PAGE, 0);
	KEEP_ERRNO((closed(file), close_pair(a), close_pair(b), 0));
	return r;
}

static long do_socketpair(void)
{
	char data[5000] = "";
	int fd[2] = { -1, -1 };
	long r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		return -1;
	r = write(fd[0], data, sizeof(data));
	if (r >= 0)
		r = read(fd[1], data, sizeof(data));
	KEEP_ERRNO((close_pair(fd), 0));
	return r;
}

/* Descriptors under way, a socket among them; taken, and left to be collected. */
static long pass_fds(int take)
{
	int fd[2] = { -1, -1 }, got[2];
	char byte = 0, control[CMSG_SPACE(3 * sizeof(int))] = "";
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(2 * sizeof(int)) };
	struct cmsghdr *c = (struct cmsghdr *)control;
	long r;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd))
		return -1;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), fd, sizeof(fd));
	r = sendmsg(fd[0], &m, 0);
	if (r >= 0 && take) {
		m.msg_controllen = sizeof(control);
		r = recvmsg(fd[1], &m, 0);
		c = CMSG_FIRSTHDR(&m);
		if (r >= 0 && c && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(int))) {
			int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			memcpy(got, CMSG_DATA(c), n * sizeof(int));
			for (int i = 0; i < n; i++)
				KEEP_ERRNO(close(got[i]));
		}
	}
	KEEP_ERRNO((close_pair(fd), 0));
	return r;
}

static long do_pass_fds(void)
{
	return pass_fds(1);
}

static long do_leave_fds(void)
{
	return pass_fds(0);
}

static const struct sockaddr_un server_addr = { AF_UNIX, "/tmp/failnth.sock" };
static const struct sockaddr_un abstract_addr = { AF_UNIX, "\0failnth" };

static long connect_to(const struct sockaddr_un *addr, socklen_t len, int type)
{
	int s = socket(AF_UNIX, type | SOCK_NONBLOCK, 0), c = -1, a = -1;
	long r = s < 0 ? -1 : bind(s, (const struct sockaddr *)addr, len);

	if (!r)
		r = listen(s, 5);
	if (!r)
		r = c = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
	if (r >= 0)
		r = connect(c, (const struct sockaddr *)addr, len);
	if (r >= 0)
		r = a = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	if (r >= 0)
		r = send(c, "x", 1, 0);
	KEEP_ERRNO((closed(s), closed(c), closed(a), 0));
	return r;
}

static long do_connect(void)
{
	return connect_to(&server_addr, sizeof(server_addr), SOCK_STREAM);
}

static long do_connect_abstract(void)
{
	return connect_to(&abstract_addr, sizeof(sa_family_t) + 8, SOCK_SEQPACKET);
}

static void socket_drop(void)
{
	unlink(server_addr.sun_path);
}

static long do_sendmmsg(void)
{
	int fd[2] = { -1, -1 };
	struct iovec iov = { "hello", 5 };
	struct mmsghdr m[3];
	long r;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < 3; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd))
		return -1;
	r = sendmmsg(fd[0], m, 3, 0);
	KEEP_ERRNO((close_pair(fd), 0));
	return r;
}

static long do_netlink(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
	long r;

	if (fd < 0)
		return -1;
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_shm(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0600);
	char *p;

	if (id < 0)
		return -1;
	p = shmat(id, NULL, 0);
	if (p != (char *)-1)
		KEEP_ERRNO(shmdt(p));
	KEEP_ERRNO(shmctl(id, IPC_RMID, NULL));
	return p == (char *)-1 ? -1 : 0;
}

static long do_sem(void)
{
	struct sembuf ops[100];
	int id = semget(IPC_PRIVATE, 100, IPC_CREAT | 0600);
	long r;

	if (id < 0)
		return -1;
	for (int i = 0; i < 100; i++)
		ops[i] = (struct sembuf){ i, 1, SEM_UNDO };
	r = semop(id, ops, 100);
	KEEP_ERRNO(semctl(id, 0, IPC_RMID));
	return r;
}

static long do_sem_child(void)
{
	return in_child(do_sem, 0);
}

static long do_msg(void)
{
	struct {
		long type;
		char text[3000];
	} m = { 1, "" };
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	long r;

	if (id < 0)
		return -1;
	r = msgsnd(id, &m, sizeof(m.text), IPC_NOWAIT);
	if (!r)
		r = msgrcv(id, &m, sizeof(m.text), 0, IPC_NOWAIT);
	if (r >= 0)
		r = msgsnd(id, &m, 10, IPC_NOWAIT);
	KEEP_ERRNO(msgctl(id, IPC_RMID, NULL));
	return r;
}

static const struct op channel_ops[] = {
	{ "pipe", do_pipe, .errs = { ENFILE } },
	{ "fifo", do_fifo, fifo_make, fifo_drop, { ENFILE } },
	{ "splice, tee, vmsplice", do_splice, .errs = { ENFILE, EFAULT } },
	{ "socketpair", do_socketpair, .errs = { ENFILE, ENOBUFS } },
	{ "descriptors passed", do_pass_fds, .errs = { ENFILE, ENOBUFS } },
	{ "descriptors left", do_leave_fds, .errs = { ENFILE, ENOBUFS } },
	{ "connect, accept", do_connect, .after = socket_drop, .errs = { ENFILE, ENOBUFS } },
	{ "connect by abstract name", do_connect_abstract, .errs = { ENFILE, ENOBUFS } },
	{ "sendmmsg", do_sendmmsg, .errs = { ENFILE, ENOBUFS } },
	{ "netlink", do_netlink, .errs = { ENFILE, ENOBUFS } },
	{ "shared memory", do_shm, .errs = { ENOSPC, ENFILE } },
	{ "semaphores", do_sem_child, .child = 1, .errs = { ENOSPC } },
	{ "messages", do_msg, .errs = { ENOSPC } },
	{ NULL },
};
