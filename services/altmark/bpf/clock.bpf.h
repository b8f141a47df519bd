/* SPDX-License-Identifier: GPL-2.0-only */
/* clock.bpf.h — which block it is. A timer in the kernel opens every block, so that no packet reads a clock. */
#ifndef ALTMARK_CLOCK_BPF_H
#define ALTMARK_CLOCK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "altmark.h"

#define CLOCK_MONOTONIC 1

/* Written by the timer alone, read by every packet: block number << 3 | active << 2 | phase; 0 before the start. */
volatile __u64 altmark_now = 0;
/* The highest block so far. A clock that goes back does not open a block again; user space starts anew. */
volatile __u64 altmark_last_block = 0;

/* Set four times in a block: the next packet that is counted leaves a sample and clears it. */
volatile __u64 altmark_sample_wanted = 0;

/* Control from user space; one entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct altmark_control);
} control SEC(".maps");

/* Which block a slot counts, plus one; 0: free. Claimed by the timer, released by user space after it was read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ALTMARK_MAX_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct altmark_tick {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct altmark_tick);
} ticks SEC(".maps");

/* 1 if the slot of `block` counts that block from now on. */
static __always_inline int altmark_claim(__u64 block)
{
	__u32 slot = block & (config.slots - 1) & (ALTMARK_MAX_SLOTS - 1);
	__u64 *owner = bpf_map_lookup_elem(&slots, &slot);

	if (!owner)
		return 0;
	if (!*owner)
		*owner = block + 1;
	return *owner == block + 1;
}

/* Opens the block and the phase that it is time for; nanoseconds until the next change. */
static __always_inline __u64 altmark_turn(void)
{
	__u64 interval = config.interval_ns, guard = config.guard_ns, half = config.interval_ns / 2;
	__u64 now, block, offset, phase, next, open = ALTMARK_ACTIVE;
	struct altmark_control *order;
	__u32 zero = 0;
	__s64 moved;

	order = bpf_map_lookup_elem(&control, &zero);
	if (!order || !interval)
		return 1000000000;
	now = bpf_ktime_get_tai_ns();
	moved = (__s64)(now - bpf_ktime_get_ns()) - order->tai_minus_monotonic_ns;
	if (moved > ALTMARK_STEP_NS || moved < -ALTMARK_STEP_NS) {
		/* Stepped, and user space has not said what that means: count nothing rather than in a wrong block. */
		altmark_now = 0;
		return ALTMARK_RETRY_NS;
	}
	now += order->clock_offset_ns;
	block = now / interval;
	offset = now - block * interval;
	if (offset < guard) {
		phase = ALTMARK_PHASE_EARLY;
		next = guard;
	} else if (offset < half) {
		phase = ALTMARK_PHASE_FIRST_HALF;
		next = half;
	} else if (offset < interval - guard) {
		phase = ALTMARK_PHASE_SECOND_HALF;
		next = interval - guard;
	} else {
		phase = ALTMARK_PHASE_LATE;
		next = interval;
	}
	if (block < altmark_last_block) {
		open = 0;
	} else {
		/* A sink counts into the neighbours as well: late packets of the block before, as long as they are given
		 * to it, and early ones of the next. */
		if (config.is_sink && (!altmark_claim(block + 1) ||
				       (phase <= ALTMARK_PHASE_FIRST_HALF && !altmark_claim(block - 1))))
			open = 0;
		if (!altmark_claim(block))
			open = 0;
		altmark_last_block = block;
	}
	altmark_now = block << ALTMARK_PHASE_BITS | open | phase;
	altmark_sample_wanted = 1;
	return next - offset;
}

static int altmark_on_tick(void *map, int *key, struct altmark_tick *tick)
{
	bpf_timer_start(&tick->timer, altmark_turn(), 0);
	return 0;
}

/* Run once by user space to start the timer, and again after a step of the clock (mark 1: forget earlier blocks). */
SEC("tc")
int altmark_arm(struct __sk_buff *skb)
{
	struct altmark_tick *tick;
	__u32 zero = 0;

	tick = bpf_map_lookup_elem(&ticks, &zero);
	if (!tick)
		return 1;
	if (skb->mark == 1)
		altmark_last_block = 0;
	bpf_timer_init(&tick->timer, &ticks, CLOCK_MONOTONIC); /* -EBUSY when it was done before */
	if (bpf_timer_set_callback(&tick->timer, altmark_on_tick))
		return 2;
	return bpf_timer_start(&tick->timer, altmark_turn(), 0) ? 3 : 0;
}

#endif
