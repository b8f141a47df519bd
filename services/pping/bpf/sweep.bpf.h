/* SPDX-License-Identifier: GPL-2.0-only */
/* sweep.bpf.h — removes what is over. Run by user space as a test run, without a packet. */
#ifndef PPING_SWEEP_BPF_H
#define PPING_SWEEP_BPF_H

#include "flow.bpf.h"

struct bpf_map;

struct pping_sweeping {
	__u64 now;
};

/* Of the last sweep. Not on the stack, where the verifier would follow it from number to number. */
static __u32 pping_removed = 0;

static long pping_sweep_stamp(struct bpf_map *map, const struct pping_stamp_key *at, __u64 *stored,
			      struct pping_sweeping *sweeping)
{
	__u64 lifetime = PPING_STAMP_LIFETIME_NS, rtt = 0, then = *stored & ~PPING_VOID;
	struct pping_direction *way = 0;
	struct pping_stamp_key key;
	struct pping_flow *flow;

	__builtin_memcpy(&key, at, sizeof(key));
	flow = bpf_map_lookup_elem(&flows, &key.flow);
	if (flow && (__u16)flow->id == key.generation) {
		way = &flow->direction[key.direction & 1];
		rtt = way->smoothed_rtt_ns;
	}
	if (rtt && rtt * PPING_STAMP_LIFETIME_RTTS < lifetime)
		lifetime = rtt * PPING_STAMP_LIFETIME_RTTS;
	if (sweeping->now <= then || sweeping->now - then <= lifetime)
		return 0;
	if (bpf_map_delete_elem(&stamps, &key))
		return 0;
	if (way)
		__sync_fetch_and_add(&way->outstanding, -1);
	pping_removed++;
	return 0;
}

static __always_inline int pping_is_over(const struct pping_direction *way, __u8 protocol, __u64 age)
{
	if (way->state == PPING_EMPTY || way->state == PPING_CLOSED)
		return age > PPING_CLOSED_LIFETIME_NS;
	if (way->state == PPING_WAIT_OPEN || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		return age > PPING_SHORT_LIFETIME_NS;
	return age > PPING_FLOW_LIFETIME_NS;
}

static __always_inline void pping_tell_timeout(const struct pping_key *key, struct pping_flow *flow, __u8 direction, __u64 now)
{
	struct pping_direction *way = &flow->direction[direction & 1];
	struct pping_news news = {
		.at_ns = now,
		.type = PPING_EVENT_CLOSING,
		.direction = direction,
		.reason = PPING_REASON_TIMEOUT,
		.triggered_by = PPING_SOURCE_SWEEP,
		.min_rtt_ns = way->min_rtt_ns,
	};

	if (way->state == PPING_OPEN && config.events)
		pping_tell(key, flow, &news);
}

static long pping_sweep_flow(struct bpf_map *map, const struct pping_key *at, struct pping_flow *flow,
			     struct pping_sweeping *sweeping)
{
	struct pping_key key;
	__u64 age;

	/* Most flows end here: one that has just been seen is not looked at any further. */
	if (sweeping->now <= flow->seen_ns + PPING_CLOSED_LIFETIME_NS)
		return 0;
	__builtin_memcpy(&key, at, sizeof(key));
	age = sweeping->now - flow->seen_ns;
	if (!pping_is_over(&flow->direction[0], key.protocol, age) ||
	    !pping_is_over(&flow->direction[1], key.protocol, age))
		return 0;
	pping_tell_timeout(&key, flow, 0, sweeping->now);
	pping_tell_timeout(&key, flow, 1, sweeping->now);
	pping_remove(flow, &key, sweeping->now);
	return ++pping_removed >= PPING_MAX_REMOVALS;
}

/* Removes stamps that nobody answered. */
SEC("tc")
int pping_sweep_stamps(struct __sk_buff *skb)
{
	struct pping_sweeping sweeping = { .now = bpf_ktime_get_ns() };
	struct pping_totals *sums;
	__u32 zero = 0;

	pping_removed = 0;
	bpf_for_each_map_elem(&stamps, pping_sweep_stamp, &sweeping, 0);
	sums = bpf_map_lookup_elem(&totals, &zero);
	pping_happened(sums, PPING_STAMPS_EXPIRED, pping_removed);
	return 0;
}

/* Removes flows that are over: answers how many. Ages are told by the tick before, so that a sweep that comes late is never
 * a reason to call a flow silent; mark 1 begins the next tick. */
SEC("tc")
int pping_sweep_flows(struct __sk_buff *skb)
{
	struct pping_sweeping sweeping = { .now = pping_tick };

	pping_removed = 0;
	bpf_for_each_map_elem(&flows, pping_sweep_flow, &sweeping, 0);
	if (skb->mark)
		pping_tick = bpf_ktime_get_ns();
	return pping_removed;
}

#endif
