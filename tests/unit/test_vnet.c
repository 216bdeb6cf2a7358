/* unit: drivers/virtio/net.c net/vnethdr.c drivers/virtio/net_ctrl.c drivers/virtio/virtqueue.c net/cksum.c net/pkt.c kernel/lib/string.c */
/*
 * The network card's driver with cards of several pairs of queues: ones that keep to the rules, and
 * ones that lie about how many they have, refuse them, or do not answer.
 */
#include "tests/unit/vnet_world.h"

UNIT_TEST(each_pair_has_its_queues_and_its_cpu)
{
	start(SEVERAL, 8, 17);
	CHECK_EQ(vd.nqueues, 9); /* of the eight pairs as many as CPUs, and the last queue */
	CHECK_EQ(vd.vqs[8]->index, 16);
	CHECK_EQ(pairs_told, 4);
	CHECK(card->queues == 4 && card->queues_max == 4 && card->ring == 128);
	for (u32 i = 0; i < 4; i++)
		CHECK(cpu_of[2 * i] == i && cpu_of[2 * i + 1] == i);
	CHECK_EQ(cpu_of[8], ~0u);
	end();
}

UNIT_TEST(one_pair_is_as_it_was)
{
	start(BIT(VIRTIO_NET_F_CTRL_VQ), 8, 3); /* several are not offered */
	CHECK(vd.nqueues == 3 && vd.vqs[2]->index == 2 && !pairs_told);
	CHECK(card->queues == 1 && card->queues_max == 1 && card->ring == 256);
	CHECK_EQ(cpu_of[0], ~0u);
	end();
	start(0, 0, 2);
	CHECK(vd.nqueues == 2 && card->queues == 1);
	end();
	start(SEVERAL, 1, 3);
	CHECK(vd.nqueues == 3 && card->queues == 1 && !pairs_told);
	end();
	cpu_count = 1;
	start(SEVERAL, 4, 9); /* one CPU needs one pair; the control queue is where it is */
	CHECK(vd.nqueues == 3 && vd.vqs[2]->index == 8 && card->queues == 1 && !pairs_told);
	CHECK_EQ(card->ring, 256);
	cpu_count = 4;
	end();
}

/* It says that it has @says pairs, and has so many queues. */
static void is_nonsense(u64 features, u32 says, u32 queues)
{
	start(features, says, queues);
	CHECK(vd.nqueues == 2 && card->queues == 1 && card->queues_max == 1 && !pairs_told);
	CHECK_EQ(card->ops->open(card), 0);
	card->ops->set_rx_mode(card); /* without a control queue */
	send_frame(1, 2, 0);
	CHECK_EQ(went_by(), 0);
	CHECK(!vd.broken);
	end();
}

UNIT_TEST(a_card_that_lies_about_its_queues_has_one_pair)
{
	is_nonsense(SEVERAL, 0, 3);
	is_nonsense(SEVERAL, 65535, 3);
	is_nonsense(SEVERAL, 0x8000, 3);
	is_nonsense(SEVERAL, 4, 8); /* its control queue is not there */
	is_nonsense(BIT(VIRTIO_NET_F_MQ), 4, 9); /* nothing to ask with */
}

UNIT_TEST(a_card_that_refuses_keeps_one_pair)
{
	manner = REFUSES;
	start(SEVERAL, 4, 9);
	CHECK(card->queues == 1 && card->queues_max == 1 && !vd.broken);
	CHECK_EQ(card->ops->open(card), 0);
	for (u16 i = 0; i < 50; i++) {
		send_frame(i, 2, 0);
		CHECK_EQ(went_by(), 0);
	}
	CHECK_EQ(vd.vqs[2]->avail->idx, 0); /* the rings of the others are empty */
	end();
	manner = IS_DUMB;
	start(SEVERAL, 4, 9);
	CHECK(card->queues == 1 && vd.broken);
	CHECK_EQ(card->ops->open(card), -EIO);
	manner = OBEYS;
	end();
}

