#pragma once
/* The calls for keys, and what the tests of keys look at. */
#include <linux/keyctl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include "tap.h"

#define BAD ((void *)-4096l)
#define T KEY_SPEC_THREAD_KEYRING
#define P KEY_SPEC_PROCESS_KEYRING
#define S KEY_SPEC_SESSION_KEYRING
#define U KEY_SPEC_USER_KEYRING
#define US KEY_SPEC_USER_SESSION_KEYRING

static inline int add(const char *type, const char *name, const void *data, size_t n, int ring)
{
	return (int)syscall(SYS_add_key, type, name, data, n, ring);
}

static inline int request(const char *type, const char *name, const char *info, int ring)
{
	return (int)syscall(SYS_request_key, type, name, info, ring);
}

static inline long ctl(int op, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, op, a, b, c, d);
}

#define CTL(op, a, b) ctl(op, (long)(a), (long)(b), 0, 0)
#define CTL3(op, a, b, c) ctl(op, (long)(a), (long)(b), (long)(c), 0)
#define CTL4(op, a, b, c, d) ctl(op, (long)(a), (long)(b), (long)(c), (long)(d))

/* Is this what KEYCTL_DESCRIBE says of it? */
static inline int described(int key, const char *want)
{
	char text[200] = "";
	long n = CTL3(KEYCTL_DESCRIBE, key, text, sizeof(text));

	if (n == (long)strlen(want) + 1 && !strcmp(text, want))
		return 1;
	printf("# %s\n", text);
	return 0;
}

static inline int holds(int key, const char *want)
{
	char data[64];
	long n = CTL3(KEYCTL_READ, key, data, sizeof(data));

	return n == (long)strlen(want) && !memcmp(data, want, (size_t)n);
}
