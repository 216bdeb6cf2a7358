/*
 * Disciplining the clock: adjtimex(2), clock_adjtime(2).
 *
 * The rate of the clock is the sum of what was set for good (ADJ_TICK and ADJ_FREQUENCY) and of
 * what works off an offset: one of the phase-locked loop (ADJ_OFFSET with STA_PLL), of which a
 * fixed part is taken each second, and one of adjtime(3) (ADJ_OFFSET_SINGLESHOT), at half a
 * millisecond per second. Once per second of the wall clock, while there is something to work off
 * or a leap second to wait for, ntp_second() decides about the next second; otherwise nothing runs.
 * The estimated error, which grows all the time, is brought up to date when somebody asks for it.
 *
 * Rates and offsets are nanoseconds with 32 binary digits behind the point.
 *
 * ntp_lock is a mutex, because a change of the rate makes all CPUs look at their timers.
 *
 * man: adjtimex(2); RFC 1305 and RFC 5905 for the loop; linux/timex.h.
 */
#include <linux/timex.h>
#include "kernel/base/log.h"
#include "kernel/base/timeout.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/work.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

/* The bits of ADJ_OFFSET_SINGLESHOT and ADJ_OFFSET_SS_READ beside ADJ_OFFSET. */
#define ADJ_ADJTIME 0x8000
#define ADJ_OFFSET_READONLY 0x2000

#define ONE (1ll << 32)
#define TICK_US 10000 /* at the normal rate, a hundred a second */
#define TICK_LEAST 9000
#define TICK_MOST 11000
#define FREQ_UNIT (1000ll << 16) /* a change of 2^-16 ppm */
#define FREQ_MAX (500000ll << 32) /* 500 ppm */
#define OFFSET_MAX (NSEC_PER_SEC / 2)
#define SLEW_US 500 /* of adjtime, per second */
#define ERROR_MAX 16000000 /* us */
#define ERROR_GROWTH 500 /* us per second */
#define TAI_MAX 100000
#define CONSTANT_MAX 10
#define PLL_SHIFT 2
#define FLL_SHIFT 2
#define FLL_SECONDS 256 /* below, no frequency-locked loop; */
#define PLL_SECONDS 2048 /* above, no phase-locked one */
#define DAY 86400

static struct mutex ntp_lock = MUTEX_INIT(ntp_lock, RANK_LEAF_MUTEX);

/* n guarded by ntp_lock */
static struct {
	int state; /* n: TIME_* */
	int status; /* n: STA_* */
	s64 maxerror, esterror, constant, tick; /* n: as struct timex has them */
	s64 freq; /* n: per second */
	s64 offset; /* n: still to be worked off */
	s64 adjust; /* n: microseconds of adjtime still to be worked off */
	s64 slew; /* n: how much of both in this second */
	s64 reference; /* n: second of the last offset */
	s64 seen; /* n: monotonic second up to which maxerror has grown */
	s64 leap_at; /* n: second of the wall clock */
	bool ready; /* n: what follows is initialised */
	struct timeout timeout; /* its own */
	struct work work; /* its own */
} ntp = {
	.status = STA_UNSYNC,
	.maxerror = ERROR_MAX,
	.esterror = ERROR_MAX,
	.constant = 2,
	.tick = TICK_US,
};

static s64 wall_second(void)
{
	return time_wall() / NSEC_PER_SEC;
}

/* The clock's rate as of now. holds: ntp_lock; sleeps */
static void rate_apply(void)
{
	s64 per_second = (ntp.tick - TICK_US) * 100 * NSEC_PER_USEC * ONE + ntp.freq + ntp.slew;

	time_set_rate(per_second / NSEC_PER_SEC);
}

/* The error that has come with time. holds: ntp_lock */
static void error_grow(void)
{
	s64 now = time_now() / NSEC_PER_SEC;

	ntp.maxerror += (now - ntp.seen) * ERROR_GROWTH;
	ntp.seen = now;
	if (ntp.maxerror <= ERROR_MAX)
		return;
	ntp.maxerror = ERROR_MAX;
	ntp.status |= STA_UNSYNC;
}

