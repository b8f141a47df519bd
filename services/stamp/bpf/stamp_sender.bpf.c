// SPDX-License-Identifier: GPL-2.0-only
/* stamp_sender.bpf.c — a STAMP Session-Sender (RFC 8762): T1 is written into this process's test packets at egress, T4
 * is taken at ingress from their answers, which end here. Whatever else comes to the port goes on to whom it is meant
 * for.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <waymark/parse.bpf.h>
#include "stamp.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct stamp_sender_config config = {};

#include "packet.bpf.h"
#include "hmac.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STAMP_SENDER_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");
const enum stamp_sender_count *stamp_sender_counts;

/* Session numbers by target; written by user space before the first packet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STAMP_MAX_TARGETS);
	__type(key, struct stamp_target_key);
	__type(value, __u32);
} targets SEC(".maps");

/* Packets under way. Written at egress; a slot is taken by the packet that comes a window later. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stamp_pending);
} pending SEC(".maps");

#define EVENTS_BYTES (8 << 20)
#define TLVS_BYTES   (4 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENTS_BYTES);
	__type(value, struct stamp_event);
} events SEC(".maps");
const enum stamp_event_kind *stamp_event_kinds;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TLVS_BYTES);
	__type(value, struct stamp_answer_tlvs);
} answer_tlvs SEC(".maps");

static __always_inline int stamp_count(__u32 what, int verdict)
{
	__u64 *count = bpf_map_lookup_elem(&counts, &what);

	if (count)
		++*count;
	return verdict;
}

/* The slot of a packet of a session. */
static __always_inline struct stamp_pending *stamp_slot(__u32 session, __u32 sequence)
{
	__u32 index = session * config.window + (sequence & (config.window - 1));

	return bpf_map_lookup_elem(&pending, &index);
}

/* The session of a target; 0 if it is none. */
static __always_inline __u32 *stamp_target(const __u32 remote[4], __be16 remote_port, __be16 local_port)
{
	struct stamp_target_key key;

	__builtin_memset(&key, 0, sizeof(key));
	__builtin_memcpy(key.remote, remote, sizeof(key.remote));
	key.remote_port = remote_port;
	key.local_port = local_port;
	return bpf_map_lookup_elem(&targets, &key);
}

static __always_inline struct stamp_event *stamp_event_of(__u8 kind)
{
	struct stamp_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		stamp_count(STAMP_RING_FULL, 0);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->kind = kind;
	return event;
}

/* Stamps a test packet whose T1 is the cookie; others of the same ports are not ours. */
static __noinline int stamp_depart(struct __sk_buff *skb, const struct wm_packet *packet)
{
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE, *session;
	__u32 source[4], destination[4], sequence;
	__u64 cookie, tai_ns, monotonic_ns, difference;
	struct stamp_pending *slot;
	struct stamp_event *event;
	struct stamp_udp ports;
	struct udphdr *udp;
	__be32 now[2], *time;
	int bare;

	if (!packet || stamp_ports(skb, packet, &ports) || stamp_addresses(skb, packet, source, destination))
		return TC_ACT_UNSPEC;
	session = stamp_target(destination, ports.destination, ports.source);
	if (!session)
		return TC_ACT_UNSPEC;
	udp = stamp_reach(skb, packet->l4_offset, sizeof(*udp) + base);
	if (!udp)
		return TC_ACT_UNSPEC;
	time = (void *)(udp + 1) + 4;
	if (config.authenticated)
		time = (void *)(udp + 1) + 16;
	__builtin_memcpy(&cookie, time, sizeof(cookie));
	if (cookie != config.cookie || stamp_lease_expired(config.leased))
		return TC_ACT_UNSPEC;
	sequence = bpf_ntohl(*(__be32 *)(udp + 1));
	bare = packet->version == 4 && !udp->check;
	slot = stamp_slot(*session, sequence);
	if (!slot)
		return stamp_count(STAMP_SEND_FAILED, TC_ACT_SHOT);
	tai_ns = bpf_ktime_get_tai_ns();
	monotonic_ns = bpf_ktime_get_ns();
	stamp_wire_time(tai_ns, config.ptp, now);
	difference = stamp_changed(0, time[0], now[0]);
	difference = stamp_changed(difference, time[1], now[1]);
	time[0] = now[0];
	time[1] = now[1];
	if (config.authenticated && stamp_hmac_write(skb, packet->l4_offset, bpf_htons(config.ssid), &difference))
		return stamp_count(STAMP_SEND_FAILED, TC_ACT_SHOT);
	if (config.dscp &&
	    stamp_set_tos_hops(skb, packet, config.dscp << 2 | (packet->tos & WM_ECN_MASK), packet->hops))
		return stamp_count(STAMP_SEND_FAILED, TC_ACT_SHOT);
	if (!bare && stamp_fix_udp(skb, packet->l4_offset, difference))
		return stamp_count(STAMP_SEND_FAILED, TC_ACT_SHOT);
	slot->sent_ns = tai_ns + stamp_unix_offset_ns;
	slot->monotonic_ns = monotonic_ns;
	slot->seconds = now[0];
	slot->fraction = now[1];
	slot->sequence = sequence;
	slot->answers = 0;
	event = stamp_event_of(STAMP_EVENT_SENT);
	if (event) {
		event->sent_ns = slot->sent_ns;
		event->elapsed_ns = monotonic_ns;
		event->session = *session;
		event->sequence = sequence;
		bpf_ringbuf_submit(event, 0);
	}
	return stamp_count(STAMP_SENT, TC_ACT_UNSPEC);
}

