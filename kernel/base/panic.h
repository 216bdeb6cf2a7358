#pragma once
/* Bugs of ours end here: cause, registers, symbolised backtrace, held locks, the other CPUs. */
#include "kernel/lib/types.h"

struct trapframe;

void panic(const char *fmt, ...) __printf(1, 2) __noreturn __cold;
/* From an exception in the kernel: as panic, with these registers. */
void panic_frame(const struct trapframe *tf, const char *fmt, ...) __printf(2, 3) __noreturn __cold;
/*
 * Boot cannot go on, for a reason outside the kernel (no init): one clear sentence, no backtrace.
 */
void panic_plain(const char *fmt, ...) __printf(1, 2) __noreturn __cold;
bool panic_in_progress(void);
/*
 * IPI_STOP arrived: another CPU panics. Prints this CPU's backtrace when its turn comes, and stops.
 * ctx: IRQ.
 */
void panic_stop_this_cpu(const struct trapframe *tf) __noreturn;

#define assert(x)                                                                      \
	do {                                                                           \
		if (unlikely(!(x)))                                                    \
			panic("assertion %s failed at %s:%d", #x, __FILE__, __LINE__); \
	} while (0)
#ifdef CONFIG_DEBUG
#define debug_assert(x) assert(x)
#else
#define debug_assert(x) ((void)sizeof(x))
#endif
/* Not fatal: logs with a backtrace, once per place. */
#define warn_on(x)                                          \
	({                                                  \
		bool warn_c = (x);                          \
		static bool warn_done;                      \
		if (unlikely(warn_c) && !warn_done) {       \
			warn_done = true;                   \
			panic_warn(#x, __FILE__, __LINE__); \
		}                                           \
		warn_c;                                     \
	})
void panic_warn(const char *what, const char *file, int line) __cold;

/* Symbols of the image (kernel/base/symbols.c). */
#define SYMBOL_MAX 64
struct symbol {
	char name[SYMBOL_MAX]; /* longer ones are cut by the build */
	u64 off; /* from where the function begins */
};
const char *symbol_lookup(vaddr_t addr,
			  struct symbol *s); /* s->name; NULL when outside the image */
vaddr_t symbol_address(u32 index, struct symbol *s); /* for /proc/kallsyms; 0 past the end */
/* arch/arm64/stacktrace.c: return addresses from @fp (NULL: the caller's); returns the count. */
struct arch_thread;
u32 stacktrace(const struct arch_thread *t, const struct trapframe *tf, vaddr_t *out, u32 max);
/* of a thread that sleeps, with a reference that keeps its stack */
u32 stacktrace_sleeping(const struct arch_thread *t, vaddr_t *out, u32 max);
void stacktrace_print(const struct arch_thread *t, const struct trapframe *tf);
