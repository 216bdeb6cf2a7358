/*
 * virtio-console (virtio 1.2, section 5.3): hvc0, hvc1... as uart ports. Each device is one port;
 * the multiport feature is not negotiated, and then queue 0 receives and queue 1 transmits.
 *
 * Receive: every buffer is one byte. The device says how much input it can take by the sum of the
 * buffers' sizes, but may then fill one buffer for each byte (QEMU does when its monitor shares the
 * console, and drops what finds no buffer): only with buffers of one byte are the two the same, and
 * nothing typed or pasted is lost. All buffers are always with the device; the interrupt passes
 * their bytes up and gives them back. Transmit: bytes go from port->tx into one buffer, and into
 * the next when that one comes back, so at most one request is out and the rest gathers in the ring
 * meanwhile: many characters, one kick.
 *
 * Locking: port.lock (rank UART) is taken outside vq->lock (rank DEVQ). tx_busy and tx_buf belong
 * to port.lock. u in the field letters: guarded by port.lock.
 */
#include <linux/errno.h>
#include <linux/major.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <arch/barrier.h>
#include "drivers/virtio/virtio.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/tty/uart.h"
#include "mm/slab.h"

#define HVC_MAJOR 229
#define RX_BUFS 128
#define TX_SIZE 4096
#define LATE_SIZE 1024
#define POLL_LIMIT 10000000

enum { VQ_RX, VQ_TX, VQ_COUNT };

struct vcon {
	struct uart_port port;
	struct virtio_device *vd; /* I */
	u8 rx_buf[RX_BUFS]; /* each the device's, or the interrupt handler's */
	u8 *tx_buf; /* u: the device's while tx_busy */
	bool tx_busy; /* u */
	bool tx_stopped; /* u */
	bool rx_held; /* u: the terminal has no room */
	bool open; /* u: the tty layer wants input */
	/* put by the log's console owner, taken under u: log text that found the port busy */
	struct ring late;
};

static u32 vcon_count; /* boot only: next hvc number */

static struct vcon *vcon_of(struct uart_port *p)
{
	return container_of(p, struct vcon, port);
}

/*
 * The transmit queue's own lock is taken only with port.lock held, so it is always free, and taking
 * it by trylock keeps the log's writes out of the lock order.
 */
static bool tx_lock(struct virtqueue *vq, u64 *flags)
{
	bool locked;

	*flags = irq_save();
	locked = spin_trylock(&vq->lock);
	if (!locked)
		irq_restore(*flags);
	return locked;
}

/* Send the first @n bytes of tx_buf. holds: port.lock. */
static void tx_send(struct vcon *vc, u32 n)
{
	struct virtqueue *vq = vc->vd->vqs[VQ_TX];
	struct virtio_buf b = { vc->tx_buf, n };
	u64 flags;

	if (!tx_lock(vq, &flags))
		return;
	/* A broken device swallows output; nobody must wait for it. */
	vc->tx_busy = !virtqueue_add(vq, &b, 1, 0, vc->tx_buf);
	virtqueue_kick(vq);
	spin_unlock_irqrestore(&vq->lock, flags);
	vc->port.tx_count += n;
}

/* Hand what is in the ring to the device. holds: port.lock. */
static void tx_push(struct vcon *vc)
{
	u32 n;

	if (vc->tx_busy || vc->tx_stopped)
		return;
	n = ring_read(&vc->late, vc->tx_buf, TX_SIZE);
	n += ring_read(&vc->port.tx, vc->tx_buf + n, TX_SIZE - n);
	if (n)
		tx_send(vc, n);
}

/* Take the transmit buffer back if the device is done. holds: port.lock. */
static void tx_reclaim(struct vcon *vc)
{
	struct virtqueue *vq = vc->vd->vqs[VQ_TX];
	u64 flags;
	u32 len;

	if (!tx_lock(vq, &flags))
		return;
	if (virtqueue_get(vq, &len) || READ_ONCE(vc->vd->broken))
		vc->tx_busy = false;
	spin_unlock_irqrestore(&vq->lock, flags);
}