/* Gives user space the octets behind the base packet. */
static __always_inline void stamp_give_tlvs(struct __sk_buff *skb, __u32 offset, __u32 length,
					    const struct stamp_event *event)
{
	struct stamp_answer_tlvs *tlvs;

	tlvs = bpf_ringbuf_reserve(&answer_tlvs, sizeof(*tlvs), 0);
	if (!tlvs) {
		stamp_count(STAMP_RING_FULL, 0);
		return;
	}
	tlvs->session = event->session;
	tlvs->sequence = event->sequence;
	tlvs->answer_sequence = event->answer_sequence;
	if (length > STAMP_TLV_BYTES)
		length = STAMP_TLV_BYTES;
	tlvs->length = length;
	if (length < STAMP_TLV_HEADER)
		goto discard;
	STAMP_SAME(length);
	if (length > STAMP_TLV_BYTES || bpf_skb_load_bytes(skb, offset, tlvs->octets, length))
		goto discard;
	bpf_ringbuf_submit(tlvs, 0);
	return;
discard:
	bpf_ringbuf_discard(tlvs, 0);
}

/* What an answer says, wherever its mode has it. */
struct stamp_said {
	__be64 answered;
	__be64 received;
	__be32 sender_time[2];
	__u32 sequence;
	__u32 sender_sequence;
	__be16 error_estimate;
	__be16 ssid;
	__u8 sender_ttl;
};

#define STAMP_TWAMP_ANSWER 41 /* RFC 5357: without the last three octets of a STAMP answer */

/* Reads an answer; the length of the UDP payload, or a negative number. */
static __always_inline int stamp_read_answer(struct __sk_buff *skb, const struct wm_packet *packet,
					     struct stamp_said *said)
{
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_TWAMP_ANSWER;
	struct udphdr *udp = stamp_reach(skb, packet->l4_offset, sizeof(*udp) + base);
	int length;

	if (!udp)
		return -1;
	length = stamp_payload_length(packet, udp);
	if (length < (int)base)
		return -1;
	if (config.authenticated) {
		const struct stamp_closed_answer *answer;

		udp = stamp_at(skb, packet->l4_offset, sizeof(*udp) + STAMP_AUTH_BASE);
		if (!udp)
			return -1;
		answer = (void *)(udp + 1);
		__builtin_memcpy(&said->answered, answer->time, sizeof(said->answered));
		__builtin_memcpy(&said->received, answer->received, sizeof(said->received));
		__builtin_memcpy(said->sender_time, answer->sender_time, sizeof(said->sender_time));
		said->sequence = bpf_ntohl(answer->sequence);
		said->sender_sequence = bpf_ntohl(answer->sender_sequence);
		said->error_estimate = answer->error_estimate;
		said->ssid = answer->ssid;
		said->sender_ttl = answer->sender_ttl;
	} else {
		const struct stamp_open_answer *answer = (void *)(udp + 1);

		__builtin_memcpy(&said->answered, answer->time, sizeof(said->answered));
		__builtin_memcpy(&said->received, answer->received, sizeof(said->received));
		__builtin_memcpy(said->sender_time, answer->sender_time, sizeof(said->sender_time));
		said->sequence = bpf_ntohl(answer->sequence);
		said->sender_sequence = bpf_ntohl(answer->sender_sequence);
		said->error_estimate = answer->error_estimate;
		said->ssid = answer->ssid;
		said->sender_ttl = answer->sender_ttl;
	}
	return length;
}

