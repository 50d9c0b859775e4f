/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one packet parser: from frame bytes to the flow key and what the datapath needs to know. Compiled for BPF
 * (clang -target bpf) and for userspace (C++20), so that a capture file gives exactly the records the kernel gives.
 *
 * Follows: Ethernet II, up to SPIDD_VLAN_LIMIT tags, IPv4 with options, IPv6 with up to SPIDD_EXTENSION_LIMIT extension
 * headers, first fragments, TCP, UDP, ICMP and ICMPv6 echo, the inner header of ICMP errors. Everything else gets a
 * status that says why not; no input makes the parser read outside [data, data_end).
 *
 * Lengths are those of the wire: taken from the IP length field, so that Ethernet padding never counts, and checked
 * against the frame's length on the wire. A capture may hold fewer bytes than the wire had (snap length): headers must
 * be complete, payload may be cut. A total length of 0 means the rest of the frame: captures of segmentation offload
 * have it. Checksums are not checked.
 */
#ifndef SPIDD_PARSE_H
#define SPIDD_PARSE_H

#include "bpf/abi.h"

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

#define SPIDD_VLAN_LIMIT      2
#define SPIDD_EXTENSION_LIMIT 6
/* No header begins further into a frame than this: link header, IPv6 and the extension headers, 2048 bytes each. */
#define SPIDD_OFFSET_MASK 0x3fffU

enum spidd_link {
	SPIDD_LINK_ETHERNET = 0,
	SPIDD_LINK_IP = 1, /* starts at the IP header, whose version nibble tells which */
};

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

/* What became of a frame. All but the first are one counter each (enum spidd_counter), ICMP_ERROR excepted. */
enum spidd_parse_status {
	SPIDD_PARSE_FLOW = 0,       /* TCP, UDP or ICMP echo: key, ports and payload are set */
	SPIDD_PARSE_NOT_IP,         /* or an IP version field that contradicts the Ethernet type */
	SPIDD_PARSE_TRUNCATED,      /* a header ended early or a length field lies */
	SPIDD_PARSE_TOO_DEEP,       /* more tags or extension headers than the limits above */
	SPIDD_PARSE_FRAGMENT,       /* a fragment other than the first */
	SPIDD_PARSE_OTHER_PROTOCOL, /* IP protocol without flow tracking */
	SPIDD_PARSE_ICMP_OTHER,     /* neither echo nor an error with a usable inner header */
	SPIDD_PARSE_ICMP_ERROR,     /* an error: `inner` is set */
};

/* An IP address as a number in host order; IPv4 is IPv4-mapped. */
struct spidd_number {
	__u64 high;
	__u64 low;
};

/* The packet an ICMP error complains about, as its sender sent it. */
struct spidd_inner {
	struct spidd_number source;
	struct spidd_number destination;
	__u16 source_port;      /* host order; 0 unless TCP or UDP */
	__u16 destination_port; /* host order; 0 unless TCP or UDP */
	__u8 protocol;
};

/*
 * What is said only of some packets is undefined for the others; see each field. Kept small and written once: this is
 * the hottest memory of the datapath.
 */
