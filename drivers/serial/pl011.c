/*
 * PL011 serial ports: ttyAMA0, ttyAMA1...
 *
 * Output goes from port->tx into the 16-byte FIFO; the transmit interrupt (FIFO half empty) refills
 * it and is unmasked only while the ring has bytes. Input interrupts on FIFO level and on the
 * receive timeout, so a single key arrives without a timer of ours. The kernel log writes with its
 * own lock of rank LOG around each character, which the transmit path takes too: whoever logs may
 * hold the port's lock.
 *
 * A port is made for each node of the device tree and is never freed. Fields follow
 * kernel/tty/uart.h; u in field letters: guarded by port.lock.
 *
 * Reference: Arm PrimeCell UART (PL011) Technical Reference Manual, DDI 0183; device tree binding
 * arm,pl011.
 */
#include <linux/errno.h>
#include <linux/major.h>
#include <linux/termios.h>
#include "drivers/platform/platform.h"
#include "kernel/base/earlycon.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"
#include "kernel/tty/uart.h"
#include "mm/kvm.h"

/* Registers, as 32-bit word indexes. */
enum {
	DR = 0x00 / 4,
	FR = 0x18 / 4,
	IBRD = 0x24 / 4,
	FBRD = 0x28 / 4,
	LCRH = 0x2c / 4,
	CR = 0x30 / 4,
	IFLS = 0x34 / 4,
	IMSC = 0x38 / 4,
	MIS = 0x40 / 4,
	ICR = 0x44 / 4,
};

#define REGS_SIZE 0x1000
#define DR_FRAMING 0x100u
#define DR_PARITY 0x200u
#define DR_BREAK 0x400u
#define DR_OVERRUN 0x800u
#define FR_CTS 0x01u
#define FR_DSR 0x02u
#define FR_DCD 0x04u
#define FR_BUSY 0x08u
#define FR_RXFE 0x10u
#define FR_TXFF 0x20u
#define FR_TXFE 0x80u
#define FR_RI 0x100u
#define LCRH_BREAK 0x01u
#define LCRH_PEN 0x02u
#define LCRH_EVEN 0x04u
#define LCRH_STOP2 0x08u
#define LCRH_FIFO 0x10u
#define LCRH_BITS(n) (((n)-5u) << 5)
#define CR_ENABLE 0x001u
#define CR_TX 0x100u
#define CR_RX 0x200u
#define CR_DTR 0x400u
#define CR_RTS 0x800u
#define CR_RTS_FLOW 0x4000u
#define CR_CTS_FLOW 0x8000u
#define IRQ_RI 0x001u
#define IRQ_CTS 0x002u
#define IRQ_DCD 0x004u
#define IRQ_DSR 0x008u
#define IRQ_MODEM 0x00fu
#define IRQ_RX 0x010u
#define IRQ_TX 0x020u
#define IRQ_RX_TIMEOUT 0x040u
#define IRQ_ALL 0x7ffu
#define IFLS_HALF ((2u << 3) | 2u)

#define AMBA_MAJOR 204
#define AMBA_MINOR 64
#define TX_RING 4096
#define PORTS_MAX 4
#define SPIN_LIMIT 1000000

struct pl011 {
	struct uart_port port; /* its own lock */
	volatile u32 *regs; /* I */
	struct spinlock fifo_lock; /* rank LOG: the check for room and the write of a character */
	u32 irqs; /* u: interrupts that are unmasked */
	bool stopped; /* u: output paused */
	u8 tx_buf[TX_RING]; /* u */
};

static struct pl011 ports[PORTS_MAX]; /* I: the first nports are in use */
static u32 nports; /* boot only */

static struct pl011 *pl011_of(struct uart_port *p)
{
	return container_of(p, struct pl011, port);
}

static void set_irqs(struct pl011 *u, u32 irqs)
{
	if (irqs != u->irqs)
		u->regs[IMSC] = irqs;
	u->irqs = irqs;
}

