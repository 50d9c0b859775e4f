/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk over the headers of TLS records (RFC 8446 section 5.1, RFC 5246 section 6.2.1) in the packets that become
 * records with payload bytes. The flow knows for each direction at which sequence number the next header begins, so
 * that retransmissions and packets inside a record need no look; a header costs five bytes read.
 *
 * The walk of a direction begins with its first payload, if that begins like a TLS record. It stops for good where the
 * next header is missing (a gap, more than SPIDD_TLS_HEADERS in a packet), cut in two by a packet's end, or none.
 *
 * The includer defines SPIDD_CONTEXT (where a packet's bytes are) and SPIDD_LOAD_BYTES(context, offset, to, length),
 * which gives 0 if all of them could be had.
 */
#ifndef SPIDD_TLS_H
#define SPIDD_TLS_H

#include "bpf/flow.h"

#define SPIDD_TLS_HEADER_SIZE 5
/* What a protected record may have beyond its 16,384 bytes of content (RFC 5246). */
#define SPIDD_TLS_LONGEST (16384 + 2048)
#define SPIDD_TLS_NONE    0xffffffffU

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SPIDD_TLS_SHIFT 24
#else
#define SPIDD_TLS_SHIFT 0
#endif

/* Length of the record that a header of SPIDD_TLS_HEADER_SIZE bytes announces, SPIDD_TLS_NONE if it is no header. */
SPIDD_INLINE __u32 spidd_tls_length(const __u8 *header)
{
	__u32 length = (__u32)header[3] << 8 | header[4];

	if (header[0] < SPIDD_TLS_FIRST_TYPE || header[0] > SPIDD_TLS_FIRST_TYPE + 3 || header[1] != 3 ||
	    header[2] > 4 || length > SPIDD_TLS_LONGEST)
		return SPIDD_TLS_NONE;
	return length;
}

/*
 * Puts the headers that begin in the packet of `record` into it and moves the flow on. The packet's payload begins at
 * `offset` of the context. Requires: TCP, and all of *record but the payload is set.
 */
SPIDD_INLINE void spidd_tls_walk(SPIDD_CONTEXT *ctx, __u32 offset, struct spidd_flow *flow, struct spidd_record *record)
{
	__u32 direction = record->direction & 1U;
	__u32 state = (__u32)flow->tls >> direction;
	__u32 seq = record->tcp_seq + (record->tcp_flags & SPIDD_TCP_SYN ? 1 : 0);
	__u32 left = record->payload_length;
	__u32 at = 0, reached = SPIDD_TLS_WALKING, types = 0, i;

	if (state & SPIDD_TLS_STOPPED)
		return;
	if (state & SPIDD_TLS_WALKING)
		at = flow->tls_next[direction] - seq;

	SPIDD_NO_UNROLL
	for (i = 0; i < SPIDD_TLS_HEADERS && (__s32)(left - at) > 0; i++) {
		__u8 header[SPIDD_TLS_HEADER_SIZE] = {};
		__u32 length = SPIDD_TLS_NONE;

		if (left >= at && left - at >= sizeof(header) &&
		    SPIDD_LOAD_BYTES(ctx, offset + at, header, sizeof(header)) == 0)
			length = spidd_tls_length(header);
		if (length == SPIDD_TLS_NONE) {
			reached |= SPIDD_TLS_STOPPED;
			break;
		}
		record->tls_lengths[i] = (__u16)length;
		types |= (__u32)(header[0] - SPIDD_TLS_FIRST_TYPE) << (2 * i);
		at += (__u32)sizeof(header) + length;
	}
	record->tls_count = (__u8)i;
	record->tls_types = (__u16)types;
	flow->tls_next[direction] = seq + at;
	if ((state & reached) != reached)
		SPIDD_FETCH_OR((__u32 *)(void *)&flow->flags, reached << (direction + SPIDD_TLS_SHIFT));
}

#endif /* SPIDD_TLS_H */
