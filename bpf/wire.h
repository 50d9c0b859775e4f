/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Headers as they are on the wire (IEEE 802.3 and 802.1Q, RFC 791, 8200, 9293, 768, 792, 4443), and what code for both
 * BPF and userspace needs of the compiler. Own structs because the UAPI's pull in headers that -target bpf has not.
 */
#ifndef SPIDD_WIRE_H
#define SPIDD_WIRE_H

#include <linux/types.h>

#define SPIDD_INLINE static inline __attribute__((always_inline, unused))

/* Wire structs are read at any alignment: the kernel's JIT does not mind, userspace must be told. */
#ifdef __bpf__
#define SPIDD_WIRE
#define SPIDD_NO_UNROLL _Pragma("clang loop unroll(disable)")
/* Keeps the compiler from reasoning across the point: clang 14 leaves registers unset on paths that it has proved
 * impossible, and the verifier, which has not, refuses to follow. */
#define SPIDD_OPAQUE(x) asm volatile("" : "+r"(x))
/* Keeps the compiler from carrying what it wrote to memory along in registers, of which BPF has few: it would copy all
 * of it on the stack at every branch. */
#define SPIDD_BARRIER() asm volatile("" ::: "memory")
#else
#define SPIDD_WIRE __attribute__((packed))
#define SPIDD_NO_UNROLL
#define SPIDD_OPAQUE(x)
#define SPIDD_BARRIER()
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SPIDD_SWAP16(x) __builtin_bswap16(x)
#define SPIDD_SWAP32(x) __builtin_bswap32(x)
#define SPIDD_SWAP64(x) __builtin_bswap64(x)
#else
#define SPIDD_SWAP16(x) (x)
#define SPIDD_SWAP32(x) (x)
#define SPIDD_SWAP64(x) (x)
#endif

enum spidd_ether_type {
	SPIDD_ETHER_IPV4 = 0x0800,
	SPIDD_ETHER_VLAN = 0x8100,
	SPIDD_ETHER_IPV6 = 0x86dd,
	SPIDD_ETHER_QINQ = 0x88a8,
	SPIDD_ETHER_QINQ_OLD = 0x9100,
};

enum spidd_protocol {
	SPIDD_PROTOCOL_HOP_BY_HOP = 0,
	SPIDD_PROTOCOL_ICMP = 1,
	SPIDD_PROTOCOL_TCP = 6,
	SPIDD_PROTOCOL_UDP = 17,
	SPIDD_PROTOCOL_ROUTING = 43,
	SPIDD_PROTOCOL_FRAGMENT = 44,
	SPIDD_PROTOCOL_AUTHENTICATION = 51,
	SPIDD_PROTOCOL_ICMP6 = 58,
	SPIDD_PROTOCOL_DESTINATION = 60,
	SPIDD_PROTOCOL_MOBILITY = 135,
	SPIDD_PROTOCOL_HIP = 139,
	SPIDD_PROTOCOL_SHIM6 = 140,
};

enum spidd_tcp_flag {
	SPIDD_TCP_FIN = 0x01,
	SPIDD_TCP_SYN = 0x02,
	SPIDD_TCP_RST = 0x04,
	SPIDD_TCP_ACK = 0x10,
};

struct spidd_wire_ethernet {
	__u8 destination[6];
	__u8 source[6];
	__be16 type;
} SPIDD_WIRE;

struct spidd_wire_vlan {
	__be16 tag;
	__be16 type;
} SPIDD_WIRE;

struct spidd_wire_ipv4 {
	__u8 version_length;
	__u8 service;
	__be16 total_length;
	__be16 identification;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
} SPIDD_WIRE;

struct spidd_wire_ipv6 {
	__u8 version_class;
	__u8 class_label[3];
	__be16 payload_length;
	__u8 next;
	__u8 hop_limit;
	__be64 source[2];
	__be64 destination[2];
} SPIDD_WIRE;

/* Any IPv6 extension header; the second half only of the fragment header (RFC 8200 section 4.5). */
struct spidd_wire_extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
} SPIDD_WIRE;

struct spidd_wire_tcp {
	__be16 source;
	__be16 destination;
	__be32 seq;
	__be32 ack;
	__u8 offset;
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
} SPIDD_WIRE;

struct spidd_wire_udp {
	__be16 source;
	__be16 destination;
	__be16 length;
	__be16 checksum;
} SPIDD_WIRE;

struct spidd_wire_icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 identifier;
	__be16 sequence;
} SPIDD_WIRE;

#endif /* SPIDD_WIRE_H */
