/*
 * Reports of the address sanitizer: what was done to which memory, whose memory it is or was, who
 * allocated and freed it, and the shadow around. It ends in a panic, which adds the backtrace of
 * the access; a test that provokes it goes on (report.h).
 *
 * Local variables are found by the record that the compiler leaves at the start of each frame with
 * red zones: a magic word, a text and the function. The text is "n [offset size length name]...".
 *
 * Not instrumented, and no second report begins while a thread makes one. No lock: panic() lets one
 * through.
 */
#include <arch/atomic.h>
#include <arch/thread.h>
#include "kernel/base/kasan_internal.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/report.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define FRAME_MAGIC 0x41b58ab3ull
#define FRAME_SEARCH 8192 /* bytes below the address in which its frame must begin */
#define ROW 16 /* shadow bytes in a line: 128 bytes of memory */

extern const char _start[];

static const struct arch_thread *reporting; /* a: the thread that makes a report */

/* Why @shadow, which is that of @bad, forbids the access. */
static const char *kind_of(vaddr_t bad, u8 shadow)
{
	if (shadow < 8 && kasan_has_shadow((bad | 7) + 1))
		shadow = *kasan_shadow((bad | 7) + 1);
	switch (shadow) {
	case KASAN_PAGE_FREE:
	case KASAN_SLAB_FREE: return "use-after-free";
	case KASAN_PAGE_REDZONE:
	case KASAN_SLAB_REDZONE: return "slab-out-of-bounds";
	case KASAN_GLOBAL_REDZONE: return "global-out-of-bounds";
	case KASAN_STACK_LEFT:
	case KASAN_STACK_MIDDLE:
	case KASAN_STACK_RIGHT: return "stack-out-of-bounds";
	case KASAN_STACK_SCOPE: return "stack-use-after-scope";
	case KASAN_STACK_FREE: return "stack-use-after-free";
	case KASAN_VMALLOC: return "vmalloc-out-of-bounds";
	default: return "out-of-bounds";
	}
}

static void track_print(const char *what, const struct kasan_track *t)
{
	struct symbol sym;

	if (!t->count)
		return;
	log_crit("%s at %lld.%06lld on CPU %u:", what, (long long)t->when / 1000000000,
		 (long long)t->when / 1000 % 1000000, t->cpu);
	for (u32 i = 0; i < t->count; i++) {
		vaddr_t pc = (vaddr_t)_start + t->frame[i];
		const char *name = symbol_lookup(pc - 4, &sym);

		log_crit("  [%016lx] %s+%#lx", pc, name ? name : "?", name ? sym.off + 4 : 0);
	}
}

/* Where @addr is, seen from [@start, @start + @size). */
static void place_print(const char *what, const char *name, u64 start, u64 size, vaddr_t addr)
{
	if (addr < start)
		log_crit("%llu bytes in front of %s%s of %llu bytes at %#llx",
			 (unsigned long long)(start - addr), what, name, (unsigned long long)size,
			 (unsigned long long)start);
	else if (addr >= start + size)
		log_crit("%llu bytes behind the end of %s%s of %llu bytes at %#llx",
			 (unsigned long long)(addr - start - size), what, name,
			 (unsigned long long)size, (unsigned long long)start);
	else
		log_crit("byte %llu of %s%s of %llu bytes at %#llx",
			 (unsigned long long)(addr - start), what, name, (unsigned long long)size,
			 (unsigned long long)start);
}

static void origin_print(vaddr_t addr)
{
	struct kasan_origin o = { 0 };

	kasan_origin_find(addr, &o);
	if (!o.what)
		return;
	place_print(o.what, o.name, o.start, o.size, addr);
	track_print("allocated", &o.alloc);
	track_print("freed", &o.free);
}

static void global_print(vaddr_t addr)
{
	const struct kasan_global *g = kasan_global_find(addr);

	if (g)
		place_print("variable ", g->name, g->start, g->size, addr);
}

/* Start of the frame with red zones that @addr lies in, or 0. */
static vaddr_t frame_find(vaddr_t addr)
{
	vaddr_t at = ALIGN_DOWN(addr, 8ul), low = at - FRAME_SEARCH;

	while (at > low && kasan_has_shadow(at) && *kasan_shadow(at) != KASAN_STACK_LEFT)
		at -= 8;
	while (at > low && kasan_has_shadow(at - 8) && *kasan_shadow(at - 8) == KASAN_STACK_LEFT)
		at -= 8;
	return kasan_has_shadow(at) && *(u64 *)at == FRAME_MAGIC ? at : 0;
}

