/* SPDX-License-Identifier: GPL-2.0-only */
/* stamp.h — what the packet programs and user space share (RFC 8762 section 4; offsets are those of the UDP payload).
 */
#ifndef STAMP_H
#define STAMP_H

#include <linux/types.h>

#define STAMP_SHORTEST	14 /* a TWAMP Light request without padding */
#define STAMP_BASE	44 /* unauthenticated request and answer */
#define STAMP_AUTH_BASE 112
#define STAMP_HMAC_TEXT 96 /* what the HMAC covers */
#define STAMP_HMAC	16

#define STAMP_MAX_KEYS	   1024
#define STAMP_MAX_OWN	   256 /* own addresses of an interface */
#define STAMP_FEW_OWN	   4   /* of them, those that are compared before the table is asked */
#define STAMP_MAX_ALLOWED  1024
#define STAMP_MAX_SOURCES  65536 /* whose rate is limited */
#define STAMP_MAX_SESSIONS 65536 /* of a stateful reflector, unless told otherwise */
#define STAMP_MAX_TARGETS  1024	 /* of a sender */
#define STAMP_FRAME_BYTES  3584	 /* a packet for user space: what a test run takes back (a page less its overhead) */
#define STAMP_TLV_HEADER   4
#define STAMP_TLV_BYTES	   1024 /* of an answer's TLVs, for user space */

/* What became of the packets for the reflector's port. Each is in exactly one of these; answers are counted when their
 * T3 is written. */
enum stamp_reflector_count {
	STAMP_REFLECTED = 0,	    /* answered in place */
	STAMP_USER_PATH = 1,	    /* given to user space (TLVs, short requests) */
	STAMP_USER_PATH_FULL = 2,   /* dropped: user space does not keep up */
	STAMP_NOT_OURS = 3,	    /* passed: not to one of the interface's own addresses */
	STAMP_ANSWER = 4,	    /* passed: it is an answer itself */
	STAMP_MALFORMED = 5,	    /* passed: shorter than a request, or lengths that contradict each other */
	STAMP_UNHANDLED_HEADER = 6, /* passed: IP options, extension headers, super-packets that are not turned round */
	STAMP_BAD_SOURCE = 7,	    /* dropped: a source that cannot be answered */
	STAMP_NOT_ALLOWED = 8,	    /* dropped: --allow */
	STAMP_RATE_LIMITED = 9,	    /* dropped: --rate-limit */
	STAMP_BAD_HMAC = 10,	    /* dropped: wrong HMAC, or no key for this SSID */
	STAMP_REPLAYED = 11,	    /* dropped: seen before (authenticated, stateful) */
	STAMP_TABLE_FULL = 12,	    /* dropped: no room for another session (stateful) */
	STAMP_TOO_LONG = 13,	    /* dropped: longer than user space can answer */
	STAMP_LEASE_EXPIRED = 14,   /* passed: the agent is gone */
	STAMP_STAMPED = 15,	    /* answers that left with T3, of either path */
	STAMP_STAMP_FAILED = 16,    /* answers that were dropped at egress */
	STAMP_UNOBSERVED = 17,	    /* answered requests that --output and --hist do not know of */
	STAMP_REFLECTOR_COUNTS = 18,
};

/* What became of the packets that a sender's programs looked at. */
enum stamp_sender_count {
	STAMP_SENT = 0,		   /* left with T1 */
	STAMP_SEND_FAILED = 1,	   /* ours, but could not be stamped: dropped */
	STAMP_RECEIVED = 2,	   /* answers, the first of each */
	STAMP_DUPLICATE = 3,	   /* further answers to the same packet */
	STAMP_UNMATCHED = 4,	   /* passed: from a target's address and port, but no answer to a packet of ours */
	STAMP_ANSWER_BAD_HMAC = 5, /* dropped: an answer to us with a wrong HMAC */
	STAMP_RING_FULL = 6,	   /* records that user space had no room for */
	STAMP_SENDER_COUNTS = 7,
};

/* SHA-256 states after the key's inner and outer pad (RFC 2104), so that a packet costs three compressions. */
struct stamp_key {
	__u32 inner[8];
	__u32 outer[8];
};

struct stamp_reflector_config {
	__u64 cookie;	     /* stands for T3 in answers that come by the host's stack */
	__u64 rate_gap_ns;   /* 0: no limit; else the distance between requests of a source at its rate */
	__u64 rate_burst_ns; /* how far ahead of its rate a source may be */
	__u32 l2_length;
	__u32 mark; /* of answers on their way from ingress to egress */
	__u32 ifindex;
	__u16 port;
	__u8 authenticated;
	__u8 stateful;
	__u8 restricted; /* only sources in `allowed` are answered */
	__u8 via_stack;
	__u8 leased;
	__u8 ptp;      /* timestamps: 1 PTPv2 truncated, 0 NTP */
	__u8 dscp;     /* of answers; STAMP_COPY: that of the request */
	__u8 copy_ecn; /* 0: answers are Not-ECT */
	__u8 observe;  /* tell user space of every request */
	__u8 _pad;
};
#define STAMP_COPY 0xff

