/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The life of a flow: when an entry is made, who its client is, when a five-tuple starts anew, which packets become
 * records, when it ends. Pure functions over struct spidd_flow with no map behind them, compiled for BPF and for
 * userspace, so that a capture file gives exactly the records the kernel gives.
 *
 * For every packet with status SPIDD_PARSE_FLOW, after spidd_packet_segment():
 *
 *     flow = table[packet.key]
 *     if no flow:
 *         if !spidd_flow_opens(packet): done, the packet has no flow
 *         spidd_flow_init(flow, packet, now), put into the table
 *     else if spidd_flow_restarts(flow, packet, now, udp_idle, tcp_idle):
 *         if !(flow.flags & SPIDD_FLOW_END_SENT): spidd_record_end(record, key, flow, time, egress), send
 *         spidd_flow_init(flow, packet, now)
 *     spidd_flow_step(flow, packet, now, outcome)
 *     for i in 0 .. outcome.records-1: spidd_record_payload(record, packet, flow, outcome, i, time, egress), copy
 * payload, send if outcome.end: spidd_record_end(record, key, flow, time, egress), send
 *
 * Every packet but a lone RST opens an entry. A SYN does too, so that the totals include it: the kernel bounds new
 * entries a second (config.new_flow_limit), and its LRU evicts entries that saw one packet before those in use.
 */
#ifndef SPIDD_FLOW_H
#define SPIDD_FLOW_H

#include "bpf/parse.h"

/* TCP payload further ahead of what was seen than this is recorded, but does not move next_seq: one forged packet far
 * ahead would make all that follows look like a retransmission. */
#define SPIDD_SEQUENCE_WINDOW (1 << 20)
/* A SYN on a connection that carried payload and was not closed starts anew only after this silence: before, it is
 * more likely forged or delayed than real. */
#define SPIDD_SYN_SILENCE_NS 5000000000ULL

/* What spidd_flow_step() found. */
struct spidd_flow_outcome {
	__u32 first_order;   /* order of the first payload record */
	__u32 first_segment; /* segment that record is about; the following records are about the following segments */
	__u32 records;       /* payload records to send, 0..SPIDD_SIZES_LIMIT; those whose order is SPIDD_RECORD_LIMIT
	                        or more are about sizes only */
	__u8 direction;      /* enum spidd_direction */
	__u8 retransmission; /* the packet's payload was all seen before */
	__u8 end;            /* the flow ended with this packet: send an end record after the payload records */
};

/* Shared fields are changed atomically in the kernel, where the two directions of a flow may run on two CPUs. */
#ifdef __bpf__
#define SPIDD_FETCH_ADD(pointer, value) __sync_fetch_and_add(pointer, value)
#define SPIDD_FETCH_OR(pointer, value)  __sync_fetch_and_or(pointer, value)
#else
SPIDD_INLINE __u32 spidd_fetch_add(__u32 *pointer, __u32 value)
{
	__u32 old = *pointer;

	*pointer = old + value;
	return old;
}

SPIDD_INLINE __u32 spidd_fetch_or(__u32 *pointer, __u32 value)
{
	__u32 old = *pointer;

	*pointer = old | value;
	return old;
}
#define SPIDD_FETCH_ADD(pointer, value) spidd_fetch_add(pointer, value)
#define SPIDD_FETCH_OR(pointer, value)  spidd_fetch_or(pointer, value)
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SPIDD_FLAGS_SHIFT     0
#define SPIDD_SEQ_KNOWN_SHIFT 16
#else
#define SPIDD_FLAGS_SHIFT     24
#define SPIDD_SEQ_KNOWN_SHIFT 8
#endif

/* Sets bits of flags; returns the flags before. */
SPIDD_INLINE __u32 spidd_flow_set_flags(struct spidd_flow *flow, __u32 flags)
{
	return SPIDD_FETCH_OR((__u32 *)(void *)&flow->flags, flags << SPIDD_FLAGS_SHIFT) >> SPIDD_FLAGS_SHIFT;
}

SPIDD_INLINE int spidd_is_syn(const struct spidd_packet *packet)
{
	return packet->protocol == SPIDD_PROTOCOL_TCP &&
	       (packet->tcp_flags & (SPIDD_TCP_SYN | SPIDD_TCP_ACK | SPIDD_TCP_RST)) == SPIDD_TCP_SYN;
}

