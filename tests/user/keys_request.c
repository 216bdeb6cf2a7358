/*
 * Keys that are made on request: request_key(2) and /sbin/request-key, which this program is too;
 * what keyctl(2) has for it; persistent keyrings.
 *
 * The description of the key that is wanted tells that one what to do. It writes what it finds
 * wrong into a file, which must be empty at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "keyctl.h"

#define PROGRAM "/sbin/request-key"
#define WRONG "/tmp/keys_request.wrong"
#define GATE "/tmp/keys_request.gate"
#define BEGUN "/tmp/keys_request.begun"

static int in_ring(int ring, int key)
{
	int32_t list[64];
	long n = CTL3(KEYCTL_READ, ring, list, sizeof(list));

	for (long i = 0; i < n / 4; i++)
		if (list[i] == key)
			return 1;
	return 0;
}

/* The line of @key in /proc/keys. */
static int shown(int key, char *line, int size)
{
	FILE *f = fopen("/proc/keys", "r");
	int found = 0;

	while (f && !found && fgets(line, size, f))
		found = (int)strtoul(line, NULL, 16) == key;
	if (f)
		fclose(f);
	return found;
}

/* --- /sbin/request-key --- */

static void wrong(const char *what, int line)
{
	int err = errno, fd = open(WRONG, O_WRONLY | O_CREAT | O_APPEND, 0600);

	dprintf(fd, "line %d: %s (%s)\n", line, what, strerror(err));
	close(fd);
}

#define MUST(x) (errno = 0, (x) ? (void)0 : wrong(#x, __LINE__))
#define MUST_ERR(x, e) MUST((x) == -1 && errno == (e))

/* Tell that we are here, and wait to be let on. */
static void wait_at_gate(void)
{
	char byte;
	int fd = open(BEGUN, O_WRONLY);

	MUST(write(fd, "x", 1) == 1);
	close(fd);
	fd = open(GATE, O_RDONLY);
	MUST(read(fd, &byte, 1) == 1);
	close(fd);
}

/* Everything about a key that is being made. */
static void look_around(int key, char **argv, int *auth)
{
	char text[100], want[100];
	int32_t list[4] = { 0 };
	int session = (int)CTL(KEYCTL_GET_KEYRING_ID, S, 0);

	MUST(getuid() == 0 && getgid() == 0 && !strcmp(argv[3], "0") && !strcmp(argv[4], "0"));
	MUST(getenv("HOME") && !strcmp(getenv("HOME"), "/"));
	MUST(!strcmp(getenv("PATH"), "/sbin:/bin:/usr/sbin:/usr/bin"));
	snprintf(want, sizeof(want), "keyring;0;0;3f030000;_req.%d", key);
	MUST(described(session, want));
	MUST(CTL3(KEYCTL_READ, session, list, sizeof(list)) == 4);
	*auth = list[0];
	snprintf(want, sizeof(want), ".request_key_auth;0;0;1b010000;%x", key);
	MUST(CTL3(KEYCTL_DESCRIBE, *auth, text, sizeof(text)) > 0);
	if (strcmp(text, want))
		wrong(text, __LINE__);
	MUST(holds(*auth, "some words"));
	MUST_ERR(CTL3(KEYCTL_UPDATE, *auth, "x", 1), EACCES);
	MUST(atoi(argv[6]) > 0 && atoi(argv[7]) > 0 && !strcmp(argv[5], "0"));
	MUST(shown(*auth, text, sizeof(text)));
	snprintf(want, sizeof(want), "perm 1b010000     0     0 .request_ key:%x pid:", key);
	MUST(!strncmp(text + 9, "I------ ", 8) && strstr(text, want) && strstr(text, " ci:10\n"));
	MUST(shown(key, text, sizeof(text)));
	MUST(!strncmp(text + 9, "---QU-- ", 8) && strstr(text, " user      simple\n"));
}

static void without_authority(int key)
{
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 4, 0), EPERM);
	MUST_ERR(CTL3(KEYCTL_NEGATE, key, 10, 0), EPERM);
	MUST_ERR(CTL4(KEYCTL_REJECT, key, 10, EKEYREJECTED, 0), EPERM);
	MUST_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0), ENOKEY);
	MUST_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQUESTOR_KEYRING, 0), ENOKEY);
	MUST_ERR(request("user", "requester's", NULL, 0), ENOKEY);
	MUST_ERR(CTL(KEYCTL_ASSUME_AUTHORITY, -1, 0), EINVAL);
	MUST_ERR(CTL(KEYCTL_ASSUME_AUTHORITY, 1, 0), ENOKEY);
}

