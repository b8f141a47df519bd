/* SPDX-License-Identifier: GPL-2.0-only */
/* answer.bpf.h — answers: written over the request at ingress, finished with T3 (and the HMAC) at egress. */
#ifndef STAMP_ANSWER_BPF_H
#define STAMP_ANSWER_BPF_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "hmac.bpf.h"
#include "packet.bpf.h"
#include "request.bpf.h"
#include "stamp.h"

/* Set by the first request that user space answers: it may ask for the T3 of the answer before (Follow-Up Telemetry).
 */
volatile __u64 stamp_remember_answers = 0;

/* Writes the unauthenticated answer over the request; the checksum's difference. */
static __always_inline __u64 stamp_write_open(struct stamp_open_answer *answer, const struct stamp_received *request,
					      __u8 hops)
{
	__u32 *word = (void *)answer;
	__u32 before[STAMP_BASE / 4];
	__be16 sender_error_estimate = answer->error_estimate;
	__u64 difference = 0;
	__u32 i;

	__builtin_memcpy(before, answer, sizeof(before));
	if (config.stateful)
		answer->sequence = bpf_htonl(request->sequence);
	answer->error_estimate = (__u16)stamp_error_estimate;
	stamp_wire_time(request->tai_ns, config.ptp, answer->received);
	word[6] = before[0];
	word[7] = before[1];
	word[8] = before[2];
	answer->sender_error_estimate = sender_error_estimate;
	answer->reserved = 0;
	word[10] = 0;
	answer->sender_ttl = hops;
#pragma unroll
	for (i = 0; i < STAMP_BASE / 4; i++)
		difference = stamp_changed(difference, before[i], word[i]);
	return difference;
}

/* The same, authenticated; T3 and HMAC are still the request's. */
static __always_inline __u64 stamp_write_closed(struct stamp_closed_answer *answer,
						const struct stamp_received *request, __u8 hops)
{
	struct stamp_closed_request *was = (void *)answer;
	__u32 *word = (void *)answer;
	__be32 sequence = was->sequence, seconds = was->time[0], fraction = was->time[1];
	__be16 error_estimate = was->error_estimate;
	__u64 difference = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < STAMP_HMAC_TEXT / 4; i++)
		difference += (__u32)~word[i];
#pragma unroll
	for (i = 1; i < 4; i++)
		word[i] = 0;
#pragma unroll
	for (i = 7; i < STAMP_HMAC_TEXT / 4; i++)
		word[i] = 0;
	if (config.stateful)
		answer->sequence = bpf_htonl(request->sequence);
	answer->error_estimate = (__u16)stamp_error_estimate;
	stamp_wire_time(request->tai_ns, config.ptp, answer->received);
	answer->sender_sequence = sequence;
	answer->sender_time[0] = seconds;
	answer->sender_time[1] = fraction;
	answer->sender_error_estimate = error_estimate;
	answer->sender_ttl = hops;
#pragma unroll
	for (i = 0; i < STAMP_HMAC_TEXT / 4; i++)
		difference += word[i];
	return difference;
}

/* Swaps the addresses of link, IP and UDP layer; no checksum changes by that. */
static __always_inline int stamp_turn(struct __sk_buff *skb, const struct wm_packet *packet, struct udphdr *udp)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	void *l3 = wm_l3(skb, packet);
	__be16 port = udp->source;

	udp->source = udp->dest;
	udp->dest = port;
	if (packet->version == 4) {
		struct iphdr *ip = l3;
		__be32 address;

		if ((void *)(ip + 1) > end)
			return -1;
		address = ip->saddr;
		ip->saddr = ip->daddr;
		ip->daddr = address;
	} else {
		struct ipv6hdr *ip = l3;
		struct in6_addr address;

		if ((void *)(ip + 1) > end)
			return -1;
		address = ip->saddr;
		ip->saddr = ip->daddr;
		ip->daddr = address;
	}
	if (config.l2_length) {
		struct ethhdr *eth = data;
		__u8 mac[ETH_ALEN];

		if ((void *)(eth + 1) > end)
			return -1;
		__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
		__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
		__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	}
	return 0;
}

static __always_inline __u8 stamp_answer_tos(__u8 tos)
{
	__u8 dscp = config.dscp == STAMP_COPY ? tos & ~WM_ECN_MASK : config.dscp << 2;

	return dscp | (config.copy_ecn ? tos & WM_ECN_MASK : 0);
}

/* Answers in place. */
static __noinline int stamp_answer_in_place(struct __sk_buff *skb, const struct wm_packet *packet,
					    const struct stamp_received *request, __u32 clear_flags)
{
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE;
	struct udphdr *udp;
	__u64 difference;
	int bare;

	if (!packet || !request)
		return TC_ACT_SHOT;
	udp = stamp_at(skb, packet->l4_offset, sizeof(*udp) + base);
	if (!udp)
		return stamp_count(STAMP_UNHANDLED_HEADER, TC_ACT_UNSPEC);
	if (config.authenticated)
		difference = stamp_write_closed((void *)(udp + 1), request, packet->hops);
	else
		difference = stamp_write_open((void *)(udp + 1), request, packet->hops);
	bare = packet->version == 4 && !udp->check;
	if (stamp_turn(skb, packet, udp) || stamp_set_tos_hops(skb, packet, stamp_answer_tos(packet->tos), 255))
		return stamp_count(STAMP_UNHANDLED_HEADER, TC_ACT_SHOT);
	if (clear_flags) {
		__u8 *flags = stamp_at(skb, packet->l4_offset, sizeof(*udp) + STAMP_AUTH_BASE + 4);

		if (!config.authenticated)
			flags = stamp_at(skb, packet->l4_offset, sizeof(*udp) + STAMP_BASE + 4);
		if (flags) {
			flags += sizeof(*udp) + base;
			difference = stamp_changed(difference, *flags, 0);
			*flags = 0;
		}
	}
	/* Without a checksum of its own the payload's change shows in one that the card computed. */
	if (bare)
		bpf_csum_update(skb, stamp_fold(difference));
	else if (stamp_fix_udp(skb, packet->l4_offset, difference))
		return stamp_count(STAMP_UNHANDLED_HEADER, TC_ACT_SHOT);
	skb->mark = config.mark;
	return stamp_count(STAMP_REFLECTED, bpf_redirect(skb->ifindex, 0));
}

