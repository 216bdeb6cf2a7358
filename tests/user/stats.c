/* /proc/stats, which only this kernel has: calls, their errors, calls that are not there, faults. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include "tap.h"

#define ABSENT 999 /* no call of this number is there */

static unsigned long long value(const char *prefix)
{
	FILE *f = fopen("/proc/stats", "r");
	unsigned long long n = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, prefix, strlen(prefix)) && line[strlen(prefix)] == ' ')
			n = strtoull(line + strlen(prefix) + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return n;
}

/* Of close() on what is not open. Who finds the table of errors full is counted with the others. */
static unsigned long long close_errors(void)
{
	return value("error close 9") + value("error other 0");
}

int main(void)
{
	unsigned long long calls, errors, absent, faults;
	char *page;

	if (access("/proc/stats", F_OK)) {
		printf("ok 1 - there is no /proc/stats # skip\n1..1\n");
		return 0;
	}
	calls = value("call getppid");
	errors = close_errors();
	absent = value("absent 999 stats");
	faults = value("fault translation") + value("fault permission");
	for (int i = 0; i < 1000; i++) {
		syscall(SYS_getppid);
		close(-1);
	}
	CHECK_ERR(syscall(ABSENT), ENOSYS);
	page = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 64; i++)
		page[i << 12] = 1;
	/* A count may be lost now and then when a thread is preempted just there. */
	CHECK(value("call getppid") >= calls + 900 && value("call getppid") < calls + 1900);
	CHECK(close_errors() >= errors + 900 && close_errors() < errors + 1900);
	CHECK(value("absent 999 stats") == absent + 1);
	CHECK(value("fault translation") + value("fault permission") > faults);
	CHECK(value("switches 0") > 0 && value("frames total") > value("frames free"));
	return tap_done();
}
