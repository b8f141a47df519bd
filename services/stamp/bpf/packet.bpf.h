/* SPDX-License-Identifier: GPL-2.0-only */
/* packet.bpf.h — UDP, the STAMP base packets, timestamps, and checksums that stay valid. */
#ifndef STAMP_PACKET_BPF_H
#define STAMP_PACKET_BPF_H

#include <linux/bpf.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "stamp.h"

#define NS_PER_S 1000000000ULL

/* RFC 8762 sections 4.2.1 and 4.3.1, unauthenticated. */
struct stamp_open_request {
	__be32 sequence;
	__be32 time[2]; /* T1 */
	__be16 error_estimate;
	__be16 ssid;
	__be32 reserved[7];
};

struct stamp_open_answer {
	__be32 sequence;
	__be32 time[2]; /* T3 */
	__be16 error_estimate;
	__be16 ssid;
	__be32 received[2]; /* T2 */
	__be32 sender_sequence;
	__be32 sender_time[2];
	__be16 sender_error_estimate;
	__be16 reserved;
	__u8 sender_ttl;
	__u8 reserved_too[3];
};

/* Sections 4.2.2 and 4.3.2, authenticated. */
struct stamp_closed_request {
	__be32 sequence;
	__be32 reserved[3];
	__be32 time[2];
	__be16 error_estimate;
	__be16 ssid;
	__be32 reserved_too[17];
	__be32 hmac[4];
};

struct stamp_closed_answer {
	__be32 sequence;
	__be32 reserved[3];
	__be32 time[2];
	__be16 error_estimate;
	__be16 ssid;
	__be32 reserved_too[1];
	__be32 received[2];
	__be32 reserved_three[2];
	__be32 sender_sequence;
	__be32 reserved_four[3];
	__be32 sender_time[2];
	__be16 sender_error_estimate;
	__u8 reserved_five[6];
	__u8 sender_ttl;
	__u8 reserved_six[15];
	__be32 hmac[4];
};
_Static_assert(sizeof(struct stamp_open_request) == STAMP_BASE, "open request");
_Static_assert(sizeof(struct stamp_open_answer) == STAMP_BASE, "open answer");
_Static_assert(sizeof(struct stamp_closed_request) == STAMP_AUTH_BASE, "closed request");
_Static_assert(sizeof(struct stamp_closed_answer) == STAMP_AUTH_BASE, "closed answer");

/* Written by user space, read by every packet. What to add to CLOCK_TAI for Unix time and for the epoch on the wire. */
volatile __s64 stamp_unix_offset_ns = 0;
volatile __s64 stamp_wire_offset_ns = 0;
/* As it goes into packets. */
volatile __u64 stamp_error_estimate = 0;
/* CLOCK_MONOTONIC; only where the filter may outlive its process. */
volatile __u64 stamp_lease_until_ns = 0;

static __always_inline int stamp_lease_expired(__u8 leased)
{
	return leased && bpf_ktime_get_coarse_ns() > stamp_lease_until_ns;
}

/* 2^64 / 10^9: a fraction of a second in units of 2^-32 s, at most one unit too small (RFC 8877 section 4.2.1). */
#define STAMP_FRACTIONS 18446744073ULL

/* A moment of CLOCK_TAI as it goes into packets. */
static __always_inline void stamp_wire_time(__u64 tai_ns, __u8 ptp, __be32 time[2])
{
	__u64 moment = tai_ns + stamp_wire_offset_ns, seconds = moment / NS_PER_S;
	__u64 rest = moment - seconds * NS_PER_S;

	time[0] = bpf_htonl((__u32)seconds);
	time[1] = bpf_htonl(ptp ? (__u32)rest : (__u32)((rest * STAMP_FRACTIONS) >> 32));
}

/* Between two comparisons of a length that must stay two: the compiler would make them one that the verifier of Linux
 * 6.1 does not understand. */
#define STAMP_SAME(value) asm volatile("" : "+r"(value))

/* A checksum's difference: sums of 32-bit words in memory order, not folded. */
static __always_inline __u64 stamp_changed(__u64 difference, __u32 before, __u32 after)
{
	return difference + (__u32)~before + after;
}

static __always_inline __u32 stamp_fold(__u64 difference)
{
	difference = (difference & 0xffffffff) + (difference >> 32);
	return (__u32)(difference + (difference >> 32));
}

/* Lets the UDP checksum follow a change of the payload. The helper alone knows whether the checksum is there already or
 * left to the card; an IPv4 checksum of 0 stays 0. Pointers into the packet are void afterwards. */
