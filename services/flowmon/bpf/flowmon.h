/* SPDX-License-Identifier: GPL-2.0-only */
/* flowmon.h — what the packet programs and user space share. */
#ifndef FLOWMON_H
#define FLOWMON_H

#include <linux/types.h>
#include <linux/bpf.h>

#define FLOWMON_MAX_RULES    256
#define FLOWMON_MAX_SEGMENTS 1024	/* datagrams of a super-packet that are read; more are counted as unread */
#define FLOWMON_HOLES	     16		/* missing stretches of a TCP stream that are remembered */
#define FLOWMON_HISTORY	     8		/* words of 64 sequence numbers that are told apart: late or duplicate */
#define FLOWMON_PAUSE_NS     2000000000 /* a longer gap begins the statistics of gaps anew */
#define FLOWMON_SEARCH_BYTES 5000	/* where a pattern may begin */
#define FLOWMON_MAX_JUMP     (1 << 20)	/* numbers; further ahead it is another sequence, not loss */
#define FLOWMON_MAX_TCP_JUMP (1 << 30)	/* the same of TCP, octets */
#define FLOWMON_RTP_PROBATION 4		/* packets of one source before it has a jitter */
#define FLOWMON_RTP_PORTS    8		/* ports whose datagrams are RTP because somebody said so */

/* flowmon_turn: when the open interval ends and its number, in one word so that one read is consistent. */
#define FLOWMON_EPOCH_MASK 0xffff

enum flowmon_class {
	FLOWMON_TCP = 0,
	FLOWMON_UDP = 1,
	FLOWMON_ICMP = 2, /* ICMPv6 too */
	FLOWMON_CLASSES = 3,
};

enum flowmon_direction {
	FLOWMON_INGRESS = 0,
	FLOWMON_EGRESS = 1,
};

/* Why a packet is in no flow. Every packet is in a flow, in `overflow`, or in exactly one of these. */
enum flowmon_reason {
	FLOWMON_NOT_IP = 0,
	FLOWMON_UNPARSABLE = 1,
	FLOWMON_OTHER_PROTOCOL = 2, /* neither TCP nor UDP nor ICMP */
	FLOWMON_NO_MATCH = 3,	    /* no rule matches */
	FLOWMON_OWN = 4,	    /* arrives, but comes from an address of this interface */
	FLOWMON_INACTIVE = 5,	    /* before the first interval */
	FLOWMON_REASONS = 6,
};

/* What has no place in a flow's figures. */
enum flowmon_event {
	FLOWMON_UNREAD_SEGMENTS = 0, /* of super-packets with more datagrams than are read */
	FLOWMON_UNNUMBERED = 1,	     /* datagrams of a flow whose number was looked for and not found */
	FLOWMON_FORGOTTEN_BYTES = 2, /* of TCP: holes that found no place; if they are filled, goodput lacks them */
	FLOWMON_EVENTS = 3,
};

/* A flow. Addresses in network order, IPv4 as ::ffff:a.b.c.d; ports in network order, 0 where there are none. Of ICMP
 * the source port is type << 8 | code and the destination port the identifier of an echo. */
struct flowmon_key {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u16 vlan; /* outermost */
	__u8 protocol;
	__u8 version; /* 4 or 6 */
	__u8 direction;
	__u8 _pad[3];
};

/* What an interval holds of a flow. */
struct flowmon_bank {
	__u32 epoch; /* the interval's number; another one: nothing of it */
	__u32 restarts; /* pauses of more than FLOWMON_PAUSE_NS: gaps are of after the last */
	__u64 packets;
	__u64 l3_bytes;
	__u64 payload_bytes;
	__u64 goodput_bytes;
	__u64 gaps;
	__u64 gap_sum_ns;
	__u64 gap_squares_low; /* ns squared, 128 bits */
	__u64 gap_squares_high;
	__u64 super_gaps; /* of `gaps`: between segments of one super-packet */
	__u64 burst_1ms_l3_bytes;
	__u64 burst_10ms_l3_bytes;
	/* Sequence numbers; of TCP octets where it says numbers. */
	__u64 current; /* the highest */
	__u64 numbered; /* packets with a number; of TCP octets */
	__u64 reverse;
	__u64 small;
	__u64 big;
	__u64 duplicates;
	__u64 reordered;
	__u64 lost; /* numbers that were skipped */
	__u64 recovered; /* numbers that came after they were skipped */
	__u64 episodes; /* runs of skipped numbers, as they were found */
	__s64 episodes_change; /* what numbers that came late make of that: a run vanishes (-1) or falls apart (+1) */
	__u64 sequence_restarts;
	__u64 rtp_packets;
	__u64 rtp_jitter_ns_16; /* RFC 3550, times 16 */
};

