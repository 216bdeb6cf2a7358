/*
 * Keys and keyrings: add_key(2), request_key(2), keyctl(2), keyrings(7), /proc/keys.
 *
 * What nothing refers to any more may be there for a while on Linux: EVENTUALLY it is gone.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include "keyctl.h"

static void user_keys(void)
{
	static char big[32768];
	char text[16];
	int k, l, again;

	k = add("user", "one", "secret", 6, P);
	CHECK(k > 0 && holds(k, "secret") && described(k, "user;0;0;3f010000;one"));
	again = add("user", "one", "other", 5, P);
	CHECK(again == k && holds(k, "other"));
	CHECK(!CTL3(KEYCTL_UPDATE, k, "third", 5) && holds(k, "third"));
	text[0] = '-';
	CHECK(CTL3(KEYCTL_READ, k, text, 2) == 5 && CTL3(KEYCTL_READ, k, NULL, 0) == 5);
	CHECK(text[0] == '-'); /* all or nothing, other than the manual page says */
	CHECK(CTL3(KEYCTL_DESCRIBE, k, NULL, 0) == 22);
	CHECK(CTL3(KEYCTL_GET_SECURITY, k, text, 16) >= 1);
	l = add("logon", "svc:name", "pw", 2, P);
	CHECK(l > 0 && described(l, "logon;0;0;3d010000;svc:name"));
	CHECK_ERR(CTL3(KEYCTL_READ, l, text, 16), EOPNOTSUPP);
	CHECK_ERR(add("logon", "name", "pw", 2, P), EINVAL);
	CHECK_ERR(add("logon", ":name", "pw", 2, P), EINVAL);
	CHECK_ERR(add("user", "e", "", 0, P), EINVAL);
	CHECK_ERR(add("user", "e", big, sizeof(big), P), EINVAL);
	CHECK_ERR(add("user", "e", big, 1024 * 1024, P), EINVAL);
	CHECK_ERR(add("user", "", "x", 1, P), EINVAL);
	CHECK_ERR(add("user", NULL, "x", 1, P), EINVAL);
	CHECK_ERR(add("user", "e", NULL, 1, P), EFAULT);
	CHECK_ERR(add("user", BAD, "x", 1, P), EFAULT);
	CHECK_ERR(add(BAD, "e", "x", 1, P), EFAULT);
	CHECK_ERR(add("", "e", "x", 1, P), EINVAL);
	CHECK_ERR(add(".user", "e", "x", 1, P), EPERM);
	CHECK_ERR(add("keyring", ".e", NULL, 0, P), EPERM);
	CHECK_ERR(add("keyring", "e", "x", 1, P), EINVAL);
	CHECK_ERR(add("nothing", "e", "x", 1, P), ENODEV);
	CHECK_ERR(add("user", "e", "x", 1, k), ENOTDIR);
	CHECK_ERR(add("user", "e", "x", 1, 0), EINVAL);
	CHECK_ERR(add("user", "e", "x", 1, -99), EINVAL);
	CHECK_ERR(add("user", "e", "x", 1, 1), ENOKEY);
	CHECK_ERR(CTL3(KEYCTL_UPDATE, k, "x", 8192), EINVAL);
	CHECK_ERR(CTL3(KEYCTL_UPDATE, k, NULL, 3), EFAULT);
	CHECK_ERR(CTL3(KEYCTL_UPDATE, P, "x", 1), EOPNOTSUPP);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
	CHECK(EVENTUALLY(CTL3(KEYCTL_READ, k, text, 16) == -1 && errno == ENOKEY));
}

