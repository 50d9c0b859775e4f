/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For datapath_bench: BPF_PROG_TEST_RUN repeats one packet, so this program makes every run another one, then
 * tail-calls the program under test. Source ports go round robin through the flows, TCP sequence numbers go on.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/parse.h"

__u32 flow_mask = 0; /* flows - 1, a power of two less one; set between runs */
__u64 runs = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} subject SEC(".maps");

SEC("xdp")
int vary_flow(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	struct spidd_wire_tcp *tcp =
		(void *)(data + sizeof(struct spidd_wire_ethernet) + sizeof(struct spidd_wire_ipv4));
	__u64 run = runs++;

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	tcp->source = SPIDD_SWAP16(40000 + (run & flow_mask));
	tcp->seq = SPIDD_SWAP32((__u32)run * 500);
	bpf_tail_call(ctx, &subject, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int pass_all(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
