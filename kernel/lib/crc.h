#pragma once
/* Cyclic redundancy checks. Start with 0; pass the last result to go on. */
#include "kernel/lib/types.h"

/* CRC-32 as in IEEE 802.3, GPT and zlib. */
u32 crc32_ieee(u32 crc, const void *data, size_t n);
/* CRC-32C (Castagnoli), as in ext4 metadata: without the final inversion, as ext4 chains it. */
u32 crc32c_raw(u32 crc, const void *data, size_t n);
/* CRC-16 (ANSI, reflected 0x8005), as in ext4 group descriptors. */
u16 crc16_ansi(u16 crc, const void *data, size_t n);
