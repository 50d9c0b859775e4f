// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which meters a profile scores with, by their names.
#include "userspace/spid/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "userspace/spid/attribute_meter.h"

namespace spidd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Profile kAll[] = {Profile::background, Profile::bg34, Profile::bg43, Profile::classic34, Profile::classic15};

// Those of our own that the profile scores with, and those of the original that it does not.
std::pair<std::vector<std::string_view>, std::vector<std::string_view>> differences(Profile profile) {
  std::pair<std::vector<std::string_view>, std::vector<std::string_view>> result;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const bool original = meter < kOriginalMeterCount;
    if ((scored_meters(profile) >> meter & 1) == (original ? 0 : 1))
      (original ? result.second : result.first).push_back(meter_name(meter));
  }
  return result;
}

TEST(Profile, NamesAreReadBack) {
  for (const Profile profile : kAll) EXPECT_EQ(parse_profile(profile_name(profile)).value(), profile);
  EXPECT_EQ(profile_names(), "bg, bg34, bg43, classic34 or classic15");
  const auto wrong = parse_profile("bg42");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("bg, bg34, bg43, classic34 or classic15"));
}

TEST(Profile, TheOriginalsMetersAre34AndAreScoredWithoutOthers) {
  for (const Profile profile : {Profile::bg34, Profile::classic34}) {
    EXPECT_EQ(std::popcount(scored_meters(profile)), 34);
    EXPECT_THAT(differences(profile).first, IsEmpty());
  }
}

TEST(Profile, NineMoreMetersMakeBg43) {
  EXPECT_EQ(std::popcount(scored_meters(Profile::bg43)), 43);
  EXPECT_THAT(
      differences(Profile::bg43).first,
      ElementsAre("FirstPacketRandomness", "PacketRandomness", "PacketLengthPairs", "BurstBytes", "LengthFields",
                  "PacketLengthModulo16", "TlsRecordSizes", "TlsFirstRecordSizes", "TlsRecordSizePairs"));
}

TEST(Profile, TheDefaultLeavesTwoOfTheOriginalsOut) {
  EXPECT_EQ(std::popcount(scored_meters(Profile::background)), 43);
  EXPECT_THAT(differences(Profile::background).second,
              ElementsAre("PacketLengthDistribution", "PacketPairLengthPrimes"));
}

TEST(Profile, TheClassicOnesScoreWithWhatTheyAverageOver) {
  for (const Profile profile : {Profile::classic34, Profile::classic15}) {
    MeterMask mask = 0;
    for (const unsigned meter : classic_meters(profile)) mask |= MeterMask{1} << meter;
    EXPECT_EQ(scored_meters(profile), mask);
  }
}

}  // namespace
}  // namespace spidd
