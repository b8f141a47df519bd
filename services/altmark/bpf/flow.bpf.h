/* SPDX-License-Identifier: GPL-2.0-only */
/* flow.bpf.h — which flow a packet belongs to, and counting it there. */
#ifndef ALTMARK_FLOW_BPF_H
#define ALTMARK_FLOW_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "altmark.h"

/* First match wins. Only the first config.rules are looked at. */
const volatile struct altmark_rule rules[ALTMARK_MAX_RULES] = {};

/* By slot and rule: index slot * (rules + 1) + rule. Programs add; user space reads and clears a slot that is at rest.
 * With --per-flow it holds what found no room in the flow table. The last counter of a slot holds marked fragments that
 * match no rule: the source marks none such, so they were made on the way. Without rules all packets are rule 0. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ALTMARK_MAX_SLOTS);
	__type(key, __u32);
	__type(value, struct altmark_count);
} counts SEC(".maps");

/* --per-flow: a table for each slot. User space swaps an empty one in when it reads; full: the packet goes to `counts`.
 * Without --per-flow the tables have one entry and nobody writes them. */
struct altmark_flow_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct altmark_flow_key);
	__type(value, struct altmark_count);
};

/* Keeps layouts in the BTF that a map definition only points to, or that no map has. */
const struct altmark_flow_key *altmark_flow_key_layout __attribute__((unused));
const struct altmark_count *altmark_count_layout __attribute__((unused));
const enum altmark_reason *altmark_reason_layout __attribute__((unused));
const enum altmark_phase *altmark_phase_layout __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, ALTMARK_MAX_SLOTS);
	__type(key, __u32);
	__array(values, struct altmark_flow_table);
} flow_tables SEC(".maps");

/* Source and destination address in memory order, IPv4 in the first half of the first word pair: `addresses[0]` holds
 * both. 0 when they were read. */
static __always_inline int altmark_addresses(struct __sk_buff *skb, const struct wm_packet *packet,
					     __u64 addresses[4])
{
	void *end = (void *)(long)skb->data_end;
	struct altmark_words {
		__u32 word[8];
	} *from = wm_l3(skb, packet) + (packet->version == 4 ? 12 : 8);

	if (packet->version == 4) {
		if ((void *)&from->word[2] > end)
			return -1;
		addresses[0] = from->word[0] | (__u64)from->word[1] << 32;
		return 0;
	}
	if ((void *)(from + 1) > end)
		return -1;
#pragma unroll
	for (int i = 0; i < 4; i++)
		addresses[i] = from->word[2 * i] | (__u64)from->word[2 * i + 1] << 32;
	return 0;
}

static __always_inline int altmark_has_ports(const struct wm_packet *packet)
{
	return !packet->fragment && (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
				     packet->protocol == IPPROTO_SCTP || packet->protocol == IPPROTO_UDPLITE ||
				     packet->protocol == IPPROTO_DCCP);
}

/* Both ports in one word, in memory order; 0 where there are none (a truncated header has none). */
static __always_inline __u32 altmark_ports(struct __sk_buff *skb, const struct wm_packet *packet, __u8 *has_ports)
{
	__u32 ports = 0;

	*has_ports = altmark_has_ports(packet) && !wm_l4_word(skb, packet, &ports);
	return *has_ports ? ports : 0;
}

/* Fills in the flow's key. Ports stay 0 for every fragment and for protocols without. */
static __always_inline int altmark_key(struct __sk_buff *skb, const struct wm_packet *packet, __u32 rule,
				       struct altmark_flow_key *key)
{
	__u64 addresses[4], *source = (__u64 *)key->source, *destination = (__u64 *)key->destination;
	__u8 has_ports;
	__u32 ports;

	if (altmark_addresses(skb, packet, addresses))
		return WM_UNPARSABLE;
	if (packet->version == 4) {
		source[0] = destination[0] = 0;
		source[1] = 0xffff0000 | addresses[0] << 32;
		destination[1] = 0xffff0000 | (addresses[0] >> 32) << 32;
	} else {
		source[0] = addresses[0];
		source[1] = addresses[1];
		destination[0] = addresses[2];
		destination[1] = addresses[3];
	}
	ports = altmark_ports(skb, packet, &has_ports);
	key->source_port = (__u16)ports;
	key->destination_port = ports >> 16;
	key->protocol = packet->protocol;
	key->rule = rule;
	key->_pad[0] = key->_pad[1] = 0;
	return 0;
}

