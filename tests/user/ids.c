/*
 * What becomes of the ids: setuid(2), setreuid(2), setresuid(2), setfsuid(2) and those of groups, in
 * every combination of some ids, with the capability and without; what a change of user ids does to
 * capabilities (capabilities(7)); setgroups(2); the lines of /proc/self/status. Runs as root.
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "in_child.h"
#include "tap.h"

#define KEEP 0xffffffffu

struct ids {
	unsigned r, e, s, fs;
};

static const struct family {
	const char *name;
	int set, set_two, set_three, set_files, get, cap;
	const char *line; /* of /proc/self/status */
} families[] = {
	{ "uid", SYS_setuid, SYS_setreuid, SYS_setresuid, SYS_setfsuid, SYS_getresuid, CAP_SETUID,
	  "Uid:" },
	{ "gid", SYS_setgid, SYS_setregid, SYS_setresgid, SYS_setfsgid, SYS_getresgid, CAP_SETGID,
	  "Gid:" },
};

/* All permitted capabilities but those of @without are effective. */
static int caps_set(uint64_t without)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -1;
	d[0].effective = d[0].permitted & ~(uint32_t)without;
	d[1].effective = d[1].permitted & ~(uint32_t)(without >> 32);
	return (int)syscall(SYS_capset, &h, d);
}

static struct ids ids_now(const struct family *f)
{
	struct ids i;

	syscall(f->get, &i.r, &i.e, &i.s);
	i.fs = (unsigned)syscall(f->set_files, KEEP);
	return i;
}

/* --- the rules, by the manual pages --- */

static int one_of(unsigned id, const struct ids *i, int saved)
{
	return id == KEEP || id == i->r || id == i->e || (saved && id == i->s);
}

static int rule_set(struct ids *i, unsigned id, int cap)
{
	if (id == KEEP)
		return EINVAL;
	if (cap)
		i->r = i->s = id;
	else if (id != i->r && id != i->s)
		return EPERM;
	i->e = i->fs = id;
	return 0;
}

static int rule_set_two(struct ids *i, unsigned r, unsigned e, int cap)
{
	const struct ids was = *i;

	if (!cap && (!one_of(r, i, 0) || !one_of(e, i, 1)))
		return EPERM;
	i->r = r == KEEP ? i->r : r;
	i->e = e == KEEP ? i->e : e;
	if (r != KEEP || (e != KEEP && e != was.r))
		i->s = i->e;
	i->fs = i->e;
	return 0;
}

static int rule_set_three(struct ids *i, unsigned r, unsigned e, unsigned s, int cap)
{
	if (!cap && (!one_of(r, i, 1) || !one_of(e, i, 1) || !one_of(s, i, 1)))
		return EPERM;
	i->r = r == KEEP ? i->r : r;
	i->e = e == KEEP ? i->e : e;
	i->s = s == KEEP ? i->s : s;
	i->fs = i->e;
	return 0;
}

/* --- every combination --- */

