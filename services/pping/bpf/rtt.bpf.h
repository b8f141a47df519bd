/* SPDX-License-Identifier: GPL-2.0-only */
/* rtt.bpf.h — stamping identifiers and matching their answers. */
#ifndef PPING_RTT_BPF_H
#define PPING_RTT_BPF_H

#include "flow.bpf.h"

#define PPING_AF_INET	  2
#define PPING_AF_INET6	  10
#define PPING_SURE	  1000
#define PPING_LIKELY	  500 /* a spin sample that may become the least RTT */
#define PPING_MAX_RUN	  10  /* packets; more make a spin sample no surer */

/* Comparison of sequence numbers and time stamps modulo 2^32 (RFC 9293 section 3.4, RFC 7323 section 5.2). */
static __always_inline int pping_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

/* 1 if the packet ends at this host, so that its round-trip time would be that of the host itself. */
static __noinline int pping_goes_here(void *ctx, const struct pping_packet *p)
{
	struct bpf_fib_lookup route = {};
	const __u8 *from, *to;
	int found;

	if (!p)
		return 0;
	from = p->reversed ? p->key.high : p->key.low;
	to = p->reversed ? p->key.low : p->key.high;
	route.ifindex = p->ifindex;
	route.l4_protocol = p->key.protocol;
	if (p->family == 4) {
		route.family = PPING_AF_INET;
		route.tos = p->tos;
		route.ipv4_src = *(const __u32 *)(from + 12);
		route.ipv4_dst = *(const __u32 *)(to + 12);
	} else {
		route.family = PPING_AF_INET6;
		__builtin_memcpy(route.ipv6_src, from, 16);
		__builtin_memcpy(route.ipv6_dst, to, 16);
	}
	found = bpf_fib_lookup(ctx, &route, sizeof(route), 0);
	return found == BPF_FIB_LKUP_RET_NOT_FWDED || found == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline int pping_rate_limited(const struct pping_direction *way, __u64 now)
{
	__u64 rtt = config.smoothed ? way->smoothed_rtt_ns : way->min_rtt_ns;

	if (!way->stamped_ns)
		return 0;
	if (now < way->stamped_ns)
		return 1;
	if (config.rtt_rate && rtt)
		return now - way->stamped_ns < (config.rtt_rate * rtt) >> PPING_RATE_SHIFT;
	return now - way->stamped_ns < config.rate_limit_ns;
}

static __always_inline void pping_stamp_key_of(struct pping_stamp_key *key, const struct pping_flow *flow,
					       const struct pping_packet *p, __u32 identifier, __u8 method, __u8 direction)
{
	__builtin_memcpy(&key->flow, &p->key, sizeof(key->flow));
	key->identifier = identifier;
	key->generation = flow->id;
	key->method = method;
	key->direction = direction;
}

/* Takes over the sequence numbers of a segment; true if it is new and in order. */
static __always_inline int pping_follow_sequence(struct pping_flow *flow, struct pping_direction *way,
						 const struct pping_packet *p)
{
	__u32 end = p->sequence + p->payload + !!(p->flags & PPING_TCP_SYN) + !!(p->flags & PPING_TCP_FIN);
	int in_order = 0, given_up = 0;

	if (end == p->sequence)
		return 0;
	bpf_spin_lock(&flow->lock);
	if (!way->sequence_known) {
		way->sequence_known = 1;
		way->next_sequence = end;
		in_order = !!(p->flags & PPING_TCP_SYN);
	} else if (p->sequence == way->next_sequence) {
		way->next_sequence = end;
		in_order = 1;
	} else {
		/* Sent again (Karn), or what lies between was lost before it came here: then only what follows is sure. */
		if (pping_after(end, way->next_sequence))
			way->next_sequence = end;
		way->void_until = way->next_sequence;
		given_up = 1;
	}
	bpf_spin_unlock(&flow->lock);
	if (given_up && way->outstanding)
		pping_note(PPING_STAMPS_VOID);
	return in_order;
}

/* Stores when an identifier passed; 0 if it was stored. */
static __always_inline int pping_store(struct pping_flow *flow, struct pping_direction *way, const struct pping_packet *p,
				       __u32 identifier, __u64 now)
{
	struct pping_stamp_key key;
	__u64 *stored;
	int failed;

	pping_stamp_key_of(&key, flow, p, identifier, p->method, p->reversed & 1);
	failed = bpf_map_update_elem(&stamps, &key, &now, BPF_NOEXIST);
	if (!failed) {
		__sync_fetch_and_add(&way->outstanding, 1);
		pping_note(PPING_STAMPS);
		return 0;
	}
	if (failed != -PPING_EEXIST) {
		pping_note(PPING_STAMP_TABLE_FULL);
		return -1;
	}
	/* A query that was repeated: nobody can tell which one is answered. */
	stored = p->method == PPING_DNS ? bpf_map_lookup_elem(&stamps, &key) : 0;
	if (stored && !(*stored & PPING_VOID)) {
		*stored |= PPING_VOID;
		pping_note(PPING_STAMPS_VOID);
	}
	return -1;
}

/* The segments of a super-packet go out together, and each is acknowledged by itself. */
static __noinline int pping_store_segments(struct pping_flow *flow, struct pping_packet *p)
{
	__u32 i, at = 0, first;

	if (!flow || !p)
		return 0;
	first = p->sequence + !!(p->flags & PPING_TCP_SYN);
#pragma clang loop unroll(disable)
	for (i = 0; i < PPING_MAX_SEGMENTS; i++) {
		at += p->segment;
		if (at >= p->payload || !p->segment)
			break;
		pping_store(flow, &flow->direction[p->reversed & 1], p, first + at, p->now);
		if (config.rate_limit_ns || config.rtt_rate)
			return 0;
	}
	pping_store(flow, &flow->direction[p->reversed & 1], p, p->identifier, p->now);
	return 0;
}

static __always_inline int pping_is_new(const struct pping_direction *way, const struct pping_packet *p)
{
	switch (p->method) {
	case PPING_TCP_TIMESTAMP:
		return (!way->stamped && !p->wait_edge) || pping_after(p->identifier, way->last_id);
	case PPING_ICMP_ECHO:
		return !way->stamped || p->identifier != way->last_id;
	default:
		return 1;
	}
}

/* Stamps the identifier of a packet if it is new and its time has come. */
static __always_inline void pping_stamp(void *ctx, struct pping_flow *flow, struct pping_packet *p)
{
	struct pping_direction *way = &flow->direction[p->reversed & 1];
	__u32 last = way->last_id;
	__u64 before, now;

	if (p->method == PPING_TCP_SEQUENCE || p->method == PPING_TCP_HANDSHAKE) {
		if (!pping_follow_sequence(flow, way, p))
			return;
	}
	/* Also of a closed direction: what was lost may be sent again behind its FIN. */
	if (!p->can_stamp || p->method == PPING_QUIC_SPIN || !pping_is_new(way, p))
		return;
	if (p->ifindex && !config.include_local) {
		if (!way->locality)
			way->locality = pping_goes_here(ctx, p) ? 1 : 2;
		if (way->locality == 1)
			return;
	}
	/* Of several processors with the same identifier one goes on. */
	if (p->method != PPING_TCP_HANDSHAKE && last != p->identifier &&
	    __sync_val_compare_and_swap(&way->last_id, last, p->identifier) != last)
		return;
	now = pping_now(p);
	before = way->stamped_ns;
	if (pping_rate_limited(way, now) || __sync_val_compare_and_swap(&way->stamped_ns, before, now) != before)
		return;
	way->stamped = 1;
	if (p->method == PPING_TCP_HANDSHAKE)
		way->handshake = 1;
	if (p->method == PPING_TCP_SEQUENCE && p->segment < p->payload)
		pping_store_segments(flow, p);
	else
		pping_store(flow, way, p, p->identifier, now);
}

static __always_inline void pping_sample(struct pping_flow *flow, struct pping_packet *p, __u64 rtt, __u8 method,
					 __u32 confidence)
{
	struct pping_news news = {
		.at_ns = p->now,
		.rtt_ns = rtt,
		.type = PPING_EVENT_RTT,
		.method = method,
		.local = !p->ifindex,
		.direction = !(p->reversed & 1),
		.confidence = confidence,
	};
	struct pping_direction *way = &flow->direction[!(p->reversed & 1)];

	bpf_spin_lock(&flow->lock);
	if (confidence >= PPING_LIKELY) {
		if (!way->min_rtt_ns || rtt < way->min_rtt_ns)
			way->min_rtt_ns = rtt;
		/* RFC 6298 section 2.3: 7/8 of the old one, 1/8 of the new one. */
		if (way->smoothed_rtt_ns)
			way->smoothed_rtt_ns += (rtt >> 3) - (way->smoothed_rtt_ns >> 3);
		else
			way->smoothed_rtt_ns = rtt;
	}
	news.min_rtt_ns = way->min_rtt_ns;
	bpf_spin_unlock(&flow->lock);
	pping_note(PPING_SAMPLES);
	pping_tell(&p->key, flow, &news);
}

/* Looks for the stamp that a packet answers; whoever takes it out has the sample. */
static __noinline int pping_answer(struct pping_flow *flow, struct pping_packet *p, __u32 identifier, __u32 method)
{
	struct pping_stamp_key key;
	__u64 *stored, then, now;
	__u8 direction;

	if (!flow || !p)
		return 0;
	direction = !(p->reversed & 1);
	pping_stamp_key_of(&key, flow, p, identifier, method, direction);
	stored = bpf_map_lookup_elem(&stamps, &key);
	if (!stored)
		return 0;
	then = *stored;
	now = pping_now(p);
	if (bpf_map_delete_elem(&stamps, &key))
		return 0;
	__sync_fetch_and_add(&flow->direction[direction & 1].outstanding, -1);
	if (!(then & PPING_VOID))
		pping_sample(flow, p, now > then ? now - then : 0, method, PPING_SURE);
	return 1;
}

/* Whether an acknowledgement tells a time: it is new, exact, and nothing was sent again or is missing before it. */
static __always_inline int pping_follow_ack(struct pping_flow *flow, struct pping_direction *way, const struct pping_packet *p)
{
	int tells = 0, given_up = 0;

	bpf_spin_lock(&flow->lock);
	if (p->has_sack || (way->acked && p->acknowledgement == way->last_ack && !p->payload &&
			    !(p->flags & (PPING_TCP_SYN | PPING_TCP_FIN)))) {
		given_up = way->void_until != way->next_sequence;
		way->void_until = way->next_sequence;
	} else if (!way->acked || pping_after(p->acknowledgement, way->last_ack)) {
		tells = pping_after(p->acknowledgement, way->void_until);
	}
	if (!way->acked || pping_after(p->acknowledgement, way->last_ack))
		way->last_ack = p->acknowledgement;
	way->acked = 1;
	bpf_spin_unlock(&flow->lock);
	if (given_up)
		pping_note(PPING_STAMPS_VOID);
	return tells;
}

static __always_inline void pping_match(struct pping_flow *flow, struct pping_packet *p)
{
	struct pping_direction *way = &flow->direction[!(p->reversed & 1)];

	if (!p->can_answer || way->state == PPING_EMPTY)
		return;
	if (way->handshake) {
		/* A SYN that was sent again tells nothing. */
		if (p->flags & PPING_TCP_ACK && pping_after(p->acknowledgement, way->void_until))
			pping_answer(flow, p, p->acknowledgement, PPING_TCP_HANDSHAKE);
		if (!(p->flags & PPING_TCP_SYN) || p->flags & PPING_TCP_ACK)
			way->handshake = 0;
	}
	if (p->method == PPING_TCP_SEQUENCE && !pping_follow_ack(flow, way, p))
		return;
	if (!way->outstanding || p->method == PPING_TCP_HANDSHAKE || p->method == PPING_QUIC_SPIN)
		return;
	if (p->method == PPING_TCP_TIMESTAMP) {
		if (way->last_reply == p->answer)
			return;
		way->last_reply = p->answer;
	}
	pping_answer(flow, p, p->answer, p->method);
}

/* The spin bit (RFC 9000 section 17.4, RFC 9312 section 4.2): the time between two edges is a round trip of both ends. How
 * sure it is: an end that sets the bit at random makes a run of n packets with a probability of 2^(1 - n), and what was
 * a pause in it is no round trip. */
static __noinline int pping_spin(struct pping_flow *flow, struct pping_packet *p)
{
	__u64 now, period = 0, gap;
	struct pping_direction *way;
	__u32 run = 0, confidence;

	if (!flow || !p || !p->spin)
		return 0;
	now = pping_now(p);
	way = &flow->direction[p->reversed & 1];
	bpf_spin_lock(&flow->lock);
	gap = way->seen_ns && now > way->seen_ns ? now - way->seen_ns : 0;
	if (gap > way->gap_ns)
		way->gap_ns = gap;
	gap = way->gap_ns;
	way->seen_ns = now;
	if (way->spin && way->spin != p->spin) {
		if (way->edges > 0 && now > way->edge_ns) {
			period = now - way->edge_ns;
			run = way->run < way->last_run || way->edges == 1 ? way->run : way->last_run;
		}
		way->last_run = way->run;
		way->edges = way->edges < 2 ? way->edges + 1 : 2;
		way->edge_ns = now;
		way->run = 0;
		way->gap_ns = 0;
	}
	way->spin = p->spin;
	way->run++;
	bpf_spin_unlock(&flow->lock);
	if (!period || !run || (!p->ifindex && !config.include_local) || pping_rate_limited(way, now))
		return 0;
	way->stamped_ns = now;
	confidence = PPING_SURE - (PPING_SURE >> (run > PPING_MAX_RUN ? PPING_MAX_RUN - 1 : run - 1));
	confidence = gap >= period ? 0 : (__u64)confidence * (period - gap) / period;
	pping_sample(flow, p, period, PPING_QUIC_SPIN, confidence);
	return 0;
}

#endif
