/*
 * Rings of packet sockets on loopback: TPACKET_V1, V2 and V3, received and sent, what is refused,
 * and programs that write into them what they should not. packet(7), linux/if_packet.h.
 */
#define _GNU_SOURCE
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "inet.h"

#define BLOCK 16384u
#define FRAME 2048u
#define PORT 7333
#define SOL_PACKET_ 263

static int udp; /* sends to itself at PORT */

static unsigned align16(unsigned n)
{
	return (n + 15) & ~15u;
}

/* A socket for IP that is received on loopback, with TPACKET @version; type SOCK_RAW or SOCK_DGRAM. */
static int ring_socket(int version, int type)
{
	struct sockaddr_ll on = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, type, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET_, PACKET_VERSION, &version, sizeof(version)) ||
	    bind(fd, (struct sockaddr *)&on, sizeof(on)))
		return -1;
	return fd;
}

static int set_ring(int fd, int option, unsigned block, unsigned nblocks, unsigned frame,
		    unsigned nframes)
{
	struct tpacket_req3 r = { block, nblocks, frame, nframes, 0, 0, 0 };

	return setsockopt(fd, SOL_PACKET_, option, &r, sizeof(r));
}

static int readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, TAP_PATIENCE_MS) == 1 && (p.revents & POLLIN);
}

