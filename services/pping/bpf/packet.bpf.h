/* SPDX-License-Identifier: GPL-2.0-only */
/* packet.bpf.h — what a packet means to pping: its flow, what can be stamped, what it answers. Of skbs and of XDP frames.
 */
#ifndef PPING_PACKET_BPF_H
#define PPING_PACKET_BPF_H

#include <linux/tcp.h>
#include <linux/udp.h>
#include <waymark/parse.bpf.h>
#include "pping.h"

#define PPING_TCP_FIN 0x01
#define PPING_TCP_SYN 0x02
#define PPING_TCP_RST 0x04
#define PPING_TCP_ACK 0x10

/* NOP, NOP, kind 8, length 10: how time stamps lie in the segments of most systems (RFC 7323 appendix A). */
#define PPING_TIMESTAMP_WORD  bpf_htonl(0x0101080a)
#define PPING_OPTION_BYTES    40
#define PPING_OPTION_MASK     63
#define PPING_LINEAR_L4	      0x7f
#define PPING_DNS_PORT	      53
#define PPING_DNS_HEADER      12
#define PPING_QUIC_PORT	      443

struct pping_packet {
	struct pping_key key;
	struct wm_wire wire;
	__u64 now; /* 0: not yet asked for */
	__u32 ifindex; /* where it came in; 0 at egress */
	__u32 identifier;
	__u32 answer;	     /* the identifier that this packet answers */
	__u32 payload;	     /* octets above the transport header, of all segments */
	__u32 segment;	     /* ... of one full segment */
	__u32 sequence;	     /* TCP */
	__u32 acknowledgement; /* TCP */
	__u32 tsval;	     /* TCP */
	__u8 family;
	__u8 reversed;	     /* goes from key.high to key.low */
	__u8 method;	     /* what it can be stamped by and what it answers, or PPING_NO_METHOD */
	__u8 can_stamp;
	__u8 can_answer;
	__u8 wait_edge;	     /* the first identifier seen may have been used before */
	__u8 flags;	     /* TCP */
	__u8 has_sack;
	__u8 spin;
	__u8 tos;
	__u8 timestamps; /* TCP with the option */
	__u8 addressed;	 /* the key has addresses */
	__u8 _pad[4];
};

/* CLOCK_MONOTONIC, asked for once a packet and only where it is needed. */
static __always_inline __u64 pping_now(struct pping_packet *p)
{
	if (!p->now)
		p->now = bpf_ktime_get_ns();
	return p->now;
}

/* The TCP options that matter. */
struct pping_options {
	__u32 value;
	__u32 echo;
	__u8 has_timestamp;
	__u8 has_sack;
	__u16 _pad;
};

static __always_inline int pping_load(void *ctx, int is_xdp, __u32 offset, void *to, __u32 length)
{
	return is_xdp ? bpf_xdp_load_bytes(ctx, offset, to, length) : bpf_skb_load_bytes(ctx, offset, to, length);
}

struct pping_option_walk {
	__u8 octets[PPING_OPTION_MASK + 1];
	__u32 at;
	__u32 length;
	struct pping_options found;
};

static __always_inline __u32 pping_option_word(const struct pping_option_walk *walk, __u32 at)
{
	const __u8 *o = walk->octets;

	return (__u32)o[at & PPING_OPTION_MASK] << 24 | o[(at + 1) & PPING_OPTION_MASK] << 16 |
	       o[(at + 2) & PPING_OPTION_MASK] << 8 | o[(at + 3) & PPING_OPTION_MASK];
}

