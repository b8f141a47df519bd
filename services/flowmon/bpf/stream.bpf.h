/* SPDX-License-Identifier: GPL-2.0-only */
/* stream.bpf.h — which octets of a TCP stream are new. Everything here runs under the flow's lock, so nothing of it may
 * be a function call. */
#ifndef FLOWMON_STREAM_BPF_H
#define FLOWMON_STREAM_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flowmon.h"

/* Nothing is missing any more. */
static __always_inline void flowmon_forget(struct flowmon_stream *stream)
{
	__u32 i;

	stream->holes = 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < FLOWMON_HOLES; i++)
		stream->hole[i].from = stream->hole[i].to;
}

/* Remembers that octets [from, to) are missing; 0 if there is no place left. */
static __always_inline int flowmon_dig(struct flowmon_stream *stream, __u32 from, __u32 to)
{
	__u32 i;

	if (stream->holes >= FLOWMON_HOLES)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < FLOWMON_HOLES; i++) {
		if (stream->hole[i].from != stream->hole[i].to)
			continue;
		stream->hole[i].from = from;
		stream->hole[i].to = to;
		stream->holes++;
		return 1;
	}
	return 0;
}

/* Octets [from, to) have come: holes get smaller, vanish, or (one at the most) fall in two. Answers how many of the
 * octets were missing. What changes is kept in memory, where the verifier does not follow it into every combination. */
static __always_inline __u32 flowmon_fill(struct flowmon_stream *stream, struct flowmon_bank *bank, __u32 from,
					  __u32 to, __u32 *forgotten)
{
	__u32 filled = 0, i;

	stream->split_from = stream->split_to = 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < FLOWMON_HOLES; i++) {
		__u32 lower = stream->hole[i].from, upper = stream->hole[i].to, first, last;

		if (lower == upper || (__s32)(from - upper) >= 0 || (__s32)(to - lower) <= 0)
			continue;
		first = (__s32)(from - lower) > 0 ? from : lower;
		last = (__s32)(upper - to) > 0 ? to : upper;
		filled += last - first;
		if (first == lower) {
			stream->hole[i].from = last;
			if (last == upper) {
				stream->holes--;
				if (config.loss)
					bank->episodes_change--;
			}
			continue;
		}
		stream->hole[i].to = first;
		if (last != upper) {
			stream->split_from = last;
			stream->split_to = upper;
		}
	}
	if (stream->split_from == stream->split_to)
		return filled;
	if (config.loss)
		bank->episodes_change++;
	if (!flowmon_dig(stream, stream->split_from, stream->split_to))
		*forgotten += stream->split_to - stream->split_from;
	return filled;
}

/* A segment of `length` octets at `sequence`, in `packets` wire packets: the octets that are new. */
static __always_inline __u32 flowmon_segment(struct flowmon_flow *flow, struct flowmon_bank *bank, __u32 sequence,
					     __u32 length, __u32 packets, int opens, __u64 threshold,
					     __u32 *forgotten)
{
	struct flowmon_stream *stream = &flow->stream;
	__u32 end, fresh = length, filled;
	__s32 ahead, beyond;

	if (opens)
		sequence++;
	if (!flow->started || opens) {
		flow->started = 1;
		stream->next = sequence + length;
		flowmon_forget(stream);
		goto counted;
	}
	if (!length)
		return 0;
	end = sequence + length;
	ahead = sequence - stream->next;
	if (ahead == 0) {
		stream->next = end;
		goto counted;
	}
	if (ahead > FLOWMON_MAX_TCP_JUMP || ahead < -FLOWMON_MAX_TCP_JUMP) {
		/* Another connection on the same ports. */
		stream->next = end;
		flowmon_forget(stream);
		if (config.loss)
			bank->sequence_restarts++;
		goto counted;
	}
	if (ahead > 0) {
		if (!flowmon_dig(stream, stream->next, sequence))
			*forgotten += ahead;
		stream->next = end;
		if (config.loss) {
			if ((__u64)(__u32)ahead > threshold)
				bank->big++;
			else
				bank->small++;
			bank->lost += ahead;
			bank->episodes++;
		}
		goto counted;
	}
	/* Below the highest octet: retransmitted, or late. */
	beyond = end - stream->next;
	fresh = 0;
	if (beyond > 0) {
		fresh = beyond;
		end = stream->next;
		stream->next += beyond;
	}
	filled = stream->holes ? flowmon_fill(stream, bank, sequence, end, forgotten) : 0;
	fresh += filled;
	if (config.loss) {
		bank->reverse += packets;
		bank->recovered += filled;
		if (fresh)
			bank->reordered += packets;
		else
			bank->duplicates += packets;
	}
counted:
	if (config.loss) {
		bank->numbered += length;
		bank->current = stream->next;
	}
	return fresh;
}

#endif
