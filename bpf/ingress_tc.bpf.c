/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ingress where native XDP is refused or the interface has no Ethernet header. */
#define SPIDD_HOOK SPIDD_HOOK_INGRESS
#include "bpf/tc.h"

SEC("tc")
int ingress_tc(struct __sk_buff *skb)
{
	return spidd_tc(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
