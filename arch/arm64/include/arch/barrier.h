#pragma once
/* Memory barriers. smp_: between CPUs; dma_: between CPU and devices. */
#define barrier() __asm__ volatile("" ::: "memory")
#define smp_mb() __asm__ volatile("dmb ish" ::: "memory")
#define smp_rmb() __asm__ volatile("dmb ishld" ::: "memory")
#define smp_wmb() __asm__ volatile("dmb ishst" ::: "memory")
#define dma_mb() __asm__ volatile("dmb osh" ::: "memory")
#define dma_rmb() __asm__ volatile("dmb oshld" ::: "memory")
#define dma_wmb() __asm__ volatile("dmb oshst" ::: "memory")
#define dsb(scope) __asm__ volatile("dsb " #scope ::: "memory")
#define isb() __asm__ volatile("isb" ::: "memory")
