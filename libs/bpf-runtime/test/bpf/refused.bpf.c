// SPDX-License-Identifier: GPL-2.0-only
/* refused.bpf.c — a program that the verifier does not accept: it reads the packet without looking where it ends. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tc")
int refused_read(struct __sk_buff *skb)
{
	return *(char *)(long)skb->data;
}