static void rings(void)
{
	int32_t list[8];
	int a, b, c, k, j, depth[8];

	a = add("keyring", "a", NULL, 0, P);
	b = add("keyring", "b", NULL, 0, a);
	CHECK(a > 0 && b > 0 && described(a, "keyring;0;0;3f010000;a"));
	k = add("user", "in", "x", 1, b);
	CHECK(CTL3(KEYCTL_READ, b, list, sizeof(list)) == 4 && list[0] == k);
	CHECK(CTL4(KEYCTL_SEARCH, a, "user", "in", 0) == k);
	CHECK(request("user", "in", NULL, 0) == k);
	CHECK_ERR(CTL4(KEYCTL_SEARCH, a, "user", "out", 0), ENOKEY);
	CHECK_ERR(CTL4(KEYCTL_SEARCH, k, "user", "in", 0), ENOTDIR);
	CHECK_ERR(CTL4(KEYCTL_SEARCH, a, "none", "in", 0), ENOKEY);
	CHECK_ERR(request("user", "out", NULL, 0), ENOKEY);
	CHECK(CTL4(KEYCTL_SEARCH, a, "user", "in", P) == k);
	CHECK(CTL3(KEYCTL_READ, P, list, sizeof(list)) == 8);
	CHECK(!CTL(KEYCTL_UNLINK, k, P));
	CHECK_ERR(CTL(KEYCTL_UNLINK, k, P), ENOENT);
	CHECK_ERR(CTL(KEYCTL_UNLINK, k, k), ENOTDIR);
	CHECK_ERR(CTL(KEYCTL_LINK, a, b), EDEADLK);
	CHECK_ERR(CTL(KEYCTL_LINK, a, a), EDEADLK);
	CHECK_ERR(CTL(KEYCTL_LINK, a, k), ENOTDIR);
	CHECK_ERR(CTL(KEYCTL_LINK, a, 1), ENOKEY);
	CHECK(!CTL(KEYCTL_LINK, k, a) && CTL3(KEYCTL_READ, a, list, sizeof(list)) == 8);
	/* The same name takes the place of what was there. */
	c = add("keyring", "c", NULL, 0, P);
	j = add("user", "in", "y", 1, c);
	CHECK(j > 0 && j != k && !CTL(KEYCTL_LINK, j, a));
	CHECK(CTL3(KEYCTL_READ, a, list, sizeof(list)) == 8 && (list[0] == j || list[1] == j));
	CHECK_ERR(CTL4(KEYCTL_MOVE, j, c, b, KEYCTL_MOVE_EXCL), EEXIST);
	CHECK_ERR(CTL4(KEYCTL_MOVE, j, c, b, 2), EINVAL);
	CHECK(!CTL4(KEYCTL_MOVE, j, c, b, 0) && CTL3(KEYCTL_READ, c, list, sizeof(list)) == 0);
	CHECK(CTL3(KEYCTL_READ, b, list, sizeof(list)) == 4 && list[0] == j);
	CHECK_ERR(CTL4(KEYCTL_MOVE, j, c, b, 0), ENOENT);
	/* Made from below: six in each other are looked through, one more is too deep. */
	depth[7] = add("keyring", "deep7", NULL, 0, P);
	for (int i = 6; i >= 0; i--) {
		char name[8];

		snprintf(name, sizeof(name), "deep%d", i);
		depth[i] = add("keyring", name, NULL, 0, P);
		CHECK(depth[i] > 0 && !CTL(KEYCTL_LINK, depth[i + 1], depth[i]));
	}
	CHECK_ERR(CTL(KEYCTL_LINK, depth[0], c), ELOOP);
	CHECK(!CTL3(KEYCTL_RESTRICT_KEYRING, c, 0, 0));
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, c, 0, 0), EEXIST);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, j, 0, 0), ENOTDIR);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, a, 0, "x"), EINVAL);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, a, "user", "x"), ENOENT);
	CHECK_ERR(add("user", "new", "x", 1, c), EPERM);
	CHECK_ERR(CTL(KEYCTL_LINK, j, c), EPERM);
	CHECK_ERR(CTL(KEYCTL_CLEAR, j, 0), ENOTDIR);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
	CHECK(EVENTUALLY(CTL(KEYCTL_DESCRIBE, a, 0) == -1 && errno == ENOKEY));
}

