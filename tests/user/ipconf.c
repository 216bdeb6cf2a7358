/*
 * Settings of IPv4 that each device has: /proc/sys/net/ipv4/conf and neigh, what "default" and "all"
 * do to those of a device. ip-sysctl of Linux's networking documentation.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sys/syscall.h>
#include "inet.h"

#define CONF "/proc/sys/net/ipv4/conf/"
#define NEIGH "/proc/sys/net/ipv4/neigh/"

static int value_of(const char *path)
{
	char text[32] = "-99";
	int fd = open(path, O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atoi(text);
}

/* 0 or -1 with errno. */
static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n = fd < 0 ? -1 : (int)write(fd, text, strlen(text)),
	    e = errno;

	close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

static int all_there(const char *dev)
{
	static const char *const names[] = {
		"forwarding",	  "mc_forwarding", "proxy_arp",	   "accept_redirects",
		"send_redirects", "rp_filter",	   "arp_filter",   "accept_source_route",
		"log_martians",	  "arp_ignore",	   "arp_announce", "promote_secondaries",
		"arp_accept",	  "arp_notify",	   "accept_local", "route_localnet",
		"shared_media",	  "tag",	   "medium_id",	   "force_igmp_version",
		"disable_xfrm",	  "disable_policy"
	};
	char path[96];
	int n = 0;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), CONF "%s/%s", dev, names[i]);
		n += !access(path, R_OK);
	}
	return n == (int)(sizeof(names) / sizeof(names[0]));
}

static void test_default(void)
{
	int was = value_of(CONF "default/log_martians");

	CHECK(!write_to(CONF "default/log_martians", "1\n"));
	CHECK(value_of(CONF "default/log_martians") == 1);
	CHECK(value_of(CONF "all/log_martians") == 0);
	CHECK(value_of(CONF "lo/log_martians") == 0); /* which has an address */
	CHECK(!write_to(CONF "lo/log_martians", "1"));
	CHECK(value_of(CONF "lo/log_martians") == 1);
	CHECK(!write_to(CONF "lo/log_martians", "0"));
	CHECK(!write_to(CONF "default/log_martians", was ? "1" : "0"));
	CHECK_ERR(write_to(CONF "lo/log_martians", "yes"), EINVAL);
}

static void test_forwarding(void)
{
	CHECK(!write_to(CONF "lo/forwarding", "1"));
	CHECK(value_of(CONF "all/forwarding") == 0);
	CHECK(!write_to("/proc/sys/net/ipv4/ip_forward", "1"));
	CHECK(value_of(CONF "all/forwarding") == 1);
	CHECK(value_of(CONF "default/forwarding") == 1);
	CHECK(!write_to(CONF "all/forwarding", "0"));
	CHECK(value_of(CONF "lo/forwarding") == 0);
	CHECK(value_of("/proc/sys/net/ipv4/ip_forward") == 0);
}

static void test_units(void)
{
	CHECK(value_of(NEIGH "lo/retrans_time") == 100);
	CHECK(!write_to(NEIGH "lo/retrans_time_ms", "500"));
	CHECK(value_of(NEIGH "lo/retrans_time") == 50);
	CHECK(!write_to(NEIGH "lo/retrans_time", "100"));
	CHECK(value_of(NEIGH "lo/retrans_time_ms") == 1000);
	CHECK(value_of(NEIGH "default/base_reachable_time") == 30);
	CHECK(value_of(NEIGH "default/ucast_solicit") == 3);
	CHECK(value_of(NEIGH "default/gc_thresh3") == 1024);
	CHECK_ERR(write_to(NEIGH "lo/retrans_time_ms", "-1"), EINVAL);
}

/* A device of this program's, or -1. */
static int device(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR), e;

	strcpy(r.ifr_name, name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r)) {
		e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static int rename_device(int ctl, const char *from, const char *to)
{
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, from);
	strcpy(r.ifr_newname, to);
	return ioctl(ctl, SIOCSIFNAME, &r);
}

