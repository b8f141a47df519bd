// SPDX-License-Identifier: GPL-2.0-only
/* altmark.bpf.c — alternate marking (RFC 9341): the source marks and counts at egress, the sink counts and clears at
 * ingress. One reading of the current block decides both the mark and the counter, so that a packet is always counted
 * under the colour that it carries. The verdict is always neutral.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "altmark.h"

#ifndef IPPROTO_IGMP
#define IPPROTO_IGMP 2
#endif

char LICENSE[] SEC("license") = "GPL";

const volatile struct altmark_config config = {};

#include "clock.bpf.h"
#include "flow.bpf.h"

/* Wire packets that are in no block, by reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ALTMARK_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} reasons SEC(".maps");

/* Where this agent's reports go; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct altmark_own_reports);
} own_reports SEC(".maps");

/* Destinations of sampled packets, a ring; only where there are no rules. User space reads it, nobody clears it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ALTMARK_MAX_SAMPLES);
	__type(key, __u32);
	__type(value, struct altmark_sample);
} samples SEC(".maps");

static __u64 altmark_samples = 0;

/* Four packets a block are enough to tell where most of them go. */
static __noinline int altmark_take_sample(struct __sk_buff *skb, const struct wm_packet *packet)
{
	struct altmark_flow_key key __attribute__((aligned(8)));
	__u32 index = __sync_fetch_and_add(&altmark_samples, 1) & (ALTMARK_MAX_SAMPLES - 1);
	struct altmark_sample *sample = bpf_map_lookup_elem(&samples, &index);

	altmark_sample_wanted = 0;
	if (!packet || !sample || altmark_key(skb, packet, 0, &key))
		return 0;
	__builtin_memcpy(sample->destination, key.destination, sizeof(sample->destination));
	return 0;
}

static __always_inline void altmark_leave_out(struct __sk_buff *skb, __u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&reasons, &reason);

	if (count)
		*count += wm_segments(skb);
}

/* 1 if the process that holds this filter has not been heard of for too long (DESIGN: lease). */
static __always_inline int altmark_lease_expired(void)
{
	struct altmark_control *order;
	__u32 zero = 0;

	if (!config.leased)
		return 0;
	order = bpf_map_lookup_elem(&control, &zero);
	return !order || bpf_ktime_get_coarse_ns() > order->lease_until_ns;
}

/* The open block, or 0 with the reason why there is none. */
static __always_inline __u64 altmark_open_block(__u32 *reason)
{
	__u64 now = altmark_now;

	if (!(now & ALTMARK_ACTIVE)) {
		*reason = now && (now >> ALTMARK_PHASE_BITS) >= altmark_last_block ? ALTMARK_SLOT_BUSY :
										     ALTMARK_INACTIVE;
		return 0;
	}
	if (altmark_lease_expired()) {
		*reason = ALTMARK_LEASE_EXPIRED;
		return 0;
	}
	return now;
}

/* Addresses that are not forwarded: multicast, broadcast and reserved, link-local, unspecified. IPv4 in host order, IPv6
 * in memory order. */
static __always_inline int altmark_local_ipv4(__u32 address)
{
	return address >= 0xe0000000 || (address >> 16) == 0xa9fe || !address;
}

static __always_inline int altmark_local_ipv6(__u64 first, __u64 second)
{
	return (first & 0xff) == 0xff || (first & 0xc0ff) == 0x80fe || !(first | second);
}

/* ICMPv6 that concerns the link alone: MLD, neighbour discovery, MLDv2 report. */
static __always_inline int altmark_local_icmpv6(struct __sk_buff *skb, const struct wm_packet *packet)
{
	__u8 type;

	if (packet->protocol != IPPROTO_ICMPV6 || !packet->transport ||
	    bpf_skb_load_bytes(skb, packet->l4_offset, &type, 1))
		return 0;
	return (type >= 130 && type <= 137) || type == 143;
}

