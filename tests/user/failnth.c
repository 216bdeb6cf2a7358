/*
 * Fail each allocation of memory in turn: the operations of failnth/ are done with the first,
 * the second, the third allocation failing (/proc/thread-self/fail-nth), until one is done whole.
 *
 *   failnth [-v] [PATTERN]   only the operations whose name holds PATTERN; -v tells each failure
 *   failnth -m [PATTERN]     count memory after each operation, and tell how long it takes
 *   failnth -x N PROGRAM...  run a program whose Nth allocation fails, those of exec counted
 *
 * A failure must be an errno that the call's manual page gives for want of memory. All of it is
 * done once before memory is counted and some times more after that: then the same objects must be
 * in use as before, in each cache of the kernel (/proc/slabinfo), and the same frames, but for a
 * few that caches keep. A kernel that cannot fail the Nth passes with nothing done.
 */
#define _GNU_SOURCE
#include "failnth/engine.h"
#include "failnth/process.h"
#include "failnth/memory.h"
#include "failnth/files.h"
#include "failnth/channels.h"
#include "failnth/events.h"
#include "failnth/terminal.h"
#include "failnth/guards.h"
#include "failnth/later.h"
#include "failnth/network.h"
#include "failnth/disks.h"

#define ROUNDS 3 /* counted ones: what is lost once in each shows */
#define TRIES 4

static const struct op *const tables[] = { process_ops, memory_ops,   file_ops,	 channel_ops,
					   event_ops,	terminal_ops, guard_ops, later_ops,
					   network_ops, disk_ops };

/* All failures of one operation. The number of allocations it makes; -1: something was wrong. */
static int op_run(const struct op *op)
{
	int n;

	for (n = 1; n <= OP_MAX; n++) {
		long r;
		int err, hit;

		if (op->before && op->before())
			break;
		errno = 0;
		fail_stopped = -1;
		if (!op->child)
			fail_arm(n);
		child_nth = op->child ? n : 0;
		r = op->run();
		err = errno;
		hit = op->child ? child_hit : fail_disarm();
		if (op->after)
			op->after();
		if (verbose)
			fprintf(stderr, "# %s %d: %ld, errno %d%s\n", op->name, n, r,
				r < 0 ? err : 0, hit ? "" : ", not reached");
		if (r < 0 && !err_allowed(op, err, hit)) {
			printf("# %s: allocation %d %s, errno %d (%s)\n", op->name, n,
			       hit ? "failed" : "was not reached", err, strerror(err));
			return -1;
		}
		if (!hit)
			return n - 1;
	}
	printf("# %s: no end after %d\n", op->name, n);
	return -1;
}

static void each_op(const char *pattern, int report)
{
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct op *op = tables[t]; op->name; op++) {
			int n;

			if (!strstr(op->name, pattern))
				continue;
			n = op_run(op);
			if (report || n < 0)
				tap_result(n >= 0, op->name, __FILE__, __LINE__, 0);
		}
}

/* What each operation loses, and costs. */
static void measure(const char *pattern)
{
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct op *op = tables[t]; op->name; op++) {
			struct timespec from, to;
			int n;

			if (!strstr(op->name, pattern))
				continue;
			op_run(op);
			count_memory(&memory_before);
			clock_gettime(CLOCK_MONOTONIC, &from);
			for (int i = 0; i < ROUNDS; i++)
				n = op_run(op);
			clock_gettime(CLOCK_MONOTONIC, &to);
			printf("# %s: %d allocations, %ld ms\n", op->name, n,
			       ((to.tv_sec - from.tv_sec) * 1000 +
				(to.tv_nsec - from.tv_nsec) / 1000000) /
				       ROUNDS);
			memory_differences(ROUNDS);
		}
}

/* ROUNDS of all operations, and then, some of it by workers, all memory is back. */
static int comes_back(const char *pattern)
{
	count_memory(&memory_before);
	for (int i = 0; i < ROUNDS; i++) {
		each_op(pattern, 0);
		if (verbose)
			memory_differences(ROUNDS);
	}
	return EVENTUALLY_EACH(1000, memory_is_back(ROUNDS));
}

int main(int argc, char **argv)
{
	const char *pattern;
	int by_operation, back = 0;
	char byte;

	/* The new program of an exec: until the parent has looked. */
	if (!strcmp(argv[argc - 1], "--child") || strstr(argv[argc - 1], ".failnth"))
		return (int)read(0, &byte, 1);
	if (argc > 3 && !strcmp(argv[1], "-x")) {
		fail_begin(argv[0]);
		fail_arm(atoi(argv[2]));
		execv(argv[3], argv + 3);
		return 127;
	}
	verbose = argc > 1 && !strcmp(argv[1], "-v");
	by_operation = argc > 1 && !strcmp(argv[1], "-m");
	pattern = argc > 1 + (verbose || by_operation) ? argv[argc - 1] : "";
	if (!fail_begin(argv[0])) {
		CHECK(1 /* no fail-nth here */);
		return tap_done();
	}
	loopback_up();
	tun_fill_records();
	if (by_operation) {
		measure(pattern);
		return 0;
	}
	each_op(pattern, 1);
	each_op(pattern, 0);
	/* Which slabs are in part used is a matter of chance; what is lost is lost each time. */
	for (int tries = 0; tries < TRIES && !back && !tap_failed(); tries++)
		back = comes_back(pattern);
	CHECK(back);
	if (tap_failed() || verbose)
		memory_differences(ROUNDS);
	return tap_done();
}