static void tx_done(struct virtqueue *vq)
{
	struct vcon *vc = vq->vd->priv;
	u64 flags = spin_lock_irqsave(&vc->port.lock);

	tx_reclaim(vc);
	tx_push(vc);
	if (ring_used(&vc->port.tx) <= vc->port.tx.size / 2)
		uart_tx_ready(&vc->port);
	spin_unlock_irqrestore(&vc->port.lock, flags);
}

/* Give a receive buffer to the device; a broken one takes none. holds: vq->lock. */
static bool rx_give(struct virtqueue *vq, u8 *buf)
{
	struct virtio_buf b = { buf, 1 };

	return virtqueue_add(vq, &b, 0, 1, buf) == 0;
}

/* The next byte received, its buffer given back; false when there is none. */
static bool rx_take(struct virtqueue *vq, u8 *byte)
{
	u64 flags = spin_lock_irqsave(&vq->lock);
	u32 len = 0;
	u8 *buf;

	/* A device may return a buffer with nothing in it. */
	while ((buf = virtqueue_get(vq, &len))) {
		*byte = READ_ONCE(*buf);
		rx_give(vq, buf);
		if (len)
			break;
	}
	if (!buf)
		virtqueue_kick(vq);
	spin_unlock_irqrestore(&vq->lock, flags);
	return buf;
}

/* Pass up what came in, until the terminal has no room for more. holds: port.lock. */
static void rx_drain(struct vcon *vc)
{
	u8 byte;

	while (!vc->rx_held && rx_take(vc->vd->vqs[VQ_RX], &byte)) {
		if (vc->open)
			uart_rx(&vc->port, byte, UART_NORMAL);
		vc->port.rx_count++;
	}
}

static void rx_done(struct virtqueue *vq)
{
	struct vcon *vc = vq->vd->priv;
	u64 flags = spin_lock_irqsave(&vc->port.lock);

	rx_drain(vc);
	spin_unlock_irqrestore(&vc->port.lock, flags);
	uart_rx_push(&vc->port);
}

/* Input that finds no buffer waits in the device, or before it. */
static void vcon_stop_rx(struct uart_port *p)
{
	vcon_of(p)->rx_held = true;
}

static void vcon_start_rx(struct uart_port *p)
{
	vcon_of(p)->rx_held = false;
	rx_drain(vcon_of(p));
}

static int vcon_startup(struct uart_port *p)
{
	u64 flags = spin_lock_irqsave(&p->lock);

	vcon_of(p)->open = true;
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

static void vcon_shutdown(struct uart_port *p)
{
	u64 flags = spin_lock_irqsave(&p->lock);

	vcon_of(p)->open = false;
	spin_unlock_irqrestore(&p->lock, flags);
}

static void vcon_start_tx(struct uart_port *p)
{
	struct vcon *vc = vcon_of(p);

	vc->tx_stopped = false;
	tx_push(vc);
}

static void vcon_stop_tx(struct uart_port *p)
{
	vcon_of(p)->tx_stopped = true;
}

static bool vcon_tx_empty(struct uart_port *p)
{
	return !vcon_of(p)->tx_busy && !ring_used(&p->tx);
}

/*
 * Wait for the device to take the buffer: bounded, then the text is lost rather than the machine.
 */
static bool tx_wait(struct vcon *vc)
{
	for (u32 i = 0; vc->tx_busy && i < POLL_LIMIT; i++)
		tx_reclaim(vc);
	return !vc->tx_busy;
}

static void write_locked(struct vcon *vc, const char *s, size_t n)
{
	u32 len = 0;

	if (!tx_wait(vc))
		return;
	/* What was queued before comes out before. */
	while ((ring_used(&vc->late) || ring_used(&vc->port.tx)) && !vc->tx_stopped) {
		tx_push(vc);
		if (!tx_wait(vc))
			return;
	}
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			vc->tx_buf[len++] = '\r';
		vc->tx_buf[len++] = s[i];
		if (i + 1 < n && len < TX_SIZE - 2)
			continue;
		tx_send(vc, len);
		len = 0;
		if (!tx_wait(vc))
			return;
	}
}

/*
 * Whoever logs may hold any lock, this port's too, so nothing is waited for here: when the port is
 * busy, the text goes to .late, and the next one that sends takes it along. One CPU at a time calls
 * this.
 */
