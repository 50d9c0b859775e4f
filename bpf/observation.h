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

/*
 * A forwarded packet comes by twice. It is observed coming in, if anybody watches there, so that its source is blamed
 * where it can be blocked, and with the addresses it came with. Coming in it is noted here, going out it is looked for.
 */
SPIDD_INLINE __u64 *spidd_forwarded_cell(__u64 packet)
{
	__u32 cell = packet >> (64 - SPIDD_FORWARDED_BITS);

	return bpf_map_lookup_elem(&forwarded, &cell);
}

SPIDD_INLINE void spidd_note_incoming(const struct spidd_packet *packet)
{
	__u64 name;
	__u64 *cell;

	if (SPIDD_HOOK != SPIDD_HOOK_INGRESS)
		return;
	name = spidd_observed_as(packet);
	cell = spidd_forwarded_cell(name);
	if (cell)
		*(volatile __u64 *)cell = name;
}

/* Whether it was noted, which is then no more. */
SPIDD_INLINE int spidd_observed_incoming(const struct spidd_packet *packet)
{
	__u64 name;
	__u64 *cell;

	if (SPIDD_HOOK != SPIDD_HOOK_EGRESS || !packet->forwarded)
		return 0;
	name = spidd_observed_as(packet);
	cell = spidd_forwarded_cell(name);
	if (!cell || *(volatile __u64 *)cell != name)
		return 0;
	*(volatile __u64 *)cell = 0;
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
	if (spidd_observed_incoming(packet)) {
		count->value[SPIDD_OBSERVATIONS_FORWARDED]++;
		return 0;
	}
	if (spidd_count_attempt(packet, direction)) {
		spidd_note_incoming(packet);
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
	spidd_note_incoming(packet);
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
