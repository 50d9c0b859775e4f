/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drop or pass. A flow entry caches the result of the lookups for one generation of the drop tables, so that an
 * established flow costs no lookup but its own; packets without an entry look in every table that is not empty, then,
 * only if one matched, in the never-block prefixes.
 *
 * Nothing here ends in a drop unless an entry of a drop table says so and has not expired: every doubt passes.
 */
#ifndef SPIDD_VERDICT_H
#define SPIDD_VERDICT_H

#include "bpf/counters.h"

/* Result of the drop lookups: what struct spidd_flow caches. */
struct spidd_lookup {
	__u64 until_ns;   /* coarse; expiry of the entry that matched */
	__u32 slot;       /* of its hit counters; 0: none matched */
	__u32 generation; /* for which this holds; 0: not looked up */
};

SPIDD_INLINE int spidd_enforcing(const struct spidd_config *settings)
{
	return settings->mode == SPIDD_MODE_ENFORCE &&
	       (settings->flow_drops | settings->endpoint_drops | settings->host_drops | settings->prefix_drops) != 0;
}

/* Takes an entry that matched, unless it expired; returns whether it was taken. */
SPIDD_INLINE int spidd_lookup_take(struct spidd_lookup *lookup, const struct spidd_drop_entry *entry, __u64 now_ns,
                                   struct spidd_counters *count)
{
	if (!entry)
		return 0;
	if (entry->expires_ns <= now_ns) {
		count->value[SPIDD_EXPIRED_DROP]++;
		return 0;
	}
	lookup->until_ns = entry->expires_ns;
	lookup->slot = entry->slot;
	return 1;
}

/* Keys of packets are aligned, which their type does not say: without it clang copies them byte by byte. */
SPIDD_INLINE void spidd_copy_address(struct spidd_addr *to, const struct spidd_packet *packet, int lo)
{
	const struct spidd_addr *from = lo ? &packet->key.lo : &packet->key.hi;
	const __u32 *words = (const __u32 *)(const void *)from;
	__u32 *out = (__u32 *)(void *)to;

	out[0] = words[0];
	out[1] = words[1];
	out[2] = words[2];
	out[3] = words[3];
}

SPIDD_INLINE void spidd_copy_source(struct spidd_addr *to, const struct spidd_packet *packet)
{
	spidd_copy_address(to, packet, packet->source_is_lo);
}

SPIDD_INLINE void spidd_copy_destination(struct spidd_addr *to, const struct spidd_packet *packet)
{
	spidd_copy_address(to, packet, !packet->source_is_lo);
}

SPIDD_INLINE void spidd_endpoint_set(struct spidd_endpoint_key *endpoint, __u16 port, __u8 protocol)
{
	__be64 tail = spidd_endpoint_tail(port, protocol);

	__builtin_memcpy(&endpoint->port, &tail, sizeof(tail));
}

/*
 * Looks for an entry that drops the packet: five-tuple, then server endpoint, host and prefix, each for the destination
 * before the source. Packets without a flow key (fragments, other protocols) are matched by host and prefix.
 */
SPIDD_INLINE int spidd_lookup_match(struct spidd_lookup *lookup, const struct spidd_config *settings,
                                    const struct spidd_packet *packet, __u64 now_ns, struct spidd_counters *count)
{
	int has_key = packet->status == SPIDD_PARSE_FLOW;

	if (has_key && settings->flow_drops &&
	    spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_flow, &packet->key), now_ns, count))
		return 1;

	if (settings->endpoint_drops | settings->host_drops) {
		struct spidd_endpoint_key destination __attribute__((aligned(8)));
		struct spidd_endpoint_key source __attribute__((aligned(8)));

		spidd_copy_destination(&destination.addr, packet);
		spidd_copy_source(&source.addr, packet);
		if (has_key && settings->endpoint_drops) {
			spidd_endpoint_set(&destination, packet->destination_port, packet->protocol);
			spidd_endpoint_set(&source, packet->source_port, packet->protocol);
			if (spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_endpoint, &destination), now_ns,
			                      count) ||
			    spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_endpoint, &source), now_ns, count))
				return 1;
		}
		if (settings->host_drops) {
			spidd_endpoint_set(&destination, 0, 0);
			spidd_endpoint_set(&source, 0, 0);
			if (spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_endpoint, &destination), now_ns,
			                      count) ||
			    spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_endpoint, &source), now_ns, count))
				return 1;
		}
	}

	if (settings->prefix_drops) {
		struct spidd_prefix_key prefix = {.length = 128};

		spidd_copy_destination(&prefix.addr, packet);
		if (spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_prefix, &prefix), now_ns, count))
			return 1;
		spidd_copy_source(&prefix.addr, packet);
		if (spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_prefix, &prefix), now_ns, count))
			return 1;
	}
	return 0;
}

