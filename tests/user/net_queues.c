/*
 * Pairs of queues of a network card: how many there are, fewer of them, their counters and
 * directories. With the address of a host, whose port 7002 gives as many bytes as it is asked for
 * (tests/net/lab), each of them has to carry something. Without a card, loopback's only. And: room
 * in send buffers comes back when the card has sent.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "tap.h"

#define CARD "eth0"
#define STATS_MAX 512
#define ASK "1000\n"
#define ANSWER 1000
#define TRIES 2000

static int ask(const char *dev, void *data)
{
	struct ifreq r = { .ifr_data = data };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret, err;

	strcpy(r.ifr_name, dev);
	ret = ioctl(fd, SIOCETHTOOL, &r);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

/* How many directories queues/KIND-N there are. */
static int directories(const char *dev, const char *kind)
{
	char path[64];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", dev);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += !strncmp(e->d_name, kind, 3);
	if (d)
		closedir(d);
	return n;
}

static unsigned long long total(const char *counter)
{
	unsigned long long v = ~0ull;
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/" CARD "/statistics/%s", counter);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &v) != 1)
		v = ~0ull;
	if (f)
		fclose(f);
	return v;
}

static struct {
	struct ethtool_stats head;
	__u64 value[STATS_MAX];
} stats;
static struct {
	struct ethtool_gstrings head;
	char name[STATS_MAX][ETH_GSTRING_LEN];
} names;
static struct {
	struct ethtool_sset_info head;
	__u32 n;
} set;

/* The names of the counters, which may be others when the number of queues is another. */
static int read_names(void)
{
	set.head = (struct ethtool_sset_info){ .cmd = ETHTOOL_GSSET_INFO,
					       .sset_mask = 1 << ETH_SS_STATS };
	if (ask(CARD, &set) || set.n > STATS_MAX)
		return 0;
	names.head =
		(struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS };
	return !ask(CARD, &names) && names.head.len == set.n;
}

/* Counter @what of the @queue-th queue of kind @kind; -1: there is none. */
static long long counter(const char *kind, int queue, const char *what)
{
	char name[ETH_GSTRING_LEN];

	snprintf(name, sizeof(name), "%s_queue_%d_%s", kind, queue, what);
	stats.head.cmd = ETHTOOL_GSTATS;
	if (ask(CARD, &stats))
		return -1;
	for (unsigned i = 0; i < set.n; i++) {
		if (!strncmp(names.name[i], name, ETH_GSTRING_LEN))
			return (long long)stats.value[i];
	}
	return -1;
}

static long long sum(const char *kind, unsigned queues, const char *what)
{
	long long n = 0;

	for (unsigned i = 0; i < queues; i++)
		n += counter(kind, (int)i, what);
	return n;
}

static int channels(unsigned *max)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

	if (ask(CARD, &c))
		return -1;
	*max = c.max_combined;
	return (int)c.combined_count;
}

static int set_channels(unsigned combined, unsigned rx)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_SCHANNELS,
				      .combined_count = combined,
				      .rx_count = rx };

	return ask(CARD, &c);
}

/* One connection there and back. */
static int exchange(const char *host)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7002) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), good = 0;
	char buf[ANSWER];
	ssize_t n, got = 0;

	to.sin_addr.s_addr = inet_addr(host);
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)) &&
	    write(fd, ASK, sizeof(ASK) - 1) == sizeof(ASK) - 1) {
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			got += n;
		good = got == ANSWER;
	}
	close(fd);
	return good;
}

/* A pair whose counters do not grow by traffic is found; -1: all of them do. */
static int idle_pair(const char *host, unsigned pairs)
{
	long long rx[64], tx[64];

	for (unsigned i = 0; i < pairs; i++) {
		rx[i] = counter("rx", (int)i, "packets");
		tx[i] = counter("tx", (int)i, "packets");
	}
	for (unsigned i = 0, tries = 0; i < pairs; i++) {
		while (counter("rx", (int)i, "packets") <= rx[i] ||
		       counter("tx", (int)i, "packets") <= tx[i]) {
			if (tries++ == TRIES || !exchange(host))
				return (int)i;
		}
	}
	return -1;
}

