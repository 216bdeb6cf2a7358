/*
 * PACKET_FANOUT: packet sockets that share what comes; who may join, who gets what, and what a
 * program of classic BPF says. packet(7).
 */
#define _GNU_SOURCE
#include <net/ethernet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include "inet.h"

#define PORT 7171 /* of the datagrams that are looked at */

/* Bound to loopback; hears those datagrams only, when they come. */
static int hears(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 4, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 22),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0u),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	REQUIRE(fd >= 0);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	CHECK(!bind(fd, SA(a)));
	return fd;
}

static int join(int fd, unsigned id, unsigned type)
{
	unsigned v = id | type << 16;

	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &v, sizeof(v));
}

static unsigned group(int fd)
{
	unsigned v = ~0u;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &v, &len) ? ~0u : v;
}

static void send_one(int fd, char c)
{
	struct sockaddr_in to = at("127.0.0.1", PORT);

	CHECK(sendto(fd, &c, 1, 0, SA(to)) == 1);
}

/* How many frames wait there; they are taken. */
static int count(int fd)
{
	char b[256];
	int n = 0;

	while (recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

/* What one more socket hears, which is no member, has come to all before it. */
static void all_came(int other, int n)
{
	char b[256];

	while (n--)
		CHECK(recv(patient(other), b, sizeof(b), 0) > 0);
}

static void who_may(void)
{
	struct sockaddr_ll any = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP) };
	int a = hears(), b = hears(), c = hears(), fresh = socket(AF_PACKET, SOCK_DGRAM, 0);
	struct fanout_args two = { .id = 8, .type_flags = PACKET_FANOUT_LB, .max_num_members = 2 };
	struct tpacket_rollover_stats st;
	socklen_t len = sizeof(st);
	unsigned v = 0;

	CHECK(group(a) == 0);
	CHECK_ERR(join(fresh, 7, PACKET_FANOUT_HASH), EINVAL); /* takes nothing */
	CHECK_ERR(setsockopt(a, SOL_PACKET, PACKET_FANOUT, &v, 2), EINVAL);
	CHECK_ERR(join(a, 7, 8), EINVAL);
	CHECK_ERR(join(a, 7, PACKET_FANOUT_ROLLOVER | PACKET_FANOUT_FLAG_ROLLOVER), EINVAL);
	CHECK_ERR(join(a, 7, PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID), EINVAL);
	CHECK_ERR(setsockopt(a, SOL_PACKET, PACKET_FANOUT_DATA, &v, sizeof(v)), EINVAL);
	CHECK(!join(a, 7, PACKET_FANOUT_LB));
	CHECK(group(a) == (7 | PACKET_FANOUT_LB << 16));
	CHECK_ERR(join(a, 7, PACKET_FANOUT_LB), EALREADY);
	CHECK_ERR(bind(a, SA(any)), EINVAL); /* stays as it is */
	CHECK_ERR(join(b, 7, PACKET_FANOUT_HASH), EINVAL);
	CHECK_ERR(join(b, 7, PACKET_FANOUT_LB | PACKET_FANOUT_FLAG_ROLLOVER), EINVAL);
	CHECK_ERR(setsockopt(a, SOL_PACKET, PACKET_FANOUT_DATA, &v, sizeof(v)), EINVAL);
	CHECK_ERR(getsockopt(a, SOL_PACKET, PACKET_ROLLOVER_STATS, &st, &len), EINVAL);
	CHECK(!bind(b, SA(any)));
	CHECK_ERR(join(b, 7, PACKET_FANOUT_LB), EINVAL); /* of another protocol */
	CHECK(!setsockopt(c, SOL_PACKET, PACKET_FANOUT, &two, sizeof(two)));
	close(a);
	a = hears();
	CHECK(!setsockopt(a, SOL_PACKET, PACKET_FANOUT, &two, sizeof(two)));
	close(b);
	b = hears();
	CHECK_ERR(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &two, sizeof(two)), ENOSPC);
	two.max_num_members = 3;
	CHECK_ERR(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &two, sizeof(two)), EINVAL);
	/* The old number is free again; a new one is asked for. */
	CHECK(!join(b, 0, PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID));
	CHECK((group(b) & 0xffff) != 8 && group(b) >> 16 == PACKET_FANOUT_HASH);
	close(a);
	close(b);
	close(c);
	close(fresh);
}

static void who_gets(int udp)
{
	static char rule[] = { 2, 0, 1 };
	struct sock_filter by_byte[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 28),
					 BPF_STMT(BPF_RET | BPF_A, 0) };
	struct sock_fprog prog = { 2, by_byte };
	int other = hears(), v[3];

	/* In turn. */
	for (int i = 0; i < 3; i++) {
		v[i] = hears();
		CHECK(!join(v[i], 9, PACKET_FANOUT_LB));
	}
	for (int i = 0; i < 9; i++)
		send_one(udp, 'a');
	all_came(other, 9);
	for (int i = 0; i < 3; i++) {
		CHECK(count(v[i]) == 3);
		close(v[i]);
	}
	/* One flow, one socket. */
	for (int i = 0; i < 3; i++) {
		v[i] = hears();
		CHECK(!join(v[i], 9, PACKET_FANOUT_HASH));
	}
	for (int i = 0; i < 9; i++)
		send_one(udp, 'a');
	all_came(other, 9);
	for (int i = 0, all = 0; i < 3; i++) {
		int n = count(v[i]);

		CHECK(n == 0 || n == 9);
		all += n;
		CHECK(i < 2 || all == 9);
		close(v[i]);
	}
	/* As a program says; until there is one, the first; who goes is replaced by the last. */
	for (int i = 0; i < 3; i++) {
		v[i] = hears();
		CHECK(!join(v[i], 9, PACKET_FANOUT_CBPF));
	}
	send_one(udp, 2);
	all_came(other, 1);
	CHECK(count(v[0]) == 1);
	CHECK(!setsockopt(v[1], SOL_PACKET, PACKET_FANOUT_DATA, &prog, sizeof(prog)));
	for (int i = 0; i < 3; i++) {
		send_one(udp, rule[i]);
		all_came(other, 1);
		CHECK(count(v[(int)rule[i]]) == 1);
	}
	close(v[0]);
	send_one(udp, 0);
	send_one(udp, 1);
	all_came(other, 2);
	CHECK(count(v[2]) == 1 && count(v[1]) == 1);
	close(v[1]);
	close(v[2]);
	close(other);
}

/* The first that has room. */
static void who_has_room(int udp)
{
	struct tpacket_rollover_stats st = { 0 };
	socklen_t len = sizeof(st);
	int other = hears(), v[2], small = 1, n;

	for (int i = 0; i < 2; i++) {
		v[i] = hears();
		CHECK(!join(v[i], 10, PACKET_FANOUT_ROLLOVER));
		CHECK(i || !setsockopt(v[0], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)));
	}
	for (int i = 0; i < 20; i++)
		send_one(udp, 'r');
	all_came(other, 20);
	n = count(v[0]);
	CHECK(n < 20 && n + count(v[1]) == 20);
	CHECK(!getsockopt(v[0], SOL_PACKET, PACKET_ROLLOVER_STATS, &st, &len));
	CHECK(len == sizeof(st) && st.tp_all >= 1 && st.tp_failed == 0 && st.tp_huge == 0);
	close(v[0]);
	close(v[1]);
	close(other);
}

int main(void)
{
	int udp;

	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	who_may();
	who_gets(udp);
	who_has_room(udp);
	close(udp);
	return tap_done();
}
