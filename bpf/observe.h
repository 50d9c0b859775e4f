/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which packets SPADE has to see, and what it sees of them. Pure functions, compiled for BPF and for userspace.
 *
 * Its tables are about connection attempts, answers, ends, odd flags, first packets of UDP flows and ICMP (spade.md
 * 12.1). Data of established connections tells it one thing: that both hosts live. That was told by the first packets.
 */
#ifndef SPIDD_OBSERVE_H
#define SPIDD_OBSERVE_H

#include "bpf/flow.h"

/* Packets of an unanswered TCP flow that began with data which are observed: to whom? is nobody there? */
#define SPIDD_OBSERVED_UNANSWERED 3

/* Data or acknowledgement: SPADE's "established" flags. */
SPIDD_INLINE int spidd_is_established(const struct spidd_packet *packet)
{
	return packet->protocol == SPIDD_PROTOCOL_TCP &&
	       (packet->tcp_flags & (SPIDD_TCP_SYN | SPIDD_TCP_FIN | SPIDD_TCP_RST | SPIDD_TCP_ACK)) == SPIDD_TCP_ACK;
}

/*
 * Whether a packet with status SPIDD_PARSE_FLOW has to be seen. `flow` is its flow after spidd_flow_step(), NULL if it
 * has none. ICMP of other status is always to be seen.
 */
SPIDD_INLINE int spidd_observes(const struct spidd_packet *packet, const struct spidd_flow *flow, __u32 direction)
{
	__u64 before;

	if (!spidd_is_established(packet) && packet->protocol != SPIDD_PROTOCOL_UDP)
		return 1;
	if (!flow)
		return packet->protocol == SPIDD_PROTOCOL_UDP;
	before = flow->packets[direction & 1U] - packet->segments;
	if (before == 0)
		return 1;
	return packet->protocol == SPIDD_PROTOCOL_TCP && before < SPIDD_OBSERVED_UNANSWERED &&
	       !(flow->flags & SPIDD_FLOW_ANSWERED);
}

/*
 * Whether an ICMP packet says that the destination of a packet SPADE may have seen cannot be reached: its
 * "unreachable".
 */
SPIDD_INLINE int spidd_is_unreachable(const struct spidd_packet *packet)
{
	__u8 inner;

	if (packet->status != SPIDD_PARSE_ICMP_ERROR ||
	    packet->icmp_type != (packet->protocol == SPIDD_PROTOCOL_ICMP ? 3 : 1))
		return 0;
	inner = packet->inner.protocol;
	return inner == SPIDD_PROTOCOL_TCP || inner == SPIDD_PROTOCOL_UDP || inner == SPIDD_PROTOCOL_ICMP ||
	       inner == SPIDD_PROTOCOL_ICMP6;
}

/* Addresses of observations are 8-byte aligned: written as words, like keys. */
SPIDD_INLINE void spidd_observe_address(struct spidd_addr *to, __be64 high, __be64 low)
{
	__be64 *words = (__be64 *)(void *)to;

	words[0] = high;
	words[1] = low;
}

/* Fills the observation of the packet itself; `direction` is that in its flow, SPIDD_TO_SERVER if it has none. */
SPIDD_INLINE void spidd_observe_packet(struct spidd_observation *observation, const struct spidd_packet *packet,
                                       __u32 direction, __u64 time_ns, int egress)
{
	__u32 source = packet->source_is_lo ? 0 : 2;
	int icmp = packet->protocol == SPIDD_PROTOCOL_ICMP || packet->protocol == SPIDD_PROTOCOL_ICMP6;

	__builtin_memset(observation, 0, sizeof(*observation));
	observation->time_ns = time_ns;
	spidd_observe_address(&observation->source, packet->key_words[source], packet->key_words[source + 1]);
	spidd_observe_address(&observation->destination, packet->key_words[2 - source], packet->key_words[3 - source]);
	if (icmp) {
		observation->icmp_type = packet->icmp_type;
		observation->icmp_code = packet->icmp_code;
	} else {
		observation->source_port = packet->source_port;
		observation->destination_port = packet->destination_port;
	}
	if (packet->protocol == SPIDD_PROTOCOL_TCP)
		observation->tcp_flags = packet->tcp_flags;
	observation->domain = packet->key.domain;
	observation->protocol = packet->protocol;
	observation->kind = SPIDD_OBSERVATION_PACKET;
	if (packet->protocol == SPIDD_PROTOCOL_UDP && direction == SPIDD_TO_CLIENT)
		observation->flags |= SPIDD_OBSERVATION_REPLY;
	if (egress)
		observation->flags |= SPIDD_OBSERVATION_EGRESS;
	observation->abi_version = SPIDD_ABI_VERSION;
}

