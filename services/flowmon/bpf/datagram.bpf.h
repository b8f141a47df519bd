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

/* When and as what a packet counts, and where its datagrams are. */
struct flowmon_moment {
	struct __sk_buff *skb;
	struct flowmon_flow *flow;
	__u64 now;
	__s64 named; /* as of flowmon_rtp_named */
	__u32 tag;
	__u32 epoch;
	__u32 forgotten; /* octets of TCP, see FLOWMON_FORGOTTEN_BYTES */
	__u32 offset;	 /* of the first datagram's payload */
	__u32 length;	 /* of all payloads */
	__u32 segment;	 /* of one payload */
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

	/* Too short even if the pattern came first: it is not looked for. */
	if (at + place->width > length || length < place->width)
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
static __noinline int flowmon_datagram(struct flowmon_moment *moment, __u32 offset, __u32 length)
{
	const struct flowmon_place *place = &flowmon_settings_now()->place;
	struct flowmon_rtp_header header = {};
	struct flowmon_flow *flow;
	struct flowmon_bank *bank;
	int numbered = 0, rtp = 0;
	__u64 number = 0;
	__u32 rate = 0;

	if (!moment)
		return 0;
	flow = moment->flow;
	if (config.loss && place->mode) {
		numbered = !flowmon_read_number(moment->skb, offset, length, place, &number);
		if (!numbered)
			flowmon_note(FLOWMON_UNNUMBERED, 1);
	}
	if (config.rtp && (moment->named >= 0 || moment->named == FLOWMON_RTP_PERHAPS) &&
	    length >= sizeof(header) && !bpf_skb_load_bytes(moment->skb, offset, &header, sizeof(header))) {
		rtp = flowmon_is_rtp(&header);
		rate = moment->named > 0 ? moment->named : config.rtp_rates[header.type & 0x7f];
	}
	if (!numbered && !rtp)
		return 0;
	bpf_spin_lock(&flow->lock);
	if (flow->tag == moment->tag) {
		bank = &flow->banks[moment->epoch & 1];
		if (config.loss && numbered)
			flowmon_number(flow, bank, number, place);
		if (config.rtp && rtp)
			flowmon_rtp_packet(&flow->rtp, bank, &header, moment->now, moment->named, rate);
	}
	bpf_spin_unlock(&flow->lock);
	return 0;
}

static long flowmon_walk_on(__u32 index, void *context)
{
	struct flowmon_moment *moment = context;
	__u32 at = index * moment->segment, length;

	if (at >= moment->length)
		return 1;
	length = moment->length - at;
	if (length > moment->segment)
		length = moment->segment;
	flowmon_datagram(moment, moment->offset + at, length);
	return 0;
}

/* All datagrams of a packet; of a super-packet each payload but the last has gso_size octets. */
static __always_inline void flowmon_datagrams(struct flowmon_moment *moment, __u32 packets)
{
	if (!moment->segment || packets <= 1) {
		flowmon_datagram(moment, moment->offset, moment->length);
		return;
	}
	bpf_loop(FLOWMON_MAX_SEGMENTS, flowmon_walk_on, moment, 0);
	if (packets > FLOWMON_MAX_SEGMENTS)
		flowmon_note(FLOWMON_UNREAD_SEGMENTS, packets - FLOWMON_MAX_SEGMENTS);
}

#endif
