// SPDX-License-Identifier: GPL-2.0-only
/* stamp_bench.bpf.c — the reflector's programs with the request put back: a test run repeats on one packet, which after
 * one run would be an answer. Both ends' addresses are own ones and both ports ours, so that turning round does not
 * show. For the benchmark only; never attached.
 */
#include "stamp_reflector.bpf.c"

/* The request's UDP payload; written by user space. */
struct stamp_original {
	__u8 octets[STAMP_AUTH_BASE];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stamp_original);
} original SEC(".maps");

#define IPV4_UDP (14 + 20 + 8)

/* Global functions: the verifier looks at each by itself. */
__attribute__((noinline)) int stamp_bench_undo(struct __sk_buff *skb)
{
	struct stamp_original *was;
	__u32 zero = 0;

	was = bpf_map_lookup_elem(&original, &zero);
	if (!was)
		return -1;
	skb->mark = 0;
	return bpf_skb_store_bytes(skb, IPV4_UDP, was->octets, config.authenticated ? STAMP_AUTH_BASE : STAMP_BASE, 0);
}

__attribute__((noinline)) int stamp_bench_in(struct __sk_buff *skb)
{
	struct wm_packet packet;
	struct stamp_udp udp;

	if (wm_parse(skb, config.l2_length, &packet) || stamp_ports(skb, &packet, &udp) ||
	    udp.destination != bpf_htons(config.port))
		return TC_ACT_UNSPEC;
	return stamp_receive(skb, &packet);
}

/* What putting the request back costs. */
SEC("tc")
int stamp_undo(struct __sk_buff *skb)
{
	return stamp_bench_undo(skb);
}

/* Ingress, and the request put back; 7 (TC_ACT_REDIRECT) if it was answered. */
SEC("tc")
int stamp_in(struct __sk_buff *skb)
{
	int verdict = stamp_bench_in(skb);

	stamp_bench_undo(skb);
	return verdict;
}

/* Egress of an answer. */
SEC("tc")
int stamp_out(struct __sk_buff *skb)
{
	skb->mark = config.mark;
	return skb->mark == config.mark ? stamp_finish(skb) : TC_ACT_UNSPEC;
}
