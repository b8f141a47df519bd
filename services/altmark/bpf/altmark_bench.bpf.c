// SPDX-License-Identifier: GPL-2.0-only
/* altmark_bench.bpf.c — the same programs, with one that marks and clears: a test run repeats on one packet, which after
 * marking alone would be a packet in use. For the benchmark only; never attached.
 */
#include "altmark.bpf.c"

/* Global functions: the verifier looks at each by itself, both together are too much for it. */
__attribute__((noinline)) int altmark_bench_mark(struct __sk_buff *skb)
{
	__u32 reason = altmark_mark(skb);

	if (reason != ALTMARK_REASONS)
		altmark_leave_out(skb, reason);
	return 0;
}

__attribute__((noinline)) int altmark_bench_clear(struct __sk_buff *skb)
{
	__u32 reason = altmark_clear(skb);

	if (reason != ALTMARK_REASONS)
		altmark_leave_out(skb, reason);
	return 0;
}

SEC("tc")
int altmark_both(struct __sk_buff *skb)
{
	altmark_bench_mark(skb);
	altmark_bench_clear(skb);
	return TC_ACT_UNSPEC;
}
