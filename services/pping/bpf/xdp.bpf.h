/* SPDX-License-Identifier: GPL-2.0-only */
/* xdp.bpf.h — link layer and IP of an XDP frame, as parse.bpf.h reads those of an skb. */
#ifndef PPING_XDP_BPF_H
#define PPING_XDP_BPF_H

#include <waymark/parse.bpf.h>

/* Follows IPv6 extension headers (RFC 8200 section 4), wherever in the frame they lie. */
static __noinline int pping_walk_extensions_xdp(struct xdp_md *xdp, struct wm_packet *packet)
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
		if (offset + 8 > end || bpf_xdp_load_bytes(xdp, offset, head, sizeof(head)))
			return WM_UNPARSABLE;
		if (next == IPPROTO_FRAGMENT) {
			__u16 field = head[2] << 8 | head[3];

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

static __always_inline int pping_parse_ipv4_xdp(const struct iphdr *ip, const void *end, __u32 room, struct wm_packet *packet)
{
	__u32 header, total;

	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return WM_UNPARSABLE;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (total < header || total > room)
		return WM_UNPARSABLE;
	packet->version = 4;
	packet->l3_bytes = total;
	packet->tos = ip->tos;
	packet->protocol = ip->protocol;
	packet->fragment = (ip->frag_off & bpf_htons(0x3fff)) != 0;
	packet->transport = (ip->frag_off & bpf_htons(0x1fff)) == 0;
	packet->l4_offset = packet->l3_offset + header;
	packet->extensions = 0;
	return 0;
}

static __always_inline int pping_parse_ipv6_xdp(struct xdp_md *xdp, const struct ipv6hdr *ip, const void *end, __u32 room,
						struct wm_packet *packet)
{
	const __u8 *byte = (const void *)ip;
	__u32 total;

	if ((const void *)(ip + 1) > end || ip->version != 6)
		return WM_UNPARSABLE;
	total = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	if (total > room)
		return WM_UNPARSABLE;
	packet->version = 6;
	packet->l3_bytes = total;
	packet->tos = byte[0] << 4 | byte[1] >> 4;
	packet->protocol = ip->nexthdr;
	packet->fragment = 0;
	packet->transport = 1;
	packet->l4_offset = packet->l3_offset + sizeof(*ip);
	packet->extensions = 0;
	return wm_is_extension(ip->nexthdr) ? pping_walk_extensions_xdp(xdp, packet) : 0;
}

/* 0, WM_NOT_IP or WM_UNPARSABLE. Tags are skipped: the card may have taken them off, so they tell nothing here. */
static __always_inline int pping_parse_xdp(struct xdp_md *xdp, __u32 l2_length, struct wm_packet *packet)
{
	const void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__u32 length = bpf_xdp_get_buff_len(xdp), room;
	const struct ethhdr *eth = data;
	__u16 protocol;
	int i;

	packet->l3_offset = 0;
	if (l2_length) {
		const struct wm_vlan *tag = (const void *)(eth + 1);

		if ((const void *)(eth + 1) > end)
			return WM_UNPARSABLE;
		protocol = eth->h_proto;
		packet->l3_offset = sizeof(*eth);
#pragma unroll
		for (i = 0; i < WM_VLAN_DEPTH; i++) {
			if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
				break;
			if ((const void *)(tag + 1) > end)
				return WM_UNPARSABLE;
			protocol = tag->protocol;
			tag++;
			packet->l3_offset += sizeof(*tag);
		}
	} else {
		if (data + 1 > end)
			return WM_UNPARSABLE;
		protocol = *(const __u8 *)data >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	}
	room = length - packet->l3_offset;
	data += packet->l3_offset & 0x1f;
	if (protocol == bpf_htons(ETH_P_IP))
		return pping_parse_ipv4_xdp(data, end, room, packet);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return pping_parse_ipv6_xdp(xdp, data, end, room, packet);
	return WM_NOT_IP;
}

#endif
