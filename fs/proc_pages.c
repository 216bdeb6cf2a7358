/*
 * /proc/kpageflags: what each page frame is used for.
 *
 * An array of 64-bit words, one per frame number from 0 to the end of memory, read at its position
 * in whole words; /proc/PID/pagemap tells the numbers. The bits are those of
 * <linux/kernel-page-flags.h> that have a meaning here. A word is made without locks: it is what
 * the frame was a moment ago.
 *
 * man: proc(5); Linux, admin-guide/mm/pagemap.
 */
#include <linux/errno.h>
#include <linux/kernel-page-flags.h>
#include "fs/procfs.h"
#include "kernel/base/uio.h"
#include "mm/pmm.h"

#define WORDS 64 /* made at a time */

/* Where our flags stand in such a word. */
static const struct {
	u16 flag;
	u8 bit;
} frame_bits[] = {
	{ PG_LOCKED, KPF_LOCKED },     { PG_REFERENCED, KPF_REFERENCED },
	{ PG_UPTODATE, KPF_UPTODATE }, { PG_DIRTY, KPF_DIRTY },
	{ PG_ERROR, KPF_ERROR },       { PG_WRITEBACK, KPF_WRITEBACK },
	{ PG_HWPOISON, KPF_HWPOISON },
};

static const u32 type_bits[] = {
	[PAGE_FREE] = BIT(KPF_BUDDY),
	[PAGE_ANON] = BIT(KPF_ANON) | BIT(KPF_MMAP) | BIT(KPF_SWAPBACKED),
	[PAGE_CACHE] = BIT(KPF_LRU),
	[PAGE_TABLE] = BIT(KPF_PGTABLE),
	[PAGE_SLAB] = BIT(KPF_SLAB),
	[PAGE_RESERVED] = 0,
};

static u64 frame_word(u64 pfn)
{
	const struct page *p = pa_is_ram(pfn << PAGE_SHIFT) ? pa_to_page(pfn << PAGE_SHIFT) : NULL;
	u64 w;

	if (!p)
		return BIT(KPF_NOPAGE);
	w = type_bits[READ_ONCE(p->type)];
	for (size_t i = 0; i < ARRAY_SIZE(frame_bits); i++)
		if (page_flag(p, frame_bits[i].flag))
			w |= BIT(frame_bits[i].bit);
	return w;
}

static ssize_t kpageflags_read(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t done = 0;
	u64 w[WORDS];

	if (*pos % sizeof(w[0]) || u->left % sizeof(w[0]))
		return -EINVAL;
	while (u->left && *pos / sizeof(w[0]) < pmm_end_pfn) {
		u64 pfn = *pos / sizeof(w[0]);
		size_t most = MIN(u->left / sizeof(w[0]), (size_t)WORDS);
		size_t n = MIN(most, (size_t)(pmm_end_pfn - pfn));
		ssize_t got;

		for (size_t i = 0; i < n; i++)
			w[i] = frame_word(pfn + i);
		got = uio_copy_to(u, w, n * sizeof(w[0]));
		if (got <= 0)
			return done ? done : got;
		*pos += (u64)got;
		done += got;
	}
	return done;
}

static const struct file_ops kpageflags_ops = { .read = kpageflags_read };

PROC_FILE(kpageflags, "kpageflags", 0400, .ops = &kpageflags_ops);