/* One TCP option (RFC 9293 section 3.1); 1 at the end of the list, which impossible lengths are, too. */
static long pping_walk_option(__u32 index, struct pping_option_walk *walk)
{
	__u32 at = walk->at;
	__u8 kind, size;

	if (at >= walk->length)
		return 1;
	kind = walk->octets[at & PPING_OPTION_MASK];
	if (!kind)
		return 1;
	if (kind == 1) {
		walk->at = at + 1;
		return 0;
	}
	size = walk->octets[(at + 1) & PPING_OPTION_MASK];
	if (at + 1 >= walk->length || size < 2 || at + size > walk->length)
		return 1;
	if (kind == 5)
		walk->found.has_sack = 1;
	if (kind == 8 && size == 10) {
		walk->found.value = pping_option_word(walk, at + 2);
		walk->found.echo = pping_option_word(walk, at + 6);
		walk->found.has_timestamp = 1;
	}
	walk->at = at + size;
	return 0;
}

/* The same number, 1 to 64, as older verifiers understand it. */
static __always_inline __u32 pping_bounded(__u32 length)
{
	asm volatile("" : "+r"(length));
	return ((length - 1) & PPING_OPTION_MASK) + 1;
}

/* Options wherever they lie: of SYNs, of segments with SACK blocks, of unusual layouts. Global functions, so that the
 * verifier looks at each but once. */
__attribute__((noinline)) int pping_options_skb(struct __sk_buff *skb, __u32 offset, __u32 length, struct pping_options *found)
{
	struct pping_option_walk walk = {};

	if (!found || !length || length > PPING_OPTION_BYTES)
		return -1;
	if (bpf_skb_load_bytes(skb, offset, walk.octets, pping_bounded(length)))
		return -1;
	walk.length = length;
	bpf_loop(PPING_OPTION_BYTES, pping_walk_option, &walk, 0);
	*found = walk.found;
	return 0;
}

__attribute__((noinline)) int pping_options_xdp(struct xdp_md *xdp, __u32 offset, __u32 length, struct pping_options *found)
{
	struct pping_option_walk walk = {};

	if (!found || !length || length > PPING_OPTION_BYTES)
		return -1;
	if (bpf_xdp_load_bytes(xdp, offset, walk.octets, pping_bounded(length)))
		return -1;
	walk.length = length;
	bpf_loop(PPING_OPTION_BYTES, pping_walk_option, &walk, 0);
	*found = walk.found;
	return 0;
}

/* Both addresses in order, so that both directions have one key. 0, or -1 where they cannot be read. */
static __always_inline int pping_addresses(struct pping_packet *p, const void *l3, const void *end)
{
	struct pping_key *key = &p->key;

	if (p->family == 4) {
		const struct iphdr *ip = l3;
		__u32 *low = (__u32 *)key->low, *high = (__u32 *)key->high;

		if ((void *)(ip + 1) > end)
			return -1;
		p->reversed = ip->saddr > ip->daddr;
		low[0] = low[1] = high[0] = high[1] = 0;
		low[2] = high[2] = bpf_htonl(0xffff);
		low[3] = p->reversed ? ip->daddr : ip->saddr;
		high[3] = p->reversed ? ip->saddr : ip->daddr;
		if (ip->saddr == ip->daddr)
			p->reversed = 2;
	} else {
		const __u64 *source = l3 + 8, *destination = l3 + 24;
		__u64 *low = (__u64 *)key->low, *high = (__u64 *)key->high;

		if (l3 + 40 > end)
			return -1;
		p->reversed = source[0] > destination[0] || (source[0] == destination[0] && source[1] > destination[1]);
		low[0] = p->reversed ? destination[0] : source[0];
		low[1] = p->reversed ? destination[1] : source[1];
		high[0] = p->reversed ? source[0] : destination[0];
		high[1] = p->reversed ? source[1] : destination[1];
		if (source[0] == destination[0] && source[1] == destination[1])
			p->reversed = 2;
	}
	return 0;
}

/* Between equal addresses the ports decide. */
static __always_inline void pping_ports(struct pping_packet *p, __be16 source, __be16 destination)
{
	if (p->reversed == 2)
		p->reversed = source > destination;
	p->key.low_port = p->reversed ? destination : source;
	p->key.high_port = p->reversed ? source : destination;
}

