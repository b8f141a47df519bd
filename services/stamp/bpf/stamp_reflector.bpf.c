// SPDX-License-Identifier: GPL-2.0-only
/* stamp_reflector.bpf.c — a STAMP Session-Reflector (RFC 8762): requests are turned round at ingress, where T2 is taken,
 * and leave by the same interface; at egress T3 is written. What cannot be answered in place goes to user space, whose
 * answers pass egress likewise. Packets for others pass untouched.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "stamp.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct stamp_reflector_config config = {};

#include "packet.bpf.h"
#include "hmac.bpf.h"
#include "reflect.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STAMP_REFLECTOR_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");
const enum stamp_reflector_count *stamp_reflector_counts;

#define REQUESTS_BYTES (4 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, REQUESTS_BYTES);
	__type(value, struct stamp_request);
} requests SEC(".maps");

#define OBSERVED_BYTES (1 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, OBSERVED_BYTES);
	__type(value, struct stamp_observed);
} observed SEC(".maps");

static __always_inline int stamp_count(__u32 what, int verdict)
{
	__u64 *count = bpf_map_lookup_elem(&counts, &what);

	if (count)
		++*count;
	return verdict;
}

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
	__u32 length; /* of the UDP payload */
	__u32 sequence; /* of the request; then of the answer */
	__be16 ssid;
	__be16 error_estimate;
};

/* 1 if a packet is an answer already, ours or another reflector's: answering it would begin a loop. A request is zero
 * where an answer has T2; a request padded with something else is told by the octets that are zero in every answer, or,
 * shorter answers of TWAMP Light, by a T2 of these days. */