/* Whether a packet without a flow entry makes one. */
SPIDD_INLINE int spidd_flow_opens(const struct spidd_packet *packet)
{
	return packet->protocol != SPIDD_PROTOCOL_TCP || !(packet->tcp_flags & SPIDD_TCP_RST);
}

/*
 * Whether the first packet of a flow comes from its client: the sender of a SYN or of an echo request, the receiver of
 * a SYN-ACK or of an echo reply; else the first sender, unless it speaks from a port below 1024 to one above.
 */
SPIDD_INLINE int spidd_source_is_client(const struct spidd_packet *packet)
{
	if (packet->protocol == SPIDD_PROTOCOL_ICMP)
		return packet->icmp_type == 8;
	if (packet->protocol == SPIDD_PROTOCOL_ICMP6)
		return packet->icmp_type == 128;
	if (packet->protocol == SPIDD_PROTOCOL_TCP && (packet->tcp_flags & SPIDD_TCP_SYN))
		return !(packet->tcp_flags & SPIDD_TCP_ACK);
	return packet->source_port >= 1024 || packet->destination_port < 1024;
}

/*
 * Makes *flow the new flow that `packet` opens; the packet itself is counted by spidd_flow_step(). The cached drop
 * lookup stays: it is about the key. Requires a zeroed or an old *flow.
 */
SPIDD_INLINE void spidd_flow_init(struct spidd_flow *flow, const struct spidd_packet *packet, __u64 now_ns)
{
	__u8 flags = 0;

	if (!spidd_source_is_client(packet) == !packet->source_is_lo)
		flags |= SPIDD_FLOW_CLIENT_IS_LO;
	if (packet->protocol != SPIDD_PROTOCOL_TCP || (packet->tcp_flags & SPIDD_TCP_SYN))
		flags |= SPIDD_FLOW_START_SEEN;

	flow->start_ns = now_ns;
	flow->last_ns = now_ns;
	flow->packets[0] = 0;
	flow->packets[1] = 0;
	flow->bytes[0] = 0;
	flow->bytes[1] = 0;
	flow->next_seq[0] = 0;
	flow->next_seq[1] = 0;
	flow->payload_packets = 0;
	flow->flags = flags;
	flow->verdict = SPIDD_VERDICT_UNDECIDED;
	flow->seq_known = 0;
	flow->tls = 0;
	flow->tls_next[0] = 0;
	flow->tls_next[1] = 0;
}

/*
 * Whether `packet` starts the five-tuple of *flow anew: after silence, or a SYN on a connection that was closed, whose
 * start was never seen, or that carried payload and then was silent for SPIDD_SYN_SILENCE_NS.
 */
SPIDD_INLINE int spidd_flow_restarts(const struct spidd_flow *flow, const struct spidd_packet *packet, __u64 now_ns,
                                     __u64 udp_idle_ns, __u64 tcp_idle_ns)
{
	/* Another CPU's clock, or a capture's, may have been ahead. */
	__u64 silence = now_ns > flow->last_ns ? now_ns - flow->last_ns : 0;

	if (packet->protocol != SPIDD_PROTOCOL_TCP)
		return silence > udp_idle_ns;
	if (silence > tcp_idle_ns)
		return spidd_flow_opens(packet);
	if (!spidd_is_syn(packet))
		return 0;
	return (flow->flags & SPIDD_FLOW_END_SENT) || !(flow->flags & SPIDD_FLOW_START_SEEN) ||
	       (flow->payload_packets != 0 && silence >= SPIDD_SYN_SILENCE_NS);
}

/*
 * TCP: follows the sequence numbers of the packet's direction. Returns how many of the packet's segments carry payload
 * not seen before; outcome->first_segment is the first of them.
 */
SPIDD_INLINE __u32 spidd_flow_follow_tcp(struct spidd_flow *flow, const struct spidd_packet *packet,
                                         struct spidd_flow_outcome *outcome)
{
	__u32 direction = outcome->direction & 1U;
	__u32 known = (__u32)(flow->seq_known >> direction) & 1U;
	__u32 seq = packet->tcp_seq;
	__u32 next = flow->next_seq[direction];
	__s32 ahead;