struct spidd_packet {
	union {
		struct spidd_flow_key
			key;         /* if ip_version is not 0; ports are 0 unless the status is SPIDD_PARSE_FLOW */
		__be64 key_words[5]; /* the same: lo, hi, then ports, protocol and domain */
	};
	__u32 wire_bytes;       /* IP bytes on the wire, headers included; the frame's length where IP did not parse.
	                           Of a segmented packet the bytes of all its segments. */
	__u32 payload_length;   /* transport payload bytes on the wire, of all segments together */
	__u32 segments;         /* wire packets: 1, or more after spidd_packet_segment() */
	__u32 segment_size;     /* payload bytes of every segment but the last */
	__u32 tcp_seq;          /* host order; 0 unless TCP. If SPIDD_PARSE_FLOW */
	__u16 l3_offset;        /* of the IP header in the frame */
	__u16 payload_offset;   /* of the transport payload in the frame. If SPIDD_PARSE_FLOW */
	__u16 source_port;      /* host order; ICMP echo: the identifier, both of them. If ip_version is not 0 */
	__u16 destination_port; /* host order. If ip_version is not 0 */
	__u8 ip_version;        /* 4 or 6; 0: no complete and truthful IP header */
	__u8 protocol;          /* IP protocol number after extension headers. If ip_version is not 0 */
	__u8 source_is_lo;      /* the sender is the key's `lo` endpoint. If ip_version is not 0 */
	__u8 tcp_flags;         /* as on the wire: CWR ECE URG ACK PSH RST SYN FIN; 0 unless TCP. If SPIDD_PARSE_FLOW */
	__u8 icmp_type;         /* if ICMP, with status FLOW, ICMP_OTHER or ICMP_ERROR */
	__u8 icmp_code;
	__u8 status;              /* enum spidd_parse_status */
	__u8 absent_bytes;        /* of link header that an Ethernet wire has and the frame's bytes here have not: a tag
	                             beside the packet, or all of it */
	struct spidd_inner inner; /* if SPIDD_PARSE_ICMP_ERROR */
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

SPIDD_INLINE struct spidd_number spidd_number_ipv4(__be32 address)
{
	struct spidd_number number = {0, 0xffff00000000ULL | SPIDD_SWAP32(address)};

	return number;
}

SPIDD_INLINE struct spidd_number spidd_number_ipv6(__be64 first, __be64 second)
{
	struct spidd_number number = {SPIDD_SWAP64(first), SPIDD_SWAP64(second)};

	return number;
}

/*
 * The last 8 bytes of a flow key. Keys are written in words because clang, going by the alignment of their type, would
 * write bytes, and a processor cannot forward several small stores to the large load of a map lookup.
 */
SPIDD_INLINE __be64 spidd_key_tail(__u16 port_lo, __u16 port_hi, __u8 protocol, __u16 domain)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u64)SPIDD_SWAP16(port_lo) | (__u64)SPIDD_SWAP16(port_hi) << 16 | (__u64)protocol << 32 |
	       (__u64)domain << 48;
#else
	return (__u64)port_lo << 48 | (__u64)port_hi << 32 | (__u64)protocol << 24 | domain;
#endif
}

/* While a packet is parsed, source_is_lo: the addresses are equal, the ports decide. */
#define SPIDD_SAME_ADDRESS 2

/* The first half of the key: its addresses. */
SPIDD_INLINE void spidd_packet_set_addresses(struct spidd_packet *packet, struct spidd_number source,
                                             struct spidd_number destination)
{
	int is_lo = source.high != destination.high ? source.high < destination.high : source.low <= destination.low;

	packet->key_words[is_lo ? 0 : 2] = SPIDD_SWAP64(source.high);
	packet->key_words[is_lo ? 1 : 3] = SPIDD_SWAP64(source.low);
	packet->key_words[is_lo ? 2 : 0] = SPIDD_SWAP64(destination.high);
	packet->key_words[is_lo ? 3 : 1] = SPIDD_SWAP64(destination.low);
	packet->source_is_lo = (__u8)is_lo;
	if (source.low == destination.low && source.high == destination.high)
		packet->source_is_lo = SPIDD_SAME_ADDRESS;
}

/* The second half: ports, which must be set, and protocol. */
SPIDD_INLINE void spidd_packet_set_tail(struct spidd_packet *packet, __u16 domain)
{
	__u16 source_port = packet->source_port, destination_port = packet->destination_port;

	if (packet->source_is_lo == SPIDD_SAME_ADDRESS)
		packet->source_is_lo = source_port <= destination_port;
	packet->key_words[4] = packet->source_is_lo
	                               ? spidd_key_tail(source_port, destination_port, packet->protocol, domain)
	                               : spidd_key_tail(destination_port, source_port, packet->protocol, domain);
}