/* --- each second --- */

static void second_fired(struct timeout *t)
{
	work_queue(&ntp.work);
}

/* Is there a next second to decide about? holds: ntp_lock */
static bool second_wanted(void)
{
	return ntp.offset || ntp.adjust || ntp.slew || ntp.state != TIME_OK ||
	       (ntp.status & (STA_INS | STA_DEL));
}

/* holds: ntp_lock */
static void second_arm(void)
{
	if (second_wanted())
		timeout_set_wall(&ntp.timeout, (wall_second() + 1) * NSEC_PER_SEC);
}

/* The second of the wall clock that begins a day behind @now. */
static s64 next_day(s64 now)
{
	return now + DAY - now % DAY;
}

/*
 * Leap seconds: second @now begins. One that is left out is the last of its day, one that is put in
 * is shown as that one again. By how many seconds the clock is to be stepped. holds: ntp_lock
 */
static int leap_second(s64 now)
{
	switch (ntp.state) {
	case TIME_OK:
		if (ntp.status & STA_INS) {
			ntp.state = TIME_INS;
			ntp.leap_at = next_day(now);
		} else if (ntp.status & STA_DEL) {
			ntp.state = TIME_DEL;
			ntp.leap_at = next_day(now + 1) - 1;
		}
		return 0;
	case TIME_INS:
		if (!(ntp.status & STA_INS)) {
			ntp.state = TIME_OK;
		} else if (now >= ntp.leap_at) {
			ntp.state = TIME_OOP;
			log_info("clock: leap second 23:59:60 UTC is inserted");
			return -1;
		}
		return 0;
	case TIME_DEL:
		if (!(ntp.status & STA_DEL)) {
			ntp.state = TIME_OK;
		} else if (now >= ntp.leap_at) {
			ntp.state = TIME_WAIT;
			log_info("clock: second 23:59:59 UTC is left out");
			return 1;
		}
		return 0;
	case TIME_OOP: ntp.state = TIME_WAIT; return 0;
	default:
		if (!(ntp.status & (STA_INS | STA_DEL)))
			ntp.state = TIME_OK;
		return 0;
	}
}

/* How much of the offsets is worked off in the next second. holds: ntp_lock */
static void slew_second(void)
{
	s64 part = ntp.offset >> (PLL_SHIFT + ntp.constant);
	s64 us = MIN(MAX(ntp.adjust, -(s64)SLEW_US), (s64)SLEW_US);

	/* The rest that shifting would never take. */
	if (part == -1)
		part = ntp.offset;
	if (!part)
		ntp.offset = 0;
	ntp.offset -= part;
	ntp.adjust -= us;
	ntp.slew = part + us * NSEC_PER_USEC * ONE;
}

static void ntp_second(struct work *w)
{
	int leap;

	mutex_lock(&ntp_lock);
	leap = leap_second(wall_second());
	if (leap) {
		(void)time_set_wall(time_wall() + leap * NSEC_PER_SEC);
		time_set_tai_offset(time_tai_offset() - leap);
	}
	slew_second();
	rate_apply();
	second_arm();
	mutex_unlock(&ntp_lock);
}

/* --- requests --- */

/* Everything about the old time is void. holds: ntp_lock */
static void forget(void)
{
	ntp.adjust = ntp.offset = ntp.slew = 0;
	ntp.status |= STA_UNSYNC;
	ntp.maxerror = ntp.esterror = ERROR_MAX;
	ntp.leap_at = TIME_NEVER;
}

/* See sys.h. */
int sys_clock_set(s64 wall_ns)
{
	int err;

	mutex_lock(&ntp_lock);
	err = time_set_wall(wall_ns);
	if (!err) {
		forget();
		rate_apply();
	}
	mutex_unlock(&ntp_lock);
	return err;
}

