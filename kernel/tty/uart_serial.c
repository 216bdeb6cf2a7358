/*
 * The ioctls of a serial line: its settings as setserial(8) knows them, its counters, waiting for
 * modem lines, RS-485.
 *
 * What the hardware is (registers, interrupt, type) is shown and cannot be changed. Flags, delays
 * and the size of the FIFO are kept and shown again; of these only the flags that make 38400 mean a
 * higher speed do something, and the base that speeds are divided from. RS-485 can be asked for and
 * stays off.
 *
 * A change of a modem line is counted by the driver (uart_modem_changed); who waits for one takes
 * the counts first and waits until one that matters is another.
 *
 * ioctl_tty(2), setserial(8).
 */
#include <linux/capability.h>
#include <linux/serial.h>
#include <linux/serial_core.h>
#include <linux/termios.h>
#include <linux/tty_flags.h>
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "kernel/tty/tty.h"
#include "kernel/tty/uart_serial.h"

#define FIXED_FLAGS ASYNC_BOOT_AUTOCONF /* what is set besides what users may */
#define ADMIN_FLAGS ((ASYNC_FLAGS & ~ASYNC_AUTOPROBE) | ASYNC_MAGIC_MULTIPLIER)
#define BASE_MIN 9600
#define IO_MEMORY 2 /* serial_struct.io_type: registers in memory, UPIO_MEM */

static struct waitq modem_wait = WAITQ_INIT(modem_wait);
static const u32 modem_bits[] = { TIOCM_CTS, TIOCM_DSR, TIOCM_RNG, TIOCM_CAR };

/* See uart.h. ctx: any */
void uart_modem_changed(struct uart_port *p, u32 bits)
{
	for (u32 k = 0; k < ARRAY_SIZE(modem_bits); k++)
		p->modem_changes[k] += bits & modem_bits[k] ? 1 : 0;
	waitq_wake_all(&modem_wait);
}

/* See the header. ctx: any */
u32 uart_spd_baud(const struct uart_port *p, u32 baud)
{
	if (baud != 38400)
		return baud;
	switch (p->spd_flags & ASYNC_SPD_MASK) {
	case ASYNC_SPD_HI: return 57600;
	case ASYNC_SPD_VHI: return 115200;
	case ASYNC_SPD_SHI: return 230400;
	case ASYNC_SPD_WARP: return 460800;
	}
	return baud;
}

/* holds: p->lock */
static void serial_fill(const struct uart_port *p, struct serial_struct *s)
{
	memset(s, 0, sizeof(*s));
	s->type = PORT_AMBA;
	s->line = (int)p->line;
	s->irq = (int)p->irq;
	s->flags = (int)(p->spd_flags | FIXED_FLAGS);
	s->xmit_fifo_size = (int)p->fifo_size;
	s->custom_divisor = (int)p->divisor;
	s->baud_base = (int)(p->clock_hz / 16);
	s->close_delay = (u16)p->close_delay;
	s->io_type = IO_MEMORY;
	s->closing_wait = (u16)p->closing_wait;
	s->iomem_base = (unsigned char *)p->base;
}

static long serial_get(struct uart_port *p, u64 arg)
{
	struct serial_struct s;
	u64 flags = spin_lock_irqsave(&p->lock);

	serial_fill(p, &s);
	spin_unlock_irqrestore(&p->lock, flags);
	return copy_to_user(arg, &s, sizeof(s));
}

/* Is @n another place than @is? */
static bool place_differs(const struct serial_struct *n, const struct serial_struct *is)
{
	return n->irq != is->irq || n->port || n->port_high || n->hub6 ||
	       n->io_type != is->io_type || n->iomem_reg_shift;
}

/* May current have the port like @n? 0, -EPERM, -EINVAL, -EBUSY: its caller uses it. */
static int serial_judge(const struct serial_struct *n, const struct serial_struct *is, bool admin)
{
	bool elsewhere = n->type != is->type || n->iomem_base != is->iomem_base;

	if (admin) {
		if (elsewhere || n->irq < 0 || n->baud_base < BASE_MIN)
			return -EINVAL;
		return place_differs(n, is) ? -EBUSY : 0;
	}
	if (elsewhere || place_differs(n, is) || n->baud_base != is->baud_base ||
	    n->close_delay != is->close_delay || n->closing_wait != is->closing_wait ||
	    (n->xmit_fifo_size && n->xmit_fifo_size != is->xmit_fifo_size) ||
	    ((n->flags ^ is->flags) & ~(int)ASYNC_USR_MASK))
		return -EPERM;
	return 0;
}

