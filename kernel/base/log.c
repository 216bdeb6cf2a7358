/*
 * The kernel log.
 *
 * Records lie in a byte ring, each with its header in front, aligned to 8 and never split: where
 * one would cross the end, a filler takes the rest. When room is needed the oldest records go. A
 * cursor (sequence number and offset) walks the records; one that fell behind is moved to the
 * oldest.
 *
 * Printing on the consoles is separate from storing. A CPU stores its record under the LOG lock,
 * then tries to become the console owner; the owner prints what is unprinted, with the LOG lock
 * free, so others store without waiting for a slow device. One CPU that comes while somebody prints
 * may wait and is handed the console after the record in hand, so nobody prints for others without
 * end; further comers leave at once: their record is printed by whoever owns the console then. The
 * owner keeps preemption off but not interrupts; a handler that logs on the owner's CPU only
 * stores.
 *
 * Readers are told through log_notify, which may take locks that come before LOG and so is called
 * only where no lock can be held; else it is left to the end of the next interrupt
 * (log_notify_irq), which the CPU sends itself.
 *
 * Reference: syslog(2), Linux' Documentation/ABI/testing/dev-kmsg for what readers see.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/log_internal.h"
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define RING_SIZE (64u << 10)
#define TEXT_MAX 400 /* of one message: it is built on the caller's stack */
#define USER_TEXT_MAX 976 /* of one message from /dev/kmsg */
#define LEVEL_DEFAULT 7
#define LEVEL_QUIET 4
#define LEVEL_ALL 15
#define FILLER 0xff

struct record {
	u32 size; /* header, text and padding; a filler has no more fields than the first 8 bytes */
	u16 len;
	u8 level; /* FILLER: skip to the start of the ring */
	u8 facility;
	s64 stamp;
	char text[];
};

struct cursor {
	u64 seq;
	u32 off;
};

/* l guarded by lock (LOG) */
static struct {
	struct spinlock lock;
	struct cursor first; /* l: oldest record */
	struct cursor next; /* l: where the next one goes */
	struct cursor hint; /* l: behind the record read last, so that readers need no walk */
	u32 used; /* l: bytes from first to next, fillers included */
	u8 ring[RING_SIZE] __aligned(8); /* l */
} log = { .lock = SPINLOCK_INIT(RANK_LOG) };

/* a atomic, c owned by the console owner */
static struct {
	u32 owner; /* a: CPU number + 1, 0 = free */
	u32 waiter; /* a: a CPU waits to be handed the console */
	s32 level; /* a: messages below it are printed */
	struct cursor printed; /* c: next record to print; read under LOG too */
	struct log_console *list; /* c */
	bool any_boot; /* c: an early console has printed from the start */
	char line[USER_TEXT_MAX + 40]; /* c */
} con = { .level = LEVEL_DEFAULT };

void (*log_notify)(void);
static u32 notify_pending; /* a */

/* After a panic the lock may belong to a CPU that is stopped: then go on without it. */
static bool ring_lock(u64 *flags)
{
	if (!panic_in_progress()) {
		*flags = spin_lock_irqsave(&log.lock);
		return true;
	}
	*flags = irq_save();
	for (u32 i = 0; i < 1000000; i++)
		if (spin_trylock(&log.lock))
			return true;
	return false;
}

static void ring_unlock(bool locked, u64 flags)
{
	if (locked)
		spin_unlock_irqrestore(&log.lock, flags);
	else
		irq_restore(flags);
}

static struct record *record_at(u32 off)
{
	return (struct record *)(log.ring + off);
}

/* The record under the cursor, NULL when it is at the end. Moves a cursor that fell behind. */
static struct record *cursor_record(struct cursor *c)
{
	if (c->seq < log.first.seq)
		*c = log.first;
	if (c->seq >= log.next.seq)
		return NULL;
	if (record_at(c->off)->level == FILLER)
		c->off = 0;
	return record_at(c->off);
}

static void cursor_advance(struct cursor *c, const struct record *r)
{
	c->off = (c->off + r->size) % RING_SIZE;
	c->seq++;
}

static void drop_oldest(void)
{
	struct record *r = record_at(log.first.off);

	log.used -= r->size;
	if (r->level == FILLER)
		log.first.off = 0;
	else
		cursor_advance(&log.first, r);
}

static void make_room(u32 size)
{
	while (RING_SIZE - log.used < size)
		drop_oldest();
}

static void append(u8 facility, u8 level, const char *text, u32 n)
{
	u32 size = ALIGN_UP((u32)sizeof(struct record) + n, 8u);
	u32 rest = RING_SIZE - log.next.off;
	struct record *r;

	if (size > rest) {
		make_room(rest);
		r = record_at(log.next.off);
		r->size = rest;
		r->level = FILLER;
		log.used += rest;
		log.next.off = 0;
	}
	make_room(size);
	if (log.used == 0) /* everything went: nothing older than the new record */
		log.first = log.next;
	r = record_at(log.next.off);
	r->size = size;
	r->len = (u16)n;
	r->level = level;
	r->facility = facility;
	r->stamp = time_now();
	memcpy(r->text, text, n);
	log.used += size;
	cursor_advance(&log.next, r);
}