/* May the caller ask for that, and does it make sense? 0, -EINVAL, -EPERM */
static int check(const struct __kernel_timex *x)
{
	bool reading = x->modes & ADJ_ADJTIME ? x->modes & ADJ_OFFSET_READONLY : !x->modes;
	u64 unit = x->modes & ADJ_NANO ? NSEC_PER_SEC : NSEC_PER_SEC / NSEC_PER_USEC;

	if ((x->modes & ADJ_ADJTIME) && !(x->modes & ADJ_OFFSET))
		return -EINVAL;
	if (!reading && !sys_capable(CAP_SYS_TIME))
		return -EPERM;
	if (!(x->modes & ADJ_ADJTIME) && (x->modes & ADJ_TICK) &&
	    (x->tick < TICK_LEAST || x->tick > TICK_MOST))
		return -EINVAL;
	if (x->modes & ADJ_SETOFFSET) {
		if (!sys_capable(CAP_SYS_TIME))
			return -EPERM;
		if ((u64)x->time.tv_usec >= unit || x->time.tv_sec >= SYS_SEC_MAX / 2 ||
		    x->time.tv_sec <= -SYS_SEC_MAX / 2)
			return -EINVAL;
	}
	if ((x->modes & ADJ_FREQUENCY) &&
	    (x->freq > TIME_NEVER / FREQ_UNIT || x->freq < -TIME_NEVER / FREQ_UNIT))
		return -EINVAL;
	return 0;
}

/* ADJ_SETOFFSET. holds: ntp_lock; sleeps */
static int step(const struct __kernel_timex *x)
{
	s64 unit = x->modes & ADJ_NANO ? 1 : NSEC_PER_USEC;
	int err =
		time_set_wall(time_wall() + x->time.tv_sec * NSEC_PER_SEC + x->time.tv_usec * unit);

	if (!err)
		forget();
	return err;
}

static void set_status(int status)
{
	if ((ntp.status & STA_PLL) && !(status & STA_PLL)) {
		ntp.state = TIME_OK;
		ntp.status = STA_UNSYNC;
		ntp.leap_at = TIME_NEVER;
	}
	if (!(ntp.status & STA_PLL) && (status & STA_PLL))
		ntp.reference = wall_second();
	ntp.status = (ntp.status & STA_RONLY) | (status & ~STA_RONLY);
}

static void set_freq(s64 freq)
{
	ntp.freq = MIN(MAX(freq, -FREQ_MAX), FREQ_MAX);
}

/* What the frequency-locked loop makes of @ns, @secs after the last offset. */
static s64 fll_change(s64 ns, s64 secs)
{
	ntp.status &= ~STA_MODE;
	if (secs < FLL_SECONDS || (!(ntp.status & STA_FLL) && secs <= PLL_SECONDS))
		return 0;
	ntp.status |= STA_MODE;
	return ns * (ONE >> FLL_SHIFT) / secs;
}

/* ADJ_OFFSET: work it off, and let it correct the frequency. holds: ntp_lock */
static void set_offset(s64 offset)
{
	s64 now = wall_second(), secs = now - ntp.reference, most, change;

	if (!(ntp.status & STA_PLL))
		return;
	if (!(ntp.status & STA_NANO))
		offset = MIN(MAX(offset, -1000000ll), 1000000ll) * NSEC_PER_USEC;
	offset = MIN(MAX(offset, -OFFSET_MAX), OFFSET_MAX);
	if (ntp.status & STA_FREQHOLD)
		secs = 0;
	ntp.reference = now;
	secs = MAX(secs, 0ll);
	change = fll_change(offset, secs);
	most = 1ll << (PLL_SHIFT + 1 + ntp.constant);
	change += (offset * MIN(secs, most)) * (ONE >> 2 * (PLL_SHIFT + 2 + ntp.constant));
	set_freq(ntp.freq + change);
	ntp.offset = offset * ONE;
}

