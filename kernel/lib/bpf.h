#pragma once
/*
 * The classic packet filter machine (BPF): what seccomp(2) and SO_ATTACH_FILTER run. Programs are
 * arrays of struct sock_filter; what they load from is up to the caller. See bpf.c.
 */
#include <linux/filter.h>
#include "kernel/lib/types.h"

/*
 * What a program looks at. .load fetches @size (1, 2 or 4) bytes at @offset in the byte order that
 * the program is to see, and says false when they are not there: the program then ends with 0.
 * Offsets from SKF_LL_OFF up are negative as s32: ancillary data (SKF_AD_OFF + SKF_AD_*), and the
 * network and link headers.
 */
struct bpf_input {
	bool (*load)(const void *data, u32 offset, u32 size, u32 *out);
	const void *data;
	u32 len; /* what BPF_LEN gives */
};

/*
 * Can the @n instructions at @f do no harm: known, ending in a return, no jump beyond it, no read
 * of memory that was not written? @scratch: room for @n u16. ctx: any. 0 or -EINVAL.
 */
int __must_check bpf_check(const struct sock_filter *f, u32 n, u16 *scratch);
/* What the checked program @f returns about *in. ctx: as in->load. */
u32 bpf_run(const struct sock_filter *f, const struct bpf_input *in);