static void card(const char *host)
{
	unsigned max = 0, n;
	int now = channels(&max);

	if (!CHECK(now >= 1 && max >= (unsigned)now && max <= 64))
		return;
	CHECK(read_names());
	for (int i = 0; i < now; i++)
		CHECK(counter("rx", i, "packets") >= 0 && counter("rx", i, "bytes") >= 0 &&
		      counter("tx", i, "packets") >= 0 && counter("tx", i, "bytes") >= 0);
	CHECK(counter("rx", 64, "packets") == -1);
	CHECK(directories(CARD, "rx-") == now && directories(CARD, "tx-") == now);
	CHECK_ERR(set_channels(0, 0), EINVAL);
	CHECK_ERR(set_channels(max + 1, 0), EINVAL);
	CHECK_ERR(set_channels(1, 1), EINVAL);
	if (!seteuid(65534)) {
		CHECK_ERR(set_channels(1, 0), EPERM);
		CHECK(!seteuid(0));
	}
	for (n = max; n; n--) {
		CHECK(!set_channels(n, 0) && channels(&max) == (int)n && read_names());
		CHECK(directories(CARD, "rx-") == (int)n && directories(CARD, "tx-") == (int)n);
		if (host)
			CHECK(idle_pair(host, n) == -1);
	}
	CHECK(!set_channels(max, 0) && directories(CARD, "rx-") == (int)max && read_names());
	if (!host)
		return;
	CHECK(idle_pair(host, max) == -1);
	CHECK(EVENTUALLY(sum("rx", max, "packets") == (long long)total("rx_packets")));
	CHECK(EVENTUALLY(sum("tx", max, "packets") == (long long)total("tx_packets")));
	CHECK(EVENTUALLY(sum("rx", max, "bytes") == (long long)total("rx_bytes")));
	CHECK(EVENTUALLY(sum("tx", max, "bytes") == (long long)total("tx_bytes")));
}

/*
 * Datagrams to all, and frames to nobody, which nothing answers: whoever fills the send buffer goes
 * on when the card has sent, though nothing comes.
 */
static void full_buffers(void)
{
	struct sockaddr_in all = { .sin_family = AF_INET,
				   .sin_port = htons(9),
				   .sin_addr.s_addr = INADDR_BROADCAST };
	struct sockaddr_ll nobody = { .sll_family = AF_PACKET,
				      .sll_protocol = htons(0x88b5), /* for experiments */
				      .sll_ifindex = (int)if_nametoindex(CARD),
				      .sll_halen = 6,
				      .sll_addr = { 2, 0, 0, 0, 0, 99 } };
	struct timeval limit = { .tv_sec = 20 };
	int on = 1, fd[2] = { socket(AF_INET, SOCK_DGRAM, 0), socket(AF_PACKET, SOCK_DGRAM, 0) };
	static char data[1000];

	CHECK(!setsockopt(fd[0], SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)));
	CHECK(!setsockopt(fd[0], SOL_SOCKET, SO_BINDTODEVICE, CARD, sizeof(CARD)));
	for (int i = 0; i < 2; i++) {
		int sent = 0;

		CHECK(!setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &on, sizeof(on)));
		CHECK(!setsockopt(fd[i], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
		while (sent < 200 &&
		       sendto(fd[i], data, sizeof(data), 0,
			      i ? (struct sockaddr *)&nobody : (struct sockaddr *)&all,
			      i ? sizeof(nobody) : sizeof(all)) == sizeof(data))
			sent++;
		CHECK(sent == 200);
		close(fd[i]);
	}
}

int main(int argc, char **argv)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

	CHECK_ERR(ask("lo", &c), EOPNOTSUPP);
	c.cmd = ETHTOOL_SCHANNELS;
	CHECK_ERR(ask("lo", &c), EOPNOTSUPP);
	CHECK(directories("lo", "rx-") == 1 && directories("lo", "tx-") == 1);
	if (argc > 1 || if_nametoindex(CARD))
		card(argv[1]);
	if (argc == 1 && if_nametoindex(CARD))
		full_buffers();
	return tap_done();
}
