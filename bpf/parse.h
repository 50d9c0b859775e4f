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

#include "bpf/packet.h"

#define SPIDD_VLAN_LIMIT      2
#define SPIDD_EXTENSION_LIMIT 6
/* No header begins further into a frame than this: link header, IPv6 and the extension headers, 2048 bytes each. */
#define SPIDD_OFFSET_MASK 0x3fffU

enum spidd_link {
	SPIDD_LINK_ETHERNET = 0,
	SPIDD_LINK_IP = 1, /* starts at the IP header, whose version nibble tells which */
};

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

#endif /* SPIDD_PARSE_H */
