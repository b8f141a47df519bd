/* SPDX-License-Identifier: GPL-2.0-only */
/* table.bpf.h — the flows, who is let in, and what has no place in them. */
#ifndef FLOWMON_TABLE_BPF_H
#define FLOWMON_TABLE_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flowmon.h"
#include "key.bpf.h"

/* Programs add and count, each entry under its own lock; the reaper removes what has been idle for long and was read. A
 * flow that finds no room is counted in `overflow`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct flowmon_key);
	__type(value, struct flowmon_flow);
} flows SEC(".maps");

/* By interval's parity, direction and class. A CPU clears its own when an interval begins. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * 2 * FLOWMON_CLASSES);
	__type(key, __u32);
	__type(value, struct flowmon_overflow);
} overflow SEC(".maps");

/* Wire packets that are in no flow, by reason; cumulative. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOWMON_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOWMON_EVENTS);
	__type(key, __u32);
	__type(value, __u64);
} events SEC(".maps");

/* Addresses of the interface, written by user space. */
struct flowmon_address {
	__u8 octets[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct flowmon_address);
	__type(value, __u8);
} own_addresses SEC(".maps");

/* Nobody reads it: the kernel answers when a new inner map is set only after every running program has ended, which is
 * how user space knows that an interval has come to rest. */
struct flowmon_rest {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct flowmon_rest);
} rests SEC(".maps");

/* A flow as it begins; too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flowmon_newcomer {
		__u8 octets[sizeof(struct flowmon_flow)];
	});
} newcomers SEC(".maps");

/* Written by user space: the one that is not active, then `flowmon_active`. */
struct flowmon_settings settings[2] = {};
volatile __u64 flowmon_active = 0;

/* When the open interval ends (CLOCK_MONOTONIC; the low 16 bits are its number instead); 0 before the start. Packets
 * after that moment are of the next interval, however late user space says when that ends. */
volatile __u64 flowmon_turn = 0;

const enum flowmon_class *flowmon_class_layout __attribute__((unused));
const enum flowmon_direction *flowmon_direction_layout __attribute__((unused));
const enum flowmon_reason *flowmon_reason_layout __attribute__((unused));
const enum flowmon_event *flowmon_event_layout __attribute__((unused));
const struct flowmon_bank *flowmon_bank_layout __attribute__((unused));

static __always_inline void flowmon_note(__u32 event, __u64 count)
{
	__u64 *sum = bpf_map_lookup_elem(&events, &event);

	if (sum)
		*sum += count;
}

static __always_inline struct flowmon_settings *flowmon_settings_now(void)
{
	return &settings[flowmon_active & 1];
}

static __always_inline int flowmon_rule_matches(const struct flowmon_rule *rule, const struct flowmon_key *key,
						__u32 class, __u32 whole)
{
	const __u64 *source = (const __u64 *)key->source, *destination = (const __u64 *)key->destination;
	__u64 differs;

	if (!(rule->classes & 1 << class))
		return 0;
	if (rule->source_version && rule->source_version != key->version)
		return 0;
	if (rule->destination_version && rule->destination_version != key->version)
		return 0;
	if ((rule->source_port || rule->destination_port) && (class == FLOWMON_ICMP || !whole))
		return 0;
	if (rule->source_port && rule->source_port != key->source_port)
		return 0;
	if (rule->destination_port && rule->destination_port != key->destination_port)
		return 0;
	differs = (source[0] ^ rule->source[0]) & rule->source_mask[0];
	differs |= (source[1] ^ rule->source[1]) & rule->source_mask[1];
	differs |= (destination[0] ^ rule->destination[0]) & rule->destination_mask[0];
	differs |= (destination[1] ^ rule->destination[1]) & rule->destination_mask[1];
	return !differs;
}

struct flowmon_match {
	struct flowmon_settings *settings;
	const struct flowmon_key *key;
	__u32 class;
	__u32 whole;
	int matches;
};

static long flowmon_match_on(__u32 index, void *context)
{
	struct flowmon_match *match = context;

	if (index >= FLOWMON_MAX_RULES)
		return 1;
	match->matches = flowmon_rule_matches(&match->settings->rules[index], match->key, match->class, match->whole);
	return match->matches;
}

static __always_inline int flowmon_matches(const struct flowmon_key *key, __u32 class, __u32 whole)
{
	struct flowmon_match match = { .key = key, .class = class, .whole = whole };

	match.settings = flowmon_settings_now();
	if (!match.settings->rule_count)
		return 1;
	bpf_loop(match.settings->rule_count, flowmon_match_on, &match, 0);
	return match.matches;
}

#define FLOWMON_ADMITTED FLOWMON_REASONS

/* Lets a flow in that is not in the table, or was let in by earlier rules. FLOWMON_ADMITTED, or the reason why not; what
 * finds no room is admitted all the same and found missing by the caller. */
static __noinline int flowmon_admit(struct flowmon_key *key, __u32 class, __u32 whole, __u32 tag)
{
	struct flowmon_newcomer *fresh;
	__u32 zero = 0;

	if (!key)
		return FLOWMON_UNPARSABLE;
	if (config.own && key->direction == FLOWMON_INGRESS && bpf_map_lookup_elem(&own_addresses, key->source))
		return FLOWMON_OWN;
	if (!flowmon_matches(key, class, whole))
		return FLOWMON_NO_MATCH;
	fresh = bpf_map_lookup_elem(&newcomers, &zero);
	if (!fresh)
		return FLOWMON_ADMITTED;
	*(__u32 *)&fresh->octets[__builtin_offsetof(struct flowmon_flow, tag)] = tag;
	*(__u64 *)&fresh->octets[__builtin_offsetof(struct flowmon_flow, generation)] =
		flowmon_settings_now()->generation;
	/* First wins: another CPU may have added it. */
	bpf_map_update_elem(&flows, key, fresh, BPF_NOEXIST);
	return FLOWMON_ADMITTED;
}

/* Counts a packet that found no place. */
static __always_inline void flowmon_overflows(__u32 epoch, __u32 direction, __u32 class, const struct wm_wire *wire,
					      __u32 payload)
{
	__u32 index = ((epoch & 1) * 2 + direction) * FLOWMON_CLASSES + class;
	struct flowmon_overflow *sum = bpf_map_lookup_elem(&overflow, &index);

	if (!sum)
		return;
	if (sum->epoch != epoch) {
		sum->epoch = epoch;
		sum->packets = sum->l3_bytes = sum->payload_bytes = 0;
	}
	sum->packets += wire->packets;
	sum->l3_bytes += wire->l3_bytes;
	sum->payload_bytes += payload;
}

#endif