static void refused(int key, int auth)
{
	struct iovec iov[2] = { { "ma", 2 }, { BAD, 2 } };

	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, auth, "made", 4, 0), EPERM);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 4, KEY_SPEC_REQKEY_AUTH_KEY), EINVAL);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 4, -9), ENOKEY);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 4, auth), EACCES);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, BAD, 4, 0), EFAULT);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 0, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, NULL, 4, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 1024 * 1024, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE_IOV, key, iov, 2, 0), EFAULT);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE_IOV, key, iov, 1025, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE_IOV, key, NULL, 2, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE_IOV, key, BAD, 2, 0), EFAULT);
	MUST_ERR(CTL4(KEYCTL_REJECT, key, 10, 0, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_REJECT, key, 10, 4095, 0), EINVAL);
	MUST_ERR(CTL4(KEYCTL_REJECT, key, 10, 512, 0), EINVAL);
}

static void make_simple(int key, char **argv)
{
	struct iovec iov[2] = { { "ma", 2 }, { "de", 2 } };
	int auth;

	look_around(key, argv, &auth);
	without_authority(key);
	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) == auth);
	MUST(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0) == auth);
	MUST(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQUESTOR_KEYRING, 0) == atoi(argv[6]));
	MUST(request("user", "requester's", NULL, 0) > 0);
	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, 0, 0) == 0);
	MUST_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0), ENOKEY);
	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) == auth);
	MUST(!CTL(KEYCTL_SET_TIMEOUT, key, 100000));
	refused(key, auth);
	MUST(!CTL4(KEYCTL_INSTANTIATE_IOV, key, iov, 2, KEY_SPEC_REQUESTOR_KEYRING));
	MUST_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0), ENOKEY);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "made", 4, 0), EPERM);
	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) == -1 &&
	     (errno == ENOKEY || errno == EKEYREVOKED)); /* as yet */
}

/* A child has the authority, too: only one of them can use it. */
static void make_shared(int key)
{
	int st;
	pid_t pid;

	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) > 0);
	pid = fork();
	if (!pid)
		_exit(CTL4(KEYCTL_INSTANTIATE, key, "child's", 7, 0) ? 1 : 0);
	MUST(waitpid(pid, &st, 0) == pid && st == 0);
	MUST_ERR(CTL4(KEYCTL_INSTANTIATE, key, "mine", 4, 0), EBUSY);
	MUST_ERR(CTL3(KEYCTL_NEGATE, key, 10, 0), EBUSY);
}

/* Asks for another key itself: that goes where ours is to go. */
static void make_outer(int key)
{
	int inner;

	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) > 0);
	MUST(CTL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_DEFAULT, 0) ==
	     KEY_REQKEY_DEFL_THREAD_KEYRING);
	inner = request("user", "instantiate:inner", "", 0);
	MUST(inner > 0 && in_ring(KEY_SPEC_REQUESTOR_KEYRING, inner));
	MUST(!CTL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0));
	inner = request("user", "instantiate:mine", "", 0);
	MUST(inner > 0 && in_ring(S, inner));
	MUST(!CTL4(KEYCTL_INSTANTIATE, key, "outer", 5, 0));
}

/* A process that is left behind when this one ends, and the authority with it. */
static void leave_child(int key)
{
	MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) > 0);
	if (fork()) {
		MUST(!CTL4(KEYCTL_INSTANTIATE, key, "left", 4, 0));
		return;
	}
	MUST(EVENTUALLY(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQUESTOR_KEYRING, 0) == -1));
	MUST_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQUESTOR_KEYRING, 0), EKEYREVOKED);
	MUST_ERR(CTL3(KEYCTL_READ, KEY_SPEC_REQUESTOR_KEYRING, NULL, 0), ENOKEY);
	MUST_ERR(CTL(KEYCTL_UNLINK, KEY_SPEC_REQUESTOR_KEYRING, S), EKEYREVOKED);
	wait_at_gate();
	_exit(0);
}