static int same(const struct ids *a, const struct ids *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* One call from @start; @call says which by its number. */
static int try(const struct family *f, const struct ids *start, int cap, int call,
	       const unsigned *arg)
{
	struct ids want = *start, got;
	int err = 0;
	long r = 0;

	if (caps_set(0) || syscall(f->set_three, start->r, start->e, start->s) ||
	    caps_set(cap ? 0 : 1ull << f->cap))
		return 0;
	errno = 0;
	if (call == f->set) {
		r = syscall(call, arg[0]);
		err = rule_set(&want, arg[0], cap);
	} else if (call == f->set_two) {
		r = syscall(call, arg[0], arg[1]);
		err = rule_set_two(&want, arg[0], arg[1], cap);
	} else if (call == f->set_three) {
		r = syscall(call, arg[0], arg[1], arg[2]);
		err = rule_set_three(&want, arg[0], arg[1], arg[2], cap);
	} else {
		/* The old one is the answer, whatever happened. */
		r = syscall(call, arg[0]) == (long)start->fs ? 0 : -2;
		if (arg[0] != KEEP && (cap || one_of(arg[0], start, 1)))
			want.fs = arg[0];
	}
	if (r != (err ? -1 : 0) || errno != err) {
		printf("# %ld, errno %d, not %d\n", r, errno, err);
		return 0;
	}
	got = ids_now(f);
	return same(&got, &want);
}

static int each_call(const struct family *f, const struct ids *start, int cap)
{
	static const unsigned ids[] = { KEEP, 0, 100, 300 };
	const int calls[] = { f->set, f->set_two, f->set_three, f->set_files };
	const int args[] = { 1, 2, 3, 1 };
	int bad = 0;

	for (int c = 0; c < 4; c++)
		for (int n = 0; n < 1 << 2 * args[c]; n++) {
			const unsigned arg[] = { ids[n & 3], ids[n >> 2 & 3], ids[n >> 4] };

			if (try(f, start, cap, calls[c], arg))
				continue;
			if (!bad++)
				printf("# %s: call %d from %u %u %u, %s: %d %d %d\n", f->name,
				       calls[c], start->r, start->e, start->s,
				       cap ? "capable" : "not capable", (int)arg[0], (int)arg[1],
				       (int)arg[2]);
		}
	return bad;
}

/* The four numbers of the line in /proc/self/status. */
static int line_is(const struct family *f, const struct ids *i)
{
	FILE *s = fopen("/proc/self/status", "r");
	char line[256];
	struct ids got = { 0 };
	int n = 0;

	while (s && n != 4 && fgets(line, sizeof(line), s))
		if (!strncmp(line, f->line, 4))
			n = sscanf(line + 4, "%u\t%u\t%u\t%u\n", &got.r, &got.e, &got.s, &got.fs);
	if (s)
		fclose(s);
	return n == 4 && same(&got, i);
}

/* Capabilities stay as they are while user ids change: no fixup. */
static int all_combinations(const struct family *f)
{
	static const unsigned ids[] = { 0, 100, 200 };
	int bad = 0;

	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP))
		return 1;
	for (int n = 0; n < 27; n++) {
		struct ids start = { ids[n % 3], ids[n / 3 % 3], ids[n / 9], ids[n / 3 % 3] };

		for (int cap = 0; cap < 2; cap++)
			bad += each_call(f, &start, cap);
		caps_set(0);
		syscall(f->set_three, start.r, start.e, start.s);
		syscall(f->set_files, 77);
		start.fs = 77;
		bad += !line_is(f, &start);
	}
	return bad != 0;
}

static int user_ids(void)
{
	return all_combinations(&families[0]);
}

static int group_ids(void)
{
	return all_combinations(&families[1]);
}

/* --- capabilities --- */

struct caps {
	uint64_t effective, permitted;
};

static struct caps caps_now(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { 0 };

	syscall(SYS_capget, &h, d);
	return (struct caps){ d[0].effective | (uint64_t)d[1].effective << 32,
			      d[0].permitted | (uint64_t)d[1].permitted << 32 };
}

static int keep_caps;
static struct ids from, to;

/* From one set of ids to the other: what is left, as capabilities(7) has it. */
static int changes_caps(void)
{
	struct caps was, now, want;
	int had_root, has_root;

	if (syscall(SYS_setresuid, from.r, from.e, from.s) ||
	    prctl(PR_SET_KEEPCAPS, keep_caps, 0, 0, 0))
		return 1;
	want = was = caps_now();
	had_root = !from.r || !from.e || !from.s;
	has_root = !to.r || !to.e || !to.s;
	if (syscall(SYS_setresuid, to.r, to.e, to.s))
		return from.e ? 0 : 2; /* without the capability it may fail */
	if (had_root && !has_root && !keep_caps)
		want.permitted = want.effective = 0;
	if (!from.e && to.e)
		want.effective = 0;
	if (from.e && !to.e)
		want.effective = want.permitted;
	now = caps_now();
	if (now.effective == want.effective && now.permitted == want.permitted)
		return 0;
	printf("# effective %#llx, permitted %#llx\n", (unsigned long long)now.effective,
	       (unsigned long long)now.permitted);
	return 3;
}

