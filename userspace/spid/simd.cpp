// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/simd.h"

namespace spidd {

std::string_view simd_name(Simd simd) {
  switch (simd) {
    case Simd::scalar:
      return "scalar";
    case Simd::neon:
      return "neon";
    case Simd::avx2:
      return "avx2";
    case Simd::avx512:
      return "avx512";
  }
  return "";
}

std::vector<Simd> available_simd() {
  std::vector<Simd> available = {Simd::scalar};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) available.push_back(Simd::avx2);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
      __builtin_cpu_supports("avx512vbmi2")) {
    available.push_back(Simd::avx512);
  }
#elif defined(__aarch64__)
  available.push_back(Simd::neon);
#endif
  return available;
}

Simd best_simd() {
  static const Simd best = available_simd().back();
  return best;
}

}  // namespace spidd
