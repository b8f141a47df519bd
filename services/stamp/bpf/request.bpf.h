/* SPDX-License-Identifier: GPL-2.0-only */
/* request.bpf.h — what is a request: its headers, lengths and fields, its session, and who answers it. */
#ifndef STAMP_REQUEST_BPF_H
#define STAMP_REQUEST_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "hmac.bpf.h"
#include "packet.bpf.h"
#include "reflect.bpf.h"
#include "stamp.h"

/* What is known of a request. */
struct stamp_received {
	__u64 tai_ns;
	__u64 time; /* T1 as on the wire */
	__u64 session_received;
	__u64 session_answered;
	__u64 previous_ns;
	__u32 previous_sequence;
	__u32 source[4];
	__u32 destination[4];
	struct stamp_udp udp;
	__u32 length;	/* of the UDP payload */
	__u32 sequence; /* of the request; then of the answer */
	__be16 ssid;
	__be16 error_estimate;
};

/* A reflector holds a packet for less than so many seconds. */
#define STAMP_LONGEST_RESIDENCE_S 64

/* 1 if a packet has two times right after each other where an answer has T2 and T3, whatever reflector it is of. */
static __always_inline int stamp_has_residence(const __be32 received[2], const __be32 time[2])
{
	__u32 ahead = bpf_ntohl(time[0]) - bpf_ntohl(received[0]) + STAMP_LONGEST_RESIDENCE_S;

	return received[0] && ahead < 2 * STAMP_LONGEST_RESIDENCE_S;
}

/* 1 if a packet is an answer already, ours or another reflector's: answering it would begin a loop. A request is zero
 * where an answer has T2; a request padded with something else is told by the octets that are zero in every answer, or,
 * shorter answers of TWAMP Light, by a T2 of these days. */
static __always_inline int stamp_is_open_answer(const struct stamp_open_answer *packet, __u64 tai_ns)
{
	__be32 now[2];
	__u32 away;

	if (stamp_has_residence(packet->received, packet->time))
		return 1;
	if (packet->reserved || !(packet->received[0] | packet->received[1]) || !packet->sender_ttl)
		return 0;
	if (!(packet->reserved_too[0] | packet->reserved_too[1] | packet->reserved_too[2]))
		return 1;
	stamp_wire_time(tai_ns, config.ptp, now);
	away = bpf_ntohl(packet->received[0]) - bpf_ntohl(now[0]) + 86400;
	return away < 2 * 86400;
}

static __always_inline int stamp_is_closed_answer(const struct stamp_closed_answer *packet)
{
	return stamp_has_residence(packet->received, packet->time) ||
	       ((packet->received[0] | packet->received[1]) && packet->sender_ttl && !packet->reserved_too[0] &&
		!(packet->reserved_three[0] | packet->reserved_three[1]));
}

/* IP options that may go back as they came: none, no-operation, end, router alert. */
static __noinline int stamp_plain_options(struct __sk_buff *skb, const struct wm_packet *packet)
{
	__u32 offset, word, i;

	if (!packet)
		return 0;
	offset = packet->l3_offset + sizeof(struct iphdr);
	for (i = 0; i < 10; i++, offset += 4) {
		if (offset >= packet->l4_offset)
			break;
		if (bpf_skb_load_bytes(skb, offset, &word, sizeof(word)))
			return 0;
		word = bpf_ntohl(word);
		if (word != 0x01010101 && word != 0x01010100 && word != 0x01010000 && word != 0x01000000 && word &&
		    word != 0x94040000)
			return 0;
	}
	return 1;
}

/* IPv6 extension headers that may: hop-by-hop and destination options that hold one padding. */
static __noinline int stamp_plain_extensions(struct __sk_buff *skb, const struct wm_packet *packet)
{
	__u32 offset, i;
	__u8 head[4], next = 0;

	if (!packet || bpf_skb_load_bytes(skb, packet->l3_offset + 6, &next, 1))
		return 0;
	offset = packet->l3_offset + sizeof(struct ipv6hdr);
	for (i = 0; i < 2; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS)
			break;
		if (bpf_skb_load_bytes(skb, offset, head, sizeof(head)))
			return 0;
		/* Next Header, length in 8 octets, PadN, its length: it fills the header. */
		if (head[2] != 1 || head[3] != (head[1] + 1) * 8 - 4)
			return 0;
		next = head[0];
		offset += (head[1] + 1) * 8;
	}
	return offset == packet->l4_offset && next == IPPROTO_UDP;
}

static __always_inline int stamp_is_plain(struct __sk_buff *skb, const struct wm_packet *packet)
{
	if (skb->gso_size)
		return 0;
	if (packet->version == 4)
		return packet->l4_offset == packet->l3_offset + sizeof(struct iphdr) ||
		       stamp_plain_options(skb, packet);
	return !packet->extensions || stamp_plain_extensions(skb, packet);
}

/* Reads a request that is shorter than the base packet (TWAMP Light): what is not there is zero, and there is no SSID.
 */
static __noinline int stamp_read_short(struct __sk_buff *skb, __u32 offset, __u32 length,
				       struct stamp_received *request)
{
	struct stamp_open_answer copy = {};

