// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which instructions the hot loops of spid/ use. All give the same bits; tests and benchmarks ask for each of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace spidd {

enum class Simd : std::uint8_t {
  scalar,  // the reference: what the compiler makes of plain C++
  neon,    // aarch64; every such processor has it
  avx2,
  avx512,  // with BW, DQ, VL, VNNI and VBMI2: Intel since Ice Lake, AMD since Zen 4
};

std::string_view simd_name(Simd simd);  // "scalar", "neon", ...

// What this processor has, from slowest to fastest; the first is always scalar.
std::vector<Simd> available_simd();
Simd best_simd();

}  // namespace spidd
