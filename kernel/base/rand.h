#pragma once
/*
 * Random numbers: a ChaCha20 generator with fast key erasure, seeded from the device tree's
 * rng-seed and kaslr-seed, RNDR where the CPU has it, virtio-rng and interrupt timing. ctx: any.
 */
#include "kernel/lib/types.h"

void rand_init(void);
void rand_bytes(void *buf, size_t n);
u64 rand_u64(void);
void rand_add(const void *data, size_t n, u32 entropy_bits);
bool rand_ready(void); /* seeded with at least 256 bits */