static void states(void)
{
	int k = add("user", "k", "x", 1, P), l = add("user", "l", "x", 1, P),
	    m = add("user", "m", "x", 1, P);
	char text[8];

	CHECK(!CTL(KEYCTL_REVOKE, k, 0));
	CHECK_ERR(CTL3(KEYCTL_DESCRIBE, k, text, 8), EKEYREVOKED);
	CHECK_ERR(CTL3(KEYCTL_READ, k, text, 8), EKEYREVOKED);
	CHECK_ERR(CTL3(KEYCTL_UPDATE, k, "y", 1), EKEYREVOKED);
	CHECK_ERR(CTL(KEYCTL_REVOKE, k, 0), EKEYREVOKED);
	CHECK_ERR(CTL4(KEYCTL_SEARCH, P, "user", "k", 0), EKEYREVOKED);
	CHECK_ERR(request("user", "k", NULL, 0), ENOKEY); /* as others have none */
	CHECK(!CTL(KEYCTL_UNLINK, k, P));
	CHECK(!CTL(KEYCTL_SET_TIMEOUT, l, 1000) && holds(l, "x"));
	CHECK(!CTL(KEYCTL_SET_TIMEOUT, l, 0) && !CTL(KEYCTL_SET_TIMEOUT, l, 1));
	CHECK(EVENTUALLY(CTL4(KEYCTL_SEARCH, P, "user", "l", 0) == -1 && errno == EKEYEXPIRED));
	CHECK(!CTL(KEYCTL_INVALIDATE, m, 0));
	CHECK(EVENTUALLY(CTL3(KEYCTL_DESCRIBE, m, text, 8) == -1 && errno == ENOKEY));
	/* Nobody is there who would make a key. */
	CHECK_ERR(request("user", "wanted", "info", P), ENOENT);
	CHECK_ERR(request("user", "wanted", NULL, 0), ENOKEY);
	CHECK_ERR(request("none", "wanted", "info", P), ENOKEY);
	CHECK_ERR(request(BAD, "wanted", NULL, 0), EFAULT);
	CHECK_ERR(request("user", BAD, NULL, 0), EFAULT);
	CHECK_ERR(request("user", "wanted", BAD, 0), EFAULT);
	CHECK_ERR(request(".user", "wanted", NULL, 0), EPERM);
	CHECK_ERR(CTL4(KEYCTL_INSTANTIATE, l, "x", 1, P), EPERM);
	CHECK_ERR(CTL3(KEYCTL_NEGATE, l, 10, P), EPERM);
	CHECK_ERR(CTL4(KEYCTL_REJECT, l, 10, ENOKEY, P), EPERM);
	CHECK_ERR(CTL4(KEYCTL_REJECT, l, 10, 0, P), EINVAL);
	CHECK(CTL(KEYCTL_ASSUME_AUTHORITY, 0, 0) == 0);
	CHECK_ERR(CTL(KEYCTL_ASSUME_AUTHORITY, -1, 0), EINVAL);
	CHECK_ERR(CTL(KEYCTL_ASSUME_AUTHORITY, l, 0), ENOKEY);
	CHECK_ERR(CTL(999, 0, 0), EOPNOTSUPP);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
}