static u64 number_next(const char **text)
{
	u64 v = 0;

	if (str_to_u64(*text, text, 10, &v))
		return 0;
	while (**text == ' ')
		(*text)++;
	return v;
}

static void stack_print(vaddr_t addr)
{
	vaddr_t frame = *kasan_shadow(addr) == KASAN_STACK_FREE ? 0 : frame_find(addr);
	const char *text, *fn;
	struct symbol sym;
	u64 n;

	if (!frame)
		return;
	text = (const char *)((const u64 *)frame)[1];
	fn = symbol_lookup(((const u64 *)frame)[2], &sym);
	log_crit("in the frame of %s, byte %lu; its variables:", fn ? fn : "?", addr - frame);
	for (n = number_next(&text); n; n--) {
		u64 start = number_next(&text), size = number_next(&text);
		u64 len = number_next(&text);

		log_crit("  [%llu, %llu) %.*s", (unsigned long long)start,
			 (unsigned long long)(start + size), (int)len, text);
		text += len;
		while (*text == ' ')
			text++;
	}
}

static void shadow_print(vaddr_t addr)
{
	char line[ROW * 3 + 1];
	vaddr_t row = ALIGN_DOWN(addr, 8ul * ROW) - 2 * 8 * ROW;

	log_crit("shadow, a byte for 8 of memory:");
	for (u32 i = 0; i < 5; i++, row += 8 * ROW) {
		if (!kasan_has_shadow(row))
			continue;
		for (u32 j = 0; j < ROW; j++) {
			vaddr_t at = row + j * 8;

			snprintf(line + j * 3, 4, "%c%02x", at == ALIGN_DOWN(addr, 8ul) ? '>' : ' ',
				 *kasan_shadow(at));
		}
		log_crit("  [%016lx]%s", row, line);
	}
}

static bool report_begin(void)
{
	if (panic_in_progress() || load_acquire(&reporting) == arch_current())
		return false;
	store_release(&reporting, arch_current());
	return true;
}

static void report_end(const char *title)
{
	bool expected = report_is_expected(title);

	store_release(&reporting, NULL);
	if (!expected)
		panic("%s", title);
}

/*
 * An access of @n bytes at @addr by the code at @who, of which some may not be used.
 * ctx: any
 */
void kasan_report(vaddr_t addr, size_t n, bool write, const void *who)
{
	vaddr_t bad = addr;
	const char *kind = "wild-access", *name;
	char title[200];
	bool known;
	struct symbol sym;

	if (!report_begin())
		return;
	known = kasan_has_shadow(addr) && kasan_has_shadow(addr + n - 1);
	if (known && kasan_find_bad(addr, n, &bad))
		kind = kind_of(bad, *kasan_shadow(bad));
	name = symbol_lookup((vaddr_t)who - 4, &sym);
	snprintf(title, sizeof(title), "kasan: %s: %s of %zu bytes at %#lx by %s+%#lx", kind,
		 write ? "write" : "read", n, addr, name ? name : "?", name ? sym.off + 4 : 0);
	log_crit("%s", title);
	if (known) {
		global_print(bad);
		stack_print(bad);
		origin_print(bad);
		shadow_print(bad);
	}
	report_end(title);
}

/* See kasan.h. */
void kasan_report_free(const void *p, const char *what, const void *who)
{
	char title[200];
	const char *name;
	struct symbol sym;

	if (!report_begin())
		return;
	name = symbol_lookup((vaddr_t)who - 4, &sym);
	snprintf(title, sizeof(title), "kasan: %s of %p by %s+%#lx", what, p, name ? name : "?",
		 name ? sym.off + 4 : 0);
	log_crit("%s", title);
	if (kasan_has_shadow((vaddr_t)p)) {
		origin_print((vaddr_t)p);
		shadow_print((vaddr_t)p);
	}
	report_end(title);
}

/* See kasan.h. */
void kasan_explain_fault(vaddr_t far)
{
	if (far >= KASAN_SHADOW_BASE && far < KASAN_SHADOW_END)
		log_crit("kasan: wild-access to %#lx, where nothing is mapped",
			 (far - KASAN_SHADOW_OFFSET) << 3);
}