SPIDD_INLINE int spidd_never_blocked(const struct spidd_packet *packet)
{
	struct spidd_prefix_key prefix = {.length = 128};

	spidd_copy_destination(&prefix.addr, packet);
	if (bpf_map_lookup_elem(&never_block, &prefix))
		return 1;
	spidd_copy_source(&prefix.addr, packet);
	return bpf_map_lookup_elem(&never_block, &prefix) != NULL;
}

/* Fills slot and until_ns of *lookup from the drop tables and the never-block prefixes. */
SPIDD_CHECKED_APART int spidd_look_up(struct spidd_lookup *lookup, const struct spidd_config *settings, __u64 now_ns,
                                      struct spidd_counters *count)
{
	const struct spidd_packet *packet = spidd_packet_in_work();

	if (!lookup || !settings || !packet || !count)
		return 0;
	lookup->slot = 0;
	lookup->until_ns = 0;
	if (spidd_lookup_match(lookup, settings, packet, now_ns, count) && spidd_never_blocked(packet)) {
		count->value[SPIDD_NEVER_BLOCKED]++;
		lookup->slot = 0;
	}
	return 0;
}

/*
 * Whether the packet is dropped; *lookup is what to cache in its flow. `flow` is its entry, NULL if it has none or it
 * is not known yet. Requires spidd_enforcing() and, of the packet in work, ip_version != 0.
 */
SPIDD_INLINE int spidd_drops(struct spidd_lookup *lookup, const struct spidd_config *settings, struct spidd_flow *flow,
                             __u64 now_ns, struct spidd_counters *count)
{
	/* Before the lookups: a change of the tables in between must not be missed. */
	__u32 generation = *(const volatile __u32 *)&settings->drop_generation;

	lookup->generation = generation;
	if (flow && flow->drop_generation == generation && (flow->drop_slot == 0 || flow->drop_until_ns > now_ns)) {
		lookup->slot = flow->drop_slot;
		lookup->until_ns = flow->drop_until_ns;
	} else {
		spidd_look_up(lookup, settings, now_ns, count);
		if (flow) {
			/* In this order: another CPU may read the fields while they change. */
			*(volatile __u32 *)&flow->drop_generation = 0;
			*(volatile __u32 *)&flow->drop_slot = lookup->slot;
			*(volatile __u64 *)&flow->drop_until_ns = lookup->until_ns;
			*(volatile __u32 *)&flow->drop_generation = generation;
		}
	}
	if (lookup->slot == 0)
		return 0;
	if (settings->fail_policy == SPIDD_FAIL_OPEN && now_ns > settings->heartbeat_ns &&
	    now_ns - settings->heartbeat_ns > settings->heartbeat_limit_ns) {
		count->value[SPIDD_FAILED_OPEN]++;
		return 0;
	}
	return 1;
}

SPIDD_INLINE void spidd_count_drop(const struct spidd_lookup *lookup, const struct spidd_packet *packet, __u64 now_ns)
{
	struct spidd_drop_hits *hits = bpf_map_lookup_elem(&drop_hits, &lookup->slot);

	if (!hits)
		return;
	hits->packets += packet->segments;
	hits->bytes += packet->wire_bytes;
	hits->last_ns = now_ns;
}

#endif /* SPIDD_VERDICT_H */