/* What counts of a key is its name; what one may not search for one does not possess. */
static void names(void)
{
	int a = add("keyring", "a", NULL, 0, P), b = add("keyring", "b", NULL, 0, P);
	int k = add("user", "same", "x", 1, a), j = add("user", "same", "y", 1, b);
	char text[8];

	CHECK(k != j && !CTL(KEYCTL_UNLINK, j, a) && CTL3(KEYCTL_READ, a, NULL, 0) == 0);
	k = add("user", "same", "x", 1, a);
	CHECK(!CTL4(KEYCTL_MOVE, j, a, P, 0) &&
	      holds((int)CTL4(KEYCTL_SEARCH, P, "user", "same", 0), "y"));
	CHECK(CTL3(KEYCTL_READ, a, NULL, 0) == 0);
	CHECK(!CTL(KEYCTL_SETPERM, j, 0x37000000));
	CHECK_ERR(CTL3(KEYCTL_READ, j, text, 8), EACCES);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, 1, NULL, "x"), ENOKEY);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, a, "none", "x"), ENOKEY);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, a, BAD, NULL), EINVAL);
	k = add("user", "plain", "x", 1, P);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, k, "none", "x"), ENOTDIR);
	CHECK_ERR(CTL3(KEYCTL_RESTRICT_KEYRING, a, "user", BAD), EFAULT);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
}

/* As many as one wants. */
static void many(void)
{
	enum { MANY = 1500 };
	static int32_t list[MANY + 1];
	int ring = add("keyring", "many", NULL, 0, P), made = 0;

	for (int i = 0; i < MANY; i++) {
		char name[12];

		snprintf(name, sizeof(name), "%d", i);
		made += add("user", name, "x", 1, ring) > 0;
	}
	CHECK(made == MANY && CTL3(KEYCTL_READ, ring, list, sizeof(list)) == MANY * 4);
	CHECK(holds((int)CTL4(KEYCTL_SEARCH, P, "user", "1499", 0), "x"));
	CHECK(!CTL(KEYCTL_CLEAR, ring, 0) && CTL3(KEYCTL_READ, ring, NULL, 0) == 0);
	CHECK(!CTL(KEYCTL_CLEAR, P, 0));
}

/* Large ones, where there are any: not in Debian's Linux. */
static void big_keys(void)
{
	static char data[1024 * 1024], copy[sizeof(data)];
	unsigned char caps[4] = { 0 };
	int k, err;

	CHECK(CTL(KEYCTL_CAPABILITIES, caps, 0) == 2);
	CHECK(CTL(KEYCTL_CAPABILITIES, caps, sizeof(caps)) == 2 && !caps[2] && !caps[3]);
	CHECK((caps[0] & 0xe3) == 0xe3);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i / 3);
	k = add("big_key", "big", data, sizeof(data) - 1, P);
	err = errno;
	CHECK(caps[0] & KEYCTL_CAPS0_BIG_KEY ? k > 0 : k == -1 && err == ENODEV);
	if (k < 0)
		return;
	CHECK(CTL3(KEYCTL_READ, k, copy, sizeof(copy)) == sizeof(data) - 1 &&
	      !memcmp(data, copy, sizeof(data) - 1));
	CHECK(CTL3(KEYCTL_READ, k, copy, 100) == sizeof(data) - 1);
	CHECK_ERR(CTL3(KEYCTL_READ, k, BAD, sizeof(copy)), EFAULT);
	CHECK_ERR(CTL3(KEYCTL_UPDATE, k, data, 4097), EINVAL);
	CHECK(!CTL3(KEYCTL_UPDATE, k, data, 4096) && CTL3(KEYCTL_READ, k, NULL, 0) == 4096);
	CHECK(add("big_key", "big", data, 9000, P) == k && CTL3(KEYCTL_READ, k, NULL, 0) == 9000);
	CHECK_ERR(add("big_key", "big", data, 0, P), EINVAL);
	CHECK_ERR(add("big_key", "big", data, sizeof(data), P), EINVAL);
	CHECK(!CTL(KEYCTL_UNLINK, k, P));
}

