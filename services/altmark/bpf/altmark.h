/* SPDX-License-Identifier: GPL-2.0-only */
/* altmark.h — what the packet programs and user space share. */
#ifndef ALTMARK_H
#define ALTMARK_H

#include <linux/types.h>

/* The mark: DSCP 2 (colour 0) or 3 (colour 1) on packets whose DSCP is 0. The two ECN bits are not part of it. */
#define ALTMARK_MARK	    0x08
#define ALTMARK_COLOUR	    0x04
#define ALTMARK_DSCP_MASK   0xfc
#define ALTMARK_MARK_MASK   0xf8 /* of a marked packet: DSCP without the colour */

#define ALTMARK_MAX_SLOTS   64 /* blocks that may wait to be read: a power of two */
#define ALTMARK_MAX_RULES   64
#define ALTMARK_MAX_REPORTS 8 /* own report connections */
#define ALTMARK_STEP_NS	    1000000 /* a clock that moved by more against CLOCK_MONOTONIC was stepped */
#define ALTMARK_RETRY_NS    100000000 /* how often to look again after a step, until user space has dealt with it */
#define ALTMARK_MAX_SAMPLES 64 /* destinations of sampled packets: a power of two */

/* altmark_now: block number, phase and whether there is a block at all, in one word so that one read is consistent. */
#define ALTMARK_PHASE_BITS 3
#define ALTMARK_PHASE_MASK 0x3
#define ALTMARK_ACTIVE	   0x4

/* The quarters that the guard band and the middle cut a block into; they tell what the other colour means. */
enum altmark_phase {
	ALTMARK_PHASE_EARLY = 0,	/* [0, d): a late packet of the block before */
	ALTMARK_PHASE_FIRST_HALF = 1,	/* [d, L/2): the same, but beyond the guard band */
	ALTMARK_PHASE_SECOND_HALF = 2,	/* [L/2, L-d): the next block, but beyond the guard band */
	ALTMARK_PHASE_LATE = 3,		/* [L-d, L): an early packet of the next block */
};

/* Why a packet is in no block. Every packet is either in a block or in exactly one of these. */
enum altmark_reason {
	ALTMARK_DSCP_IN_USE = 0,   /* source: the packet has a DSCP of its own */
	ALTMARK_LOCAL_SCOPE = 1,   /* source: it does not reach the far end */
	ALTMARK_OWN_REPORT = 2,	   /* source: a report of this agent */
	ALTMARK_NO_MATCH = 3,	   /* source: no flow rule matches */
	ALTMARK_UNMATCHED = 4,	   /* sink: marked, cleaned, but no flow rule matches */
	ALTMARK_UNMARKED = 5,	   /* sink: no mark */
	ALTMARK_NOT_IP = 6,
	ALTMARK_UNPARSABLE = 7,
	ALTMARK_INACTIVE = 8,	   /* no block is open: before start, after a step of the clock */
	ALTMARK_SLOT_BUSY = 9,	   /* the block's slot has not been read yet */
	ALTMARK_LEASE_EXPIRED = 10, /* the agent is gone: packets pass untouched */
	ALTMARK_MARK_FAILED = 11,  /* the mark could not be written (or cleared) */
	ALTMARK_REASONS = 12,
};

struct altmark_count {
	__u64 packets;
	__u64 l3_bytes;
	__u64 fragments;
	__u64 out_of_guard;
};

/* A flow of --per-flow. Addresses in network order, IPv4 as ::ffff:a.b.c.d; ports in network order, 0 where there are
 * none. */
struct altmark_flow_key {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 rule;
	__u8 _pad[2];
};
_Static_assert(sizeof(struct altmark_flow_key) == 40, "altmark_flow_key has padding");

/* A rule matches when (value & mask) is equal in every word; words in memory order of the packet. */
struct altmark_rule {
	__u64 addresses4; /* source, destination */
	__u64 addresses4_mask;
	__u64 addresses6[4]; /* source, destination */
	__u64 addresses6_mask[4];
	struct {
		__be16 source_port;
		__be16 destination_port;
		__u8 protocol;
		__u8 has_ports;
		__u8 version; /* of IP: 4 or 6 */
		__u8 _pad;
	} transport, transport_mask;
};

struct altmark_config {
	__u64 interval_ns;
	__u64 guard_ns;
	__u32 l2_length;
	__u32 slots; /* a power of two, at most ALTMARK_MAX_SLOTS */
	__u32 rules; /* 0: one flow of all packets */
	__u8 per_flow;
	__u8 leased; /* the filter may outlive its process */
	__u8 keep_marks;
	__u8 is_sink;
};

/* What user space tells a running program. Written as a whole. */
struct altmark_control {
	__s64 clock_offset_ns; /* what to add to CLOCK_TAI for Unix time */
	__u64 lease_until_ns;  /* CLOCK_MONOTONIC */
	__s64 tai_minus_monotonic_ns; /* when clock_offset_ns was taken: another one now means a step */
};

struct altmark_endpoint {
	__u8 address[16];
	__be16 port;
	__u8 _pad[6];
};

struct altmark_own_reports {
	__u64 count;
	struct altmark_endpoint endpoints[ALTMARK_MAX_REPORTS];
};

/* Where a sampled packet went; IPv4 as ::ffff:a.b.c.d, all zero where there was none yet. */
struct altmark_sample {
	__u8 destination[16];
};

#endif
