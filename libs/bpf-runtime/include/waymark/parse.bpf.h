/* SPDX-License-Identifier: GPL-2.0-only */
/* parse.bpf.h — what a packet is: link layer, IP header, fragment, transport, size on the wire.
 *
 * Every function checks bounds and answers 0 or a negative reason. Nothing is parsed as what it is not: a fragment, the
 * first one too, has no ports. A super-packet (GSO, GRO) counts as the wire packets that it stands for.
 */
#ifndef WAYMARK_PARSE_BPF_H
#define WAYMARK_PARSE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define WM_VLAN_DEPTH	   2 /* 802.1ad outside, 802.1Q inside */
#define WM_EXTENSION_DEPTH 8 /* IPv6 extension headers; more are refused */
#define WM_PULL_BYTES	   128 /* enough for Ethernet, two tags and every IPv4 header, and for usual IPv6 chains */

#define WM_ECN_MASK 0x03

#define WM_NOT_IP     (-1)
#define WM_UNPARSABLE (-2)

/* Where the IP header is. */
struct wm_link {
	__u32 l3_offset;
	__u16 l3_protocol; /* host order */
};

/* The IP header, its fragment and its transport. Addresses in network order, IPv4 as ::ffff:a.b.c.d. */
struct wm_packet {
	__u32 l3_offset;
	__u32 l4_offset;
	__u32 l3_bytes;	 /* as the IP header says; of a super-packet: before segmentation */
	__u8 version;	 /* 4 or 6 */
	__u8 tos;	 /* IPv4 TOS, IPv6 Traffic Class */
	__u8 hops;	 /* TTL or hop limit */
	__u8 protocol;	 /* transport: the last Next Header */
	__u8 fragment;	 /* 1: of a fragmented datagram, the first one too */
	__u8 transport;	 /* 1: l4_offset is the start of a transport header (not a later fragment) */
	__u8 extensions; /* 1: IPv6 with extension headers */
};

struct wm_vlan {
	__be16 tci;
	__be16 protocol;
};

/* The link layer of `skb`; l2_length 0 on a device without one, 14 on Ethernet. */
static __always_inline int wm_parse_link(struct __sk_buff *skb, __u32 l2_length, struct wm_link *link)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct wm_vlan *tag;
	__u16 protocol;
	int i;

	if (!l2_length) {
		link->l3_offset = 0;
		link->l3_protocol = bpf_ntohs((__u16)skb->protocol);
		return 0;
	}
	if ((void *)(eth + 1) > end)
		return WM_UNPARSABLE;
	protocol = eth->h_proto;
	link->l3_offset = sizeof(*eth);
	tag = (void *)(eth + 1);
#pragma unroll
	for (i = 0; i < WM_VLAN_DEPTH; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return WM_UNPARSABLE;
		protocol = tag->protocol;
		tag++;
		link->l3_offset += sizeof(*tag);
	}
	link->l3_protocol = bpf_ntohs(protocol);
	return 0;
}

/* What the packet holds from its IP header on; the length too of a super-packet of more than 64 KiB (BIG TCP), which
 * does not fit into its header. */
static __always_inline __u32 wm_l3_room(struct __sk_buff *skb, __u32 l3_offset)
{
	return skb->len - l3_offset;
}

static __always_inline int wm_parse_ipv4(struct __sk_buff *skb, struct iphdr *ip, void *end, struct wm_packet *packet)
{
	__u32 header, room = wm_l3_room(skb, packet->l3_offset), total;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return WM_UNPARSABLE;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (!total && skb->gso_size)
		total = room;
	if (total < header || total > room)
		return WM_UNPARSABLE;
	packet->version = 4;
	packet->l3_bytes = total;
	packet->tos = ip->tos;
	packet->hops = ip->ttl;
	packet->protocol = ip->protocol;
	packet->fragment = (ip->frag_off & bpf_htons(0x3fff)) != 0;
	packet->transport = (ip->frag_off & bpf_htons(0x1fff)) == 0;
	packet->l4_offset = packet->l3_offset + header;
	packet->extensions = 0;
	return 0;
}

static __always_inline int wm_is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
}

/* Follows the extension headers (RFC 8200 section 4) to the transport header or to the payload of a later fragment. */
static __noinline int wm_walk_extensions(struct __sk_buff *skb, struct wm_packet *packet)
{
	__u32 offset, end;
	__u8 head[4], next;
	int i;

	if (!packet)
		return WM_UNPARSABLE;
	offset = packet->l4_offset;
	next = packet->protocol;
	end = packet->l3_offset + packet->l3_bytes;
	for (i = 0; i < WM_EXTENSION_DEPTH; i++) {
		if (!wm_is_extension(next))
			break;
		if (offset + 8 > end || bpf_skb_load_bytes(skb, offset, head, sizeof(head)))
			return WM_UNPARSABLE;
		if (next == IPPROTO_FRAGMENT) {
			__u16 field = head[2] << 8 | head[3];

			/* An atomic fragment (offset 0, no more) is a whole packet (RFC 6946). */
			packet->fragment |= (field & 0xfff9) != 0;
			packet->transport = (field & 0xfff8) == 0;
			offset += 8;
			next = head[0];
			if (!packet->transport)
				break;
			continue;
		}
		offset += next == IPPROTO_AH ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
		next = head[0];
	}
	if (offset > end || (packet->transport && wm_is_extension(next)))
		return WM_UNPARSABLE;
	packet->l4_offset = offset;
	packet->protocol = next;
	packet->extensions = 1;
	return 0;
}