/* Wait for room, for a bounded time: a port that is stuck must not hold up the kernel. */
static void put_polled(volatile u32 *regs, char c)
{
	for (u32 i = 0; (regs[FR] & FR_TXFF) && i < SPIN_LIMIT; i++)
		;
	regs[DR] = (u8)c;
}

static void write_text(volatile u32 *regs, const char *s, size_t n)
{
	for (; n; n--, s++) {
		if (*s == '\n')
			put_polled(regs, '\r');
		put_polled(regs, *s);
	}
}

static void pl011_write_polled(struct uart_port *p, const char *s, size_t n)
{
	struct pl011 *u = pl011_of(p);

	for (; n; n--, s++) {
		u64 flags;

		if (panic_in_progress()) {
			write_text(u->regs, s, 1);
			continue;
		}
		flags = spin_lock_irqsave(&u->fifo_lock);
		write_text(u->regs, s, 1);
		spin_unlock_irqrestore(&u->fifo_lock, flags);
	}
}

/* What goes out next. holds: port.lock */
static bool next_char(struct pl011 *u, u8 *c)
{
	*c = u->port.x_char;
	u->port.x_char = 0;
	return *c || (!u->stopped && ring_get(&u->port.tx, c));
}

/* Ring to FIFO. holds: port.lock. */
static void send(struct pl011 *u)
{
	u64 flags;
	u8 c;

	flags = spin_lock_irqsave(&u->fifo_lock);
	while (!(u->regs[FR] & FR_TXFF) && next_char(u, &c)) {
		u->regs[DR] = c;
		u->port.tx_count++;
	}
	spin_unlock_irqrestore(&u->fifo_lock, flags);
	if ((ring_used(&u->port.tx) && !u->stopped) || u->port.x_char)
		set_irqs(u, u->irqs | IRQ_TX);
	else
		set_irqs(u, u->irqs & ~IRQ_TX);
}

static enum uart_flag receive_flag(struct uart_port *p, u32 dr)
{
	if (dr & DR_OVERRUN)
		p->overruns++;
	if (dr & DR_BREAK) {
		p->breaks++;
		return UART_BREAK;
	}
	if (dr & DR_PARITY) {
		p->parity_errors++;
		return UART_PARITY;
	}
	if (dr & DR_FRAMING) {
		p->frame_errors++;
		return UART_FRAME;
	}
	return UART_NORMAL;
}

/*
 * FIFO to the tty layer, until that wants to wait: a fast sender fills the FIFO while it is read,
 * so that emptying it could go on for more than there is room for. holds: port.lock.
 */
static void receive(struct pl011 *u)
{
	while ((u->irqs & IRQ_RX) && !(u->regs[FR] & FR_RXFE)) {
		u32 dr = u->regs[DR];

		u->port.rx_count++;
		uart_rx(&u->port, (u8)dr, receive_flag(&u->port, dr));
		if (dr & DR_OVERRUN)
			uart_rx(&u->port, 0, UART_OVERRUN);
	}
	uart_rx_push(&u->port);
}

static void pl011_irq(u32 irq, void *arg)
{
	struct pl011 *u = arg;
	u64 flags = spin_lock_irqsave(&u->port.lock);
	u32 status = u->regs[MIS];

	u->regs[ICR] = status & ~(IRQ_RX | IRQ_TX); /* those two go with the FIFO */
	if (status & (IRQ_RX | IRQ_RX_TIMEOUT))
		receive(u);
	if (status & IRQ_MODEM)
		uart_modem_changed(&u->port, (status & IRQ_RI ? TIOCM_RNG : 0) |
						     (status & IRQ_CTS ? TIOCM_CTS : 0) |
						     (status & IRQ_DCD ? TIOCM_CAR : 0) |
						     (status & IRQ_DSR ? TIOCM_DSR : 0));
	if (status & IRQ_TX) {
		send(u);
		if (ring_used(&u->port.tx) <= TX_RING / 2)
			uart_tx_ready(&u->port);
	}
	spin_unlock_irqrestore(&u->port.lock, flags);
}

