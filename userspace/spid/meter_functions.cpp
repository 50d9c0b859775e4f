// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Length classes: tables instead of a power per packet.
#include "userspace/spid/meter_functions.h"

#include <cmath>

namespace spidd {
namespace {

constexpr std::uint32_t kLongest = 1500;

struct LengthClasses {
  explicit LengthClasses(unsigned classes) {
    const double exponent = std::log(static_cast<double>(classes)) / std::log(double{kLongest});
    for (std::uint32_t length = 0; length <= kLongest; ++length) {
      const auto scaled = static_cast<unsigned>(std::pow(static_cast<double>(length), exponent));
      table[length] = static_cast<std::uint8_t>(std::min(classes - 1, scaled));
    }
  }
  unsigned operator()(std::uint32_t length) const { return table[std::min(length, kLongest)]; }

  std::array<std::uint8_t, kLongest + 1> table{};
};

}  // namespace

unsigned length_class_16(std::uint32_t length) {
  static const LengthClasses classes(16);
  return classes(length);
}

unsigned length_class_32(std::uint32_t length) {
  static const LengthClasses classes(32);
  return classes(length);
}

unsigned length_class_128(std::uint32_t length) {
  static const LengthClasses classes(128);
  return classes(length);
}

unsigned length_class_8(std::uint32_t length) {
  constexpr std::array<std::uint32_t, 8> kEdges = {0, 1, 40, 100, 200, 400, 800, 1300};
  return class_by_edges(kEdges, length);
}

}  // namespace spidd
