/* unit: drivers/virtio/net.c net/vnethdr.c drivers/virtio/net_ctrl.c drivers/virtio/virtqueue.c net/cksum.c net/pkt.c kernel/lib/string.c */
/*
 * The network card's driver: large packets in several buffers, from cards that keep to the rules
 * and from ones that lie about lengths and numbers; the MTU that a card tells; what it is told of
 * addresses.
 */
#include "tests/unit/vnet_world.h"

#define HDR 12u /* virtio's header */
#define PAD 2u /* before it, in the first page */
#define ROOM (PAGE_SIZE - PAD)

/* The next chain of buffers gets @n bytes, or as many as it has room for. Its head */
static u16 write_chain(struct virtqueue *q, const u8 *from, u32 n)
{
	u16 head;
	struct vring_desc *d = next_request(q, &head);

	CHECK(d != NULL);
	for (;; d = &q->desc[d->next]) {
		u32 part = MIN(n, d->len);

		CHECK(d->flags & VRING_DESC_F_WRITE);
		memcpy(pa_to_va(d->addr), from, part);
		from += part;
		n -= part;
		if (!(d->flags & VRING_DESC_F_NEXT))
			return head;
	}
}

static u8 frame[70000 + HDR]; /* with its header */

static void make_frame(u32 len, u16 buffers)
{
	struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = buffers };

	for (u32 i = 0; i < len; i++)
		frame[HDR + i] = (u8)(i * 31 + i / 256);
	memcpy(frame, &h, HDR);
}

/* What came last is the frame, of @len bytes. */
static void check_frame(u32 len)
{
	CHECK_EQ(last_len, len);
	CHECK(!memcmp(last, frame + HDR, len));
}

/* @len bytes and the header, in as many buffers as they need. */
static void receive(u32 len, u16 says)
{
	struct virtqueue *q = vd.vqs[0];
	u32 all = len + HDR;

	make_frame(len, says);
	for (u32 off = 0; off < all; off += ROOM) {
		u32 n = MIN(all - off, ROOM);

		complete(q, write_chain(q, frame + off, n), n);
	}
	q->callback(q);
	work();
}

static void begin(u64 features)
{
	start(features, 1, features & BIT(VIRTIO_NET_F_CTRL_VQ) ? 3 : 2);
	CHECK_EQ(card->ops->open(card), 0);
}

/* How many buffers the device has that it did not use. */
static u32 offered(void)
{
	struct virtqueue *q = vd.vqs[0];

	return (u16)(q->avail->idx - looked[0]);
}

UNIT_TEST(a_large_packet_comes_in_several_buffers)
{
	static const u32 lens[] = { 60,	  1514,		  ROOM - HDR, ROOM - HDR + 1,
				    9014, 3 * ROOM - HDR, 65535 + 14 };

	begin(BIT(VIRTIO_NET_F_MRG_RXBUF));
	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		receive(lens[i], (u16)((lens[i] + HDR + ROOM - 1) / ROOM));
		CHECK_EQ(ncame, i + 1);
		check_frame(lens[i]);
		CHECK_EQ(offered(), 256); /* each buffer was replaced */
	}
	end();
}

/* A few frames at once: each takes its own buffers, whatever the length of the last. */
UNIT_TEST(packets_of_several_buffers_do_not_mix)
{
	struct virtqueue *q;

	begin(BIT(VIRTIO_NET_F_MRG_RXBUF));
	q = vd.vqs[0];
	for (u32 i = 0; i < 4; i++) {
		make_frame(3000, 3); /* in pieces of 1,000: the device may leave room */
		frame[HDR + ETH_HLEN] = (u8)(i + 1);
		for (u32 off = 0; off < 3000 + HDR; off += 1004)
			complete(q, write_chain(q, frame + off, 1004), 1004);
	}
	q->callback(q);
	work();
	CHECK(ncame == 4 && came[1] == 1 && came[2] == 1 && came[3] == 1 && came[4] == 1);
	CHECK_EQ(last_len, 3000);
	CHECK(!memcmp(last, frame + HDR, 3000));
	end();
}

/* The pages of a packet that somebody still has are not the device's any more. */
UNIT_TEST(a_packet_keeps_its_pages)
{
	static u8 before[9014], after[9014];

	for (u32 chains = 0; chains < 2; chains++) {
		begin(chains ? BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4)
			     : BIT(VIRTIO_NET_F_MRG_RXBUF));
		keep = true;
		for (u32 i = 0; i < 300; i++) {
			struct virtqueue *q = vd.vqs[0];

			make_frame(9014, 3);
			if (i)
				memset(frame + HDR, (int)i, 9014);
			for (u32 off = 0; off < 9014 + HDR;) {
				u32 n = MIN(9014 + HDR - off, chains ? 9014 + HDR : ROOM);

				complete(q, write_chain(q, frame + off, n), n);
				off += n;
			}
			q->callback(q);
			work();
			if (!i)
				pkt_copy_out(kept, 0, before, 9014);
		}
		CHECK_EQ(ncame, 300);
		pkt_copy_out(kept, 0, after, 9014);
		CHECK(!memcmp(before, after, 9014));
		pkt_put(kept);
		end();
	}
}

