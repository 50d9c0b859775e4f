/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Egress of every watched interface: tcx where the kernel has it, clsact else. */
#define SPIDD_HOOK SPIDD_HOOK_EGRESS
#include "bpf/tc.h"

SEC("tc")
int egress_tc(struct __sk_buff *skb)
{
	return spidd_tc(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
