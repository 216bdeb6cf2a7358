#pragma once
/*
 * Contract of a serial driver (PL011, virtio-console) with the tty layer, which makes a terminal
 * of it.
 *
 * Life: the driver fills a struct uart_port (never freed) and calls uart_register(). On the first
 * open the tty layer calls ops->startup, on the last close ops->shutdown. Output: the tty layer
 * puts bytes into port->tx and calls ops->start_tx; the driver moves them to the device, from its
 * interrupt as well, and reports room with uart_tx_ready(). Input: the driver's interrupt calls
 * uart_rx() per character, then uart_rx_push() once; a worker thread of the tty layer does the
 * rest. Console text goes through ops->write_polled.
 *
 * I immutable after uart_register, u guarded by .lock (rank UART, taken with irqsave), a atomic.
 */
#include "kernel/base/device.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/ring.h"

struct uart_port;

/* What became of a received character. */
enum uart_flag { UART_NORMAL, UART_BREAK, UART_PARITY, UART_FRAME, UART_OVERRUN };

/* Line settings; a device without a line (virtio-console) ignores them. */
struct uart_line {
	u32 baud;
	u8 bits; /* 5-8 */
	u8 stop; /* 1 or 2 */
	bool parity;
	bool odd;
	bool rtscts;
};

struct uart_ops {
	/* Enable and disable reception and interrupts. ctx: thread. 0 or -errno. */
	int (*startup)(struct uart_port *p);
	void (*shutdown)(struct uart_port *p);
	/* port->tx has bytes, or output is to pause. holds: p->lock. */
	void (*start_tx)(struct uart_port *p);
	void (*stop_tx)(struct uart_port *p);
	/* port->x_char is to be sent, before port->tx and even while stopped. holds: p->lock.
	 * NULL: it goes behind port->tx. */
	void (*send_x)(struct uart_port *p);
	/*
	 * Stop and resume taking characters from the device (input buffers are full). holds:
	 * p->lock. NULL: cannot.
	 */
	void (*stop_rx)(struct uart_port *p);
	void (*start_rx)(struct uart_port *p);
	/* True when nothing is on its way out any more (tcdrain). holds: p->lock. */
	bool (*tx_empty)(struct uart_port *p);
	/*
	 * Apply line settings; may change *line to what the device can do. holds: p->lock. NULL:
	 * fixed.
	 */
	void (*set_line)(struct uart_port *p, struct uart_line *line);
	/* TIOCM_* bits. holds: p->lock. NULL: carrier is always there. */
	u32 (*get_modem)(struct uart_port *p);
	void (*set_modem)(struct uart_port *p, u32 bits);
	void (*set_break)(struct uart_port *p, bool on);
	/*
	 * Write at once without interrupts, for the kernel log and panics. "\n" becomes "\r\n"
	 * where the device is a line. Whoever logs may hold any lock, p->lock included: takes
	 * locks of rank LOG only, and none when panic_in_progress(). One CPU at a time calls it.
	 * ctx: any.
	 */
	void (*write_polled)(struct uart_port *p, const char *s, size_t n);
};

struct uart_port {
	struct spinlock lock; /* rank UART */
	const char *name; /* I: device name without number: "ttyAMA", "hvc" */
	u32 line; /* I: its number */
	u32 major, minor; /* I: device number */
	const struct uart_ops *ops; /* I */
	const struct device *parent; /* I: what it is part of, for sysfs; NULL: nothing */
	struct ring tx; /* u: bytes to send; the driver gives the buffer */
	u8 x_char; /* u: flow control for the other side, 0: none */
	struct uart_line settings; /* u: as applied last */
	/* u: for TIOCGICOUNT */
	u64 rx_count, tx_count, overruns, frame_errors, parity_errors, breaks;
	u32 modem_changes[4]; /* u: of CTS, DSR, RI, CD; what TIOCMIWAIT waits for */
	/* A port with a line (set_line) has these, for TIOCGSERIAL. */
	u64 base; /* I: where its registers are */
	u32 irq; /* I */
	u32 clock_hz; /* u: what speeds are divided from; 0: not known */
	u32 spd_flags, divisor, fifo_size, close_delay,
		closing_wait; /* u: as TIOCSSERIAL has them */
	bool firmware_console; /* I: what the device tree's stdout-path names */
	u16 rows, cols; /* u: window size if the device knows it, else 0 */
	void *tty; /* I: the tty layer's */
	struct uart_port *next; /* I: the tty layer's list */
};

/* --- implemented by kernel/tty/uart.c --- */

/*
 * Make the terminal known; the port becomes the log's console if console= names it. ctx: thread. 0
 * or -errno.
 */
int __must_check uart_register(struct uart_port *p);
/* One received character. holds: p->lock. ctx: IRQ. */
void uart_rx(struct uart_port *p, u8 ch, enum uart_flag flag);
/* After a batch: hand it to the worker. ctx: any, p->lock may be held. */
void uart_rx_push(struct uart_port *p);
/* port->tx has room again (at or below half): wake writers. ctx: any, p->lock may be held. */
void uart_tx_ready(struct uart_port *p);
/* The modem lines @bits (TIOCM_*) of a port have changed. holds: p->lock. ctx: any. */
void uart_modem_changed(struct uart_port *p, u32 bits);
/* The window has another size (virtio-console). ctx: any, p->lock not held. */
void uart_resized(struct uart_port *p, u16 rows, u16 cols);
