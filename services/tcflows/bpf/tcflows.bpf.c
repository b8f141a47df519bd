// SPDX-License-Identifier: GPL-2.0-only
/* tcflows.bpf.c — counts what passes an interface, by flow, in both directions. Nothing is sent to user space: it swaps
 * an empty table in and reads the old one. Every packet is counted exactly once: in its flow, in `overflow` when the table
 * is full, or in `filtered`. The verdict is always neutral.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "tcflows.h"

/* <linux/icmp.h> and <linux/icmpv6.h> need headers of the C library. */
#define ICMP_ECHO_REPLY	      0
#define ICMP_ECHO_REQUEST     8
#define ICMP_TIMESTAMP	      13
#define ICMP_ADDRESS_REPLY    18
#define ICMPV6_ECHO_REQUEST   128
#define ICMPV6_ECHO_REPLY     129

char LICENSE[] SEC("license") = "GPL";

const volatile struct tcflows_config config = {};
/* What is counted by flow; only the first config.rules are looked at. */
const volatile struct tcflows_rule rules[TCFLOWS_MAX_RULES] = {};

/* Programs add and count; user space takes the whole table out. Full: the packet goes to `overflow`. */
struct tcflows_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct tcflows_key);
	__type(value, struct tcflows_count);
};

/* Keeps layouts in the BTF that a map definition only points to, or that no map has. */
const struct tcflows_key *tcflows_key_layout __attribute__((unused));
const struct tcflows_count *tcflows_count_layout __attribute__((unused));
const enum tcflows_direction *tcflows_direction_layout __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct tcflows_table);
} tables SEC(".maps");

/* What found no room, by direction and protocol: index (direction - 1) * TCFLOWS_PROTOCOLS + protocol. Only ever grows. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCFLOWS_DIRECTIONS * TCFLOWS_PROTOCOLS);
	__type(key, __u32);
	__type(value, struct tcflows_sum);
} overflow SEC(".maps");

/* Raised after `overflow` has grown; user space clears it before it reads. */
volatile __u32 tcflows_overflowed = 0;

/* What no rule of the filter matches, by direction - 1. Only ever grows. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCFLOWS_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct tcflows_sum);
} filtered SEC(".maps");

/* A packet while it is being counted. */
struct tcflows_packet {
	__u64 packets;
	__u64 l3_bytes;
	__u64 l2_bytes;
	__u32 tcp_flags;
	__u32 dscp;
};

static __always_inline void tcflows_put_aside(struct tcflows_sum *sum, const struct tcflows_packet *packet)
{
	if (!sum)
		return;
	sum->l3_bytes += packet->l3_bytes;
	sum->l2_bytes += packet->l2_bytes;
	/* Last: whoever reads meanwhile takes no packet without its bytes. */
	barrier();
	sum->packets += packet->packets;
}

/* Octets of tags that the card keeps beside the packet. */
static __always_inline __u32 tcflows_tag_bytes(struct __sk_buff *skb)
{
	return skb->vlan_present ? 4 : 0;
}

/* The outer VLAN: beside the packet, or in the frame. */
static __always_inline __u16 tcflows_vlan_id(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	struct wm_vlan *tag = (void *)(eth + 1);

	if (skb->vlan_present)
		return skb->vlan_tci & 0xfff;
	if (!config.l2_length || (void *)(tag + 1) > (void *)(long)skb->data_end)
		return 0;
	if (eth->h_proto != bpf_htons(ETH_P_8021Q) && eth->h_proto != bpf_htons(ETH_P_8021AD))
		return 0;
	return bpf_ntohs(tag->tci) & 0xfff;
}

/* Addresses, IPv4 in IPv6 form; pointers of the packet are valid. */
static __always_inline int tcflows_addresses(struct __sk_buff *skb, const struct wm_packet *packet,
					     struct tcflows_key *key)
{
	__u64 *source = (__u64 *)key->source, *destination = (__u64 *)key->destination;
	void *end = (void *)(long)skb->data_end, *l3 = wm_l3(skb, packet);

	if (packet->version == 4) {
		struct iphdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return WM_UNPARSABLE;
		source[1] = 0xffff0000 | (__u64)ip->saddr << 32;
		destination[1] = 0xffff0000 | (__u64)ip->daddr << 32;
		return 0;
	}
	if (l3 + sizeof(struct ipv6hdr) > end)
		return WM_UNPARSABLE;
	__builtin_memcpy(key->source, l3 + 8, 16);
	__builtin_memcpy(key->destination, l3 + 24, 16);
	return 0;
}