/* The rule that `packet` matches, or -1. */
static __always_inline int altmark_match(struct __sk_buff *skb, const struct wm_packet *packet)
{
	const volatile struct altmark_rule *rule = rules;
	__u64 addresses[4] = {}, transport;
	__u8 has_ports;
	__u32 i;

	transport = altmark_ports(skb, packet, &has_ports);
	transport |= (__u64)packet->protocol << 32 | (__u64)has_ports << 40 | (__u64)packet->version << 48;
	if (altmark_addresses(skb, packet, addresses))
		return -1;
#pragma clang loop unroll(disable)
	for (i = 0; i < ALTMARK_MAX_RULES && i < config.rules; i++, rule++) {
		__u64 differs;

		if ((transport ^ *(const volatile __u64 *)&rule->transport) &
		    *(const volatile __u64 *)&rule->transport_mask)
			continue;
		if (packet->version == 4)
			differs = (addresses[0] ^ rule->addresses4) & rule->addresses4_mask;
		else
			differs = ((addresses[0] ^ rule->addresses6[0]) & rule->addresses6_mask[0]) |
				  ((addresses[1] ^ rule->addresses6[1]) & rule->addresses6_mask[1]) |
				  ((addresses[2] ^ rule->addresses6[2]) & rule->addresses6_mask[2]) |
				  ((addresses[3] ^ rule->addresses6[3]) & rule->addresses6_mask[3]);
		if (!differs)
			return i;
	}
	return -1;
}

static __always_inline void altmark_add(struct altmark_count *count, const struct wm_packet *packet,
					const struct wm_wire *wire, __u32 out_of_guard)
{
	count->packets += wire->packets;
	count->l3_bytes += wire->l3_bytes;
	if (packet->fragment)
		count->fragments += wire->packets;
	if (out_of_guard)
		count->out_of_guard += wire->packets;
}

static __always_inline void altmark_add_shared(struct altmark_count *count, const struct wm_packet *packet,
					       const struct wm_wire *wire, __u32 out_of_guard)
{
	__sync_fetch_and_add(&count->packets, wire->packets);
	__sync_fetch_and_add(&count->l3_bytes, wire->l3_bytes);
	if (packet->fragment)
		__sync_fetch_and_add(&count->fragments, wire->packets);
	if (out_of_guard)
		__sync_fetch_and_add(&count->out_of_guard, wire->packets);
}

/* 1 if the packet was counted in the slot's flow table; 0 if that is full. */
static __always_inline int altmark_count_flow(struct __sk_buff *skb, const struct wm_packet *packet,
					      const struct wm_wire *wire, __u32 slot, __u32 rule, __u32 out_of_guard)
{
	struct altmark_flow_key key __attribute__((aligned(8)));
	struct altmark_count *count, empty = {};
	void *table;

	table = bpf_map_lookup_elem(&flow_tables, &slot);
	if (!table || altmark_key(skb, packet, rule, &key))
		return 0;
	count = bpf_map_lookup_elem(table, &key);
	if (!count) {
		/* First wins: another CPU may have added it, then the lookup finds that one. */
		bpf_map_update_elem(table, &key, &empty, BPF_NOEXIST);
		count = bpf_map_lookup_elem(table, &key);
		if (!count)
			return 0;
	}
	altmark_add_shared(count, packet, wire, out_of_guard);
	return 1;
}

/* Counts `packet` in `block` under `rule`. 0 if there is no such counter. */
static __always_inline int altmark_count_packet(struct __sk_buff *skb, const struct wm_packet *packet,
						const struct wm_wire *wire, __u64 block, __u32 rule,
						__u32 out_of_guard)
{
	__u32 slot = block & (config.slots - 1), rules = config.rules ? config.rules : 1, index;
	struct altmark_count *count;

	if (config.per_flow && rule < rules && altmark_count_flow(skb, packet, wire, slot, rule, out_of_guard))
		return 1;
	index = slot * (rules + 1) + rule;
	count = bpf_map_lookup_elem(&counts, &index);
	if (!count)
		return 0;
	altmark_add(count, packet, wire, out_of_guard);
	return 1;
}

#endif