/* Chains of 17 pages, where a large packet may come in one request: no mergeable buffers. */
UNIT_TEST(a_large_packet_comes_in_one_chain)
{
	static const u32 lens[] = { 60, 1514, ROOM - HDR, ROOM - HDR + 1, 9014, 65535 + 14 };
	struct virtqueue *q;

	begin(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4));
	q = vd.vqs[0];
	CHECK_EQ(offered(), 256 / 17);
	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		make_frame(lens[i], 77); /* which means nothing here */
		complete(q, write_chain(q, frame, lens[i] + HDR), lens[i] + HDR);
		q->callback(q);
		work();
		CHECK_EQ(ncame, i + 1);
		check_frame(lens[i]);
		CHECK_EQ(offered(), 256 / 17);
	}
	end();
}

/* With fewer buffers than it says the packet is lost, and the next one is whole. */
UNIT_TEST(a_card_that_lies_about_its_buffers)
{
	static const u16 says[] = { 2, 3, 256, 257, 65535 };

	begin(BIT(VIRTIO_NET_F_MRG_RXBUF));
	for (u32 i = 0; i < ARRAY_SIZE(says); i++) {
		u64 errors = card->stats[0].rx_errors;

		receive(200, says[i]);
		CHECK_EQ(ncame, i);
		CHECK_EQ(card->stats[0].rx_errors, errors + 1);
		CHECK_EQ(offered(), 256);
		receive(200, 1);
		CHECK_EQ(ncame, i + 1);
		check_frame(200);
	}
	receive(200, 0); /* there is one in any case */
	check_frame(200);
	CHECK(!vd.broken);
	end();
}

/* More pieces than a packet can have: it is lost with all of them. */
UNIT_TEST(a_card_with_too_many_pieces)
{
	struct virtqueue *q;

	begin(BIT(VIRTIO_NET_F_MRG_RXBUF));
	q = vd.vqs[0];
	make_frame(1000, 40);
	complete(q, write_chain(q, frame, 500), 500);
	for (u32 i = 1; i < 40; i++)
		complete(q, write_chain(q, frame + 500 + i, 1), 1);
	q->callback(q);
	work();
	CHECK_EQ(ncame, 0);
	receive(1000, 1);
	check_frame(1000);
	CHECK_EQ(offered(), 256);
	end();
}

/* Less than a header and an Ethernet header: lost, with the next buffers that are part of it. */
UNIT_TEST(a_card_that_writes_too_little)
{
	static const u32 lens[] = { 0, 1, HDR - 1, HDR, HDR + ETH_HLEN - 1 };
	u64 errors;

	for (u32 chains = 0; chains < 2; chains++) {
		begin(chains ? BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4)
			     : BIT(VIRTIO_NET_F_MRG_RXBUF));
		errors = card->stats[0].rx_errors;
		for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
			struct virtqueue *q = vd.vqs[0];

			make_frame(100, 2);
			complete(q, write_chain(q, frame, 100 + HDR), lens[i]);
			if (!chains)
				complete(q, write_chain(q, frame, 100), 100);
			q->callback(q);
			work();
			CHECK_EQ(ncame, i);
			CHECK_EQ(card->stats[0].rx_errors, errors + i + 1);
			receive(100, 1);
			check_frame(100);
			CHECK_EQ(ncame, i + 1);
		}
		CHECK(!vd.broken);
		end();
	}
}

/* More than there was room for: it is not to be trusted in anything. */
UNIT_TEST(a_card_that_writes_too_much)
{
	static const u32 lens[] = { ROOM + 1, 65536, 0x7fffffff, ~0u };

	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		struct virtqueue *q;

		begin(BIT(VIRTIO_NET_F_MRG_RXBUF));
		q = vd.vqs[0];
		make_frame(ROOM - HDR, 2);
		complete(q, write_chain(q, frame, ROOM), ROOM);
		complete(q, write_chain(q, frame, 100), lens[i]);
		q->callback(q);
		work();
		CHECK(!ncame && vd.broken);
		CHECK_EQ(card->ops->open(card), -EIO);
		q->used->ring[1].len = 0; /* so that the buffers can be taken back */
		end();
	}
}

/* --- what the card tells --- */

