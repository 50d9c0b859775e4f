/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress where the driver has native XDP. In libxdp's dispatcher it runs early and hands what passes to the next
 * program.
 */
#define SPIDD_HOOK       SPIDD_HOOK_INGRESS
#define SPIDD_CONTEXT    struct xdp_md
#define SPIDD_LOAD_BYTES bpf_xdp_load_bytes
#include "bpf/pipeline.h"

#include <xdp/xdp_helpers.h>

struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(ingress_xdp);

SEC("xdp")
int ingress_xdp(struct xdp_md *ctx)
{
	const __u8 *data = (const __u8 *)(long)ctx->data;
	const __u8 *data_end = (const __u8 *)(long)ctx->data_end;
	__u32 zero = 0;
	const struct spidd_config *settings = bpf_map_lookup_elem(&config, &zero);
	struct spidd_counters *count = spidd_hook_counters();
	const struct spidd_interface *interface;
	struct spidd_packet *packet = spidd_packet_in_work();

	if (!settings || !count || !packet)
		return XDP_PASS;
	interface = spidd_interface_of(ctx->ingress_ifindex);
	if (!interface) {
		spidd_count_unknown(count, (__u32)(data_end - data));
		return XDP_PASS;
	}
	spidd_parse(data, data_end, (__u32)(data_end - data), interface->layer3, interface->domain, packet);
	SPIDD_BARRIER();
	return spidd_pipeline(ctx, settings, packet, count) ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
