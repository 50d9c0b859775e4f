// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Ways to compare a flow with models. All use the same counters and the same model files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace spidd {

enum class Profile : std::uint8_t {
  background,  // "bg": log-ratio against average traffic (matcher.h), over 43 meters; the default
  bg34,        // the same over the original's 34 meters
  bg43,        // the same over these and nine of our own
  classic34,   // the original's divergence over all its 34 meters, threshold 2.25
  classic15,   // over the 15 that it has switched on as shipped, threshold 2.04
};
std::string_view profile_name(Profile profile);  // "bg", "bg34", "bg43", "classic34", "classic15"
std::string profile_names();                     // all of them, for people: "bg, bg34, ... or classic15"
Result<Profile> parse_profile(std::string_view name);
constexpr bool is_classic(Profile profile) { return profile == Profile::classic34 || profile == Profile::classic15; }

using MeterMask = std::uint64_t;  // bit per meter

// The meters that a profile scores with.
MeterMask scored_meters(Profile profile);

// Divergence below which the original accepts the nearest model (spid.md 1.4), in bits. Requires: a classic profile.
float classic_threshold(Profile profile);

// A divergence as the score of a classic profile, in bits: by how much it is below the threshold.
inline float classic_score(Profile profile, float divergence) { return classic_threshold(profile) - divergence; }

// The meters a classic profile averages over, by number; for the others those of classic34.
std::span<const unsigned> classic_meters(Profile profile);

}  // namespace spidd