static __always_inline int tcflows_has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE || protocol == IPPROTO_DCCP;
}

/* Queries and their answers carry an identifier after the checksum: echo, time stamp, information, address mask. */
static __always_inline int tcflows_has_icmp_id(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
	return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY ||
	       (type >= ICMP_TIMESTAMP && type <= ICMP_ADDRESS_REPLY);
}

/* Type, code and identifier: the first six octets of the header. */
static __always_inline void tcflows_icmp(struct __sk_buff *skb, const struct wm_packet *packet,
					 struct tcflows_key *key)
{
	__u16 *half = (void *)(long)skb->data + (packet->l4_offset & 0x7f), copy[3];

	if (packet->l4_offset + 8 > packet->l3_offset + packet->l3_bytes)
		return;
	if (packet->l4_offset > 0x7f || (void *)(half + 3) > (void *)(long)skb->data_end) {
		if (bpf_skb_load_bytes(skb, packet->l4_offset, copy, sizeof(copy)))
			return;
		half = copy;
	}
	__builtin_memcpy(&key->icmp_type, half, 2);
	if (tcflows_has_icmp_id(packet->protocol, key->icmp_type))
		key->icmp_id = half[2];
}

/* The control bits, in the order of RFC 9293; 0 if the header is cut off. */
static __always_inline __u32 tcflows_tcp_flags(struct __sk_buff *skb, const struct wm_packet *packet)
{
	__u16 *word = (void *)(long)skb->data + (packet->l4_offset & 0x7f) + 12, copy;

	if (packet->l4_offset + 14 > packet->l3_offset + packet->l3_bytes)
		return 0;
	if (packet->l4_offset <= 0x7f && (void *)(word + 1) <= (void *)(long)skb->data_end)
		return bpf_ntohs(*word) & TCFLOWS_TCP_FLAGS;
	if (bpf_skb_load_bytes(skb, packet->l4_offset + 12, &copy, sizeof(copy)))
		return 0;
	return bpf_ntohs(copy) & TCFLOWS_TCP_FLAGS;
}

/* Ports, or what ICMP has in their place. */
static __always_inline void tcflows_transport(struct __sk_buff *skb, const struct wm_packet *packet,
					      struct tcflows_key *key, struct tcflows_packet *counted)
{
	__u32 ports;

	if (packet->fragment)
		return;
	if (tcflows_has_ports(packet->protocol)) {
		if (wm_l4_word(skb, packet, &ports))
			return;
		key->source_port = (__u16)ports;
		key->destination_port = ports >> 16;
		if (packet->protocol == IPPROTO_TCP)
			counted->tcp_flags = tcflows_tcp_flags(skb, packet);
	} else if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		tcflows_icmp(skb, packet, key);
	}
}

static __always_inline void tcflows_wire(struct __sk_buff *skb, const struct wm_packet *packet,
					 struct tcflows_packet *counted)
{
	struct wm_wire wire;

	wm_wire(skb, packet, &wire);
	counted->packets = wire.packets;
	counted->l3_bytes = wire.l3_bytes;
	if (skb->gso_size)
		counted->l2_bytes = wire.l3_bytes + wire.packets * (packet->l3_offset + tcflows_tag_bytes(skb));
	else
		counted->l2_bytes = skb->len + tcflows_tag_bytes(skb);
}

/* What is not IP, and what says that it is and cannot be read: by EtherType. */
static __noinline int tcflows_other(struct __sk_buff *skb, struct tcflows_key *key, struct tcflows_packet *counted)
{
	struct wm_link link = {};
	__u32 offset;

	if (!key || !counted)
		return 0;
	if (wm_parse_link(skb, config.l2_length, &link)) {
		link.l3_offset = config.l2_length;
		link.l3_protocol = bpf_ntohs((__u16)skb->protocol);
	}
	/* Below that it is the length of an IEEE 802.3 frame. */
	key->ether_type = link.l3_protocol < ETH_P_802_3_MIN ? ETH_P_802_2 : link.l3_protocol;
	offset = link.l3_offset < skb->len ? link.l3_offset : skb->len;
	counted->packets = wm_segments(skb);
	counted->l2_bytes = skb->len + counted->packets * tcflows_tag_bytes(skb);
	counted->l3_bytes = skb->len - offset;
	return 0;
}

