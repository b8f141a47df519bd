/* SPDX-License-Identifier: GPL-2.0-only */
/* pping.h — what the packet programs and user space share. */
#ifndef PPING_H
#define PPING_H

#include <linux/bpf.h>
#include <linux/types.h>

#define PPING_MAX_SEGMENTS 128 /* of a super-packet that are stamped, each by itself */
#define PPING_RATE_SHIFT   16  /* rtt_rate is a fixed-point number */
#define PPING_MAX_REMOVALS 16384 /* flows that one sweep removes, so that the ring can hold what it tells */
#define PPING_PERMILLE	   1000

/* Lifetimes of entries, as the tool before this one had them. */
#define PPING_STAMP_LIFETIME_NS	   10000000000ULL
#define PPING_STAMP_LIFETIME_RTTS  8 /* once a smoothed RTT is known */
#define PPING_FLOW_LIFETIME_NS	   300000000000ULL
#define PPING_SHORT_LIFETIME_NS	   30000000000ULL /* without an answer; ICMP, DNS */
#define PPING_CLOSED_LIFETIME_NS   2000000000ULL  /* late segments of a closed connection still belong to it */

/* What becomes of a packet: exactly one of these. */
enum pping_reason {
	PPING_TRACKED = 0,	    /* counted in its flow */
	PPING_NOT_IP = 1,
	PPING_UNPARSABLE = 2,
	PPING_FRAGMENT = 3,	    /* has no ports */
	PPING_OTHER_PROTOCOL = 4,   /* of no method that was asked for */
	PPING_NO_IDENTIFIER = 5,    /* TCP without time stamps, ICMP other than echo */
	PPING_SYN_SKIPPED = 6,	    /* without --include-SYN */
	PPING_NOT_OPENED = 7,	    /* of no known flow, and begins none: a pure ACK, FIN, RST, an answer */
	PPING_FLOW_TABLE_FULL = 8,
	PPING_FLOW_NO_MEMORY = 9,
	PPING_REASONS,
};

/* What else happened, in numbers. */
enum pping_happening {
	PPING_STAMPS = 0,	      /* identifiers whose time was stored */
	PPING_STAMP_TABLE_FULL = 1,   /* ... could not be stored */
	PPING_STAMPS_EXPIRED = 2,     /* ... found no answer in time */
	PPING_STAMPS_VOID = 3,	      /* ... were given up: retransmission, SACK hole, repeated query */
	PPING_SAMPLES = 4,
	PPING_EVENTS_LOST = 5,	      /* found the ring full */
	PPING_FLOWS_CREATED = 6,
	PPING_FLOWS_REMOVED = 7,
	PPING_PREFIX_TABLE_FULL = 8,  /* packets that are in the entry for all other prefixes */
	PPING_HAPPENINGS,
};

/* How a round-trip time was found; numbers as RttMethod in the reports. */
enum pping_method {
	PPING_NO_METHOD = 0,
	PPING_TCP_TIMESTAMP = 1,
	PPING_TCP_SEQUENCE = 2,
	PPING_TCP_HANDSHAKE = 3,
	PPING_ICMP_ECHO = 4,
	PPING_DNS = 5,
	PPING_QUIC_SPIN = 6,
};

enum pping_event_type {
	PPING_EVENT_RTT = 1,
	PPING_EVENT_OPENING = 2,
	PPING_EVENT_CLOSING = 3,
	PPING_EVENT_REMOVED = 4, /* the entry is gone; the last word on its packets */
};

enum pping_event_reason {
	PPING_REASON_NONE = 0,
	PPING_REASON_SYN = 1,
	PPING_REASON_SYN_ACK = 2,
	PPING_REASON_FIRST_PACKET = 3,
	PPING_REASON_FIN = 4,
	PPING_REASON_RST = 5,
	PPING_REASON_TIMEOUT = 6,
};

enum pping_event_source {
	PPING_SOURCE_SRC = 0,
	PPING_SOURCE_DEST = 1,
	PPING_SOURCE_SWEEP = 2,
};

enum pping_state {
	PPING_EMPTY = 0,     /* nothing has been sent this way that could be measured */
	PPING_WAIT_OPEN = 1, /* no answer yet */
	PPING_OPEN = 2,
	PPING_CLOSED = 3,
};

/* Set before load. */
struct pping_config {
	__u64 rate_limit_ns;
	__u64 rtt_rate; /* << PPING_RATE_SHIFT; 0: rate_limit_ns alone */
	__u64 ipv6_prefix_mask; /* memory order */
	__u32 ipv4_prefix_mask; /* memory order */
	__u32 l2_length;
	__u8 smoothed; /* rtt_rate is of the smoothed RTT, not of the least */
	__u8 tcp;
	__u8 icmp;
	__u8 sequence;
	__u8 handshake;
	__u8 dns;
	__u8 quic;
	__u8 include_local;
	__u8 include_syn;
	__u8 vlan_in_key;
	__u8 aggregate;
	__u8 events; /* tell that flows open and close */
	__u8 _pad[4];
};

