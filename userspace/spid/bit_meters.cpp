// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Attribute meters of bit values. Bits are numbered from the least significant of each byte, as in the original.
#include <bit>
#include <cstring>

#include "userspace/spid/meters.h"
#include "userspace/spid/x86_intrinsics.h"

namespace spidd {
namespace {

// The bits of every byte value as eight bytes of 0 or 1, bit 0 first: adding them up counts eight bits at a time.
struct SpreadBits {
  std::array<std::array<std::uint8_t, 8>, 256> bits{};

  constexpr SpreadBits() {
    for (unsigned byte = 0; byte < bits.size(); ++byte) {
      for (unsigned bit = 0; bit < 8; ++bit) bits[byte][bit] = byte >> bit & 1;
    }
  }
  std::uint64_t operator[](std::uint8_t byte) const { return std::bit_cast<std::uint64_t>(bits[byte]); }
};
constexpr SpreadBits kSpreadBits;
constexpr std::uint64_t kAllOnes = 0x0101010101010101;  // kSpreadBits[0xff]

// Counts how often each bit of the first kBytes was set and clear, over at most 255 packets.
template <std::size_t kBytes>
void add_bits_plain(std::span<const PayloadPacket> packets, unsigned first_set, unsigned first_clear, MeterBins& bins) {
  std::array<std::uint64_t, kBytes> set{};
  std::array<std::uint64_t, kBytes> clear{};
  std::array<std::uint8_t, kBytes + 1> packets_of_size{};
  for (const PayloadPacket& packet : packets) ++packets_of_size[payload_of(packet, kBytes).size()];
  std::uint64_t present = 0;  // packets that have the byte, for each of its bits
  for (std::size_t i = kBytes; i-- > 0;) {
    present += packets_of_size[i + 1] * kAllOnes;
    for (const PayloadPacket& packet : packets) set[i] += kSpreadBits[packet.bytes[i]];  // zeros beyond the payload
    clear[i] = present - set[i];
  }
  using Counts = std::array<std::uint8_t, 8 * kBytes>;
  bins.add_range(first_set, std::bit_cast<Counts>(set));
  bins.add_range(first_clear, std::bit_cast<Counts>(clear));
}

#if defined(__x86_64__)
// 64 bits at a time are the mask of what to add one to.
template <std::size_t kBytes>
__attribute__((target("avx512f,avx512bw"))) void add_bits_avx512(std::span<const PayloadPacket> packets,
                                                                 unsigned first_set, unsigned first_clear,
                                                                 MeterBins& bins) {
  constexpr std::size_t kStep = sizeof(std::uint64_t);
  const __m512i one = _mm512_set1_epi8(1);
  for (std::size_t first = 0; first < kBytes; first += kStep) {
    __m512i set = _mm512_setzero_si512();
    __m512i clear = _mm512_setzero_si512();
    for (const PayloadPacket& packet : packets) {
      const std::size_t size = payload_of(packet, first + kStep).size();
      if (size <= first) continue;
      const std::uint64_t present = ~std::uint64_t{0} >> (8 * (first + kStep - size));
      std::uint64_t bits;
      std::memcpy(&bits, &packet.bytes[first], kStep);
      set = _mm512_mask_add_epi8(set, bits, set, one);
      clear = _mm512_mask_add_epi8(clear, present & ~bits, clear, one);
    }
    std::uint8_t* of_set = bins.bytes() + first_set + 8 * first;
    std::uint8_t* of_clear = bins.bytes() + first_clear + 8 * first;
    _mm512_storeu_si512(of_set, _mm512_add_epi8(_mm512_loadu_si512(of_set), set));
    _mm512_storeu_si512(of_clear, _mm512_add_epi8(_mm512_loadu_si512(of_clear), clear));
  }
}
#endif

template <std::size_t kBytes>
void add_bits([[maybe_unused]] const MeteredFlow& flow, std::span<const PayloadPacket> packets, unsigned first_set,
              unsigned first_clear, MeterBins& bins) {
#if defined(__x86_64__)
  if (flow.simd == Simd::avx512) return add_bits_avx512<kBytes>(packets, first_set, first_clear, bins);
#endif
  add_bits_plain<kBytes>(packets, first_set, first_clear, bins);
}

constexpr std::size_t kPositions = 16;  // bytes of #27 and #29: 128 bits, set in bins 0..127, clear in 128..255

// floor(15 x / size) for x <= size without a division.
constexpr std::size_t kShareBytes = 32;
struct Fifteenths {
  std::array<std::uint32_t, kShareBytes + 1> factor{};

