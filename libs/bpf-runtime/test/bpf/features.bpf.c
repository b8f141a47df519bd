// SPDX-License-Identifier: GPL-2.0-only
/* features.bpf.c — one of everything that the runtime and the code generator support. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "features.h"

#define RING_BYTES 4096

char LICENSE[] SEC("license") = "GPL";

const volatile struct sample_config config = {};
const volatile __u16 ports[4] = {};
volatile __u64 runs = 0;
volatile __u32 seed = 7;
volatile struct sample_point origin = {};
const enum sample_kind *sample_kinds;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct sample_count);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct sample_count);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} by_key SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct sample_record);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__uint(key_size, 8);
	__type(value, __u64);
} prefixes SEC(".maps");

struct sample_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct sample_count);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct sample_table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
	__type(value, struct sample_record);
} events SEC(".maps");

/* Records that found the ring full. */
volatile __u64 events_dropped = 0;

static __always_inline void add(struct sample_count *count, struct __sk_buff *skb)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, skb->len);
}

SEC("tc")
int features_count(struct __sk_buff *skb)
{
	struct sample_count *count, empty = {};
	__u32 zero = 0, key = skb->mark;

	__sync_fetch_and_add(&runs, 1);
	count = bpf_map_lookup_elem(&totals, &zero);
	if (count) {
		count->packets++;
		count->bytes += skb->len;
	}
	count = bpf_map_lookup_elem(&table, &key);
	if (!count) {
		bpf_map_update_elem(&table, &key, &empty, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&table, &key);
	}
	if (count)
		add(count, skb);
	return TC_ACT_UNSPEC;
}

/* Counts into the table that slot 0 holds at this moment. */
SEC("tc")
int features_swap(struct __sk_buff *skb)
{
	struct sample_count *count;
	__u32 zero = 0;
	void *inner;

	inner = bpf_map_lookup_elem(&tables, &zero);
	if (!inner)
		return TC_ACT_UNSPEC;
	count = bpf_map_lookup_elem(inner, &zero);
	if (!count) {
		struct sample_count empty = {};

		bpf_map_update_elem(inner, &zero, &empty, BPF_NOEXIST);
		count = bpf_map_lookup_elem(inner, &zero);
	}
	if (!count)
		return TC_ACT_UNSPEC;
	add(count, skb);
	__sync_fetch_and_add(&runs, 1);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int features_emit(struct __sk_buff *skb)
{
	struct sample_record *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	if (!record) {
		__sync_fetch_and_add(&events_dropped, 1);
		return TC_ACT_UNSPEC;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->sequence = __sync_fetch_and_add(&runs, 1);
	record->port = skb->protocol;
	record->kind = SAMPLE_SECOND;
	bpf_ringbuf_submit(record, 0);
	return TC_ACT_UNSPEC;
}

/* Says what it was configured with. */
SEC("tc")
int features_config(struct __sk_buff *skb)
{
	if (!config.enabled)
		return TC_ACT_UNSPEC;
	skb->mark = config.step + ports[3];
	skb->priority = seed;
	return TC_ACT_OK;
}

SEC("xdp")
int features_xdp(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return XDP_PASS;
}