/* 1 if the packet does not reach the far end, so that it must not be counted. */
static __always_inline int altmark_local_scope(struct __sk_buff *skb, const struct wm_packet *packet)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	void *l3 = wm_l3(skb, packet);

	if (packet->hops <= 1)
		return 1;
	/* A group address of the link: broadcast to a subnet shows nowhere else. */
	if (config.l2_length && data + 1 <= end && *(__u8 *)data & 1)
		return 1;
	if (packet->version == 4) {
		struct iphdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return 1;
		return packet->protocol == IPPROTO_IGMP || altmark_local_ipv4(bpf_ntohl(ip->daddr)) ||
		       altmark_local_ipv4(bpf_ntohl(ip->saddr));
	} else {
		__u64 *word = l3 + 8;

		if ((void *)(word + 4) > end)
			return 1;
		return altmark_local_ipv6(word[0], word[1]) || altmark_local_ipv6(word[2], word[3]) ||
		       altmark_local_icmpv6(skb, packet);
	}
}

static __noinline int altmark_is_report(struct __sk_buff *skb, const struct wm_packet *packet,
					const struct altmark_own_reports *own)
{
	struct altmark_flow_key key __attribute__((aligned(8)));
	const __u64 *to = (const __u64 *)key.destination;
	__u32 i;

	if (!packet || !own || altmark_key(skb, packet, 0, &key))
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < ALTMARK_MAX_REPORTS; i++) {
		const struct altmark_endpoint *end = &own->endpoints[i];
		const __u64 *address = (const __u64 *)end->address;

		if (i >= own->count)
			break;
		if (end->port == key.destination_port && address[0] == to[0] && address[1] == to[1])
			return 1;
	}
	return 0;
}

static __always_inline int altmark_own_report(struct __sk_buff *skb, const struct wm_packet *packet)
{
	struct altmark_own_reports *own;
	__u32 zero = 0;

	if (packet->protocol != IPPROTO_TCP || packet->fragment)
		return 0;
	own = bpf_map_lookup_elem(&own_reports, &zero);
	return own && own->count && altmark_is_report(skb, packet, own);
}

static __always_inline int altmark_write_ipv4(struct __sk_buff *skb, const struct wm_packet *packet, __u8 tos)
{
	struct iphdr *ip = wm_l3(skb, packet);
	__u32 sum;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return -1;
	/* RFC 1624: HC' = ~(~HC + ~m + m'); the TOS is the low octet of its word in network order. */
	sum = (__u16)~ip->check + (__u16)~bpf_htons(ip->tos) + bpf_htons(tos);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
	ip->tos = tos;
	return 0;
}

/* A checksum that the card computed over the whole packet (CHECKSUM_COMPLETE) must follow; the helper changes no other. */
static __always_inline int altmark_write_ipv6(struct __sk_buff *skb, const struct wm_packet *packet, __u8 traffic_class)
{
	__u16 *word = wm_l3(skb, packet), before, after;

	if ((void *)(word + 1) > (void *)(long)skb->data_end)
		return -1;
	before = *word;
	after = bpf_htons((bpf_ntohs(before) & 0xf00f) | traffic_class << 4);
	*word = after;
	bpf_csum_update(skb, (__u32)(__u16)~before + after);
	return 0;
}

/* Writes TOS or Traffic Class; checksums over it stay valid. */
static __always_inline int altmark_write_tos(struct __sk_buff *skb, const struct wm_packet *packet, __u8 tos)
{
	return packet->version == 4 ? altmark_write_ipv4(skb, packet, tos) : altmark_write_ipv6(skb, packet, tos);
}