static void test_caps(void)
{
	int bad = 0;

	for (int n = 0; n < 128; n++) {
		from = (struct ids){ n & 1 ? 100 : 0, n & 2 ? 100 : 0, n & 4 ? 100 : 0, 0 };
		to = (struct ids){ n & 8 ? 100 : 0, n & 16 ? 100 : 0, n & 32 ? 100 : 0, 0 };
		keep_caps = n >> 6;
		bad += in_child(changes_caps) != 0;
	}
	CHECK(!bad);
}

#define CAP(c) (1ull << (c))
#define FS_CAPS                                                                                \
	(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_FOWNER) | \
	 CAP(CAP_FSETID) | CAP(CAP_LINUX_IMMUTABLE) | CAP(CAP_MKNOD) | CAP(CAP_MAC_OVERRIDE))

/* The user id for files takes and brings those that are about files. */
static int fsuid_caps(void)
{
	struct caps was = caps_now(), now;

	syscall(SYS_setfsuid, 100);
	now = caps_now();
	if (now.permitted != was.permitted || now.effective != (was.effective & ~FS_CAPS))
		return 1;
	syscall(SYS_setfsuid, 0);
	return caps_now().effective == was.effective ? 0 : 3;
}

/* Files belong to the ids for files. */
static int owns_files(void)
{
	char path[] = "/tmp/ids.XXXXXX";
	struct stat st;
	int fd;

	syscall(SYS_setfsgid, 55);
	fd = mkstemp(path);
	unlink(path);
	return fd >= 0 && !fstat(fd, &st) && st.st_uid == 0 && st.st_gid == 55 ? 0 : 1;
}

static int status_line(const char *key, const char *want)
{
	FILE *s = fopen("/proc/self/status", "r");
	char line[512];
	int good = 0;

	while (s && fgets(line, sizeof(line), s))
		good |= !strncmp(line, key, strlen(key)) && !strcmp(line + strlen(key), want);
	if (s)
		fclose(s);
	return good;
}

static int group_lists(void)
{
	const unsigned set[] = { 30, 10, 20, 10 }, bad[] = { 1, KEEP };
	unsigned got[8] = { 0 };

	CHECK(!syscall(SYS_setgroups, 4, set) && syscall(SYS_getgroups, 0, NULL) == 4);
	CHECK(syscall(SYS_getgroups, 8, got) == 4 && got[0] == 10 && got[1] == 10 && got[2] == 20 &&
	      got[3] == 30);
	CHECK(status_line("Groups:\t", "10 10 20 30 \n"));
	CHECK_ERR(syscall(SYS_getgroups, 3, got), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, got), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, 4, 8), EFAULT);
	CHECK_ERR(syscall(SYS_setgroups, 2, bad), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 65537, set), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 2, 8), EFAULT);
	CHECK(syscall(SYS_getgroups, 0, NULL) == 4);
	CHECK(!syscall(SYS_setgroups, 0, NULL) && status_line("Groups:\t", " \n"));
	CHECK(!caps_set(1ull << CAP_SETGID));
	CHECK_ERR(syscall(SYS_setgroups, 0, NULL), EPERM);
	CHECK_ERR(syscall(SYS_setgroups, 65537, NULL), EPERM);
	return 0;
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	CHECK(in_child(user_ids) == 0);
	CHECK(in_child(group_ids) == 0);
	test_caps();
	CHECK(in_child(fsuid_caps) == 0);
	CHECK(in_child(owns_files) == 0);
	CHECK(in_child(group_lists) == 0);
	return tap_done();
}