/* Of TCP: what of the stream has been seen. */
struct flowmon_stream {
	__u32 next; /* behind the highest octet */
	__u32 holes; /* places taken */
	__u32 split_from; /* what is left of a hole that is falling in two */
	__u32 split_to;
	struct {
		__u32 from;
		__u32 to;
	} hole[FLOWMON_HOLES];
};

/* Of UDP and ICMP: which numbers have been seen. */
struct flowmon_numbers {
	__u64 highest;
	__u64 position; /* of the highest, in steps since the first */
	__u64 first;	/* position of the first number */
	__u64 stale;	/* what would follow a number that was too old to be told from a duplicate */
	__u64 seen[FLOWMON_HISTORY]; /* a ring of bits by position */
	__u32 has_stale;
	__u32 _pad;
};

struct flowmon_rtp {
	__u32 ssrc;
	__u32 timestamp;
	__u64 arrival_ns;
	__u64 jitter_ns_16;
	__u16 sequence;
	__u8 in_sequence; /* packets, up to the probation */
	__u8 payload_type;
	__u32 _pad;
};

struct flowmon_flow {
	struct bpf_spin_lock lock; /* of everything below */
	__u32 tag;		   /* of the key; 0: the flow is being removed */
	__u64 last_ns;
	__u64 generation; /* of the rules that let it in, and of the way to find numbers */
	__u64 window_1ms_end_ns;
	__u64 window_1ms_l3_bytes;
	__u64 window_10ms_end_ns;
	__u64 window_10ms_l3_bytes;
	__u32 started; /* of `stream` or `numbers` */
	__u32 _pad;
	union {
		struct flowmon_stream stream;
		struct flowmon_numbers numbers;
	};
	struct flowmon_rtp rtp;
	struct flowmon_bank banks[2]; /* by the interval's parity */
};

/* What found no place in the table, by direction and class; one for each CPU. */
struct flowmon_overflow {
	__u64 epoch;
	__u64 packets;
	__u64 l3_bytes;
	__u64 payload_bytes;
};

/* A packet matches if all parts do. Memory order as in the key. */
struct flowmon_rule {
	__u64 source[2];
	__u64 source_mask[2];
	__u64 destination[2];
	__u64 destination_mask[2];
	__be16 source_port; /* 0: any; a packet without ports matches no rule with one */
	__be16 destination_port;
	__u8 classes; /* bits 1 << flowmon_class */
	__u8 source_version; /* 0: any */
	__u8 destination_version;
	__u8 _pad;
};

#define FLOWMON_BY_OFFSET  1
#define FLOWMON_BY_PATTERN 2

/* Where datagrams have their number. */
struct flowmon_place {
	__u64 threshold; /* a larger difference is a big error */
	__u64 step;
	__u64 mask; /* of the number's width */
	__u32 mode; /* 0: nowhere */
	__s32 offset; /* from the payload's first octet, or from the pattern's */
	__u32 pattern; /* memory order */
	__u8 width; /* octets: 2, 4 or 8 */
	__u8 little_endian;
	__u8 _pad[2];
};

/* What can change while packets pass. */
struct flowmon_settings {
	__u64 generation; /* high half: of `place`, low half: of `rules` */
	__u32 rule_count; /* 0: everything matches */
	__u32 _pad;
	struct flowmon_place place;
	struct flowmon_rule rules[FLOWMON_MAX_RULES];
};

#define FLOWMON_RTP_NAMED	1
#define FLOWMON_RTP_RECOGNISED 2

struct flowmon_rtp_port {
	__be16 port; /* destination; 0: none */
	__u8 _pad[2];
	__u32 rate; /* Hz; 0: by payload type */
};

/* What is known before the programs are loaded. */
struct flowmon_config {
	__u32 l2_length;
	__u8 gaps;
	__u8 bursts;
	__u8 loss;
	__u8 rtp; /* FLOWMON_RTP_… */
	__u8 own; /* look at `own_addresses` */
	__u8 _pad[3];
	__u32 rtp_rates[128]; /* Hz by payload type; 0: not known */
	struct flowmon_rtp_port rtp_ports[FLOWMON_RTP_PORTS];
};

#endif
