/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A parsed packet: what the parser finds out and the rest of the datapath works on, and how its flow key is written.
 */
#ifndef SPIDD_PACKET_H
#define SPIDD_PACKET_H

#include "bpf/abi.h"
#include "bpf/wire.h"

/* What became of a frame. All but the first are one counter each (enum spidd_counter), ICMP_ERROR excepted. */
enum spidd_parse_status {
	SPIDD_PARSE_FLOW = 0,       /* TCP, UDP or ICMP echo: key, ports and payload are set */
	SPIDD_PARSE_NOT_IP,         /* or an IP version field that contradicts the Ethernet type */
	SPIDD_PARSE_TRUNCATED,      /* a header ended early or a length field lies */
	SPIDD_PARSE_TOO_DEEP,       /* more tags or extension headers than the parser follows */
	SPIDD_PARSE_FRAGMENT,       /* a fragment other than the first */
	SPIDD_PARSE_OTHER_PROTOCOL, /* IP protocol without flow tracking */
	SPIDD_PARSE_ICMP_OTHER,     /* neither echo nor an error with a usable inner header */
	SPIDD_PARSE_ICMP_ERROR,     /* an error: `inner` is set */
};

/* Forwarded packets that can be known again at a time: map `forwarded` has two to the power of this cells. */
#define SPIDD_FORWARDED_BITS 12

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
	/* Set if ip_version is not 0; ports are 0 unless the status is SPIDD_PARSE_FLOW. */
	union {
		struct spidd_flow_key key;
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
	__u8 forwarded;           /* on its way out: some interface received it. Not the parser's to know */
	struct spidd_inner inner; /* if SPIDD_PARSE_ICMP_ERROR */
};

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

SPIDD_INLINE void spidd_packet_reset(struct spidd_packet *packet, __u32 wire_length)
{
	packet->wire_bytes = wire_length;
	packet->payload_length = 0;
	packet->segments = 1;
	packet->l3_offset = 0;
	packet->ip_version = 0;
	packet->absent_bytes = 0;
	packet->forwarded = 0;
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

#endif /* SPIDD_PACKET_H */
