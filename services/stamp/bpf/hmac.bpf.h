/* SPDX-License-Identifier: GPL-2.0-only */
/* hmac.bpf.h — HMAC-SHA-256-128 over the first 96 octets of an authenticated packet (RFC 8762 section 4.4), from a key
 * whose pads are already compressed. */
#ifndef STAMP_HMAC_BPF_H
#define STAMP_HMAC_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "stamp.h"

#define SHA_ROUNDS	 64
#define SHA_BLOCK_WORDS	 16
#define SHA_AT_ONCE	 8
#define STAMP_TEXT_WORDS (STAMP_HMAC_TEXT / 4)

/* FIPS 180-4 section 4.2.2. */
static const __u32 sha_constants[SHA_ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* What does not fit on the stack. */
struct stamp_hmac_work {
	__be32 text[STAMP_TEXT_WORDS]; /* of the packet */
	__u32 schedule[SHA_ROUNDS];
	__u32 state[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stamp_hmac_work);
} hmac_work SEC(".maps");

/* Keys by SSID; written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STAMP_MAX_KEYS);
	__type(key, __u32);
	__type(value, struct stamp_key);
} keys SEC(".maps");

/* The key of every SSID that has none of its own. */
#define STAMP_ANY_SSID 0x10000

static __always_inline struct stamp_key *stamp_key_of(__be16 ssid)
{
	__u32 number = bpf_ntohs(ssid), any = STAMP_ANY_SSID;
	struct stamp_key *key = bpf_map_lookup_elem(&keys, &number);

	return key ? key : bpf_map_lookup_elem(&keys, &any);
}

#define ROTATED(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define ROUND(a, b, c, d, e, f, g, h, i)                                                                               \
	do {                                                                                                           \
		__u32 sum = (h) + (ROTATED(e, 6) ^ ROTATED(e, 11) ^ ROTATED(e, 25)) + ((g) ^ ((e) & ((f) ^ (g)))) +    \
			    sha_constants[t + (i)] + w[t + (i)];                                                       \
		(d) += sum;                                                                                            \
		(h) = sum + (ROTATED(a, 2) ^ ROTATED(a, 13) ^ ROTATED(a, 22)) + (((a) & (b)) | ((c) & ((a) | (b))));   \
	} while (0)

/* One compression of the block in the first 16 words of the schedule. Out of line: the verifier sees it three times. */
static __noinline int sha_compress(struct stamp_hmac_work *work)
{
	__u32 a, b, c, d, e, f, g, h, t, *w;

	if (!work)
		return -1;
	w = work->schedule;
#pragma clang loop unroll_count(8)
	for (t = SHA_BLOCK_WORDS; t < SHA_ROUNDS; t++) {
		__u32 early = w[t - 15], late = w[t - 2];

		w[t] = w[t - 16] + (ROTATED(early, 7) ^ ROTATED(early, 18) ^ early >> 3) + w[t - 7] +
		       (ROTATED(late, 17) ^ ROTATED(late, 19) ^ late >> 10);
	}
	a = work->state[0], b = work->state[1], c = work->state[2], d = work->state[3];
	e = work->state[4], f = work->state[5], g = work->state[6], h = work->state[7];
#pragma clang loop unroll(disable)
	for (t = 0; t < SHA_ROUNDS; t += SHA_AT_ONCE) {
		ROUND(a, b, c, d, e, f, g, h, 0);
		ROUND(h, a, b, c, d, e, f, g, 1);
		ROUND(g, h, a, b, c, d, e, f, 2);
		ROUND(f, g, h, a, b, c, d, e, 3);
		ROUND(e, f, g, h, a, b, c, d, 4);
		ROUND(d, e, f, g, h, a, b, c, 5);
		ROUND(c, d, e, f, g, h, a, b, 6);
		ROUND(b, c, d, e, f, g, h, a, 7);
	}
	work->state[0] += a, work->state[1] += b, work->state[2] += c, work->state[3] += d;
	work->state[4] += e, work->state[5] += f, work->state[6] += g, work->state[7] += h;
	return 0;
}

/* Fills words from `used` on with the padding of a text of `octets` in all (FIPS 180-4 section 5.1.1). */
static __always_inline void sha_pad(__u32 *w, __u32 used, __u32 octets)
{
	__u32 i;

	w[used] = 0x80000000;
#pragma unroll
	for (i = used + 1; i < SHA_BLOCK_WORDS; i++)
		w[i] = 0;
	w[SHA_BLOCK_WORDS - 1] = octets * 8;
}

/* The HMAC of work->text under `key`: its first 16 octets are the first four words of work->state. */
static __noinline int stamp_hmac(struct stamp_hmac_work *work, const struct stamp_key *key)
{
	__u32 i;

	if (!work || !key)
		return -1;
	__builtin_memcpy(work->state, key->inner, sizeof(work->state));
#pragma unroll
	for (i = 0; i < SHA_BLOCK_WORDS; i++)
		work->schedule[i] = bpf_ntohl(work->text[i]);
	sha_compress(work);
#pragma unroll
	for (i = SHA_BLOCK_WORDS; i < STAMP_TEXT_WORDS; i++)
		work->schedule[i - SHA_BLOCK_WORDS] = bpf_ntohl(work->text[i]);
	sha_pad(work->schedule, STAMP_TEXT_WORDS - SHA_BLOCK_WORDS, 64 + STAMP_HMAC_TEXT);
	sha_compress(work);
	__builtin_memcpy(work->schedule, work->state, sizeof(work->state));
	sha_pad(work->schedule, 8, 64 + 32);
	__builtin_memcpy(work->state, key->outer, sizeof(work->state));
	sha_compress(work);
	return 0;
}

/* Loads the text of the packet at `payload_offset` and computes its HMAC; the work, or 0. */
static __always_inline struct stamp_hmac_work *stamp_hmac_of(struct __sk_buff *skb, __u32 payload_offset, __be16 ssid)
{
	struct stamp_hmac_work *work;
	struct stamp_key *key = stamp_key_of(ssid);
	__u32 zero = 0;

	work = bpf_map_lookup_elem(&hmac_work, &zero);
	if (!key || !work || bpf_skb_load_bytes(skb, payload_offset, work->text, sizeof(work->text)))
		return 0;
	stamp_hmac(work, key);
	return work;
}

/* 1 if the packet carries the right HMAC. */
static __always_inline int stamp_hmac_right(struct __sk_buff *skb, __u32 payload_offset, __be16 ssid)
{
	struct stamp_hmac_work *work = stamp_hmac_of(skb, payload_offset, ssid);
	__be32 given[4];

	if (!work || bpf_skb_load_bytes(skb, payload_offset + STAMP_HMAC_TEXT, given, sizeof(given)))
		return 0;
	return !((bpf_ntohl(given[0]) ^ work->state[0]) | (bpf_ntohl(given[1]) ^ work->state[1]) |
		 (bpf_ntohl(given[2]) ^ work->state[2]) | (bpf_ntohl(given[3]) ^ work->state[3]));
}

/* Writes the HMAC of the packet into it; the checksum's difference through `difference`. Pointers into the packet stay
 * good. */
static __always_inline int stamp_hmac_write(struct __sk_buff *skb, __u32 l4_offset, __be16 ssid, __u64 *difference)
{
	struct stamp_hmac_work *work = stamp_hmac_of(skb, l4_offset + 8, ssid);
	__be32 *hmac;
	void *udp;
	__u32 i;

	udp = stamp_at(skb, l4_offset, 8 + STAMP_AUTH_BASE);
	if (!work || !udp)
		return -1;
	hmac = udp + 8 + STAMP_HMAC_TEXT;
#pragma unroll
	for (i = 0; i < 4; i++) {
		__be32 word = bpf_htonl(work->state[i]);

		*difference = stamp_changed(*difference, hmac[i], word);
		hmac[i] = word;
	}
	return 0;
}

#endif
