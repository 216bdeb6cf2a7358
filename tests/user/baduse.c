/*
 * Bad use of every system call: each argument wrong in every way its kind allows, one at a time
 * and in pairs, as root and as a plain user, compared with what Linux answers.
 *
 *   baduse [PATTERN]     compare the rows whose name holds PATTERN with baduse/linux.inc
 *   baduse -r [PATTERN]  print the answers, in the form of that file (scripts/record-baduse)
 *   baduse -l N PATTERN  do each row N times and say what was lost
 *   baduse -s I/N        only every Nth row, from the Ith on
 *   baduse -k            print what differs, in the form of baduse/deviations.inc
 *   baduse -q            quick: as root only, one wrong at a time
 *   baduse -v            say how long each row took
 *
 * Rows are in baduse/rows_*.h; a row of syscalls.def without one is a failure. Each row is done in
 * a child that has the fixture (baduse/fixture.h) for itself; after a call that succeeded the next
 * child goes on with a new one. A failed call must leave the child as it was: descriptors, ids,
 * signals, names in the folder, for memory calls the mappings. What changed anyway is part of the
 * answer ('*'), because Linux too copies out after the deed at times; where Linux changes something
 * and we do not, we are right as well. A call that blocks is ended by a signal, one that cannot be
 * is killed.
 *
 * An answer is one letter: '.' for 0, '+' for a positive number, an error's letter (letters[]), or
 * something in braces. A line holds the good call's answer, then those of each argument's cases,
 * then those of the pairs, between bars; '=' says that a plain user gets what root gets.
 *
 * Left out, with reasons: what cannot be survived by the machine (reboot with the right numbers,
 * pivot_root of the running system, kexec), signals to process 1 and to everybody.
 */
#define _GNU_SOURCE
#include "baduse/compare.h"
#include <limits.h>
#include <sys/mount.h>
#include "memcount.h"
#include "tap.h"
#include "baduse/rows.h"

#define NAP_MS 2 /* between two looks at the child; longer than what rows sleep for */
#define LOOKS 4 /* asleep in so many, one after the other: the call blocks, a signal ends it */
#define NUDGES 6 /* so many signals did not help: it is killed */
#define USER 1000
#define LEAK_ROUNDS 2
#define LEAK_TRIES 4
#define LEAK_NAP_MS 200

static int recording, quick, leak_rounds;

/* --- the parent --- */

/*
 * Wait for the child; returns its wait status. One that blocks is nudged, then killed. All share one
 * CPU: a sleep that ends by itself, after a millisecond, began before the first look that saw it, so
 * it ends before the second. More looks than two are for what the call waits for by workers of the
 * kernel: on a host that stands still a nap may be over before they have run.
 */
static int child_wait(pid_t pid)
{
	int st, seen = -1, nudges = 0, looks = 0, left = TAP_PATIENCE_MS / NAP_MS;

	for (;;) {
		pid_t r = waitpid(pid, &st, WNOHANG | WUNTRACED | __WALL);

		if (r == pid && !WIFSTOPPED(st))
			return st;
		if (r == pid)
			break;
		nap(NAP_MS);
		if (seen != report->at)
			nudges = looks = 0;
		seen = report->at;
		looks = report->ready && is_asleep(pid) ? looks + 1 : 0;
		if (--left && looks < LOOKS)
			continue;
		if (++nudges >= NUDGES || !left) {
			st = -1;
			break;
		}
		kill(pid, SIGALRM);
		looks = 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return st;
}

/* Unmount the last of what is mounted under places that rows name; 0 when nothing is left. */
static int remove_mounts(void)
{
	char line[512], where[256], last[256] = "";
	FILE *f = fopen("/proc/self/mountinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %255s", where) == 1 &&
		    (!strncmp(where, FIXTURE_TOP, strlen(FIXTURE_TOP)) ||
		     !strcmp(where, "/sys/kernel")))
			strcpy(last, where);
	if (f)
		fclose(f);
	return *last && !umount2(last, MNT_DETACH);
}

static void undo(const struct entry *e)
{
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	if (e->flags & IPC)
		fixture_remove_ipc();
	if (e->flags & NAMES) {
		sethostname("baduse", 6);
		setdomainname("(none)", 6);
	}
	if (e->flags & MOUNTS)
		while (remove_mounts())
			;
}