static int serve(char **argv)
{
	char text[100] = "", *what;
	int key = atoi(argv[2]);

	MUST(CTL3(KEYCTL_DESCRIBE, key, text, sizeof(text)) > 0);
	what = strrchr(text, ';') + 1;
	if (!strcmp(what, "simple")) {
		make_simple(key, argv);
		return 3; /* it is there: nobody cares */
	}
	if (!strcmp(what, "shared"))
		make_shared(key);
	if (!strcmp(what, "outer"))
		make_outer(key);
	if (!strcmp(what, "left"))
		leave_child(key);
	if (!strncmp(what, "hold", 4))
		wait_at_gate();
	if (!strcmp(what, "killed"))
		raise(SIGKILL);
	if (strstr(what, "instantiate")) {
		MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) > 0);
		MUST(!CTL4(KEYCTL_INSTANTIATE, key, argv[3], strlen(argv[3]), 0));
	}
	if (!strcmp(what, "negate")) {
		MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) > 0);
		MUST(!CTL3(KEYCTL_NEGATE, key, 100000, T));
	}
	if (!strcmp(what, "reject")) {
		MUST(CTL(KEYCTL_ASSUME_AUTHORITY, key, 0) > 0);
		MUST(!CTL4(KEYCTL_REJECT, key, 100000, EKEYREJECTED, 0));
	}
	return 0;
}

/* --- who asks --- */

static void results(void)
{
	char line[200];
	int k, l;

	l = add("user", "requester's", "x", 1, P);
	k = request("user", "simple", "some words", P);
	CHECK(k > 0 && l > 0 && holds(k, "made") && in_ring(P, k));
	CHECK(request("user", "simple", NULL, 0) == k);
	k = request("user", "shared", "x", P);
	CHECK(k > 0 && holds(k, "child's"));
	CHECK_ERR(request("user", "negate", "x", P), ENOKEY);
	CHECK_ERR(request("user", "negate", NULL, 0), ENOKEY);
	CHECK((k = add("user", "negate", "there", 5, P)) > 0 && holds(k, "there"));
	CHECK(request("user", "negate", NULL, 0) == k);
	CHECK_ERR(request("user", "reject", "x", P), EKEYREJECTED);
	CHECK_ERR(CTL4(KEYCTL_SEARCH, P, "user", "reject", 0), EKEYREJECTED);
	CHECK_ERR(request("user", "nothing", "x", P), ENOKEY);
	CHECK_ERR(request("user", "killed", "x", P), ENOKEY);
	CHECK_ERR(request("user", "killed", NULL, 0), ENOKEY);
	k = request("user", "outer", "x", P);
	CHECK(k > 0 && holds(k, "outer"));
	CHECK(request("user", "instantiate:inner", NULL, 0) > 0);
	CHECK_ERR(request("user", "instantiate:mine", NULL, 0), ENOKEY);
	CHECK_ERR(request("keyring", "instantiate", "x", P), EPERM);
	CHECK_ERR(request("logon", "instantiate", "x", P), EINVAL);
	CHECK_ERR(request("user", "", "x", P), EINVAL);
	CHECK(request("logon", "a:instantiate", "x", P) > 0);
	/* One that has expired is as if it were not there. */
	k = add("user", "instantiate:old", "x", 1, P);
	CHECK(!CTL(KEYCTL_SET_TIMEOUT, k, 1));
	CHECK(EVENTUALLY(CTL4(KEYCTL_SEARCH, P, "user", "instantiate:old", 0) == -1));
	CHECK_ERR(request("user", "instantiate:old", NULL, 0), ENOKEY);
	l = request("user", "instantiate:old", "x", P);
	CHECK(l > 0 && l != k && holds(l, "0"));
	CHECK(shown(l, line, sizeof(line)) && strstr(line, " I--Q--- "));
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
}

/* Where it goes when nobody says. */
static void places(void)
{
	static const struct {
		int setting, ring;
	} where[] = { { KEY_REQKEY_DEFL_THREAD_KEYRING, T },
		      { KEY_REQKEY_DEFL_PROCESS_KEYRING, P },
		      { KEY_REQKEY_DEFL_SESSION_KEYRING, S },
		      { KEY_REQKEY_DEFL_USER_KEYRING, U },
		      { KEY_REQKEY_DEFL_USER_SESSION_KEYRING, KEY_SPEC_USER_SESSION_KEYRING },
		      { KEY_REQKEY_DEFL_DEFAULT, T } };
	char name[40];
	int k;

	for (unsigned i = 0; i < sizeof(where) / sizeof(*where); i++) {
		snprintf(name, sizeof(name), "instantiate:%u", i);
		CHECK(CTL(KEYCTL_SET_REQKEY_KEYRING, where[i].setting, 0) >= 0);
		k = request("user", name, "x", 0);
		CHECK(k > 0 && in_ring(where[i].ring, k));
		CHECK(!CTL(KEYCTL_UNLINK, k, where[i].ring));
	}
	k = add("keyring", "closed", NULL, 0, P);
	CHECK(!CTL3(KEYCTL_RESTRICT_KEYRING, k, 0, 0));
	CHECK(request("user", "instantiate:closed", "x", k) > 0);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
}

