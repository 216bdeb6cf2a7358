#pragma once
/* What the files of the benchmark share. A row does its operation n times and returns nanoseconds. */
#include <stdint.h>

int64_t now(void);
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
