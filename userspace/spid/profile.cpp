// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/profile.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "userspace/spid/attribute_meter.h"

namespace spidd {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"bg", "classic34", "classic15"};
constexpr std::array<unsigned, 15> kClassic15 = {0, 1, 3, 4, 5, 8, 10, 13, 17, 20, 23, 26, 27, 29, 31};
constexpr auto kClassic34 = [] {
  std::array<unsigned, kOriginalMeterCount> meters{};
  std::iota(meters.begin(), meters.end(), 0U);
  return meters;
}();

}  // namespace

std::string_view profile_name(Profile profile) { return kNames[static_cast<std::size_t>(profile)]; }

Result<Profile> parse_profile(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end())
    return fail("unknown profile \"{}\": it is bg, classic34 or classic15", name.substr(0, 48));
  return static_cast<Profile>(found - kNames.begin());
}

float classic_threshold(Profile profile) { return profile == Profile::classic15 ? 2.04F : 2.25F; }

std::span<const unsigned> classic_meters(Profile profile) {
  if (profile == Profile::classic15) return kClassic15;
  return kClassic34;
}

}  // namespace spidd
