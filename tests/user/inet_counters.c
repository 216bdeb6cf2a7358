/*
 * What /proc/net/netstat counts of IP packets: the line IpExt. proc(5)
 *
 * Others may send, too: what is counted is compared with "at least".
 */
#define _GNU_SOURCE
#include <netinet/ip.h>
#include "inet.h"

/* The value of one counter, of the line that begins with @line. */
static long long counter(const char *line, const char *name)
{
	static char names[8192], values[8192];
	FILE *f = fopen("/proc/net/netstat", "r");
	long long found = -1;
	char *n, *v, *at, *at2;

	while (f && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		n = strtok_r(names, " \n", &at);
		v = strtok_r(values, " \n", &at2);
		if (strcmp(n, line))
			continue;
		while ((n = strtok_r(NULL, " \n", &at)) && (v = strtok_r(NULL, " \n", &at2))) {
			if (!strcmp(n, name))
				found = atoll(v);
		}
		if (n || strtok_r(NULL, " \n", &at2))
			found = -2; /* not as many values as names */
	}
	if (f)
		fclose(f);
	return found;
}

static const char *const all[] = { "InNoRoutes",     "InTruncatedPkts", "InMcastPkts",
				   "OutMcastPkts",   "InBcastPkts",	"OutBcastPkts",
				   "InOctets",	     "OutOctets",	"InMcastOctets",
				   "OutMcastOctets", "InBcastOctets",	"OutBcastOctets",
				   "InCsumErrors",   "InNoECTPkts",	"InECT1Pkts",
				   "InECT0Pkts",     "InCEPkts",	"ReasmOverlaps" };
#define N (sizeof(all) / sizeof(all[0]))
static long long before[N];

static void begin(void)
{
	for (unsigned i = 0; i < N; i++)
		before[i] = counter("IpExt:", all[i]);
}

static long long more(const char *name)
{
	for (unsigned i = 0; i < N; i++) {
		if (!strcmp(all[i], name))
			return counter("IpExt:", name) - before[i];
	}
	return -1;
}

#define LEN 1000
#define PACKET (LEN + 28)

static void send_to(const char *addr, int tos)
{
	static char data[LEN];
	int x = socket(AF_INET, SOCK_DGRAM, 0), y = udp_bound(), one = 1;
	struct sockaddr_in to = at(addr, port_of(y)), any = at("0.0.0.0", port_of(y));
	struct ip_mreqn all_hosts = { .imr_ifindex = 1 };

	close(y);
	y = socket(AF_INET, SOCK_DGRAM, 0);
	inet_pton(AF_INET, "224.0.0.251", &all_hosts.imr_multiaddr);
	REQUIRE(!bind(y, SA(any)));
	REQUIRE(!setsockopt(y, SOL_IP, IP_ADD_MEMBERSHIP, &all_hosts, sizeof(all_hosts)));
	REQUIRE(!setsockopt(x, SOL_IP, IP_MULTICAST_IF, &all_hosts, sizeof(all_hosts)));
	REQUIRE(!setsockopt(x, SOL_IP, IP_TOS, &tos, sizeof(tos)));
	REQUIRE(!setsockopt(x, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)));
	begin();
	REQUIRE(sendto(x, data, LEN, 0, SA(to)) == LEN);
	REQUIRE(recv(y, data, LEN, 0) == LEN);
	close(x);
	close(y);
}

int main(void)
{
	alarm(TAP_LIMIT);
	CHECK(loopback_up());
	for (unsigned i = 0; i < N; i++)
		CHECK(counter("IpExt:", all[i]) >= 0);
	CHECK(counter("TcpExt:", "TCPDelivered") >= 0);
	send_to("127.0.0.1", 0);
	CHECK(more("InOctets") >= PACKET && more("OutOctets") >= PACKET &&
	      more("InNoECTPkts") >= 1);
	send_to("127.0.0.1", 2);
	CHECK(more("InECT0Pkts") >= 1);
	send_to("127.0.0.1", 1);
	CHECK(more("InECT1Pkts") >= 1);
	send_to("127.0.0.1", 3);
	CHECK(more("InCEPkts") >= 1);
	send_to("127.255.255.255", 0);
	CHECK(more("OutBcastPkts") >= 1 && more("OutBcastOctets") >= PACKET);
	CHECK(more("InBcastPkts") >= 1 && more("InBcastOctets") >= PACKET);
	send_to("224.0.0.251", 0);
	CHECK(more("OutMcastPkts") >= 1 && more("OutMcastOctets") >= PACKET);
	CHECK(more("InMcastPkts") >= 1 && more("InMcastOctets") >= PACKET);
	return tap_done();
}
