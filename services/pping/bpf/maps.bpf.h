/* SPDX-License-Identifier: GPL-2.0-only */
/* maps.bpf.h — what pping remembers and how it tells of it. */
#ifndef PPING_MAPS_BPF_H
#define PPING_MAPS_BPF_H

#include <bpf/bpf_helpers.h>
#include "packet.bpf.h"

/* Flows by both ends. Packets begin them, the sweep removes them; what finds no room is counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct pping_key);
	__type(value, struct pping_flow);
} flows SEC(".maps");

/* When an identifier passed, with PPING_VOID if it passed twice and tells nothing. An answer removes it, or the sweep. */
#define PPING_VOID (1ULL << 63)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct pping_stamp_key);
	__type(value, __u64);
} stamps SEC(".maps");

/* Samples and flow events. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
	__type(value, struct pping_event);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pping_totals);
} totals SEC(".maps");

struct pping_fresh {
	__u64 words[sizeof(struct pping_flow) / sizeof(__u64)];
};

/* Where a new flow is made ready: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pping_fresh);
} fresh SEC(".maps");

struct pping_prefix_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct pping_prefix);
	__type(value, struct pping_prefix_traffic);
};

/* Traffic by prefix, with --aggregate: user space swaps an empty table in and reads the old one at rest. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct pping_prefix_table);
} prefixes SEC(".maps");

/* CLOCK_MONOTONIC at the last sweep: what flows are dated by. */
__u64 pping_tick = 0;
/* Of the flow that was begun last. */
__u64 pping_last_flow = 0;

/* The packet that is looked at: what is known of it is too much for the stack. A program is not interrupted by another one
 * of its kind on its processor.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pping_packet);
} packets SEC(".maps");

static __always_inline struct pping_packet *pping_current(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&packets, &zero);
}

static __always_inline struct pping_packet *pping_fresh_packet(__u32 ifindex)
{
	struct pping_packet *p = pping_current();

	if (!p)
		return 0;
	/* Key and wire are written before they are read, whatever the packet is. */
	__builtin_memset(&p->now, 0, sizeof(*p) - __builtin_offsetof(struct pping_packet, now));
	p->key.vlan_id = 0;
	p->key._pad = 0;
	p->ifindex = ifindex;
	return p;
}

static __always_inline void pping_happened(struct pping_totals *sums, __u32 what, __u64 times)
{
	if (sums)
		sums->happenings[what] += times;
}

/* The same where the counters are not at hand. */
static __noinline int pping_note(__u32 what)
{
	__u32 zero = 0;
	struct pping_totals *sums = bpf_map_lookup_elem(&totals, &zero);

	if (sums && what < PPING_HAPPENINGS)
		sums->happenings[what]++;
	return 0;
}

/* What is to be told, beside the flow. */
struct pping_news {
	__u64 at_ns;
	__u64 rtt_ns;
	__u64 min_rtt_ns;
	__u16 confidence;
	__u8 type;
	__u8 method;
	__u8 local;
	__u8 reason;
	__u8 triggered_by;
	__u8 direction;
};

static __noinline int pping_tell(const struct pping_key *key, const struct pping_flow *flow, const struct pping_news *news)
{
	const struct pping_direction *measured, *answers;
	struct pping_event *event;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		pping_note(PPING_EVENTS_LOST);
		return -1;
	}
	measured = &flow->direction[news->direction & 1];
	answers = &flow->direction[!(news->direction & 1)];
	event->flow_id = flow->id;
	event->at_ns = news->at_ns;
	event->rtt_ns = news->rtt_ns;
	event->min_rtt_ns = news->min_rtt_ns;
	event->packets[0] = measured->packets;
	event->packets[1] = answers->packets;
	event->l3_bytes[0] = measured->l3_bytes;
	event->l3_bytes[1] = answers->l3_bytes;
	event->payload_bytes[0] = measured->payload_bytes;
	event->payload_bytes[1] = answers->payload_bytes;
	if (news->direction & 1) {
		__builtin_memcpy(event->source, key->low, 16);
		__builtin_memcpy(event->destination, key->high, 16);
		event->source_port = key->low_port;
		event->destination_port = key->high_port;
	} else {
		__builtin_memcpy(event->source, key->high, 16);
		__builtin_memcpy(event->destination, key->low, 16);
		event->source_port = key->high_port;
		event->destination_port = key->low_port;
	}
	event->vlan_id = key->vlan_id;
	event->confidence = news->confidence;
	event->protocol = key->protocol;
	event->type = news->type;
	event->method = news->method;
	event->local = news->local;
	event->reason = news->reason;
	event->triggered_by = news->triggered_by;
	event->direction = news->direction & 1;
	event->_pad = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
