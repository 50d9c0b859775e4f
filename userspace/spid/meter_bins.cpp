// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reading out the bins. A flow has more than a thousand bins in use in no pattern that a processor could predict, so
// the fast forms squeeze the zeros out of many bins at a time without a branch.
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

void BinReader::read(AllBins& bins, Fingerprint& out) {
  const std::size_t carried = take_carried(bins);
  const std::size_t size = (this->*read_)(bins, out.measurements);
  if (carried != 0) put_carried(carried, size, out.measurements);
  out.rows.assign({std::span(bins_).first(size), std::span(counts_).first(size),
                   std::span(carried_).first(carried != 0 ? size : 0)},
                  sizes_);
}

// What was carried, apart, so that the rest of the bins can be read without it; the number. A bin that has nothing else
// is given a count of one, so that it is read.
std::size_t BinReader::take_carried(AllBins& bins) {
  std::size_t size = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    MeterBins& from = bins[meter];
    if (!from.has_carried_) continue;
    for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) {
      if (from.carried_[bin] == 0) continue;
      taken_[size++] = {static_cast<std::uint8_t>(meter), static_cast<std::uint8_t>(bin), from.carried_[bin],
                        from.counts_[bin] == 0};
      if (from.counts_[bin] == 0) from.counts_[bin] = 1;
    }
    from.carried_.fill(0);
    from.has_carried_ = false;
  }
  return size;
}

void BinReader::put_carried(std::size_t carried, std::size_t size, Sums& sums) {
  std::fill_n(carried_.begin(), size, std::uint8_t{0});
  std::size_t first = 0;  // row of the meter
  unsigned meter = 0;
  for (const Carried& taken : std::span(taken_).first(carried)) {
    for (; meter < taken.meter; ++meter) first += sizes_[meter];
    const auto rows = std::span(bins_).subspan(first, sizes_[meter]);
    const auto at = first + static_cast<std::size_t>(std::ranges::lower_bound(rows, taken.bin) - rows.begin());
    carried_[at] = taken.count;
    sums[meter] += 256U * taken.count;
    if (!taken.alone) continue;
    counts_[at] = 0;
    --sums[meter];
  }
}

std::size_t BinReader::read_scalar(AllBins& bins, Sums& sums) {
  constexpr unsigned kStep = sizeof(std::uint64_t);  // bins that are passed over together when all are empty
  std::size_t next = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    std::uint8_t* counts = bins[meter].counts_.data();
    const std::size_t first_row = next;
    std::uint32_t sum = 0;
    for (unsigned first = 0; first < kBinsPerMeter; first += kStep) {
      std::uint64_t step = 0;
      std::memcpy(&step, counts + first, kStep);
      if (step == 0) continue;
      for (unsigned i = 0; i < kStep; ++i) {
        const std::uint8_t count = step >> (8 * i) & 0xff;
        bins_[next] = static_cast<std::uint8_t>(first + i);
        counts_[next] = count;
        next += count != 0 ? 1 : 0;
        sum += count;
      }
    }
    std::memset(counts, 0, kBinsPerMeter);
    sums[meter] = sum;
    sizes_[meter] = static_cast<std::uint16_t>(next - first_row);
  }
  return next;
}

#if defined(__x86_64__)
namespace {

// For each set of eight bytes: the shuffle that moves them to the front, and how many they are.
struct Squeeze {
  std::array<std::array<std::uint8_t, 8>, 256> shuffle{};
  std::array<std::uint8_t, 256> size{};

  constexpr Squeeze() {
    for (unsigned set = 0; set < 256; ++set) {
      for (unsigned byte = 0; byte < 8; ++byte) {
        if ((set >> byte & 1) != 0) shuffle[set][size[set]++] = static_cast<std::uint8_t>(byte);
      }
    }
  }
};
constexpr Squeeze kSqueeze;

}  // namespace

__attribute__((target("avx2"))) std::size_t BinReader::read_avx2(AllBins& bins, Sums& sums) {
  constexpr unsigned kStep = 8;
  constexpr unsigned kBlock = sizeof(__m256i);  // bins that are passed over together when all are empty
  static_assert(kSlack >= kStep);
  std::size_t next = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    std::uint8_t* counts = bins[meter].counts_.data();
    const std::size_t first_row = next;
    __m256i sum = _mm256_setzero_si256();
    for (unsigned block = 0; block < kBinsPerMeter; block += kBlock) {
      auto* all = reinterpret_cast<__m256i*>(counts + block);
      const __m256i of_block = _mm256_load_si256(all);
      if (_mm256_testz_si256(of_block, of_block) != 0) continue;
      sum = _mm256_add_epi32(sum, _mm256_sad_epu8(of_block, _mm256_setzero_si256()));
      const auto used_of_block =
          ~static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(of_block, _mm256_setzero_si256())));
      for (unsigned i = 0; i < kBlock; i += kStep) {
        const unsigned used = used_of_block >> i & 0xff;
        const __m128i shuffle = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kSqueeze.shuffle[used].data()));
        const __m128i count = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(counts + block + i));
        const __m128i bin = _mm_add_epi8(_mm_set1_epi8(static_cast<char>(block + i)), shuffle);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(&bins_[next]), bin);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(&counts_[next]), _mm_shuffle_epi8(count, shuffle));
        next += kSqueeze.size[used];
      }
      _mm256_store_si256(all, _mm256_setzero_si256());
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    sums[meter] = static_cast<std::uint32_t>(_mm_cvtsi128_si32(half));
    sizes_[meter] = static_cast<std::uint16_t>(next - first_row);
  }
  return next;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi2,popcnt"))) std::size_t BinReader::read_avx512(
    AllBins& bins, Sums& sums) {
  constexpr unsigned kBlock = sizeof(__m512i);
  static_assert(kSlack >= kBlock && kBinsPerMeter == 4 * kBlock);
  alignas(64) static constexpr std::array<std::uint8_t, kBinsPerMeter> kNumbers = [] {
    std::array<std::uint8_t, kBinsPerMeter> numbers{};
    for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) numbers[bin] = static_cast<std::uint8_t>(bin);
    return numbers;
  }();
  const __m512i ones = _mm512_set1_epi8(1);
  std::size_t next = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const std::size_t first_row = next;
    __m512i sum = _mm512_setzero_si512();
    for (unsigned block = 0; block < kBinsPerMeter; block += kBlock) {
      std::uint8_t* counts = &bins[meter].counts_[block];
      const __m512i of_block = _mm512_load_si512(counts);
      const __mmask64 used = _mm512_test_epi8_mask(of_block, of_block);
      sum = _mm512_dpbusd_epi32(sum, of_block, ones);
      _mm512_storeu_si512(&bins_[next], _mm512_maskz_compress_epi8(used, _mm512_load_si512(&kNumbers[block])));
      _mm512_storeu_si512(&counts_[next], _mm512_maskz_compress_epi8(used, of_block));
      _mm512_store_si512(counts, _mm512_setzero_si512());
      next += static_cast<std::size_t>(__builtin_popcountll(used));
    }
    sums[meter] = static_cast<std::uint32_t>(_mm512_reduce_add_epi32(sum));
    sizes_[meter] = static_cast<std::uint16_t>(next - first_row);
  }
  return next;
}
#endif

}  // namespace spidd