/* Where it is a module: tests/run brings it. */
static void load_module(void)
{
	int fd = open("/modules/tun.ko", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)syscall(SYS_finit_module, fd, "", 0);
	close(fd);
}

/* The files follow the name of the device, and what was open is of no device after it. */
static void test_comes_and_goes(int ctl)
{
	char text[16];
	int dev, old, again;

	CHECK_ERR(device("all"), EINVAL);
	CHECK_ERR(device("default"), EINVAL);
	CHECK(all_there("all") && all_there("default"));
	REQUIRE((dev = device("ipc0")) >= 0);
	CHECK(all_there("ipc0") && !write_to(CONF "ipc0/log_martians", "1"));
	CHECK(!rename_device(ctl, "ipc0", "ipc1"));
	CHECK(all_there("ipc1") && access(CONF "ipc0", F_OK) && access(NEIGH "ipc0", F_OK));
	CHECK(value_of(CONF "ipc1/log_martians") == 1);
	CHECK_ERR(rename_device(ctl, "ipc1", "all"), EINVAL);
	CHECK(all_there("all"));
	CHECK((old = open(CONF "ipc1/log_martians", O_RDWR)) >= 0);
	close(dev);
	CHECK(access(CONF "ipc1", F_OK) && access(NEIGH "ipc1", F_OK));
	REQUIRE((again = device("ipc1")) >= 0);
	CHECK(value_of(CONF "ipc1/log_martians") == 0); /* it begins anew */
	CHECK_ERR(read(old, text, sizeof(text)), ENOENT);
	CHECK_ERR(write(old, "1", 1), ENOENT);
	CHECK(value_of(CONF "ipc1/log_martians") == 0);
	close(old);
	close(again);
}

static int over, wrong, touched; /* atomic */

/* Reads and writes settings by names that come and go, and keeps the files open for a while. */
static void *meddle(void *arg)
{
	static const char *const paths[] = { CONF "ipc0/log_martians", CONF "ipc1/log_martians",
					     NEIGH "ipc0/retrans_time_ms",
					     NEIGH "ipc1/retrans_time_ms" };
	int fds[4] = { -1, -1, -1, -1 };
	char text[16];

	for (unsigned i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i++) {
		int *fd = &fds[i % 4];
		ssize_t n;

		if (*fd >= 0 && i % 16 < 4)
			close(*fd), *fd = -1;
		if (*fd < 0 && (*fd = open(paths[i % 4], O_RDWR)) < 0)
			continue;
		n = pread(*fd, text, sizeof(text), 0);
		if (n < 0 ? errno != ENOENT : n < 2)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		if (write(*fd, "1", 1) != 1 && errno != ENOENT)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&touched, 1, __ATOMIC_RELAXED);
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	return arg;
}

static void test_meddled_with(int ctl)
{
	int good = 1, before;
	pthread_t t;

	REQUIRE(!pthread_create(&t, NULL, meddle, NULL));
	for (int i = 0; i < 60 && good; i++) {
		int dev = device("ipc0");

		good = dev >= 0 && !rename_device(ctl, "ipc0", "ipc1") &&
		       !rename_device(ctl, "ipc1", "ipc0");
		before = __atomic_load_n(&touched, __ATOMIC_RELAXED);
		if (!(i % 8)) /* the other thread has been there */
			good = good &&
			       EVENTUALLY(__atomic_load_n(&touched, __ATOMIC_RELAXED) != before);
		good = good && (i & 1 || !rename_device(ctl, "ipc0", "ipc1"));
		close(dev);
	}
	CHECK(good);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	CHECK(!wrong && touched);
	CHECK(access(CONF "ipc0", F_OK) && access(CONF "ipc1", F_OK));
}

int main(void)
{
	int ctl = socket(AF_INET, SOCK_DGRAM, 0);

	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	CHECK(all_there("all"));
	CHECK(all_there("default"));
	CHECK(all_there("lo"));
	test_default();
	test_forwarding();
	test_units();
	load_module();
	test_comes_and_goes(ctl);
	test_meddled_with(ctl);
	close(ctl);
	return tap_done();
}
