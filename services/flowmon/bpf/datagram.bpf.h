/* SPDX-License-Identifier: GPL-2.0-only */
/* datagram.bpf.h — reads the payload of UDP and ICMP: sequence numbers and RTP, of every datagram of a super-packet. */
#ifndef FLOWMON_DATAGRAM_BPF_H
#define FLOWMON_DATAGRAM_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flowmon.h"
#include "numbers.bpf.h"
#include "rtp.bpf.h"
#include "search.bpf.h"

/* What the datagrams of one packet share. */
struct flowmon_walk {
	struct __sk_buff *skb;
	struct flowmon_flow *flow;
	const struct flowmon_place *place;
	__u64 now;
	__s64 named;	/* as of flowmon_rtp_named */
	__u32 tag;
	__u32 epoch;
	__u32 offset;	/* of the first datagram's payload */
	__u32 length;	/* of all payloads */
	__u32 segment;	/* of one payload */
	__u32 udp;
};

/* The number in `raw`, as memory holds it. */
static __always_inline __u64 flowmon_decode(__u64 raw, const struct flowmon_place *place)
{
	if (place->width == 2)
		return place->little_endian ? raw & 0xffff : bpf_ntohs((__u16)raw);
	if (place->width == 4)
		return place->little_endian ? raw & 0xffffffff : bpf_ntohl((__u32)raw);
	return place->little_endian ? raw : bpf_be64_to_cpu(raw);
}

static __always_inline int flowmon_load(struct __sk_buff *skb, __u32 offset, __u32 width, __u64 *raw)
{
	*raw = 0;
	if (width == 2)
		return bpf_skb_load_bytes(skb, offset, raw, 2);
	if (width == 4)
		return bpf_skb_load_bytes(skb, offset, raw, 4);
	return bpf_skb_load_bytes(skb, offset, raw, 8);
}

/* Finds and reads the number of a payload; 0 if there is one. */
static __always_inline int flowmon_read_number(struct __sk_buff *skb, __u32 offset, __u32 length,
					       const struct flowmon_place *place, __u64 *number)
{
	__s64 at = place->offset;
	int found;

	if (length < place->width)
		return -1;
	if (place->mode == FLOWMON_BY_PATTERN) {
		if (length < FLOWMON_PATTERN_BYTES)
			return -1;
		found = flowmon_find(skb, offset, length, place->pattern);
		if (found < 0)
			return -1;
		at += found;
	}
	if (at < 0 || at + place->width > length || flowmon_load(skb, offset + at, place->width, number))
		return -1;
	*number = flowmon_decode(*number, place);
	return 0;
}

/* One datagram; its payload is `length` octets at `offset`. */
static __noinline int flowmon_datagram(struct flowmon_walk *walk, __u32 offset, __u32 length)
{
	struct flowmon_rtp_header header = {};
	struct flowmon_flow *flow;
	struct flowmon_bank *bank;
	int numbered = 0, rtp = 0;
	__u64 number = 0;
	__u32 rate = 0;

	if (!walk)
		return 0;
	flow = walk->flow;
	if (config.loss && walk->place->mode) {
		numbered = !flowmon_read_number(walk->skb, offset, length, walk->place, &number);
		if (!numbered)
			flowmon_note(FLOWMON_UNNUMBERED, 1);
	}
	if (config.rtp && walk->udp && (walk->named >= 0 || config.rtp & FLOWMON_RTP_RECOGNISED) &&
	    length >= sizeof(header) && !bpf_skb_load_bytes(walk->skb, offset, &header, sizeof(header))) {
		rtp = flowmon_is_rtp(&header);
		rate = walk->named > 0 ? walk->named : config.rtp_rates[header.type & 0x7f];
	}
	if (!numbered && !rtp)
		return 0;
	bpf_spin_lock(&flow->lock);
	if (flow->tag == walk->tag) {
		bank = &flow->banks[walk->epoch & 1];
		if (config.loss && numbered)
			flowmon_number(flow, bank, number, walk->place);
		if (config.rtp && rtp)
			flowmon_rtp_packet(&flow->rtp, bank, &header, walk->now, walk->named, rate);
	}
	bpf_spin_unlock(&flow->lock);
	return 0;
}

static long flowmon_walk_on(__u32 index, void *context)
{
	struct flowmon_walk *walk = context;
	__u32 at = index * walk->segment, length;

	if (at >= walk->length)
		return 1;
	length = walk->length - at;
	if (length > walk->segment)
		length = walk->segment;
	flowmon_datagram(walk, walk->offset + at, length);
	return 0;
}

/* All datagrams of a packet; of a super-packet each payload but the last has gso_size octets. */
static __always_inline void flowmon_datagrams(struct flowmon_walk *walk, __u32 packets)
{
	if (!walk->segment || packets <= 1) {
		flowmon_datagram(walk, walk->offset, walk->length);
		return;
	}
	bpf_loop(FLOWMON_MAX_SEGMENTS, flowmon_walk_on, walk, 0);
	if (packets > FLOWMON_MAX_SEGMENTS)
		flowmon_note(FLOWMON_UNREAD_SEGMENTS, packets - FLOWMON_MAX_SEGMENTS);
}

#endif