/* Makes the observation of an ICMP error, as filled above, that of the packet it complains about. */
SPIDD_INLINE void spidd_observe_inner(struct spidd_observation *observation, const struct spidd_packet *packet)
{
	__u32 source = packet->source_is_lo ? 0 : 2;

	spidd_observe_address(&observation->reporter, packet->key_words[source], packet->key_words[source + 1]);
	spidd_observe_address(&observation->source, SPIDD_SWAP64(packet->inner.source.high),
	                      SPIDD_SWAP64(packet->inner.source.low));
	spidd_observe_address(&observation->destination, SPIDD_SWAP64(packet->inner.destination.high),
	                      SPIDD_SWAP64(packet->inner.destination.low));
	observation->source_port = packet->inner.source_port;
	observation->destination_port = packet->inner.destination_port;
	observation->protocol = packet->inner.protocol;
	observation->kind = SPIDD_OBSERVATION_UNREACHABLE;
}

SPIDD_INLINE __u64 spidd_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/*
 * A number for everything that SPADE sees of a packet, so that a packet sent on can be known again. Not the same after
 * address translation: that is another packet to SPADE. Of data the other flags may change where packets are merged.
 */
SPIDD_INLINE __u64 spidd_observed_as(const struct spidd_packet *packet)
{
	int icmp = packet->protocol == SPIDD_PROTOCOL_ICMP || packet->protocol == SPIDD_PROTOCOL_ICMP6;
	__u64 rest = (__u64)packet->protocol << 16 | (__u64)(packet->source_is_lo != 0) << 24;
	__u64 hash = 0;

	if (icmp)
		rest |= (__u64)packet->icmp_type << 8 | packet->icmp_code;
	else
		rest |= (__u64)packet->source_port << 32 | (__u64)packet->destination_port << 48;
	if (packet->protocol == SPIDD_PROTOCOL_TCP)
		rest |= spidd_is_established(packet) ? (__u8)SPIDD_TCP_ACK : packet->tcp_flags;
	hash = spidd_mix(hash, packet->key_words[0]);
	hash = spidd_mix(hash, packet->key_words[1]);
	hash = spidd_mix(hash, packet->key_words[2]);
	hash = spidd_mix(hash, packet->key_words[3]);
	return spidd_mix(hash, rest) | 1;
}

/*
 * Which count of its connection attempt (enum spidd_attempt_count) an observed packet adds to, SPIDD_ATTEMPT_COUNTS if
 * it must be seen for itself. Fills *key. `direction` as for spidd_observe_packet().
 */
SPIDD_INLINE __u32 spidd_attempt_of(const struct spidd_packet *packet, __u32 direction, struct spidd_attempt_key *key)
{
	__u8 flags = packet->tcp_flags & 0x3f;
	__u32 count = SPIDD_ATTEMPT_COUNTS;
	__u32 client;
	int from_client = direction == SPIDD_TO_SERVER;

	if (packet->protocol == SPIDD_PROTOCOL_UDP) {
		count = from_client ? SPIDD_ATTEMPT_SYN : SPIDD_ATTEMPT_ANSWER;
	} else if (packet->protocol == SPIDD_PROTOCOL_TCP) {
		if (flags == SPIDD_TCP_SYN) {
			count = SPIDD_ATTEMPT_SYN;
			from_client = 1;
		} else if (flags == (SPIDD_TCP_SYN | SPIDD_TCP_ACK)) {
			count = SPIDD_ATTEMPT_ANSWER;
			from_client = 0;
		} else if ((flags & (SPIDD_TCP_SYN | SPIDD_TCP_FIN | SPIDD_TCP_RST | SPIDD_TCP_ACK)) ==
		           (SPIDD_TCP_FIN | SPIDD_TCP_ACK)) {
			count = from_client ? SPIDD_ATTEMPT_CLIENT_FIN : SPIDD_ATTEMPT_SERVER_FIN;
		}
	}
	client = !packet->source_is_lo == !from_client ? 0 : 2;
	spidd_observe_address(&key->client, packet->key_words[client], packet->key_words[client + 1]);
	spidd_observe_address(&key->server, packet->key_words[2 - client], packet->key_words[3 - client]);
	key->port = SPIDD_SWAP16(from_client ? packet->destination_port : packet->source_port);
	key->protocol = packet->protocol;
	__builtin_memset(key->zero, 0, sizeof(key->zero));
	return count;
}

#endif /* SPIDD_OBSERVE_H */