static __noinline int tcflows_is_wanted(const struct tcflows_key *key)
{
	const __u64 *word = (const __u64 *)key;
	const volatile struct tcflows_rule *rule = rules;
	__u32 i;

	if (!key)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < TCFLOWS_MAX_RULES && i < config.rules; i++, rule++) {
		__u64 differs = 0;
		int w;

#pragma unroll
		for (w = 0; w < TCFLOWS_KEY_WORDS; w++)
			differs |= (word[w] & rule->mask[w]) ^ rule->value[w];
		if (!differs)
			return 1;
	}
	return 0;
}

/* The addresses of the frame; written only when they change, so that the line of the cache stays clean. */
static __always_inline void tcflows_macs(struct __sk_buff *skb, struct tcflows_count *count)
{
	struct tcflows_words {
		__u32 word[3];
	} *from = (void *)(long)skb->data, *to = (void *)count->macs;

	if (!config.l2_length || (void *)(from + 1) > (void *)(long)skb->data_end)
		return;
	if (to->word[0] != from->word[0] || to->word[1] != from->word[1] || to->word[2] != from->word[2])
		*to = *from;
}

/* The flow's entry, made if need be; 0 if there is no room. */
static __always_inline struct tcflows_count *tcflows_entry(const struct tcflows_key *key, __u64 now)
{
	struct tcflows_count *count, fresh = {};
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&tables, &zero);

	if (!table)
		return 0;
	count = bpf_map_lookup_elem(table, key);
	if (count)
		return count;
	/* First wins: another CPU may have added it, then the lookup finds that one. */
	fresh.first_ns = now;
	bpf_map_update_elem(table, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}

static __always_inline void tcflows_add(struct __sk_buff *skb, struct tcflows_count *count,
					const struct tcflows_packet *packet, __u64 now)
{
	__sync_fetch_and_add(&count->packets, packet->packets);
	__sync_fetch_and_add(&count->l3_bytes, packet->l3_bytes);
	__sync_fetch_and_add(&count->l2_bytes, packet->l2_bytes);
	count->last_ns = now;
	if (packet->tcp_flags & ~count->tcp_flags)
		__sync_fetch_and_or(&count->tcp_flags, packet->tcp_flags);
	count->dscp = packet->dscp;
	tcflows_macs(skb, count);
}

static __always_inline void tcflows_count_packet(struct __sk_buff *skb, __u32 direction)
{
	struct tcflows_key key __attribute__((aligned(8))) = {};
	struct tcflows_packet counted = {};
	struct tcflows_count *count;
	struct wm_packet packet;
	__u32 index;
	__u64 now;

	key.direction = direction;
	if (!wm_parse(skb, config.l2_length, &packet) && !tcflows_addresses(skb, &packet, &key)) {
		key.version = packet.version;
		key.protocol = packet.protocol;
		counted.dscp = packet.tos >> 2;
		tcflows_transport(skb, &packet, &key, &counted);
		tcflows_wire(skb, &packet, &counted);
	} else {
		tcflows_other(skb, &key, &counted);
	}
	key.vlan_id = tcflows_vlan_id(skb);
	if (config.rules && !tcflows_is_wanted(&key)) {
		index = direction - 1;
		tcflows_put_aside(bpf_map_lookup_elem(&filtered, &index), &counted);
		return;
	}
	now = bpf_ktime_get_ns();
	count = tcflows_entry(&key, now);
	if (count) {
		tcflows_add(skb, count, &counted, now);
		return;
	}
	index = (direction - 1) * TCFLOWS_PROTOCOLS + (key.version ? key.protocol : TCFLOWS_NOT_IP);
	tcflows_put_aside(bpf_map_lookup_elem(&overflow, &index), &counted);
	tcflows_overflowed = 1;
}

SEC("tc")
int tcflows_ingress(struct __sk_buff *skb)
{
	tcflows_count_packet(skb, TCFLOWS_INGRESS);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tcflows_egress(struct __sk_buff *skb)
{
	tcflows_count_packet(skb, TCFLOWS_EGRESS);
	return TC_ACT_UNSPEC;
}
