/*
 * SOCK_PACKET: what there was before AF_PACKET. Whole frames as of SOCK_RAW, and addresses with the
 * name of the device (struct sockaddr_pkt; to bind and in getsockname struct sockaddr, of which all
 * bytes are the name). It has neither options nor rings. packet(7).
 */
#include <linux/errno.h>
#include <linux/if_packet.h>
#include "kernel/lib/string.h"
#include "net/sock/packet.h"

#define OLD_NAME (sizeof(((struct sockaddr_pkt *)0)->spkt_device)) /* of a device, with its 0 */

static struct packet_sock *of(struct socket *s)
{
	return container_of(s, struct packet_sock, s);
}

/* See packet.h. */
void packet_old_source(struct sock_addr *out, const struct pkt *p)
{
	struct sockaddr_pkt spkt = { .spkt_family = p->dev->shown_type,
				     .spkt_protocol = p->ethertype };

	strlcpy((char *)spkt.spkt_device, p->dev->name, sizeof(spkt.spkt_device));
	memcpy(out->bytes, &spkt, sizeof(spkt));
	out->len = sizeof(spkt);
}

/* See sock_ops. */
int packet_old_bind(struct socket *s, const struct sock_addr *a)
{
	const struct netdev *d;
	char name[IFNAMSIZ] = "";

	if (a->len != sizeof(a->family) + OLD_NAME)
		return -EINVAL;
	memcpy(name, a->bytes + sizeof(a->family), OLD_NAME);
	d = netdev_by_name(name);
	return d ? packet_bind_to(of(s), d->index, 0) : -ENODEV;
}

/* See sock_ops. */
int packet_old_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	const struct netdev *d = netdev_by_index(READ_ONCE(of(s)->ifindex));

	if (peer)
		return -EOPNOTSUPP;
	memset(out->bytes, 0, sizeof(out->family) + OLD_NAME);
	out->family = AF_PACKET;
	if (d)
		strlcpy((char *)out->bytes + sizeof(out->family), d->name, OLD_NAME);
	out->len = sizeof(out->family) + OLD_NAME;
	return 0;
}

/* See sock_ops. It does not wait for room. */
ssize_t packet_old_send(struct socket *s, struct sock_msg *m)
{
	struct packet_sock *k = of(s);
	struct sockaddr_pkt spkt = { .spkt_protocol = 0 };
	struct sockaddr_ll to = { .sll_protocol = 0 };
	struct netdev *d;

	if (!m->addr || !m->addr->len)
		return -ENOTCONN;
	if (m->addr->len < sizeof(spkt.spkt_family) + OLD_NAME)
		return -EINVAL;
	memcpy(&spkt, m->addr->bytes, MIN((size_t)m->addr->len, sizeof(spkt)));
	if (m->addr->len == sizeof(spkt))
		to.sll_protocol = spkt.spkt_protocol;
	spkt.spkt_device[OLD_NAME - 1] = 0;
	d = netdev_by_name((const char *)spkt.spkt_device);
	if (!d)
		return -ENODEV;
	if (!netdev_up(d))
		return -ENETDOWN;
	if (READ_ONCE(k->wmem) >= (u32)READ_ONCE(s->sndbuf))
		return -ENOBUFS;
	return packet_send_frame(k, d, &to, m);
}
