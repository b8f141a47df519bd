/* SPDX-License-Identifier: GPL-2.0-only */
/* rtp.bpf.h — interarrival jitter as RFC 3550 has it, which needs the sender's clock. Updates run under the flow's lock:
 * no function calls. */
#ifndef FLOWMON_RTP_BPF_H
#define FLOWMON_RTP_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flowmon.h"

#define FLOWMON_RTP_VERSION 2
#define FLOWMON_NS_PER_S    1000000000ull

/* The fixed header (RFC 3550 section 5.1). */
struct flowmon_rtp_header {
	__u8 flags;
	__u8 type;
	__be16 sequence;
	__be32 timestamp;
	__be32 ssrc;
};

#define FLOWMON_RTP_PERHAPS (-1)
#define FLOWMON_RTP_NEVER   (-2)

/* Clock rate of a port that somebody named, 0 for that of the payload type; else whether it may be recognised as RTP. */
static __always_inline __s64 flowmon_rtp_named(__u32 class, __be16 port)
{
	__u32 i;

	if (!config.rtp || class != FLOWMON_UDP)
		return FLOWMON_RTP_NEVER;
	if (config.rtp & FLOWMON_RTP_NAMED && port) {
#pragma unroll
		for (i = 0; i < FLOWMON_RTP_PORTS; i++)
			if (config.rtp_ports[i].port == port)
				return config.rtp_ports[i].rate;
	}
	return config.rtp & FLOWMON_RTP_RECOGNISED ? FLOWMON_RTP_PERHAPS : FLOWMON_RTP_NEVER;
}

/* Payload types 64 to 95 are RTCP on the same port (RFC 5761 section 4). */
static __always_inline int flowmon_is_rtp(const struct flowmon_rtp_header *header)
{
	__u8 type = header->type & 0x7f;

	return header->flags >> 6 == FLOWMON_RTP_VERSION && (type < 64 || type > 95);
}

/* A packet of RTP, or of what may be RTP: `named` as of flowmon_rtp_named. */
static __always_inline void flowmon_rtp_packet(struct flowmon_rtp *rtp, struct flowmon_bank *bank,
					       const struct flowmon_rtp_header *header, __u64 now, __s64 named,
					       __u32 rate)
{
	__u32 timestamp = bpf_ntohl(header->timestamp), apart;
	__u16 sequence = bpf_ntohs(header->sequence);
	__u8 type = header->type & 0x7f;
	__u64 sent, arrived, differs;
	__s32 ticks;
	int same, follows;

	same = rtp->in_sequence && rtp->ssrc == header->ssrc;
	if (!same) {
		rtp->ssrc = header->ssrc;
		rtp->in_sequence = 1;
		rtp->jitter_ns_16 = 0;
	} else if (rtp->in_sequence < FLOWMON_RTP_PROBATION) {
		follows = rtp->payload_type == type && (__u16)(sequence - rtp->sequence) == 1;
		rtp->in_sequence = named >= 0 || follows ? rtp->in_sequence + 1 : 1;
	}
	/* Another payload type may have another clock: its timestamps begin anew, the jitter stays the source's. */
	if (same && rtp->payload_type == type) {
		/* |D| = |(Rj - Ri) - (Sj - Si)|; unsigned, since the arrival does not go back. */
		ticks = timestamp - rtp->timestamp;
		apart = ticks < 0 ? -ticks : ticks;
		sent = rate ? apart * FLOWMON_NS_PER_S / rate : 0;
		arrived = now - rtp->arrival_ns;
		if ((__s64)arrived < 0)
			arrived = 0;
		if (ticks < 0)
			differs = arrived + sent;
		else
			differs = arrived > sent ? arrived - sent : sent - arrived;
		rtp->jitter_ns_16 += differs - ((rtp->jitter_ns_16 + 8) >> 4);
	}
	rtp->payload_type = type;
	rtp->sequence = sequence;
	rtp->timestamp = timestamp;
	rtp->arrival_ns = now;
	if (rate && rtp->in_sequence >= FLOWMON_RTP_PROBATION) {
		bank->rtp_packets++;
		bank->rtp_jitter_ns_16 = rtp->jitter_ns_16;
	}
}

#endif
