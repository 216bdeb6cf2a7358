/*
 * proc(5), what tells of the whole system: version, interrupts, softirqs, filesystems, devices,
 * cmdline, kmsg, config.gz; the machine's memory as the node that /sys has of it. Runs as root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "proc_text.h"

/* Lines of "name: numbers", one number for each CPU of the first line. */
static int per_cpu_lines(void)
{
	int cpus = 0, lines = 0;
	char *line = strchr(text, '\n');

	for (char *p = text; p < line && (p = strstr(p, "CPU")) && p < line; p++)
		cpus++;
	while (line && *++line) {
		char *p = strchr(line, ':'), *next;

		if (!p || p > strchr(line, '\n'))
			return 0;
		p++;
		for (int i = 0; i < cpus; i++, p = next) {
			strtoul(p, &next, 10);
			/* a few rows have one number for all */
			if (next == p && i != 1)
				return 0;
		}
		lines++;
		line = strchr(line, '\n');
	}
	return cpus > 0 ? lines : 0;
}

/* What is in the small files that tell of the whole system. */
static void system_texts(void)
{
	struct utsname u;
	char want[512], *p;

	CHECK(!uname(&u) && slurp("/proc/version") > 0);
	snprintf(want, sizeof(want), "Linux version %s ", u.release);
	CHECK(!strncmp(text, want, strlen(want)));
	snprintf(want, sizeof(want), "%s\n", u.version);
	CHECK(strlen(text) > strlen(want) && !strcmp(text + strlen(text) - strlen(want), want));
	CHECK(slurp("/proc/interrupts") > 0 && !strncmp(text, "           CPU0 ", 16) &&
	      strstr(text, " Level ") && strstr(text, " arch_timer\n") && strstr(text, "\nIPI0:") &&
	      strstr(text, " Rescheduling interrupts\n") && per_cpu_lines() > 3);
	CHECK(slurp("/proc/softirqs") > 0 && per_cpu_lines() == 10);
	CHECK(slurp("/proc/filesystems") > 0 && strstr(text, "nodev\ttmpfs\n") &&
	      strstr(text, "nodev\tproc\n") && strstr(text, "nodev\tsysfs\n") &&
	      strstr(text, "nodev\tdevpts\n"));
	CHECK(slurp("/proc/devices") > 0 && !strncmp(text, "Character devices:\n  1 mem\n", 27) &&
	      strstr(text, "\n  5 /dev/tty\n") && strstr(text, "\n204 ttyAMA\n") &&
	      strstr(text, "\n\nBlock devices:\n"));
	CHECK(slurp("/proc/cmdline") > 0 && (p = strchr(text, '\n')) && p[1] == 0 &&
	      strstr(text, "console="));
}

/* A line that was written to the log comes out of /proc/kmsg once, with its level. */
static void kernel_log(void)
{
	char mark[64], *p = NULL;
	int fd = open("/proc/kmsg", O_RDONLY | O_NONBLOCK), found = 0, err;
	ssize_t n;

	REQUIRE(fd >= 0);
	snprintf(mark, sizeof(mark), "procfs_system %d\n", getpid());
	snprintf(text, sizeof(text), "<12>%s", mark);
	CHECK(!spit("/dev/kmsg", text));
	while ((n = read(fd, text, sizeof(text) - 1)) > 0 || (err = errno, 0)) {
		text[n] = 0;
		p = strstr(text, mark);
		found += p != NULL;
		for (; p && p > text && p[-1] != '\n'; p--)
			;
		CHECK(text[0] == '<' && (!p || !strncmp(p, "<12>", 4)));
	}
	CHECK(n < 0 && err == EAGAIN && found == 1);
	CHECK(spit("/proc/kmsg", mark) == -1 && errno == EIO);
	close(fd);
}

/* The machine's memory is one node, of all CPUs; ps and numactl look here. */
static void memory_node(void)
{
	static const char node[] = "/sys/devices/system/node/node0/cpulist",
			  huge[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	unsigned long long total;
	char cpus[64], *p;

	CHECK(slurp("/sys/devices/system/cpu/present") > 0);
	strlcpy(cpus, text, sizeof(cpus));
	CHECK(slurp(node) > 0 && !strcmp(text, cpus));
	CHECK(slurp("/sys/devices/system/node/has_memory") > 0 && !strcmp(text, "0\n"));
	CHECK(slurp("/sys/devices/system/node/node0/distance") > 0 && !strcmp(text, "10\n"));
	CHECK(slurp("/sys/devices/system/node/node0/cpu0/topology/core_id") > 0);
	total = slurp("/proc/meminfo") > 0 ? field("MemTotal:") : 0;
	CHECK(total && strstr(text, "\nActive(anon): ") && strstr(text, "\nKReclaimable: "));
	CHECK(slurp("/sys/devices/system/node/node0/meminfo") > 0);
	CHECK(!strncmp(text, "Node 0 MemTotal:       ", 23) && field("MemTotal:") == total);
	CHECK(field("MemUsed:") + field("MemFree:") == total && field("FilePages:") > 0);
	CHECK(slurp(huge) > 0 && (p = strchr(text, '[')) && strchr(p, ']'));
	CHECK(spit(huge, "nonsense") == -1 && errno == EINVAL && spit(huge, "never") == 0);
}

static int mode_of(const char *path, off_t *size)
{
	struct stat st;

	if (lstat(path, &st))
		return -1;
	*size = st.st_size;
	return (int)(st.st_mode & 07777);
}

/* What stat says of files of /sys and /proc, the bus of the serial port, what is never granted. */
static void odds(void)
{
	static const char port[] = "/sys/bus/amba/devices/9000000.pl011",
			  at[] = "../../../devices/platform/9000000.pl011";
	off_t size = -1;
	char to[100] = "";

	CHECK(mode_of("/sys/class/net/lo/mtu", &size) == 0644 && size == 4096);
	CHECK(mode_of("/sys/class/tty/console/active", &size) == 0444 && size == 4096);
	CHECK(mode_of("/sys/class/net/lo", &size) == 0777 && size == 0);
	CHECK(mode_of("/proc/mounts", &size) == 0777 && size == 11);
	CHECK(mode_of("/proc/iomem", &size) == 0444 && mode_of("/proc/ioports", &size) == 0444);
	CHECK(readlink(port, to, sizeof(to) - 1) == sizeof(at) - 1 && !strcmp(to, at));
	CHECK(!access("/sys/bus/amba/drivers/uart-pl011/9000000.pl011/tty/ttyAMA0/dev", R_OK));
	CHECK(slurp("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size") > 0 &&
	      !strcmp(text, "2097152\n"));
	CHECK(mode_of("/proc/self/timens_offsets", &size) == 0644);
	CHECK(spit("/proc/self/timens_offsets", "monotonic 1 0") == -1 && errno == EACCES);
}

/* What the kernel can do, for who looks before he asks: zcat(1) checks the format and the sum. */
static void config(void)
{
	char line[128];
	int lines = 0, mmu = 0;
	FILE *f;

	if (access("/proc/config.gz", F_OK)) /* Debian's kernel has none */
		return;
	f = popen("zcat /proc/config.gz", "r");
	REQUIRE(f);
	for (; fgets(line, sizeof(line), f); lines++) {
		CHECK(!strncmp(line, "CONFIG_", 7) && strstr(line, "=y\n"));
		mmu |= !strcmp(line, "CONFIG_MMU=y\n");
	}
	CHECK(lines > 50 && mmu);
	CHECK(pclose(f) == 0);
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	system_texts();
	kernel_log();
	memory_node();
	odds();
	config();
	return tap_done();
}
