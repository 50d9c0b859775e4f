/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Marks flows on behalf of the daemon, which runs it with BPF_PROG_TEST_RUN: decided, wanted by size, or reported as
 * ended. Writing the flow entry from outside would lose the counts of packets that come in between.
 */
#include "bpf/flow.h"
#include "bpf/maps.h"

SEC("syscall")
int flow_verdict(struct spidd_verdict_request *request)
{
	__u32 count = request->count, missed = 0;

	/* Unrolled: kernel 6.1 takes no variable offset into a program's context. */
#pragma unroll
	for (__u32 i = 0; i < SPIDD_VERDICT_BATCH; i++) {
		struct spidd_verdict_item item;
		struct spidd_flow *flow;
		int found;

		if (i >= count)
			break;
		item = request->items[i];
		flow = bpf_map_lookup_elem(&flows, &item.key);
		found = flow && flow->start_ns == item.start_ns;
		if (item.mark == SPIDD_MARK_ENDED) {
			if (found)
				spidd_flow_set_flags(flow, SPIDD_FLOW_END_SENT);
			continue;
		}
		if (!found)
			missed++;
		else if (item.mark == SPIDD_MARK_DECIDED)
			flow->verdict = SPIDD_VERDICT_DECIDED;
		else if (item.mark == SPIDD_MARK_SIZES)
			flow->verdict = SPIDD_VERDICT_SIZES;
	}
	request->missed = missed;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
