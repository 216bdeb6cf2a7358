/* Signals and futexes. Included by rows.h. */
static const struct {
	long handler, flags, restorer;
	uint64_t mask;
} sig_ignore[] = { { 1, 0, 0, 0 } };
static const uint64_t usr1_mask[] = { 1UL << (SIGUSR1 - 1) };
static const stack_t new_stack[] = { { .ss_sp = (void *)A_MAP, .ss_size = 3 * 4096 } };
static const siginfo_t queue_info[] = { { .si_signo = SIGUSR1, .si_code = -1 } };
static const uint32_t futex_word[] = { 5 };
static const uint32_t pi_word[] = { 0 };
static const struct {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
} futex_waiters[] = { { 1, A_AUX, 2, 0 }, { 1, A_AUX + 64, 2, 0 } };

static const struct entry rows_signal[] = {
	/* Everybody and process 1 are spared: only the check for existence goes to them. */
	ROW(kill, "", CHILD, PID(PID_CHILD), CONST(0)),
	ROW(kill, "/self", 0, CONST(PID_SELF), SIG(0)),
	ROW(kill, "/child", CHILD, CONST(PID_CHILD), SIG(0)),
	ROW(kill, "/group", 0, CONST(0), SIG(0)),
	ROW(tkill, "", CHILD, PID(PID_CHILD), CONST(0)),
	ROW(tkill, "/self", 0, CONST(PID_SELF), SIG(0)),
	ROW(tgkill, "", CHILD, PID(PID_CHILD), PID(PID_CHILD), CONST(0)),
	ROW(tgkill, "/self", 0, CONST(PID_SELF), CONST(PID_SELF), SIG(0)),
	ROW(rt_sigqueueinfo, "", CHILD | SPARES, PID(PID_SELF), CONST(SIGUSR1), IN(queue_info)),
	ROW(rt_sigqueueinfo, "/self", 0, CONST(PID_SELF), SIG(0), IN(queue_info)),
	ROW(rt_tgsigqueueinfo, "", SPARES, PID(PID_SELF), PID(PID_SELF), CONST(SIGUSR1),
	    IN(queue_info)),
	ROW(rt_tgsigqueueinfo, "/self", 0, CONST(PID_SELF), CONST(PID_SELF), SIG(0), CONST(A_AUX)),
	ROW(rt_sigaction, "", 0, SIG(SIGUSR1), IN(sig_ignore), OUT(32), LEN(8)),
	ROW(rt_sigaction, "/get", PURE, SIG(SIGUSR1), CONST(0), OUT(32), LEN(8)),
	ROW(rt_sigprocmask, "", 0, INT(SIG_BLOCK), IN(usr1_mask), OUT(8), LEN(8)),
	ROW(rt_sigprocmask, "/get", PURE, INT(99), CONST(0), OUT(8), LEN(8)),
	ROW(rt_sigpending, "", PURE, OUT(8), LEN(8)),
	ROW(rt_sigsuspend, "", 0, IN(usr1_mask), LEN(8)),
	ROW(rt_sigtimedwait, "", 0, IN(usr1_mask), OUT(128), IN(no_time), LEN(8)),
	ROW(rt_sigreturn, "", NO_PAIRS, CONST(0)),
	ROW(sigaltstack, "", 0, IN(new_stack), OUT(24)),
	ROW(restart_syscall, "", PURE, CONST(0)),
	ROW(futex, "/wait", 0, INOUT(futex_word), CONST(0), INT(4), IN(no_time), CONST(0),
	    CONST(0)),
	ROW(futex, "/wait-time", 0, INOUT(futex_word), CONST(128), CONST(5), IN(no_time), CONST(0),
	    CONST(0)),
	ROW(futex, "/wake", VALUE, INOUT(futex_word), CONST(1), INT(1), CONST(0), CONST(0),
	    CONST(0)),
	ROW(futex, "/requeue", VALUE, INOUT(futex_word), CONST(3), INT(1), INT(1),
	    INOUT(futex_word), CONST(0)),
	ROW(futex, "/cmp-requeue", VALUE, INOUT(futex_word), CONST(4), INT(1), INT(1),
	    INOUT(futex_word), INT(5)),
	ROW(futex, "/wake-op", VALUE, INOUT(futex_word), CONST(5), INT(1), INT(1),
	    INOUT(futex_word), FLAGS(0)),
	ROW(futex, "/lock-pi", 0, INOUT(pi_word), CONST(6), CONST(0), IN(no_time), CONST(0),
	    CONST(0)),
	ROW(futex, "/unlock-pi", 0, INOUT(pi_word), CONST(7), CONST(0), CONST(0), CONST(0),
	    CONST(0)),
	ROW(futex, "/trylock-pi", 0, INOUT(pi_word), CONST(8), CONST(0), CONST(0), CONST(0),
	    CONST(0)),
	ROW(futex, "/wait-bitset", 0, INOUT(futex_word), CONST(9), INT(5), IN(no_time), CONST(0),
	    FLAGS(1)),
	ROW(futex, "/wake-bitset", VALUE, INOUT(futex_word), CONST(10), INT(1), CONST(0), CONST(0),
	    FLAGS(1)),
	ROW(futex, "/wait-requeue-pi", 0, INOUT(futex_word), CONST(11), INT(5), IN(no_time),
	    INOUT(pi_word), CONST(0)),
	ROW(futex, "/cmp-requeue-pi", VALUE, INOUT(futex_word), CONST(12), INT(1), INT(1),
	    INOUT(pi_word), INT(5)),
	ROW(futex, "/lock-pi2", 0, INOUT(pi_word), CONST(13), CONST(0), IN(no_time), CONST(0),
	    CONST(0)),
	ROW(futex, "/unknown", 0, INOUT(futex_word), INT(77), INT(1), IN(no_time),
	    INOUT(futex_word), INT(0)),
	ROW(futex_waitv, "", 0, IN(futex_waiters), INT(2), FLAGS(0), IN(no_time), INT(1)),
};