  constexpr Fifteenths() {
    for (std::uint32_t size = 1; size < factor.size(); ++size) factor[size] = 15 * 0x10000 / size + 1;
  }
  constexpr std::uint32_t operator()(std::uint32_t x, std::size_t size) const { return x * factor[size] >> 16; }

  constexpr bool are_exact() const {
    for (std::uint32_t size = 1; size < factor.size(); ++size) {
      for (std::uint32_t x = 0; x <= size; ++x) {
        if ((*this)(x, size) != 15 * x / size) return false;
      }
    }
    return true;
  }
};
constexpr Fifteenths kFifteenths;
static_assert(kFifteenths.are_exact());

#if defined(__x86_64__)
// A bit of all bytes is a mask that is counted at once.
__attribute__((target("avx2,popcnt"))) void measure_byte_bit_value_avx2(const MeteredFlow& flow, MeterBins& bins) {
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    const std::size_t size = payload_of(packet, kShareBytes).size();
    if (size == 0) continue;
    const std::uint32_t factor = kFifteenths.factor[size];
    unsigned bin = 128 * direction_index(packet) + 16 * 7;
    __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packet.bytes.data()));
    for (unsigned bit = 8; bit-- > 0;) {
      const auto set = static_cast<unsigned>(__builtin_popcount(static_cast<unsigned>(_mm256_movemask_epi8(bytes))));
      bins.add(bin + ((static_cast<std::uint32_t>(size) - set) * factor >> 16));
      bin -= 16;
      bytes = _mm256_add_epi8(bytes, bytes);  // the next lower bit to the top
    }
  }
}
#endif

}  // namespace

// SPID 1.8 #2: share of zeros at each bit of the first 32 bytes, in sixteenths, by direction; first eight packets.
void measure_byte_bit_value(const MeteredFlow& flow, MeterBins& bins) {
#if defined(__x86_64__)
  if (flow.simd == Simd::avx512 || flow.simd == Simd::avx2) return measure_byte_bit_value_avx2(flow, bins);
#endif
  for (const PayloadPacket& packet : first_packets(flow, 8)) {
    const std::size_t size = payload_of(packet, kShareBytes).size();
    if (size == 0) continue;
    std::uint64_t set = 0;
    for (std::size_t i = 0; i < kShareBytes; ++i) set += kSpreadBits[packet.bytes[i]];  // zeros beyond the payload
    unsigned base = 128 * direction_index(packet);
    for (const std::uint8_t zeros : std::bit_cast<std::array<std::uint8_t, 8>>(size * kAllOnes - set)) {
      bins.add(base + kFifteenths(zeros, size));
      base += 16;
    }
  }
}

// SPID 1.8 #13: every bit of the first 8 bytes of the first two packets, by order.
void measure_first2_bit_positions(const MeteredFlow& flow, MeterBins& bins) {
  unsigned base = 0;
  for (const PayloadPacket& packet : first_packets(flow, 2)) {
    add_bits<8>(flow, std::span(&packet, 1), base, base + 64, bins);
    base += 128;
  }
}

// SPID 1.8 #27: every bit of the first 16 bytes of the first eight packets.
void measure_first_bit_positions(const MeteredFlow& flow, MeterBins& bins) {
  add_bits<kPositions>(flow, first_packets(flow, 8), 0, 128, bins);
}

// SPID 1.8 #29: the same of the server's first packet only.
void measure_first_server_bit_positions(const MeteredFlow& flow, MeterBins& bins) {
  const auto first = std::find_if(flow.packets.begin(), flow.packets.end(), from_server);
  if (first != flow.packets.end()) add_bits<kPositions>(flow, std::span(first, 1), 0, 128, bins);
}

}  // namespace spidd