/* The packet quoted by an ICMP error: at least its IP header and, for TCP and UDP, its ports. */
SPIDD_INLINE int spidd_parse_inner(const __u8 *pos, const __u8 *data_end, __u32 rest, struct spidd_packet *packet)
{
	const __u8 *ports;
	__u32 header_length;

	if (packet->ip_version == 4) {
		const struct spidd_wire_ipv4 *ip = (const struct spidd_wire_ipv4 *)pos;

		if (rest < sizeof(*ip) || pos + sizeof(*ip) > data_end)
			return SPIDD_PARSE_ICMP_OTHER;
		header_length = (ip->version_length & 0xfU) * 4;
		if (ip->version_length >> 4 != 4 || header_length < sizeof(*ip) || rest < header_length ||
		    (SPIDD_SWAP16(ip->fragment) & 0x1fff) != 0)
			return SPIDD_PARSE_ICMP_OTHER;
		packet->inner.source = spidd_number_ipv4(ip->source);
		packet->inner.destination = spidd_number_ipv4(ip->destination);
		packet->inner.protocol = ip->protocol;
	} else {
		const struct spidd_wire_ipv6 *ip = (const struct spidd_wire_ipv6 *)pos;

		header_length = sizeof(*ip);
		if (rest < header_length || pos + sizeof(*ip) > data_end || ip->version_class >> 4 != 6)
			return SPIDD_PARSE_ICMP_OTHER;
		packet->inner.source = spidd_number_ipv6(ip->source[0], ip->source[1]);
		packet->inner.destination = spidd_number_ipv6(ip->destination[0], ip->destination[1]);
		packet->inner.protocol = ip->next;
	}

	if (packet->inner.protocol == SPIDD_PROTOCOL_TCP || packet->inner.protocol == SPIDD_PROTOCOL_UDP) {
		const struct spidd_wire_udp *udp;

		ports = pos + header_length;
		udp = (const struct spidd_wire_udp *)ports;
		if (rest < header_length + sizeof(*udp) || ports + sizeof(*udp) > data_end)
			return SPIDD_PARSE_ICMP_OTHER;
		packet->inner.source_port = SPIDD_SWAP16(udp->source);
		packet->inner.destination_port = SPIDD_SWAP16(udp->destination);
	} else {
		packet->inner.source_port = 0;
		packet->inner.destination_port = 0;
	}
	return SPIDD_PARSE_ICMP_ERROR;
}

SPIDD_INLINE int spidd_parse_icmp(const __u8 *pos, const __u8 *data_end, __u32 rest, struct spidd_packet *packet)
{
	const struct spidd_wire_icmp *icmp = (const struct spidd_wire_icmp *)pos;
	int echo, error;

	if (rest < sizeof(*icmp) || pos + sizeof(*icmp) > data_end)
		return SPIDD_PARSE_TRUNCATED;
	packet->icmp_type = icmp->type;
	packet->icmp_code = icmp->code;
	if (packet->protocol == SPIDD_PROTOCOL_ICMP) {
		if (packet->ip_version != 4)
			return SPIDD_PARSE_OTHER_PROTOCOL;
		echo = icmp->type == 8 || icmp->type == 0;
		error = (icmp->type >= 3 && icmp->type <= 5) || icmp->type == 11 || icmp->type == 12;
	} else {
		if (packet->ip_version != 6)
			return SPIDD_PARSE_OTHER_PROTOCOL;
		echo = icmp->type == 128 || icmp->type == 129;
		error = icmp->type >= 1 && icmp->type <= 4;
	}
	if (echo) {
		packet->tcp_seq = 0;
		packet->tcp_flags = 0;
		packet->source_port = SPIDD_SWAP16(icmp->identifier);
		packet->destination_port = packet->source_port;
		packet->payload_length = rest - (__u32)sizeof(*icmp);
		packet->payload_offset = (__u16)(packet->payload_offset + sizeof(*icmp));
		return SPIDD_PARSE_FLOW;
	}
	if (error)
		return spidd_parse_inner(pos + sizeof(*icmp), data_end, rest - (__u32)sizeof(*icmp), packet);
	return SPIDD_PARSE_ICMP_OTHER;
}

/*
 * The transport header at `pos`, with `rest` bytes of IP payload on the wire from there. packet->payload_offset comes
 * in as the offset of `pos`. `fragmented`: the datagram goes on in other fragments.
 */
SPIDD_INLINE int spidd_parse_transport(const __u8 *pos, const __u8 *data_end, __u32 rest, int fragmented,
                                       struct spidd_packet *packet)
{
	__u32 header_length;

