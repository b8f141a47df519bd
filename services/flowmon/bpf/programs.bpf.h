/* SPDX-License-Identifier: GPL-2.0-only */
/* programs.bpf.h — the programs, by the clock FLOWMON_NOW(skb). One look into the table and one lock a packet; each flow
 * has a bank of figures for the open interval and one for the interval before, which user space reads at rest. Which is
 * open follows from the packet's own time of arrival. The verdict is always neutral.
 */
#ifndef FLOWMON_PROGRAMS_BPF_H
#define FLOWMON_PROGRAMS_BPF_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "flowmon.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct flowmon_config config = {};

#include "key.bpf.h"
#include "table.bpf.h"
#include "stream.bpf.h"
#include "datagram.bpf.h"

#define FLOWMON_MS 1000000ull

/* The gap before a packet; segments of one super-packet follow each other without. */
static __always_inline void flowmon_add_gap(struct flowmon_flow *flow, struct flowmon_bank *bank, __u64 now,
					    __u64 packets)
{
	__s64 gap = now - flow->last_ns;
	__u64 square;

	if (flow->last_ns && gap > FLOWMON_PAUSE_NS) {
		bank->restarts++;
		bank->gaps = bank->super_gaps = bank->gap_sum_ns = 0;
		bank->gap_squares_low = bank->gap_squares_high = 0;
	} else if (flow->last_ns) {
		/* Two CPUs may take the lock in the other order than they read the clock. */
		if (gap < 0)
			gap = 0;
		bank->gaps++;
		bank->gap_sum_ns += gap;
		square = (__u64)gap * gap;
		bank->gap_squares_low += square;
		if (bank->gap_squares_low < square)
			bank->gap_squares_high++;
	}
	bank->gaps += packets - 1;
	bank->super_gaps += packets - 1;
}

/* Windows are aligned; they begin anew with the first packet behind their end. */
static __always_inline void flowmon_add_burst(struct flowmon_flow *flow, struct flowmon_bank *bank, __u64 now,
					      __u64 l3_bytes)
{
	if (now >= flow->window_1ms_end_ns) {
		flow->window_1ms_end_ns = now - now % FLOWMON_MS + FLOWMON_MS;
		flow->window_1ms_l3_bytes = 0;
		if (now >= flow->window_10ms_end_ns) {
			flow->window_10ms_end_ns = now - now % (10 * FLOWMON_MS) + 10 * FLOWMON_MS;
			flow->window_10ms_l3_bytes = 0;
		}
	}
	flow->window_1ms_l3_bytes += l3_bytes;
	flow->window_10ms_l3_bytes += l3_bytes;
	if (flow->window_1ms_l3_bytes > bank->burst_1ms_l3_bytes)
		bank->burst_1ms_l3_bytes = flow->window_1ms_l3_bytes;
	if (flow->window_10ms_l3_bytes > bank->burst_10ms_l3_bytes)
		bank->burst_10ms_l3_bytes = flow->window_10ms_l3_bytes;
}

/* Adds a packet to its flow, under the lock. */
static __always_inline void flowmon_add(struct flowmon_flow *flow, const struct flowmon_transport *transport,
					const struct wm_wire *wire, struct flowmon_moment *moment)
{
	struct flowmon_bank *bank = &flow->banks[moment->epoch & 1];
	__u32 fresh = transport->payload;

	if (bank->epoch != moment->epoch) {
		__builtin_memset(bank, 0, sizeof(*bank));
		bank->epoch = moment->epoch;
	}
	bank->packets += wire->packets;
	bank->l3_bytes += wire->l3_bytes;
	bank->payload_bytes += transport->payload;
	if (config.gaps)
		flowmon_add_gap(flow, bank, moment->now, wire->packets);
	if ((__s64)(moment->now - flow->last_ns) > 0)
		flow->last_ns = moment->now;
	if (config.bursts)
		flowmon_add_burst(flow, bank, moment->now, wire->l3_bytes);
	if (transport->class == FLOWMON_TCP && transport->whole)
		fresh = flowmon_segment(flow, bank, transport->sequence, transport->payload, wire->packets,
					transport->flags & FLOWMON_TCP_SYN,
					flowmon_settings_now()->place.threshold, &moment->forgotten);
	bank->goodput_bytes += fresh;
}

