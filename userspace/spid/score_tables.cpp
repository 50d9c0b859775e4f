// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Computation of the tables: logarithms here, so that matching needs none.
#include "userspace/spid/score_tables.h"

#include <algorithm>
#include <cmath>

#include "userspace/spid/x86_intrinsics.h"

namespace spidd {
namespace {

constexpr double kUniformShare = 0.1;  // of the background; no bin is impossible

std::int16_t to_table_value(double bits) {
  return static_cast<std::int16_t>(
      std::clamp(std::lround(bits * kStepsPerBit), -long{kMaxTableValue}, long{kMaxTableValue}));
}

// Division by multiplication with the reciprocal; exact enough for 16 bits, and the same everywhere.
void weigh_rows(const Fingerprint& flow, std::size_t size, std::uint16_t* rows, std::int16_t* weights) {
  constexpr unsigned kShift = 32;
  constexpr std::uint64_t kHalf = std::uint64_t{1} << (kShift - 1);
  std::array<std::uint64_t, kMeterCount> reciprocals;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const std::uint64_t measurements = flow.measurements[meter];
    reciprocals[meter] = measurements == 0 ? 0 : (std::uint64_t{kWeightOne} << kShift) / measurements;
  }
  for (const RowCount row : std::span(flow.rows).first(size)) {
    *rows++ = row.row;
    *weights++ = static_cast<std::int16_t>((row.count * reciprocals[row.row / kBinsPerMeter] + kHalf) >> kShift);
  }
}

#if defined(__x86_64__)
// With at most so many measurements, floating point rounds to the same weights: count * (4096 / n) is off by less than
// count / 2048, relative to 1 / n, and no weight is nearer than 1 / 2n to a half.
constexpr std::uint32_t kMostForFloat = 1024;

// May write up to 31 rows and weights more.
__attribute__((target("avx512f,avx512bw,avx512vl"))) void weigh_rows_avx512(const Fingerprint& flow, std::size_t size,
                                                                            std::uint16_t* rows,
                                                                            std::int16_t* weights) {
  constexpr std::size_t kLanes = 16;
  constexpr std::size_t kVectors = 3;
  static_assert(kMeterCount > 2 * kLanes && kMeterCount <= kVectors * kLanes && kBinsPerMeter == 256);
  __m512 factors[kVectors];  // by meter
  for (std::size_t v = 0; v < kVectors; ++v) {
    const auto present = static_cast<__mmask16>(v + 1 < kVectors ? 0xffff : (1U << kMeterCount % kLanes) - 1);
    const __m512i measurements = _mm512_maskz_loadu_epi32(present, flow.measurements.data() + v * kLanes);
    if (_mm512_cmpgt_epu32_mask(measurements, _mm512_set1_epi32(kMostForFloat)) != 0)
      return weigh_rows(flow, size, rows, weights);
    factors[v] = _mm512_maskz_div_ps(_mm512_test_epi32_mask(measurements, measurements), _mm512_set1_ps(kWeightOne),
                                     _mm512_cvtepi32_ps(measurements));
  }
  const auto weigh = [&factors](__m512i entries) __attribute__((target("avx512f,avx512bw,avx512vl"))) {
    const __m512i meters = _mm512_srli_epi32(entries, 8);  // in the lowest bits, which are all that choose a lane
    const __mmask16 in_third = _mm512_test_epi32_mask(meters, _mm512_set1_epi32(2 * kLanes));
    const __m512 factor = _mm512_mask_permutexvar_ps(_mm512_permutex2var_ps(factors[0], meters, factors[1]), in_third,
                                                     meters, factors[2]);
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(entries, 16)), factor));
  };
  const __m512i row_mask = _mm512_set1_epi32(0xffff);
  const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);  // packing works within quarters
  for (std::size_t i = 0; i < size; i += 2 * kLanes) {
    const auto present = static_cast<std::uint32_t>(~std::uint32_t{0} >> (2 * kLanes - std::min(2 * kLanes, size - i)));
    const __m512i low = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(present), flow.rows.data() + i);
    const __m512i high =
        _mm512_maskz_loadu_epi32(static_cast<__mmask16>(present >> kLanes), flow.rows.data() + i + kLanes);
    const __m512i packed_rows = _mm512_packus_epi32(_mm512_and_si512(low, row_mask), _mm512_and_si512(high, row_mask));
    const __m512i packed_weights = _mm512_packs_epi32(weigh(low), weigh(high));
    _mm512_storeu_si512(rows + i, _mm512_permutexvar_epi64(in_order, packed_rows));
    _mm512_storeu_si512(weights + i, _mm512_permutexvar_epi64(in_order, packed_weights));
  }
}
#else
constexpr auto weigh_rows_avx512 = weigh_rows;
#endif

}  // namespace

Background::Background(std::span<const ProtocolModel> models, View view) : share_(kRowCount) {
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const auto share = std::span(share_).subspan(meter * kBinsPerMeter, kBinsPerMeter);
    unsigned with_meter = 0;
    for (const ProtocolModel& model : models) {
      if (model.measurements[meter] == 0 || model.view != view || model.provisional) continue;
      ++with_meter;
      const double one = 1 / static_cast<double>(model.measurements[meter]);
      for (unsigned bin = 0; bin < kBinsPerMeter; ++bin)
        share[bin] += one * model.counters[meter * kBinsPerMeter + bin];
    }
    const double mean = with_meter == 0 ? 0 : (1 - kUniformShare) / with_meter;
    for (double& bin : share) bin = bin * mean + kUniformShare / kBinsPerMeter;
  }
}

ScoreBlock::ScoreBlock(std::span<const ProtocolModel* const> models, const Background& background, MeterMask scored)
    : groups_(static_cast<unsigned>((models.size() + kColumnGroup - 1) / kColumnGroup)) {
  const std::size_t columns = groups_ * kColumnGroup;
  table_.reset(new (std::align_val_t(kTableAlignment)) std::int16_t[kRowCount * columns]());
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const unsigned first_row = meter * kBinsPerMeter;
    for (std::size_t column = 0; column < models.size(); ++column) {
      const ProtocolModel& model = *models[column];
      if (model.measurements[meter] == 0 || (scored >> meter & 1) == 0) continue;
      const double total = static_cast<double>(model.measurements[meter]) + kSmoothing;
      const std::int16_t never_seen = to_table_value(std::log2(kSmoothing / total));
      for (unsigned row = first_row; row < first_row + kBinsPerMeter; ++row) {
        const double count = model.counters[row];
        table_[row * columns + column] =
            count == 0 ? never_seen : to_table_value(std::log2((count / background[row] + kSmoothing) / total));
      }
    }
  }
}

FlowWeights::FlowWeights(const Fingerprint& flow, Simd simd)
    : size_(std::min<std::size_t>(flow.rows.size(), kRowCount)) {
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    meters_ |= MeterMask{flow.measurements[meter] != 0} << meter;
  }
  const auto weigh = simd == Simd::avx512 ? weigh_rows_avx512 : weigh_rows;
  weigh(flow, size_, rows_.data(), weights_.data());
  if (size_ % 2 != 0) {
    rows_[size_] = 0;
    weights_[size_++] = 0;
  }
}

MeterMask measured_meters(const ProtocolModel& model) {
  MeterMask mask = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (model.measurements[meter] != 0) mask |= MeterMask{1} << meter;
  }
  return mask;
}

}  // namespace spidd
