/*
 * Devices of TUN and TAP that stay, go and change while others use them, and programs that write
 * nonsense into them. As root; on Linux with the module tun.
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "tun.h"

/* A child without rights tries to take, or to make, a device; what it got. */
static int other_user(const char *name, unsigned uid, unsigned gid)
{
	char mine[IFNAMSIZ];
	int status;

	strcpy(mine, name);
	if (!fork()) {
		int fd = opened();

		if (fd < 0 || syscall(SYS_setgroups, 0, NULL) || setgid(gid) || setuid(uid))
			_exit(100);
		_exit(set_iff(fd, mine, IFF_TUN | IFF_NO_PI) ? errno : 0);
	}
	wait(&status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_persist(void)
{
	char name[IFNAMSIZ] = "tt%d";
	int fd = opened();

	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI));
	CHECK(!ioctl(fd, TUNSETPERSIST, 1) && !ioctl(fd, TUNSETOWNER, 1000));
	CHECK(file_is(name, "tun_flags", "0x1801\n") && file_is(name, "owner", "1000\n"));
	CHECK(!set_up(name, 1));
	close(fd);
	CHECK(EVENTUALLY((flags_of(name) & (IFF_UP | IFF_RUNNING)) == IFF_UP));
	CHECK(other_user(name, 1001, 1001) == EPERM);
	CHECK(other_user("new%d", 1000, 1000) == EPERM);
	CHECK(other_user(name, 1000, 1000) == 0);
	fd = opened();
	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI));
	CHECK(EVENTUALLY(flags_of(name) & IFF_RUNNING));
	CHECK(!ioctl(fd, TUNSETGROUP, 50));
	close(fd);
	CHECK(other_user(name, 1000, 1000) == EPERM);
	CHECK(other_user(name, 1000, 50) == 0);
	fd = opened();
	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI) && !ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
	CHECK(flags_of(name) == -1);
}

/* The next message of type @type about the device @index. */
static int heard(int nl, unsigned type, unsigned index)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	struct pollfd p = { .fd = nl, .events = POLLIN };

	while (poll(&p, 1, TAP_PATIENCE_MS) == 1) {
		unsigned left = (unsigned)recv(nl, buf, sizeof(buf), 0);

		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			struct ifinfomsg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == type && m->ifi_index == (int)index)
				return 1;
		}
	}
	return 0;
}

static int delete_link(unsigned index)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} req = { { sizeof(req), RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		  { .ifi_index = (int)index } };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack;
	int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), err = -1;

	if (send(nl, &req, sizeof(req), 0) == sizeof(req) && recv(nl, &ack, sizeof(ack), 0) > 0)
		err = -ack.e.error;
	close(nl);
	return err;
}

struct reader {
	int fd, tid, err;
};

static void *read_it(void *arg)
{
	struct reader *r = arg;
	char buf[64];

	__atomic_store_n(&r->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (read(r->fd, buf, sizeof(buf)) > 0)
		;
	r->err = errno;
	return NULL;
}

/* It is taken away while it is in use: sockets, groups and a reader hold on to it. */
static void test_removal(void)
{
	char name[IFNAMSIZ] = "tap%d", buf[64];
	int fd = opened(), nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), err = 0;
	int raw = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), u = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct reader r = { .fd = fd };
	struct packet_mreq mr = { .mr_type = PACKET_MR_PROMISC };
	struct ip_mreqn group = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3") };
	socklen_t len = sizeof(err);
	unsigned index;
	pthread_t t;

	REQUIRE(!bind(nl, (struct sockaddr *)&to, sizeof(to)));
	REQUIRE(!set_iff(fd, name, IFF_TAP | IFF_NO_PI));
	index = if_nametoindex(name);
	CHECK(heard(nl, RTM_NEWLINK, index));
	REQUIRE(!configure(name));
	ll.sll_ifindex = mr.mr_ifindex = group.imr_ifindex = (int)index;
	CHECK(!bind(raw, (struct sockaddr *)&ll, sizeof(ll)));
	CHECK(!setsockopt(raw, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)));
	CHECK(!setsockopt(u, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)));
	CHECK(!setsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, name, sizeof(name)));
	(void)say_hello(); /* waits for PEER's address */
	CHECK(delete_link(1) == EOPNOTSUPP); /* not lo */
	REQUIRE(!pthread_create(&t, NULL, read_it, &r));
	CHECK(EVENTUALLY(__atomic_load_n(&r.tid, __ATOMIC_ACQUIRE) &&
			 task_state(getpid(), r.tid) == 'S'));
	CHECK(delete_link(index) == 0);
	pthread_join(t, NULL);
	CHECK(r.err == EFAULT || r.err == EBADFD);
	CHECK(heard(nl, RTM_DELLINK, index));
	CHECK(flags_of(name) == -1 && !if_nametoindex(name));
	CHECK(events(fd) & POLLERR);
	CHECK_ERR(write(fd, buf, 60), EBADFD);
	CHECK(!getsockopt(raw, SOL_SOCKET, SO_ERROR, &err, &len) && err == ENETDOWN);
	CHECK_ERR(ioctl(fd, TUNSETPERSIST, 1), EBADFD);
	CHECK(!set_iff(fd, name, IFF_TAP | IFF_NO_PI)); /* the file may have another one */
	CHECK(if_nametoindex(name) > index);
	close(fd);
	close(raw);
	close(u);
	close(nl);
}