/* What a TCP segment can be measured by. */
static __always_inline __u32 pping_tcp_method(struct pping_packet *p, const struct pping_options *options)
{
	__u8 syn = p->flags & PPING_TCP_SYN;

	p->wait_edge = !syn;
	p->can_answer = !!(p->flags & PPING_TCP_ACK);
	p->has_sack = options->has_sack;
	p->timestamps = options->has_timestamp;
	p->tsval = options->value;
	if (syn && config.handshake) {
		p->method = PPING_TCP_HANDSHAKE;
		p->can_stamp = 1;
		p->identifier = p->sequence + 1;
		p->answer = p->acknowledgement;
		return PPING_REASONS;
	}
	if (syn && !config.include_syn)
		return PPING_SYN_SKIPPED;
	if (options->has_timestamp) {
		p->method = PPING_TCP_TIMESTAMP;
		/* A pure acknowledgement waits for the application, not for the network. */
		p->can_stamp = p->payload || syn;
		p->identifier = options->value;
		p->answer = options->echo;
		return PPING_REASONS;
	}
	if (config.sequence) {
		p->method = PPING_TCP_SEQUENCE;
		p->can_stamp = p->payload || syn;
		p->identifier = p->sequence + !!syn + p->payload + !!(p->flags & PPING_TCP_FIN);
		p->answer = p->acknowledgement;
		return PPING_REASONS;
	}
	/* Its last part may be the third packet of a handshake. */
	if (config.handshake) {
		p->method = PPING_TCP_HANDSHAKE;
		return PPING_REASONS;
	}
	return PPING_NO_IDENTIFIER;
}

/* The TCP header at `l4`, of which 20 octets can be read; `linear`: what can be read from there on. */
static __always_inline __u32 pping_tcp(void *ctx, int is_xdp, const struct wm_packet *packet, const struct tcphdr *tcp,
				       __u32 header, const void *end, struct pping_packet *p)
{
	const __u32 *words = (const __u32 *)tcp;
	struct pping_options options = {};
	__u32 above = packet->l4_offset - packet->l3_offset + header;

	if (header < sizeof(*tcp) || above > packet->l3_bytes)
		return PPING_UNPARSABLE;
	pping_ports(p, tcp->source, tcp->dest);
	p->sequence = bpf_ntohl(tcp->seq);
	p->acknowledgement = bpf_ntohl(tcp->ack_seq);
	p->flags = ((const __u8 *)tcp)[13];
	p->payload = packet->l3_bytes - above;
	if (header == 32 && end && (const void *)(words + 8) <= end && words[5] == PPING_TIMESTAMP_WORD) {
		options.value = bpf_ntohl(words[6]);
		options.echo = bpf_ntohl(words[7]);
		options.has_timestamp = 1;
	} else if (header > sizeof(*tcp)) {
		__u32 offset = packet->l4_offset + sizeof(*tcp), length = header - sizeof(*tcp);

		if (is_xdp ? pping_options_xdp(ctx, offset, length, &options) :
			     pping_options_skb(ctx, offset, length, &options))
			return PPING_UNPARSABLE;
	}
	return pping_tcp_method(p, &options);
}

/* ICMP and ICMPv6 echo: identifier for ports, sequence number for identifier. */
static __always_inline __u32 pping_icmp(const struct wm_packet *packet, const __u8 *head, struct pping_packet *p)
{
	__u8 request = packet->version == 4 ? 8 : 128, reply = packet->version == 4 ? 0 : 129;
	__be16 id = *(__be16 *)(head + 4);

	if (head[1] || (head[0] != request && head[0] != reply))
		return PPING_NO_IDENTIFIER;
	pping_ports(p, id, id);
	p->method = PPING_ICMP_ECHO;
	p->can_stamp = head[0] == request;
	p->can_answer = !p->can_stamp;
	p->identifier = p->answer = head[6] << 8 | head[7];
	p->payload = packet->l3_bytes - (packet->l4_offset - packet->l3_offset) - 8;
	return PPING_REASONS;
}