	if (packet->tcp_flags & SPIDD_TCP_SYN) {
		seq++;
		/* A connection attempt repeated with another sequence number; with payload seen, not believed. */
		if (!known || flow->payload_packets == 0) {
			next = seq;
			flow->next_seq[direction] = next;
		}
	} else if (packet->payload_length == 0) {
		return 0;
	} else if (!known) {
		next = seq;
	}
	if (!known)
		SPIDD_FETCH_OR((__u32 *)(void *)&flow->flags, 1U << (direction + SPIDD_SEQ_KNOWN_SHIFT));
	if (packet->payload_length == 0 || (packet->tcp_flags & SPIDD_TCP_RST))
		return 0;

	if ((__s32)(seq + packet->payload_length - next) <= 0) {
		outcome->retransmission = 1;
		return 0;
	}
	ahead = (__s32)(seq - next);
	if (ahead <= SPIDD_SEQUENCE_WINDOW)
		flow->next_seq[direction] = seq + packet->payload_length;
	if (ahead < 0 && packet->segments > 1)
		outcome->first_segment = (next - seq) / packet->segment_size;
	return packet->segments - outcome->first_segment;
}

/* How many payload packets of the flow become records. */
SPIDD_INLINE __u32 spidd_flow_record_limit(const struct spidd_flow *flow)
{
	__u8 verdict = flow->verdict;

	if (verdict == SPIDD_VERDICT_SIZES)
		return SPIDD_SIZES_LIMIT;
	return verdict == SPIDD_VERDICT_UNDECIDED ? SPIDD_RECORD_LIMIT : 0;
}

/*
 * Counts the packet into its flow and says what is to be sent. `now_ns` is coarse.
 */
SPIDD_INLINE void spidd_flow_step(struct spidd_flow *flow, const struct spidd_packet *packet, __u64 now_ns,
                                  struct spidd_flow_outcome *outcome)
{
	__u32 flags = flow->flags;
	__u32 direction =
		!(flags & SPIDD_FLOW_CLIENT_IS_LO) == !packet->source_is_lo ? SPIDD_TO_SERVER : SPIDD_TO_CLIENT;
	__u32 fresh, limit, closing = 0;

	outcome->first_order = 0;
	outcome->first_segment = 0;
	outcome->records = 0;
	outcome->direction = (__u8)direction;
	outcome->retransmission = 0;
	outcome->end = 0;

	flow->last_ns = now_ns;
	flow->packets[direction & 1U] += packet->segments;
	flow->bytes[direction & 1U] += packet->wire_bytes;
	if (!(flags & SPIDD_FLOW_ANSWERED) && flow->packets[(direction & 1U) ^ 1U] != 0)
		spidd_flow_set_flags(flow, SPIDD_FLOW_ANSWERED);
	if (flags & SPIDD_FLOW_END_SENT)
		return;

	if (packet->protocol == SPIDD_PROTOCOL_TCP)
		fresh = spidd_flow_follow_tcp(flow, packet, outcome);
	else
		fresh = packet->payload_length != 0 ? packet->segments : 0;

	limit = spidd_flow_record_limit(flow);
	if (fresh != 0 && flow->payload_packets >= limit) {
		flow->payload_packets += fresh;
	} else if (fresh != 0) {
		outcome->first_order = SPIDD_FETCH_ADD(&flow->payload_packets, fresh);
		if (outcome->first_order < limit) {
			outcome->records = limit - outcome->first_order;
			if (outcome->records > fresh)
				outcome->records = fresh;
		}
	}

	if (packet->protocol != SPIDD_PROTOCOL_TCP || !(packet->tcp_flags & (SPIDD_TCP_FIN | SPIDD_TCP_RST)))
		return;
	if (packet->tcp_flags & SPIDD_TCP_RST)
		closing = SPIDD_FLOW_RESET;
	else
		closing = direction == SPIDD_TO_SERVER ? SPIDD_FLOW_FIN_CLIENT : SPIDD_FLOW_FIN_SERVER;
	flags = spidd_flow_set_flags(flow, closing) | closing;
	if ((flags & SPIDD_FLOW_RESET) || (flags & (SPIDD_FLOW_FIN_CLIENT | SPIDD_FLOW_FIN_SERVER)) ==
	                                          (SPIDD_FLOW_FIN_CLIENT | SPIDD_FLOW_FIN_SERVER))
		outcome->end = !(spidd_flow_set_flags(flow, SPIDD_FLOW_END_SENT) & SPIDD_FLOW_END_SENT);
}

