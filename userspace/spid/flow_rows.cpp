// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/flow_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "userspace/spid/lanes.h"
#include "userspace/spid/x86_intrinsics.h"

namespace spidd {
namespace {

// What a count of one weighs, by the number of measurements. The error of rounding is at most 6 % of a meter's part of
// the score, the same for all models.
struct Weights {
  std::array<std::int16_t, FlowRows::kMostMeasurements + 1> of_one{};

  constexpr Weights() {
    for (unsigned n = 1; n < of_one.size(); ++n) of_one[n] = static_cast<std::int16_t>((kWeightOne + n / 2) / n);
  }
};
constexpr Weights kWeights;

// How often to halve the counts of a meter.
unsigned halvings(std::uint32_t measurements) {
  constexpr auto kMostBits = static_cast<unsigned>(std::bit_width(FlowRows::kMostMeasurements));
  return std::max(static_cast<unsigned>(std::bit_width(measurements)), kMostBits) - kMostBits;
}

}  // namespace

FlowRows::FlowRows(const Fingerprint& flow, Simd simd) {
  for (unsigned meter = 0; meter < kMeterCount; ++meter) meters_ |= MeterMask{flow.measurements[meter] != 0} << meter;
  fill(flow, 0, kMeterCount, simd);
}

FlowRows::FlowRows(const Fingerprint& flow, unsigned meter, Simd simd)
    : meters_(MeterMask{flow.measurements[meter] != 0} << meter) {
  fill(flow, meter, 1, simd);
}

#if defined(__GNUC__) && !defined(__clang__)
// On aarch64, GCC 12 at -O2 takes this for a function without effects and leaves out its calls.
__attribute__((noipa))
#endif
void FlowRows::fill(const Fingerprint& flow, unsigned first_meter, unsigned meters, Simd simd) {
#if defined(__x86_64__)
  if (simd == Simd::avx512) return fill_avx512(flow, first_meter, meters);
#else
  static_cast<void>(simd);
#endif
  const auto sizes = flow.rows.sizes();
  auto first = std::accumulate(sizes.begin(), sizes.begin() + first_meter, std::size_t{0});
  for (unsigned meter = first_meter; meter < first_meter + meters; ++meter) {
    const MeasuredRows::Columns rows = flow.rows.columns().part(first, sizes[meter]);
    if (rows.size() != 0) size_ = add_meter(size_, meter, rows, flow.measurements[meter]);
    first += rows.size();
  }
}

// Its groups behind the `before` rows that there are. The new number.
std::size_t FlowRows::add_meter(std::size_t before, unsigned meter, const MeasuredRows::Columns& rows,
                                std::uint32_t measurements) {
  if (measurements > kMostMeasurements || !rows.carried.empty() || !add_small_counts(before, meter, rows))
    return add_any_counts(before, meter, rows, measurements);
  return end_meter(before, (rows.size() + kRowsTogether - 1) / kRowsTogether * kRowsTogether,
                   kWeights.of_one[measurements]);
}

std::size_t FlowRows::end_meter(std::size_t before, std::size_t size, int weight) {
  std::fill_n(&weights_[before / kRowsTogether], size / kRowsTogether, weight);
  return before + size;
}

// Eight rows at a time. False if a count is above kMaxCount.
bool FlowRows::add_small_counts(std::size_t before, unsigned meter, const MeasuredRows::Columns& rows) {
  constexpr std::size_t kStep = 8;
  const WordLanes first_row = WordLanes{} + static_cast<std::uint16_t>(meter * kBinsPerMeter);
  WordLanes all{};
  for (std::size_t i = 0; i < rows.size(); i += kStep) {
    const std::size_t left = std::min(kStep, rows.size() - i);
    std::array<std::uint8_t, kStep> bins;
    std::array<std::uint8_t, kStep> counts;
    if (left == kStep) {
      std::memcpy(bins.data(), &rows.bins[i], kStep);
      std::memcpy(counts.data(), &rows.counts[i], kStep);
    } else {
      for (std::size_t k = 0; k < kStep; ++k) {
        bins[k] = rows.bins[i + std::min(k, left - 1)];
        counts[k] = k < left ? rows.counts[i + k] : std::uint8_t{0};
      }
    }
    const WordLanes row = widen_lanes(bins.data()) + first_row;
    const WordLanes count = widen_lanes(counts.data());
    all |= count;
    // Of two words with a count each, the bytes of both counts, twice.
    const auto apart = reinterpret_cast<IntLanes>(count);
    const IntLanes pair = (apart | apart >> 8) & 0xffff;
    const IntLanes pairs = pair | pair << 16;
    std::memcpy(&rows_[before + i], &row, sizeof(row));
    std::memcpy(&count_pairs_[(before + i) / 2], &pairs, sizeof(pairs));
  }
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(all);
  return ((halves[0] | halves[1]) & 0x0080008000800080) == 0;
}

// Of counts above kMaxCount, which stand in the list several times, or to be halved.
std::size_t FlowRows::add_any_counts(std::size_t before, unsigned meter, const MeasuredRows::Columns& rows,
                                     std::uint32_t measurements) {
  const unsigned halved = halvings(measurements);
  const unsigned half = (1U << halved) / 2;
  std::array<std::uint8_t, kMostRowsOfMeter + kRowsTogether> counts;
  std::uint16_t* to = &rows_[before];
  std::size_t size = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::uint16_t>(meter * kBinsPerMeter + rows.bins[i]);
    unsigned count = (rows.count(i) + half) >> halved;
    // Of more there is no room, and no need: the counts of a meter are those of its measurements.
    for (; count > kMaxCount && size < kMostRowsOfMeter - kBinsPerMeter; count -= kMaxCount) {
      to[size] = row;
      counts[size++] = kMaxCount;
    }
    to[size] = row;
    counts[size++] = static_cast<std::uint8_t>(std::min(count, kMaxCount));
  }
  std::fill_n(&to[size], kRowsTogether, std::uint16_t{0});
  std::fill_n(&counts[size], kRowsTogether, std::uint8_t{0});
  size = (size + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
  for (std::size_t i = 0; i < size; i += 2)
    count_pairs_[(before + i) / 2] = (counts[i] | static_cast<std::uint32_t>(counts[i + 1]) << 8) * 0x10001;
  return end_meter(before, size, kWeights.of_one[measurements >> halved]);
}

#if defined(__x86_64__)
// 32 rows at a time. What lanes without a row write counts 0, or is overwritten.
__attribute__((target("avx512f,avx512bw,avx512vl"))) void FlowRows::fill_avx512(const Fingerprint& flow,
                                                                                unsigned first_meter, unsigned meters) {
  const MeasuredRows::Columns all = flow.rows.columns();
  const auto row_counts = flow.rows.sizes();
  auto next = std::accumulate(row_counts.begin(), row_counts.begin() + first_meter, std::size_t{0});
  std::size_t size = 0;
  for (unsigned meter = first_meter; meter < first_meter + meters; ++meter) {
    const std::size_t begin = next;
    const std::size_t end = next + row_counts[meter];
    const std::uint32_t measurements = flow.measurements[meter];
    bool is_large = measurements > kMostMeasurements || !all.carried.empty();
    const __m512i first_row = _mm512_set1_epi16(static_cast<short>(meter * kBinsPerMeter));
    const __m256i weights = _mm256_set1_epi32(kWeights.of_one[std::min(measurements, kMostMeasurements)]);
    const std::size_t before = size;
    for (; next < end; next += kLanes) {
      const auto present = static_cast<__mmask32>(~std::uint32_t{0} >> (kLanes - std::min(kLanes, end - next)));
      const __m256i counts = _mm256_maskz_loadu_epi8(present, &all.counts[next]);
      const __m256i bins = _mm256_maskz_loadu_epi8(present, &all.bins[next]);
      const __m512i pairs = _mm512_cvtepu16_epi32(counts);
      is_large |= _mm256_movepi8_mask(counts) != 0;
      _mm512_storeu_si512(&rows_[size], _mm512_add_epi16(_mm512_cvtepu8_epi16(bins), first_row));
      _mm512_storeu_si512(&count_pairs_[size / 2], _mm512_or_si512(pairs, _mm512_slli_epi32(pairs, 16)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(&weights_[size / kRowsTogether]), weights);
      size += kLanes;
    }
    next = end;
    size = before + (end - begin + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
    if (!is_large) continue;
    if (begin != end) size = add_meter(before, meter, all.part(begin, end - begin), measurements);
  }
  size_ = size;
}
#endif

}  // namespace spidd
