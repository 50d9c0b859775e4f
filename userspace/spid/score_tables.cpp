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
constexpr unsigned kWeightShift = 32;
using Reciprocals = std::array<std::uint64_t, kMeterCount>;

void weigh_rows(std::span<const RowCount> flow, const Reciprocals& reciprocals, std::uint16_t* rows,
                std::int16_t* weights) {
  constexpr std::uint64_t kHalf = std::uint64_t{1} << (kWeightShift - 1);
  for (const RowCount row : flow) {
    *rows++ = row.row;
    *weights++ = static_cast<std::int16_t>((row.count * reciprocals[row.row / kBinsPerMeter] + kHalf) >> kWeightShift);
  }
}

#if defined(__x86_64__)
// May write up to seven rows and weights more.
__attribute__((target("avx512f,avx512dq,avx512vl"))) void weigh_rows_avx512(std::span<const RowCount> flow,
                                                                            const Reciprocals& reciprocals,
                                                                            std::uint16_t* rows,
                                                                            std::int16_t* weights) {
  constexpr std::size_t kLanes = 8;
  static_assert(kBinsPerMeter == 256);
  const __m512i half = _mm512_set1_epi64(std::int64_t{1} << (kWeightShift - 1));
  for (std::size_t i = 0; i < flow.size(); i += kLanes) {
    const auto present = static_cast<__mmask8>(0xff >> (kLanes - std::min(kLanes, flow.size() - i)));
    const __m256i entries = _mm256_maskz_loadu_epi32(present, flow.data() + i);
    const __m256i meters = _mm256_and_si256(_mm256_srli_epi32(entries, 8), _mm256_set1_epi32(0xff));
    const __m512i counts = _mm512_cvtepu32_epi64(_mm256_srli_epi32(entries, 16));
    const __m512i factors = _mm512_i32gather_epi64(meters, reciprocals.data(), sizeof(std::uint64_t));
    const __m512i weight = _mm512_srli_epi64(_mm512_add_epi64(_mm512_mullo_epi64(counts, factors), half), kWeightShift);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rows + i), _mm256_cvtepi32_epi16(entries));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(weights + i), _mm512_cvtepi64_epi16(weight));
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

ScoreBlock::ScoreBlock(std::span<const ProtocolModel* const> models, const Background& background)
    : groups_(static_cast<unsigned>((models.size() + kColumnGroup - 1) / kColumnGroup)) {
  const std::size_t columns = groups_ * kColumnGroup;
  table_.reset(new (std::align_val_t(kTableAlignment)) std::int16_t[kRowCount * columns]());
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const unsigned first_row = meter * kBinsPerMeter;
    for (std::size_t column = 0; column < models.size(); ++column) {
      const ProtocolModel& model = *models[column];
      if (model.measurements[meter] == 0 || !is_scored(meter)) continue;
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

FlowWeights::FlowWeights(const Fingerprint& flow, Simd simd) {
  Reciprocals reciprocals;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const std::uint64_t measurements = flow.measurements[meter];
    reciprocals[meter] = measurements == 0 ? 0 : (std::uint64_t{kWeightOne} << kWeightShift) / measurements;
    if (measurements != 0) meters_ |= MeterMask{1} << meter;
  }
  size_ = std::min<std::size_t>(flow.rows.size(), kRowCount);
  const auto weigh = simd == Simd::avx512 ? weigh_rows_avx512 : weigh_rows;
  weigh(std::span(flow.rows).first(size_), reciprocals, rows_.data(), weights_.data());
  if (size_ % 2 != 0) {
    rows_[size_] = 0;
    weights_[size_++] = 0;
  }
}

MeterMask measured_meters(const ProtocolModel& model) {
  MeterMask mask = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (model.measurements[meter] != 0 && is_scored(meter)) mask |= MeterMask{1} << meter;
  }
  return mask;
}

float to_score(std::int32_t sum, unsigned meters) {
  return static_cast<float>(sum / (double{kWeightOne} * kStepsPerBit * meters));
}

}  // namespace spidd