/* DNS by its message identifier; QUIC by the spin bit of short headers (RFC 9000 section 17.4). */
static __always_inline __u32 pping_udp(const struct wm_packet *packet, const __u8 *head, __u32 bytes, struct pping_packet *p)
{
	const struct udphdr *udp = (const void *)head;
	__be16 dns = bpf_htons(PPING_DNS_PORT), quic = bpf_htons(PPING_QUIC_PORT);

	p->payload = bytes - sizeof(*udp);
	if (config.dns && (udp->source == dns || udp->dest == dns)) {
		__u8 answers = head[10] >> 7;

		if (p->payload < PPING_DNS_HEADER || (head[10] & 0x78) || (answers ? udp->source : udp->dest) != dns)
			return PPING_NO_IDENTIFIER;
		pping_ports(p, udp->source, udp->dest);
		p->method = PPING_DNS;
		p->can_stamp = !answers;
		p->can_answer = answers;
		p->identifier = p->answer = head[8] << 8 | head[9];
		return PPING_REASONS;
	}
	if (config.quic && (udp->source == quic || udp->dest == quic)) {
		if (!(head[8] & 0x40))
			return PPING_NO_IDENTIFIER;
		pping_ports(p, udp->source, udp->dest);
		p->method = PPING_QUIC_SPIN;
		p->can_stamp = p->can_answer = 1;
		/* 0: a long header, which has no spin bit */
		p->spin = head[8] & 0x80 ? 0 : 1 + !!(head[8] & 0x20);
		return PPING_REASONS;
	}
	return PPING_OTHER_PROTOCOL;
}

/* Flow and identifiers of an IP packet: PPING_REASONS, or the reason why there are none. */
static __always_inline __u32 pping_identify(void *ctx, int is_xdp, const void *data, const void *end,
					    const struct wm_packet *packet, struct pping_packet *p)
{
	const void *l4 = data + (packet->l4_offset & PPING_LINEAR_L4);
	__u32 room = packet->l3_offset + packet->l3_bytes - packet->l4_offset;
	__u8 head[20];
	int linear = packet->l4_offset <= PPING_LINEAR_L4;

	p->family = packet->version;
	p->tos = packet->tos;
	p->key.protocol = packet->protocol;
	if (packet->fragment && !config.aggregate)
		return PPING_FRAGMENT;
	if (pping_addresses(p, data + (packet->l3_offset & 0x1f), end))
		return PPING_UNPARSABLE;
	p->addressed = 1;
	if (packet->fragment)
		return PPING_FRAGMENT;
	if (packet->protocol == IPPROTO_TCP && config.tcp) {
		if (room < sizeof(struct tcphdr))
			return PPING_UNPARSABLE;
		if (linear && l4 + sizeof(struct tcphdr) <= end)
			return pping_tcp(ctx, is_xdp, packet, l4, ((const __u8 *)l4)[12] >> 4 << 2, end, p);
		if (pping_load(ctx, is_xdp, packet->l4_offset, head, sizeof(head)))
			return PPING_UNPARSABLE;
		return pping_tcp(ctx, is_xdp, packet, (const void *)head, head[12] >> 4 << 2, 0, p);
	}
	if (packet->protocol == (packet->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && config.icmp) {
		if (room < 8 || pping_load(ctx, is_xdp, packet->l4_offset, head, 8))
			return PPING_UNPARSABLE;
		return pping_icmp(packet, head, p);
	}
	if (packet->protocol == IPPROTO_UDP && (config.dns || config.quic)) {
		__u32 wanted = room < 12 ? 8 : 12;

		if (room < 8)
			return PPING_UNPARSABLE;
		__builtin_memset(head, 0, sizeof(head));
		if (wanted == 12 ? pping_load(ctx, is_xdp, packet->l4_offset, head, 12) :
				   pping_load(ctx, is_xdp, packet->l4_offset, head, 8))
			return PPING_UNPARSABLE;
		return pping_udp(packet, head, room, p);
	}
	return PPING_OTHER_PROTOCOL;
}

#endif