static __always_inline int wm_parse_ipv6(struct __sk_buff *skb, struct ipv6hdr *ip, void *end, struct wm_packet *packet)
{
	__u32 room = wm_l3_room(skb, packet->l3_offset), payload;
	__u8 *byte = (void *)ip;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return WM_UNPARSABLE;
	payload = bpf_ntohs(ip->payload_len);
	if (!payload && skb->gso_size)
		payload = room - sizeof(*ip);
	if (payload + sizeof(*ip) > room)
		return WM_UNPARSABLE;
	packet->version = 6;
	packet->l3_bytes = payload + sizeof(*ip);
	packet->tos = byte[0] << 4 | byte[1] >> 4;
	packet->hops = ip->hop_limit;
	packet->protocol = ip->nexthdr;
	packet->fragment = 0;
	packet->transport = 1;
	packet->l4_offset = packet->l3_offset + sizeof(*ip);
	packet->extensions = 0;
	if (wm_is_extension(ip->nexthdr))
		return wm_walk_extensions(skb, packet);
	return 0;
}

static __always_inline int wm_parse_linear(struct __sk_buff *skb, __u32 l2_length, struct wm_packet *packet)
{
	struct wm_link link;
	void *l3, *end;
	int failed = wm_parse_link(skb, l2_length, &link);

	if (failed)
		return failed;
	packet->l3_offset = link.l3_offset;
	l3 = (void *)(long)skb->data + link.l3_offset;
	end = (void *)(long)skb->data_end;
	if (link.l3_protocol == ETH_P_IP)
		return wm_parse_ipv4(skb, l3, end, packet);
	if (link.l3_protocol == ETH_P_IPV6)
		return wm_parse_ipv6(skb, l3, end, packet);
	return WM_NOT_IP;
}

/* Headers may lie in fragments of the skb, where they cannot be read directly. Out of line: rare. */
static __noinline int wm_pull_and_parse(struct __sk_buff *skb, __u32 l2_length, struct wm_packet *packet)
{
	if (bpf_skb_pull_data(skb, skb->len < WM_PULL_BYTES ? skb->len : WM_PULL_BYTES))
		return WM_UNPARSABLE;
	return wm_parse_linear(skb, l2_length, packet);
}

/* Link layer and IP of `skb`: 0, WM_NOT_IP or WM_UNPARSABLE. Pointers into the packet are void afterwards. */
static __always_inline int wm_parse(struct __sk_buff *skb, __u32 l2_length, struct wm_packet *packet)
{
	__u32 linear = (void *)(long)skb->data_end - (void *)(long)skb->data;
	int failed = wm_parse_linear(skb, l2_length, packet);

	if (failed == WM_UNPARSABLE && linear < WM_PULL_BYTES && linear < skb->len)
		return wm_pull_and_parse(skb, l2_length, packet);
	return failed;
}

/* The IP header, to be checked against data_end: the mask tells the verifier the range (14 + 2 tags at most). */
static __always_inline void *wm_l3(struct __sk_buff *skb, const struct wm_packet *packet)
{
	return (void *)(long)skb->data + (packet->l3_offset & 0x1f);
}

/* The first four octets of the transport header in memory order (both ports, of protocols that have them); 0 when they
 * were read. Read directly where that can be, which is cheaper than the helper. */
static __always_inline int wm_l4_word(struct __sk_buff *skb, const struct wm_packet *packet, __u32 *word)
{
	__u32 *l4 = (void *)(long)skb->data + (packet->l4_offset & 0x7f);

	if (packet->l4_offset + 4 > packet->l3_offset + packet->l3_bytes)
		return -1;
	if (packet->l4_offset <= 0x7f && (void *)(l4 + 1) <= (void *)(long)skb->data_end) {
		*word = *l4;
		return 0;
	}
	return bpf_skb_load_bytes(skb, packet->l4_offset, word, sizeof(*word));
}

/* What a packet is on the wire. */
struct wm_wire {
	__u64 packets;
	__u64 l3_bytes;
};

/* Octets of the transport header that every segment of a super-packet repeats; 0 if it is neither TCP nor UDP. */
static __always_inline __u32 wm_l4_header(struct __sk_buff *skb, const struct wm_packet *packet)
{
	__u8 offset;

	if (packet->protocol == IPPROTO_UDP)
		return 8;
	if (packet->protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, packet->l4_offset + 12, &offset, 1))
		return 0;
	return (offset >> 4) * 4;
}

/* Wire packets and L3 bytes of a packet that may be a super-packet. Out of line: most packets are none. */
static __noinline int wm_super_packet(struct __sk_buff *skb, const struct wm_packet *packet, struct wm_wire *wire)
{
	__u32 headers, payload, segments = skb->gso_segs, size = skb->gso_size;

	if (!packet || !wire)
		return 0;
	headers = packet->l4_offset - packet->l3_offset + wm_l4_header(skb, packet);
	if (!segments && size) {
		payload = packet->l3_bytes > headers ? packet->l3_bytes - headers : 0;
		segments = (payload + size - 1) / size;
	}
	if (!segments)
		segments = 1;
	wire->packets = segments;
	wire->l3_bytes = packet->l3_bytes + (__u64)(segments - 1) * headers;
	return 0;
}

static __always_inline void wm_wire(struct __sk_buff *skb, const struct wm_packet *packet, struct wm_wire *wire)
{
	if (skb->gso_size) {
		wm_super_packet(skb, packet, wire);
		return;
	}
	wire->packets = 1;
	wire->l3_bytes = packet->l3_bytes;
}

/* Wire packets of a packet whose headers are not known: of Ethernet, IPv4 and TCP without options where the sender's
 * kernel left the count out. */
static __always_inline __u64 wm_segments(struct __sk_buff *skb)
{
	__u32 segments = skb->gso_segs, size = skb->gso_size;

	if (!size)
		return 1;
	if (!segments)
		segments = (skb->len - 54 + size - 1) / size;
	return segments ? segments : 1;
}

#endif
