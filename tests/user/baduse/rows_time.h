/* Clocks and timers. Included by rows.h. */
static const struct timespec past[] = { { 0, 1 } };
static const struct timespec bad_nanoseconds[] = { { 0, 1000000000 } };
static const struct itimerval interval[] = { { { 0, 0 }, { 1000, 0 } } };
static const struct sigevent event_none[] = { { .sigev_notify = SIGEV_NONE,
						.sigev_signo = SIGUSR1 } };
static const struct {
	long words[26];
} timex_read[] = { { { 0 } } };
static const struct {
	int minutes, dst;
} zone[] = { { 0, 0 } };

static const struct entry rows_time[] = {
	ROW(nanosleep, "", 0, IN(past), OUT(16)),
	ROW(nanosleep, "/bad", 0, IN(bad_nanoseconds), OUT(16)),
	ROW(clock_nanosleep, "", 0, INT(1), FLAGS(0), IN(past), OUT(16)),
	ROW(clock_nanosleep, "/absolute", 0, INT(1), FLAGS(1), IN(past), CONST(0)),
	ROW(clock_gettime, "", PURE, INT(0), OUT(16)),
	ROW(clock_gettime, "/cpu", PURE | CHILD, INT(2), OUT(16)),
	ROW(clock_getres, "", PURE, INT(0), OUT(16)),
	/* The good call would set the clock back to 1970. */
	ROW(clock_settime, "", 0, INT(1), IN(past)),
	ROW(clock_settime, "/bad", 0, INT(0), IN(bad_nanoseconds)),
	ROW(gettimeofday, "", PURE, OUT(16), OUT(8)),
	ROW(settimeofday, "", 0, CONST(0), IN(zone)),
	ROW(settimeofday, "/bad", 0, IN(bad_nanoseconds), CONST(0)),
	ROW(adjtimex, "", 0, INOUT(timex_read)),
	ROW(clock_adjtime, "", 0, INT(0), INOUT(timex_read)),
	ROW(getitimer, "", PURE, INT(0), OUT(32)),
	ROW(setitimer, "", 0, INT(1), IN(interval), OUT(32)),
	ROW(timer_create, "", 0, INT(1), IN(event_none), OUT(4)),
	ROW(timer_create, "/default", 0, INT(0), CONST(0), OUT(4)),
	ROW(timer_settime, "", 0, INT(0), FLAGS(0), IN(timer_spec), OUT(32)),
	ROW(timer_gettime, "", 0, INT(0), OUT(32)),
	ROW(timer_getoverrun, "", 0, INT(0)),
	ROW(timer_delete, "", 0, INT(0)),
};