/* A session of a stateful reflector. Addresses in network order, IPv4 as ::ffff:a.b.c.d. */
struct stamp_session_key {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 ssid;
	__u8 _pad[4];
};
_Static_assert(sizeof(struct stamp_session_key) == 40, "stamp_session_key has padding");

/* Prefix of `allowed`. The version stands in front: no prefix of IPv6 holds an address of IPv4. */
struct stamp_prefix {
	__u32 bits;    /* of version and address */
	__u32 version; /* 4, 6 */
	__u8 address[16];
};

/* The first own addresses as words in memory order; words of 0 match nothing. */
struct stamp_few_own {
	__u64 words[2 * STAMP_FEW_OWN];
};

/* A request that is answered, for --output and --hist. */
struct stamp_observed {
	__u64 received_ns;    /* T2, since the Unix epoch */
	__u64 sent;	      /* T1 as on the wire */
	__u64 error_estimate; /* of the sender */
};

/* A way to an address: what is asked, and the next hop's hardware addresses. */
struct stamp_way {
	__u8 source[16];
	__u8 destination[16];
	__u32 ifindex; /* it leaves by */
	__u8 source_mac[6];
	__u8 destination_mac[6];
};

/* A request that user space answers. */
struct stamp_request {
	__u64 received_ns;	/* T2, since the Unix epoch */
	__u64 session_received; /* requests and answers of the session so far, this one included; stateful */
	__u64 session_answered;
	__u64 previous_ns;	 /* T3 of the session's answer that left last; 0: none, or stateless */
	__u32 previous_sequence; /* its number */
	__u32 length;		 /* of the frame */
	__u32 l3_offset;
	__u32 l4_offset;
	__u32 sequence;	      /* of the answer; host order */
	__be16 vlan_protocol; /* of a tag that the card took off; 0: none */
	__u16 vlan_tci;
	__u8 tos;
	__u8 hops;
	__u8 _pad[6];
	__u8 frame[STAMP_FRAME_BYTES];
};

struct stamp_sender_config {
	__u64 cookie; /* stands for T1 in packets that come from this process */
	__u32 l2_length;
	__u32 window; /* packets of a session that may be under way: a power of two */
	__u16 ssid;
	__u16 port; /* ours */
	__u8 authenticated;
	__u8 leased;
	__u8 ptp;
	__u8 dscp; /* 0: as it is */
	__u8 tlvs; /* 1: give user space the answers' TLVs */
	__u8 _pad[7];
};

/* A target of a sender. */
struct stamp_target_key {
	__u8 remote[16];
	__be16 remote_port;
	__be16 local_port;
	__u8 _pad[4];
};
_Static_assert(sizeof(struct stamp_target_key) == 24, "stamp_target_key has padding");

/* A packet under way, at session * window + sequence % window. */
struct stamp_pending {
	__u64 sent_ns;	    /* T1, since the Unix epoch */
	__u64 monotonic_ns; /* the same moment */
	__be32 seconds;	    /* T1 as it is in the packet */
	__be32 fraction;
	__u32 sequence;
	__u32 answers; /* so far */
};

enum stamp_event_kind {
	STAMP_EVENT_SENT = 1,
	STAMP_EVENT_ANSWER = 2,
};

/* What happened to a packet of a sender. Timestamps as they came; 64-bit in network order as numbers. */
struct stamp_event {
	__u64 sent_ns;	  /* T1, since the Unix epoch */
	__u64 elapsed_ns; /* of an answer: T4 - T1 by the monotonic clock; of a departure: that clock */
	__be64 received;  /* T2 */
	__be64 answered;  /* T3 */
	__u32 session;
	__u32 sequence;
	__u32 answer_sequence;
	__be16 error_estimate; /* of the reflector */
	__be16 ssid;
	__u16 length; /* of the UDP payload */
	__u8 kind;
	__u8 nth;	 /* 0: the first answer, else a duplicate */
	__u8 sender_ttl; /* as the reflector received it */
	__u8 hops;	 /* of the answer as received */
	__u8 tos;
	__u8 _pad;
};

/* The TLVs of an answer, if asked for. */
struct stamp_answer_tlvs {
	__u32 session;
	__u32 sequence;
	__u32 answer_sequence;
	__u32 length;
	__u8 octets[STAMP_TLV_BYTES];
};

#endif