static void vcon_write_polled(struct uart_port *p, const char *s, size_t n)
{
	struct vcon *vc = vcon_of(p);
	u64 flags = irq_save();
	bool locked = spin_trylock(&p->lock);

	if (locked || panic_in_progress())
		write_locked(vc, s, n);
	else
		ring_write(&vc->late, s, (u32)n);
	if (locked)
		spin_unlock(&p->lock);
	irq_restore(flags);
}

static const struct uart_ops vcon_ops = {
	.startup = vcon_startup,
	.shutdown = vcon_shutdown,
	.start_tx = vcon_start_tx,
	.stop_tx = vcon_stop_tx,
	.start_rx = vcon_start_rx,
	.stop_rx = vcon_stop_rx,
	.tx_empty = vcon_tx_empty,
	.write_polled = vcon_write_polled,
};

static void vcon_free(struct vcon *vc)
{
	kfree(vc->tx_buf);
	kfree(vc->port.tx.buf);
	kfree(vc->late.buf);
	kfree(vc);
}

static struct vcon *vcon_alloc(struct virtio_device *vd)
{
	struct vcon *vc = kzalloc(sizeof(*vc), 0);
	bool ok = true;
	u8 *ring;

	if (!vc)
		return NULL;
	spin_init(&vc->port.lock, RANK_UART);
	vc->vd = vd;
	ok &= !!(vc->tx_buf = kmalloc(TX_SIZE, 0));
	ok &= !!(ring = kmalloc(TX_SIZE, 0));
	ring_init(&vc->port.tx, ring, TX_SIZE);
	ok &= !!(ring = kmalloc(LATE_SIZE, 0));
	ring_init(&vc->late, ring, LATE_SIZE);
	if (ok)
		return vc;
	vcon_free(vc);
	return NULL;
}

static void vcon_read_size(struct vcon *vc)
{
	struct virtio_console_config c;

	if (!virtio_has_feature(vc->vd, VIRTIO_CONSOLE_F_SIZE))
		return;
	virtio_config_read(vc->vd, 0, &c, offsetof(struct virtio_console_config, max_nr_ports));
	vc->port.cols = c.cols;
	vc->port.rows = c.rows;
}

static void vcon_config_changed(struct virtio_device *vd)
{
	struct vcon *vc = vd->priv;

	if (!vc || !virtio_has_feature(vd, VIRTIO_CONSOLE_F_SIZE))
		return;
	vcon_read_size(vc);
	uart_resized(&vc->port, vc->port.rows, vc->port.cols);
}

static void vcon_start(struct vcon *vc)
{
	struct virtqueue *rx = vc->vd->vqs[VQ_RX];
	u64 flags;

	virtio_ready(vc->vd);
	flags = spin_lock_irqsave(&rx->lock);
	/* Fewer when the device's queue is shorter. */
	for (u32 i = 0; i < RX_BUFS && rx_give(rx, &vc->rx_buf[i]); i++)
		;
	virtqueue_kick(rx);
	spin_unlock_irqrestore(&rx->lock, flags);
}

static int vcon_probe(struct virtio_device *vd)
{
	static const struct virtqueue_spec specs[VQ_COUNT] = {
		[VQ_RX] = { "input", rx_done, RX_BUFS, 0 },
		[VQ_TX] = { "output", tx_done, 16, 0 },
	};
	struct vcon *vc = vcon_alloc(vd);
	int err;

	if (!vc)
		return -ENOMEM;
	vd->priv = vc;
	err = virtio_setup_queues(vd, specs, VQ_COUNT);
	if (err) {
		vd->priv = NULL;
		vcon_free(vc);
		return err;
	}
	vc->port.name = "hvc";
	vc->port.line = vcon_count;
	vc->port.major = HVC_MAJOR;
	vc->port.minor = vcon_count;
	vc->port.ops = &vcon_ops;
	vc->port.parent = &vd->device;
	vcon_read_size(vc);
	vcon_start(vc);
	err = uart_register(&vc->port);
	if (!err)
		vcon_count++;
	return err;
}
VIRTIO_DRIVER(console, .id = VIRTIO_ID_CONSOLE, .features = BIT(VIRTIO_CONSOLE_F_SIZE),
	      .probe = vcon_probe, .config_changed = vcon_config_changed);
