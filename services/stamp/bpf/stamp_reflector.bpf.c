// SPDX-License-Identifier: GPL-2.0-only
/* stamp_reflector.bpf.c — a STAMP Session-Reflector (RFC 8762): requests are turned round at ingress, where T2 is
 * taken, and leave by the same interface; at egress T3 is written. What cannot be answered in place goes to user space,
 * whose answers pass egress likewise. Packets for others pass untouched.
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

static __always_inline int stamp_count(__u32 what, int verdict)
{
	__u64 *count = bpf_map_lookup_elem(&counts, &what);

	if (count)
		++*count;
	return verdict;
}

#include "request.bpf.h"
#include "answer.bpf.h"

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
	if (config.observe)
		stamp_observe(request);
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
	if (config.restricted && !stamp_is_allowed(request.source, packet->version))
		return stamp_count(STAMP_NOT_ALLOWED, TC_ACT_SHOT);
	if (config.rate_gap_ns && !stamp_within_rate(request.source, config.rate_gap_ns, config.rate_burst_ns))
		return stamp_count(STAMP_RATE_LIMITED, TC_ACT_SHOT);
	if (config.authenticated && !stamp_hmac_right(skb, packet->l4_offset + sizeof(struct udphdr), request.ssid))
		return stamp_count(STAMP_BAD_HMAC, TC_ACT_SHOT);
	request.session_received = request.session_answered = 0;
	request.previous_ns = request.previous_sequence = 0;
	if (request.length < base || config.via_stack ||
	    stamp_who_answers(skb, packet->l4_offset + sizeof(struct udphdr) + base, request.length - base,
			      &clear_flags) == BY_USER_SPACE)
		return stamp_to_user(skb, packet, &request);
	refused = config.stateful ? stamp_enter_session(&request) : 0;
	if (refused)
		return stamp_count(refused, TC_ACT_SHOT);
	if (config.observe)
		stamp_observe(&request);
	return stamp_answer_in_place(skb, packet, &request, clear_flags);
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
