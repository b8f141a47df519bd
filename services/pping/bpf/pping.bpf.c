// SPDX-License-Identifier: GPL-2.0-only
/* pping.bpf.c — passive round-trip times: stores when an identifier leaves (or enters), and takes the time again when its
 * answer comes. The verdict is always neutral, and no packet is changed.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "pping.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct pping_config config = {};

#include "packet.bpf.h"
#include "xdp.bpf.h"
#include "maps.bpf.h"
#include "flow.bpf.h"
#include "rtt.bpf.h"
#include "prefix.bpf.h"
#include "sweep.bpf.h"

/* Brings the enumerations into the types. */
const struct pping_prefix *pping_prefix_layout __attribute__((unused));
const struct pping_prefix_traffic *pping_traffic_layout __attribute__((unused));
const enum pping_traffic *pping_traffic_kinds __attribute__((unused));
const enum pping_protocol_class *pping_protocol_classes __attribute__((unused));
const enum pping_reason *pping_reasons __attribute__((unused));
const enum pping_happening *pping_happenings __attribute__((unused));
const enum pping_method *pping_methods __attribute__((unused));
const enum pping_event_type *pping_event_types __attribute__((unused));
const enum pping_event_reason *pping_event_reasons __attribute__((unused));
const enum pping_event_source *pping_event_sources __attribute__((unused));
const enum pping_state *pping_states __attribute__((unused));

static __always_inline void pping_count(struct pping_flow *flow, const struct pping_packet *p)
{
	struct pping_direction *way = &flow->direction[p->reversed & 1];

	__sync_fetch_and_add(&way->packets, p->wire.packets);
	__sync_fetch_and_add(&way->l3_bytes, p->wire.l3_bytes);
	if (p->payload)
		__sync_fetch_and_add(&way->payload_bytes, p->payload);
	flow->seen_ns = pping_tick;
}

/* What a packet does to its flow: PPING_TRACKED, or the reason why it has none. */
static __always_inline __u32 pping_track(void *ctx, struct pping_packet *p)
{
	struct pping_flow *flow = bpf_map_lookup_elem(&flows, &p->key);
	struct pping_direction *way;
	__u32 reason;

	if (flow && p->flags & PPING_TCP_SYN && pping_supersede(flow, p))
		flow = 0;
	if (!flow) {
		if (!p->can_stamp || p->flags & (PPING_TCP_FIN | PPING_TCP_RST))
			return PPING_NOT_OPENED;
		reason = pping_create(p);
		if (reason != PPING_REASONS)
			return reason;
		flow = bpf_map_lookup_elem(&flows, &p->key);
		if (!flow)
			return PPING_NOT_OPENED;
	}
	pping_count(flow, p);
	way = &flow->direction[p->reversed & 1];
	if (way->state == PPING_EMPTY && p->can_stamp)
		pping_begin(way, p);
	if (way->state != PPING_EMPTY)
		pping_stamp(ctx, flow, p);
	pping_open(flow, p);
	pping_match(flow, p);
	if (p->method == PPING_QUIC_SPIN)
		pping_spin(flow, p);
	if (p->flags & (PPING_TCP_FIN | PPING_TCP_RST))
		pping_end(flow, p);
	return PPING_TRACKED;
}

/* A SYN that is not tracked still ends an earlier connection of its addresses and ports. */
static __always_inline void pping_forget(struct pping_packet *p)
{
	struct pping_flow *flow = bpf_map_lookup_elem(&flows, &p->key);

	if (flow)
		pping_supersede(flow, p);
}

/* The rest, alike for skbs and frames: `reason` is what pping_identify said. */
static __always_inline int pping_see(void *ctx, struct pping_packet *p, __u32 reason)
{
	struct pping_totals *sums;
	__u32 zero = 0;
	__u64 index;

	sums = bpf_map_lookup_elem(&totals, &zero);
	if (!sums)
		return 0;
	if (config.aggregate) {
		pping_count_protocol(sums, p);
		if (p->addressed)
			pping_count_prefixes(p);
	}
	if (reason == PPING_REASONS)
		reason = pping_track(ctx, p);
	else if (reason == PPING_SYN_SKIPPED)
		pping_forget(p);
	index = reason;
	/* So that the index is checked in the register that it is used from. */
	asm volatile("" : "+r"(index));
	if (index < PPING_REASONS)
		sums->packets[index] += p->wire.packets;
	return 0;
}

