/* SPDX-License-Identifier: GPL-2.0-only */
/* numbers.bpf.h — what the sequence number of a datagram means. Runs under the flow's lock: no function calls. */
#ifndef FLOWMON_NUMBERS_BPF_H
#define FLOWMON_NUMBERS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flowmon.h"

#define FLOWMON_HISTORY_BITS (FLOWMON_HISTORY * 64)

static __always_inline int flowmon_seen(const struct flowmon_numbers *numbers, __u64 position)
{
	return numbers->seen[(position >> 6) & (FLOWMON_HISTORY - 1)] >> (position & 63) & 1;
}

static __always_inline void flowmon_mark_seen(struct flowmon_numbers *numbers, __u64 position)
{
	numbers->seen[(position >> 6) & (FLOWMON_HISTORY - 1)] |= 1ull << (position & 63);
}

/* Positions [from, to), fewer than the history holds, have been skipped. */
static __always_inline void flowmon_mark_skipped(struct flowmon_numbers *numbers, __u64 from, __u64 to)
{
	__u64 word = from >> 6;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i <= FLOWMON_HISTORY; i++, word++) {
		__u64 begin = word << 6, mask = ~0ull;

		if (begin >= to)
			break;
		if (from > begin)
			mask &= ~0ull << (from & 63);
		if (to < begin + 64)
			mask &= (1ull << (to & 63)) - 1;
		numbers->seen[word & (FLOWMON_HISTORY - 1)] &= ~mask;
	}
}

static __always_inline void flowmon_begin(struct flowmon_numbers *numbers, __u64 number)
{
	__u32 i;

	numbers->highest = number;
	/* So that positions before the first are not negative. */
	numbers->position = numbers->first = FLOWMON_HISTORY_BITS;
	numbers->has_stale = 0;
#pragma unroll
	for (i = 0; i < FLOWMON_HISTORY; i++)
		numbers->seen[i] = ~0ull;
}

/* A number that is `back` steps before the highest. */
static __always_inline void flowmon_late(struct flowmon_numbers *numbers, struct flowmon_bank *bank, __u64 number,
					 __u64 back, const struct flowmon_place *place)
{
	__u64 position = numbers->position - back;

	bank->reverse++;
	if (back >= FLOWMON_HISTORY_BITS) {
		/* Too long ago to know whether it is a duplicate. Two of the kind in sequence: the sender began anew. */
		if (numbers->has_stale && number == numbers->stale) {
			bank->sequence_restarts++;
			flowmon_begin(numbers, number);
			return;
		}
		bank->reordered++;
		numbers->has_stale = 1;
		numbers->stale = (number + place->step) & place->mask;
		return;
	}
	if (position < numbers->first) {
		/* From before the first that we saw: nobody missed it. */
		bank->reordered++;
		return;
	}
	if (flowmon_seen(numbers, position)) {
		bank->duplicates++;
		return;
	}
	flowmon_mark_seen(numbers, position);
	bank->reordered++;
	bank->recovered++;
	/* What is too far back to be known has been decided: it counts as seen. */
	if (back + 1 >= FLOWMON_HISTORY_BITS || flowmon_seen(numbers, position - 1))
		bank->episodes_change += flowmon_seen(numbers, position + 1) ? -1 : 0;
	else if (!flowmon_seen(numbers, position + 1))
		bank->episodes_change++;
}

/* The next datagram of the flow has this number. */
static __always_inline void flowmon_number(struct flowmon_flow *flow, struct flowmon_bank *bank, __u64 number,
					   const struct flowmon_place *place)
{
	struct flowmon_numbers *numbers = &flow->numbers;
	__u64 ahead, steps, half = (place->mask >> 1) + 1;

	bank->numbered++;
	if (!flow->started) {
		flow->started = 1;
		flowmon_begin(numbers, number);
		bank->current = number;
		return;
	}
	ahead = (number - numbers->highest) & place->mask;
	if (ahead == place->step) {
		numbers->highest = number;
		numbers->position++;
		flowmon_mark_seen(numbers, numbers->position);
		bank->current = number;
		return;
	}
	if (ahead == 0) {
		bank->small++;
		bank->duplicates++;
		bank->current = number;
		return;
	}
	if (ahead >= half) {
		steps = (numbers->highest - number) & place->mask;
		if (place->step > 1)
			steps /= place->step;
		flowmon_late(numbers, bank, number, steps ? steps : 1, place);
		bank->current = numbers->highest;
		return;
	}
	if (ahead > place->threshold)
		bank->big++;
	else
		bank->small++;
	steps = ahead;
	if (place->step > 1)
		steps /= place->step;
	if (!steps)
		steps = 1;
	if (steps > FLOWMON_MAX_JUMP) {
		bank->sequence_restarts++;
		flowmon_begin(numbers, number);
		bank->current = number;
		return;
	}
	if (steps > 1) {
		bank->lost += steps - 1;
		bank->episodes++;
		if (steps > FLOWMON_HISTORY_BITS)
			flowmon_mark_skipped(numbers, numbers->position + steps - FLOWMON_HISTORY_BITS,
					     numbers->position + steps);
		else
			flowmon_mark_skipped(numbers, numbers->position + 1, numbers->position + steps);
	}
	numbers->position += steps;
	flowmon_mark_seen(numbers, numbers->position);
	numbers->highest = number;
	bank->current = number;
}

#endif
