#pragma once
/*
 * Partition tables: MBR with logical partitions, and GPT. Everything read is checked; nothing is
 * trusted. Also compiled on the host (tests/unit).
 */
#include "kernel/lib/types.h"

struct part_entry {
	u32 number; /* from 1 */
	u64 start, nsect; /* of 512 bytes, within the disk */
	char uuid[40]; /* as PARTUUID= has it; "" when the table has none */
	char label[64]; /* UTF-8, GPT only */
};

struct part_source {
	u64 nsect; /* of the disk, of 512 bytes */
	u32 block; /* bytes of its logical blocks */
	/* Read 512 bytes at sector @sector (< nsect) into @buf. 0 or -errno. */
	int (*read)(const struct part_source *s, u64 sector, void *buf);
	void *priv;
};

enum part_kind { PART_NONE, PART_MBR, PART_GPT, PART_GPT_BACKUP };

/*
 * Read the table of @s: up to @max partitions in *count. 0, or the error of reading. *kind says
 * what was found; none is no error.
 */
int __must_check parttable_read(const struct part_source *s, struct part_entry *out, u32 max,
				u32 *count, enum part_kind *kind);
