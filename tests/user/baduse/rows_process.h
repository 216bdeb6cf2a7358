/* Calls on processes, credentials, scheduling. Included by rows.h. */
static const struct {
	uint32_t version;
	int pid;
} cap_header[] = { { 0x20080522, 0 } }, cap_header_old[] = { { 0x19980330, 0 } };
static const uint32_t cap_data[6] = { 0 };
static const int group_list[] = { 1, 2, 3 };
static const struct rlimit file_limit[] = { { 512, 1024 } };
static const struct rlimit bad_limit[] = { { 512, 100 } };
static const int sched_zero[] = { 0 };
static const int sched_ten[] = { 10 };
static const uint64_t cpu_mask[] = { 1 };
static const struct {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
} sched_attr[] = { { .size = 56 } };
static const struct {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
} clone_args[] = { { .exit_signal = SIGCHLD } },
  clone_pidfd[] = { { .flags = 0x1000, .exit_signal = SIGCHLD, .pidfd = A_AUX } };
static const struct {
	uint16_t len;
	const void *filter;
} filter_program[] = { { 1, (void *)A_AUX } };

#define ANY __WALL

static const struct entry rows_process[] = {
	ROW(getpid, "", PURE, CONST(0)),
	ROW(getppid, "", PURE, CONST(0)),
	ROW(gettid, "", PURE, CONST(0)),
	ROW(getuid, "", PURE, CONST(0)),
	ROW(geteuid, "", PURE, CONST(0)),
	ROW(getgid, "", PURE, CONST(0)),
	ROW(getegid, "", PURE, CONST(0)),
	ROW(getpgid, "", PURE | CHILD, PID(0)),
	ROW(setpgid, "", CHILD | SPARES, PID(0), PID(0)),
	ROW(setpgid, "/child", CHILD | SPARES, PID(PID_CHILD), PID(0)),
	ROW(getsid, "", PURE | CHILD, PID(0)),
	ROW(setsid, "", 0, CONST(0)),
	ROW(getresuid, "", PURE, OUT(4), OUT(4), OUT(4)),
	ROW(getresgid, "", PURE, OUT(4), OUT(4), OUT(4)),
	ROW(setuid, "", 0, ID(0)),
	ROW(setgid, "", 0, ID(0)),
	ROW(setreuid, "", 0, ID(0), ID(0)),
	ROW(setregid, "", 0, ID(0), ID(0)),
	ROW(setresuid, "", 0, ID(0), ID(0), ID(0)),
	ROW(setresgid, "", 0, ID(0), ID(0), ID(0)),
	ROW(setfsuid, "", VALUE, ID(0)),
	ROW(setfsgid, "", VALUE, ID(0)),
	ROW(getgroups, "", PURE | VALUE, INT(32), OUT(128)),
	ROW(setgroups, "", 0, INT(3), IN(group_list)),
	ROW(capget, "", PURE | CHILD, INOUT(cap_header), OUT(24)),
	ROW(capget, "/old", PURE, INOUT(cap_header_old), OUT(12)),
	ROW(capset, "", CHILD, INOUT(cap_header), IN(cap_data)),
	ROW(umask, "", VALUE, FLAGS(022)),
	ROW(personality, "", VALUE, FLAGS(0xffffffff)),
	ROW(times, "", PURE, OUT(32)),
	ROW(getrusage, "", PURE, INT(0), OUT(144)),
	ROW(getrlimit, "", PURE, INT(RLIMIT_NOFILE), OUT(16)),
	ROW(setrlimit, "", 0, INT(RLIMIT_NOFILE), IN(file_limit)),
	ROW(prlimit64, "", CHILD | SPARES, PID(PID_CHILD), INT(RLIMIT_NOFILE), IN(file_limit),
	    OUT(16)),
	ROW(prlimit64, "/bad", CHILD | SPARES, PID(0), INT(RLIMIT_NOFILE), IN(bad_limit), OUT(16)),
	ROW(getpriority, "", PURE | CHILD | VALUE, INT(0), PID(0)),
	ROW(setpriority, "", CHILD | SPARES, INT(0), PID(0), INT(0)),
	ROW(setpriority, "/child", CHILD | SPARES, CONST(0), PID(PID_CHILD), INT(5)),
	ROW(ioprio_get, "", PURE | CHILD | VALUE, INT(1), PID(0)),
	ROW(ioprio_set, "", CHILD | SPARES, INT(1), PID(0), INT(0x4004)),
	ROW(sched_yield, "", PURE, CONST(0)),
	ROW(sched_getscheduler, "", PURE | CHILD | VALUE, PID(0)),
	ROW(sched_setscheduler, "", CHILD | SPARES, PID(0), INT(0), IN(sched_zero)),
	ROW(sched_setscheduler, "/fifo", CHILD | SPARES, PID(PID_CHILD), INT(1), IN(sched_ten)),
	ROW(sched_getparam, "", PURE | CHILD, PID(0), OUT(4)),
	ROW(sched_setparam, "", CHILD | SPARES, PID(0), IN(sched_zero)),
	ROW(sched_getattr, "", PURE | CHILD, PID(0), OUT(56), INT(56), FLAGS(0)),
	ROW(sched_setattr, "", CHILD | SPARES, PID(0), INOUT(sched_attr), FLAGS(0)),
	ROW(sched_getaffinity, "", PURE | CHILD | VALUE, PID(0), INT(128), OUT(128)),
	ROW(sched_setaffinity, "", CHILD | SPARES, PID(0), INT(8), IN(cpu_mask)),
	ROW(sched_get_priority_max, "", PURE | VALUE, INT(1)),
	ROW(sched_get_priority_min, "", PURE | VALUE, INT(1)),
	ROW(sched_rr_get_interval, "", PURE | CHILD, PID(0), OUT(16)),
	ROW(getcpu, "", PURE, OUT(4), OUT(4), ADDR(0)),
	ROW(set_tid_address, "", 0, ADDR(A_AUX)),
	ROW(set_robust_list, "", 0, ADDR(A_AUX), LEN(24)),
	ROW(get_robust_list, "", PURE | CHILD, PID(0), OUT(8), OUT(8)),
	ROW(rseq, "", 0, ADDR(A_AUX), INT(32), FLAGS(0), INT(0)),
	ROW(exit, "", NO_PAIRS, INT(3)),
	ROW(exit_group, "", NO_PAIRS, INT(3)),
	ROW(wait4, "", CHILD, PID(-1), OUT(4), FLAGS(WNOHANG), OUT(144)),
	ROW(wait4, "/wait", CHILD, CONST(PID_CHILD), OUT(4), CONST(0), CONST(0)),
	ROW(waitid, "", CHILD, INT(P_ALL), PID(PID_CHILD), OUT(128), FLAGS(WNOHANG | WEXITED),
	    OUT(144)),
	ROW(waitid, "/pidfd", CHILD, CONST(3), FD(FD_PIDFD), OUT(128), FLAGS(WNOHANG | WEXITED),
	    CONST(0)),
	ROW(clone, "", CLONES, FLAGS(SIGCHLD), CONST(0), CONST(0), CONST(0), CONST(0)),
	ROW(clone, "/tids", CLONES, CONST(SIGCHLD | 0x01300000), CONST(0), OUT(4), CONST(0),
	    OUT(4)),
	ROW(clone, "/vm", CLONES, FLAGS(SIGCHLD | 0x4100), ADDR(A_BUF + 4096), CONST(0), CONST(0),
	    CONST(0)),
	ROW(clone, "/thread", CLONES, FLAGS(0x50f00), CONST(A_BUF + 4096), CONST(0), CONST(0),
	    CONST(0)),
	ROW(clone, "/pidfd", CLONES, CONST(SIGCHLD | 0x1000), CONST(0), OUT(4), CONST(0), CONST(0)),
	ROW(clone3, "", CLONES, INOUT(clone_args), LEN(88)),
	ROW(clone3, "/pidfd", CLONES, INOUT(clone_pidfd), LEN(88)),
	ROW(unshare, "", 0, FLAGS(0)),
	ROW(setns, "", 0, FD(FD_PIDFD), FLAGS(0)),
	ROW(kcmp, "", CHILD, PID(PID_SELF), PID(PID_CHILD), INT(0), LONG(FD_FILE), LONG(FD_FILE)),
	ROW(pidfd_open, "", CHILD, PID(PID_CHILD), FLAGS(0)),
	ROW(pidfd_getfd, "", 0, FD(FD_PIDFD), FD(FD_FILE), FLAGS(0)),
	ROW(pidfd_send_signal, "", CHILD, FD(FD_PIDFD), SIG(0), CONST(0), FLAGS(0)),
	ROW(ptrace, "/attach", CHILD | SPARES, CONST(16), PID(PID_CHILD), CONST(0), CONST(0)),
	ROW(ptrace, "/seize", CHILD | SPARES, CONST(0x4206), PID(PID_CHILD), ADDR(0), FLAGS(0)),
	ROW(ptrace, "/peek", CHILD | SPARES, CONST(2), PID(PID_CHILD), ADDR(A_AUX), OUT(8)),
	ROW(ptrace, "/getregset", CHILD | SPARES, CONST(0x4204), PID(PID_CHILD), LONG(1),
	    IN(local_buffer)),
	ROW(ptrace, "/unknown", CHILD | SPARES, INT(9999), PID(PID_CHILD), CONST(0), CONST(0)),
	ROW(seccomp, "/strict", 0, CONST(0), FLAGS(0), ADDR(0)),
	ROW(seccomp, "/filter", 0, INT(1), FLAGS(0), IN(filter_program)),
	ROW(seccomp, "/action", 0, CONST(2), FLAGS(0), IN(zero_int)),

	ROW(prctl, "/unknown", 0, INT(9999), LONG(0), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/pdeathsig", 0, CONST(1), SIG(9), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/get-pdeathsig", PURE, CONST(2), OUT(4), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/get-dumpable", PURE | VALUE, CONST(3), LONG(0), LONG(0), CONST(0), CONST(0)),
	ROW(prctl, "/dumpable", 0, CONST(4), INT(1), LONG(0), CONST(0), CONST(0)),
	ROW(prctl, "/keepcaps", 0, CONST(8), LONG(1), LONG(0), CONST(0), CONST(0)),
	ROW(prctl, "/get-keepcaps", PURE | VALUE, CONST(7), LONG(0), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/name", 0, CONST(15), PATH("name"), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/get-name", PURE, CONST(16), OUT(16), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/seccomp", PURE | VALUE, CONST(21), CONST(0), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/capbset-read", PURE | VALUE, CONST(23), LONG(1), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/capbset-drop", 0, CONST(24), LONG(1), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/securebits", PURE | VALUE, CONST(27), CONST(0), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/set-securebits", 0, CONST(28), FLAGS(0), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/timerslack", 0, CONST(29), LONG(50000), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/get-timerslack", PURE | VALUE, CONST(30), CONST(0), CONST(0), CONST(0),
	    CONST(0)),
	ROW(prctl, "/subreaper", 0, CONST(36), LONG(1), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/get-subreaper", PURE, CONST(37), OUT(4), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/no-new-privs", 0, CONST(38), LONG(1), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/get-no-new-privs", PURE | VALUE, CONST(39), LONG(0), LONG(0), LONG(0),
	    LONG(0)),
	ROW(prctl, "/tid-address", PURE, CONST(40), OUT(8), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/thp", 0, CONST(41), LONG(1), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/ambient", PURE | VALUE, CONST(47), INT(1), LONG(1), LONG(0), LONG(0)),
	ROW(prctl, "/mm", 0, CONST(35), INT(1), ADDR(A_MAP), LONG(0), LONG(0)),
	ROW(prctl, "/vma-name", MM, CONST(0x53564d41), INT(0), ADDR(A_MAP), LEN(4096),
	    PATH("name")),
	ROW(prctl, "/tagged", 0, CONST(55), FLAGS(0), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/get-tagged", PURE | VALUE, CONST(56), LONG(0), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/sve", PURE, CONST(51), CONST(0), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/ptracer", 0, CONST(0x59616d61), PID(0), CONST(0), CONST(0), CONST(0)),
	ROW(prctl, "/mce", 0, CONST(33), INT(0), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/speculation", PURE, CONST(52), INT(0), LONG(0), LONG(0), LONG(0)),
	ROW(prctl, "/io-flusher", 0, CONST(57), LONG(0), LONG(0), LONG(0), LONG(0)),
};
