/*
 * Serial ports as terminals.
 *
 * A port's interrupt puts characters into the terminal's receive ring (uart_rx, with a flag byte
 * beside each) and queues its work (uart_rx_push); the tty worker thread moves them through the
 * line discipline. What the discipline does not take stays in the ring; when that fills up the
 * device is told to hold back (stop_rx) until a reader has made room. Output goes into the port's
 * own ring under the port's lock.
 *
 * The consoles of the kernel log are the ports that console= names; when the command line has no
 * console=, the firmware's (stdout-path of the device tree), and without that the first port.
 * /dev/console is the last one named that exists.
 *
 * The ring's producer is the interrupt (under port->lock), its consumer the worker: one of each,
 * so it needs no lock.
 */
#include <asm/poll.h>
#include "fs/procfs.h"
#include "fs/sysfs.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/fdt.h"
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/base/uio.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "kernel/tty/pty.h"
#include "kernel/tty/tty.h"
#include "kernel/tty/uart.h"
#include "kernel/tty/uart_serial.h"
#include "mm/slab.h"

#define RX_RING 2048
#define FLOW_LEVEL 128 /* bytes: room left when IXOFF asks to wait, input left when to go on */
#define CONSOLES_MAX 8

struct uart_tty {
	struct tty tty;
	struct uart_port *port; /* I */
	struct ring rx; /* own: see above */
	u8 rx_buf[RX_RING]; /* rx */
	u8 rx_flags[RX_RING]; /* rx: enum uart_flag beside each byte */
	bool rx_held; /* port->lock: the device was told to stop */
	bool asked_to_wait; /* tty.lock: little room is left for input */
	struct work work; /* own */
	struct chrdev dev; /* I */
	struct log_console console; /* I after registration */
	int console_rank; /* I: place in console=, -1: not named */
	char name[16]; /* I */
};

static struct uart_port *uart_ports; /* a: pushed at the front by boot, never taken out */
static struct workqueue *uart_queue; /* I after the first registration */

static char console_names[CONSOLES_MAX][16]; /* I after boot */
static int console_count; /* I after boot */

_Static_assert((int)UART_NORMAL == LDISC_NORMAL && (int)UART_BREAK == LDISC_BREAK &&
		       (int)UART_PARITY == LDISC_PARITY && (int)UART_FRAME == LDISC_FRAME &&
		       (int)UART_OVERRUN == LDISC_OVERRUN,
	       "flags pass through");

/*
 * console=NAME[,options]; a line's speed is fixed on the machines this runs on, so options are not
 * looked at.
 */
static void console_arg(const char *value)
{
	size_t n = value ? strcspn(value, ",") : 0;

	if (!n || n >= sizeof(console_names[0]) || console_count == CONSOLES_MAX)
		return;
	memcpy(console_names[console_count], value, n);
	console_names[console_count][n] = 0;
	console_count++;
}
BOOTARG("console", console_arg);

static struct uart_tty *of_tty(struct tty *t)
{
	return container_of(t, struct uart_tty, tty);
}

/*
 * One received character from the interrupt.
 * ctx: IRQ; holds: p->lock.
 */
void uart_rx(struct uart_port *p, u8 ch, enum uart_flag flag)
{
	struct uart_tty *ut = p->tty;
	u32 at;

	if (!ut)
		return;
	at = ut->rx.head & (RX_RING - 1);
	if (ring_space(&ut->rx) == 0) {
		p->overruns++;
		return;
	}
	ut->rx_flags[at] = (u8)flag;
	ring_put(&ut->rx, ch);
	if (!ut->rx_held && p->ops->stop_rx && ring_space(&ut->rx) < RX_RING / 4) {
		ut->rx_held = true;
		p->ops->stop_rx(p);
	}
}

/* Hand what came in to the worker. ctx: any */
void uart_rx_push(struct uart_port *p)
{
	struct uart_tty *ut = p->tty;

	if (ut && ring_used(&ut->rx))
		work_queue_on(uart_queue, &ut->work);
}

/* There is room in p->tx: wake writers, pass waiting echoes on. ctx: any */
void uart_tx_ready(struct uart_port *p)
{
	struct uart_tty *ut = p->tty;

	if (!ut)
		return;
	waitq_wake(&ut->tty.write_wait, ~0u, POLLOUT | POLLWRNORM);
	if (ring_used(&ut->tty.ld.echo) || unlikely(READ_ONCE(ut->tty.cut_short)))
		work_queue_on(uart_queue, &ut->work);
}

