#pragma once
/* One thread: the compiler is all that could reorder. */
#define barrier() __asm__ volatile("" ::: "memory")
#define smp_mb() barrier()
#define smp_rmb() barrier()
#define smp_wmb() barrier()
#define dma_mb() barrier()
#define dma_rmb() barrier()
#define dma_wmb() barrier()
