// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The attribute meters, one function each, in files by theme. A meter sees the whole flow and counts into empty
// bins. Meters whose corrected form differs from the original are templates over the rules; README.md lists the
// differences. Private to spid/.
#pragma once

#include "userspace/spid/meter_functions.h"

namespace spidd {

// length_meters.cpp
void measure_accumulated_direction_bytes(const MeteredFlow& flow, MeterBins& bins);
void measure_direction_packet_length(const MeteredFlow& flow, MeterBins& bins);
void measure_direction_packet_size_change(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_inter_packet_delay(const MeteredFlow& flow, MeterBins& bins);
void measure_first4_packet_size(const MeteredFlow& flow, MeterBins& bins);
void measure_packet_length(const MeteredFlow& flow, MeterBins& bins);
void measure_packet_pair_length_primes(const MeteredFlow& flow, MeterBins& bins);

// byte_meters.cpp
void count_bytes(std::span<const PayloadPacket> packets, std::span<ByteCounts> counts);
void measure_byte_frequency(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_byte_frequency_of_first_bytes(const MeteredFlow& flow, MeterBins& bins);
void measure_byte_value_offset_hash(const MeteredFlow& flow, MeterBins& bins);
void measure_direction_byte_frequency(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_first4_byte_frequency(const MeteredFlow& flow, MeterBins& bins);
void measure_byte_reoccurring_distance(const MeteredFlow& flow, MeterBins& bins);

// bit_meters.cpp
void measure_byte_bit_value(const MeteredFlow& flow, MeterBins& bins);
void measure_first2_bit_positions(const MeteredFlow& flow, MeterBins& bins);
void measure_first_bit_positions(const MeteredFlow& flow, MeterBins& bins);
void measure_first_server_bit_positions(const MeteredFlow& flow, MeterBins& bins);

// nibble_meters.cpp
void measure_first2_byte_nibbles(const MeteredFlow& flow, MeterBins& bins);
void measure_first4_direction_byte_nibbles(const MeteredFlow& flow, MeterBins& bins);
void measure_first4_ordered_byte_nibbles(const MeteredFlow& flow, MeterBins& bins);
void measure_first_of_direction_byte_nibbles(const MeteredFlow& flow, MeterBins& bins);
void measure_nibble_position_frequency(const MeteredFlow& flow, MeterBins& bins);
void measure_nibble_position_popularity(const MeteredFlow& flow, MeterBins& bins);

// pair_meters.cpp
WordOverlap compare_words(const PayloadPacket* before, const PayloadPacket& packet, Simd simd);
void measure_recurring_pair_count(const MeteredFlow& flow, MeterBins& bins);
void measure_recurring_pairs(const MeteredFlow& flow, MeterBins& bins);
void measure_recurring_pair_offsets(const MeteredFlow& flow, MeterBins& bins);
void measure_first16_byte_pairs(const MeteredFlow& flow, MeterBins& bins);

// hash_meters.cpp
template <MeterRules kRules>
void measure_first_words(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_first16_byte_hash_counts(const MeteredFlow& flow, MeterBins& bins);
void measure_first3_byte_hash_and_length(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_first8_byte_hash_direction_counts(const MeteredFlow& flow, MeterBins& bins);

// exchange_meters.cpp
template <MeterRules kRules>
void measure_action_reaction(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_first5_byte_differences(const MeteredFlow& flow, MeterBins& bins);
template <MeterRules kRules>
void measure_first32_byte_equality(const MeteredFlow& flow, MeterBins& bins);

// shape_meters.cpp
ByteShares shares_of(const PayloadPacket& packet);
void measure_first_packet_randomness(const MeteredFlow& flow, MeterBins& bins);
void measure_packet_randomness(const MeteredFlow& flow, MeterBins& bins);
void measure_packet_length_pairs(const MeteredFlow& flow, MeterBins& bins);
void measure_burst_bytes(const MeteredFlow& flow, MeterBins& bins);
void measure_burst_pairs(const MeteredFlow& flow, MeterBins& bins);
void measure_length_fields(const MeteredFlow& flow, MeterBins& bins);
void measure_packet_length_modulo_16(const MeteredFlow& flow, MeterBins& bins);

// record_meters.cpp
void measure_tls_record_sizes(const MeteredFlow& flow, MeterBins& bins);
void measure_tls_first_record_sizes(const MeteredFlow& flow, MeterBins& bins);
void measure_tls_record_size_pairs(const MeteredFlow& flow, MeterBins& bins);
void measure_tls_burst_triples(const MeteredFlow& flow, MeterBins& bins);

}  // namespace spidd
