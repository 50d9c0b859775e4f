/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map of the datapath. All objects include this file; whoever loads them gives each object the same descriptors
 * (bpf_map__reuse_fd), so that the hooks share one set. Sizes are defaults: userspace changes them before the load with
 * bpf_map__set_max_entries. Who writes, who reads and what happens when a map is full: bpf/README.md.
 */
#ifndef SPIDD_MAPS_H
#define SPIDD_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spidd_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SPIDD_INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, struct spidd_interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct spidd_flow_key);
	__type(value, struct spidd_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPIDD_PORT_ENTRIES);
	__type(key, __u32);
	__type(value, struct spidd_port_counters);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPIDD_HOOKS);
	__type(key, __u32);
	__type(value, struct spidd_counters);
} counters SEC(".maps");

/* Plain hashes, not LRU: a full table refuses the new entry loudly instead of forgetting an old one silently. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct spidd_flow_key);
	__type(value, struct spidd_drop_entry);
} drop_flow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct spidd_endpoint_key);
	__type(value, struct spidd_drop_entry);
} drop_endpoint SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct spidd_prefix_key);
	__type(value, struct spidd_drop_entry);
} drop_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPIDD_MAX_DROP_SLOTS);
	__type(key, __u32);
	__type(value, struct spidd_drop_hits);
} drop_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct spidd_prefix_key);
	__type(value, __u8);
} never_block SEC(".maps");

/* Filled by the daemon with one ring a worker and one for observations; the inner map here is only the verifier's
 * template. */
struct spidd_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SPIDD_MAX_RINGS + 1);
	__type(key, __u32);
	__array(values, struct spidd_ring);
} rings SEC(".maps");

/* A plain hash: only the daemon makes entries, and what a flood could evict would come back as never seen. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct spidd_attempt_key);
	__type(value, struct spidd_attempt_counts);
} known_attempts SEC(".maps");

/*
 * What was observed coming in, by spidd_observed_as(), until it is sent on: then it is not observed once more. Nothing
 * is looked for at places that were taken by others meanwhile; what came from there is seen twice. A cell is written
 * at once. Nobody outside the kernel reads it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SPIDD_FORWARDED_BITS);
	__type(key, __u32);
	__type(value, __u64);
} forwarded SEC(".maps");

/* What this CPU has used up in the current second. Nobody outside the kernel reads it. */
struct spidd_budget {
	__u64 second_start_ns; /* coarse */
	__u64 used;
};

enum spidd_budget_kind { SPIDD_BUDGET_NEW_FLOWS, SPIDD_BUDGET_OBSERVATIONS, SPIDD_BUDGETS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPIDD_BUDGETS);
	__type(key, __u32);
	__type(value, struct spidd_budget);
} budgets SEC(".maps");

/* The pair of addresses that this CPU last found in no never-block prefix, and for which generation. A flood on what is
 * blocked then costs no search of prefixes. Nobody outside the kernel reads it. */
struct spidd_blockable {
	__be64 addresses[4];
	__u32 generation; /* 0: none */
	__u32 zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spidd_blockable);
} blockable SEC(".maps");

/*
 * The packet in work, one for each hook. Not on the stack: that is too small, and the verifier tells paths apart by
 * what it knows of the stack, so that it would follow the pipeline once for every way through the parser.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPIDD_HOOKS);
	__type(key, __u32);
	__type(value, struct spidd_packet);
} scratch SEC(".maps");

#endif /* SPIDD_MAPS_H */