/* holds: ntp_lock */
static void change(const struct __kernel_timex *x)
{
	if (x->modes & ADJ_STATUS)
		set_status(x->status);
	if (x->modes & ADJ_NANO)
		ntp.status |= STA_NANO;
	if (x->modes & ADJ_MICRO)
		ntp.status &= ~STA_NANO;
	if (x->modes & ADJ_FREQUENCY)
		set_freq(x->freq * FREQ_UNIT);
	if (x->modes & ADJ_MAXERROR)
		ntp.maxerror = x->maxerror;
	if (x->modes & ADJ_ESTERROR)
		ntp.esterror = x->esterror;
	if (x->modes & ADJ_TIMECONST) {
		ntp.constant = MAX(x->constant, 0ll) + (ntp.status & STA_NANO ? 0 : 4);
		ntp.constant = MIN(ntp.constant, (s64)CONSTANT_MAX);
	}
	if ((x->modes & ADJ_TAI) && x->constant >= 0 && x->constant <= TAI_MAX)
		time_set_tai_offset((s32)x->constant);
	if (x->modes & ADJ_OFFSET)
		set_offset(x->offset);
	if (x->modes & ADJ_TICK)
		ntp.tick = x->tick;
}

/* What @x->offset asks for and shows. holds: ntp_lock */
static void apply(struct __kernel_timex *x)
{
	s64 left = ntp.adjust;

	if (x->modes & ADJ_ADJTIME) {
		if (!(x->modes & ADJ_OFFSET_READONLY))
			ntp.adjust = x->offset;
		x->offset = left;
		return;
	}
	change(x);
	x->offset = ntp.offset / ONE;
	if (!(ntp.status & STA_NANO))
		x->offset /= NSEC_PER_USEC;
}

/* The rest of *x as it is now. holds: ntp_lock */
static void fill(struct __kernel_timex *x)
{
	s64 now = time_wall(), offset = x->offset;
	u32 modes = x->modes;

	memset(x, 0, sizeof(*x));
	x->modes = modes;
	x->offset = offset;
	x->freq = ntp.freq / FREQ_UNIT;
	x->maxerror = ntp.maxerror;
	x->esterror = ntp.esterror;
	x->status = ntp.status;
	x->constant = ntp.constant;
	x->precision = 1;
	x->tolerance = FREQ_MAX / FREQ_UNIT;
	x->tick = ntp.tick;
	x->tai = time_tai_offset();
	x->time.tv_sec = now / NSEC_PER_SEC;
	x->time.tv_usec = now % NSEC_PER_SEC / (ntp.status & STA_NANO ? 1 : NSEC_PER_USEC);
}

/* adjtimex(2) on *x, in and out. The clock's state (TIME_*) or -errno */
static long adjust(struct __kernel_timex *x)
{
	long r = check(x);

	if (r)
		return r;
	mutex_lock(&ntp_lock);
	if (!ntp.ready) {
		timeout_init(&ntp.timeout, second_fired);
		work_init(&ntp.work, ntp_second);
		ntp.ready = true;
	}
	if (x->modes & ADJ_SETOFFSET)
		r = step(x);
	if (!r) {
		error_grow();
		apply(x);
		rate_apply();
		second_arm();
		r = ntp.status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : ntp.state;
		fill(x);
	}
	mutex_unlock(&ntp_lock);
	return r;
}

/* adjtimex(2). ctx: thread; sleeps */
long sys_adjtimex(u64 utx)
{
	struct __kernel_timex x;
	long r;

	if (copy_from_user(&x, utx, sizeof(x)))
		return -EFAULT;
	r = adjust(&x);
	return r >= 0 && copy_to_user(utx, &x, sizeof(x)) ? -EFAULT : r;
}

/* The low bits of a negative clock: of what sort it is; 3 is a descriptor's (clock_getres(2)). */
#define CLOCK_SORT 7
#define CLOCK_SORT_FD 3

/* clock_adjtime(2): as adjtimex, for the wall clock only. ctx: thread; sleeps */
long sys_clock_adjtime(u64 clock, u64 utx)
{
	struct __kernel_timex x;
	s64 now;

	if ((int)clock == CLOCK_REALTIME)
		return sys_adjtimex(utx);
	if (copy_from_user(&x, utx, sizeof(x)))
		return -EFAULT;
	/*
	 * Negative numbers are CPU clocks, whether or not there is such a thread, or descriptors.
	 */
	if ((int)clock < 0 && ((int)clock & CLOCK_SORT) != CLOCK_SORT_FD)
		return -EOPNOTSUPP;
	return sys_clock_read((int)clock, &now) ? -EINVAL : -EOPNOTSUPP;
}
