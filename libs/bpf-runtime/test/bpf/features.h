/* SPDX-License-Identifier: GPL-2.0-only */
/* features.h — types that the code generator must get right. */
#ifndef FEATURES_H
#define FEATURES_H

#include <linux/types.h>

enum sample_kind {
	SAMPLE_FIRST = 1,
	SAMPLE_SECOND = 2,
};

struct sample_point {
	__s32 x;
	__s16 y;
	__u16 _pad;
};

/* A record of every kind of member. */
struct sample_record {
	__u64 sequence;
	__s64 offset_ns;
	struct sample_point point;
	struct sample_point points[2];
	__u32 words[3];
	__be32 address;
	__be16 port;
	__u8 kind;
	__s8 level;
	__u8 bytes[5];
	_Bool flag;
	__u8 _pad[2];
	union {
		__u32 number;
		__u8 octets[4];
	} either;
	struct {
		__u16 low;
		__u16 high;
	};
	__be64 wide;
};
_Static_assert(sizeof(struct sample_record) == 88, "sample_record has padding");

struct sample_config {
	__u64 limit;
	__u32 step;
	__u8 enabled;
	__u8 _pad[3];
};

struct sample_count {
	__u64 packets;
	__u64 bytes;
};

#endif