/* The device's window has another size. ctx: thread; p->lock not held */
void uart_resized(struct uart_port *p, u16 rows, u16 cols)
{
	struct uart_tty *ut = p->tty;

	p->rows = rows;
	p->cols = cols;
	if (!ut)
		return;
	tty_lock(&ut->tty);
	if (ut->tty.ws.ws_row != rows || ut->tty.ws.ws_col != cols) {
		ut->tty.ws.ws_row = rows;
		ut->tty.ws.ws_col = cols;
		ut->tty.signals |= TTY_SIG_WINCH;
	}
	tty_unlock(&ut->tty);
}

static size_t uart_write(struct tty *t, const u8 *s, size_t n)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);
	u32 done = ring_write(&p->tx, s, (u32)MIN(n, (size_t)p->tx.size));

	if (done) {
		p->tx_count += done;
		p->ops->start_tx(p);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return done;
}

static size_t uart_room(struct tty *t)
{
	return ring_space(&((struct uart_port *)t->priv)->tx);
}

static size_t uart_pending(struct tty *t)
{
	return ring_used(&((struct uart_port *)t->priv)->tx);
}

static bool uart_drained(struct tty *t)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);
	bool yes = ring_used(&p->tx) == 0 && p->ops->tx_empty(p);

	spin_unlock_irqrestore(&p->lock, flags);
	return yes;
}

static void uart_flush(struct tty *t)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);

	ring_clear(&p->tx);
	spin_unlock_irqrestore(&p->lock, flags);
}

static void uart_stop(struct tty *t)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);

	p->ops->stop_tx(p);
	spin_unlock_irqrestore(&p->lock, flags);
}

static void uart_start(struct tty *t)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);

	if (ring_used(&p->tx))
		p->ops->start_tx(p);
	spin_unlock_irqrestore(&p->lock, flags);
}

static void uart_send_now(struct tty *t, u8 c)
{
	struct uart_port *p = t->priv;
	u64 flags;

	if (!p->ops->send_x) {
		uart_write(t, &c, 1);
		return;
	}
	flags = spin_lock_irqsave(&p->lock);
	p->x_char = c;
	p->ops->send_x(p);
	spin_unlock_irqrestore(&p->lock, flags);
}

/* IXOFF: tell the sender when the room for input gets little and when it is there again. */
static void ask_to_wait(struct tty *t, bool wait)
{
	u8 c = t->termios.c_cc[wait ? VSTOP : VSTART];

	of_tty(t)->asked_to_wait = wait;
	if ((t->termios.c_iflag & IXOFF) && c)
		uart_send_now(t, c);
}

static void uart_unthrottle(struct tty *t)
{
	struct uart_tty *ut = of_tty(t);

	if (ut->asked_to_wait && ldisc_available(&t->ld) <= FLOW_LEVEL)
		ask_to_wait(t, false);
	if (ring_used(&ut->rx))
		work_queue_on(uart_queue, &ut->work);
}

/* The line settings in the modes; the device may round them. */
static void uart_termios_changed(struct tty *t, const struct ktermios *old)
{
	struct uart_port *p = t->priv;
	const struct ktermios *k = &t->termios;
	struct uart_line line = {
		.baud = tty_baud(k),
		.bits = (u8)(5 + (k->c_cflag & CSIZE) / CS6),
		.stop = k->c_cflag & CSTOPB ? 2 : 1,
		.parity = k->c_cflag & PARENB,
		.odd = k->c_cflag & PARODD,
		.rtscts = k->c_cflag & CRTSCTS,
	};
	u64 flags = spin_lock_irqsave(&p->lock);

	line.baud = uart_spd_baud(p, line.baud);
	if (p->ops->set_line && (!old || memcmp(&line, &p->settings, sizeof(line)) != 0)) {
		p->ops->set_line(p, &line);
		p->settings = line;
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

static int uart_modem(struct tty *t, bool set, u32 *bits)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);

	if (set && p->ops->set_modem)
		p->ops->set_modem(p, *bits);
	else if (!set)
		*bits = p->ops->get_modem
				? p->ops->get_modem(p)
				: TIOCM_DTR | TIOCM_RTS | TIOCM_CAR | TIOCM_DSR | TIOCM_CTS;
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

static void uart_set_break(struct tty *t, bool on)
{
	struct uart_port *p = t->priv;
	u64 flags = spin_lock_irqsave(&p->lock);

	if (p->ops->set_break)
		p->ops->set_break(p, on);
	spin_unlock_irqrestore(&p->lock, flags);
}

static int uart_open(struct tty *t)
{
	struct uart_port *p = t->priv;
	int err = p->ops->startup(p);

	if (!err)
		uart_termios_changed(t, NULL);
	return err;
}

static void uart_close(struct tty *t)
{
	struct uart_port *p = t->priv;

	p->ops->shutdown(p);
}

static int uart_ioctl(struct tty *t, u32 cmd, u64 arg)
{
	struct uart_port *p = t->priv;

	return p->ops->set_line ? (int)uart_line_ioctl(p, cmd, arg) : -ENOIOCTLCMD;
}

static const struct tty_ops uart_tty_ops = {
	.open = uart_open,
	.close = uart_close,
	.write = uart_write,
	.room = uart_room,
	.pending = uart_pending,
	.drained = uart_drained,
	.flush = uart_flush,
	.stop = uart_stop,
	.start = uart_start,
	.send_now = uart_send_now,
	.unthrottle = uart_unthrottle,
	.termios_changed = uart_termios_changed,
	.modem = uart_modem,
	.set_break = uart_set_break,
	.ioctl = uart_ioctl,
};

static bool any_flag(const u8 *flags, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (flags[i])
			return true;
	}
	return false;
}

