/* SPDX-License-Identifier: GPL-2.0-only */
/* key.bpf.h — which flow a packet belongs to, and what its transport header says. */
#ifndef FLOWMON_KEY_BPF_H
#define FLOWMON_KEY_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "flowmon.h"

#define FLOWMON_TCP_FIN 0x01
#define FLOWMON_TCP_SYN 0x02

/* What the transport header says. */
struct flowmon_transport {
	__u32 class;
	__u32 header;	/* octets; 0 in a later fragment */
	__u32 payload;	/* octets; of a super-packet all of it */
	__u32 sequence; /* TCP */
	__u8 flags;	/* TCP */
	__u8 whole;	/* 1: no fragment */
};

/* The transport header's first 16 octets, which hold all that we read; fewer where the packet ends. */
struct flowmon_head {
	__u32 word[4];
};

static __always_inline int flowmon_class_of(const struct wm_packet *packet)
{
	if (packet->protocol == IPPROTO_TCP)
		return FLOWMON_TCP;
	if (packet->protocol == IPPROTO_UDP)
		return FLOWMON_UDP;
	if (packet->protocol == (packet->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return FLOWMON_ICMP;
	return -1;
}

/* Reads `head` directly where that can be, which is cheaper than the helper. TCP: 16 octets, else 8. */
static __always_inline int flowmon_read_head(struct __sk_buff *skb, const struct wm_packet *packet, __u32 class,
					     struct flowmon_head *head)
{
	__u32 *l4 = (void *)(long)skb->data + (packet->l4_offset & 0x7f);
	void *end = (void *)(long)skb->data_end;

	if (packet->l4_offset <= 0x7f) {
		if (class == FLOWMON_TCP && (void *)(l4 + 4) <= end) {
			head->word[0] = l4[0];
			head->word[1] = l4[1];
			head->word[3] = l4[3];
			return 0;
		}
		if (class != FLOWMON_TCP && (void *)(l4 + 2) <= end) {
			head->word[0] = l4[0];
			head->word[1] = l4[1];
			return 0;
		}
	}
	if (class == FLOWMON_TCP)
		return bpf_skb_load_bytes(skb, packet->l4_offset, head, 16);
	return bpf_skb_load_bytes(skb, packet->l4_offset, head, 8);
}

/* An echo request or reply, which has an identifier. */
static __always_inline int flowmon_is_echo(const struct wm_packet *packet, __u8 type)
{
	return packet->version == 4 ? type == 0 || type == 8 : type == 128 || type == 129;
}

/* The transport header; `key` gets its ports. Of a fragment only the length is read: the first one has a header, later
 * ones have none. 0, or WM_UNPARSABLE where the header does not fit into the packet. */
static __always_inline int flowmon_read_transport(struct __sk_buff *skb, const struct wm_packet *packet, __u32 class,
						  struct flowmon_transport *transport, struct flowmon_key *key)
{
	__u32 room = packet->l3_bytes - (packet->l4_offset - packet->l3_offset);
	struct flowmon_head head = {};
	__u8 type;

	transport->class = class;
	transport->sequence = 0;
	transport->flags = 0;
	transport->header = 0;
	transport->payload = room;
	transport->whole = !packet->fragment;
	key->source_port = key->destination_port = 0;
	if (!packet->transport)
		return 0;
	/* The first fragment may be too short for a TCP header (RFC 1858); then nothing of it is taken for one. */
	if (room < (class == FLOWMON_TCP ? 20 : 8))
		return packet->fragment ? 0 : WM_UNPARSABLE;
	if (flowmon_read_head(skb, packet, class, &head))
		return WM_UNPARSABLE;
	transport->header = 8;
	if (class == FLOWMON_TCP) {
		transport->header = (head.word[3] >> 4 & 0xf) * 4;
		if (transport->header < 20 || transport->header > room)
			return WM_UNPARSABLE;
	}
	transport->payload = room - transport->header;
	if (packet->fragment)
		return 0;
	if (class == FLOWMON_ICMP) {
		type = head.word[0] & 0xff;
		key->source_port = head.word[0] & 0xffff;
		key->destination_port = flowmon_is_echo(packet, type) ? head.word[1] & 0xffff : 0;
		return 0;
	}
	key->source_port = head.word[0] & 0xffff;
	key->destination_port = head.word[0] >> 16;
	if (class == FLOWMON_TCP) {
		transport->sequence = bpf_ntohl(head.word[1]);
		transport->flags = head.word[3] >> 8;
	}
	return 0;
}

/* VLAN identifier of the outermost tag, which may be in the packet or beside it; 0 without. */
static __always_inline __u16 flowmon_vlan(struct __sk_buff *skb, const struct wm_packet *packet, __u32 l2_length)
{
	__u8 *tag = (void *)(long)skb->data + ETH_HLEN;

	if (skb->vlan_present)
		return skb->vlan_tci & 0xfff;
	if (packet->l3_offset <= l2_length || (void *)(tag + 2) > (void *)(long)skb->data_end)
		return 0;
	return (tag[0] << 8 | tag[1]) & 0xfff;
}

/* Addresses, protocol, tag and direction; the ports come from the transport header. */
static __always_inline int flowmon_read_key(struct __sk_buff *skb, const struct wm_packet *packet, __u32 l2_length,
					    __u32 direction, struct flowmon_key *key)
{
	__u64 *source = (__u64 *)key->source, *destination = (__u64 *)key->destination;
	void *end = (void *)(long)skb->data_end;
	struct flowmon_words {
		__u32 word[8];
	} *from = wm_l3(skb, packet) + (packet->version == 4 ? 12 : 8);

	if (packet->version == 4) {
		if ((void *)&from->word[2] > end)
			return WM_UNPARSABLE;
		source[0] = destination[0] = 0;
		source[1] = 0xffff0000 | (__u64)from->word[0] << 32;
		destination[1] = 0xffff0000 | (__u64)from->word[1] << 32;
	} else {
		if ((void *)(from + 1) > end)
			return WM_UNPARSABLE;
		source[0] = from->word[0] | (__u64)from->word[1] << 32;
		source[1] = from->word[2] | (__u64)from->word[3] << 32;
		destination[0] = from->word[4] | (__u64)from->word[5] << 32;
		destination[1] = from->word[6] | (__u64)from->word[7] << 32;
	}
	key->vlan = l2_length ? flowmon_vlan(skb, packet, l2_length) : 0;
	key->protocol = packet->protocol;
	key->version = packet->version;
	key->direction = direction;
	key->_pad[0] = key->_pad[1] = key->_pad[2] = 0;
	return 0;
}

/* Tells apart keys that take turns in one place of the table; never 0. */
static __always_inline __u32 flowmon_tag(const struct flowmon_key *key)
{
	const __u64 *word = (const __u64 *)key;
	__u64 fold = word[0] ^ word[1] ^ word[2] ^ word[3] ^ word[4];

	return (__u32)(fold ^ fold >> 32) | 1;
}

#endif