	if (packet->protocol == SPIDD_PROTOCOL_TCP) {
		const struct spidd_wire_tcp *tcp = (const struct spidd_wire_tcp *)pos;

		if (rest < sizeof(*tcp) || pos + sizeof(*tcp) > data_end)
			return SPIDD_PARSE_TRUNCATED;
		header_length = (__u32)(tcp->offset >> 4) * 4;
		if (header_length < sizeof(*tcp) || header_length > rest)
			return SPIDD_PARSE_TRUNCATED;
		packet->tcp_seq = SPIDD_SWAP32(tcp->seq);
		packet->tcp_flags = tcp->flags;
		packet->source_port = SPIDD_SWAP16(tcp->source);
		packet->destination_port = SPIDD_SWAP16(tcp->destination);
	} else if (packet->protocol == SPIDD_PROTOCOL_UDP) {
		const struct spidd_wire_udp *udp = (const struct spidd_wire_udp *)pos;
		__u32 length;

		header_length = sizeof(*udp);
		if (rest < header_length || pos + sizeof(*udp) > data_end)
			return SPIDD_PARSE_TRUNCATED;
		/* 0: jumbogram or offload, the IP length says it all. A first fragment holds less than UDP's length. */
		length = SPIDD_SWAP16(udp->length);
		if (length != 0 && (length < header_length || (length > rest && !fragmented)))
			return SPIDD_PARSE_TRUNCATED;
		if (length != 0 && length < rest)
			rest = length;
		packet->tcp_seq = 0;
		packet->tcp_flags = 0;
		packet->source_port = SPIDD_SWAP16(udp->source);
		packet->destination_port = SPIDD_SWAP16(udp->destination);
	} else if (packet->protocol == SPIDD_PROTOCOL_ICMP || packet->protocol == SPIDD_PROTOCOL_ICMP6) {
		return spidd_parse_icmp(pos, data_end, rest, packet);
	} else {
		return SPIDD_PARSE_OTHER_PROTOCOL;
	}
	packet->payload_length = rest - header_length;
	packet->payload_offset = (__u16)(packet->payload_offset + header_length);
	return SPIDD_PARSE_FLOW;
}

/* What an IP header leaves to its transport. */
struct spidd_rest {
	const __u8 *pos;  /* where the transport header begins */
	__u32 length;     /* bytes on the wire from there */
	__u32 fragmented; /* the datagram goes on in other fragments */
};

/* Returns SPIDD_PARSE_FLOW with *rest set if a transport header follows. */
SPIDD_INLINE int spidd_parse_ipv4(const __u8 *data_end, const __u8 *pos, __u32 wire_rest, struct spidd_packet *packet,
                                  struct spidd_rest *rest)
{
	const struct spidd_wire_ipv4 *ip = (const struct spidd_wire_ipv4 *)pos;
	__u32 header_length, total_length, fragment;

	if (pos + sizeof(*ip) > data_end)
		return SPIDD_PARSE_TRUNCATED;
	if (ip->version_length >> 4 != 4)
		return SPIDD_PARSE_NOT_IP;
	header_length = (ip->version_length & 0xfU) * 4;
	total_length = SPIDD_SWAP16(ip->total_length);
	if (total_length == 0)
		total_length = wire_rest;
	if (header_length < sizeof(*ip) || total_length < header_length || total_length > wire_rest)
		return SPIDD_PARSE_TRUNCATED;

	packet->ip_version = 4;
	packet->wire_bytes = total_length;
	packet->protocol = ip->protocol;
	spidd_packet_set_addresses(packet, spidd_number_ipv4(ip->source), spidd_number_ipv4(ip->destination));
	fragment = SPIDD_SWAP16(ip->fragment);
	if ((fragment & 0x1fff) != 0)
		return SPIDD_PARSE_FRAGMENT;
	rest->pos = pos + header_length;
	rest->length = total_length - header_length;
	rest->fragmented = fragment & 0x2000;
	return SPIDD_PARSE_FLOW;
}

SPIDD_INLINE int spidd_is_extension(__u8 protocol)
{
	return protocol == SPIDD_PROTOCOL_HOP_BY_HOP || protocol == SPIDD_PROTOCOL_ROUTING ||
	       protocol == SPIDD_PROTOCOL_FRAGMENT || protocol == SPIDD_PROTOCOL_AUTHENTICATION ||
	       protocol == SPIDD_PROTOCOL_DESTINATION || protocol == SPIDD_PROTOCOL_MOBILITY ||
	       protocol == SPIDD_PROTOCOL_HIP || protocol == SPIDD_PROTOCOL_SHIM6;
}