/*
 * One run of the ring through the discipline; false when it took less than there was. holds:
 * tty->lock
 */
static bool rx_run(struct uart_tty *ut)
{
	struct tty *t = &ut->tty;
	const u8 *p;
	u32 n = ring_peek(&ut->rx, &p), taken = n;
	const u8 *flags = ut->rx_flags + (p - ut->rx_buf);

	if (t->opens && (t->termios.c_cflag & CREAD))
		taken = (u32)ldisc_receive(&t->ld, p, any_flag(flags, n) ? flags : NULL, n);
	ring_consume(&ut->rx, taken);
	if (!ut->asked_to_wait && ldisc_room(&t->ld) < FLOW_LEVEL && ldisc_available(&t->ld))
		ask_to_wait(t, true);
	return taken == n;
}

/* Room was made: the device may go on. What it had kept back goes to the next run of the work. */
static void rx_release(struct uart_tty *ut)
{
	struct uart_port *p = ut->port;
	u64 flags = spin_lock_irqsave(&p->lock);
	bool release = ut->rx_held && ring_space(&ut->rx) >= RX_RING / 2;

	if (release) {
		ut->rx_held = false;
		p->ops->start_rx(p);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (release)
		uart_rx_push(p);
}

static void uart_work(struct work *w)
{
	struct uart_tty *ut = container_of(w, struct uart_tty, work);

	tty_lock(&ut->tty);
	while (ring_used(&ut->rx) && rx_run(ut))
		;
	ldisc_echo_flush(&ut->tty.ld);
	if (unlikely(ut->tty.cut_short) && ut->tty.ops->room(&ut->tty))
		tty_note_room(&ut->tty);
	tty_unlock(&ut->tty);
	rx_release(ut);
}

static void console_write(struct log_console *c, const char *s, size_t n)
{
	struct uart_tty *ut = container_of(c, struct uart_tty, console);

	ut->port->ops->write_polled(ut->port, s, n);
}

static void console_setup(struct uart_tty *ut, bool is_default)
{
	ut->console_rank = -1;
	for (int i = 0; i < console_count; i++) {
		if (strcmp(console_names[i], ut->name) == 0)
			ut->console_rank = i;
	}
	if (console_count == 0 && is_default)
		ut->console_rank = 0;
	if (ut->console_rank < 0)
		return;
	ut->console.name = ut->name;
	ut->console.write = console_write;
	log_console_add(&ut->console, true);
}

static int port_setup(struct uart_tty *ut, struct uart_port *p)
{
	scnprintf(ut->name, sizeof(ut->name), "%s%u", p->name, p->line);
	tty_setup(&ut->tty, &uart_tty_ops, p, dev_make(p->major, p->minor), ut->name);
	ut->tty.termios.c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	ut->tty.termios.c_ispeed = ut->tty.termios.c_ospeed = 115200;
	ldisc_set_termios(&ut->tty.ld, &ut->tty.termios);
	ut->tty.ws.ws_row = p->rows;
	ut->tty.ws.ws_col = p->cols;
	ut->port = p;
	ring_init(&ut->rx, ut->rx_buf, RX_RING);
	work_init(&ut->work, uart_work);
	return 0;
}

static int tty_dev_open(struct inode *i, struct file *f)
{
	struct uart_tty *ut = f->priv;

	return tty_open_file(&ut->tty, f, false);
}

static const struct file_ops tty_dev_ops = { .open = tty_dev_open };

/*
 * Make a terminal of port @p, and a console if it is to be one. The port lives for ever from here.
 * ctx: boot; sleeps: yes. 0, -ENOMEM, -EBUSY (the device number or name is taken).
 */
int uart_register(struct uart_port *p)
{
	struct uart_tty *ut = kzalloc(sizeof(*ut), 0);
	int err;

	if (!ut)
		return -ENOMEM;
	if (!uart_queue)
		uart_queue = workqueue_create("tty");
	err = uart_queue ? port_setup(ut, p) : -ENOMEM;
	if (err)
		goto free;
	ut->dev = (struct chrdev){
		.name = ut->name,
		.dev = ut->tty.dev,
		.mode = 0600,
		.ops = &tty_dev_ops,
		.priv = ut,
		.parent = p->parent,
	};
	err = chrdev_register(&ut->dev);
	if (err)
		goto free;
	p->tty = ut;
	console_setup(ut, p->firmware_console || (!uart_ports && fdt_stdout() < 0));
	p->next = uart_ports;
	store_release(&uart_ports, p);
	return 0;
free:
	kfree(ut);
	return err;
}

/*
 * The terminal behind /dev/console: the last that console= names, else the first port.
 * ctx: thread. With a reference; NULL when there is no port.
 */
struct tty *uart_console_tty(void)
{
	struct uart_tty *best = NULL;

	for (struct uart_port *p = load_acquire(&uart_ports); p; p = p->next) {
		struct uart_tty *ut = p->tty;

		if (!best || ut->console_rank >= best->console_rank)
			best = ut;
	}
	if (!best)
		return NULL;
	tty_get(&best->tty);
	return &best->tty;
}

static int show_consoles(struct sbuf *out, void *arg)
{
	struct tty *preferred = uart_console_tty();

	for (struct uart_port *p = load_acquire(&uart_ports); p; p = p->next) {
		struct uart_tty *ut = p->tty;

		if (ut->console.name)
			sbuf_printf(out, "%-20s -W- (E%cp a) %4u:%u\n", ut->name,
				    &ut->tty == preferred ? 'C' : ' ', p->major, p->minor);
	}
	if (preferred)
		tty_put(preferred);
	return 0;
}
PROC_FILE(consoles, "consoles", 0444, .show = show_consoles);

/* The ports of the driver that @last, registered last of them, belongs to. */
static void show_driver(struct sbuf *out, const struct uart_port *last)
{
	u32 low = last->minor;
	size_t at = out->len;

	for (struct uart_port *p = last->next; p; p = p->next)
		if (p->major == last->major)
			low = MIN(low, p->minor);
	sbuf_puts(out, last->name);
	sbuf_pad(out, at, 20);
	sbuf_printf(out, " /dev/%-8s %3u %u-%u serial\n", last->name, last->major, low,
		    last->minor);
}

/* /proc/tty/drivers: which numbers are whose, for ps and htop. */
static int show_drivers(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		       "/dev/console         /dev/console    5       1 system:console\n"
		       "/dev/ptmx            /dev/ptmx       5       2 system\n");
	sbuf_printf(out, "pty_slave            /dev/pts      136 0-%u pty:slave\n", PTY_MAX - 1);
	sbuf_printf(out, "pty_master           /dev/ptm      128 0-%u pty:master\n", PTY_MAX - 1);
	for (struct uart_port *p = load_acquire(&uart_ports); p; p = p->next) {
		struct uart_port *before = load_acquire(&uart_ports);

		while (before != p && before->major != p->major)
			before = before->next;
		if (before == p)
			show_driver(out, p);
	}
	return 0;
}
PROC_FILE(tty_drivers, "tty/drivers", 0444, .show = show_drivers);

/* /sys/class/tty/console/active: the preferred one comes last, as on Linux. */
static int show_active(struct sbuf *out, void *arg)
{
	struct tty *preferred = uart_console_tty();

	for (struct uart_port *p = load_acquire(&uart_ports); p; p = p->next) {
		struct uart_tty *ut = p->tty;

		if (ut->console.name && &ut->tty != preferred)
			sbuf_printf(out, "%s ", ut->name);
	}
	if (preferred) {
		sbuf_printf(out, "%s\n", container_of(preferred, struct uart_tty, tty)->name);
		tty_put(preferred);
	}
	return 0;
}

/*
 * What sysfs shows of consoles.
 * ctx: boot, after /dev/console was registered.
 */
void uart_console_init(void)
{
	static const struct pseudo_attr active = { .mode = 0444, .show = show_active };

	if (sysfs_add("devices/virtual/tty/console/active", &active))
		log_err("tty: no /sys/class/tty/console/active");
}
