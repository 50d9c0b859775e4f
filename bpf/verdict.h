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

/* Keys that are written in words, see spidd_key_tail(). */
union spidd_endpoint_words {
	struct spidd_endpoint_key key;
	__be64 words[3];
};

union spidd_prefix_words {
	struct spidd_prefix_key key;
	__be32 words[5];
};

/* Index of an end's address in packet->key_words. */
SPIDD_INLINE __u32 spidd_source_word(const struct spidd_packet *packet)
{
	return packet->source_is_lo ? 0 : 2;
}

SPIDD_INLINE __u32 spidd_destination_word(const struct spidd_packet *packet)
{
	return packet->source_is_lo ? 2 : 0;
}

SPIDD_INLINE __be64 spidd_endpoint_tail(__u16 port, __u8 protocol)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u64)SPIDD_SWAP16(port) | (__u64)protocol << 16;
#else
	return (__u64)port << 48 | (__u64)protocol << 40;
#endif
}

SPIDD_INLINE const struct spidd_drop_entry *spidd_find_endpoint(const struct spidd_packet *packet, __u32 word,
                                                                __u16 port, __u8 protocol)
{
	union spidd_endpoint_words search;

	search.words[0] = packet->key_words[word];
	search.words[1] = packet->key_words[word + 1];
	search.words[2] = spidd_endpoint_tail(port, protocol);
	return bpf_map_lookup_elem(&drop_endpoint, &search);
}

SPIDD_INLINE void spidd_prefix_set(union spidd_prefix_words *search, const struct spidd_packet *packet, __u32 word)
{
	const __be32 *address = (const __be32 *)&packet->key_words[word];

	search->key.length = 128;
	search->words[1] = address[0];
	search->words[2] = address[1];
	search->words[3] = address[2];
	search->words[4] = address[3];
}

SPIDD_INLINE const struct spidd_drop_entry *spidd_find_prefix(const struct spidd_packet *packet, __u32 word)
{
	union spidd_prefix_words search;

	spidd_prefix_set(&search, packet, word);
	return bpf_map_lookup_elem(&drop_prefix, &search);
}

SPIDD_INLINE int spidd_in_never_block(const struct spidd_packet *packet, __u32 word)
{
	union spidd_prefix_words search;

	spidd_prefix_set(&search, packet, word);
	return bpf_map_lookup_elem(&never_block, &search) != NULL;
}

SPIDD_INLINE int spidd_never_blocked(const struct spidd_packet *packet, __u32 generation)
{
	__u32 zero = 0;
	struct spidd_blockable *memo = bpf_map_lookup_elem(&blockable, &zero);

	if (!memo)
		return 1;
	if (memo->generation == generation && memo->addresses[0] == packet->key_words[0] &&
	    memo->addresses[1] == packet->key_words[1] && memo->addresses[2] == packet->key_words[2] &&
	    memo->addresses[3] == packet->key_words[3])
		return 0;
	if (spidd_in_never_block(packet, spidd_destination_word(packet)) ||
	    spidd_in_never_block(packet, spidd_source_word(packet)))
		return 1;
	memo->addresses[0] = packet->key_words[0];
	memo->addresses[1] = packet->key_words[1];
	memo->addresses[2] = packet->key_words[2];
	memo->addresses[3] = packet->key_words[3];
	memo->generation = generation;
	return 0;
}

/*
 * Looks for an entry that drops the packet: five-tuple, then server endpoint, host and prefix, each for the destination
 * before the source. Packets without a flow key (fragments, other protocols) are matched by host and prefix.
 */
