// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The table of the meters, and the run of all of them over a flow.
#include "userspace/spid/attribute_meter.h"

#include <algorithm>

#include "userspace/spid/meters.h"
#include "userspace/spid/strict_tails.h"

namespace spidd {
namespace {

struct Meter {
  std::string_view name;
  std::array<MeterFunction, 2> measure;  // by MeterRules

  constexpr Meter(std::string_view meter, MeterFunction both) : name(meter), measure{both, both} {}
  constexpr Meter(std::string_view meter, MeterFunction corrected, MeterFunction strict)
      : name(meter), measure{corrected, strict} {}
};

static_assert(static_cast<unsigned>(MeterRules::corrected) == 0 && static_cast<unsigned>(MeterRules::strict) == 1);

// Both forms of a meter whose corrected form differs from the original.
#define SPIDD_BOTH_RULES(function) function<MeterRules::corrected>, function<MeterRules::strict>

// The position is the meter's number. Names of the first 34 are the original's, misspellings included.
constexpr std::array<Meter, kMeterCount> kMeters = {{
    {"AccumulatedDirectionBytes", measure_accumulated_direction_bytes},
    {"ActionReactionFirst3ByteHash", SPIDD_BOTH_RULES(measure_action_reaction)},
    {"ByteBitValue", measure_byte_bit_value},
    {"ByteFrequency", measure_byte_frequency},
    {"ByteFrequencyOfFirstPacketBytes", SPIDD_BOTH_RULES(measure_byte_frequency_of_first_bytes)},
    {"BytePairsReocurringCountIn32FirstBytes", measure_recurring_pair_count},
    {"BytePairsReocurringIn32FirstBytes", measure_recurring_pairs},
    {"BytePairsReocurringOffsetsIn32FirstBytes", measure_recurring_pair_offsets},
    {"ByteValueOffsetHashOfFirst32BytesInFirst4Packets", measure_byte_value_offset_hash},
    {"DirectionByteFrequency", measure_direction_byte_frequency},
    {"DirectionPacketLengthDistribution", measure_direction_packet_length},
    {"DirectionPacketSizeChange", measure_direction_packet_size_change},
    {"First2OrderedFirst4CharWords", SPIDD_BOTH_RULES(measure_first_words)},
    {"First2OrderedFirstBitPositions", measure_first2_bit_positions},
    {"First2OrderedPacketsFirstNByteNibbles", measure_first2_byte_nibbles},
    {"First2PacketsFirst16ByteHashCounts", SPIDD_BOTH_RULES(measure_first16_byte_hash_counts)},
    {"First2PacketsFirst3ByteHashAndPacketLength", measure_first3_byte_hash_and_length},
    {"First2PacketsFirst8ByteHashDirectionCounts", SPIDD_BOTH_RULES(measure_first8_byte_hash_direction_counts)},
    {"First2PacketsPerDirectionFirst5BytesDifferences", SPIDD_BOTH_RULES(measure_first5_byte_differences)},
    {"First4DirectionFirstNByteNibbles", measure_first4_direction_byte_nibbles},
    {"First4OrderedDirectionFirstNByteNibbles", measure_first4_ordered_byte_nibbles},
    {"First4OrderedDirectionInterPacketDelay", SPIDD_BOTH_RULES(measure_inter_packet_delay)},
    {"First4OrderedDirectionPacketSize", measure_first4_packet_size},
    {"First4PacketsByteFrequency", SPIDD_BOTH_RULES(measure_first4_byte_frequency)},
    {"First4PacketsByteReoccurringDistanceWithByteHash", measure_byte_reoccurring_distance},
    {"First4PacketsFirst16BytePairs", measure_first16_byte_pairs},
    {"First4PacketsFirst32BytesEquality", SPIDD_BOTH_RULES(measure_first32_byte_equality)},
    {"FirstBitPositions", measure_first_bit_positions},
    {"FirstPacketPerDirectionFirstNByteNibbles", measure_first_of_direction_byte_nibbles},
    {"FirstServerPacketFirstBitPositions", measure_first_server_bit_positions},
    {"NibblePositionFrequency", measure_nibble_position_frequency},
    {"NibblePositionPopularity", measure_nibble_position_popularity},
    {"PacketLengthDistribution", measure_packet_length},
    {"PacketPairLengthPrimes", measure_packet_pair_length_primes},
    // Our own from here on.
    {"FirstPacketRandomness", measure_first_packet_randomness},
    {"PacketRandomness", measure_packet_randomness},
    {"PacketLengthPairs", measure_packet_length_pairs},
    {"BurstBytes", measure_burst_bytes},
    {"BurstPairs", measure_burst_pairs},
    {"LengthFields", measure_length_fields},
    {"PacketLengthModulo16", measure_packet_length_modulo_16},
    {"TlsRecordSizes", measure_tls_record_sizes},
    {"TlsFirstRecordSizes", measure_tls_first_record_sizes},
    {"TlsRecordSizePairs", measure_tls_record_size_pairs},
    {"TlsBurstTriples", measure_tls_burst_triples},
}};

#undef SPIDD_BOTH_RULES

}  // namespace

std::string_view meter_name(unsigned meter) { return kMeters[meter].name; }

void Fingerprint::clear() {
  rows.clear();
  measurements.fill(0);
  payload_packets = 0;
}

struct AttributeMeters::Scratch {
  Scratch(MeterRules meter_rules, Simd instructions) : rules(meter_rules), simd(instructions), reader(instructions) {}

  MeterRules rules;
  Simd simd;
  AllBins bins;
  BinReader reader;
  std::array<WordOverlap, kMaxMeasuredPackets> overlaps;
  std::array<ByteCounts, kSharedPackets> byte_counts;
  std::array<ByteShares, kSharedPackets> shares;
};

AttributeMeters::AttributeMeters(MeterRules rules, Simd simd) : scratch_(std::make_unique<Scratch>(rules, simd)) {}
AttributeMeters::~AttributeMeters() = default;
AttributeMeters::AttributeMeters(AttributeMeters&&) noexcept = default;
AttributeMeters& AttributeMeters::operator=(AttributeMeters&&) noexcept = default;

void AttributeMeters::measure(std::span<const PayloadPacket> packets, Fingerprint& out,
                              std::span<const PayloadTail> tails) {
  packets = packets.first(std::min<std::size_t>(packets.size(), kMaxMeasuredPackets));
  const PayloadPacket* before = nullptr;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    scratch_->overlaps[i] = compare_words(before, packets[i], scratch_->simd);
    before = &packets[i];
  }
  const std::size_t shared = std::min(packets.size(), kSharedPackets);
  count_bytes(packets.first(shared), scratch_->byte_counts);
  for (std::size_t i = 0; i < shared; ++i) scratch_->shares[i] = shares_of(packets[i]);

  const MeteredFlow flow{packets, std::span(scratch_->overlaps).first(packets.size()),
                         std::span(scratch_->byte_counts).first(shared), std::span(scratch_->shares).first(shared),
                         scratch_->simd};
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    kMeters[meter].measure[static_cast<unsigned>(scratch_->rules)](flow, scratch_->bins[meter]);
  }
  if (scratch_->rules == MeterRules::strict)
    add_tails(packets, tails.first(std::min(tails.size(), packets.size())), scratch_->bins);
  scratch_->reader.read(scratch_->bins, out);
  out.payload_packets = static_cast<unsigned>(packets.size());
}

}  // namespace spidd