static u32 format_line(char *buf, size_t size, const struct record *r)
{
	u64 us = (u64)r->stamp / 1000;

	return (u32)scnprintf(buf, size, "[%5lu.%06lu] %.*s\n", us / 1000000, us % 1000000, r->len,
			      r->text);
}

/* Prepare the next line to print. False: nothing left. *n is 0 for one below the console level. */
static bool take_line(u32 *n)
{
	u64 flags;
	bool locked = ring_lock(&flags);
	struct record *r = cursor_record(&con.printed);

	*n = 0;
	if (r) {
		if (r->level < con.level)
			*n = format_line(con.line, sizeof(con.line), r);
		cursor_advance(&con.printed, r);
	}
	ring_unlock(locked, flags);
	return r;
}

static void print_line(u32 n)
{
	for (struct log_console *c = con.list; c; c = c->next)
		if (c->enabled)
			c->write(c, con.line, n);
}

/*
 * Become the owner. @wait: even when others wait already. False: somebody else prints what is
 * stored.
 */
static bool console_acquire(bool wait)
{
	u32 me = cpu_id() + 1;
	u32 free = 0;

	if (panic_in_progress()) {
		store_release(&con.owner, me);
		return true;
	}
	if (__atomic_compare_exchange_n(&con.owner, &free, me, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return true;
	if (free == me)
		return false;
	while (word_xchg(&con.waiter, 1)) {
		if (!wait)
			return false;
		cpu_relax();
	}
	for (;;) {
		if (!load_acquire(&con.waiter)) /* handed over: owner stays set, now for us */
			break;
		free = 0;
		if (__atomic_compare_exchange_n(&con.owner, &free, me, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED)) {
			store_release(&con.waiter, 0);
			return true;
		}
		if (panic_in_progress())
			break;
		cpu_relax();
	}
	store_release(&con.owner, me);
	return true;
}

/* Hand the console to the CPU that waits. True: it is not ours any more. */
static bool console_hand_over(void)
{
	if (!READ_ONCE(con.waiter) || panic_in_progress())
		return false;
	store_release(&con.waiter, 0);
	return true;
}

/* Print what is stored, unless another CPU does. */
static void console_flush(void)
{
	u32 n;

	preempt_disable();
	while (READ_ONCE(con.printed.seq) != READ_ONCE(log.next.seq)) {
		if (!con.list || !console_acquire(false))
			break;
		while (take_line(&n)) {
			if (n)
				print_line(n);
			if (console_hand_over())
				goto out;
		}
		store_release(&con.owner, 0);
		/* a record stored meanwhile, whose CPU found us owning, is ours to print */
		smp_mb();
	}
out:
	preempt_enable();
}

static void notify_readers(void)
{
	if (!log_notify)
		return;
	if (arch_current()->preempt_count == 0 && !irq_disabled()) {
		log_notify();
		return;
	}
	if (!word_xchg(&notify_pending, 1) && irq_get_chip())
		ipi_send(cpu_id(), IPI_RESCHED);
}

/* The interrupted code was preemptible: readers may be woken now. ctx: IRQ, from irq_entry. */
void log_notify_irq(void)
{
	if (READ_ONCE(notify_pending) && word_xchg(&notify_pending, 0) && log_notify)
		log_notify();
}

static void store(u8 facility, u8 level, const char *text, size_t n)
{
	u64 flags;
	bool locked = ring_lock(&flags);

	append(facility, level, text, (u32)n);
	ring_unlock(locked, flags);
	console_flush();
	notify_readers();
}

/* See log.h. ctx: any. */
void log_vprint(enum log_level level, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];
	size_t n = vformat(text, sizeof(text), fmt, ap);

	n = MIN(n, sizeof(text));
	if (n && text[n - 1] == '\n')
		n--;
	store(0, (u8)level, text, n);
}

/* Store and print one message. ctx: any, also with any lock held except LOG. */
void log_print(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprint(level, fmt, ap);
	va_end(ap);
}

/* A message from user space: longer ones are cut. ctx: thread. */
void log_print_user(u8 facility, enum log_level level, const char *text, size_t n)
{
	n = MIN(n, (size_t)USER_TEXT_MAX);
	while (n && text[n - 1] == '\n')
		n--;
	store(facility, (u8)level, text, n);
}

/* See log.h. ctx: any. */
bool log_rate_ok(struct log_rate *r, u32 burst, s64 interval_ns)
{
	s64 now = time_now();
	s64 begin = __atomic_load_n(&r->begin, __ATOMIC_RELAXED);
	u32 missed;

	if ((begin == 0 || now - begin >= interval_ns) &&
	    __atomic_compare_exchange_n(&r->begin, &begin, now ? now : 1, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED)) {
		__atomic_store_n(&r->count, 0, __ATOMIC_RELAXED);
		missed = __atomic_exchange_n(&r->missed, 0, __ATOMIC_RELAXED);
		if (missed)
			log_warn("%u messages like the next were left out", missed);
	}
	if (__atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED) < burst)
		return true;
	__atomic_fetch_add(&r->missed, 1, __ATOMIC_RELAXED);
	return false;
}