/* Both directions of a flow: `low` sorts before `high`. Addresses in memory order, IPv4 as ::ffff:a.b.c.d. */
struct pping_key {
	__u8 low[16];
	__u8 high[16];
	__be16 low_port; /* ICMP: the echo's identifier, at both */
	__be16 high_port;
	__u16 vlan_id; /* the outer one; 0 without, and with XDP */
	__u8 protocol;
	__u8 _pad;
} __attribute__((aligned(8)));

/* One direction of a flow. */
struct pping_direction {
	__u64 packets; /* on the wire */
	__u64 l3_bytes;
	__u64 payload_bytes;
	__u64 stamped_ns; /* the last time an identifier was stamped; 0: never */
	__u64 min_rtt_ns; /* of what was stamped in this direction; 0: none yet */
	__u64 smoothed_rtt_ns;
	__u64 opened_ns;
	__u64 edge_ns; /* QUIC: when the spin bit changed */
	__u64 seen_ns; /* QUIC: the last packet */
	__u64 gap_ns;  /* QUIC: the longest pause since the edge */
	__u32 state;   /* enum pping_state */
	__u32 last_id;
	__u32 last_reply; /* the last identifier that an answer to this direction was looked up for */
	__u32 outstanding; /* stamps without an answer */
	__u32 first_sequence; /* TCP: of the first octet that was seen */
	__u32 next_sequence;  /* TCP: beyond the last octet that was seen */
	__u32 void_until;     /* TCP: acknowledgements up to this tell nothing */
	__u32 last_ack;	      /* TCP: of what was sent in this direction */
	__u32 run;	      /* QUIC: packets since the edge */
	__u32 last_run;	      /* QUIC: packets between the two edges before */
	__u8 opening_reason;
	__u8 stamped;
	__u8 sequence_known;
	__u8 acked; /* last_ack is one */
	__u8 handshake; /* a handshake stamp may be outstanding */
	__u8 locality;	/* 0: not known; 1: goes to this host; 2: goes on */
	__u8 spin;	/* 0: not known; 1, 2: the last value + 1 */
	__u8 edges;	/* QUIC: 0, 1, 2 (or more) */
};

struct pping_flow {
	__u64 id; /* never used again */
	__u64 seen_ns; /* the tick before its last packet */
	struct pping_direction direction[2]; /* from low to high, from high to low */
	struct bpf_spin_lock lock; /* of what changes together: round-trip times, sequence numbers, spin bits */
	__u32 _pad;
};

/* An identifier that waits for its answer; the value is when it passed. */
struct pping_stamp_key {
	struct pping_key flow;
	__u32 identifier;
	__u16 generation; /* of the flow's id: another flow of the same addresses and ports is another one */
	__u8 method;
	__u8 direction;
};

struct pping_event {
	__u64 flow_id;
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u64 rtt_ns;
	__u64 min_rtt_ns;
	__u64 packets[2]; /* [0]: of the direction that is measured, [1]: of the answers */
	__u64 l3_bytes[2];
	__u64 payload_bytes[2];
	__u8 source[16]; /* of the answer, so that a flow is told from its far side */
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u16 vlan_id;
	__u16 confidence; /* in permille */
	__u8 protocol;
	__u8 type;
	__u8 method;
	__u8 local; /* the answer left by the interface */
	__u8 reason;
	__u8 triggered_by;
	__u8 direction; /* which one is measured: index into struct pping_flow */
	__u8 _pad;
};

/* A prefix in memory order, cut off. */
struct pping_prefix {
	__u64 bits; /* IPv4: the address in the lower half */
	__u32 family; /* 4 or 6 */
	__u32 other; /* 1: of all that found no room */
};

enum pping_traffic {
	PPING_TRAFFIC_TS = 0,
	PPING_TRAFFIC_NO_TS = 1,
	PPING_TRAFFIC_OTHER = 2,
	PPING_TRAFFICS,
};

struct pping_amount {
	__u64 packets;
	__u64 l3_bytes;
};

struct pping_prefix_traffic {
	struct pping_amount received[PPING_TRAFFICS]; /* from the prefix */
	struct pping_amount sent[PPING_TRAFFICS];     /* to the prefix */
};

enum pping_protocol_class {
	PPING_CLASS_NOT_IP = 0,
	PPING_CLASS_TCP = 1,
	PPING_CLASS_UDP = 2,
	PPING_CLASS_ICMP = 3,
	PPING_CLASS_ICMPV6 = 4,
	PPING_CLASSES,
};

/* Of the whole interface, for each CPU. */
struct pping_totals {
	__u64 packets[PPING_REASONS]; /* wire packets by enum pping_reason */
	__u64 happenings[PPING_HAPPENINGS];
	struct pping_amount protocols[PPING_CLASSES];
	__u64 ecn[4]; /* IP packets by ECN field */
	__u64 other_protocols[256];
};

#endif
