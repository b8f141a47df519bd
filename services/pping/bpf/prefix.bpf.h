/* SPDX-License-Identifier: GPL-2.0-only */
/* prefix.bpf.h — what passed by prefix and protocol, with --aggregate. */
#ifndef PPING_PREFIX_BPF_H
#define PPING_PREFIX_BPF_H

#include "maps.bpf.h"

static __always_inline void pping_prefix_of(struct pping_prefix *prefix, const struct pping_packet *p, const __u8 *address)
{
	prefix->family = p->family;
	prefix->other = 0;
	prefix->bits = p->family == 4 ? *(const __u32 *)(address + 12) & config.ipv4_prefix_mask :
					*(const __u64 *)address & config.ipv6_prefix_mask;
}

static __always_inline struct pping_prefix_traffic *pping_prefix_entry(void *table, struct pping_prefix *prefix)
{
	struct pping_prefix_traffic *entry = bpf_map_lookup_elem(table, prefix);
	static const struct pping_prefix_traffic nothing;

	if (entry)
		return entry;
	bpf_map_update_elem(table, prefix, &nothing, BPF_NOEXIST);
	entry = bpf_map_lookup_elem(table, prefix);
	if (entry)
		return entry;
	/* No room: the entry of all others, which is there from the beginning. */
	pping_note(PPING_PREFIX_TABLE_FULL);
	prefix->bits = 0;
	prefix->other = 1;
	return bpf_map_lookup_elem(table, prefix);
}

static __always_inline void pping_add(struct pping_amount *amount, const struct pping_packet *p)
{
	__sync_fetch_and_add(&amount->packets, p->wire.packets);
	__sync_fetch_and_add(&amount->l3_bytes, p->wire.l3_bytes);
}

/* Counts an IP packet for the prefixes that it comes from and goes to. */
static __noinline int pping_count_prefixes(const struct pping_packet *p)
{
	struct pping_prefix_traffic *entry;
	struct pping_prefix prefix;
	__u32 zero = 0, kind;
	void *table;

	if (!p)
		return 0;
	table = bpf_map_lookup_elem(&prefixes, &zero);
	if (!table)
		return 0;
	kind = p->key.protocol != IPPROTO_TCP ? PPING_TRAFFIC_OTHER :
	       p->timestamps		      ? PPING_TRAFFIC_TS :
						PPING_TRAFFIC_NO_TS;
	pping_prefix_of(&prefix, p, p->reversed ? p->key.high : p->key.low);
	entry = pping_prefix_entry(table, &prefix);
	if (entry)
		pping_add(&entry->received[kind], p);
	pping_prefix_of(&prefix, p, p->reversed ? p->key.low : p->key.high);
	entry = pping_prefix_entry(table, &prefix);
	if (entry)
		pping_add(&entry->sent[kind], p);
	return 0;
}

/* Protocols and ECN of the whole interface, with --aggregate. */
static __always_inline void pping_count_protocol(struct pping_totals *sums, const struct pping_packet *p)
{
	struct pping_amount *amount;
	__u32 class;

	switch (p->key.protocol) {
	case IPPROTO_TCP:
		class = PPING_CLASS_TCP;
		break;
	case IPPROTO_UDP:
		class = PPING_CLASS_UDP;
		break;
	case IPPROTO_ICMP:
		class = PPING_CLASS_ICMP;
		break;
	case IPPROTO_ICMPV6:
		class = PPING_CLASS_ICMPV6;
		break;
	default:
		sums->other_protocols[p->key.protocol] += p->wire.packets;
		class = PPING_CLASSES;
	}
	if (class < PPING_CLASSES) {
		amount = &sums->protocols[class];
		amount->packets += p->wire.packets;
		amount->l3_bytes += p->wire.l3_bytes;
	}
	sums->ecn[p->tos & WM_ECN_MASK] += p->wire.packets;
}

#endif