/* Owner of the console for a change of the list. ctx: thread. */
static void console_lock(void)
{
	preempt_disable();
	console_acquire(true);
}

static void console_unlock(void)
{
	if (!console_hand_over())
		store_release(&con.owner, 0);
	preempt_enable();
	console_flush();
}

static void remove_from_list(struct log_console *c)
{
	struct log_console **p = &con.list;

	while (*p && *p != c)
		p = &(*p)->next;
	if (*p)
		*p = c->next;
}

/* The first real console ends the early one, which has printed everything so far. */
static bool end_boot_consoles(void)
{
	struct log_console *c = con.list;
	bool any = false;

	while (c) {
		struct log_console *next = c->next;

		if (c->boot) {
			remove_from_list(c);
			c->enabled = false;
			any = true;
		}
		c = next;
	}
	return any;
}

/* Print on @c alone what the other consoles have printed. The caller owns the console. */
static void replay(struct log_console *c)
{
	struct log_console *all = con.list;
	struct cursor stop = con.printed;
	u32 n;

	con.printed = (struct cursor){ 0, 0 };
	c->next = NULL;
	con.list = c;
	while (con.printed.seq < stop.seq && take_line(&n))
		if (n)
			print_line(n);
	con.list = all;
}

/* See log.h. ctx: thread (or early boot). */
void log_console_add(struct log_console *c, bool want_replay)
{
	console_lock();
	if (!c->boot && end_boot_consoles())
		want_replay = false;
	if (!con.list && !want_replay)
		con.printed = con.any_boot ? con.printed : log.next;
	if (con.list && want_replay)
		replay(c);
	con.any_boot |= c->boot;
	c->next = con.list;
	c->enabled = true;
	con.list = c;
	console_unlock();
}

/* Take @c out; it is not written to any more on return. ctx: thread. */
void log_console_remove(struct log_console *c)
{
	console_lock();
	remove_from_list(c);
	c->enabled = false;
	console_unlock();
}

/* Does anybody see what is logged? ctx: any. */
bool log_has_console(void)
{
	return READ_ONCE(con.list);
}

/* Messages of a level below this number are printed. ctx: any. */
int log_console_level(void)
{
	return con.level;
}

/* ctx: any. */
void log_set_console_level(int level)
{
	WRITE_ONCE(con.level, level);
}

/* Walk to record *seq or the first one after it. holds: LOG. */
static struct record *seek(u64 seq, struct cursor *c)
{
	struct record *r;

	*c = log.hint.seq <= seq ? log.hint : log.first;
	while ((r = cursor_record(c)) && c->seq < seq)
		cursor_advance(c, r);
	return r;
}

/* See log.h. ctx: any. */
ssize_t log_read(u64 *seq, struct log_record *rec, char *buf, size_t size)
{
	ssize_t n = -EAGAIN;
	struct cursor c;
	struct record *r;
	u64 flags;
	bool locked = ring_lock(&flags);

	r = seek(*seq, &c);
	if (r) {
		n = (ssize_t)MIN(r->len, size);
		memcpy(buf, r->text, (size_t)n);
		*seq = c.seq;
		*rec = (struct log_record){ c.seq, r->stamp, r->level, r->facility };
		log.hint = c;
		cursor_advance(&log.hint, r);
	}
	ring_unlock(locked, flags);
	return n;
}

/* Sequence number of the oldest record there is. ctx: any. */
u64 log_first_seq(void)
{
	return READ_ONCE(log.first.seq);
}

/* Sequence number that the next record will get. ctx: any. */
u64 log_next_seq(void)
{
	return READ_ONCE(log.next.seq);
}

/* Bytes of the ring. ctx: any. */
size_t log_ring_size(void)
{
	return RING_SIZE;
}

/* Everything that follows is printed, whatever the level. ctx: any. */
void log_enter_panic(void)
{
	con.level = LEVEL_ALL;
}

static void arg_loglevel(const char *value)
{
	s64 level;

	if (value && str_to_s64(value, NULL, 10, &level) == 0)
		log_set_console_level((int)MAX(MIN(level, LEVEL_ALL), 1));
}

static void arg_quiet(const char *value)
{
	log_set_console_level(LEVEL_QUIET);
}

static void arg_ignore_loglevel(const char *value)
{
	log_set_console_level(LEVEL_ALL);
}

static void arg_debug(const char *value)
{
	log_set_console_level(LEVEL_ALL);
}

BOOTARG("loglevel", arg_loglevel);
BOOTARG("quiet", arg_quiet);
BOOTARG("ignore_loglevel", arg_ignore_loglevel);
BOOTARG("debug", arg_debug);