/* Global functions, so that the verifier does not look at them anew for every way in which a packet can be parsed. */
__attribute__((noinline)) int pping_see_skb(struct __sk_buff *skb, __u32 reason)
{
	struct pping_packet *p = pping_current();

	return p ? pping_see(skb, p, reason) : 0;
}

__attribute__((noinline)) int pping_see_frame(struct xdp_md *xdp, __u32 reason)
{
	struct pping_packet *p = pping_current();

	return p ? pping_see(xdp, p, reason) : 0;
}

/* What is not IP, or not what it claims to be. */
static __always_inline void pping_pass(int failed, __u64 packets, __u32 bytes)
{
	struct pping_totals *sums;
	__u32 zero = 0;

	sums = bpf_map_lookup_elem(&totals, &zero);
	if (!sums)
		return;
	sums->packets[failed == WM_NOT_IP ? PPING_NOT_IP : PPING_UNPARSABLE] += packets;
	if (!config.aggregate)
		return;
	sums->protocols[PPING_CLASS_NOT_IP].packets += packets;
	sums->protocols[PPING_CLASS_NOT_IP].l3_bytes += bytes;
}

/* The outer tag, which a card may have taken off. */
static __always_inline __u16 pping_vlan(struct __sk_buff *skb, const struct wm_packet *packet)
{
	const __be16 *tci = (void *)(long)skb->data + sizeof(struct ethhdr);

	if (!config.vlan_in_key)
		return 0;
	if (skb->vlan_present)
		return skb->vlan_tci & 0xfff;
	if (packet->l3_offset <= sizeof(struct ethhdr) || (void *)(tci + 1) > (void *)(long)skb->data_end)
		return 0;
	return bpf_ntohs(*tci) & 0xfff;
}

static __always_inline int pping_watch(struct __sk_buff *skb, __u32 ifindex)
{
	struct pping_packet *p = pping_fresh_packet(ifindex);
	struct wm_packet packet;
	__u32 reason;
	int failed;

	if (!p)
		return TC_ACT_UNSPEC;
	failed = wm_parse(skb, config.l2_length, &packet);
	if (failed) {
		pping_pass(failed, wm_segments(skb), skb->len - config.l2_length);
		return TC_ACT_UNSPEC;
	}
	p->key.vlan_id = pping_vlan(skb, &packet);
	wm_wire(skb, &packet, &p->wire);
	reason = pping_identify(skb, 0, (void *)(long)skb->data, (void *)(long)skb->data_end, &packet, p);
	p->segment = skb->gso_size ? skb->gso_size : p->payload;
	pping_see_skb(skb, reason);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int pping_egress(struct __sk_buff *skb)
{
	return pping_watch(skb, 0);
}

SEC("tc")
int pping_ingress(struct __sk_buff *skb)
{
	return pping_watch(skb, skb->ifindex);
}

SEC("xdp.frags")
int pping_xdp(struct xdp_md *xdp)
{
	struct pping_packet *p = pping_fresh_packet(xdp->ingress_ifindex);
	struct wm_packet packet = {};
	__u32 reason;
	int failed;

	if (!p)
		return XDP_PASS;
	failed = pping_parse_xdp(xdp, config.l2_length, &packet);
	if (failed) {
		pping_pass(failed, 1, bpf_xdp_get_buff_len(xdp) - config.l2_length);
		return XDP_PASS;
	}
	p->wire.packets = 1;
	p->wire.l3_bytes = packet.l3_bytes;
	reason = pping_identify(xdp, 1, (void *)(long)xdp->data, (void *)(long)xdp->data_end, &packet, p);
	p->segment = p->payload;
	pping_see_frame(xdp, reason);
	return XDP_PASS;
}
