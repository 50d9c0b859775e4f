/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between the kernel programs and the daemon: every struct that both sides see, and nothing else.
 *
 * Included by BPF C, by C++ in userspace/capture, userspace/enforcement and by tests/bpf. The rest of the engine
 * speaks the C++ types of userspace/capture/packet_record.h.
 *
 * Rules: fixed-width types only; network byte order only in __be types and address bytes; padding is a named field
 * that is zero (map keys are compared byte by byte); every struct is followed by its size and offsets. Any change
 * raises SPIDD_ABI_VERSION: the daemon refuses pinned maps of another version instead of misreading them.
 *
 * Time is CLOCK_MONOTONIC in nanoseconds on both sides, unless a field says "coarse": then it is
 * CLOCK_MONOTONIC_COARSE (one scheduler tick of resolution). A capture file replaces both by the capture's own clock.
 */
#ifndef SPIDD_ABI_H
#define SPIDD_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#include <cstddef>
#define SPIDD_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#include <stddef.h>
#define SPIDD_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif
#define SPIDD_ASSERT_SIZE(type, size) SPIDD_STATIC_ASSERT(sizeof(struct type) == (size), "size of " #type)
#define SPIDD_ASSERT_OFFSET(type, field, offset)                                                                       \
	SPIDD_STATIC_ASSERT(offsetof(struct type, field) == (offset), "offset of " #type "." #field)

#define SPIDD_ABI_VERSION 4

/* Payload bytes a record carries: 64 cost no measurable accuracy (SPID, Hjelmvik; measured in userspace/spid). */
#define SPIDD_SNAP 64
/* Payload packets of a flow that become records. */
#define SPIDD_RECORD_LIMIT 20
/* Payload packets that become records of a flow whose sizes were asked for; from SPIDD_RECORD_LIMIT on without payload
 * bytes. */
#define SPIDD_SIZES_LIMIT 100
/* Headers of TLS records that a record carries. */
#define SPIDD_TLS_HEADERS 6
/* Types of TLS records are this and the next three (RFC 8446 section 5.1). */
#define SPIDD_TLS_FIRST_TYPE 20
/* Interfaces one daemon can watch: the observation domain of a flow key is below this. */
#define SPIDD_MAX_INTERFACES 64
/* Rings, and so workers, one daemon can have. */
#define SPIDD_MAX_RINGS 64
/* Element of `rings` that carries observations; those below carry records. */
#define SPIDD_OBSERVATION_RING SPIDD_MAX_RINGS
/* Drop entries of all kinds together that can own a slot of hit counters. Slot 0 is never used. */
#define SPIDD_MAX_DROP_SLOTS 65536

/* ---- keys ------------------------------------------------------------------------------------------------------ */

/* IPv6 address, or IPv4 as IPv4-mapped IPv6 (::ffff:a.b.c.d): one key type, one code path. */
struct spidd_addr {
	__u8 bytes[16]; /* network order */
};
SPIDD_ASSERT_SIZE(spidd_addr, 16);

/*
 * A flow, whichever way the packet goes: `lo` is the endpoint whose (address bytes, then port bytes) compare lower.
 * ICMP and ICMPv6 echo: both ports are the echo identifier. One key serves as map key and inside records.
 */
struct spidd_flow_key {
	struct spidd_addr lo;
	struct spidd_addr hi;
	__be16 port_lo;
	__be16 port_hi;
	__u8 protocol; /* IP protocol number: 6, 17, 1 or 58 */
	__u8 zero;     /* always 0 */
	__u16 domain;  /* observation domain: slot of the interface, host order, so that two interfaces never mix */
};
SPIDD_ASSERT_SIZE(spidd_flow_key, 40);
SPIDD_ASSERT_OFFSET(spidd_flow_key, port_lo, 32);
SPIDD_ASSERT_OFFSET(spidd_flow_key, protocol, 36);
SPIDD_ASSERT_OFFSET(spidd_flow_key, domain, 38);

/* A server endpoint (address, port, protocol; ICMP echo: port 0), or a whole host when port and protocol are 0. */
struct spidd_endpoint_key {
	struct spidd_addr addr;
	__be16 port;
	__u8 protocol;
	__u8 zero;   /* always 0 */
	__u32 zero2; /* always 0 */
};
SPIDD_ASSERT_SIZE(spidd_endpoint_key, 24);
SPIDD_ASSERT_OFFSET(spidd_endpoint_key, port, 16);

/* Key of an LPM trie. */
struct spidd_prefix_key {
	__u32 length; /* significant bits, 0..128; an IPv4 prefix of n bits has 96 + n */
	struct spidd_addr addr;
};
SPIDD_ASSERT_SIZE(spidd_prefix_key, 20);

/* ---- settings and state of the datapath ------------------------------------------------------------------------ */

enum spidd_mode {
	SPIDD_MODE_OBSERVE = 0, /* the drop tables are not consulted */
	SPIDD_MODE_ENFORCE = 1,
};

/* Why fail-closed or fail-open: what the kernel does with a dropped flow when the daemon has been silent too long. */
enum spidd_fail_policy {
	SPIDD_FAIL_KEEP = 0, /* drop entries live until they expire, whether the daemon lives or not (default) */
	SPIDD_FAIL_OPEN = 1, /* nothing is dropped once the heartbeat is older than heartbeat_limit_ns */
};

/* The one element of map `config`. Written by the daemon (through mmap), read by the kernel for every packet. */
struct spidd_config {
	__u32 abi_version;     /* SPIDD_ABI_VERSION */
	__u32 mode;            /* enum spidd_mode */
	__u32 drop_generation; /* raised after every change of mode, drop tables or never_block; flows cache the result
	                          of the drop lookups for one generation. Never 0. */
	__u32 flow_drops;      /* entries in drop_flow; 0 lets the kernel skip the lookup */
	__u32 endpoint_drops;  /* entries of drop_endpoint with a protocol */
	__u32 host_drops;      /* entries of drop_endpoint without one: whole hosts */
	__u32 prefix_drops;    /* entries in drop_prefix */
	__u32 rings;           /* rings in use, 1..SPIDD_MAX_RINGS */
	__u32 fail_policy;     /* enum spidd_fail_policy */
	__u32 new_flow_limit;  /* new flow entries a second and CPU, 0 = unlimited: beyond it packets pass unrecorded */
	__u64 heartbeat_ns;    /* coarse; the daemon's last sign of life */
	__u64 heartbeat_limit_ns; /* see SPIDD_FAIL_OPEN */
	__u64 udp_idle_ns;        /* silence after which a UDP or ICMP five-tuple counts as a new flow */
	__u64 tcp_idle_ns;        /* the same for TCP */
	__u32 observation_limit;  /* observations a second and CPU; 0: none are made */
	__u32 reserved[13];       /* 0 */
};
SPIDD_ASSERT_SIZE(spidd_config, 128);
SPIDD_ASSERT_OFFSET(spidd_config, heartbeat_ns, 40);

/*
 * Element of the array `interfaces`: a small open-addressed table, because an array lookup costs the kernel next to
 * nothing. The interface with index i stands in the first free of the SPIDD_INTERFACE_PROBES slots
 * spidd_interface_slot(i, 0), (i, 1), ...; the daemon refuses an interface that finds none free. Written by the daemon
 * before it attaches; packets of an interface that is not here pass and count as SPIDD_UNKNOWN_INTERFACE.
 */
#define SPIDD_INTERFACE_SLOTS  256
#define SPIDD_INTERFACE_PROBES 4
struct spidd_interface {
	__u32 ifindex; /* 0: free slot */
	__u16 domain;  /* 0..SPIDD_MAX_INTERFACES-1 */
	__u8 layer3;   /* 1: no Ethernet header (tun, wireguard) */
	__u8 zero;
};

static inline __attribute__((always_inline, unused)) __u32 spidd_interface_slot(__u32 ifindex, __u32 probe)
{
	return (ifindex + probe) & (SPIDD_INTERFACE_SLOTS - 1);
}
SPIDD_ASSERT_SIZE(spidd_interface, 8);

/* ---- flows ----------------------------------------------------------------------------------------------------- */

enum spidd_flow_flag {
	SPIDD_FLOW_CLIENT_IS_LO = 1 << 0, /* the client (SYN sender, else first sender) is the key's `lo` endpoint */
	SPIDD_FLOW_START_SEEN = 1 << 1,   /* TCP: first packet was SYN or SYN-ACK; UDP, ICMP: always set */
	SPIDD_FLOW_FIN_CLIENT = 1 << 2,
	SPIDD_FLOW_FIN_SERVER = 1 << 3,
	SPIDD_FLOW_RESET = 1 << 4,
	SPIDD_FLOW_END_SENT =
		1 << 5, /* the end record is out; the next SYN or first packet after silence starts anew */
	SPIDD_FLOW_ANSWERED = 1 << 6, /* packets of both directions seen */
};

/* Bits of spidd_flow.tls for the direction to the server; shifted by one for the other. */
enum spidd_tls_state {
	SPIDD_TLS_WALKING = 1 << 0, /* payload was seen: tls_next is valid */
	SPIDD_TLS_STOPPED = 1 << 2, /* no more headers are looked for */
};

enum spidd_flow_verdict {
	SPIDD_VERDICT_UNDECIDED = 0,
	SPIDD_VERDICT_DECIDED = 1, /* the engine needs no more records of this flow */
	SPIDD_VERDICT_SIZES = 2, /* as undecided, but records go on to SPIDD_SIZES_LIMIT, then without payload bytes */
};

/* Index of per-direction fields. */
enum spidd_direction {
	SPIDD_TO_SERVER = 0,
	SPIDD_TO_CLIENT = 1,
};

/*
 * Value of the LRU map `flows`. Written by the kernel; `verdict` is written by the kernel too, on the daemon's behalf
 * (program flow_verdict), because a whole-value update from outside would lose counts. Counters are not atomic:
 * receive-side scaling keeps one direction of a flow on one CPU. `flags` to `tls` are one 32-bit word that the kernel
 * changes atomically, because both directions share it.
 */
struct spidd_flow {
	__u64 start_ns;        /* coarse; with the key it names this flow: a reused five-tuple has another start */
	__u64 last_ns;         /* coarse; last packet of either direction */
	__u64 packets[2];      /* by enum spidd_direction; wire packets: a GSO super-packet counts as its segments */
	__u64 bytes[2];        /* IP bytes on the wire, headers included */
	__u32 next_seq[2];     /* TCP: highest sequence number + length seen; 0 until a SYN or payload was seen */
	__u32 payload_packets; /* packets with payload, retransmissions excepted; next record's order. Atomic while
	                          they become records. */
	__u8 flags;            /* enum spidd_flow_flag */
	__u8 verdict;          /* enum spidd_flow_verdict */
	__u8 seq_known;        /* bit d: next_seq[d] is valid */
	__u8 tls;              /* enum spidd_tls_state of both directions */
	__u32 drop_generation; /* config.drop_generation for which the next two fields hold; 0 = never looked up */
	__u32 drop_slot;       /* hit counter slot of the drop entry that matched, 0 = none matched */
	__u64 drop_until_ns;   /* coarse; expiry of that entry */
	__u32 tls_next[2];     /* TCP: sequence number where the next TLS record header begins */
};
SPIDD_ASSERT_SIZE(spidd_flow, 88);
SPIDD_ASSERT_OFFSET(spidd_flow, next_seq, 48);
SPIDD_ASSERT_OFFSET(spidd_flow, flags, 60);
SPIDD_ASSERT_OFFSET(spidd_flow, drop_generation, 64);
SPIDD_ASSERT_OFFSET(spidd_flow, drop_until_ns, 72);

/* What the daemon can have said about a flow. */
enum spidd_mark {
	SPIDD_MARK_DECIDED = 1, /* verdict becomes SPIDD_VERDICT_DECIDED */
	SPIDD_MARK_SIZES = 2,   /* verdict becomes SPIDD_VERDICT_SIZES */
	SPIDD_MARK_ENDED = 3,   /* SPIDD_FLOW_END_SENT is set: the daemon has reported the end itself */
};

/* Argument of program flow_verdict (SEC("syscall")): marks up to 64 flows in one call, in order. */
#define SPIDD_VERDICT_BATCH 64
struct spidd_verdict_item {
	struct spidd_flow_key key;
	__u64 start_ns; /* only the flow that started then is marked */
	__u32 mark;     /* enum spidd_mark; others do nothing */
	__u32 zero;
};
SPIDD_ASSERT_SIZE(spidd_verdict_item, 56);
struct spidd_verdict_request {
	__u32 count;  /* 0..SPIDD_VERDICT_BATCH */
	__u32 missed; /* out: verdicts (the first two marks) whose flow was not found */
	struct spidd_verdict_item items[SPIDD_VERDICT_BATCH];
};
SPIDD_ASSERT_SIZE(spidd_verdict_request, 8 + 64 * 56);

/* ---- drop tables ----------------------------------------------------------------------------------------------- */

/* Value of `drop_flow`, `drop_endpoint` and `drop_prefix`. Written by the daemon only; whole-value updates. */
struct spidd_drop_entry {
	__u64 expires_ns; /* coarse; the kernel itself ignores the entry from then on */
	__u32 slot;       /* 1..SPIDD_MAX_DROP_SLOTS-1: element of `drop_hits` */
	__u32 reason;     /* rule number of the policy, for people reading the map; 0 = by hand */
};
SPIDD_ASSERT_SIZE(spidd_drop_entry, 16);

/* Element of the per-CPU array `drop_hits`. Written by the kernel, summed and zeroed per slot by the daemon. */
struct spidd_drop_hits {
	__u64 packets;
	__u64 bytes;
	__u64 last_ns; /* coarse */
};
SPIDD_ASSERT_SIZE(spidd_drop_hits, 24);

/* ---- counters -------------------------------------------------------------------------------------------------- */

enum spidd_hook {
	SPIDD_HOOK_INGRESS = 0,
	SPIDD_HOOK_EGRESS = 1,
	SPIDD_HOOKS = 2,
};

/*
 * Element of the per-CPU array `ports`, index spidd_port_index(). Counts packets that passed. Written by the kernel,
 * exact and monotone; readers sum over CPUs and never reset. `refusals` count against the port that refused, in the
 * element that counted the attempt: under the other hook than the one that saw the refusal.
 */
struct spidd_port_counters {
	__u64 packets;  /* with this destination port */
	__u64 bytes;    /* IP bytes on the wire */
	__u64 attempts; /* TCP: SYN without ACK; UDP: packets that opened a flow entry */
	__u64 refusals; /* TCP RST answering a SYN (RST+ACK, sequence 0), ICMP port unreachable */
};
SPIDD_ASSERT_SIZE(spidd_port_counters, 32);

enum spidd_port_transport {
	SPIDD_PORT_TCP = 0,
	SPIDD_PORT_UDP = 1,
};
#define SPIDD_PORT_ENTRIES (2 * 2 * 65536)

static inline __attribute__((always_inline, unused)) __u32 spidd_port_index(__u32 hook, __u32 transport, __u32 port)
{
	return ((hook & 1) << 17) | ((transport & 1) << 16) | (port & 0xffff);
}

/*
 * What `struct spidd_counters` counts: everything that was seen, and every way a packet, record or entry can be passed
 * over or lost. Printed names: the enumerator in lower case without its prefix.
 */
enum spidd_counter {
	SPIDD_SEEN_PACKETS, /* every frame the hook saw (wire packets) */
	SPIDD_SEEN_BYTES,   /* IP bytes, or frame bytes where there is no IP */
	SPIDD_PASSED_PACKETS,
	SPIDD_PASSED_BYTES,
	SPIDD_DROPPED_PACKETS,
	SPIDD_DROPPED_BYTES,
	SPIDD_NOT_IP,          /* passed unparsed: ARP, LLDP, ... */
	SPIDD_TRUNCATED,       /* passed: a header ended early or a length field lies */
	SPIDD_TOO_DEEP,        /* passed: more VLAN tags or extension headers than the parser follows */
	SPIDD_FRAGMENT,        /* passed: fragment without a transport header (first fragments are parsed) */
	SPIDD_OTHER_PROTOCOL,  /* passed: IP protocol without flow tracking */
	SPIDD_ICMP_OTHER,      /* passed: ICMP that is neither echo nor an error with a usable inner header */
	SPIDD_NEVER_BLOCKED,   /* a lookup matched a drop entry, a never-block prefix saved the packet; once a flow and
	                          generation, because flows cache the result */
	SPIDD_EXPIRED_DROP,    /* a lookup matched a drop entry that was expired */
	SPIDD_FAILED_OPEN,     /* a drop entry matched, but the daemon is dead and the policy says open */
	SPIDD_RETRANSMISSIONS, /* TCP payload seen before: counted in the flow, not recorded */
	SPIDD_FLOWS_CREATED,
	SPIDD_FLOWS_RESTARTED,    /* five-tuple used again */
	SPIDD_FLOW_INSERT_FAILED, /* map full or busy: packet passed without a flow */
	SPIDD_FLOW_RATE_LIMITED,  /* new_flow_limit reached: packet passed without a flow */
	SPIDD_RECORDS_SENT,
	SPIDD_RECORDS_LOST, /* ring full */
	SPIDD_ENDS_SENT,
	SPIDD_ENDS_LOST,          /* ring full; the engine ends the flow by its idle time */
	SPIDD_PAYLOAD_UNREADABLE, /* record given up because its bytes could not be loaded */
	SPIDD_UNKNOWN_INTERFACE,  /* passed unparsed: the interface is not in `interfaces` */
	SPIDD_OBSERVATIONS_SENT,
	SPIDD_OBSERVATIONS_COUNTED,   /* not sent, but counted in `known_attempts` */
	SPIDD_OBSERVATIONS_LOST,      /* ring full, or there is none */
	SPIDD_OBSERVATIONS_LIMITED,   /* observation_limit reached */
	SPIDD_OBSERVATIONS_FORWARDED, /* not made at egress: the packet was observed when it came in */
	SPIDD_COUNTERS
};

/*
 * Element of the per-CPU array `counters`, index enum spidd_hook: one lookup gives a packet all its counters. Written
 * by the kernel, monotone; readers sum over CPUs and never reset.
 */
struct spidd_counters {
	__u64 value[32]; /* by enum spidd_counter */
};
SPIDD_ASSERT_SIZE(spidd_counters, 256);
SPIDD_STATIC_ASSERT(SPIDD_COUNTERS <= 32, "counter index");

/* ---- records --------------------------------------------------------------------------------------------------- */

enum spidd_record_type {
	SPIDD_RECORD_PAYLOAD = 1, /* one of the first SPIDD_RECORD_LIMIT payload packets of a flow; `payload` is set. Up
	                             to SPIDD_SIZES_LIMIT, where asked for, with `captured` 0 */
	SPIDD_RECORD_END = 2,     /* a flow ended (RST, both FINs, or five-tuple used again); `totals` is set */
};

enum spidd_record_flag {
	SPIDD_RECORD_CLIENT_IS_LO = 1 << 0,
	SPIDD_RECORD_START_SEEN = 1 << 1,
	SPIDD_RECORD_EGRESS = 1 << 2,   /* seen by the egress hook */
	SPIDD_RECORD_ANSWERED = 1 << 3, /* packets of both directions were seen, with payload or without */
};

/* What an end record says about the whole flow. */
struct spidd_flow_totals {
	__u64 packets[2]; /* by enum spidd_direction */
	__u64 bytes[2];
	__u64 last_ns; /* coarse */
	__u32 payload_packets;
	__u8 flags; /* enum spidd_flow_flag */
	__u8 zero[19];
};
SPIDD_ASSERT_SIZE(spidd_flow_totals, 64);

/* What a ring carries: one fixed size, never waking the reader. Written by the kernel, read once by one worker. */
struct spidd_record {
	__u64 time_ns;       /* when the packet was seen */
	__u64 flow_start_ns; /* coarse; spidd_flow.start_ns */
	struct spidd_flow_key key;
	__u32 payload_length; /* bytes on the wire; of this segment for a GSO super-packet */
	__u32 tcp_seq;        /* host order; 0 unless TCP */
	__u16 order;          /* index among the flow's payload packets, from 0 */
	__u16 payload_offset; /* of the payload in the frame (SPID: h); as in an Ethernet frame on layer 3 interfaces */
	__u16 segment;        /* which wire packet of a GSO super-packet this is, 0 for the first and for plain frames:
	                         every segment gets a record of its own, as if captured on the wire */
	__u8 type;            /* enum spidd_record_type */
	__u8 flags;           /* enum spidd_record_flag */
	__u8 direction;       /* enum spidd_direction */
	__u8 tcp_flags;       /* as on the wire; 0 unless TCP */
	__u8 captured;        /* valid bytes of payload, 0..SPIDD_SNAP; the rest is zero */
	__u8 abi_version;     /* SPIDD_ABI_VERSION */
	__u8 tls_count;       /* TLS record headers that begin in this packet, 0..SPIDD_TLS_HEADERS */
	__u8 zero;
	__u16 tls_types;                      /* of each, from the lowest bits: two bits, type - SPIDD_TLS_FIRST_TYPE */
	__u16 tls_lengths[SPIDD_TLS_HEADERS]; /* of each, without the header */
	__u32 zero2;
	union {
		__u8 payload[SPIDD_SNAP];
		struct spidd_flow_totals totals;
	};
};
SPIDD_ASSERT_SIZE(spidd_record, 160);
SPIDD_ASSERT_OFFSET(spidd_record, key, 16);
SPIDD_ASSERT_OFFSET(spidd_record, payload_length, 56);
SPIDD_ASSERT_OFFSET(spidd_record, order, 64);
SPIDD_ASSERT_OFFSET(spidd_record, tls_count, 76);
SPIDD_ASSERT_OFFSET(spidd_record, payload, 96);

/* ---- observations ---------------------------------------------------------------------------------------------- */

enum spidd_observation_kind {
	SPIDD_OBSERVATION_PACKET = 1,
	SPIDD_OBSERVATION_UNREACHABLE = 2, /* the packet that an ICMP "destination unreachable" is about, as its sender
	                                      sent it; follows the observation of the ICMP packet itself */
};

enum spidd_observation_flag {
	SPIDD_OBSERVATION_REPLY = 1 << 0,  /* UDP: goes to the flow's client */
	SPIDD_OBSERVATION_EGRESS = 1 << 1, /* seen by the egress hook */
};

/* What SPADE sees of a packet. Written by the kernel into ring SPIDD_OBSERVATION_RING, read once by one thread. */
struct spidd_observation {
	__u64 time_ns; /* when the packet was seen */
	struct spidd_addr source;
	struct spidd_addr destination;
	struct spidd_addr reporter; /* UNREACHABLE: sender of the ICMP error; else zero */
	__u16 source_port;          /* host order; 0 for ICMP */
	__u16 destination_port;     /* host order; 0 for ICMP */
	__u16 domain;               /* as in a flow key */
	__u8 protocol;              /* 6, 17, 1 or 58 */
	__u8 tcp_flags;             /* as on the wire; 0 unless TCP, 0 for UNREACHABLE */
	__u8 icmp_type;             /* ICMP, and UNREACHABLE: of the error */
	__u8 icmp_code;
	__u8 kind;        /* enum spidd_observation_kind */
	__u8 flags;       /* enum spidd_observation_flag */
	__u8 abi_version; /* SPIDD_ABI_VERSION */
	__u8 zero[3];
};
SPIDD_ASSERT_SIZE(spidd_observation, 72);
SPIDD_ASSERT_OFFSET(spidd_observation, reporter, 40);
SPIDD_ASSERT_OFFSET(spidd_observation, source_port, 56);
SPIDD_ASSERT_OFFSET(spidd_observation, kind, 66);

/*
 * Connection attempts of a client to a service. While this is a key of `known_attempts`, packets that SPADE need only
 * count are counted there and not sent.
 */
struct spidd_attempt_key {
	struct spidd_addr client;
	struct spidd_addr server;
	__be16 port;
	__u8 protocol; /* 6 or 17 */
	__u8 zero[5];  /* always 0. No domain: of what is forwarded the two directions are observed in two */
};
SPIDD_ASSERT_SIZE(spidd_attempt_key, 40);
SPIDD_ASSERT_OFFSET(spidd_attempt_key, port, 32);

enum spidd_attempt_count {
	SPIDD_ATTEMPT_SYN = 0,    /* TCP: SYN; UDP: first packet of a flow */
	SPIDD_ATTEMPT_ANSWER,     /* TCP: SYN-ACK; UDP: first answer of a flow */
	SPIDD_ATTEMPT_CLIENT_FIN, /* TCP: FIN of the client */
	SPIDD_ATTEMPT_SERVER_FIN,
	SPIDD_ATTEMPT_COUNTS
};

/* Entries are made and removed by the daemon; counts are added to atomically by the kernel and never reset. */
struct spidd_attempt_counts {
	__u64 value[4]; /* by enum spidd_attempt_count */
};
SPIDD_ASSERT_SIZE(spidd_attempt_counts, 32);

#endif /* SPIDD_ABI_H */