static int pl011_startup(struct uart_port *p)
{
	struct pl011 *u = pl011_of(p);
	u64 flags = spin_lock_irqsave(&p->lock);

	u->regs[ICR] = IRQ_ALL & ~(IRQ_RX | IRQ_TX);
	u->regs[IFLS] = IFLS_HALF;
	u->regs[CR] = CR_ENABLE | CR_TX | CR_RX | CR_DTR | CR_RTS;
	set_irqs(u, IRQ_RX | IRQ_RX_TIMEOUT | IRQ_MODEM);
	receive(u); /* what was typed before */
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

/* The transmitter stays on for the log. */
static void pl011_shutdown(struct uart_port *p)
{
	struct pl011 *u = pl011_of(p);
	u64 flags = spin_lock_irqsave(&p->lock);

	set_irqs(u, 0);
	u->regs[CR] = CR_ENABLE | CR_TX | CR_RX;
	spin_unlock_irqrestore(&p->lock, flags);
}

static void pl011_send_x(struct uart_port *p)
{
	send(pl011_of(p));
}

static void pl011_start_tx(struct uart_port *p)
{
	pl011_of(p)->stopped = false;
	send(pl011_of(p));
}

static void pl011_stop_tx(struct uart_port *p)
{
	struct pl011 *u = pl011_of(p);

	u->stopped = true;
	set_irqs(u, u->irqs & ~IRQ_TX);
}

/* With reception masked the FIFO fills, and RTS or the sender's own flow control does the rest. */
static void pl011_stop_rx(struct uart_port *p)
{
	struct pl011 *u = pl011_of(p);

	set_irqs(u, u->irqs & ~(IRQ_RX | IRQ_RX_TIMEOUT));
}

static void pl011_start_rx(struct uart_port *p)
{
	struct pl011 *u = pl011_of(p);

	set_irqs(u, u->irqs | IRQ_RX | IRQ_RX_TIMEOUT);
	receive(u);
}

static bool pl011_tx_empty(struct uart_port *p)
{
	return !ring_used(&p->tx) && !(pl011_of(p)->regs[FR] & FR_BUSY);
}

static void pl011_set_line(struct uart_port *p, struct uart_line *line)
{
	struct pl011 *u = pl011_of(p);
	u32 lcrh = LCRH_FIFO | LCRH_BITS(line->bits);
	u32 cr = u->regs[CR] & ~(CR_RTS_FLOW | CR_CTS_FLOW);

	if (line->stop == 2)
		lcrh |= LCRH_STOP2;
	if (line->parity)
		lcrh |= LCRH_PEN | (line->odd ? 0 : LCRH_EVEN);
	if (line->rtscts)
		cr |= CR_RTS_FLOW | CR_CTS_FLOW;
	if (p->clock_hz && line->baud && line->baud <= p->clock_hz / 16) {
		/* 6 fraction bits */
		u64 divisor = ((u64)p->clock_hz * 4 + line->baud / 2) / line->baud;

		u->regs[IBRD] = (u32)(divisor >> 6);
		u->regs[FBRD] = (u32)(divisor & 63);
	}
	u->regs[LCRH] = lcrh; /* also makes the divisor count */
	u->regs[CR] = cr;
	p->settings = *line;
}

static u32 pl011_get_modem(struct uart_port *p)
{
	struct pl011 *u = pl011_of(p);
	u32 fr = u->regs[FR], cr = u->regs[CR];

	return (fr & FR_CTS ? TIOCM_CTS : 0) | (fr & FR_DSR ? TIOCM_DSR : 0) |
	       (fr & FR_DCD ? TIOCM_CAR : 0) | (fr & FR_RI ? TIOCM_RNG : 0) |
	       (cr & CR_DTR ? TIOCM_DTR : 0) | (cr & CR_RTS ? TIOCM_RTS : 0);
}

static void pl011_set_modem(struct uart_port *p, u32 bits)
{
	struct pl011 *u = pl011_of(p);
	u32 cr = u->regs[CR] & ~(CR_DTR | CR_RTS);

	u->regs[CR] = cr | (bits & TIOCM_DTR ? CR_DTR : 0) | (bits & TIOCM_RTS ? CR_RTS : 0);
}

static void pl011_set_break(struct uart_port *p, bool on)
{
	struct pl011 *u = pl011_of(p);
	u32 lcrh = u->regs[LCRH] & ~LCRH_BREAK;

	u->regs[LCRH] = lcrh | (on ? LCRH_BREAK : 0);
}

static const struct uart_ops pl011_ops = {
	.startup = pl011_startup,
	.shutdown = pl011_shutdown,
	.start_tx = pl011_start_tx,
	.stop_tx = pl011_stop_tx,
	.send_x = pl011_send_x,
	.stop_rx = pl011_stop_rx,
	.start_rx = pl011_start_rx,
	.tx_empty = pl011_tx_empty,
	.set_line = pl011_set_line,
	.get_modem = pl011_get_modem,
	.set_modem = pl011_set_modem,
	.set_break = pl011_set_break,
	.write_polled = pl011_write_polled,
};

static u32 node_clock(int node)
{
	int len;
	const u8 *p = fdt_prop(node, "clocks", &len);
	u32 phandle;

	if (!p || len < 4)
		return 0;
	phandle = (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
	return fdt_prop_u32(fdt_by_phandle(phandle), "clock-frequency", 0);
}

static void port_setup(struct pl011 *u, int node)
{
	spin_init(&u->port.lock, RANK_UART);
	spin_init(&u->fifo_lock, RANK_LOG);
	ring_init(&u->port.tx, u->tx_buf, TX_RING);
	u->port.clock_hz = node_clock(node);
	u->port.fifo_size = 16;
	u->port.close_delay = 50;
	u->port.closing_wait = 3000;
	u->port.name = "ttyAMA";
	u->port.line = nports;
	u->port.major = AMBA_MAJOR;
	u->port.minor = AMBA_MINOR + nports;
	u->port.ops = &pl011_ops;
	u->port.firmware_console = node == fdt_stdout();
	u->port.settings = (struct uart_line){ .baud = 115200, .bits = 8, .stop = 1 };
	u->regs[IMSC] = 0;
	/*
	 * Switching the FIFO on empties it, or leaves one stale character to be read: it is done
	 * once, before anything was taken, so that what is typed during the boot waits for the
	 * first open.
	 */
	u->regs[LCRH] |= LCRH_FIFO | LCRH_BITS(8);
	u->regs[CR] = CR_ENABLE | CR_TX | CR_RX;
}

static int pl011_probe(int node)
{
	struct pl011 *u = &ports[nports];
	paddr_t base;
	u64 size;
	u32 irq, flags;
	int err;

	if (nports == PORTS_MAX)
		return -ENOSPC;
	if (fdt_node_reg(node, 0, &base, &size) || size < REGS_SIZE ||
	    fdt_node_irq(node, 0, &irq, &flags))
		return -EINVAL;
	u->regs = kvm_map_io(base, REGS_SIZE);
	if (!u->regs)
		return -ENOMEM;
	port_setup(u, node);
	u->port.base = base;
	u->port.irq = irq;
	err = irq_register(irq, pl011_irq, u, "uart-pl011", flags);
	if (err)
		goto err_unmap;
	u->port.parent = platform_device_add(node, "uart-pl011");
	err = uart_register(&u->port);
	if (err)
		goto err_irq;
	nports++;
	log_info("ttyAMA%u: PL011 at %#lx, irq %u", u->port.line, base, irq);
	return 0;

err_irq:
	irq_unregister(irq, u);
err_unmap:
	kvm_unmap_io(u->regs);
	return err;
}

FDT_DRIVER(pl011, "arm,pl011", pl011_probe);

static volatile u32 *early_regs; /* I */

static void early_write(struct log_console *c, const char *s, size_t n)
{
	write_text(early_regs, s, n);
}

static void early_setup(struct log_console *c, void *regs)
{
	early_regs = regs;
	early_regs[CR] = CR_ENABLE | CR_TX | CR_RX;
	c->write = early_write;
}

EARLYCON(pl011, "pl011", "arm,pl011", early_setup);