static void let_on(void)
{
	int fd = open(GATE, O_WRONLY);

	CHECK(write(fd, "x", 1) == 1);
	close(fd);
}

static void wait_begun(void)
{
	char byte;
	int fd = open(BEGUN, O_RDONLY);

	CHECK(read(fd, &byte, 1) == 1);
	close(fd);
}

static void nothing(int sig)
{
}

/* A child that asks for @name; its status tells whether it got one. */
static pid_t asker(const char *name, const char *info, int key)
{
	pid_t pid = fork();

	if (!pid) {
		struct sigaction a = { .sa_handler = nothing };
		int k;

		sigaction(SIGUSR1, &a, NULL);
		k = key ? (int)CTL3(KEYCTL_READ, key, NULL, 0)
			: request("user", name, info, info ? S : 0);
		_exit(k > 0 ? 0 : errno);
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int st = -1;

	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) ? WEXITSTATUS(st) : st;
}

static int find_key(const char *word, char *line, int size)
{
	FILE *f = fopen("/proc/keys", "r");
	int key = 0;

	while (f && !key && fgets(line, size, f))
		if (strstr(line, word))
			key = (int)strtoul(line, NULL, 16);
	if (f)
		fclose(f);
	return key;
}

/* Others ask while it is made. */
static void together(void)
{
	char line[200];
	pid_t first, second, third, reader;
	int key, st;

	first = asker("hold instantiate 1", "x", 0);
	wait_begun();
	key = find_key("user      hold instantiate 1", line, sizeof(line));
	CHECK(key > 0 && strstr(line, " ---QU-- ") && !strstr(line, "1:"));
	second = asker("hold instantiate 1", NULL, 0);
	third = asker("hold instantiate 1", "x", 0);
	reader = asker(NULL, NULL, key);
	CHECK(EVENTUALLY(is_asleep(second)) && EVENTUALLY(is_asleep(third)) &&
	      EVENTUALLY(is_asleep(reader)));
	CHECK(!kill(second, SIGUSR1) && status_of(second) == EINTR);
	CHECK(CTL4(KEYCTL_SEARCH, S, "user", "hold instantiate 1", 0) == key);
	CHECK(described(key, "user;0;0;3f010000;hold instantiate 1"));
	let_on();
	CHECK(status_of(first) == 0 && status_of(third) == 0 && status_of(reader) == 0);
	CHECK(holds(key, "0") && !CTL(KEYCTL_UNLINK, key, S));
	/* Who asked first is killed: it is made all the same. */
	first = asker("hold instantiate 2", "x", 0);
	wait_begun();
	second = asker("hold instantiate 2", NULL, 0);
	CHECK(EVENTUALLY(is_asleep(second)));
	CHECK(!kill(first, SIGKILL));
	let_on();
	CHECK(waitpid(first, &st, 0) == first && WIFSIGNALED(st));
	CHECK(status_of(second) == 0);
	/* Revoked while it is made. */
	first = asker("hold 3", "x", 0);
	wait_begun();
	key = find_key("user      hold 3", line, sizeof(line));
	second = asker("hold 3", NULL, 0);
	CHECK(EVENTUALLY(is_asleep(second)));
	CHECK(!CTL(KEYCTL_UNLINK, key, S));
	let_on();
	CHECK(status_of(first) == ENOKEY && status_of(second) == ENOKEY);
	key = request("user", "left", "x", S);
	CHECK(key > 0 && holds(key, "left"));
	wait_begun();
	let_on();
}