/* holds: p->lock */
static void serial_take(struct uart_port *p, const struct serial_struct *n, bool admin)
{
	u32 mask = admin ? ADMIN_FLAGS : ASYNC_USR_MASK;

	p->spd_flags = (p->spd_flags & ~mask) | ((u32)n->flags & mask);
	p->divisor = (u32)n->custom_divisor;
	if (!admin)
		return;
	p->close_delay = n->close_delay;
	p->closing_wait = n->closing_wait;
	p->clock_hz = (u32)n->baud_base * 16;
	if (n->xmit_fifo_size)
		p->fifo_size = (u32)n->xmit_fifo_size;
}

static long serial_set(struct uart_port *p, u64 arg)
{
	bool admin = cred_capable(current->cred, CAP_SYS_ADMIN);
	struct serial_struct n, is;
	struct uart_line line;
	u64 flags;
	u32 old;
	int err;

	if (copy_from_user(&n, arg, sizeof(n)))
		return -EFAULT;
	flags = spin_lock_irqsave(&p->lock);
	serial_fill(p, &is);
	err = serial_judge(&n, &is, admin);
	if (!err) {
		old = uart_spd_baud(p, 38400);
		serial_take(p, &n, admin);
		line = p->settings;
		if (line.baud == old && uart_spd_baud(p, 38400) != old) {
			line.baud = uart_spd_baud(p, 38400);
			p->ops->set_line(p, &line);
			p->settings = line;
		}
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return err;
}

static long counts_get(struct uart_port *p, u64 arg)
{
	struct serial_icounter_struct c;
	u64 flags;

	memset(&c, 0, sizeof(c));
	flags = spin_lock_irqsave(&p->lock);
	c.cts = (int)p->modem_changes[0];
	c.dsr = (int)p->modem_changes[1];
	c.rng = (int)p->modem_changes[2];
	c.dcd = (int)p->modem_changes[3];
	c.rx = (int)p->rx_count;
	c.tx = (int)p->tx_count;
	c.frame = (int)p->frame_errors;
	c.parity = (int)p->parity_errors;
	c.overrun = (int)p->overruns;
	c.brk = (int)p->breaks;
	spin_unlock_irqrestore(&p->lock, flags);
	return copy_to_user(arg, &c, sizeof(c));
}

/* Has one of the lines @bits changed since @seen? */
static bool modem_moved(const struct uart_port *p, const u32 *seen, u64 bits)
{
	for (u32 k = 0; k < ARRAY_SIZE(modem_bits); k++)
		if ((bits & modem_bits[k]) && READ_ONCE(p->modem_changes[k]) != seen[k])
			return true;
	return false;
}

static long modem_wait_for(struct uart_port *p, u64 bits)
{
	u32 seen[ARRAY_SIZE(modem_bits)];

	for (u32 k = 0; k < ARRAY_SIZE(modem_bits); k++)
		seen[k] = READ_ONCE(p->modem_changes[k]);
	return wait_event_interruptible(&modem_wait, modem_moved(p, seen, bits)) ? -ERESTARTSYS : 0;
}

/* TIOCSERGETLSR: has all been sent? */
static long line_status(struct uart_port *p, u64 arg)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	u32 status = !ring_used(&p->tx) && !p->x_char && p->ops->tx_empty(p) ? TIOCSER_TEMT : 0;

	spin_unlock_irqrestore(&p->lock, flags);
	return put_user(arg, status);
}

static long rs485(u64 arg, bool set)
{
	struct serial_rs485 r = { 0 };

	if (set && copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags & SER_RS485_ENABLED)
		return -EINVAL;
	memset(&r, 0, sizeof(r));
	return copy_to_user(arg, &r, sizeof(r));
}

/* See the header. ctx: thread; sleeps */
long uart_line_ioctl(struct uart_port *p, u32 cmd, u64 arg)
{
	switch (cmd) {
	case TIOCGSERIAL: return serial_get(p, arg);
	case TIOCSSERIAL: return serial_set(p, arg);
	case TIOCGICOUNT: return counts_get(p, arg);
	case TIOCMIWAIT: return modem_wait_for(p, arg);
	case TIOCSERGETLSR: return line_status(p, arg);
	case TIOCGRS485: return rs485(arg, false);
	case TIOCSRS485: return rs485(arg, true);
	default: return -ENOIOCTLCMD;
	}
}
