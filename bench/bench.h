#pragma once
/*
 * What the files of the benchmark share. A row does its operation n times and returns nanoseconds.
 */
#include <stdint.h>

int64_t now(void);
int64_t busy(void); /* the same without waiting, in steps of 10 ms */
void must(int good, const char *what); /* else say why, and exit */

int64_t bench_open(long n);
int64_t bench_read_zero(long n);
int64_t bench_write_null(long n);
int64_t bench_sigaction(long n);
int64_t bench_signal(long n);
int64_t bench_yield(long n);
int64_t bench_epoll(long n);
int64_t bench_eventfd(long n);
int64_t bench_create(long n);
int64_t bench_shell(long n);
int64_t bench_find(long n);
int64_t bench_tar(long n);

/* disk.c: of a file system on /mnt */
int64_t bench_disk_create(long n);
int64_t bench_disk_create_write(long n);
int64_t bench_disk_mkdir(long n);
int64_t bench_disk_rename(long n);
int64_t bench_disk_read4k(long n);
int64_t bench_disk_write4k(long n);
int64_t bench_disk_read1m(long n);
int64_t bench_disk_write1m(long n);
int64_t bench_disk_append(long n);
int64_t bench_disk_fsync(long n);
int64_t bench_disk_cold(long n);
int64_t bench_disk_names_make(long n);
int64_t bench_disk_names_stat(long n);
int64_t bench_disk_mount(long n); /* blocks of 4 KiB, not nanoseconds */

/* net.c */
int64_t bench_tcp_connect(long n);
int64_t bench_tcp_round_trip(long n);
int64_t bench_udp_round_trip(long n);
int64_t bench_unix_round_trip(long n);
int64_t bench_tcp_bandwidth(long n);
int64_t bench_unix_bandwidth(long n);
int64_t bench_tcp_crowd_memory(long n);
int64_t bench_tcp_crowd_connect(long n);
int64_t bench_net_send(long n); /* the last two: to and from the host */
int64_t bench_net_receive(long n);
