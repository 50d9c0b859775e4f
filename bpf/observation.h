/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sending observations to SPADE, or counting them where counting is enough. Like records, they never wake the reader.
 */
#ifndef SPIDD_OBSERVATION_H
#define SPIDD_OBSERVATION_H

#include "bpf/counters.h"
#include "bpf/observe.h"

/* Counts the packet in work into its known connection attempt; returns whether there is one. */
SPIDD_INLINE int spidd_count_attempt(const struct spidd_packet *packet, __u32 direction)
{
	struct spidd_attempt_counts *counts;
	struct spidd_attempt_key key;
	__u32 count = spidd_attempt_of(packet, direction, &key);

	if (count >= SPIDD_ATTEMPT_COUNTS)
		return 0;
	counts = bpf_map_lookup_elem(&known_attempts, &key);
	if (!counts)
		return 0;
	__sync_fetch_and_add(&counts->value[count & 3], 1);
	return 1;
}

/* Sends, limits or counts the packet in work. `now_ns` is coarse. */
SPIDD_CHECKED_APART int spidd_send_observation(const struct spidd_config *settings, __u32 direction, __u64 now_ns)
{
	const struct spidd_packet *packet = spidd_packet_in_work();
	struct spidd_counters *count = spidd_hook_counters();
	struct spidd_observation *observation, *inner;
	__u32 index = SPIDD_OBSERVATION_RING;
	void *ring;

	if (!settings || !packet || !count)
		return 0;
	if (spidd_count_attempt(packet, direction)) {
		count->value[SPIDD_OBSERVATIONS_COUNTED]++;
		return 0;
	}
	if (!spidd_within_budget(SPIDD_BUDGET_OBSERVATIONS, settings->observation_limit, now_ns)) {
		count->value[SPIDD_OBSERVATIONS_LIMITED]++;
		return 0;
	}
	ring = bpf_map_lookup_elem(&rings, &index);
	observation = ring ? bpf_ringbuf_reserve(ring, sizeof(*observation), 0) : NULL;
	if (!observation) {
		count->value[SPIDD_OBSERVATIONS_LOST]++;
		return 0;
	}
	spidd_observe_packet(observation, packet, direction, bpf_ktime_get_ns(), SPIDD_HOOK == SPIDD_HOOK_EGRESS);
	bpf_ringbuf_submit(observation, BPF_RB_NO_WAKEUP);
	count->value[SPIDD_OBSERVATIONS_SENT]++;
	if (!spidd_is_unreachable(packet))
		return 0;
	inner = bpf_ringbuf_reserve(ring, sizeof(*inner), 0);
	if (!inner) {
		count->value[SPIDD_OBSERVATIONS_LOST]++;
		return 0;
	}
	spidd_observe_packet(inner, packet, direction, bpf_ktime_get_ns(), SPIDD_HOOK == SPIDD_HOOK_EGRESS);
	spidd_observe_inner(inner, packet);
	bpf_ringbuf_submit(inner, BPF_RB_NO_WAKEUP);
	count->value[SPIDD_OBSERVATIONS_SENT]++;
	return 0;
}

#endif /* SPIDD_OBSERVATION_H */
