/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens to a parsed packet, whichever hook saw it: verdict, counters, flow, records; the cheapest first. A
 * dropped packet leaves nothing but counts. Whatever fails on the way (map full, ring full), the packet passes.
 */
#ifndef SPIDD_PIPELINE_H
#define SPIDD_PIPELINE_H

#include "bpf/observation.h"
#include "bpf/record.h"
#include "bpf/verdict.h"

/* errno of a key that is there already; <errno.h> is not for BPF. */
#define SPIDD_EEXIST 17

/* Domain and link layer of an interface, NULL if it is not one of ours. */
SPIDD_INLINE const struct spidd_interface *spidd_interface_of(__u32 ifindex)
{
	for (__u32 probe = 0; probe < SPIDD_INTERFACE_PROBES; probe++) {
		__u32 slot = spidd_interface_slot(ifindex, probe);
		const struct spidd_interface *interface = bpf_map_lookup_elem(&interfaces, &slot);

		if (interface && interface->ifindex == ifindex)
			return interface;
	}
	return NULL;
}

/* Makes the entry of a new flow; returns whether there is one now. */
SPIDD_CHECKED_APART int spidd_flow_open(const struct spidd_config *settings, const struct spidd_lookup *lookup,
                                        __u64 now_ns, struct spidd_counters *count)
{
	const struct spidd_packet *packet = spidd_packet_in_work();
	struct spidd_flow fresh = {};
	long error;

	if (!settings || !packet || !lookup || !count)
		return 0;
	if (!spidd_within_budget(SPIDD_BUDGET_NEW_FLOWS, settings->new_flow_limit, now_ns)) {
		count->value[SPIDD_FLOW_RATE_LIMITED]++;
		return 0;
	}
	spidd_flow_init(&fresh, packet, now_ns);
	fresh.drop_generation = lookup->generation;
	fresh.drop_slot = lookup->slot;
	fresh.drop_until_ns = lookup->until_ns;
	error = bpf_map_update_elem(&flows, &packet->key, &fresh, BPF_NOEXIST);
	if (error == 0)
		count->value[SPIDD_FLOWS_CREATED]++;
	/* Another CPU may have been faster: its entry is as good. */
	if (error != 0 && error != -SPIDD_EEXIST) {
		count->value[SPIDD_FLOW_INSERT_FAILED]++;
		return 0;
	}
	return 1;
}

/* Counts a packet with a flow key into ports and flow, sends what has to be sent. `flow` as in spidd_drops(). */
SPIDD_INLINE void spidd_follow_flow(SPIDD_CONTEXT *ctx, const struct spidd_config *settings, struct spidd_flow *flow,
                                    const struct spidd_packet *packet, const struct spidd_lookup *lookup, __u64 now_ns,
                                    struct spidd_counters *count)
{
	struct spidd_flow_outcome outcome;
	int opened = 0;

	if (!flow)
		flow = bpf_map_lookup_elem(&flows, &packet->key);
	if (!flow) {
		opened = spidd_flow_opens(packet) && spidd_flow_open(settings, lookup, now_ns, count);
		if (opened)
			flow = bpf_map_lookup_elem(&flows, &packet->key);
	} else if (spidd_flow_restarts(flow, packet, now_ns, settings->udp_idle_ns, settings->tcp_idle_ns)) {
		if (!(flow->flags & SPIDD_FLOW_END_SENT))
			spidd_send_end(settings, packet, flow, count);
		spidd_flow_init(flow, packet, now_ns);
		count->value[SPIDD_FLOWS_RESTARTED]++;
		opened = 1;
	}
	spidd_count_port(packet, SPIDD_HOOK, opened);
	if (spidd_refuses_syn(packet))
		spidd_count_refusal(SPIDD_HOOK, packet->protocol, packet->source_port);
	if (!flow) {
		if (settings->observation_limit != 0 && spidd_observes(packet, NULL, SPIDD_TO_SERVER))
			spidd_send_observation(settings, SPIDD_TO_SERVER, now_ns);
		return;
	}

	spidd_flow_step(flow, packet, now_ns, &outcome);
	if (outcome.retransmission)
		count->value[SPIDD_RETRANSMISSIONS]++;
	if (outcome.records != 0) {
		if (spidd_records_with_bytes(&outcome) != 0)
			spidd_send_payloads(ctx, settings, packet, flow, &outcome);
		if (outcome.records > spidd_records_with_bytes(&outcome))
			spidd_send_sizes(settings, packet, flow, &outcome);
	}
	if (outcome.end)
		spidd_send_end(settings, packet, flow, count);
	if (settings->observation_limit != 0 && spidd_observes(packet, flow, outcome.direction))
		spidd_send_observation(settings, outcome.direction, now_ns);
}

/* Returns whether the packet is to be dropped. */
SPIDD_INLINE int spidd_pipeline(SPIDD_CONTEXT *ctx, const struct spidd_config *settings,
                                const struct spidd_packet *packet, struct spidd_counters *count)
{
	struct spidd_lookup lookup = {};
	struct spidd_flow *flow = NULL;
	int has_key = packet->status == SPIDD_PARSE_FLOW;
	__u64 now_ns = bpf_ktime_get_coarse_ns();
	__u32 reason;

	count->value[SPIDD_SEEN_PACKETS] += packet->segments;
	count->value[SPIDD_SEEN_BYTES] += packet->wire_bytes;

	if (packet->ip_version != 0 && spidd_enforcing(settings)) {
		/* A SYN rarely has an entry: under attack this saves the lookup. */
		if (has_key && !spidd_is_syn(packet))
			flow = bpf_map_lookup_elem(&flows, &packet->key);
		if (spidd_drops(&lookup, settings, flow, now_ns, count)) {
			count->value[SPIDD_DROPPED_PACKETS] += packet->segments;
			count->value[SPIDD_DROPPED_BYTES] += packet->wire_bytes;
			spidd_count_drop(&lookup, packet, now_ns);
			return 1;
		}
	}
	count->value[SPIDD_PASSED_PACKETS] += packet->segments;
	count->value[SPIDD_PASSED_BYTES] += packet->wire_bytes;

	if (has_key) {
		spidd_follow_flow(ctx, settings, flow, packet, &lookup, now_ns, count);
		return 0;
	}
	reason = spidd_status_counter(packet->status);
	if (reason < SPIDD_COUNTERS)
		count->value[reason & 31]++;
	else if (spidd_is_port_unreachable(packet))
		spidd_count_refusal(SPIDD_HOOK, packet->inner.protocol, packet->inner.destination_port);
	if (settings->observation_limit != 0 &&
	    (packet->status == SPIDD_PARSE_ICMP_OTHER || packet->status == SPIDD_PARSE_ICMP_ERROR))
		spidd_send_observation(settings, SPIDD_TO_SERVER, now_ns);
	return 0;
}

#endif /* SPIDD_PIPELINE_H */