/* Counts a packet; FLOWMON_ADMITTED, or the reason why it is in no flow. */
static __always_inline __u32 flowmon_count(struct __sk_buff *skb, __u32 direction)
{
	struct flowmon_key key __attribute__((aligned(8)));
	struct flowmon_moment moment = { .skb = skb };
	struct flowmon_transport transport;
	struct flowmon_flow *flow;
	struct wm_packet packet;
	struct wm_wire wire;
	__u64 turn, generation;
	int class, failed;
	__u32 admitted;

	failed = wm_parse(skb, config.l2_length, &packet);
	if (failed)
		return failed == WM_NOT_IP ? FLOWMON_NOT_IP : FLOWMON_UNPARSABLE;
	class = flowmon_class_of(&packet);
	if (class < 0)
		return FLOWMON_OTHER_PROTOCOL;
	if (flowmon_read_key(skb, &packet, config.l2_length, direction, &key) ||
	    flowmon_read_transport(skb, &packet, class, &transport, &key))
		return FLOWMON_UNPARSABLE;
	turn = flowmon_turn;
	if (!turn)
		return FLOWMON_INACTIVE;
	wm_wire(skb, &packet, &wire);
	moment.now = FLOWMON_NOW(skb);
	moment.epoch = (turn + (moment.now >= (turn & ~(__u64)FLOWMON_EPOCH_MASK))) & FLOWMON_EPOCH_MASK;
	moment.tag = flowmon_tag(&key);
	generation = flowmon_settings_now()->generation;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow || flow->generation != generation) {
		admitted = flowmon_admit(&key, class, transport.whole, moment.tag);
		if (admitted != FLOWMON_ADMITTED)
			return admitted;
		if (!flow)
			flow = bpf_map_lookup_elem(&flows, &key);
	}
	if (!flow) {
		flowmon_overflows(moment.epoch, direction, class, &wire, transport.payload);
		return FLOWMON_ADMITTED;
	}
	bpf_spin_lock(&flow->lock);
	if (flow->tag != moment.tag) {
		/* Removed, or another flow has its place, since we looked. */
		bpf_spin_unlock(&flow->lock);
		flowmon_overflows(moment.epoch, direction, class, &wire, transport.payload);
		return FLOWMON_ADMITTED;
	}
	if (flow->generation != generation) {
		/* Numbers are elsewhere now. */
		if (class != FLOWMON_TCP && (flow->generation ^ generation) >> 32)
			flow->started = 0;
		flow->generation = generation;
	}
	flowmon_add(flow, &transport, &wire, &moment);
	bpf_spin_unlock(&flow->lock);
	if (moment.forgotten)
		flowmon_note(FLOWMON_FORGOTTEN_BYTES, moment.forgotten);
	if (class == FLOWMON_TCP || !transport.whole)
		return FLOWMON_ADMITTED;
	moment.named = flowmon_rtp_named(class, key.destination_port);
	if (moment.named == FLOWMON_RTP_NEVER && !(config.loss && flowmon_settings_now()->place.mode))
		return FLOWMON_ADMITTED;
	moment.flow = flow;
	moment.offset = packet.l4_offset + transport.header;
	moment.length = transport.payload;
	moment.segment = skb->gso_size;
	flowmon_datagrams(&moment, wire.packets);
	return FLOWMON_ADMITTED;
}

static __always_inline int flowmon_see(struct __sk_buff *skb, __u32 direction)
{
	__u32 reason = flowmon_count(skb, direction);
	__u64 *count;

	if (reason == FLOWMON_ADMITTED)
		return TC_ACT_UNSPEC;
	count = bpf_map_lookup_elem(&reasons, &reason);
	if (count)
		*count += wm_segments(skb);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int flowmon_ingress(struct __sk_buff *skb)
{
	return flowmon_see(skb, FLOWMON_INGRESS);
}

SEC("tc")
int flowmon_egress(struct __sk_buff *skb)
{
	return flowmon_see(skb, FLOWMON_EGRESS);
}

static long flowmon_reap_one(void *map, struct flowmon_key *key, struct flowmon_flow *found, __u64 *before_ns)
{
	struct flowmon_flow *flow;
	int idle;

	if (found->last_ns >= *before_ns)
		return 0;
	/* Looked up again: before Linux 6.2 the verifier takes no lock through the pointer that a callback is given. */
	flow = bpf_map_lookup_elem(&flows, key);
	if (!flow)
		return 0;
	bpf_spin_lock(&flow->lock);
	idle = flow->last_ns < *before_ns;
	if (idle)
		flow->tag = 0;
	bpf_spin_unlock(&flow->lock);
	if (idle)
		bpf_map_delete_elem(&flows, key);
	return 0;
}

/* Run by user space: removes the flows whose last packet came before `skb->tstamp`; it has read all their figures. */
SEC("tc")
int flowmon_reap(struct __sk_buff *skb)
{
	__u64 before_ns = skb->tstamp;

	bpf_for_each_map_elem(&flows, flowmon_reap_one, &before_ns, 0);
	return 0;
}

#endif