/* Returns SPIDD_PARSE_FLOW with *rest set if a transport header follows. */
SPIDD_INLINE int spidd_parse_ipv6(const __u8 *data, const __u8 *data_end, const __u8 *pos, __u32 wire_rest,
                                  struct spidd_packet *packet, struct spidd_rest *rest)
{
	const struct spidd_wire_ipv6 *ip = (const struct spidd_wire_ipv6 *)pos;
	/* Kept in memory that the verifier does not follow: it would tell apart every sequence of header lengths. */
	volatile __u16 *offset = &packet->payload_offset;
	__u32 left;
	__u8 next;

	if (pos + sizeof(*ip) > data_end)
		return SPIDD_PARSE_TRUNCATED;
	if (ip->version_class >> 4 != 6)
		return SPIDD_PARSE_NOT_IP;
	if (wire_rest < sizeof(*ip))
		return SPIDD_PARSE_TRUNCATED;
	left = SPIDD_SWAP16(ip->payload_length);
	if (left == 0)
		left = wire_rest - (__u32)sizeof(*ip);
	if (left > wire_rest - (__u32)sizeof(*ip))
		return SPIDD_PARSE_TRUNCATED;

	packet->ip_version = 6;
	packet->wire_bytes = left + (__u32)sizeof(*ip);
	spidd_packet_set_addresses(packet, spidd_number_ipv6(ip->source[0], ip->source[1]),
	                           spidd_number_ipv6(ip->destination[0], ip->destination[1]));
	next = ip->next;
	*offset = (__u16)(pos - data + (long)sizeof(*ip));
	rest->fragmented = 0;

	SPIDD_NO_UNROLL
	for (int i = 0; i < SPIDD_EXTENSION_LIMIT && spidd_is_extension(next); i++) {
		const struct spidd_wire_extension *extension;
		__u32 length;

		pos = data + (*offset & SPIDD_OFFSET_MASK);
		extension = (const struct spidd_wire_extension *)pos;
		packet->protocol = next;
		if (left < 8 || pos + sizeof(*extension) > data_end)
			return SPIDD_PARSE_TRUNCATED;
		if (next == SPIDD_PROTOCOL_FRAGMENT) {
			__u32 fragment = SPIDD_SWAP16(extension->fragment);

			length = 8;
			rest->fragmented |= fragment & 1;
			if ((fragment & 0xfff8) != 0) {
				packet->protocol = extension->next;
				return SPIDD_PARSE_FRAGMENT;
			}
		} else if (next == SPIDD_PROTOCOL_AUTHENTICATION) {
			length = (extension->length + 2U) * 4;
		} else {
			length = (extension->length + 1U) * 8;
		}
		if (length > left)
			return SPIDD_PARSE_TRUNCATED;
		next = extension->next;
		left -= length;
		*offset = (__u16)(*offset + length);
	}
	packet->protocol = next;
	if (spidd_is_extension(next))
		return SPIDD_PARSE_TOO_DEEP;
	rest->pos = data + (*offset & SPIDD_OFFSET_MASK);
	rest->length = left;
	return SPIDD_PARSE_FLOW;
}

SPIDD_INLINE void spidd_packet_reset(struct spidd_packet *packet, __u32 wire_length)
{
	packet->wire_bytes = wire_length;
	packet->payload_length = 0;
	packet->segments = 1;
	packet->l3_offset = 0;
	packet->ip_version = 0;
	packet->absent_bytes = 0;
}

/*
 * From an IP header at `pos` on. `ether_type` says which IP it must be; other types give SPIDD_PARSE_NOT_IP.
 * `wire_length` is the frame's length on the wire from `data` on. For link layers this file does not know (Linux cooked
 * captures): `data` is the frame, `pos` where its payload starts, so that offsets are the frame's. Requires
 * data <= pos. Returns packet->status.
 */
SPIDD_INLINE int spidd_parse_network(const __u8 *data, const __u8 *data_end, const __u8 *pos, __u32 wire_length,
                                     __u16 ether_type, __u16 domain, struct spidd_packet *packet)
{
	__u32 offset = (__u32)(pos - data);
	struct spidd_rest rest = {pos, 0, 0};
	int status = SPIDD_PARSE_NOT_IP;

	spidd_packet_reset(packet, wire_length);
	packet->l3_offset = (__u16)offset;
	if (offset > wire_length)
		status = SPIDD_PARSE_TRUNCATED;
	else if (ether_type == SPIDD_ETHER_IPV4)
		status = spidd_parse_ipv4(data_end, pos, wire_length - offset, packet, &rest);
	else if (ether_type == SPIDD_ETHER_IPV6)
		status = spidd_parse_ipv6(data, data_end, pos, wire_length - offset, packet, &rest);
	SPIDD_BARRIER();
	if (status == SPIDD_PARSE_FLOW) {
		packet->payload_offset = (__u16)(rest.pos - data);
		status = spidd_parse_transport(rest.pos, data_end, rest.length, rest.fragmented != 0, packet);
	}
	SPIDD_BARRIER();
	packet->status = (__u8)status;
	packet->segment_size = packet->payload_length;
	if (packet->ip_version != 0) {
		if (status != SPIDD_PARSE_FLOW) {
			packet->source_port = 0;
			packet->destination_port = 0;
		}
		spidd_packet_set_tail(packet, domain);
	}
	return status;
}

