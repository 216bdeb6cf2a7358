#pragma once
/*
 * How bad use is written down: a row says what a good call looks like and of which kind each
 * argument is; the kind says what can be wrong with it (cases.h). baduse.c tries everything,
 * fuzz.c tries at random.
 *
 *   { "openat/creat", __NR_openat, FS, { FD(AT_FDCWD), PATH("new"), FLAGS(O_CREAT), CONST(0600) } }
 *
 * Descriptors and addresses in rows are those that fixture.h makes.
 */
#include <stddef.h>
#include <stdint.h>

enum kind {
	K_NONE,
	K_CONST, /* left alone */
	K_INT, /* a number of 32 bits */
	K_LONG, /* a number of 64 bits */
	K_FLAGS, /* 32 bits, each with its meaning */
	K_FD,
	K_PID,
	K_SIG,
	K_ID, /* user or group */
	K_LEN, /* size of a buffer */
	K_OUT, /* address of something that the kernel writes */
	K_IN, /* address of something that it reads */
	K_IO, /* address of something that it reads and then writes */
	K_PATH,
	K_ADDR, /* an address that is worked on, not through */
};

struct arg {
	uint8_t kind;
	uint16_t size; /* of what is pointed to */
	long value; /* for K_IN and K_IO: where its contents are */
};

#define CONST(v)                      \
	{                             \
		K_CONST, 0, (long)(v) \
	}
#define INT(v)                      \
	{                           \
		K_INT, 0, (long)(v) \
	}
#define LONG(v)                      \
	{                            \
		K_LONG, 0, (long)(v) \
	}
#define FLAGS(v)                      \
	{                             \
		K_FLAGS, 0, (long)(v) \
	}
#define FD(v)                      \
	{                          \
		K_FD, 0, (long)(v) \
	}
#define PID(v)                      \
	{                           \
		K_PID, 0, (long)(v) \
	}
#define SIG(v)                      \
	{                           \
		K_SIG, 0, (long)(v) \
	}
#define ID(v)                      \
	{                          \
		K_ID, 0, (long)(v) \
	}
#define LEN(v)                      \
	{                           \
		K_LEN, 0, (long)(v) \
	}
#define OUT(size)              \
	{                      \
		K_OUT, size, 0 \
	}
#define IN(object)                                   \
	{                                            \
		K_IN, sizeof(object), (long)(object) \
	}
#define INOUT(object)                                \
	{                                            \
		K_IO, sizeof(object), (long)(object) \
	}
#define PATH(text)                                 \
	{                                          \
		K_PATH, sizeof(text), (long)(text) \
	}
#define ADDR(v)                      \
	{                            \
		K_ADDR, 0, (long)(v) \
	}

/* Numbers that are known only when the call is made; for K_PID and K_CONST. */
#define PID_SELF 0x7e7e0010
#define PID_CHILD 0x7e7e0020 /* a child that pauses; asks for the flag CHILD */
#define PID_PARENT 0x7e7e0030

enum {
	PURE = 1, /* success changes nothing: the next case goes on in the same process */
	FS = 2, /* may change files: they are made anew after success */
	MM = 4, /* may change mappings: they are compared after each failure */
	VALUE = 8, /* the number returned is compared too */
	CHILD = 16, /* wants a child */
	CLONES = 32, /* returns twice */
	MOUNTS = 64, /* may mount; unmounted afterwards; "mnt" is a mount */
	IPC = 128, /* may leave System V or message queue objects behind; removed afterwards */
	ROOT_ONLY = 256, /* not tried as a plain user: its answers there depend on the machine */
	NO_PAIRS = 512, /* two wrongs at once are not tried */
	NAMES = 1024, /* may change the names of host and domain */
	NUMBER = 4096, /* the number returned depends on what was before: 0 is one of them */
	SPARES = 2048, /* is not done to process 1 and to the test itself */
};

struct entry {
	const char *name; /* of the call, and after a slash of the variant */
	uint16_t nr;
	uint16_t flags;
	struct arg arg[6];
};

/* A raw call; with @clones a child that appears ends at once, on whatever stack it is. */
static inline long raw_call(long nr, const long *a, int clones)
{
	register long x8 asm("x8") = nr;
	register long x0 asm("x0") = a[0];
	register long x1 asm("x1") = a[1];
	register long x2 asm("x2") = a[2];
	register long x3 asm("x3") = a[3];
	register long x4 asm("x4") = a[4];
	register long x5 asm("x5") = a[5];

	if (clones)
		asm volatile("svc 0\n\tcbnz x0, 1f\n\tmov x8, 93\n\tsvc 0\n1:"
			     : "+r"(x0), "+r"(x8)
			     : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			     : "memory", "cc");
	else
		asm volatile("svc 0"
			     : "+r"(x0)
			     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			     : "memory", "cc");
	return x0;
}
