/* SPDX-License-Identifier: GPL-2.0-only */
/* flow.bpf.h — how flows begin, open, close and make room for their successors. */
#ifndef PPING_FLOW_BPF_H
#define PPING_FLOW_BPF_H

#include "maps.bpf.h"

#define PPING_ENOMEM 12
#define PPING_EEXIST 17

static __always_inline __u8 pping_opening_reason(const struct pping_packet *p)
{
	if (!(p->flags & PPING_TCP_SYN))
		return PPING_REASON_FIRST_PACKET;
	return p->flags & PPING_TCP_ACK ? PPING_REASON_SYN_ACK : PPING_REASON_SYN;
}

/* The first packet this way that can be measured. */
static __always_inline void pping_begin(struct pping_direction *way, struct pping_packet *p)
{
	/* A SYN of a handshake is known by its sequence number; what follows may be known by its time stamps. */
	__u32 id = p->method == PPING_TCP_HANDSHAKE ? p->tsval : p->identifier;

	way->opened_ns = pping_now(p);
	way->opening_reason = pping_opening_reason(p);
	way->last_id = id;
	way->last_reply = id - 1;
	way->first_sequence = p->sequence + !!(p->flags & PPING_TCP_SYN);
	way->void_until = p->sequence;
	way->state = PPING_WAIT_OPEN;
}

static __always_inline void pping_tell_flow(struct pping_flow *flow, const struct pping_packet *p, __u8 type, __u8 direction,
					    __u8 reason, __u8 triggered_by, __u64 at_ns)
{
	struct pping_news news = {
		.at_ns = at_ns,
		.type = type,
		.direction = direction,
		.reason = reason,
		.triggered_by = triggered_by,
		.min_rtt_ns = flow->direction[direction & 1].min_rtt_ns,
	};

	if (config.events)
		pping_tell(&p->key, flow, &news);
}

/* Closes one direction, once. */
static __always_inline void pping_close(struct pping_flow *flow, struct pping_packet *p, __u8 direction, __u8 reason, __u8 by)
{
	struct pping_direction *way = &flow->direction[direction & 1];
	__u32 before = way->state;

	if (before == PPING_CLOSED || __sync_val_compare_and_swap(&way->state, before, PPING_CLOSED) != before)
		return;
	if (before == PPING_OPEN)
		pping_tell_flow(flow, p, PPING_EVENT_CLOSING, direction, reason, by, pping_now(p));
}

/* Takes an entry out, with its last word. */
static __always_inline int pping_remove(struct pping_flow *flow, const struct pping_key *key, __u64 at_ns)
{
	struct pping_news news = { .at_ns = at_ns, .type = PPING_EVENT_REMOVED };

	if (bpf_map_delete_elem(&flows, key))
		return -1;
	pping_note(PPING_FLOWS_REMOVED);
	pping_tell(key, flow, &news);
	return 0;
}

/* A SYN meets an entry of its addresses and ports: true if that was an earlier connection, which is gone now. */
static __noinline int pping_supersede(struct pping_flow *flow, struct pping_packet *p)
{
	struct pping_direction *way, *other;
	__u8 direction;

	if (!flow || !p)
		return 0;
	direction = p->reversed & 1;
	way = &flow->direction[direction];
	other = &flow->direction[!direction];
	/* The same SYN again, and its answer. */
	if (way->state != PPING_EMPTY && way->first_sequence == p->sequence + 1)
		return 0;
	if (way->state == PPING_EMPTY && p->flags & PPING_TCP_ACK && other->state != PPING_CLOSED)
		return 0;
	pping_close(flow, p, direction, PPING_REASON_SYN, PPING_SOURCE_DEST);
	pping_close(flow, p, !direction, PPING_REASON_SYN, PPING_SOURCE_SRC);
	return !pping_remove(flow, &p->key, pping_now(p));
}

/* A new entry for `p`, or PPING_... with the reason why there is none. */
static __noinline int pping_create(struct pping_packet *p)
{
	struct pping_flow *flow;
	__u32 zero = 0;
	int failed;

	if (!p)
		return PPING_UNPARSABLE;
	flow = bpf_map_lookup_elem(&fresh, &zero);
	if (!flow)
		return PPING_FLOW_NO_MEMORY;
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->id = __sync_fetch_and_add(&pping_last_flow, 1) + 1;
	flow->seen_ns = pping_tick;
	pping_begin(&flow->direction[p->reversed & 1], p);
	failed = bpf_map_update_elem(&flows, &p->key, flow, BPF_NOEXIST);
	if (!failed)
		pping_note(PPING_FLOWS_CREATED);
	if (!failed || failed == -PPING_EEXIST)
		return PPING_REASONS;
	return failed == -PPING_ENOMEM ? PPING_FLOW_NO_MEMORY : PPING_FLOW_TABLE_FULL;
}

/* The first answer to a direction opens it, once. */
static __always_inline void pping_open(struct pping_flow *flow, struct pping_packet *p)
{
	__u8 direction = !(p->reversed & 1);
	struct pping_direction *way = &flow->direction[direction & 1];

	if (way->state != PPING_WAIT_OPEN || p->flags & PPING_TCP_RST)
		return;
	if (__sync_val_compare_and_swap(&way->state, PPING_WAIT_OPEN, PPING_OPEN) == PPING_WAIT_OPEN)
		pping_tell_flow(flow, p, PPING_EVENT_OPENING, direction, way->opening_reason, PPING_SOURCE_DEST, way->opened_ns);
}

/* FIN ends one direction, RST both. */
static __always_inline void pping_end(struct pping_flow *flow, struct pping_packet *p)
{
	__u8 direction = p->reversed & 1;

	if (p->flags & PPING_TCP_RST) {
		pping_close(flow, p, direction, PPING_REASON_RST, PPING_SOURCE_DEST);
		pping_close(flow, p, !direction, PPING_REASON_RST, PPING_SOURCE_SRC);
	} else if (p->flags & PPING_TCP_FIN) {
		pping_close(flow, p, direction, PPING_REASON_FIN, PPING_SOURCE_DEST);
	}
}

#endif
