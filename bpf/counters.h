/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting: the hook's own counters and those of the destination ports. Both maps are per CPU, so nothing here is
 * atomic.
 *
 * This header and those that include it need SPIDD_HOOK: the enum spidd_hook of the program they become part of.
 */
#ifndef SPIDD_COUNTERS_H
#define SPIDD_COUNTERS_H

#include "bpf/flow.h"
#include "bpf/maps.h"

/*
 * A function of its own to the verifier: it is checked once, for any arguments, instead of once for every way that
 * leads to it. Pointer arguments may then be NULL, and kernel 6.1 does not take them as keys of maps: such functions
 * get the packet from spidd_packet_in_work().
 */
#define SPIDD_CHECKED_APART __attribute__((noinline))

SPIDD_INLINE struct spidd_packet *spidd_packet_in_work(void)
{
	__u32 hook = SPIDD_HOOK;

	return bpf_map_lookup_elem(&scratch, &hook);
}

SPIDD_INLINE struct spidd_counters *spidd_hook_counters(void)
{
	__u32 hook = SPIDD_HOOK;

	return bpf_map_lookup_elem(&counters, &hook);
}

#define SPIDD_SECOND_NS 1000000000ULL

/* Whether this CPU may do one more of `kind` (enum spidd_budget_kind) in this second; limit 0: it may. */
SPIDD_INLINE int spidd_within_budget(__u32 kind, __u32 limit, __u64 now_ns)
{
	struct spidd_budget *budget;

	if (limit == 0)
		return 1;
	budget = bpf_map_lookup_elem(&budgets, &kind);
	if (!budget)
		return 0;
	if (now_ns - budget->second_start_ns >= SPIDD_SECOND_NS) {
		budget->second_start_ns = now_ns;
		budget->used = 0;
	}
	if (budget->used >= limit)
		return 0;
	budget->used++;
	return 1;
}

/* The counter that tells of a frame which passed for this status; SPIDD_COUNTERS if none does. */
SPIDD_INLINE __u32 spidd_status_counter(int status)
{
	switch (status) {
	case SPIDD_PARSE_NOT_IP:
		return SPIDD_NOT_IP;
	case SPIDD_PARSE_TRUNCATED:
		return SPIDD_TRUNCATED;
	case SPIDD_PARSE_TOO_DEEP:
		return SPIDD_TOO_DEEP;
	case SPIDD_PARSE_FRAGMENT:
		return SPIDD_FRAGMENT;
	case SPIDD_PARSE_OTHER_PROTOCOL:
		return SPIDD_OTHER_PROTOCOL;
	case SPIDD_PARSE_ICMP_OTHER:
		return SPIDD_ICMP_OTHER;
	default:
		return SPIDD_COUNTERS;
	}
}

SPIDD_INLINE struct spidd_port_counters *spidd_port(__u32 hook, __u8 protocol, __u16 port)
{
	__u32 transport = protocol == SPIDD_PROTOCOL_TCP ? SPIDD_PORT_TCP : SPIDD_PORT_UDP;
	__u32 index = spidd_port_index(hook, transport, port);

	return bpf_map_lookup_elem(&ports, &index);
}

SPIDD_INLINE int spidd_has_ports(__u8 protocol)
{
	return protocol == SPIDD_PROTOCOL_TCP || protocol == SPIDD_PROTOCOL_UDP;
}

/* A packet on its way to its destination port. `opened`: it made a flow entry. */
SPIDD_INLINE void spidd_count_port(const struct spidd_packet *packet, __u32 hook, int opened)
{
	struct spidd_port_counters *port;

	if (!spidd_has_ports(packet->protocol))
		return;
	port = spidd_port(hook, packet->protocol, packet->destination_port);
	if (!port)
		return;
	port->packets += packet->segments;
	port->bytes += packet->wire_bytes;
	if (packet->protocol == SPIDD_PROTOCOL_UDP ? opened : spidd_is_syn(packet))
		port->attempts++;
}

/* The attempt went the other way, so it was the other hook that counted it. */
SPIDD_INLINE void spidd_count_refusal(__u32 hook, __u8 protocol, __u16 refused_port)
{
	struct spidd_port_counters *port = spidd_port(hook ^ 1, protocol, refused_port);

	if (port)
		port->refusals++;
}

/* A frame of an interface that the daemon has not told of. */
SPIDD_INLINE void spidd_count_unknown(struct spidd_counters *count, __u32 bytes)
{
	count->value[SPIDD_SEEN_PACKETS]++;
	count->value[SPIDD_SEEN_BYTES] += bytes;
	count->value[SPIDD_PASSED_PACKETS]++;
	count->value[SPIDD_PASSED_BYTES] += bytes;
	count->value[SPIDD_UNKNOWN_INTERFACE]++;
}

/* RFC 9293 section 3.10.7.1: a closed port answers a SYN with RST and ACK, sequence number 0. */
SPIDD_INLINE int spidd_refuses_syn(const struct spidd_packet *packet)
{
	return packet->protocol == SPIDD_PROTOCOL_TCP && packet->tcp_seq == 0 &&
	       (packet->tcp_flags & (SPIDD_TCP_RST | SPIDD_TCP_ACK)) == (SPIDD_TCP_RST | SPIDD_TCP_ACK);
}

SPIDD_INLINE int spidd_is_port_unreachable(const struct spidd_packet *packet)
{
	if (!spidd_has_ports(packet->inner.protocol))
		return 0;
	return packet->ip_version == 4 ? packet->icmp_type == 3 && packet->icmp_code == 3
	                               : packet->icmp_type == 1 && packet->icmp_code == 4;
}

#endif /* SPIDD_COUNTERS_H */