SPIDD_INLINE int spidd_lookup_match(struct spidd_lookup *lookup, const struct spidd_config *settings,
                                    const struct spidd_packet *packet, __u64 now_ns, struct spidd_counters *count)
{
	__u32 source = spidd_source_word(packet), destination = spidd_destination_word(packet);
	int has_key = packet->status == SPIDD_PARSE_FLOW, has_ports = spidd_has_ports(packet->protocol);

	if (has_key && settings->flow_drops &&
	    spidd_lookup_take(lookup, bpf_map_lookup_elem(&drop_flow, &packet->key), now_ns, count))
		return 1;

	if (has_key && settings->endpoint_drops) {
		/* An echo identifier names a run of a program, not a service. */
		__u16 destination_port = has_ports ? packet->destination_port : 0;
		__u16 source_port = has_ports ? packet->source_port : 0;

		if (spidd_lookup_take(lookup,
		                      spidd_find_endpoint(packet, destination, destination_port, packet->protocol),
		                      now_ns, count) ||
		    spidd_lookup_take(lookup, spidd_find_endpoint(packet, source, source_port, packet->protocol),
		                      now_ns, count))
			return 1;
	}
	if (settings->host_drops &&
	    (spidd_lookup_take(lookup, spidd_find_endpoint(packet, destination, 0, 0), now_ns, count) ||
	     spidd_lookup_take(lookup, spidd_find_endpoint(packet, source, 0, 0), now_ns, count)))
		return 1;
	return settings->prefix_drops &&
	       (spidd_lookup_take(lookup, spidd_find_prefix(packet, destination), now_ns, count) ||
	        spidd_lookup_take(lookup, spidd_find_prefix(packet, source), now_ns, count));
}

/* Fills slot and until_ns of *lookup, whose generation is set, from the drop tables and the never-block prefixes. */
SPIDD_CHECKED_APART int spidd_look_up(struct spidd_lookup *lookup, const struct spidd_config *settings, __u64 now_ns,
                                      struct spidd_counters *count)
{
	const struct spidd_packet *packet = spidd_packet_in_work();

	if (!lookup || !settings || !packet || !count)
		return 0;
	lookup->slot = 0;
	lookup->until_ns = 0;
	if (spidd_lookup_match(lookup, settings, packet, now_ns, count) &&
	    spidd_never_blocked(packet, lookup->generation)) {
		count->value[SPIDD_NEVER_BLOCKED]++;
		lookup->slot = 0;
	}
	return 0;
}

/*
 * Generation and slot of a flow entry are read and written as one word: two CPUs with packets of one flow may work for
 * two generations, and the slot of the older one must never stand beside the number of the newer.
 */
SPIDD_STATIC_ASSERT(offsetof(struct spidd_flow, drop_slot) == offsetof(struct spidd_flow, drop_generation) + 4 &&
                            offsetof(struct spidd_flow, drop_generation) % 8 == 0,
                    "drop_generation and drop_slot are one word");
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SPIDD_CACHED_GENERATION(word) ((__u32)(word))
#define SPIDD_CACHED_SLOT(word)       ((__u32)((word) >> 32))
#else
#define SPIDD_CACHED_GENERATION(word) ((__u32)((word) >> 32))
#define SPIDD_CACHED_SLOT(word)       ((__u32)(word))
#endif

SPIDD_INLINE volatile __u64 *spidd_cached_lookup(struct spidd_flow *flow)
{
	return (volatile __u64 *)(void *)&flow->drop_generation;
}

SPIDD_INLINE __u64 spidd_cached_word(__u32 generation, __u32 slot)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u64)slot << 32 | generation;
#else
	return (__u64)generation << 32 | slot;
#endif
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
	__u64 cached;

	lookup->generation = generation;
	cached = flow ? *spidd_cached_lookup(flow) : 0;
	lookup->slot = SPIDD_CACHED_SLOT(cached);
	if (flow && SPIDD_CACHED_GENERATION(cached) == generation &&
	    (lookup->slot == 0 || flow->drop_until_ns > now_ns)) {
		lookup->until_ns = flow->drop_until_ns;
	} else {
		spidd_look_up(lookup, settings, now_ns, count);
		if (flow) {
			*(volatile __u64 *)&flow->drop_until_ns = lookup->until_ns;
			*spidd_cached_lookup(flow) = spidd_cached_word(generation, lookup->slot);
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
