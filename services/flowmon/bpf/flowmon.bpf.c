// SPDX-License-Identifier: GPL-2.0-only
/* flowmon.bpf.c — throughput, goodput, gaps, bursts and loss of every flow, by the kernel's monotonic clock. */
#define FLOWMON_NOW(skb) bpf_ktime_get_ns()
#include "programs.bpf.h"