static __always_inline int stamp_fix_udp(struct __sk_buff *skb, __u32 l4_offset, __u64 difference)
{
	return bpf_l4_csum_replace(skb, l4_offset + 6, 0, stamp_fold(difference), BPF_F_MARK_MANGLED_0);
}

/* UDP of a packet that is no fragment. */
struct stamp_udp {
	__be16 source;
	__be16 destination;
};

/* 0 and both ports, if it is such a packet. */
static __always_inline int stamp_ports(struct __sk_buff *skb, const struct wm_packet *packet, struct stamp_udp *udp)
{
	__u32 word;

	if (packet->protocol != IPPROTO_UDP || packet->fragment || !packet->transport || wm_l4_word(skb, packet, &word))
		return -1;
	__builtin_memcpy(udp, &word, sizeof(word));
	return 0;
}

/* The first `length` octets from the transport header on, so that they can be read and written directly; 0 if they are
 * not there. The mask tells the verifier the range. */
static __always_inline void *stamp_at(struct __sk_buff *skb, __u32 l4_offset, __u32 length)
{
	void *at;

	/* Read anew: the compiler would keep 32 bits of an earlier pointer, which the verifier takes for a number. */
	asm volatile("" ::: "memory");
	at = (void *)(long)skb->data + (l4_offset & 0x7f);
	if (l4_offset > 0x7f || at + length > (void *)(long)skb->data_end)
		return 0;
	return at;
}

/* The same; pulls what lies in fragments of the skb. */
static __always_inline void *stamp_reach(struct __sk_buff *skb, __u32 l4_offset, __u32 length)
{
	void *at = stamp_at(skb, l4_offset, length);

	if (at || l4_offset > 0x7f || l4_offset + length > skb->len || bpf_skb_pull_data(skb, l4_offset + length))
		return at;
	return stamp_at(skb, l4_offset, length);
}

/* Octets of the UDP payload, or a negative number if the lengths contradict each other. `udp` reaches 8 octets. */
static __always_inline int stamp_payload_length(const struct wm_packet *packet, const struct udphdr *udp)
{
	__u32 length = bpf_ntohs(udp->len);

	if (length < sizeof(*udp) || packet->l4_offset + length > packet->l3_offset + packet->l3_bytes)
		return -1;
	return length - sizeof(*udp);
}

/* Source and destination address, IPv4 mapped; 0 when they were read. */
static __always_inline int stamp_addresses(struct __sk_buff *skb, const struct wm_packet *packet, __u32 source[4],
					   __u32 destination[4])
{
	void *l3 = wm_l3(skb, packet), *end = (void *)(long)skb->data_end;

	if (packet->version == 4) {
		struct iphdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return -1;
		source[0] = destination[0] = source[1] = destination[1] = 0;
		source[2] = destination[2] = bpf_htonl(0xffff);
		source[3] = ip->saddr;
		destination[3] = ip->daddr;
	} else {
		struct ipv6hdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return -1;
		__builtin_memcpy(source, &ip->saddr, 16);
		__builtin_memcpy(destination, &ip->daddr, 16);
	}
	return 0;
}

/* Folds a sum of 16-bit words. */
static __always_inline __u16 stamp_refold16(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)(sum + (sum >> 16));
}

/* Sets TOS or Traffic Class and TTL or hop limit; checksums follow. */
static __always_inline int stamp_set_tos_hops(struct __sk_buff *skb, const struct wm_packet *packet, __u8 tos,
					      __u8 hops)
{
	void *l3 = wm_l3(skb, packet), *end = (void *)(long)skb->data_end;

	if (packet->version == 4) {
		struct iphdr *ip = l3;
		__u16 *word = l3;
		__u32 sum;

		if ((void *)(ip + 1) > end)
			return -1;
		/* RFC 1624: HC' = ~(~HC + ~m + m') over the words of TOS and TTL */
		sum = (__u16)~ip->check + (__u16)~word[0] + (__u16)~word[4];
		ip->tos = tos;
		ip->ttl = hops;
		sum += word[0] + word[4];
		ip->check = ~stamp_refold16(sum);
	} else {
		__u32 *word = l3, first, second;
		__u8 *octet = l3;

		if (l3 + sizeof(struct ipv6hdr) > end)
			return -1;
		first = word[0];
		second = word[1];
		octet[0] = 0x60 | tos >> 4;
		octet[1] = (octet[1] & 0x0f) | tos << 4;
		octet[7] = hops;
		/* Only for a checksum of the card's over the whole packet. */
		bpf_csum_update(skb, stamp_fold(stamp_changed(stamp_changed(0, first, word[0]), second, word[1])));
	}
	return 0;
}

#endif
