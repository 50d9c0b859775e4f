// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/profile.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "userspace/spid/attribute_meter.h"

namespace spidd {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"bg", "bg34", "bg43", "classic34", "classic15"};
static_assert(kMeterCount <= 64);
constexpr MeterMask kOriginalMeters = (MeterMask{1} << kOriginalMeterCount) - 1;
constexpr MeterMask kAllMeters = (MeterMask{1} << kMeterCount) - 1;
// Those of our meters that bg43 has not.
constexpr unsigned kBurstPairs = 38;
constexpr unsigned kTlsBurstTriples = 44;
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
  if (found == kNames.end()) return fail("unknown profile \"{}\": it is {}", name.substr(0, 48), profile_names());
  return static_cast<Profile>(found - kNames.begin());
}

std::string profile_names() {
  std::string names(kNames.front());
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    names += i + 1 == kNames.size() ? " or " : ", ";
    names += kNames[i];
  }
  return names;
}

MeterMask scored_meters(Profile profile) {
  switch (profile) {
    case Profile::background: {
      MeterMask mask = 0;
      for (unsigned meter = 0; meter < kMeterCount; ++meter) mask |= MeterMask{is_scored(meter)} << meter;
      return mask;
    }
    case Profile::bg34:
    case Profile::classic34:
      return kOriginalMeters;
    case Profile::bg43:
      return kAllMeters & ~(MeterMask{1} << kBurstPairs) & ~(MeterMask{1} << kTlsBurstTriples);
    case Profile::classic15: {
      MeterMask mask = 0;
      for (const unsigned meter : kClassic15) mask |= MeterMask{1} << meter;
      return mask;
    }
  }
  return 0;
}

float classic_threshold(Profile profile) { return profile == Profile::classic15 ? 2.04F : 2.25F; }

std::span<const unsigned> classic_meters(Profile profile) {
  if (profile == Profile::classic15) return kClassic15;
  return kClassic34;
}

}  // namespace spidd
