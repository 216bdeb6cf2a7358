#pragma once
/*
 * The kernel log: levels, microsecond stamps, a ring that dmesg reads, and consoles that print what
 * is below the console level. ctx: any, also with any lock held except LOG.
 */
#include "kernel/lib/types.h"

enum log_level {
	LOG_EMERG,
	LOG_ALERT,
	LOG_CRIT,
	LOG_ERR,
	LOG_WARN,
	LOG_NOTICE,
	LOG_INFO,
	LOG_DEBUG
};

void log_print(enum log_level level, const char *fmt, ...) __printf(2, 3);
#define log_crit(...) log_print(LOG_CRIT, __VA_ARGS__)
#define log_err(...) log_print(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_print(LOG_WARN, __VA_ARGS__)
#define log_notice(...) log_print(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)

/* At most @burst messages per @interval_ns; the next that passes says how many were dropped. */
struct log_rate {
	s64 begin; /* a */
	u32 count; /* a */
	u32 missed; /* a */
};
bool log_rate_ok(struct log_rate *r, u32 burst, s64 interval_ns);
#define log_limited(level, ...)                             \
	do {                                                \
		static struct log_rate log_rl;              \
		if (log_rate_ok(&log_rl, 10, 5000000000LL)) \
			log_print(level, __VA_ARGS__);      \
	} while (0)

/* Consoles: earlycon and the uart layer register; write must work in any context, polled. */
struct log_console {
	const char *name;
	void (*write)(struct log_console *c, const char *s, size_t n);
	struct log_console *next;
	bool enabled;
	/* earlycon: removed when the first other console comes, which then replays nothing */
	bool boot;
};

void log_console_add(struct log_console *c, bool replay); /* replay: print the ring so far */
void log_console_remove(struct log_console *c);
bool log_has_console(void);
int log_console_level(void);
void log_set_console_level(int level);

/*
 * Reading, for syslog(2) and /dev/kmsg. Records have sequence numbers from 0; a reader behind the
 * ring is moved up. log_read copies record *seq (or the first later one still there) as "text
 * without newline" into @buf, sets *seq to the record's number and fills @rec. Returns the length,
 * or -EAGAIN when none is there yet.
 */
struct log_record {
	u64 seq;
	s64 stamp; /* ns since boot */
	u8 level;
	u8 facility; /* 0 kernel, 1 user (from /dev/kmsg) */
};
ssize_t log_read(u64 *seq, struct log_record *rec, char *buf, size_t size);
u64 log_first_seq(void);
u64 log_next_seq(void);
size_t log_ring_size(void);
/* From /dev/kmsg writers. */
void log_print_user(u8 facility, enum log_level level, const char *text, size_t n);
/* Called (any context) after each record; the fs layer sets it to wake readers. */
extern void (*log_notify)(void);
