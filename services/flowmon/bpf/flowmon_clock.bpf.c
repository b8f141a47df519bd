// SPDX-License-Identifier: GPL-2.0-only
/* flowmon_clock.bpf.c — the same programs by a clock of the test's choice: skb->tstamp. Never attached by the service.
 */
#define FLOWMON_NOW(skb) ((skb)->tstamp)
#include "programs.bpf.h"
