/*
 * Settings of all TCP, which sysctls change (net/sock), with Linux's defaults.
 *
 * They stand apart from the code that reads them so that the host's tests can set them. A
 * connection reads most of them when it needs them, so that a change counts from the next segment
 * on; what is agreed on in the handshake (SACK, time stamps, scaling, ECN) stays as it was agreed.
 */
#include "net/tcp/tcp_pcb.h"

/* a: each a word that one writer stores and readers load. */
int tcp_sysctl_sack = 1, tcp_sysctl_timestamps = 1, tcp_sysctl_wscale = 1, tcp_sysctl_ecn = 2,
    tcp_sysctl_syncookies = 1, tcp_sysctl_syn_retries = 6, tcp_sysctl_synack_retries = 5,
    tcp_sysctl_retries2 = 15, tcp_sysctl_orphan_retries, tcp_sysctl_fin_timeout = 60,
    tcp_sysctl_keepalive_time = 7200, tcp_sysctl_keepalive_intvl = 75,
    tcp_sysctl_keepalive_probes = 9, tcp_sysctl_tw_reuse = 2, tcp_sysctl_max_tw = 8192,
    tcp_sysctl_max_orphans = 4096, tcp_sysctl_max_syn_backlog = 1024, tcp_sysctl_frto = 2,
    tcp_sysctl_dsack = 1, tcp_sysctl_early_retrans = 3, tcp_sysctl_abort_overflow,
    tcp_sysctl_challenge_limit = 0x7fffffff, tcp_sysctl_moderate_rcvbuf = 1, tcp_sysctl_rfc1337,
    tcp_sysctl_slow_start_idle = 1, tcp_sysctl_stdurg, tcp_sysctl_recovery = 1,
    tcp_sysctl_somaxconn = 4096, tcp_sysctl_mtu_probing = 1, tcp_sysctl_base_mss = 1024,
    tcp_sysctl_retries1 = 3, tcp_sysctl_fastopen = 1, tcp_sysctl_fastopen_pause;
int tcp_sysctl_rmem[3] = { 4096, 131072, 6291456 };
int tcp_sysctl_wmem[3] = { 4096, 16384, 4194304 };
u64 tcp_sysctl_notsent_lowat[1] = { 0xffffffff };
u64 tcp_sysctl_mem[3] = { 4096, 5461, 8192 };