/* How many of the payload records of a step carry payload bytes, the first ones. */
SPIDD_INLINE __u32 spidd_records_with_bytes(const struct spidd_flow_outcome *outcome)
{
	__u32 most = outcome->first_order < SPIDD_RECORD_LIMIT ? SPIDD_RECORD_LIMIT - outcome->first_order : 0;

	return outcome->records < most ? outcome->records : most;
}

/* Payload bytes of wire packet `segment` of a packet, and where they begin in its payload. */
SPIDD_INLINE __u32 spidd_segment_length(const struct spidd_packet *packet, __u32 segment)
{
	return segment + 1 < packet->segments ? packet->segment_size
	                                      : packet->payload_length - segment * packet->segment_size;
}

/* In words in the kernel, see spidd_key_tail(): keys of packets and records are aligned there. */
SPIDD_INLINE void spidd_copy_key(struct spidd_flow_key *to, const struct spidd_flow_key *from)
{
#ifdef __bpf__
	const __u64 *words = (const __u64 *)(const void *)from;
	__u64 *out = (__u64 *)(void *)to;

	for (__u32 i = 0; i < sizeof(*to) / sizeof(*out); i++)
		out[i] = words[i];
#else
	*to = *from;
#endif
}

SPIDD_INLINE void spidd_record_common(struct spidd_record *record, const struct spidd_flow_key *key,
                                      const struct spidd_flow *flow, __u64 time_ns, int egress)
{
	__u8 flags = 0;

	if (flow->flags & SPIDD_FLOW_CLIENT_IS_LO)
		flags |= SPIDD_RECORD_CLIENT_IS_LO;
	if (flow->flags & SPIDD_FLOW_START_SEEN)
		flags |= SPIDD_RECORD_START_SEEN;
	if (flow->flags & SPIDD_FLOW_ANSWERED)
		flags |= SPIDD_RECORD_ANSWERED;
	if (egress)
		flags |= SPIDD_RECORD_EGRESS;
	__builtin_memset(record, 0, sizeof(*record));
	record->time_ns = time_ns;
	record->flow_start_ns = flow->start_ns;
	spidd_copy_key(&record->key, key);
	record->flags = flags;
	record->abi_version = SPIDD_ABI_VERSION;
}

/*
 * Fills payload record `index` (below outcome->records) of a packet, all but `captured` and `payload`: unless the
 * record's order is SPIDD_RECORD_LIMIT or more the caller copies the first SPIDD_SNAP bytes of the segment, which begin
 * at payload_offset + segment * segment_size of the frame.
 */
SPIDD_INLINE void spidd_record_payload(struct spidd_record *record, const struct spidd_packet *packet,
                                       const struct spidd_flow *flow, const struct spidd_flow_outcome *outcome,
                                       __u32 index, __u64 time_ns, int egress)
{
	__u32 segment = outcome->first_segment + index;

	spidd_record_common(record, &packet->key, flow, time_ns, egress);
	record->type = SPIDD_RECORD_PAYLOAD;
	record->payload_length = spidd_segment_length(packet, segment);
	record->payload_offset = (__u16)(packet->payload_offset + packet->absent_bytes);
	record->order = (__u16)(outcome->first_order + index);
	record->segment = (__u16)segment;
	record->direction = outcome->direction;
	record->tcp_flags = packet->tcp_flags;
	if (packet->protocol == SPIDD_PROTOCOL_TCP)
		record->tcp_seq = packet->tcp_seq + segment * packet->segment_size;
}

/* Fills the end record of *flow; egress says which hook saw the packet that ended it. */
SPIDD_INLINE void spidd_record_end(struct spidd_record *record, const struct spidd_flow_key *key,
                                   const struct spidd_flow *flow, __u64 time_ns, int egress)
{
	spidd_record_common(record, key, flow, time_ns, egress);
	record->type = SPIDD_RECORD_END;
	record->totals.packets[0] = flow->packets[0];
	record->totals.packets[1] = flow->packets[1];
	record->totals.bytes[0] = flow->bytes[0];
	record->totals.bytes[1] = flow->bytes[1];
	record->totals.last_ns = flow->last_ns;
	record->totals.payload_packets = flow->payload_packets;
	record->totals.flags = flow->flags;
}

#endif /* SPIDD_FLOW_H */
