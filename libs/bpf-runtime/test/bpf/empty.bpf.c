// SPDX-License-Identifier: GPL-2.0-only
/* empty.bpf.c — programs that only return: what others are compared with, and what a stranger may have attached. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

/* Ends the chain: whoever comes behind does not see the packet. */
SEC("tc")
int empty_ok(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}
