/* SPDX-License-Identifier: GPL-2.0-only */
/* search.bpf.h — where in a payload a pattern of four octets is. The payload is read in chunks, eight octets are looked
 * at together. */
#ifndef FLOWMON_SEARCH_BPF_H
#define FLOWMON_SEARCH_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flowmon.h"

#define FLOWMON_CHUNK	      256
#define FLOWMON_CHUNK_WORDS   (FLOWMON_CHUNK / 8)
#define FLOWMON_PATTERN_BYTES 4
#define FLOWMON_CHUNKS	      ((FLOWMON_SEARCH_BYTES + FLOWMON_CHUNK - 1) / FLOWMON_CHUNK)
#define FLOWMON_ONES	      0x0101010101010101ull

/* A chunk and the three octets behind it, over which a pattern may reach. */
struct flowmon_chunk {
	__u64 word[FLOWMON_CHUNK_WORDS + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flowmon_chunk);
} chunks SEC(".maps");

struct flowmon_search {
	struct __sk_buff *skb;
	struct flowmon_chunk *chunk;
	__u32 offset; /* of the payload in the packet */
	__u32 length; /* of the payload */
	__u32 pattern; /* memory order */
	__s32 found;
};

/* The first place in the chunk where the pattern is, which may lie behind what was read; -1. A global function: the
 * verifier looks at it once. */
__noinline int flowmon_search_chunk(struct flowmon_chunk *chunk, __u32 pattern)
{
	__u64 first = (pattern & 0xff) * FLOWMON_ONES;
	__u32 i, k;

	if (!chunk)
		return -1;
#pragma clang loop unroll(disable)
	for (i = 0; i < FLOWMON_CHUNK_WORDS; i++) {
		__u64 word = chunk->word[i], differs = word ^ first, next;

		/* Does any of the eight equal the pattern's first octet? */
		if (!((differs - FLOWMON_ONES) & ~differs & (FLOWMON_ONES << 7)))
			continue;
		next = chunk->word[i + 1];
#pragma unroll
		for (k = 0; k < 8; k++) {
			__u64 here = k ? word >> 8 * k | next << (64 - 8 * k) : word;

			if ((__u32)here == pattern)
				return i * 8 + k;
		}
	}
	return -1;
}

static long flowmon_search_on(__u32 index, void *context)
{
	struct flowmon_search *search = context;
	__u32 at = index * FLOWMON_CHUNK, size;
	int place, places;

	if (at >= search->length)
		return 1;
	size = search->length - at;
	if (size < FLOWMON_PATTERN_BYTES)
		return 1;
	if (size > FLOWMON_CHUNK + FLOWMON_PATTERN_BYTES - 1)
		size = FLOWMON_CHUNK + FLOWMON_PATTERN_BYTES - 1;
	if (bpf_skb_load_bytes(search->skb, search->offset + at, search->chunk, size))
		return 1;
	places = size - (FLOWMON_PATTERN_BYTES - 1);
	if (at + places > FLOWMON_SEARCH_BYTES)
		places = FLOWMON_SEARCH_BYTES - at;
	place = flowmon_search_chunk(search->chunk, search->pattern);
	if (place < 0 || place >= places)
		return 0;
	search->found = at + place;
	return 1;
}

/* Where in the payload the pattern begins, or -1. */
static __always_inline int flowmon_find(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 pattern)
{
	struct flowmon_search search = {
		.skb = skb, .offset = offset, .length = length, .pattern = pattern, .found = -1,
	};
	__u32 zero = 0;

	search.chunk = bpf_map_lookup_elem(&chunks, &zero);
	if (!search.chunk)
		return -1;
	bpf_loop(FLOWMON_CHUNKS, flowmon_search_on, &search, 0);
	return search.found;
}

#endif