SPIDD_INLINE int spidd_is_tag(__u16 ether_type)
{
	return ether_type == SPIDD_ETHER_VLAN || ether_type == SPIDD_ETHER_QINQ || ether_type == SPIDD_ETHER_QINQ_OLD;
}

/*
 * Finds the IP header behind a frame's link header: its Ethernet type and position. Returns SPIDD_PARSE_FLOW, or why
 * there is none.
 */
SPIDD_INLINE int spidd_parse_link(const __u8 *data, const __u8 *data_end, __u32 link, const __u8 **network,
                                  __u16 *ether_type)
{
	const struct spidd_wire_ethernet *ethernet = (const struct spidd_wire_ethernet *)data;
	const __u8 *pos = data;
	__u16 type;

	if (link == SPIDD_LINK_IP) {
		if (pos + 1 > data_end)
			return SPIDD_PARSE_TRUNCATED;
		type = *pos >> 4 == 4 ? SPIDD_ETHER_IPV4 : *pos >> 4 == 6 ? SPIDD_ETHER_IPV6 : 0;
	} else {
		if (pos + sizeof(*ethernet) > data_end)
			return SPIDD_PARSE_TRUNCATED;
		type = SPIDD_SWAP16(ethernet->type);
		pos += sizeof(*ethernet);
		if (type != SPIDD_ETHER_IPV4) {
			for (int i = 0; i < SPIDD_VLAN_LIMIT && spidd_is_tag(type); i++) {
				const struct spidd_wire_vlan *vlan = (const struct spidd_wire_vlan *)pos;

				if (pos + sizeof(*vlan) > data_end)
					return SPIDD_PARSE_TRUNCATED;
				type = SPIDD_SWAP16(vlan->type);
				pos += sizeof(*vlan);
				SPIDD_OPAQUE(type);
			}
			if (spidd_is_tag(type))
				return SPIDD_PARSE_TOO_DEEP;
		}
	}
	*network = pos;
	*ether_type = type;
	return SPIDD_PARSE_FLOW;
}

/*
 * A whole frame; `link` is enum spidd_link, `wire_length` the frame's length on the wire (at least data_end - data).
 * Returns packet->status.
 */
SPIDD_INLINE int spidd_parse(const __u8 *data, const __u8 *data_end, __u32 wire_length, __u32 link, __u16 domain,
                             struct spidd_packet *packet)
{
	const __u8 *network = data;
	__u16 ether_type = 0;
	int status = spidd_parse_link(data, data_end, link, &network, &ether_type);

	if (status == SPIDD_PARSE_FLOW) {
		status = spidd_parse_network(data, data_end, network, wire_length, ether_type, domain, packet);
		/* Models know payload offsets of Ethernet frames. */
		if (link == SPIDD_LINK_IP)
			packet->absent_bytes = sizeof(struct spidd_wire_ethernet);
		return status;
	}
	spidd_packet_reset(packet, wire_length);
	packet->status = (__u8)status;
	return status;
}

/*
 * Makes a segmentation-offload super-packet what it will be on the wire: `size` payload bytes to a segment (0: not
 * segmented), every segment with the headers from IP on. Call once, before the flow functions.
 */
SPIDD_INLINE void spidd_packet_segment(struct spidd_packet *packet, __u32 size)
{
	if (size == 0 || packet->payload_length <= size)
		return;
	packet->segments = (packet->payload_length + size - 1) / size;
	packet->segment_size = size;
	packet->wire_bytes += (packet->segments - 1) * (__u32)(packet->payload_offset - packet->l3_offset);
}

#endif /* SPIDD_PARSE_H */