/* Remembers an answer's T3 in its session, for Follow-Up Telemetry. */
static __noinline int stamp_note_answer(struct __sk_buff *skb, const struct wm_packet *packet, __u64 stamped_ns)
{
	__u32 source[4], destination[4];
	struct stamp_open_answer *open;
	struct stamp_session_key key;
	struct stamp_session *session;
	struct udphdr *udp;
	__u32 sequence;
	__be16 ssid;

	if (!packet || stamp_addresses(skb, packet, source, destination))
		return -1;
	udp = stamp_at(skb, packet->l4_offset, sizeof(*udp) + sizeof(*open));
	if (!udp)
		return -1;
	open = (void *)(udp + 1);
	sequence = bpf_ntohl(open->sequence);
	ssid = config.authenticated ? ((struct stamp_closed_answer *)open)->ssid : open->ssid;
	stamp_session_key_of(&key, destination, source, udp->dest, ssid);
	session = bpf_map_lookup_elem(&sessions, &key);
	if (!session)
		return -1;
	bpf_spin_lock(&session->lock);
	session->stamped_ns = stamped_ns;
	session->stamped_sequence = sequence;
	bpf_spin_unlock(&session->lock);
	return 0;
}

/* Writes T3 (and the HMAC) into an answer of ours. */
static __noinline int stamp_finish(struct __sk_buff *skb)
{
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE;
	struct stamp_closed_answer *closed;
	struct wm_packet packet;
	struct udphdr *udp;
	__u64 difference = 0, tai_ns;
	__be32 now[2], *time;
	__be16 ssid = 0;
	int bare;

	if (wm_parse(skb, config.l2_length, &packet))
		return stamp_count(STAMP_STAMP_FAILED, TC_ACT_SHOT);
	udp = stamp_reach(skb, packet.l4_offset, sizeof(*udp) + base);
	if (!udp)
		return stamp_count(STAMP_STAMP_FAILED, TC_ACT_SHOT);
	bare = packet.version == 4 && !udp->check;
	tai_ns = bpf_ktime_get_tai_ns();
	stamp_wire_time(tai_ns, config.ptp, now);
	time = (void *)(udp + 1) + 4;
	if (config.authenticated) {
		closed = (void *)(udp + 1);
		ssid = closed->ssid;
		time = closed->time;
	}
	difference = stamp_changed(difference, time[0], now[0]);
	difference = stamp_changed(difference, time[1], now[1]);
	time[0] = now[0];
	time[1] = now[1];
	if (config.authenticated && stamp_hmac_write(skb, packet.l4_offset, ssid, &difference))
		return stamp_count(STAMP_STAMP_FAILED, TC_ACT_SHOT);
	if (!bare && stamp_fix_udp(skb, packet.l4_offset, difference))
		return stamp_count(STAMP_STAMP_FAILED, TC_ACT_SHOT);
	if (config.stateful && stamp_remember_answers)
		stamp_note_answer(skb, &packet, tai_ns + stamp_unix_offset_ns);
	skb->mark = 0;
	return stamp_count(STAMP_STAMPED, TC_ACT_UNSPEC);
}

/* Finishes an answer that a socket of ours sent: its T3 is the cookie, and an octet that is zero in every answer says
 * TOS or Traffic Class, which sockets of Node.js do not set. */
static __noinline int stamp_finish_of_stack(struct __sk_buff *skb)
{
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE, at = config.authenticated ? 81 : 41;
	struct wm_packet packet;
	struct stamp_udp ports;
	struct udphdr *udp;
	__u64 cookie;
	__u8 *octet;
	__u8 tos;

	if (wm_parse(skb, config.l2_length, &packet) || stamp_ports(skb, &packet, &ports) ||
	    ports.source != bpf_htons(config.port))
		return TC_ACT_UNSPEC;
	udp = stamp_reach(skb, packet.l4_offset, sizeof(*udp) + base);
	if (!udp)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(&cookie, (void *)(udp + 1) + (config.authenticated ? 16 : 4), sizeof(cookie));
	if (cookie != config.cookie)
		return TC_ACT_UNSPEC;
	octet = (void *)(udp + 1) + at;
	tos = *octet;
	*octet = 0;
	if (stamp_set_tos_hops(skb, &packet, tos, 255) ||
	    /* the octet is the lower one of its word in network order */
	    stamp_fix_udp(skb, packet.l4_offset, stamp_changed(0, bpf_htonl(tos), 0)))
		return stamp_count(STAMP_STAMP_FAILED, TC_ACT_SHOT);
	return stamp_finish(skb);
}

#endif