/* Marks and counts; ALTMARK_REASONS, or the reason why not. */
static __always_inline __u32 altmark_mark(struct __sk_buff *skb)
{
	struct wm_packet packet;
	struct wm_wire wire;
	__u32 reason = 0;
	int rule = 0, failed;
	__u64 now, block;

	failed = wm_parse(skb, config.l2_length, &packet);
	if (failed)
		return failed == WM_NOT_IP ? ALTMARK_NOT_IP : ALTMARK_UNPARSABLE;
	if (packet.tos & ALTMARK_DSCP_MASK)
		return ALTMARK_DSCP_IN_USE;
	if (altmark_local_scope(skb, &packet))
		return ALTMARK_LOCAL_SCOPE;
	if (altmark_own_report(skb, &packet))
		return ALTMARK_OWN_REPORT;
	if (config.rules)
		rule = altmark_match(skb, &packet);
	if (rule < 0)
		return ALTMARK_NO_MATCH;
	now = altmark_open_block(&reason);
	if (!now)
		return reason;
	block = now >> ALTMARK_PHASE_BITS;
	wm_wire(skb, &packet, &wire);
	if (altmark_write_tos(skb, &packet, packet.tos | ALTMARK_MARK | (block & 1 ? ALTMARK_COLOUR : 0)))
		return ALTMARK_MARK_FAILED;
	altmark_count_packet(skb, &packet, &wire, block, rule, 0);
	if (!config.rules && altmark_sample_wanted)
		altmark_take_sample(skb, &packet);
	return ALTMARK_REASONS;
}

/* The block of a marked packet: the open one, or the neighbour of the other colour that is nearer in time. */
static __always_inline __u64 altmark_block_of(__u64 now, __u8 tos, __u32 *out_of_guard)
{
	__u64 block = now >> ALTMARK_PHASE_BITS;
	__u32 phase = now & ALTMARK_PHASE_MASK;
	__u32 other = (block & 1) != (tos & ALTMARK_COLOUR ? 1 : 0);

	*out_of_guard = other && (phase == ALTMARK_PHASE_FIRST_HALF || phase == ALTMARK_PHASE_SECOND_HALF);
	if (!other)
		return block;
	return phase <= ALTMARK_PHASE_FIRST_HALF ? block - 1 : block + 1;
}

/* Counts and clears; ALTMARK_REASONS, or the reason why not. */
static __always_inline __u32 altmark_clear(struct __sk_buff *skb)
{
	__u32 reason = 0, out_of_guard = 0;
	struct wm_packet packet;
	struct wm_wire wire;
	int rule = 0, failed;
	__u64 now, block;

	failed = wm_parse(skb, config.l2_length, &packet);
	if (failed)
		return failed == WM_NOT_IP ? ALTMARK_NOT_IP : ALTMARK_UNPARSABLE;
	if ((packet.tos & ALTMARK_MARK_MASK) != ALTMARK_MARK)
		return ALTMARK_UNMARKED;
	now = altmark_open_block(&reason);
	if (!now && reason == ALTMARK_LEASE_EXPIRED)
		return reason;
	if (config.rules)
		rule = altmark_match(skb, &packet);
	wm_wire(skb, &packet, &wire);
	if (!config.keep_marks && altmark_write_tos(skb, &packet, packet.tos & WM_ECN_MASK))
		return ALTMARK_MARK_FAILED;
	if (rule < 0 && (!now || !packet.fragment))
		return ALTMARK_UNMATCHED;
	if (!now)
		return reason;
	block = altmark_block_of(now, packet.tos, &out_of_guard);
	if (rule < 0) {
		altmark_count_packet(skb, &packet, &wire, block, config.rules, 0);
		return ALTMARK_UNMATCHED;
	}
	altmark_count_packet(skb, &packet, &wire, block, rule, out_of_guard);
	return ALTMARK_REASONS;
}

SEC("tc")
int altmark_source(struct __sk_buff *skb)
{
	__u32 reason = altmark_mark(skb);

	if (reason != ALTMARK_REASONS)
		altmark_leave_out(skb, reason);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int altmark_sink(struct __sk_buff *skb)
{
	__u32 reason = altmark_clear(skb);

	if (reason != ALTMARK_REASONS)
		altmark_leave_out(skb, reason);
	return TC_ACT_UNSPEC;
}
