// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reading out the bins. A flow has about a thousand bins in use in no pattern that a processor could predict, so the
// fast forms squeeze the zeros out of many bins at a time without a branch.
#include "userspace/spid/meter_bins.h"

#include <algorithm>
#include <cstring>

#include "userspace/spid/x86_intrinsics.h"

namespace spidd {

BinReader::BinReader(Simd simd) : read_(&BinReader::read_scalar) {
#if defined(__x86_64__)
  if (simd == Simd::avx512) read_ = &BinReader::read_avx512;
  if (simd == Simd::avx2) read_ = &BinReader::read_avx2;
#else
  static_cast<void>(simd);
#endif
}

std::span<const RowCount> BinReader::read(AllBins& bins, std::array<std::uint32_t, kMeterCount>& sums) {
  return std::span(rows_).first((this->*read_)(bins, sums));
}

// Writes one row behind the last.
BinReader::Read BinReader::read_meter(MeterBins& bins, unsigned meter, RowCount* out) {
  constexpr unsigned kStep = sizeof(std::uint64_t);  // bins that are passed over together when all are empty
  std::uint32_t sum = 0;
  for (unsigned first = 0; first < kBinsPerMeter; first += kStep) {
    std::uint64_t step = 0;
    std::memcpy(&step, &bins.counts_[first], kStep);
    if (step == 0 && !bins.has_carried_) continue;
    for (unsigned bin = first; bin < first + kStep; ++bin) {
      const auto count = static_cast<std::uint16_t>(bins.counts_[bin] + 256 * bins.carried_[bin]);
      *out = {static_cast<std::uint16_t>(meter * kBinsPerMeter + bin), count};
      out += count != 0 ? 1 : 0;
      sum += count;
    }
  }
  bins.counts_.fill(0);
  if (bins.has_carried_) {
    bins.carried_.fill(0);
    bins.has_carried_ = false;
  }
  return {out, sum};
}

std::size_t BinReader::read_scalar(AllBins& bins, std::array<std::uint32_t, kMeterCount>& sums) {
  RowCount* next = rows_.data();
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const Read read = read_meter(bins[meter], meter, next);
    next = read.end;
    sums[meter] = read.sum;
  }
  return static_cast<std::size_t>(next - rows_.data());
}

#if defined(__x86_64__)
namespace {

// For each set of eight 16-bit lanes: the byte shuffle that moves them to the front, and how many they are.
struct Squeeze {
  alignas(16) std::array<std::array<std::uint8_t, 16>, 256> shuffle{};
  std::array<std::uint8_t, 256> size{};

  constexpr Squeeze() {
    for (unsigned set = 0; set < 256; ++set) {
      for (unsigned lane = 0; lane < 8; ++lane) {
        if ((set >> lane & 1) == 0) continue;
        shuffle[set][2 * size[set]] = static_cast<std::uint8_t>(2 * lane);
        shuffle[set][2 * size[set] + 1] = static_cast<std::uint8_t>(2 * lane + 1);
        ++size[set];
      }
    }
  }
};
constexpr Squeeze kSqueeze;

}  // namespace

__attribute__((target("avx2"))) std::size_t BinReader::read_avx2(AllBins& bins,
                                                                 std::array<std::uint32_t, kMeterCount>& sums) {
  constexpr unsigned kLanes = 8;
  constexpr unsigned kBlock = sizeof(__m256i);  // bins that are passed over together when all are empty
  static_assert(sizeof(RowCount) == 4 && kSlack >= kLanes);
  const __m128i lanes = _mm_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7);
  RowCount* next = rows_.data();
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (bins[meter].has_carried_) [[unlikely]] {
      const Read read = read_meter(bins[meter], meter, next);
      next = read.end;
      sums[meter] = read.sum;
      continue;
    }
    std::uint8_t* counts = bins[meter].counts_.data();
    __m256i sum = _mm256_setzero_si256();
    for (unsigned block = 0; block < kBinsPerMeter; block += kBlock) {
      auto* all = reinterpret_cast<__m256i*>(counts + block);
      const __m256i of_block = _mm256_load_si256(all);
      if (_mm256_testz_si256(of_block, of_block) != 0) continue;
      sum = _mm256_add_epi32(sum, _mm256_sad_epu8(of_block, _mm256_setzero_si256()));
      const auto used_of_block =
          ~static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(of_block, _mm256_setzero_si256())));
      for (unsigned i = 0; i < kBlock; i += kLanes) {
        const unsigned used = used_of_block >> i & 0xff;
        const __m128i count = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(counts + block + i)));
        const __m128i shuffle = _mm_load_si128(reinterpret_cast<const __m128i*>(kSqueeze.shuffle[used].data()));
        const auto first_row = static_cast<short>(meter * kBinsPerMeter + block + i);
        const __m128i rows = _mm_shuffle_epi8(_mm_add_epi16(_mm_set1_epi16(first_row), lanes), shuffle);
        const __m128i squeezed = _mm_shuffle_epi8(count, shuffle);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(next), _mm_unpacklo_epi16(rows, squeezed));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(next + kLanes / 2), _mm_unpackhi_epi16(rows, squeezed));
        next += kSqueeze.size[used];
      }
      _mm256_store_si256(all, _mm256_setzero_si256());
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    sums[meter] = static_cast<std::uint32_t>(_mm_cvtsi128_si32(half));
  }
  return static_cast<std::size_t>(next - rows_.data());
}

