/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tc programs, both directions: the pipeline over a struct __sk_buff. Unlike XDP they see super-packets of
 * segmentation offload, whose payload is not in the linear part, and VLAN tags beside the packet's bytes.
 */
#ifndef SPIDD_TC_H
#define SPIDD_TC_H

#include <linux/pkt_cls.h>

#define SPIDD_CONTEXT    struct __sk_buff
#define SPIDD_LOAD_BYTES bpf_skb_load_bytes
#include "bpf/pipeline.h"

/* Headers that the linear part does not hold are pulled into it, so many bytes at once. */
#define SPIDD_PULL 512

/* Parses into the packet in work. Returns how many bytes to pull into the linear part before trying again, 0: none. */
SPIDD_CHECKED_APART int spidd_parse_skb(struct __sk_buff *skb, __u32 link, __u16 domain)
{
	const __u8 *data = (const __u8 *)(long)skb->data;
	const __u8 *data_end = (const __u8 *)(long)skb->data_end;
	struct spidd_packet *packet = spidd_packet_in_work();
	__u32 wire_length = skb->len;

	if (!packet)
		return 0;
	spidd_parse(data, data_end, wire_length, link, domain, packet);
	if ((packet->status != SPIDD_PARSE_TRUNCATED && packet->status != SPIDD_PARSE_ICMP_OTHER) ||
	    data_end - data >= wire_length)
		return 0;
	return wire_length < SPIDD_PULL ? wire_length : SPIDD_PULL;
}

SPIDD_INLINE int spidd_tc(struct __sk_buff *skb)
{
	__u32 zero = 0;
	const struct spidd_config *settings = bpf_map_lookup_elem(&config, &zero);
	struct spidd_counters *count = spidd_hook_counters();
	const struct spidd_interface *interface;
	struct spidd_packet *packet = spidd_packet_in_work();
	__u32 pull;

	if (!settings || !count || !packet)
		return TC_ACT_UNSPEC;
	interface = spidd_interface_of(skb->ifindex);
	if (!interface) {
		spidd_count_unknown(count, skb->len);
		return TC_ACT_UNSPEC;
	}
	pull = spidd_parse_skb(skb, interface->layer3, interface->domain);
	if (pull && bpf_skb_pull_data(skb, pull) == 0)
		spidd_parse_skb(skb, interface->layer3, interface->domain);
	spidd_packet_segment(packet, skb->gso_size);
	if (skb->vlan_present)
		packet->absent_bytes += sizeof(struct spidd_wire_vlan);
	packet->forwarded = SPIDD_HOOK == SPIDD_HOOK_EGRESS && skb->ingress_ifindex != 0;
	/* UNSPEC: whatever filter comes next decides. */
	return spidd_pipeline(skb, settings, packet, count) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

#endif /* SPIDD_TC_H */
