// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/flow_rows.h"

#include <algorithm>
#include <bit>

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
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    meters_ |= MeterMask{flow.measurements[meter] != 0} << meter;
  }
  fill(flow.rows, flow.measurements, simd);
}

FlowRows::FlowRows(const Fingerprint& flow, unsigned meter, Simd simd)
    : meters_(MeterMask{flow.measurements[meter] != 0} << meter) {
  const auto rows =
      std::ranges::equal_range(flow.rows, meter, {}, [](const RowCount& entry) { return entry.row / kBinsPerMeter; });
  fill(std::span(rows.begin(), rows.end()), flow.measurements, simd);
}

void FlowRows::fill(std::span<const RowCount> rows, const Measurements& measurements, Simd simd) {
  rows = rows.first(std::min<std::size_t>(rows.size(), kRowCount));
  if (rows.empty() || (simd == Simd::avx512 && fill_avx512(rows, measurements))) return;
  fill_plain(rows, measurements);
}

// Behind the `size` rows there are. The new number.
std::size_t FlowRows::add(std::size_t size, std::uint16_t row, unsigned count) {
  for (; count > kMaxCount && size < kMostRows; count -= kMaxCount) {
    rows_[size] = row;
    counts_[size++] = kMaxCount;
  }
  rows_[size] = row;
  counts_[size++] = static_cast<std::uint8_t>(std::min(count, kMaxCount));
  return size;
}

// Fills up the last group and gives those from row `first` on their weight. The new number of rows.
std::size_t FlowRows::end_group(std::size_t first, std::size_t size, int weight) {
  std::fill_n(&rows_[size], kRowsTogether, std::uint16_t{0});
  std::fill_n(&counts_[size], kRowsTogether, std::uint8_t{0});
  size = (size + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
  std::fill(&weights_[first / kRowsTogether], &weights_[size / kRowsTogether], static_cast<std::int16_t>(weight));
  return size;
}

void FlowRows::fill_plain(std::span<const RowCount> rows, const Measurements& measurements) {
  std::size_t size = 0;
  for (std::size_t next = 0; next < rows.size() && size < kMostRows;) {
    const unsigned meter = rows[next].row / kBinsPerMeter;
    const unsigned halved = halvings(measurements[meter]);
    const unsigned half = (1U << halved) / 2;
    const std::size_t first = size;
    const std::size_t end = std::min(rows.size(), next + kBinsPerMeter);
    for (; next < end && size < kMostRows && rows[next].row / kBinsPerMeter == meter; ++next)
      size = add(size, rows[next].row, (rows[next].count + half) >> halved);
    size = end_group(first, size, kWeights.of_one[measurements[meter] >> halved]);
  }
  size_ = size;
}

#if defined(__x86_64__)
namespace {

// Steps of rows of one meter, at most 16: the entry behind the last of each, and how many. May write up to 15 more.
// Found beforehand, because to look for the next meter while rows are listed keeps every step waiting for the last.
__attribute__((target("avx512f,popcnt"))) std::size_t find_steps(std::span<const RowCount> rows, std::uint32_t* ends) {
  constexpr std::size_t kStep = 16;
  const __m512i meter_bits = _mm512_set1_epi32(0xff00);
  __m512i number = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
  std::size_t found = 0;
  for (std::size_t i = 0; i + 1 < rows.size(); i += kStep) {
    const auto present = static_cast<__mmask16>(0xffffU >> (kStep - std::min(kStep, rows.size() - 1 - i)));
    const __m512i row = _mm512_maskz_loadu_epi32(present, rows.data() + i);
    const __m512i next = _mm512_maskz_loadu_epi32(present, rows.data() + i + 1);
    const unsigned other_meter = _mm512_test_epi32_mask(_mm512_xor_si512(row, next), meter_bits);
    const unsigned last = other_meter | (present & 1U << (kStep - 1));
    _mm512_storeu_si512(ends + found, _mm512_maskz_compress_epi32(static_cast<__mmask16>(last), number));
    found += static_cast<std::size_t>(__builtin_popcount(last));
    number = _mm512_add_epi32(number, _mm512_set1_epi32(kStep));
  }
  ends[found++] = static_cast<std::uint32_t>(rows.size());
  return found;
}

}  // namespace

// False where counts would have to be halved.
__attribute__((target("avx512f,avx512bw,avx512vl"))) bool FlowRows::fill_avx512(std::span<const RowCount> rows,
                                                                                const Measurements& measurements) {
  std::array<std::uint32_t, kMeterCount + kRowCount / kLanes + kLanes> ends;
  const std::size_t steps = find_steps(rows, ends.data());
  std::size_t size = 0;
  std::size_t next = 0;
  for (const std::size_t end : std::span(ends).first(steps)) {
    const std::uint32_t measured = measurements[rows[next].row / kBinsPerMeter];
    if (measured > kMostMeasurements || size >= kMostRows) return false;
    const auto present = static_cast<__mmask16>(0xffffU >> (kLanes - (end - next)));
    const __m512i entries = _mm512_maskz_loadu_epi32(present, rows.data() + next);
    const __m512i counts = _mm512_srli_epi32(entries, 16);
    const int weight = kWeights.of_one[measured];
    const std::size_t first = size;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(&rows_[size]), _mm512_cvtepi32_epi16(entries));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&counts_[size]),
                     _mm512_cvtepi32_epi8(_mm512_min_epu32(counts, _mm512_set1_epi32(kMaxCount))));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(&weights_[size / kRowsTogether]),
                     _mm_set1_epi16(static_cast<short>(weight)));
    if (_mm512_cmpgt_epu32_mask(counts, _mm512_set1_epi32(kMaxCount)) == 0) [[likely]] {
      size += (end - next + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
    } else {
      for (const RowCount entry : rows.subspan(next, end - next)) size = add(size, entry.row, entry.count);
      size = end_group(first, size, weight);
    }
    next = end;
  }
  size_ = size;
  return true;
}
#else
bool FlowRows::fill_avx512(std::span<const RowCount>, const Measurements&) { return false; }
#endif

}  // namespace spidd