// What was carried is added to the rows that the bins are in, and removed from the bins. Its sum.
std::uint32_t BinReader::add_carried(MeterBins& bins, std::span<RowCount> rows) {
  std::uint32_t sum = 0;
  for (RowCount& row : rows) {
    const unsigned carried = 256U * bins.carried_[row.row % kBinsPerMeter];
    row.count = static_cast<std::uint16_t>(row.count + carried);
    sum += carried;
  }
  bins.carried_.fill(0);
  bins.has_carried_ = false;
  return sum;
}

// In two passes: the first squeezes bytes, of all meters, the second makes rows of what is left of them.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi2,popcnt"))) std::size_t BinReader::read_avx512(
    AllBins& bins, std::array<std::uint32_t, kMeterCount>& sums) {
  constexpr unsigned kBlock = sizeof(__m512i);
  constexpr unsigned kLanes = 16;
  static_assert(sizeof(RowCount) == sizeof(std::uint32_t) && offsetof(RowCount, count) == 2);
  static_assert(kSlack >= kBlock && kBinsPerMeter == 4 * kBlock);
  alignas(64) static constexpr std::array<std::uint8_t, kBinsPerMeter> kNumbers = [] {
    std::array<std::uint8_t, kBinsPerMeter> numbers{};
    for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) numbers[bin] = static_cast<std::uint8_t>(bin);
    return numbers;
  }();
  const __m512i ones = _mm512_set1_epi8(1);
  std::array<std::uint16_t, kMeterCount> ends;
  std::size_t size = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    __m512i sum = _mm512_setzero_si512();
    for (unsigned block = 0; block < kBinsPerMeter; block += kBlock) {
      std::uint8_t* counts = &bins[meter].counts_[block];
      const __m512i of_block = _mm512_load_si512(counts);
      __mmask64 used = _mm512_test_epi8_mask(of_block, of_block);
      if (bins[meter].has_carried_) [[unlikely]] {
        const __m512i carried = _mm512_loadu_si512(&bins[meter].carried_[block]);
        used |= _mm512_test_epi8_mask(carried, carried);
      }
      sum = _mm512_dpbusd_epi32(sum, of_block, ones);
      _mm512_storeu_si512(&used_[size], _mm512_maskz_compress_epi8(used, _mm512_load_si512(&kNumbers[block])));
      _mm512_storeu_si512(&counts_[size], _mm512_maskz_compress_epi8(used, of_block));
      _mm512_store_si512(counts, _mm512_setzero_si512());
      size += static_cast<std::size_t>(__builtin_popcountll(used));
    }
    sums[meter] = static_cast<std::uint32_t>(_mm512_reduce_add_epi32(sum));
    ends[meter] = static_cast<std::uint16_t>(size);
  }
  std::size_t next = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const std::size_t first = next;
    const __m512i first_row = _mm512_set1_epi32(static_cast<int>(meter * kBinsPerMeter));
    for (; next < ends[meter]; next += kLanes) {
      const __m512i bin = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(&used_[next])));
      const __m512i count = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(&counts_[next])));
      const __m512i row = _mm512_add_epi32(first_row, bin);
      _mm512_storeu_si512(&rows_[next], _mm512_or_si512(row, _mm512_slli_epi32(count, 16)));
    }
    next = ends[meter];
    if (bins[meter].has_carried_) [[unlikely]]
      sums[meter] += add_carried(bins[meter], std::span(rows_).subspan(first, next - first));
  }
  return size;
}
#endif

}  // namespace spidd
