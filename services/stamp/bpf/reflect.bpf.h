/* SPDX-License-Identifier: GPL-2.0-only */
/* reflect.bpf.h — whom a reflector answers: addresses, sources, rates, sessions. */
#ifndef STAMP_REFLECT_BPF_H
#define STAMP_REFLECT_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "packet.bpf.h"
#include "stamp.h"

/* The interface's own unicast addresses; kept by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STAMP_MAX_OWN);
	__uint(key_size, 16);
	__type(value, __u8);
} own_addresses SEC(".maps");

/* --allow */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, STAMP_MAX_ALLOWED);
	__type(key, struct stamp_prefix);
	__type(value, __u8);
} allowed SEC(".maps");

/* When the next request of a source is due at its rate. The least recently used make room: no result comes from here.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STAMP_MAX_SOURCES);
	__uint(key_size, 16);
	__type(value, __u64);
} rates SEC(".maps");

/* A session of --stateful. User space removes idle ones. */
struct stamp_session {
	__u64 received;
	__u64 answered;		/* also the next answer's sequence number */
	__u64 last_seen_ns;	/* CLOCK_MONOTONIC, coarse */
	__u64 newest_time;	/* T1 as on the wire, of the newest request; authenticated */
	__u64 seen;		/* bit n: newest_sequence - n was seen */
	__u64 stamped_ns;	/* T3 of the answer that left last, since the Unix epoch; 0: none */
	__u32 stamped_sequence; /* its number */
	__u32 newest_sequence;
	struct bpf_spin_lock lock;
	__u32 _pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, STAMP_MAX_SESSIONS);
	__type(key, struct stamp_session_key);
	__type(value, struct stamp_session);
} sessions SEC(".maps");

#define STAMP_REPLAY_WINDOW 64

/* Most interfaces have few addresses, and comparing them is cheaper than the table. */
volatile struct stamp_few_own few_own = {};

static __always_inline int stamp_is_own(const __u32 address[4])
{
	__u64 first, second;
	__u32 i;

	__builtin_memcpy(&first, address, sizeof(first));
	__builtin_memcpy(&second, address + 2, sizeof(second));
#pragma unroll
	for (i = 0; i < STAMP_FEW_OWN; i++)
		if (few_own.words[2 * i + 1] == second && few_own.words[2 * i] == first && second)
			return 1;
	return bpf_map_lookup_elem(&own_addresses, address) != 0;
}

/* Sources that cannot be answered: unspecified, multicast, broadcast; a packet from itself to itself. */
static __always_inline int stamp_bad_source(const __u32 source[4], const __u32 destination[4],
					    const struct stamp_udp *udp)
{
	__u32 first = bpf_ntohl(source[3]);

	if (!udp->source)
		return 1;
	if (!source[0] && !source[1] && source[2] == bpf_htonl(0xffff))
		return !first || first >= 0xe0000000 ||
		       (source[3] == destination[3] && udp->source == udp->destination);
	return (source[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000) ||
	       !(source[0] | source[1] | source[2] | source[3]) ||
	       (udp->source == udp->destination && source[0] == destination[0] && source[1] == destination[1] &&
		source[2] == destination[2] && source[3] == destination[3]);
}

static __noinline int stamp_is_allowed(const __u32 *source, __u32 version)
{
	struct stamp_prefix prefix = {.bits = 8 * (sizeof(prefix) - sizeof(prefix.bits)), .version = version};

	if (!source)
		return 0;
	__builtin_memcpy(prefix.address, source, sizeof(prefix.address));
	return bpf_map_lookup_elem(&allowed, &prefix) != 0;
}

/* How often a request tries before it loses against those of the same source on other CPUs. */
#define STAMP_RATE_TRIES 4

/* 1 if the source keeps to its rate (generic cell rate algorithm, ITU-T I.371). */
static __noinline int stamp_within_rate(const __u32 *source, __u64 gap_ns, __u64 burst_ns)
{
	__u64 now = bpf_ktime_get_ns(), due, met, next, *stored;
	__u32 i;

	if (!source)
		return 0;
	stored = bpf_map_lookup_elem(&rates, source);
	if (!stored) {
		next = now + gap_ns;
		bpf_map_update_elem(&rates, source, &next, BPF_ANY);
		return 1;
	}
	due = *stored;
	for (i = 0; i < STAMP_RATE_TRIES; i++) {
		if (due > now + burst_ns)
			return 0;
		next = (due > now ? due : now) + gap_ns;
		met = __sync_val_compare_and_swap(stored, due, next);
		if (met == due)
			return 1;
		due = met;
	}
	return 0;
}

/* Where an answer that is to go elsewhere leaves: asked and answered by user space's run of stamp_route. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stamp_way);
} ways SEC(".maps");

/* The session of a request, made at its first. */
static __noinline struct stamp_session *stamp_session_of(const struct stamp_session_key *key)
{
	struct stamp_session fresh = {}, *session;

	if (!key)
		return 0;
	session = bpf_map_lookup_elem(&sessions, key);
	if (session)
		return session;
	bpf_map_update_elem(&sessions, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sessions, key);
}

/* Notes an authenticated request: 1 if it is new. Whoever repeats a packet repeats its T1; a sender that starts anew
 * has a later one. Later is within half of an era of NTP (RFC 5905 section 6), which ends in 2036. */
static __always_inline int stamp_take_fresh(struct stamp_session *session, __u64 time, __u32 sequence)
{
	__s32 ahead;
	__u64 bit;
	int fresh = 0;

	bpf_spin_lock(&session->lock);
	ahead = sequence - session->newest_sequence;
	if (!session->seen || (__s64)(time - session->newest_time) > 0) {
		if (ahead > 0 && ahead < STAMP_REPLAY_WINDOW)
			session->seen = session->seen << (ahead & (STAMP_REPLAY_WINDOW - 1)) | 1;
		else
			session->seen = 1;
		session->newest_time = time;
		session->newest_sequence = sequence;
		fresh = 1;
	} else if (ahead < 0 && ahead > -STAMP_REPLAY_WINDOW) {
		bit = 1ULL << (-ahead & (STAMP_REPLAY_WINDOW - 1));
		fresh = !(session->seen & bit);
		session->seen |= bit;
	}
	bpf_spin_unlock(&session->lock);
	return fresh;
}

#endif