static void permissions(void)
{
	int k = add("user", "k", "mine", 4, P), st;
	char text[16];
	pid_t pid;

	CHECK_ERR(CTL(KEYCTL_SETPERM, k, 0x40000000), EINVAL);
	CHECK(!CTL(KEYCTL_SETPERM, k, 0x3d010003) && described(k, "user;0;0;3d010003;k"));
	/* Without the right to read, who possesses it still may. */
	CHECK(holds(k, "mine"));
	CHECK(CTL3(KEYCTL_CHOWN, k, -1, -1) == 0 && CTL3(KEYCTL_CHOWN, k, 1001, 1002) == 0);
	CHECK(described(k, "user;1001;1002;3d010003;k"));
	CHECK(!CTL3(KEYCTL_CHOWN, k, 0, 0));
	pid = fork();
	if (!pid) {
		int own, ok = 0;

		/* Another process, another user: what the last set of bits says. */
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		ok |= described(k, "user;0;0;3d010003;k") ? 0 : 2;
		ok |= holds(k, "mine") ? 0 : 4;
		ok |= CTL3(KEYCTL_UPDATE, k, "x", 1) == -1 && errno == EACCES ? 0 : 8;
		ok |= CTL(KEYCTL_SETPERM, k, 0x3f3f3f3f) == -1 && errno == EACCES ? 0 : 16;
		ok |= CTL(KEYCTL_LINK, k, P) == -1 && errno == EACCES ? 0 : 32;
		own = add("user", "own", "x", 1, U);
		ok |= own > 0 && described(own, "user;1000;1000;3f010000;own") ? 0 : 64;
		ok |= CTL3(KEYCTL_CHOWN, own, 0, -1) == -1 && errno == EACCES ? 0 : 128;
		_exit(ok);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	CHECK(!CTL(KEYCTL_SETPERM, k, 0x3d000000));
	CHECK_ERR(CTL(KEYCTL_UNLINK, k, U), ENOENT);
	CHECK(!CTL(KEYCTL_UNLINK, k, P)); /* nobody possesses it now, and it is gone */
	CHECK(EVENTUALLY(CTL3(KEYCTL_READ, k, text, 16) == -1 && errno == ENOKEY));
}

static void *other_thread(void *arg)
{
	int *id = arg;

	id[0] = (int)CTL(KEYCTL_GET_KEYRING_ID, T, 0);
	id[1] = (int)CTL(KEYCTL_GET_KEYRING_ID, P, 0);
	id[2] = (int)CTL(KEYCTL_GET_KEYRING_ID, T, 1);
	return NULL;
}

static void whose(char **argv)
{
	int ids[3], st, mine, p, t, s, u;
	char text[40];
	pthread_t th;
	pid_t pid;

	t = (int)CTL(KEYCTL_GET_KEYRING_ID, T, 1);
	p = (int)CTL(KEYCTL_GET_KEYRING_ID, P, 1);
	CHECK(t > 0 && p > 0 && t != p && CTL(KEYCTL_GET_KEYRING_ID, T, 0) == t);
	CHECK(described(t, "keyring;0;0;3f010000;_tid") &&
	      described(p, "keyring;0;0;3f010000;_pid"));
	REQUIRE(!pthread_create(&th, NULL, other_thread, ids) && !pthread_join(th, NULL));
	CHECK(ids[0] > 0 && ids[0] == ids[2] && ids[1] == p && ids[2] != t);
	u = (int)CTL(KEYCTL_GET_KEYRING_ID, U, 0);
	CHECK(described(u, "keyring;0;65534;1f3f0000;_uid.0"));
	CHECK(described((int)CTL(KEYCTL_GET_KEYRING_ID, US, 0),
			"keyring;0;65534;1f3f0000;_uid_ses.0"));
	CHECK_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_GROUP_KEYRING, 0), EINVAL);
	CHECK_ERR(CTL(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0), ENOKEY);
	s = (int)CTL(KEYCTL_JOIN_SESSION_KEYRING, NULL, 0);
	CHECK(s > 0 && described(s, "keyring;0;0;3f030000;_ses"));
	CHECK(CTL(KEYCTL_GET_KEYRING_ID, S, 0) == s);
	mine = add("user", "shared", "x", 1, S);
	pid = fork();
	if (!pid) {
		/* The session's is inherited, the others are not. */
		if (CTL(KEYCTL_GET_KEYRING_ID, S, 0) != s ||
		    request("user", "shared", 0, 0) != mine ||
		    CTL(KEYCTL_GET_KEYRING_ID, P, 0) != -1 ||
		    CTL(KEYCTL_GET_KEYRING_ID, T, 0) != -1 || CTL(KEYCTL_GET_KEYRING_ID, P, 1) <= 0)
			_exit(1);
		snprintf(text, sizeof(text), "%d", s);
		execl("/proc/self/exe", argv[0], text, NULL);
		_exit(2);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	s = (int)CTL(KEYCTL_JOIN_SESSION_KEYRING, "named", 0);
	CHECK(s > 0 && described(s, "keyring;0;0;3f130000;named"));
	CHECK_ERR(CTL(KEYCTL_JOIN_SESSION_KEYRING, ".named", 0), EPERM);
	CHECK_ERR(CTL(KEYCTL_JOIN_SESSION_KEYRING, BAD, 0), EFAULT);
	CHECK(EVENTUALLY(CTL3(KEYCTL_READ, mine, text, 8) == -1 &&
			 errno == ENOKEY)); /* went with its session */
	pid = fork();
	if (!pid) {
		s = (int)CTL(KEYCTL_JOIN_SESSION_KEYRING, NULL, 0);
		mine = add("user", "child's", "y", 1, S);
		_exit(s > 0 && mine > 0 && !CTL(KEYCTL_SESSION_TO_PARENT, 0, 0) ? 0 : 1);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	CHECK(request("user", "child's", NULL, 0) > 0);
	CHECK(CTL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0) == 0);
	CHECK(CTL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_NO_CHANGE, 0) == 3);
	CHECK_ERR(CTL(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0), EINVAL);
}

