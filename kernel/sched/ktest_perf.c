/*
 * What basic operations cost, printed. Under "-icount shift=0" one nanosecond is one instruction,
 * so the figures are instructions and repeat. The limits only catch something that went badly
 * wrong, on any machine.
 */
#include <arch/cpu.h>
#include "kernel/base/ktest.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/waitq.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define ROUNDS 2000

static s64 perf_report(const char *what, s64 begin, u32 rounds)
{
	s64 each = (time_now() - begin) / rounds;

	log_err("# %s: %lld ns", what, (long long)each);
	return each;
}

KTEST(perf, memory)
{
	static void *p[64];
	s64 begin = time_now();

	for (u32 i = 0; i < ROUNDS; i++)
		kfree(kmalloc(64, 0));
	perf_report("kmalloc(64) + kfree", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		kfree(kmalloc(2000, 0));
	perf_report("kmalloc(2000) + kfree", begin, ROUNDS);
	begin = time_now();
	for (u32 r = 0; r < 20; r++) {
		for (u32 i = 0; i < 64; i++)
			p[i] = kmalloc(256, 0);
		for (u32 i = 0; i < 64; i++)
			kfree(p[i]);
	}
	perf_report("64 x kmalloc(256), then kfree, each", begin, 20 * 64);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		pmm_free(pmm_alloc(0, 0), 0);
	perf_report("pmm_alloc(0) + pmm_free", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		pmm_free(pmm_alloc(2, 0), 2);
	perf_report("pmm_alloc(2) + pmm_free", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		pmm_free(pmm_alloc(0, PMM_ZERO), 0);
	perf_report("pmm_alloc(0, zero) + pmm_free", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		kvm_stack_free(kvm_stack_alloc());
	perf_report("kvm_stack_alloc + free", begin, ROUNDS);
}

static struct mutex perf_mutex = MUTEX_INIT(perf_mutex, RANK_LEAF_MUTEX);
static struct rwsem perf_rwsem = RWSEM_INIT(perf_rwsem, RANK_LEAF_MUTEX);
static struct spinlock perf_spin = SPINLOCK_INIT(RANK_SPIN_OUTER);

KTEST(perf, locks)
{
	s64 begin = time_now();

	for (u32 i = 0; i < ROUNDS; i++) {
		spin_lock(&perf_spin);
		spin_unlock(&perf_spin);
	}
	perf_report("spin_lock + unlock", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++) {
		mutex_lock(&perf_mutex);
		mutex_unlock(&perf_mutex);
	}
	perf_report("mutex_lock + unlock", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++) {
		rwsem_read_lock(&perf_rwsem);
		rwsem_read_unlock(&perf_rwsem);
	}
	perf_report("rwsem_read_lock + unlock", begin, ROUNDS);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)time_now();
	perf_report("time_now", begin, ROUNDS);
}

static struct waitq side[2] = { WAITQ_INIT(side[0]), WAITQ_INIT(side[1]) };
static u32 turn; /* a */
static struct completion partner_ended;

static void partner(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < ROUNDS; i++) {
		wait_event(&side[1], READ_ONCE(turn) == 1);
		WRITE_ONCE(turn, 0);
		waitq_wake_sync(&side[0], 1, 0);
	}
	completion_done(&partner_ended);
}

static void yielder(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < ROUNDS; i++)
		sched_yield();
	completion_done(&partner_ended);
}

static void nothing(void *arg)
{
	completion_done(arg);
}

KTEST(perf, switches)
{
	struct completion c;
	s64 begin;

	completion_init(&partner_ended);
	turn = 0;
	KT_ASSERT(thread_create("partner", partner, NULL, NULL) == 0);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++) {
		WRITE_ONCE(turn, 1);
		waitq_wake_sync(&side[1], 1, 0);
		wait_event(&side[0], READ_ONCE(turn) == 0);
	}
	perf_report("wait queue ping-pong, round trip", begin, ROUNDS);
	completion_wait(&partner_ended);

	completion_init(&partner_ended);
	KT_ASSERT(thread_create("yielder", yielder, NULL, NULL) == 0);
	begin = time_now();
	for (u32 i = 0; i < ROUNDS; i++)
		sched_yield();
	perf_report("yield, one of two threads", begin, 2 * ROUNDS);
	completion_wait(&partner_ended);

	begin = time_now();
	for (u32 i = 0; i < ROUNDS / 4; i++) {
		completion_init(&c);
		KT_ASSERT(thread_create("nothing", nothing, &c, NULL) == 0);
		completion_wait(&c);
	}
	perf_report("kernel thread create + run + end", begin, ROUNDS / 4);
}