/* A packet from a target's address and port to ours: an answer is one that repeats sequence and T1 of a packet under
 * way, which nobody off the path knows. */
static __noinline int stamp_arrive(struct __sk_buff *skb, const struct wm_packet *packet, __u32 session,
				   __u64 monotonic_ns)
{
	__u32 base = config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE, nth;
	struct stamp_pending *slot;
	struct stamp_event *event;
	struct stamp_said said;
	int length;

	if (!packet)
		return TC_ACT_UNSPEC;
	length = stamp_read_answer(skb, packet, &said);
	if (length < 0)
		return stamp_count(STAMP_UNMATCHED, TC_ACT_UNSPEC);
	slot = stamp_slot(session, said.sender_sequence);
	if (!slot || !slot->monotonic_ns || slot->sequence != said.sender_sequence ||
	    slot->seconds != said.sender_time[0] || slot->fraction != said.sender_time[1] ||
	    (said.ssid && said.ssid != bpf_htons(config.ssid)))
		return stamp_count(STAMP_UNMATCHED, TC_ACT_UNSPEC);
	if (config.authenticated &&
	    !stamp_hmac_right(skb, packet->l4_offset + sizeof(struct udphdr), bpf_htons(config.ssid)))
		return stamp_count(STAMP_ANSWER_BAD_HMAC, TC_ACT_SHOT);
	nth = __sync_fetch_and_add(&slot->answers, 1);
	stamp_count(nth ? STAMP_DUPLICATE : STAMP_RECEIVED, 0);
	event = stamp_event_of(STAMP_EVENT_ANSWER);
	if (!event)
		return TC_ACT_SHOT;
	event->sent_ns = slot->sent_ns;
	event->elapsed_ns = monotonic_ns - slot->monotonic_ns;
	event->received = said.received;
	event->answered = said.answered;
	event->session = session;
	event->sequence = said.sender_sequence;
	event->answer_sequence = said.sequence;
	event->error_estimate = said.error_estimate;
	event->ssid = said.ssid;
	event->length = length;
	event->nth = nth < 255 ? nth : 255;
	event->sender_ttl = said.sender_ttl;
	event->hops = packet->hops;
	event->tos = packet->tos;
	if (config.tlvs && (__u32)length > base)
		stamp_give_tlvs(skb, packet->l4_offset + sizeof(struct udphdr) + base, length - base, event);
	bpf_ringbuf_submit(event, 0);
	return TC_ACT_SHOT;
}

/* UDP, and where its ports are. */
static __always_inline int stamp_is_udp(struct __sk_buff *skb, struct wm_packet *packet, struct stamp_udp *udp)
{
	return !wm_parse(skb, config.l2_length, packet) && !stamp_ports(skb, packet, udp);
}

SEC("tc")
int stamp_send(struct __sk_buff *skb)
{
	struct wm_packet packet;
	struct stamp_udp udp;

	if (!stamp_is_udp(skb, &packet, &udp) || udp.source != bpf_htons(config.port))
		return TC_ACT_UNSPEC;
	return stamp_depart(skb, &packet);
}

SEC("tc")
int stamp_collect(struct __sk_buff *skb)
{
	__u32 source[4], destination[4], *session;
	struct wm_packet packet;
	struct stamp_udp udp;
	__u64 monotonic_ns;

	if (!stamp_is_udp(skb, &packet, &udp) || udp.destination != bpf_htons(config.port))
		return TC_ACT_UNSPEC;
	monotonic_ns = bpf_ktime_get_ns();
	if (stamp_addresses(skb, &packet, source, destination))
		return TC_ACT_UNSPEC;
	session = stamp_target(source, udp.source, udp.destination);
	return session ? stamp_arrive(skb, &packet, *session, monotonic_ns) : TC_ACT_UNSPEC;
}