static int lines_with(const char *path, const char *word)
{
	char line[300];
	FILE *f = fopen(path, "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, word) != NULL;
	if (f)
		fclose(f);
	return n;
}

/* What a user may have, and what is shown of it. */
static void quota(void)
{
	static char data[20000];
	int st, k = add("user", "listed", "12345", 5, P);
	pid_t pid;

	CHECK(lines_with("/proc/keys", "user      listed: 5") == 1);
	CHECK(lines_with("/proc/keys", "keyring   _pid: 1") == 1);
	CHECK(lines_with("/proc/key-users", "    0: ") == 1);
	CHECK(!CTL(KEYCTL_UNLINK, k, P) && EVENTUALLY(lines_with("/proc/keys", "listed") == 0));
	pid = fork();
	if (!pid) {
		char name[16];
		int n = 0;

		if (setresgid(3000, 3000, 3000) || setresuid(3000, 3000, 3000))
			_exit(1);
		if (add("user", "much", data, sizeof(data), P) != -1 || errno != EDQUOT)
			_exit(2);
		do
			snprintf(name, sizeof(name), "k%d", n);
		while (n++ < 300 && add("user", name, "x", 1, P) > 0);
		if (errno != EDQUOT || n < 100 || n > 200 ||
		    lines_with("/proc/key-users", " 3000: ") != 1)
			_exit(3);
		CTL(KEYCTL_CLEAR, P, 0);
		/* What was given up may be had again: at once, or when it was collected. */
		_exit(EVENTUALLY(add("user", "again", "x", 1, P) > 0) ? 0 : 4);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1) /* after exec: the same session, nothing else */
		return CTL(KEYCTL_GET_KEYRING_ID, S, 0) == atoi(argv[1]) &&
				       CTL(KEYCTL_GET_KEYRING_ID, P, 0) == -1
			       ? 0
			       : 3;
	alarm(TAP_LIMIT);
	CTL(KEYCTL_JOIN_SESSION_KEYRING, NULL, 0);
	user_keys();
	rings();
	states();
	names();
	many();
	big_keys();
	permissions();
	whose(argv);
	quota();
	return tap_done();
}
