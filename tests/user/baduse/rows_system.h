/* Messages, the machine, and calls that few programs use. Included by rows.h. */
static const struct {
	long type;
	char text[8];
} message[] = { { 1, "hello" } };
static const struct sembuf sem_post[] = { { 0, 1, 0 } };
static const char new_name[16] = "name";
static const struct {
	long flags, maxmsg, msgsize, curmsgs, pad[4];
} queue_attr[] = { { 0, 4, 64, 0, { 0 } } };
static const uint64_t ring_params[15] = { 0 };
static const uint64_t bpf_attr[15] = { 0 };
static const uint64_t perf_attr[14] = { 1 };

static const struct entry rows_system[] = {
	ROW(uname, "", PURE, OUT(390)),
	ROW(sysinfo, "", PURE, OUT(112)),
	ROW(sethostname, "", NAMES, IN(new_name), INT(4)),
	ROW(setdomainname, "", NAMES, IN(new_name), INT(4)),
	ROW(getrandom, "", PURE | VALUE, OUT(64), LEN(64), FLAGS(0)),
	ROW(syslog, "/size", PURE, INT(10), CONST(0), INT(0)),
	ROW(syslog, "/read-all", PURE, CONST(3), OUT(64), INT(64)),
	ROW(syslog, "/level", 0, CONST(8), CONST(0), INT(7)),
	/* The numbers that make it work are left out: there would be nobody to tell. */
	ROW(reboot, "", 0, INT(0), INT(0), INT(0), CONST(0)),
	ROW(reboot, "/command", 0, CONST(0xfee1dead), CONST(672274793), INT(0x1000), CONST(0)),
	ROW(vhangup, "", 0, CONST(0)),
	ROW(getcwd, "/again", PURE | VALUE, OUT(64), INT(64)),

	ROW(shmget, "", IPC | NUMBER, INT(0), LEN(4096), FLAGS(0600 | 01000)),
	ROW(shmget, "/key", IPC | NUMBER, INT(4711), LEN(4096), FLAGS(0600 | 01000)),
	ROW(shmat, "", IPC | MM, INT(0), ADDR(0), FLAGS(0)),
	ROW(shmdt, "", IPC | MM, ADDR(A_MAP)),
	ROW(shmctl, "/info", IPC | PURE, INT(0), CONST(3), OUT(112)),
	ROW(shmctl, "/stat", IPC | PURE, INT(0), INT(2), OUT(112)),
	ROW(shmctl, "/rmid", IPC, INT(0), CONST(0), CONST(0)),
	ROW(semget, "", IPC | NUMBER, INT(0), INT(2), FLAGS(0600 | 01000)),
	ROW(semget, "/key", IPC | NUMBER, INT(4711), INT(2), FLAGS(0600 | 01000)),
	ROW(semop, "", IPC, INT(0), IN(sem_post), LONG(1)),
	ROW(semtimedop, "", IPC, INT(0), IN(sem_post), LONG(1), IN(no_time)),
	ROW(semctl, "/info", IPC | PURE, INT(0), INT(0), CONST(3), OUT(40)),
	ROW(semctl, "/any", IPC, INT(0), INT(0), INT(12), OUT(104)),
	ROW(msgget, "", IPC | NUMBER, INT(0), FLAGS(0600 | 01000)),
	ROW(msgget, "/key", IPC | NUMBER, INT(4711), FLAGS(0600 | 01000)),
	ROW(msgsnd, "", IPC, INT(0), IN(message), LEN(8), FLAGS(04000)),
	ROW(msgrcv, "", IPC, INT(0), OUT(16), LEN(8), LONG(0), FLAGS(04000)),
	ROW(msgctl, "/info", IPC | PURE, INT(0), CONST(3), OUT(120)),
	ROW(msgctl, "/stat", IPC | PURE, INT(0), INT(2), OUT(120)),
	ROW(mq_open, "", IPC, PATH("baduse"), FLAGS(0102), FLAGS(0600), IN(queue_attr)),
	ROW(mq_unlink, "", IPC, PATH("baduse")),
	ROW(mq_timedsend, "", IPC, FD(FD_FILE), IN(message), LEN(8), INT(0), IN(no_time)),
	ROW(mq_timedreceive, "", IPC, FD(FD_FILE), OUT(64), LEN(64), OUT(4), IN(no_time)),
	ROW(mq_notify, "", IPC, FD(FD_FILE), IN(event_none)),
	ROW(mq_getsetattr, "", IPC, FD(FD_FILE), IN(queue_attr), OUT(64)),

	ROW(io_setup, "", 0, INT(4), INOUT(zero_long)),
	ROW(io_destroy, "", 0, ADDR(0)),
	ROW(io_submit, "", 0, ADDR(0), LONG(0), IN(zero_long)),
	ROW(io_cancel, "", 0, ADDR(0), IN(zero_long), OUT(32)),
	ROW(io_getevents, "", 0, ADDR(0), LONG(0), LONG(1), OUT(32), IN(no_time)),
	ROW(io_pgetevents, "", 0, ADDR(0), LONG(0), LONG(1), OUT(32), IN(no_time), CONST(0)),
	ROW(io_uring_setup, "", 0, INT(4), INOUT(ring_params)),
	ROW(io_uring_enter, "", 0, FD(FD_FILE), INT(0), INT(0), FLAGS(0), CONST(0), LEN(8)),
	ROW(io_uring_register, "", 0, FD(FD_FILE), INT(0), IN(zero_long), INT(0)),
	ROW(bpf, "", ROOT_ONLY, INT(0), INOUT(bpf_attr), INT(120)),
	ROW(perf_event_open, "", ROOT_ONLY, IN(perf_attr), PID(0), INT(-1), FD(-1), FLAGS(0)),
	ROW(add_key, "", 0, PATH("user"), PATH("name"), IN(some_bytes), LEN(8), INT(-2)),
	ROW(request_key, "", 0, PATH("user"), PATH("name"), CONST(0), INT(0)),
	ROW(keyctl, "", 0, INT(0), INT(-2), INT(0), CONST(0), CONST(0)),
	ROW(landlock_create_ruleset, "", 0, IN(zero_long), LEN(8), FLAGS(0)),
	ROW(landlock_add_rule, "", 0, FD(FD_FILE), INT(1), IN(zero_long), FLAGS(0)),
	ROW(landlock_restrict_self, "", 0, FD(FD_FILE), FLAGS(0)),
	ROW(init_module, "", 0, IN(some_bytes), LEN(32), PATH("")),
	ROW(finit_module, "", FS, FD(FD_FILE), PATH(""), FLAGS(0)),
	ROW(delete_module, "", 0, PATH("nonexist"), FLAGS(0)),
	ROW(kexec_load, "", 0, ADDR(0), LONG(1), IN(two_buffers), FLAGS(0x80)),
	ROW(kexec_file_load, "", 0, FD(FD_FILE), FD(FD_FILE), LONG(1), PATH(""), FLAGS(0)),
	ROW(nfsservctl, "", 0, INT(0), CONST(0), CONST(0)),

	ROW(socket, "", 0, INT(1), FLAGS(1), INT(0)),
	ROW(socketpair, "", 0, INT(1), INT(1), INT(0), OUT(8)),
	ROW(bind, "", FS, FD(FD_UDP), IN(some_bytes), INT(16)),
	ROW(listen, "", 0, FD(FD_LISTEN), INT(1)),
	ROW(accept, "", 0, FD(FD_UDP), OUT(16), INOUT(zero_int)),
	ROW(accept4, "", 0, FD(FD_UDP), OUT(16), INOUT(zero_int), FLAGS(0)),
	ROW(connect, "", 0, FD(FD_UDP), IN(some_bytes), INT(16)),
	ROW(getsockname, "", PURE, FD(FD_SOCKET), OUT(110), INOUT(zero_int)),
	ROW(getpeername, "", PURE, FD(FD_SOCKET), OUT(110), INOUT(zero_int)),
	ROW(sendto, "", VALUE, FD(FD_SOCKET), IN(some_bytes), LEN(32), FLAGS(0x4040), CONST(0),
	    CONST(0)),
	ROW(recvfrom, "", VALUE, FD(FD_SOCKET), OUT(32), LEN(32), FLAGS(0x40), CONST(0), CONST(0)),
	ROW(setsockopt, "", 0, FD(FD_SOCKET), INT(1), INT(2), IN(zero_int), INT(4)),
	ROW(getsockopt, "", 0, FD(FD_SOCKET), INT(1), INT(3), OUT(4), INOUT(futex_word)),
	ROW(shutdown, "", 0, FD(FD_SOCKET), INT(2)),
	ROW(sendmsg, "", VALUE, FD(FD_SOCKET), IN(some_bytes), FLAGS(0x4040)),
	ROW(recvmsg, "", VALUE, FD(FD_SOCKET), INOUT(zero_long), FLAGS(0x40)),
	ROW(sendmmsg, "", VALUE, FD(FD_SOCKET), INOUT(some_bytes), INT(0), FLAGS(0x4040)),
	ROW(recvmmsg, "", VALUE, FD(FD_SOCKET), INOUT(some_bytes), INT(0), FLAGS(0x40),
	    INOUT(no_time)),
};
