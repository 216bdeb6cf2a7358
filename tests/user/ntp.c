/*
 * Disciplining the clock with adjtimex(2): its rate, offsets that are worked off, leap seconds.
 *
 * Two clocks cannot be read at once, so the raw clock is read before and after the other one: what
 * is concluded holds however long the machine stood still in between.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include "tap.h"

#define SECOND 1000000000ll

struct reading {
	int64_t raw_before, mono, raw_after;
};

static int64_t ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static struct reading readings(void)
{
	struct reading r;

	r.raw_before = ns(CLOCK_MONOTONIC_RAW);
	r.mono = ns(CLOCK_MONOTONIC);
	r.raw_after = ns(CLOCK_MONOTONIC_RAW);
	return r;
}

static void spin(int64_t length)
{
	int64_t end = ns(CLOCK_MONOTONIC_RAW) + length;

	while (ns(CLOCK_MONOTONIC_RAW) < end)
		;
}

/* Does the clock gain from @least to @most parts per million? */
static int gains(int64_t least, int64_t most)
{
	struct reading a, b;
	int64_t shortest, longest, mono;

	spin(SECOND / 20);
	a = readings();
	spin(SECOND / 4);
	b = readings();
	mono = b.mono - a.mono;
	shortest = b.raw_before - a.raw_after;
	longest = b.raw_after - a.raw_before;
	if (mono >= shortest + shortest * least / 1000000 &&
	    mono <= longest + longest * most / 1000000)
		return 1;
	printf("# %lld against %lld to %lld\n", (long long)mono, (long long)shortest,
	       (long long)longest);
	return 0;
}

static int set(unsigned modes, long freq, long tick)
{
	struct timex tx = { .modes = modes, .freq = freq, .tick = tick };

	return adjtimex(&tx);
}

static struct timex get(void)
{
	struct timex tx = { 0 };

	adjtimex(&tx);
	return tx;
}

static void rates(void)
{
	CHECK(gains(-50, 50));
	CHECK(set(ADJ_TICK, 0, 11000) >= 0 && get().tick == 11000 && gains(95000, 105000));
	CHECK(set(ADJ_TICK, 0, 9000) >= 0 && gains(-105000, -95000));
	CHECK(set(ADJ_TICK | ADJ_FREQUENCY, 400 << 16, 10000) >= 0 && get().freq == 400 << 16 &&
	      gains(300, 500));
	CHECK(set(ADJ_FREQUENCY, -400 * 65536, 0) >= 0 && get().freq == -400 * 65536 &&
	      gains(-500, -300));
	CHECK(set(ADJ_FREQUENCY, 4000 << 16, 0) >= 0 && get().freq == 500 << 16);
	CHECK_ERR(set(ADJ_TICK, 0, 8999), EINVAL);
	CHECK_ERR(set(ADJ_TICK, 0, 11001), EINVAL);
	CHECK_ERR(set(ADJ_FREQUENCY, INT64_MAX / 2, 0), EINVAL);
	CHECK(set(ADJ_FREQUENCY, 0, 0) >= 0 && gains(-50, 50));
}

static void adjtimes(void)
{
	struct timeval delta = { 0, 1200 }, left;
	struct timex tx = { .offset = 0 };
	struct reading a, b;

	/* Again when all was worked off before we could look. */
	for (int i = 0; i < 100 && tx.offset == 0; i++) {
		a = readings();
		CHECK(!adjtime(&delta, &left) && !left.tv_sec && !left.tv_usec);
		tx = (struct timex){ .modes = ADJ_OFFSET_SS_READ, .offset = 77 };
		CHECK(adjtimex(&tx) >= 0);
	}
	CHECK(tx.offset > 0 && tx.offset <= 1200);
	CHECK(EVENTUALLY((tx.modes = ADJ_OFFSET_SS_READ, adjtimex(&tx) >= 0 && tx.offset == 0)));
	b = readings();
	CHECK((b.mono - b.raw_before) - (a.mono - a.raw_after) > 600000);
	CHECK((b.mono - b.raw_after) - (a.mono - a.raw_before) < 1500000);
	tx.modes = 0x8000;
	CHECK_ERR(adjtimex(&tx), EINVAL);
}