	if (!request || length < STAMP_SHORTEST)
		return STAMP_MALFORMED;
	STAMP_SAME(length);
	if (length >= STAMP_BASE || bpf_skb_load_bytes(skb, offset, &copy, length))
		return STAMP_MALFORMED;
	request->sequence = bpf_ntohl(copy.sequence);
	request->time = (__u64)bpf_ntohl(copy.time[0]) << 32 | bpf_ntohl(copy.time[1]);
	request->error_estimate = copy.error_estimate;
	request->ssid = 0;
	return stamp_is_open_answer(&copy, request->tai_ns) ? STAMP_ANSWER : 0;
}

static __always_inline int stamp_read_open(struct __sk_buff *skb, const struct wm_packet *packet,
					   struct stamp_received *request)
{
	struct udphdr *udp = stamp_reach(skb, packet->l4_offset, sizeof(*udp) + STAMP_BASE);
	struct stamp_open_answer *answer;

	if (!udp)
		return STAMP_UNHANDLED_HEADER;
	answer = (void *)(udp + 1);
	request->sequence = bpf_ntohl(answer->sequence);
	request->ssid = answer->ssid;
	if (config.observe) {
		request->time = (__u64)bpf_ntohl(answer->time[0]) << 32 | bpf_ntohl(answer->time[1]);
		request->error_estimate = answer->error_estimate;
	}
	return stamp_is_open_answer(answer, request->tai_ns) ? STAMP_ANSWER : 0;
}

static __always_inline int stamp_read_closed(struct __sk_buff *skb, const struct wm_packet *packet,
					     struct stamp_received *request)
{
	struct udphdr *udp = stamp_reach(skb, packet->l4_offset, sizeof(*udp) + STAMP_AUTH_BASE);
	struct stamp_closed_answer *answer;

	if (!udp)
		return STAMP_UNHANDLED_HEADER;
	answer = (void *)(udp + 1);
	request->sequence = bpf_ntohl(answer->sequence);
	request->ssid = answer->ssid;
	request->error_estimate = answer->error_estimate;
	request->time = (__u64)bpf_ntohl(answer->time[0]) << 32 | bpf_ntohl(answer->time[1]);
	return stamp_is_closed_answer(answer) ? STAMP_ANSWER : 0;
}

/* Reads length, number, T1 and SSID; refuses what is no request. 0, or what to count. */
static __always_inline int stamp_read(struct __sk_buff *skb, const struct wm_packet *packet,
				      struct stamp_received *request)
{
	struct udphdr *udp = stamp_reach(skb, packet->l4_offset, sizeof(*udp));
	int length;

	if (!udp || (packet->version == 6 && !udp->check))
		return STAMP_MALFORMED;
	length = stamp_payload_length(packet, udp);
	if (length < (config.authenticated ? STAMP_AUTH_BASE : STAMP_SHORTEST))
		return STAMP_MALFORMED;
	request->length = length;
	if (config.authenticated)
		return stamp_read_closed(skb, packet, request);
	if (length < STAMP_BASE)
		return stamp_read_short(skb, packet->l4_offset + sizeof(*udp), length, request);
	return stamp_read_open(skb, packet, request);
}

static __always_inline void stamp_session_key_of(struct stamp_session_key *key, const void *source,
						 const void *destination, __be16 source_port, __be16 ssid)
{
	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->source, source, sizeof(key->source));
	__builtin_memcpy(key->destination, destination, sizeof(key->destination));
	key->source_port = source_port;
	key->ssid = ssid;
}

/* Notes a request in its session and takes the answer's number, when nothing can refuse it any more. 0, or what to
 * count. */
static __noinline int stamp_enter_session(struct stamp_received *request)
{
	struct stamp_session_key key;
	struct stamp_session *session;

	if (!request)
		return STAMP_TABLE_FULL;
	stamp_session_key_of(&key, request->source, request->destination, request->udp.source, request->ssid);
	session = stamp_session_of(&key);
	if (!session)
		return STAMP_TABLE_FULL;
	if (config.authenticated && !stamp_take_fresh(session, request->time, request->sequence))
		return STAMP_REPLAYED;
	session->last_seen_ns = bpf_ktime_get_coarse_ns();
	request->session_received = __sync_fetch_and_add(&session->received, 1) + 1;
	request->session_answered = __sync_fetch_and_add(&session->answered, 1);
	request->sequence = request->session_answered;
	request->previous_ns = session->stamped_ns;
	request->previous_sequence = session->stamped_sequence;
	return 0;
}

#define IN_PLACE      0
#define BY_USER_SPACE 1

/* Who answers: in place, unless TLVs have to be understood. One Extra Padding to the end is understood here; zeros are
 * the padding of senders without RFC 8972. `after`: the octets behind the base packet. */
static __always_inline int stamp_who_answers(struct __sk_buff *skb, __u32 offset, __u32 after, __u32 *clear_flags)
{
	__u8 head[4];

	if (after < sizeof(head))
		return IN_PLACE;
	if (bpf_skb_load_bytes(skb, offset, head, sizeof(head)))
		return BY_USER_SPACE;
	if (!(head[0] | head[1] | head[2] | head[3]))
		return IN_PLACE;
	*clear_flags = 1;
	return head[1] == 1 && (head[2] << 8 | head[3]) + sizeof(head) == after ? IN_PLACE : BY_USER_SPACE;
}

#endif