static __always_inline int stamp_is_open_answer(const struct stamp_open_answer *packet, __u64 tai_ns)
{
	__be32 now[2];
	__u32 away;

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
	return (packet->received[0] | packet->received[1]) && packet->sender_ttl && !packet->reserved_too[0] &&
	       !(packet->reserved_three[0] | packet->reserved_three[1]);
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

/* Set by the first request that user space answers: it may ask for the T3 of the answer before (Follow-Up Telemetry). */
volatile __u64 stamp_remember_answers = 0;

/* Gives a request to user space; it is not seen by anyone else. */
static __noinline int stamp_to_user(struct __sk_buff *skb, const struct wm_packet *packet,
				    struct stamp_received *request)
{
	struct stamp_request *record;
	__u32 length = skb->len;
	int refused;

	if (!packet || !request)
		return TC_ACT_SHOT;
	record = bpf_ringbuf_reserve(&requests, sizeof(*record), 0);
	if (!record)
		return stamp_count(STAMP_USER_PATH_FULL, TC_ACT_SHOT);
	refused = STAMP_TOO_LONG;
	if (length < STAMP_SHORTEST)
		goto discard;
	STAMP_SAME(length);
	if (length > STAMP_FRAME_BYTES || bpf_skb_load_bytes(skb, 0, record->frame, length))
		goto discard;
	refused = config.stateful ? stamp_enter_session(request) : 0;
	if (refused)
		goto discard;
	stamp_remember_answers = 1;
	record->received_ns = request->tai_ns + stamp_unix_offset_ns;
	record->session_received = request->session_received;
	record->session_answered = request->session_answered;
	record->previous_ns = request->previous_ns;
	record->previous_sequence = request->previous_sequence;
	record->length = length;
	record->l3_offset = packet->l3_offset;
	record->l4_offset = packet->l4_offset;
	record->sequence = request->sequence;
	record->tos = packet->tos;
	record->hops = packet->hops;
	record->vlan_protocol = skb->vlan_present ? (__u16)skb->vlan_proto : 0;
	record->vlan_tci = skb->vlan_tci;
	bpf_ringbuf_submit(record, 0);
	return stamp_count(STAMP_USER_PATH, config.via_stack ? TC_ACT_UNSPEC : TC_ACT_SHOT);
discard:
	bpf_ringbuf_discard(record, 0);
	return stamp_count(refused, TC_ACT_SHOT);
}

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

/* Reads a request that is shorter than the base packet (TWAMP Light): what is not there is zero, and there is no SSID. */
static __noinline int stamp_read_short(struct __sk_buff *skb, __u32 offset, __u32 length, struct stamp_received *request)
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

/* Tells user space of a request that is answered. */
static __noinline int stamp_observe(const struct stamp_received *request)
{
	struct stamp_observed *record;

	if (!request)
		return 0;
	record = bpf_ringbuf_reserve(&observed, sizeof(*record), 0);
	if (!record)
		return stamp_count(STAMP_UNOBSERVED, 0);
	record->received_ns = request->tai_ns + stamp_unix_offset_ns;
	record->sent = request->time;
	record->error_estimate = bpf_ntohs(request->error_estimate);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* A packet to our port. */
static __noinline int stamp_receive(struct __sk_buff *skb, struct wm_packet *packet)
{
	struct stamp_received request;
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE, clear_flags = 0;
	int refused;

	request.tai_ns = bpf_ktime_get_tai_ns();
	request.time = request.error_estimate = 0;
	if (!packet || stamp_ports(skb, packet, &request.udp))
		return TC_ACT_UNSPEC;
	if (stamp_lease_expired(config.leased))
		return stamp_count(STAMP_LEASE_EXPIRED, TC_ACT_UNSPEC);
	if (stamp_addresses(skb, packet, request.source, request.destination) || skb->pkt_type != PACKET_HOST ||
	    !stamp_is_own(request.destination))
		return stamp_count(STAMP_NOT_OURS, TC_ACT_UNSPEC);
	if (!stamp_is_plain(skb, packet))
		return stamp_count(STAMP_UNHANDLED_HEADER, TC_ACT_UNSPEC);
	refused = stamp_read(skb, packet, &request);
	if (refused)
		return stamp_count(refused, TC_ACT_UNSPEC);
	if (stamp_bad_source(request.source, request.destination, &request.udp))
		return stamp_count(STAMP_BAD_SOURCE, TC_ACT_SHOT);
	if (config.restricted && !stamp_is_allowed(request.source))
		return stamp_count(STAMP_NOT_ALLOWED, TC_ACT_SHOT);
	if (config.rate_gap_ns && !stamp_within_rate(request.source, config.rate_gap_ns, config.rate_burst_ns))
		return stamp_count(STAMP_RATE_LIMITED, TC_ACT_SHOT);
	if (config.authenticated && !stamp_hmac_right(skb, packet->l4_offset + sizeof(struct udphdr), request.ssid))
		return stamp_count(STAMP_BAD_HMAC, TC_ACT_SHOT);
	request.session_received = request.session_answered = 0;
	request.previous_ns = request.previous_sequence = 0;
	if (config.observe)
		stamp_observe(&request);
	if (request.length < base || config.via_stack ||
	    stamp_who_answers(skb, packet->l4_offset + sizeof(struct udphdr) + base, request.length - base,
			      &clear_flags) == BY_USER_SPACE)
		return stamp_to_user(skb, packet, &request);
	refused = config.stateful ? stamp_enter_session(&request) : 0;
	if (refused)
		return stamp_count(refused, TC_ACT_SHOT);
	return stamp_answer_in_place(skb, packet, &request, clear_flags);
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

SEC("tc")
int stamp_reflect(struct __sk_buff *skb)
{
	struct wm_packet packet;
	struct stamp_udp udp;

	if (wm_parse(skb, config.l2_length, &packet) || stamp_ports(skb, &packet, &udp) ||
	    udp.destination != bpf_htons(config.port))
		return TC_ACT_UNSPEC;
	return stamp_receive(skb, &packet);
}

SEC("tc")
int stamp_answer(struct __sk_buff *skb)
{
	if (skb->mark == config.mark)
		return stamp_finish(skb);
	return config.via_stack ? stamp_finish_of_stack(skb) : TC_ACT_UNSPEC;
}

/* Sends an answer of user space, a whole frame: run by user space alone, never attached. */
SEC("tc")
int stamp_inject(struct __sk_buff *skb)
{
	skb->mark = config.mark;
	return bpf_clone_redirect(skb, config.ifindex, 0);
}

#define AF_INET	 2
#define AF_INET6 10

/* Looks a way up for user space: 0, or BPF_FIB_LKUP_RET_ of why there is none. Run by user space alone. */
SEC("tc")
int stamp_route(struct __sk_buff *skb)
{
	struct bpf_fib_lookup question = {};
	struct stamp_way *way;
	__u32 zero = 0, *word;
	int answer;

	way = bpf_map_lookup_elem(&ways, &zero);
	if (!way)
		return -1;
	word = (void *)way->destination;
	question.ifindex = config.ifindex;
	question.l4_protocol = IPPROTO_UDP;
	if (!word[0] && !word[1] && word[2] == bpf_htonl(0xffff)) {
		question.family = AF_INET;
		__builtin_memcpy(&question.ipv4_src, way->source + 12, sizeof(question.ipv4_src));
		__builtin_memcpy(&question.ipv4_dst, way->destination + 12, sizeof(question.ipv4_dst));
	} else {
		question.family = AF_INET6;
		__builtin_memcpy(question.ipv6_src, way->source, sizeof(question.ipv6_src));
		__builtin_memcpy(question.ipv6_dst, way->destination, sizeof(question.ipv6_dst));
	}
	answer = bpf_fib_lookup(skb, &question, sizeof(question), BPF_FIB_LOOKUP_OUTPUT);
	way->ifindex = question.ifindex;
	__builtin_memcpy(way->source_mac, question.smac, sizeof(way->source_mac));
	__builtin_memcpy(way->destination_mac, question.dmac, sizeof(way->destination_mac));
	return answer;
}
