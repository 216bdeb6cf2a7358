#pragma once
/* Between uart.c and uart_serial.c: what only a port with a real line knows. */
#include "kernel/tty/uart.h"

/* The speed meant by @baud with the flags of TIOCSSERIAL. holds: p->lock. ctx: any */
u32 uart_spd_baud(const struct uart_port *p, u32 baud);
/* ioctl(2) of a line: 0, -errno; -ENOIOCTLCMD: not known. ctx: thread; sleeps */
long uart_line_ioctl(struct uart_port *p, u32 cmd, u64 arg);