static void ended_with(int st, char *answer)
{
	if (st == -1)
		strcpy(answer, "{hang}");
	else if (WIFSTOPPED(st))
		sprintf(answer, "{T%d}", WSTOPSIG(st));
	else if (WIFSIGNALED(st))
		sprintf(answer, "{!%d}", WTERMSIG(st));
	else
		sprintf(answer, "{x%d}", WEXITSTATUS(st));
}

static void run_cases(const struct entry *e, int user)
{
	int files = 1, at;

	fixture_outside();
	memset(report->answer, 0, sizeof(report->answer));
	report->at = report->done = 0;
	while (!report->done) {
		pid_t pid;
		int st;

		at = report->at;
		report->ready = report->same_files = 0;
		pid = fork();
		if (!pid)
			child_main(e, user, files);
		if (pid < 0) {
			perror("baduse: fork");
			exit(2);
		}
		st = child_wait(pid);
		if (!report->ready) {
			printf("# %s: no fixture (wait status %#x)\n", e->name, st);
			exit(2);
		}
		if (!report->done && !report->answer[report->at][0] && report->at < MAX_CASES &&
		    (st != 0 || report->at == at)) {
			ended_with(st, report->answer[report->at]);
			report->at++;
		}
		undo(e);
		files = e->flags & FS && !report->same_files; /* of other rows they stay */
	}
}