static void loop(void)
{
	struct timex tx = { .modes = ADJ_STATUS | ADJ_TIMECONST | ADJ_MAXERROR | ADJ_ESTERROR,
			    .status = STA_PLL,
			    .maxerror = 1000,
			    .esterror = 900 };

	CHECK(adjtimex(&tx) == TIME_OK && tx.status == STA_PLL && tx.constant == 4 &&
	      tx.maxerror >= 1000 && tx.esterror == 900);
	tx = (struct timex){ .modes = ADJ_OFFSET | ADJ_NANO, .offset = 100000000 };
	CHECK(adjtimex(&tx) == TIME_OK && tx.offset > 0 && tx.offset <= 100000000 &&
	      tx.status == (STA_PLL | STA_NANO));
	CHECK(EVENTUALLY(get().offset < 100000000 && get().maxerror > 1000));
	tx = (struct timex){ .modes = ADJ_MICRO };
	CHECK(adjtimex(&tx) == TIME_OK && tx.offset > 0 && tx.offset < 100000);
	/* Setting the clock is the end of all that. */
	tx = (struct timex){ .modes = ADJ_SETOFFSET, .time = { 5, 0 } };
	CHECK(adjtimex(&tx) == TIME_ERROR && tx.offset == 0 && (tx.status & STA_UNSYNC));
	tx = (struct timex){ .modes = ADJ_SETOFFSET, .time = { 5, -1 } };
	CHECK_ERR(adjtimex(&tx), EINVAL);
}

static int state(void)
{
	struct timex tx = { 0 };

	return adjtimex(&tx);
}

static void leap_second(void)
{
	const time_t midnight = 1735689600;
	struct timespec ts = { midnight - 2, 0 };
	struct timex tx;
	int tai, i = 0;

	/* Again when it was midnight before the leap was asked for. */
	do {
		tx = (struct timex){ .modes = ADJ_STATUS };
		CHECK(adjtimex(&tx) >= 0);
		tai = get().tai;
		REQUIRE(!clock_settime(CLOCK_REALTIME, &ts));
		tx = (struct timex){ .modes = ADJ_STATUS | ADJ_MAXERROR, .status = STA_INS };
		CHECK(adjtimex(&tx) == TIME_OK || tx.status == STA_INS);
	} while (ns(CLOCK_REALTIME) >= midnight * SECOND && i++ < 100);
	CHECK(EVENTUALLY(state() == TIME_WAIT));
	CHECK(get().tai == tai + 1);
	tx = (struct timex){ .modes = ADJ_STATUS };
	CHECK(adjtimex(&tx) >= 0 && EVENTUALLY(state() == TIME_OK));
}

/* The library's settimeofday() may have no use for it. */
static long set_zone(const struct timezone *tz)
{
	return syscall(SYS_settimeofday, NULL, tz);
}

static void others(void)
{
	struct timex tx = { .modes = ADJ_TAI, .constant = 37 };
	struct timezone tz = { -60, 1 }, seen;
	struct timeval tv;
	time_t before;
	int64_t wall;

	CHECK(adjtimex(&tx) >= 0 && tx.tai == 37);
	wall = ns(CLOCK_REALTIME);
	CHECK(ns(CLOCK_TAI) - wall >= 37 * SECOND);
	/* The first setting says that the real-time clock showed local time, an hour ahead. */
	gettimeofday(&tv, NULL);
	CHECK(!set_zone(&tz));
	before = tv.tv_sec;
	CHECK(!gettimeofday(&tv, NULL) && tv.tv_sec >= before - 3600 && tv.tv_sec < before);
	CHECK(!set_zone(&tz) && !gettimeofday(&tv, NULL) && tv.tv_sec < before);
	CHECK(!syscall(SYS_gettimeofday, &tv, &seen) && seen.tz_minuteswest == -60 &&
	      seen.tz_dsttime == 1);
	tz = (struct timezone){ 0, 0 };
	CHECK(!set_zone(&tz));
	tx = (struct timex){ 0 };
	CHECK(clock_adjtime(CLOCK_REALTIME, &tx) >= 0);
	CHECK_ERR(clock_adjtime(CLOCK_MONOTONIC, &tx), EOPNOTSUPP);
	CHECK_ERR(clock_adjtime(77, &tx), EINVAL);
	REQUIRE(!setresuid(1000, 1000, 1000));
	tx = (struct timex){ .modes = ADJ_OFFSET_SS_READ };
	CHECK(adjtimex(&tx) >= 0);
	tx.modes = 0;
	CHECK(adjtimex(&tx) >= 0);
	tx.modes = ADJ_OFFSET_SINGLESHOT;
	CHECK_ERR(adjtimex(&tx), EPERM);
	tx = (struct timex){ .modes = ADJ_TICK, .tick = 1 };
	CHECK_ERR(adjtimex(&tx), EPERM);
	CHECK_ERR(set_zone(&tz), EPERM);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("1..0 # skip the clock can only be set by root\n");
		return 0;
	}
	rates();
	adjtimes();
	loop();
	leap_second();
	others();
	return tap_done();
}