UNIT_TEST(the_card_tells_its_mtu)
{
	static const struct {
		u64 features;
		u16 told;
		u32 mtu, most;
	} cases[] = {
		{ 0, 1400, 1500, 1500 },
		{ BIT(VIRTIO_NET_F_MTU), 1400, 1400, 1400 },
		{ BIT(VIRTIO_NET_F_MTU), 68, 68, 68 },
		{ BIT(VIRTIO_NET_F_MTU), 67, 1500, 1500 }, /* less than IP can do with */
		{ BIT(VIRTIO_NET_F_MTU), 0, 1500, 1500 },
		{ BIT(VIRTIO_NET_F_MTU), 9000, 1500, 1500 }, /* no buffers for that */
		{ BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MRG_RXBUF), 9000, 9000, 9000 },
		{ BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MRG_RXBUF), 65535, 65535, 65535 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		mtu_told = cases[i].told;
		start(cases[i].features, 1, 2);
		CHECK_EQ(card->mtu, cases[i].mtu);
		CHECK_EQ(card->mtu_max, cases[i].most);
		end();
	}
	mtu_told = 0;
}

UNIT_TEST(the_card_tells_its_address)
{
	begin(BIT(VIRTIO_NET_F_MAC));
	CHECK(!memcmp(card->addr, "\2\3\4\5\6\7", 6));
	end();
	begin(0); /* one of our own: not a group's, of local administration */
	CHECK_EQ(card->addr[0] & 3, 2);
	end();
}

/* --- what the card is told --- */

#define COMMANDS (BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX))

static void check_command(u32 i, u8 class, u8 cmd, const void *data, u32 len)
{
	CHECK(i < ncommands && commands[i].class == class && commands[i].cmd == cmd);
	CHECK_EQ(commands[i].len, len);
	CHECK(!memcmp(commands[i].data, data, len));
}

UNIT_TEST(the_card_is_told_its_address)
{
	static const u8 mac[6] = { 2, 9, 8, 7, 6, 5 }, group[6] = { 1, 0, 0x5e, 1, 2, 3 };

	begin(BIT(VIRTIO_NET_F_CTRL_VQ));
	CHECK_EQ(card->ops->set_addr(card, mac), -EOPNOTSUPP);
	end();
	begin(BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
	CHECK_EQ(card->ops->set_addr(card, mac), -EOPNOTSUPP); /* nothing to say it by */
	CHECK_EQ(ncommands, 0);
	end();
	begin(BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
	CHECK_EQ(card->ops->set_addr(card, group), -EADDRNOTAVAIL);
	CHECK_EQ(ncommands, 0);
	CHECK_EQ(card->ops->set_addr(card, mac), 0);
	CHECK_EQ(ncommands, 1);
	check_command(0, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
	manner = REFUSES;
	CHECK_EQ(card->ops->set_addr(card, mac), -EINVAL);
	CHECK(!vd.broken);
	manner = IS_DUMB;
	CHECK_EQ(card->ops->set_addr(card, mac), -EIO);
	CHECK(vd.broken);
	manner = OBEYS;
	end();
}

UNIT_TEST(the_card_is_told_what_to_receive)
{
	const be32 two[] = { IP_ADDR(224, 0, 0, 1), IP_ADDR(239, 129, 2, 3) };
	static const u8 table[20] = { 0,    0, 0, 0, 2, 0, 0,	 0, 1, 0,
				      0x5e, 0, 0, 1, 1, 0, 0x5e, 1, 2, 3 };

	begin(COMMANDS);
	groups = two;
	ngroups = 2;
	card->ops->set_rx_mode(card);
	CHECK_EQ(ncommands, 3);
	check_command(0, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "\0", 1);
	check_command(1, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 20);
	check_command(2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, "\0", 1);
	card->promisc = 2;
	card->allmulti = 1;
	ncommands = ngroups = 0;
	card->ops->set_rx_mode(card);
	check_command(0, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "\1", 1);
	check_command(1, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\0\0\0\0\0\0\0", 8);
	check_command(2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, "\1", 1);
	end();
	begin(BIT(VIRTIO_NET_F_CTRL_VQ)); /* which does not know these */
	card->ops->set_rx_mode(card);
	CHECK_EQ(ncommands, 0);
	end();
}

/* More groups than its table is given: all of them. */
UNIT_TEST(many_groups_are_all)
{
	be32 many[VNET_MAC_ENTRIES + 1];

	for (u32 i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = net32(0xe0010000 + i);
	groups = many;
	begin(COMMANDS);
	ngroups = VNET_MAC_ENTRIES;
	card->ops->set_rx_mode(card);
	CHECK_EQ(ncommands, 3);
	CHECK_EQ(commands[1].len, 8 + 6 * VNET_MAC_ENTRIES);
	CHECK(!memcmp(commands[1].data + 8 + 6 * 31, "\1\0\x5e\1\0\x1f", 6));
	CHECK_EQ(commands[2].data[0], 0);
	ncommands = 0;
	ngroups = VNET_MAC_ENTRIES + 1;
	card->ops->set_rx_mode(card);
	CHECK_EQ(ncommands, 2);
	check_command(1, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, "\1", 1);
	/* One that refuses all of it goes on receiving. */
	manner = REFUSES;
	card->ops->set_rx_mode(card);
	CHECK(!vd.broken);
	manner = OBEYS;
	groups = NULL;
	ngroups = 0;
	end();
}
