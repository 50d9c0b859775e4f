/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sending records into the rings. A record is reserved, filled and submitted without ever waking the reader: a wake-up
 * costs some ten microseconds of the packet's path, readers drain on a timer. All records of a flow go to one ring.
 *
 * The including program defines SPIDD_CONTEXT (type of its context) and SPIDD_LOAD_BYTES (the helper that reads packet
 * bytes from that context).
 */
#ifndef SPIDD_RECORD_H
#define SPIDD_RECORD_H

#include "bpf/counters.h"
#include "bpf/tls.h"

/* The ring of a flow: the same for both directions and all hooks. */
SPIDD_INLINE void *spidd_ring_of(const struct spidd_flow_key *key, const struct spidd_config *settings)
{
	const __u64 *words = (const __u64 *)(const void *)key;
	__u64 hash = 0;
	__u32 ring;

	for (__u32 i = 0; i < sizeof(*key) / sizeof(*words); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	ring = (__u32)(((hash >> 32) * settings->rings) >> 32);
	return bpf_map_lookup_elem(&rings, &ring);
}

/* Copies the first bytes of the payload at `offset`; returns how many, 0 if they could not be had. */
SPIDD_INLINE __u32 spidd_load_payload(SPIDD_CONTEXT *ctx, struct spidd_record *record, __u32 offset)
{
	__u32 last = record->payload_length > SPIDD_SNAP ? SPIDD_SNAP - 1 : record->payload_length - 1;

	/* Verifiers of 6.1 and 6.12 lose the bound 1..64 in what clang 14 makes of a comparison, but not behind a mask.
	 */
	SPIDD_OPAQUE(last);
	last &= SPIDD_SNAP - 1;
	return SPIDD_LOAD_BYTES(ctx, offset, record->payload, last + 1) ? 0 : last + 1;
}

SPIDD_INLINE void spidd_send_payload(SPIDD_CONTEXT *ctx, void *ring, const struct spidd_packet *packet,
                                     struct spidd_flow *flow, const struct spidd_flow_outcome *outcome, __u32 index,
                                     __u64 time_ns, struct spidd_counters *count)
{
	struct spidd_record *record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
	__u32 offset = packet->payload_offset + (outcome->first_segment + index) * packet->segment_size;

	if (!record) {
		count->value[SPIDD_RECORDS_LOST]++;
		return;
	}
	spidd_record_payload(record, packet, flow, outcome, index, time_ns, SPIDD_HOOK == SPIDD_HOOK_EGRESS);
	record->captured = (__u8)spidd_load_payload(ctx, record, offset);
	if (record->captured == 0) {
		count->value[SPIDD_PAYLOAD_UNREADABLE]++;
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return;
	}
	if (packet->protocol == SPIDD_PROTOCOL_TCP)
		spidd_tls_walk(ctx, offset, flow, record);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	count->value[SPIDD_RECORDS_SENT]++;
}

/* The payload records that a step asked for, those with payload bytes. */
SPIDD_CHECKED_APART int spidd_send_payloads(SPIDD_CONTEXT *ctx, const struct spidd_config *settings,
                                            const struct spidd_packet *packet, struct spidd_flow *flow,
                                            const struct spidd_flow_outcome *outcome)
{
	struct spidd_counters *count = spidd_hook_counters();
	__u64 time_ns = bpf_ktime_get_ns();
	void *ring;

	if (!settings || !packet || !flow || !outcome || !count)
		return 0;
	ring = spidd_ring_of(&packet->key, settings);
	if (!ring) {
		count->value[SPIDD_RECORDS_LOST] += spidd_records_with_bytes(outcome);
		return 0;
	}
	SPIDD_NO_UNROLL
	for (__u32 i = 0; i < SPIDD_RECORD_LIMIT; i++) {
		if (i >= spidd_records_with_bytes(outcome))
			break;
		spidd_send_payload(ctx, ring, packet, flow, outcome, i, time_ns, count);
	}
	return 0;
}

/* The others, which are about sizes only. Apart from the above, so that the verifier follows the long loop only here.
 */
SPIDD_CHECKED_APART int spidd_send_sizes(const struct spidd_config *settings, const struct spidd_packet *packet,
                                         const struct spidd_flow *flow, const struct spidd_flow_outcome *outcome)
{
	struct spidd_counters *count = spidd_hook_counters();
	__u64 time_ns = bpf_ktime_get_ns();
	struct spidd_record *record;
	__u32 first;
	void *ring;

	if (!settings || !packet || !flow || !outcome || !count)
		return 0;
	first = spidd_records_with_bytes(outcome);
	ring = spidd_ring_of(&packet->key, settings);
	if (!ring) {
		count->value[SPIDD_RECORDS_LOST] += outcome->records - first;
		return 0;
	}
	SPIDD_NO_UNROLL
	for (__u32 i = 0; i < SPIDD_SIZES_LIMIT; i++) {
		if (first + i >= outcome->records)
			break;
		record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
		if (!record) {
			count->value[SPIDD_RECORDS_LOST]++;
			continue;
		}
		spidd_record_payload(record, packet, flow, outcome, first + i, time_ns,
		                     SPIDD_HOOK == SPIDD_HOOK_EGRESS);
		bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
		count->value[SPIDD_RECORDS_SENT]++;
	}
	return 0;
}

/* The end record of the flow that the packet belongs to. */
SPIDD_CHECKED_APART int spidd_send_end(const struct spidd_config *settings, const struct spidd_packet *packet,
                                       const struct spidd_flow *flow, struct spidd_counters *count)
{
	struct spidd_record *record;
	void *ring;

	if (!settings || !packet || !flow || !count)
		return 0;
	ring = spidd_ring_of(&packet->key, settings);
	record = ring ? bpf_ringbuf_reserve(ring, sizeof(*record), 0) : NULL;
	if (!record) {
		count->value[SPIDD_ENDS_LOST]++;
		return 0;
	}
	spidd_record_end(record, &packet->key, flow, bpf_ktime_get_ns(), SPIDD_HOOK == SPIDD_HOOK_EGRESS);
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	count->value[SPIDD_ENDS_SENT]++;
	return 0;
}

#endif /* SPIDD_RECORD_H */