static int readable_now(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

/* A datagram of @n bytes @c; it has arrived, at packet sockets too, when this returns. */
static int say(char c, unsigned n)
{
	static char out[65000], in[65000];
	struct sockaddr_in to = at("127.0.0.1", PORT);

	memset(out, c, n);
	return sendto(udp, out, n, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)n &&
	       recv(udp, in, sizeof(in), 0) == (ssize_t)n && in[0] == c;
}

/* Is the UDP packet at @ip one of @n bytes @c, of which @have are there? */
static int is_said(const unsigned char *ip, unsigned have, char c, unsigned n)
{
	const struct iphdr *h = (const struct iphdr *)ip;

	if (have < 28 || h->version != 4 || h->protocol != IPPROTO_UDP ||
	    ntohs(h->tot_len) != n + 28)
		return 0;
	for (unsigned i = 28; i < have; i++) {
		if (ip[i] != (unsigned char)c)
			return 0;
	}
	return 1;
}

static struct tpacket_stats statistics(int fd)
{
	struct tpacket_stats st = { 0, 0 };
	socklen_t len = sizeof(st);

	getsockopt(fd, SOL_PACKET_, PACKET_STATISTICS, &st, &len);
	return st;
}

/* --- frames --- */

static unsigned status_of(int version, void *f)
{
	return version == TPACKET_V1
		       ? (unsigned)__atomic_load_n(&((struct tpacket_hdr *)f)->tp_status,
						   __ATOMIC_ACQUIRE)
		       : __atomic_load_n(&((struct tpacket2_hdr *)f)->tp_status, __ATOMIC_ACQUIRE);
}

static void give_back(int version, void *f)
{
	if (version == TPACKET_V1)
		__atomic_store_n(&((struct tpacket_hdr *)f)->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
	else
		__atomic_store_n(&((struct tpacket2_hdr *)f)->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
}

struct seen {
	unsigned len, snap, mac, net;
};

static struct seen seen_of(int version, const void *f)
{
	const struct tpacket_hdr *h1 = f;
	const struct tpacket2_hdr *h2 = f;

	if (version == TPACKET_V1)
		return (struct seen){ h1->tp_len, h1->tp_snaplen, h1->tp_mac, h1->tp_net };
	return (struct seen){ h2->tp_len, h2->tp_snaplen, h2->tp_mac, h2->tp_net };
}

/* @f has a datagram of @n bytes @c, in so far as there was room. */
static int has_said(int version, int type, void *f, char c, unsigned n, unsigned reserve)
{
	struct seen s = seen_of(version, f);
	const struct sockaddr_ll *from =
		(const void *)((char *)f + align16(sizeof(struct tpacket2_hdr)));
	unsigned link = type == SOCK_RAW ? 14 : 0, len = n + 28 + link;
	unsigned net = align16(TPACKET2_HDRLEN + 16) + reserve;
	unsigned room = FRAME - (net - link);

	return (status_of(version, f) & ~(TP_STATUS_CSUM_VALID | TP_STATUS_CSUMNOTREADY |
					  TP_STATUS_TS_SOFTWARE)) == TP_STATUS_USER &&
	       s.len == len && s.snap == (len < room ? len : room) && s.net == net &&
	       s.mac == net - link && from->sll_family == AF_PACKET &&
	       from->sll_protocol == htons(ETH_P_IP) &&
	       from->sll_ifindex == (int)if_nametoindex("lo") && from->sll_pkttype == PACKET_HOST &&
	       is_said((unsigned char *)f + s.net, s.snap - link, c, n);
}

static void frames(int version, int type, unsigned reserve)
{
	const unsigned n = 2 * (BLOCK / FRAME);
	int fd = ring_socket(version, type);
	struct tpacket_stats st;
	char *ring;

	REQUIRE(fd >= 0);
	CHECK(!setsockopt(fd, SOL_PACKET_, PACKET_RESERVE, &reserve, sizeof(reserve)));
	CHECK(!set_ring(fd, PACKET_RX_RING, BLOCK, 2, FRAME, n));
	ring = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(ring != MAP_FAILED);
	CHECK(!readable_now(fd));
	for (unsigned i = 0; i < 2 * n + 3; i++) { /* round and round */
		char *f = ring + i % n * FRAME;
		unsigned size = i == 5 ? 3000 : 10 + i * 7;

		if (!say((char)('a' + i % 26), size) || !readable(fd) ||
		    !has_said(version, type, f, (char)('a' + i % 26), size, reserve)) {
			CHECK(!"a frame is as it should be");
			break;
		}
		give_back(version, f);
	}
	CHECK(!readable_now(fd));
	st = statistics(fd);
	CHECK(st.tp_packets == 2 * n + 3 && st.tp_drops == 0);
	for (unsigned i = 0; i < n + 4; i++)
		REQUIRE(say('z', 20));
	st = statistics(fd);
	CHECK(st.tp_packets == n + 4 && st.tp_drops == 4);
	CHECK(readable(fd));
	CHECK(!munmap(ring, 2 * BLOCK) && !close(fd));
}

/* --- blocks --- */

static struct tpacket_block_desc *block_at(char *ring, unsigned n)
{
	return (struct tpacket_block_desc *)(ring + n * BLOCK);
}

static unsigned block_status(struct tpacket_block_desc *b)
{
	return __atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}

/* How many packets the block says and has, one behind the other, all of datagrams of @n bytes @c; -1: it is wrong. */
static int packets_in(struct tpacket_block_desc *b, char c, unsigned n)
{
	unsigned off = b->hdr.bh1.offset_to_first_pkt, i;

	for (i = 0; i < b->hdr.bh1.num_pkts; i++) {
		struct tpacket3_hdr *h = (struct tpacket3_hdr *)((char *)b + off);

		if (off + sizeof(*h) > BLOCK || h->tp_len != n + 42 || h->tp_snaplen != h->tp_len ||
		    h->tp_net != align16(TPACKET3_HDRLEN + 16) || h->tp_mac != h->tp_net - 14 ||
		    !h->tp_sec || !(h->tp_status & TP_STATUS_USER) ||
		    !is_said((unsigned char *)h + h->tp_net, n + 28, c, n))
			return -1;
		if (!h->tp_next_offset != (i + 1 == b->hdr.bh1.num_pkts))
			return -1;
		off += h->tp_next_offset;
	}
	return b->hdr.bh1.blk_len <= BLOCK && b->hdr.bh1.blk_len >= off ? (int)i : -1;
}

static void blocks(void)
{
	struct tpacket_req3 r = { BLOCK, 4, FRAME, 32, 50, 24, 0 };
	struct tpacket_stats_v3 st = { 0, 0, 0 };
	socklen_t len = sizeof(st);
	int fd = ring_socket(TPACKET_V3, SOCK_RAW), total = 0, good = 1;
	char *ring;

	REQUIRE(fd >= 0 && !setsockopt(fd, SOL_PACKET_, PACKET_RX_RING, &r, sizeof(r)));
	ring = mmap(NULL, 4 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(ring != MAP_FAILED);
	/* One packet comes by time. */
	CHECK(say('x', 100) && readable(fd));
	CHECK(block_status(block_at(ring, 0)) & TP_STATUS_USER);
	CHECK(block_status(block_at(ring, 0)) & TP_STATUS_BLK_TMO);
	CHECK(packets_in(block_at(ring, 0), 'x', 100) == 1);
	CHECK(block_at(ring, 0)->version == TPACKET_V3 && block_at(ring, 0)->offset_to_priv == 48);
	CHECK(block_at(ring, 0)->hdr.bh1.offset_to_first_pkt == 48 + 24);
	CHECK(block_at(ring, 0)->hdr.bh1.seq_num == 1);
	block_at(ring, 0)->hdr.bh1.block_status = TP_STATUS_KERNEL;
	/* Many fill blocks, each of which has the next number; each is given back when it was looked at. */
	for (int block = 1, sent = 0; total < 300; block++) {
		struct tpacket_block_desc *b = block_at(ring, (unsigned)block % 4);
		int n;

		while (!(block_status(b) & TP_STATUS_USER)) {
			if (sent < 300)
				good &= say('y', 700), sent++;
			else
				good &= readable(fd);
		}
		n = packets_in(b, 'y', 700);
		if (n < 1 || b->hdr.bh1.seq_num != (unsigned)block + 1)
			good = 0;
		if (!good)
			break;
		total += n;
		__atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	}
	CHECK(good && total == 300);
	CHECK(!getsockopt(fd, SOL_PACKET_, PACKET_STATISTICS, &st, &len) && len == sizeof(st));
	CHECK(st.tp_packets == 301 && st.tp_drops == 0 && st.tp_freeze_q_cnt == 0);
	/* Nobody gives any back. */
	for (int i = 0; i < 200; i++)
		good &= say('w', 700);
	CHECK(good && !getsockopt(fd, SOL_PACKET_, PACKET_STATISTICS, &st, &len));
	CHECK(st.tp_packets == 200 && st.tp_drops > 50 && st.tp_drops < 200 &&
	      st.tp_freeze_q_cnt == 1);
	CHECK(!munmap(ring, 4 * BLOCK) && !close(fd));
}

/* --- sending --- */

/* A frame for loopback with a datagram of @n bytes @c; its length. */
static unsigned make(unsigned char *p, char c, unsigned n)
{
	struct iphdr *ip = (struct iphdr *)(p + 14);
	struct udphdr *u = (struct udphdr *)(ip + 1);
	unsigned sum = 0;

	memset(p, 0, 12);
	p[12] = 8;
	p[13] = 0;
	memset(ip, 0, 28);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->saddr = htonl(INADDR_LOOPBACK);
	ip->daddr = htonl(0x0a090909); /* nobody's: only packet sockets see it */
	ip->tot_len = htons((unsigned short)(28 + n));
	for (int i = 0; i < 10; i++)
		sum += ((unsigned short *)ip)[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = (unsigned short)~(sum + (sum >> 16));
	u->source = u->dest = htons(PORT);
	u->len = htons((unsigned short)(8 + n));
	memset(u + 1, c, n);
	return 14 + 28 + n;
}

static void *tx_frame(char *ring, unsigned i)
{
	return ring + i * FRAME;
}

static void set_tx(int version, void *f, unsigned len, unsigned status)
{
	if (version == TPACKET_V1) {
		((struct tpacket_hdr *)f)->tp_len = len;
		((struct tpacket_hdr *)f)->tp_status = status;
	} else if (version == TPACKET_V2) {
		((struct tpacket2_hdr *)f)->tp_len = len;
		((struct tpacket2_hdr *)f)->tp_status = status;
	} else {
		((struct tpacket3_hdr *)f)->tp_next_offset = 0;
		((struct tpacket3_hdr *)f)->tp_len = len;
		((struct tpacket3_hdr *)f)->tp_status = status;
	}
}

static unsigned tx_status(int version, void *f)
{
	return version == TPACKET_V3
		       ? __atomic_load_n(&((struct tpacket3_hdr *)f)->tp_status, __ATOMIC_ACQUIRE)
		       : status_of(version, f);
}

static void sending(int version)
{
	const unsigned data = version == TPACKET_V3 ? 48 : 32, n = BLOCK / FRAME;
	int fd = ring_socket(version, SOCK_RAW), eye = ring_socket(TPACKET_V1, SOCK_RAW);
	int good = 1, one = 1;
	char *ring, in[2000];
	struct pollfd p;

	REQUIRE(fd >= 0 && !set_ring(fd, PACKET_TX_RING, BLOCK, 1, FRAME, n));
	ring = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(ring != MAP_FAILED);
	CHECK(send(fd, NULL, 0, 0) == 0);
	p = (struct pollfd){ fd, POLLOUT, 0 };
	CHECK(poll(&p, 1, 0) == 1);
	for (unsigned round = 0; round < 3; round++) {
		unsigned sum = 0;

		for (unsigned i = 0; i < n; i++) {
			unsigned len = make((unsigned char *)tx_frame(ring, i) + data,
					    (char)('a' + i), 100 * i + 1);

			set_tx(version, tx_frame(ring, i), len, TP_STATUS_SEND_REQUEST);
			sum += len;
		}
		good &= send(fd, NULL, 0, 0) == (ssize_t)sum;
		for (unsigned i = 0; i < n; i++) {
			good &= recv(eye, in, sizeof(in), 0) == (ssize_t)(100 * i + 43) &&
				in[42] == (char)('a' + i);
			good &= EVENTUALLY(tx_status(version, tx_frame(ring, i)) ==
					   TP_STATUS_AVAILABLE);
		}
	}
	CHECK(good);
	/* Longer than the frame, or too short for a header. */
	set_tx(version, tx_frame(ring, 0), FRAME, TP_STATUS_SEND_REQUEST);
	CHECK_ERR(send(fd, NULL, 0, 0), EMSGSIZE);
	CHECK(tx_status(version, tx_frame(ring, 0)) == TP_STATUS_WRONG_FORMAT);
	set_tx(version, tx_frame(ring, 0), 0xffffffff, TP_STATUS_SEND_REQUEST);
	CHECK(send(fd, NULL, 0, 0) == -1);
	set_tx(version, tx_frame(ring, 0), 5, TP_STATUS_SEND_REQUEST);
	CHECK_ERR(send(fd, NULL, 0, 0), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_PACKET_, PACKET_LOSS, &one, sizeof(one)), EBUSY);
	CHECK(!munmap(ring, BLOCK) && !close(fd));
	/* Wrong ones are passed over. */
	fd = ring_socket(version, SOCK_RAW);
	CHECK(!setsockopt(fd, SOL_PACKET_, PACKET_LOSS, &one, sizeof(one)));
	REQUIRE(!set_ring(fd, PACKET_TX_RING, BLOCK, 1, FRAME, n));
	ring = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(ring != MAP_FAILED);
	set_tx(version, tx_frame(ring, 0), 60000, TP_STATUS_SEND_REQUEST);
	set_tx(version, tx_frame(ring, 1), make((unsigned char *)tx_frame(ring, 1) + data, 'q', 9),
	       TP_STATUS_SEND_REQUEST);
	CHECK(send(fd, NULL, 0, 0) == 51);
	CHECK(recv(eye, in, sizeof(in), 0) == 51 && in[42] == 'q');
	CHECK(!munmap(ring, BLOCK) && !close(fd));
	close(eye);
}

/* --- what is refused --- */

static void refused(void)
{
	int fd = ring_socket(TPACKET_V2, SOCK_RAW), v, want[] = { 32, 32, 48 };
	socklen_t len = sizeof(v);
	char *ring;

	REQUIRE(fd >= 0);
	for (int i = 0; i < 3; i++) {
		v = i;
		CHECK(!getsockopt(fd, SOL_PACKET_, PACKET_HDRLEN, &v, &len) && v == want[i]);
	}
	v = 3;
	CHECK_ERR(getsockopt(fd, SOL_PACKET_, PACKET_HDRLEN, &v, &len), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_PACKET_, PACKET_VERSION, &v, sizeof(v)), EINVAL);
	v = -1;
	CHECK_ERR(setsockopt(fd, SOL_PACKET_, PACKET_RESERVE, &v, sizeof(v)), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_PACKET_, PACKET_RX_RING, &v, sizeof(v)), EINVAL);
	CHECK(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK + 1, 1, FRAME, 8), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, 0, 1, FRAME, 8), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, 0x80000000, 1, FRAME, 8), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK, 1, 32, 512), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK, 1, FRAME + 8, 7), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK, 1, 2 * BLOCK, 1), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK, 1, FRAME, 7), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK, 0x80000000, FRAME, 0), EINVAL);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, 0, 0, 0, 1), EINVAL);
	CHECK(!set_ring(fd, PACKET_RX_RING, BLOCK, 1, FRAME, 8));
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, BLOCK, 1, FRAME, 8), EBUSY);
	CHECK(!set_ring(fd, PACKET_TX_RING, BLOCK, 2, FRAME, 16));
	v = TPACKET_V3;
	CHECK_ERR(setsockopt(fd, SOL_PACKET_, PACKET_VERSION, &v, sizeof(v)), EBUSY);
	CHECK_ERR(setsockopt(fd, SOL_PACKET_, PACKET_RESERVE, &v, sizeof(v)), EBUSY);
	CHECK(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4 * BLOCK, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 2 * BLOCK, PROT_READ, MAP_SHARED, fd, BLOCK) == MAP_FAILED &&
	      errno == EINVAL);
	ring = mmap(NULL, 3 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(ring != MAP_FAILED);
	CHECK_ERR(set_ring(fd, PACKET_RX_RING, 0, 0, 0, 0), EBUSY);
	CHECK(say('k', 5) && readable(fd) && has_said(TPACKET_V2, SOCK_RAW, ring, 'k', 5, 0));
	/* Part of the mapping is enough to hold it; a child's too. */
	CHECK(!munmap(ring, 2 * BLOCK));
	CHECK_ERR(set_ring(fd, PACKET_TX_RING, 0, 0, 0, 0), EBUSY);
	CHECK(!munmap(ring + 2 * BLOCK, BLOCK));
	CHECK(!set_ring(fd, PACKET_RX_RING, 0, 0, 0, 0) &&
	      !set_ring(fd, PACKET_TX_RING, 0, 0, 0, 0));
	CHECK(!close(fd));
	if (!seteuid(65534)) {
		CHECK_ERR(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
		CHECK(!seteuid(0));
	}
}

/* The mapping keeps the socket alive, in a child as well, and what is held of its pages outlives it. */
static void lives_on(void)
{
	int fd = ring_socket(TPACKET_V2, SOCK_RAW), pipes[2], status;
	char *ring, byte;
	struct iovec v;
	pid_t child;

	REQUIRE(fd >= 0 && !pipe(pipes) && !set_ring(fd, PACKET_RX_RING, BLOCK, 1, FRAME, 8));
	ring = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(ring != MAP_FAILED);
	CHECK(!close(fd));
	CHECK(say('m', 5) && EVENTUALLY(status_of(TPACKET_V2, ring) != TP_STATUS_KERNEL));
	CHECK(has_said(TPACKET_V2, SOCK_RAW, ring, 'm', 5, 0));
	child = fork();
	if (!child) {
		int good = say('n', 6) &&
			   EVENTUALLY(status_of(TPACKET_V2, ring + FRAME) != TP_STATUS_KERNEL) &&
			   has_said(TPACKET_V2, SOCK_RAW, ring + FRAME, 'n', 6, 0);

		_exit(!good);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(has_said(TPACKET_V2, SOCK_RAW, ring + FRAME, 'n', 6, 0)); /* they share it */
	ring[4096] = 'p';
	v = (struct iovec){ ring + 4096, 1 };
	CHECK(vmsplice(pipes[1], &v, 1, 0) == 1);
	CHECK(!munmap(ring, BLOCK));
	CHECK(read(pipes[0], &byte, 1) == 1 && byte == 'p');
	close(pipes[0]);
	close(pipes[1]);
}

/* --- a program that writes what it likes --- */

static volatile int stop;
static char *victim;
static unsigned victim_size;

static void *scribble(void *arg)
{
	unsigned x = 1;

	while (!stop) {
		x = x * 1103515245 + 12345;
		*(volatile unsigned *)(victim + (x >> 4) % (victim_size / 4) * 4) =
			x & 0x80 ? x >> 8 : (x >> 8) & 3;
	}
	return NULL;
}

static void hostile(int version)
{
	int fd = ring_socket(version, SOCK_RAW), tries = 0, said = 1;
	unsigned seen = 0;
	pthread_t thread;
	char buf[100];

	REQUIRE(fd >= 0 && !set_ring(fd, PACKET_RX_RING, BLOCK, 2, FRAME, 16));
	REQUIRE(!set_ring(fd, PACKET_TX_RING, BLOCK, 1, FRAME, 8));
	victim_size = 3 * BLOCK;
	victim = mmap(NULL, victim_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(victim != MAP_FAILED);
	stop = 0;
	REQUIRE(!pthread_create(&thread, NULL, scribble, NULL));
	for (; tries < 300; tries++) {
		struct sockaddr_in to = at("127.0.0.1", PORT);

		said &= sendto(udp, buf, sizeof(buf), 0, (struct sockaddr *)&to, sizeof(to)) ==
			sizeof(buf);
		(void)!send(fd, NULL, 0, MSG_DONTWAIT);
		while (recv(udp, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
			;
		readable_now(fd);
	}
	stop = 1;
	pthread_join(thread, NULL);
	CHECK(said && EVENTUALLY((seen += statistics(fd).tp_packets) >= 300));
	CHECK(!munmap(victim, victim_size) && !close(fd));
	while (recv(udp, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
}

/* A whole frame says itself what it carries, to a socket that has no protocol to send by. */
static void own_type(void)
{
	enum { TYPE = 0x88b5 }; /* of experiments */
	struct sockaddr_ll to = { .sll_family = AF_PACKET }, from;
	int rx = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), tx = socket(AF_PACKET, SOCK_RAW, 0);
	unsigned char frame[60] = { [12] = TYPE >> 8, [13] = TYPE & 0xff, [20] = 7 }, got[100];
	struct pollfd p = { .fd = rx, .events = POLLIN };
	socklen_t n = sizeof(from);

	to.sll_ifindex = (int)if_nametoindex("lo");
	REQUIRE(rx >= 0 && tx >= 0 && to.sll_ifindex);
	CHECK(sendto(tx, frame, sizeof(frame), 0, SA(to)) == sizeof(frame));
	do { /* as it goes out; others may send as well */
		REQUIRE(poll(&p, 1, TAP_PATIENCE_MS) == 1);
		REQUIRE(recvfrom(rx, got, sizeof(got), MSG_DONTWAIT, (void *)&from, &n) > 0);
	} while (memcmp(got, frame, sizeof(frame)));
	CHECK(from.sll_protocol == htons(TYPE));
	close(rx);
	p.fd = rx = socket(AF_PACKET, SOCK_RAW, htons(TYPE)); /* sees what comes in only */
	REQUIRE(rx >= 0);
	for (int i = 0; i < 2; i++) { /* then with a type in the address, which says nothing */
		frame[20] = (unsigned char)i;
		to.sll_protocol = i ? htons(ETH_P_IP) : 0;
		CHECK(sendto(tx, frame, sizeof(frame), 0, SA(to)) == sizeof(frame));
		REQUIRE(poll(&p, 1, TAP_PATIENCE_MS) == 1);
		n = sizeof(from);
		CHECK(recvfrom(rx, got, sizeof(got), MSG_DONTWAIT, (void *)&from, &n) ==
		      sizeof(frame));
		CHECK(!memcmp(got, frame, sizeof(frame)) && from.sll_protocol == htons(TYPE));
	}
	close(rx);
	close(tx);
}

int main(void)
{
	struct sockaddr_in me = at("127.0.0.1", PORT);

	alarm(TAP_LIMIT);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE(!bind(udp, (struct sockaddr *)&me, sizeof(me)));
	for (int version = TPACKET_V1; version <= TPACKET_V2; version++) {
		frames(version, SOCK_RAW, 0);
		frames(version, SOCK_DGRAM, 4);
	}
	blocks();
	for (int version = TPACKET_V1; version <= TPACKET_V3; version++)
		sending(version);
	refused();
	lives_on();
	own_type();
	for (int version = TPACKET_V1; version <= TPACKET_V3; version++)
		hostile(version);
	return tap_done();
}