/* Who was bound to a device that went does not send by another one. */
static void test_bound_gone(void)
{
	char name[IFNAMSIZ] = "tun%d";
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in group = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = opened(), udp = socket(AF_INET, SOCK_DGRAM, 0),
	    mc = socket(AF_INET, SOCK_DGRAM, 0);
	int tcp = socket(AF_INET, SOCK_STREAM, 0), server = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct ip_mreqn mr = { 0 };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	group.sin_addr.s_addr = inet_addr("239.1.2.3");
	REQUIRE(!bind(server, (struct sockaddr *)&to, sizeof(to)) && !listen(server, 1));
	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI) && !configure(name));
	mr.imr_ifindex = (int)if_nametoindex(name);
	CHECK(!setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, name, sizeof(name)));
	CHECK(!setsockopt(tcp, SOL_SOCKET, SO_BINDTODEVICE, name, sizeof(name)));
	CHECK(!setsockopt(mc, IPPROTO_IP, IP_MULTICAST_IF, &mr, sizeof(mr)));
	close(fd);
	CHECK(!if_nametoindex(name));
	CHECK_ERR(sendto(udp, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), ENODEV);
	CHECK_ERR(sendto(mc, "x", 1, 0, (struct sockaddr *)&group, sizeof(group)), ENODEV);
	CHECK(!setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	CHECK_ERR(connect(tcp, (struct sockaddr *)&to, sizeof(to)), ENODEV);
	close(udp);
	close(mc);
	close(tcp);
	close(server);
}

#define CHANGES 300

/* Settings of a device that is going: each is of one that is there, or fails. */
static void *change_it(void *arg)
{
	const char *name = arg;
	int good = 1;

	for (int i = 0; i < CHANGES; i++) {
		struct ifreq r = { .ifr_hwaddr = { ARPHRD_ETHER, { 2, 0, 0, 0, 0, 1 } } };
		struct ifreq q = { .ifr_mtu = 1400 };

		good &= !set_up(name, i & 1) || errno == ENODEV;
		good &= !dev_ioctl(name, SIOCSIFHWADDR, &r) || errno == ENODEV;
		good &= !dev_ioctl(name, SIOCSIFMTU, &q) || errno == ENODEV;
	}
	return good ? arg : NULL;
}

static void test_changed_going(void)
{
	char name[IFNAMSIZ] = "tapgo";
	void *good = NULL;
	pthread_t t;
	int made = 0;

	REQUIRE(!pthread_create(&t, NULL, change_it, name));
	for (int i = 0; i < CHANGES; i++) {
		int fd = opened();

		made += !set_iff(fd, name, IFF_TAP | IFF_NO_PI);
		close(fd);
	}
	pthread_join(t, &good);
	CHECK(made == CHANGES && good);
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
	signals++;
}

static void test_async(void)
{
	char name[IFNAMSIZ] = "tt%d";
	int fd = opened(), on = 1;

	signal(SIGIO, count_signal);
	REQUIRE(!set_iff(fd, name, IFF_TUN | IFF_NO_PI) && !configure(name));
	CHECK(!fcntl(fd, F_SETOWN, getpid()) && !ioctl(fd, FIOASYNC, &on));
	CHECK(say_hello() == 5);
	CHECK(EVENTUALLY(signals));
	close(fd);
	signal(SIGIO, SIG_DFL);
}

/* More devices than there can be at once, one after the other, each in use when it goes. */
static void test_many(void)
{
	int good = 1, fds[20];
	unsigned last = 0, index;

	for (int i = 0; i < 200 && good; i++) {
		char name[IFNAMSIZ] = "tm%d";
		int fd = opened();

		good = !set_iff(fd, name, (i & 1 ? IFF_TUN : IFF_TAP) | IFF_NO_PI) &&
		       !strcmp(name, "tm0") && !configure(name) && say_hello() == 5;
		index = if_nametoindex(name);
		good = good && index > last;
		last = index;
		close(fd);
	}
	CHECK(good);
	for (int i = 0; i < 20; i++) {
		char name[IFNAMSIZ] = "tm%d";

		fds[i] = opened();
		good &= !set_iff(fds[i], name, IFF_TUN) && atoi(name + 2) == i;
	}
	CHECK(good);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	CHECK(!if_nametoindex("tm0") && !if_nametoindex("tm19"));
}

/* Nonsense of all lengths: an error, or it counts as received. */
static void test_nonsense(void)
{
	static const int kinds[] = { IFF_TUN | IFF_NO_PI, IFF_TAP | IFF_NO_PI, IFF_TUN,
				     IFF_TAP | IFF_VNET_HDR, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	static unsigned char p[70000];
	unsigned seed = 12345;

	for (unsigned k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		char name[IFNAMSIZ] = "tn%d";
		int fd = opened(), good = !set_iff(fd, name, kinds[k]) && !configure(name);

		for (int i = 0; i < 400 && good; i++) {
			size_t n = i % 50 ? (unsigned)rand_r(&seed) % 200
					  : (size_t)rand_r(&seed) % 70000;
			long r;

			for (size_t j = 0; j < n && j < 200; j++)
				p[j] = (unsigned char)rand_r(&seed);
			if (i & 1) /* at least IP */
				make_ip(p + (kinds[k] & IFF_VNET_HDR ? 10 : 0) +
						(kinds[k] & IFF_NO_PI ? 0 : 4) +
						(kinds[k] & IFF_TAP ? 14 : 0),
					i % 3 ? IPPROTO_TCP : i % 18, "", 0);
			r = write(fd, p, n);
			good = r == (long)n || (r < 0 && (errno == EINVAL || errno == EMSGSIZE));
		}
		CHECK(good);
		close(fd);
	}
}

int main(void)
{
	alarm(TAP_LIMIT);
	tun_start();
	test_persist();
	test_removal();
	test_bound_gone();
	test_changed_going();
	test_async();
	test_many();
	test_nonsense();
	return tap_done();
}