/* Which descriptors this kernel can make. */
static void learn_descriptors(void)
{
	pid_t pid = fork();

	if (!pid) {
		fixture_files(0);
		fixture_descriptors();
		for (int fd = 0; fd < FD_LAST; fd++)
			report->have[fd] = syscall(SYS_fcntl, fd, F_GETFD) >= 0;
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* --- leaks, the kernel's log, main --- */

static const struct {
	const char *name;
	int nr;
} implemented[] = {
#define SYSCALL(nr, name, nargs, format, flags) { #name, nr },
#include "../../kernel/sys/syscalls.def"
#undef SYSCALL
};
#define IMPLEMENTED (sizeof(implemented) / sizeof(implemented[0]))

static int has_row(int nr)
{
	for (unsigned i = 0; i < IMPLEMENTED; i++)
		if (implemented[i].nr == nr)
			return 1;
	return 0;
}

static void check_every_call_has_a_row(void)
{
	int missing_rows = 0;

	for (unsigned i = 0; i < IMPLEMENTED; i++) {
		int found = 0;

		for (unsigned k = 0; k < ROWS && !found; k++)
			found = row_at(k)->nr == implemented[i].nr;
		if (!found)
			printf("# %s has no row\n", implemented[i].name);
		missing_rows += !found;
	}
	tap_result(!missing_rows, "every call of syscalls.def has a row here", __FILE__, __LINE__,
		   0);
}

/* One row, as root and as user: prints or compares. */
static void do_row(const struct entry *e)
{
	double began = now();
	int bad = 0;

	for (int user = 0; user <= USER; user += USER) {
		struct entry mine = *e;

		if (user && (quick || (e->flags & ROOT_ONLY)))
			continue;
		if (user || quick)
			mine.flags |= NO_PAIRS;
		list_cases(&mine);
		run_cases(&mine, user);
		if (recording)
			print_line(&mine, user);
		else
			bad += compare(&mine, user);
	}
	if (!recording && !counting)
		tap_result(!bad, e->name, __FILE__, __LINE__, 0);
	if (verbose)
		printf("# %s took %.0f ms\n", e->name, 1000 * (now() - began));
}

static int no_child(void)
{
	return waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD;
}

/* What is done by workers of the kernel is waited for. */
static int comes_back(int rounds)
{
	int left = SETTLE_ROUNDS;

	if (!EVENTUALLY(no_child()))
		return 0;
	while (!memory_is_back(rounds) && --left)
		nap(LEAK_NAP_MS);
	return left > 0;
}

/* A row again and again; what is less at the end and does not come back is shown. */
static void do_row_for_leaks(const struct entry *row)
{
	struct entry mine = *row;
	const struct entry *e = &mine;

	mine.flags |= quick ? NO_PAIRS : 0;
	list_cases(e);
	for (int i = 0; i < 2; i++)
		run_cases(e, 0);
	EVENTUALLY(no_child());
	count_memory(&memory_before);
	for (int i = 0; i < leak_rounds; i++)
		run_cases(e, 0);
	if (comes_back(leak_rounds) && !verbose)
		return;
	printf("# %s: %d cases\n", e->name, ncases);
	memory_differences(leak_rounds);
}

/* Once more all rows of the part, as root with one wrong at a time. */
static void do_part(int shard, int shards)
{
	for (unsigned i = 0; i < ROWS; i++) {
		struct entry mine = *row_at(i);

		if (!strstr(mine.name, wanted) || (int)(i % shards) != shard || !has_row(mine.nr))
			continue;
		mine.flags |= NO_PAIRS;
		list_cases(&mine);
		run_cases(&mine, 0);
	}
}

/*
 * After the table, which has filled what is kept, some rounds more of it: no process, open file,
 * object or frame may be lost in each. Linux's counts are too rough for that.
 */
static void check_nothing_is_lost(int shard, int shards)
{
	int back = 0;

	for (int tries = 0; tries < LEAK_TRIES && !back; tries++) {
		count_memory(&memory_before);
		for (int i = 0; i < LEAK_ROUNDS; i++)
			do_part(shard, shards);
		back = comes_back(LEAK_ROUNDS);
		if (!back || verbose)
			memory_differences(LEAK_ROUNDS);
	}
	tap_result(back, "nothing is lost", __FILE__, __LINE__, 0);
}

/* Calls that Linux has and this kernel does not: listed, and they must say so. */
static void list_absent(void)
{
	int col = 0;

	printf("# absent:");
	for (unsigned i = 0; i < ROWS; i++) {
		const char *slash = strchr(row_at(i)->name, '/');
		int n = slash ? (int)(slash - row_at(i)->name) : (int)strlen(row_at(i)->name);

		if (has_row(row_at(i)->nr) || (i && row_at(i - 1)->nr == row_at(i)->nr))
			continue;
		col += printf("%s%.*s", col > 90 ? "\n#  " : " ", n, row_at(i)->name);
		if (col > 95)
			col = 0;
		if (syscall(row_at(i)->nr, -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != ENOSYS)
			tap_result(0, row_at(i)->name, __FILE__, __LINE__, errno);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	int opt, shard = 0, shards = 1, log, linnet = is_linnet();
	uint64_t cpus = 1; /* child_wait says why */

	fixture_end_if_marked();
	while ((opt = getopt(argc, argv, "kqvrl:s:")) != -1) {
		if (opt == 'r')
			recording = 1;
		else if (opt == 'k')
			counting = 1;
		else if (opt == 'q')
			quick = 1;
		else if (opt == 'v')
			verbose = 1;
		else if (opt == 'l')
			leak_rounds = atoi(optarg);
		else if (opt != 's' || sscanf(optarg, "%d/%d", &shard, &shards) != 2 || shards < 1)
			return 2;
	}
	if (optind < argc)
		wanted = argv[optind];
	syscall(SYS_sched_setaffinity, 0, sizeof(cpus), &cpus);
	leave_terminal();
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	block_sigchld();
	signal(SIGALRM, nudged);
	log = log_open();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fixture_memory();
	learn_descriptors();
	if (!recording && !counting && !*wanted && shard == 0) {
		check_every_call_has_a_row();
		if (linnet)
			list_absent();
	}
	for (unsigned i = 0; i < ROWS; i++) {
		if (!strstr(row_at(i)->name, wanted) || (int)(i % shards) != shard)
			continue;
		if (linnet && !has_row(row_at(i)->nr))
			continue;
		if (leak_rounds)
			do_row_for_leaks(row_at(i));
		else
			do_row(row_at(i));
		fflush(stdout);
	}
	if (recording || counting)
		return 0;
	if (linnet && !leak_rounds)
		check_nothing_is_lost(shard, shards);
	if (linnet)
		tap_result(log_warnings(log) == 0, "no warnings in the kernel's log", __FILE__,
			   __LINE__, 0);
	printf("# %d answers compared, %d differ\n", compared, differ);
	return tap_done();
}
