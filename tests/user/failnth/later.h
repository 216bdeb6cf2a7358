#pragma once
/* A deadline, rings of packets, notices of what was sent, a key that somebody else makes. */
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include "guards.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

/* The thread's end takes the server back. */
static long deadline(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = { .size = 48,
		.policy = 6,
		.runtime = 1000000,
		.deadline = 500000000,
		.period = 500000000 };

	return syscall(SYS_sched_setattr, 0, &a, 0);
}

static long do_deadline(void)
{
	return in_child(deadline, 0);
}

static long do_packet_ring(void)
{
	struct tpacket_req3 r3 = { .tp_block_size = 16 * PAGE,
				   .tp_block_nr = 3,
				   .tp_frame_size = 2048,
				   .tp_frame_nr = 96,
				   .tp_retire_blk_tov = 1000 };
	struct tpacket_req r2 = { PAGE, 4, 2048, 8 };
	int s = socket(AF_PACKET, SOCK_RAW, 0), v = TPACKET_V3;
	size_t size = 3 * 16 * PAGE;
	void *p = MAP_FAILED;
	long r;

	if (s < 0)
		return -1;
	r = setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, sizeof(v));
	if (!r)
		r = setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r3, sizeof(r3));
	if (!r) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
		r = p == MAP_FAILED ? -1 : *(volatile char *)p;
	}
	KEEP_ERRNO(((p != MAP_FAILED && munmap(p, size)) | close(s)));
	if (r)
		return r;
	s = socket(AF_PACKET, SOCK_RAW, 0);
	if (s < 0)
		return -1;
	v = TPACKET_V2;
	r = setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, sizeof(v));
	if (!r)
		r = setsockopt(s, SOL_PACKET, PACKET_TX_RING, &r2, sizeof(r2));
	KEEP_ERRNO(close(s));
	return r;
}

/* Whoever got no error gets the bytes, and the notice that they may be used again. */
static long do_zerocopy(void)
{
	static char buf[20000];
	struct pollfd p = { .fd = lend_fd[0] };
	char control[200];
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	int one = 1;
	long n, r = setsockopt(lend_fd[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));

	if (r)
		return r;
	n = send(lend_fd[0], buf, sizeof(buf), MSG_ZEROCOPY);
	if (n < 0)
		return -1;
	fail_stop();
	for (long got = 0; got < n; got += r) {
		r = recv(lend_fd[1], buf, sizeof(buf), 0);
		if (r <= 0)
			abort();
	}
	if (poll(&p, 1, TAP_PATIENCE_MS) != 1 || recvmsg(lend_fd[0], &m, MSG_ERRQUEUE) < 0)
		abort();
	return 0;
}

/* There is no program that makes it (ENOENT), or one that does not: the key says so. */
static long do_request_key(void)
{
	long r = syscall(SYS_request_key, "user", "none:such", "info", KEY_SPEC_SESSION_KEYRING);

	return r < 0 && (errno == ENOKEY || errno == EKEYREJECTED || errno == ENOENT) ? 0 : r;
}

static int own_session(void)
{
	return keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0) < 0 ? -1 : 0;
}

static const struct op later_ops[] = {
	{ "deadline", do_deadline, .child = 1 },
	{ "packet ring", do_packet_ring, .errs = { ENFILE, ENOBUFS } },
	{ "zerocopy", do_zerocopy, lend_make, lend_drop, { ENOBUFS } },
	{ "request_key", do_request_key, own_session, keys_drop },
	{ NULL },
};
