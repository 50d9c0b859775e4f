/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks flows as decided on behalf of the daemon, which runs it with BPF_PROG_TEST_RUN: the kernel then sends no more
 * records of them. Writing the flow entry from outside would lose the counts of packets that come in between.
 */
#include "bpf/maps.h"

SEC("syscall")
int flow_verdict(struct spidd_verdict_request *request)
{
	__u32 count = request->count, marked = 0;

	/* Unrolled: kernel 6.1 takes no variable offset into a program's context. */
#pragma unroll
	for (__u32 i = 0; i < SPIDD_VERDICT_BATCH; i++) {
		struct spidd_verdict_item item;
		struct spidd_flow *flow;

		if (i >= count)
			break;
		item = request->items[i];
		flow = bpf_map_lookup_elem(&flows, &item.key);
		if (flow && flow->start_ns == item.start_ns) {
			flow->verdict = SPIDD_VERDICT_DECIDED;
			marked++;
		}
	}
	request->marked = marked;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
