/*
 * Raw IP endpoints and ping endpoints.
 *
 * Each raw endpoint of a packet's protocol gets a copy of it, with its IP header, whatever the
 * protocol itself makes of it. Ping endpoints (Linux's SOCK_DGRAM, IPPROTO_ICMP) get the echo
 * replies that carry their identifier, with the ICMP header.
 */
#include <linux/icmp.h>
#include "net/inet_pcb_internal.h"

/* See ip.h. ctx: as ip_input */
bool raw_input(struct pkt *p)
{
	const struct iphdr *ip = pkt_net(p);
	struct pcb_key key = { PCB_RAW, p->proto, ip->daddr, ip->saddr, 0, 0, p->dev, false };
	struct inet_pcb *pcb, *next;

	if (likely(!inet_pcb_any_raw()))
		return false;
	pcb = inet_pcb_next(&key, p, NULL);
	if (!pcb)
		return false;
	for (; pcb; pcb = next) {
		struct pkt *q;

		/* With the header: it lies in front. */
		pkt_push(p, ip->ihl * 4u);
		q = pkt_copy(p, 0);
		pkt_pull(p, ip->ihl * 4u);
		next = inet_pcb_next(&key, p, pcb);
		if (q)
			pcb->ops->input(pcb, q);
		inet_pcb_put(pcb);
	}
	return true;
}

/* See ip.h. ctx: as ip_input */
void raw_error(struct pkt *p, const struct net_error *e)
{
	const struct iphdr *ip = pkt_net(p);
	struct pcb_key key = { PCB_RAW, p->proto, ip->saddr, ip->daddr, 0, 0, p->dev, true };
	struct inet_pcb *pcb, *next;

	if (likely(!inet_pcb_any_raw()))
		return;
	for (pcb = inet_pcb_next(&key, NULL, NULL); pcb; pcb = next) {
		next = inet_pcb_next(&key, NULL, pcb);
		pcb->ops->error(pcb, p, e);
		inet_pcb_put(pcb);
	}
}

/* See udp.h. ctx: as ip_input */
void ping_input(struct pkt *p)
{
	const struct iphdr *ip = pkt_net(p);
	const struct icmphdr *h = (const struct icmphdr *)p->head;
	struct pcb_key key = { PCB_PING, 0, ip->daddr, ip->saddr, h->un.echo.id, 0, p->dev, false };
	struct inet_pcb *pcb = inet_pcb_find(&key, p);

	if (!pcb) {
		pkt_put(p);
		return;
	}
	pcb->ops->input(pcb, p);
	inet_pcb_put(pcb);
}

/* See udp.h. ctx: as ip_input */
void ping_error(struct pkt *p, const struct net_error *e)
{
	const struct iphdr *ip = pkt_net(p);
	const struct icmphdr *h = (const struct icmphdr *)p->head;
	struct pcb_key key = { PCB_PING, 0, ip->saddr, ip->daddr, h->un.echo.id, 0, p->dev, true };
	struct inet_pcb *pcb = inet_pcb_find(&key, NULL);

	if (!pcb)
		return;
	pcb->ops->error(pcb, p, e);
	inet_pcb_put(pcb);
}