/* Another user asks; the program is root's. */
static void of_user(void)
{
	pid_t pid = fork();
	int st;

	if (!pid) {
		char text[100];
		int k;

		if (setresgid(4000, 4000, 4000) || setresuid(4001, 4001, 4001))
			_exit(1);
		k = request("user", "instantiate:user", "x", P);
		if (k < 0 || !holds(k, "4001"))
			_exit(2);
		if (!described(k, "user;4001;4000;3f010000;instantiate:user"))
			_exit(3);
		k = (int)CTL(KEYCTL_GET_PERSISTENT, -1, P);
		if (k < 0 || !described(k, "keyring;4001;65534;1f030000;_persistent.4001"))
			_exit(4);
		if (CTL(KEYCTL_GET_PERSISTENT, 0, P) != -1 || errno != EPERM)
			_exit(5);
		for (st = 0; st < 300; st++) {
			snprintf(text, sizeof(text), "k%d", st);
			if (add("user", text, "x", 1, P) < 0)
				break;
		}
		if (errno != EDQUOT)
			_exit(6);
		if (request("user", "instantiate:full", "x", P) != -1 || errno != EDQUOT)
			_exit(7);
		_exit(0);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
}

/* Keys of root, made or not. */
static int keys_of_root(void)
{
	FILE *f = fopen("/proc/key-users", "r");
	char line[100];
	int n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " 0: %*d %d/", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* Each allocation of memory fails in turn, where a kernel can do that; some can be done without. */
static void without_memory(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC), k, n = 0, bad = 0, keys;
	char text[16], line[200];

	if (fd < 0)
		return;
	CHECK((k = request("user", "instantiate:0", "x", P)) > 0 && !CTL(KEYCTL_UNLINK, k, P));
	/* What was left to itself in together() has its session's keyring until it has ended. */
	CHECK(EVENTUALLY(!find_key("keyring   _req.", line, sizeof(line))));
	keys = keys_of_root();
	do {
		snprintf(text, sizeof(text), "%d", ++n);
		bad += pwrite(fd, text, strlen(text), 0) < 0;
		k = request("user", "instantiate:n", "x", P);
		bad += k < 0 && errno != ENOMEM && errno != EAGAIN;
		memset(text, 0, sizeof(text));
		bad += pread(fd, text, sizeof(text) - 1, 0) < 0;
		bad += pwrite(fd, "0", 1, 0) < 0;
		CTL(KEYCTL_CLEAR, P, 0);
	} while (!atoi(text) && n < 1000); /* until it has not come to that one */
	CHECK(k > 0 && n > 5 && n < 1000 && !bad);
	CHECK(EVENTUALLY(keys_of_root() == keys));
	close(fd);
}

static void persistent(void)
{
	char line[200];
	int k = (int)CTL(KEYCTL_GET_PERSISTENT, -1, P), l;

	CHECK(k > 0 && described(k, "keyring;0;65534;1f030000;_persistent.0"));
	CHECK(CTL(KEYCTL_GET_PERSISTENT, 0, P) == k && in_ring(P, k));
	CHECK(shown(k, line, sizeof(line)));
	CHECK(strstr(line, " I------ ") &&
	      strstr(line, "d 1f030000     0 65534 keyring   _persistent.0: empty"));
	l = (int)CTL(KEYCTL_GET_PERSISTENT, 4002, P);
	CHECK(l > 0 && described(l, "keyring;4002;65534;1f030000;_persistent.4002"));
	CHECK_ERR(CTL(KEYCTL_GET_PERSISTENT, -1, 0), EINVAL);
	l = add("user", "x", "x", 1, P);
	CHECK_ERR(CTL(KEYCTL_GET_PERSISTENT, -1, l), ENOTDIR);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
	CHECK_ERR(add("user", "kept", "x", 1, k), EACCES); /* he does not possess it now */
	CHECK(CTL(KEYCTL_GET_PERSISTENT, -1, P) == k);
	CHECK(add("user", "kept", "x", 1, k) > 0);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
	CHECK(CTL(KEYCTL_GET_PERSISTENT, -1, P) == k &&
	      CTL4(KEYCTL_SEARCH, k, "user", "kept", 0) > 0);
	CHECK(!CTL(KEYCTL_INVALIDATE, k, 0));
	l = (int)CTL(KEYCTL_GET_PERSISTENT, -1, P);
	CHECK(l > 0 && l != k);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
}

int main(int argc, char **argv)
{
	char self[200] = "", line[200];
	ssize_t n;
	FILE *f;

	if (argc == 8 && !strcmp(argv[1], "create"))
		return serve(argv);
	alarm(TAP_LIMIT);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	REQUIRE(n > 0 && !symlink(self, PROGRAM));
	unlink(WRONG);
	unlink(GATE);
	unlink(BEGUN);
	REQUIRE(!mkfifo(GATE, 0600) && !mkfifo(BEGUN, 0600));
	CTL(KEYCTL_JOIN_SESSION_KEYRING, NULL, 0);
	results();
	places();
	together();
	of_user();
	persistent();
	without_memory();
	f = fopen(WRONG, "r");
	while (f && fgets(line, sizeof(line), f))
		printf("# %s", line);
	CHECK(!f);
	unlink(PROGRAM);
	return tap_done();
}
