/* SPDX-License-Identifier: GPL-2.0-only */
/* tcflows.h — what the packet programs and user space share. */
#ifndef TCFLOWS_H
#define TCFLOWS_H

#include <linux/types.h>

#define TCFLOWS_MAX_RULES 64 /* of a filter */
#define TCFLOWS_KEY_WORDS 6  /* of 64 bits */

#define TCFLOWS_DIRECTIONS 2
#define TCFLOWS_PROTOCOLS  257 /* every IP protocol, and one for all that is not IP */
#define TCFLOWS_NOT_IP	   256

#define TCFLOWS_TCP_FLAGS 0x0fff /* reserved bits included, as tcpControlBits of IPFIX */

enum tcflows_direction {
	TCFLOWS_INGRESS = 1,
	TCFLOWS_EGRESS = 2,
};

/* Who talks to whom. Addresses in network order, IPv4 as ::ffff:a.b.c.d. Compared word by word by filters. */
struct tcflows_key {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;	 /* 0 where there are none, and for every fragment */
	__be16 destination_port;
	__u8 protocol;		 /* IPv6: the last Next Header */
	__u8 direction;		 /* enum tcflows_direction */
	__u16 vlan_id;		 /* 0 without a tag; the outer one of two */
	__u16 ether_type;	 /* of what is not IP or cannot be read; then all above but direction and VLAN is 0 */
	__u8 icmp_type;
	__u8 icmp_code;
	__be16 icmp_id;
	__u8 version;		 /* of IP: 4 or 6, else 0 */
	__u8 _pad;
};
_Static_assert(sizeof(struct tcflows_key) == 8 * TCFLOWS_KEY_WORDS, "tcflows_key has padding");

/* What passed of a flow since the table was put in place. */
struct tcflows_count {
	__u64 packets;	/* on the wire: a super-packet counts as its segments */
	__u64 l3_bytes;
	__u64 l2_bytes; /* frames without FCS, tags included */
	__u64 first_ns; /* CLOCK_MONOTONIC */
	__u64 last_ns;
	__u32 tcp_flags; /* OR of all */
	__u8 dscp;	 /* of the last packet, as the addresses below */
	__u8 _pad[3];
	__u8 macs[12]; /* destination, source: as in the frame */
	__u8 _pad2[4];
};
_Static_assert(sizeof(struct tcflows_count) == 64, "tcflows_count has padding");

/* What has no record of its own: since the programs were loaded. */
struct tcflows_sum {
	__u64 packets;
	__u64 l3_bytes;
	__u64 l2_bytes;
};

/* Matches when (key & mask) is equal to `value` in every word. */
struct tcflows_rule {
	__u64 value[TCFLOWS_KEY_WORDS];
	__u64 mask[TCFLOWS_KEY_WORDS];
};

struct tcflows_config {
	__u32 l2_length; /* octets before the IP header, without tags */
	__u32 rules;	 /* 0: everything is counted by flow */
};

#endif