UNIT_TEST(a_connection_stays_with_a_pair)
{
	u32 used[4] = { 0 }, first;

	start(SEVERAL, 4, 9);
	CHECK_EQ(card->ops->open(card), 0);
	for (u16 port = 0; port < 400; port++) {
		send_frame(port, 7, 0);
		first = went_by();
		used[first]++;
		send_frame(port, 7, 0);
		CHECK_EQ(went_by(), first);
	}
	for (u32 i = 0; i < 4; i++)
		CHECK(used[i] > 40);
	/* Of a datagram in pieces only the first has ports. */
	send_frame(1, 2, 0x0020);
	first = went_by();
	for (u16 i = 0; i < 50; i++) {
		send_frame(i, i, 0x0400);
		CHECK_EQ(went_by(), first);
	}
	end();
}

UNIT_TEST(what_is_received_is_counted_where_it_came)
{
	struct netdev_queue_stats st;

	start(SEVERAL, 2, 5);
	CHECK_EQ(card->queues, 2);
	CHECK_EQ(card->ops->open(card), 0);
	for (u32 pair = 0; pair < 2; pair++) {
		struct virtqueue *q = vd.vqs[2 * pair];

		CHECK_EQ(q->avail->idx, 128);
		for (u32 n = 0; n < 5 + pair; n++) {
			u16 head;
			u8 *at = pa_to_va(next_request(q, &head)->addr);

			memset(at, 0, 100);
			at[12 + ETH_HLEN] = (u8)(pair + 1);
			complete(q, head, 12 + 60);
		}
		q->callback(q);
	}
	CHECK_EQ(nqueued, 2);
	work();
	CHECK(came[1] == 5 && came[2] == 6);
	card->ops->queue_stats(card, 1, &st);
	CHECK(st.rx_packets == 6 && st.rx_bytes == 360 && !st.tx_packets);
	end();
}

UNIT_TEST(fewer_pairs_can_be_chosen)
{
	start(SEVERAL, 4, 9);
	CHECK_EQ(card->ops->open(card), 0);
	CHECK(!card->ops->set_queues(card, 2) && pairs_told == 2 && card->queues == 2);
	for (u16 i = 0; i < 50; i++) {
		send_frame(i, 9, 0);
		CHECK(went_by() < 2);
	}
	manner = REFUSES;
	CHECK_EQ(card->ops->set_queues(card, 3), -EINVAL);
	CHECK_EQ(card->queues, 2);
	CHECK_EQ(card->ops->set_queues(card, 1), -EINVAL);
	CHECK_EQ(card->queues, 2);
	manner = OBEYS;
	CHECK(!card->ops->set_queues(card, 4) && pairs_told == 4 && card->queues == 4);
	end();
}

/* Who sends and then waits for room is told by an interrupt; others' packets go back later. */
UNIT_TEST(a_sender_that_waits_is_told)
{
	struct virtqueue *q;

	start(0, 0, 2);
	q = vd.vqs[1];
	CHECK_EQ(card->ops->open(card), 0);
	released = 0;
	send_frame(1, 2, 0);
	CHECK(q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
	tell = true;
	send_frame(1, 2, 0);
	tell = false;
	send_frame(1, 2, 0);
	for (u32 n = 1; n <= 2; n++) {
		u16 head;

		CHECK(!(q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT));
		CHECK(next_request(q, &head));
		complete(q, head, 0);
		q->callback(q);
		work();
		CHECK_EQ(released, n);
	}
	CHECK(q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
	end();
}

/* A worker's turn has an end: others run between, and no interrupt comes before all is taken. */
UNIT_TEST(a_turn_takes_so_many)
{
	static const u32 after[] = { 64, 128, 150 };
	struct virtqueue *q;

	start(0, 0, 2);
	q = vd.vqs[0];
	CHECK_EQ(card->ops->open(card), 0);
	for (u32 n = 0; n < 150; n++) {
		u16 head;

		memset(pa_to_va(next_request(q, &head)->addr), 0, 100);
		complete(q, head, 12 + 60);
	}
	q->callback(q);
	for (u32 i = 0; i < ARRAY_SIZE(after); i++) {
		struct work *w = queued[0];

		CHECK_EQ(nqueued, 1);
		CHECK(q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT);
		nqueued = 0;
		w->queued = false;
		w->fn(w);
		CHECK_EQ(ncame, after[i]);
	}
	CHECK(!nqueued && !(q->avail->flags & VRING_AVAIL_F_NO_INTERRUPT));
	CHECK_EQ((u16)(q->avail->idx - q->used->idx), 256); /* the ring is full again */
	end();
}
