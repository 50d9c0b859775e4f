// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is kept over a restart: bytes, damage, kills, and tables as they were.
#include "userspace/spade/state_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "userspace/base/crc32c.h"
#include "userspace/spade/incident_format.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "spade_state_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Directory() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ / name; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

 private:
  fs::path path_;
};

void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

using Key = std::array<FeatureValue, 2>;
const Timestamp kNow{std::chrono::seconds(1'700'000'000)};
constexpr Decay kDecay{240, 0.5, 0.25};
constexpr std::int64_t kInterval = 240 * 60;

ProbabilityTable make_table(const Decay& decay = kDecay, std::size_t max_entries = 1 << 15) {
  return ProbabilityTable({Feature::destination, Feature::destination_port}, decay, max_entries, 3);
}

SpadeState head_of(const ProbabilityTable& table) {
  SpadeState state;
  state.second = 1'700'000'123;
  state.tables.push_back(
      {.conditions = "local dest, syn", .features = table.features(), .decay = table.decay(), .entries = {}});
  state.thresholds.push_back({"closed-dport", {0.85, 7.5}, "closed-dport relative 3"});
  state.histories.push_back({"adapt3 closed-dport", {1, 2.5, -3}});
  state.histories.push_back({"survey", {}});
  return state;
}

SpadeState snapshot_of(const ProbabilityTable& table) {
  SpadeSnapshot snapshot(head_of(table), {&table});
  snapshot.take_all();
  return std::move(snapshot).finish();
}

void record_some(ProbabilityTable& table, int observations, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < observations; ++i)
    table.record(Key{FeatureValue{0, 0xffff0a000000 + random() % 40}, FeatureValue{0, random() % 100}});
}

std::map<std::vector<FeatureValue>, double> contents(const ProbabilityTable& table) {
  std::map<std::vector<FeatureValue>, double> contents;
  table.for_each([&](std::span<const FeatureValue> path, double count) {
    contents[{path.begin(), path.end()}] = count;
  });
  return contents;
}

TEST(Crc32c, IsThatOfTheRfc) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aa);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283);
}

TEST(StateFile, HasTheSameBytesOnEveryMachine) {
  SpadeState state;
  state.second = 0x0102030405060708;
  state.tables.push_back({"c", {Feature::source, Feature::destination_port}, {240, 0.5, 0.25}, 1, 2, 3, {}});
  state.tables[0].entries.push_back({value_of(*IpAddress::parse("2001:db8::1")), 2, 1, 0, 0, 0});
  state.tables[0].entries.push_back({{0, 443}, 1, 2, 1, 0, 0});
  state.thresholds.push_back({"d", {1, 2}, "r"});
  state.histories.push_back({"h", {-1}});
  state.incidents.key = 5;
  state.incidents.last_id = 3;
  // Written from the description of the format in state_file.h.
  static constexpr unsigned char kParts[] = {8,    7,    6,   5,    4,    3,    2,    1,  // start
                                             1,    0,    'c', 2,    0,    3,    240,  0,    0, 0,    0,    0,
                                             0,    0,    0,   0,    0xe0, 0x3f, 0,    0,    0, 0,    0,    0,
                                             0xd0, 0x3f,  // table
                                             1,    0,    0,   0,    0,    0,    0,    0,    2, 0,    0,    0,
                                             0,    0,    0,   0,    0,    0,    0,    0,    0, 0,    8,    0x40,  //
                                             0,    0,    0,   0,    0x20, 1,    0x0d, 0xb8, 0, 0,    0,    0,
                                             0,    0,    0,   0,    0,    0,    0,    1,    0, 0,    0,    0,
                                             0,    0,    0,   0x40,  // entries
                                             1,    0,    0,   0,    0xbb, 1,    0,    0,    0, 0,    0,    0,
                                             0xf0, 0x3f,  //
                                             1,    0,    'd', 0,    0,    0,    0,    0,    0, 0xf0, 0x3f, 0,
                                             0,    0,    0,   0,    0,    0,    0x40, 1,    0, 'r',         // threshold
                                             1,    0,    'h', 0,    0,    0,    0,    0,    0, 0xf0, 0xbf,  // history
                                             5,    0,    0,   0,    0,    0,    0,    0,    3, 0,    0,    0,
                                             0,    0,    0,   0,   // incidents
                                             7,    0,    0,   0};  // end
  static constexpr std::pair<char, std::uint8_t> kTypesAndLengths[] = {{1, 8},  {2, 50}, {3, 42}, {4, 22},
                                                                       {5, 11}, {7, 16}, {6, 4}};
  std::string expected("SPADEst\n\3\0\0\0", 12);
  const unsigned char* payload = kParts;
  for (const auto& [type, length] : kTypesAndLengths) {
    std::string part{type, 0, 0, 0, static_cast<char>(length), 0, 0, 0};
    part.append(reinterpret_cast<const char*>(payload), length);
    payload += length;
    const std::uint32_t crc = crc32c(part);
    for (int shift = 0; shift < 32; shift += 8) part += static_cast<char>(crc >> shift & 0xff);
    expected += part;
  }
  ASSERT_EQ(payload, std::end(kParts));
  EXPECT_EQ(encode_state(state), expected);

  const auto read = decode_state(expected);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->second, state.second);
  ASSERT_EQ(read->tables.size(), 1U);
  EXPECT_EQ(read->tables[0].conditions, "c");
  EXPECT_EQ(read->tables[0].features, state.tables[0].features);
  EXPECT_EQ(read->tables[0].decay, state.tables[0].decay);
  EXPECT_EQ(read->tables[0].last_scaled_second, 2);
  EXPECT_EQ(read->tables[0].total, 3);
  ASSERT_EQ(read->tables[0].entries.size(), 2U);
  EXPECT_EQ(read->tables[0].entries[0].value, state.tables[0].entries[0].value);
  EXPECT_EQ(read->tables[0].entries[1].value.low, 443U);
  EXPECT_EQ(read->tables[0].entries[1].parent, 1U);
  EXPECT_EQ(read->thresholds[0].value.raw_bits, 2);
  EXPECT_EQ(read->histories[0].values, std::vector<double>{-1});
  EXPECT_EQ(read->incidents.key, 5U);
  EXPECT_EQ(read->incidents.last_id, 3U);

  EXPECT_EQ(read->thresholds[0].scores, "r");
}

TEST(StateFile, ReadsWhatOlderVersionsWrote) {
  SpadeState state;
  state.second = 7;
  const std::string today = encode_state(state);
  ASSERT_EQ(today[8], 3);
  for (const char version : {'\1', '\2'}) {
    std::string older = today.substr(0, 32);  // head and start
    older[8] = version;
    std::string threshold("\4\0\0\0\23\0\0\0\1\0d\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40", 27);
    std::string end("\6\0\0\0\4\0\0\0\3\0\0\0", 12);
    for (std::string* part : {&threshold, &end}) {
      const std::uint32_t crc = crc32c(*part);
      for (int shift = 0; shift < 32; shift += 8) *part += static_cast<char>(crc >> shift & 0xff);
      older += *part;
    }
    const auto read = decode_state(older);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->second, 7);
    ASSERT_EQ(read->thresholds.size(), 1U);
    EXPECT_EQ(read->thresholds[0].value.score, 1);
    EXPECT_EQ(read->thresholds[0].scores, "");
    older[8] = 3;
    EXPECT_FALSE(decode_state(older)) << "a threshold of today says more";
  }
}

// Of every family and side, with few targets and with many.
std::vector<IncidentCase> some_incidents() {
  std::vector<IncidentCase> cases;
  const TargetHash hash(1);
  for (std::uint8_t i = 0; i < 8; ++i) {
    IncidentCase one;
    one.open = true;
    one.incident.id = i + 1U;
    one.incident.side = static_cast<IncidentSide>(i % 2);
    one.incident.family = static_cast<IncidentFamily>(i / 2);
    one.incident.host = IpAddress::from_ipv4(0xc0000200U + i);
    Observation packet;
    packet.time = kNow;
    one.begin_anew(packet);
    for (unsigned j = 0; j < (i < 4 ? 10U : 300U); ++j) {
      packet.time += std::chrono::milliseconds(1);
      packet.destination = IpAddress::from_ipv4(0x0a000000U + j);
      packet.destination_port = static_cast<std::uint16_t>(j % 7);
      one.spread(packet, hash);
      one.alerted.add(hash.target(one.incident.family, packet));
      one.add_evidence(packet, hash, j % 2 == 0, 0.5);
    }
    one.incident.id = i + 1U;
    one.incident.confirmed = i % 2 == 0;
    one.incident.scan = i % 3 == 0;
    one.incident.burst = i;
    cases.push_back(std::move(one));
  }
  return cases;
}

TEST(StateFile, HasIncidentsAsDescribed) {
  IncidentCase one;
  Observation packet;
  packet.time = Timestamp(Duration(0x0102030405060708));
  packet.domain = 3;
  one.begin_anew(packet);
  one.incident.id = 9;
  one.incident.side = IncidentSide::target;
  one.incident.family = IncidentFamily::icmp;
  one.incident.kind = IncidentKind::odd_icmp;
  one.incident.host = *IpAddress::parse("2001:db8::1");
  one.incident.count = 7;
  one.incident.max_score = 1;
  one.incident.answered = 4;
  one.incident.failed = 5;
  one.incident.confirmed = one.incident.scan = true;
  one.incident.examples.push_back({packet.time, {}, one.incident.host, 1, 2, Transport::udp, 6, -1});
  one.hosts.add(11);
  one.port = {80, 2};
  one.last_port = 12;
  one.replies = 13;
  // Written from the description in incident_format.h.
  std::string expected;
  const auto number = [&expected](std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) expected += static_cast<char>(value >> 8 * i & 0xff);
  };
  const std::string host("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  number(9, 8);
  expected += "\1\2\5" + host;
  number(3, 2);
  number(0x0102030405060708, 8);
  number(0x0102030405060708, 8);
  number(7, 8);
  number(0x3ff0000000000000, 8);
  number(4, 4);
  number(5, 4);
  number(2 + 4, 1);
  expected += std::string(8 + 8, '\0');  // burst, usual
  number(1, 1);
  number(0x0102030405060708, 8);
  expected += std::string(16, '\0') + host;
  number(1, 2);
  number(2, 2);
  expected += "\x11\6";
  number(0xbff0000000000000, 8);
  expected += std::string("\0\1\x0b\0\0\0\0\0\0\0\0\0", 12);  // targets, hosts, ports, alerted
  expected += std::string(8 + 4, '\0') + std::string("\x50\0\2\0\0\0", 6) + std::string(16 + 4 + 8, '\0');
  number(12, 2);
  expected += std::string(4 * 8, '\0');
  number(13, 4);

  std::string bytes;
  put_incident(bytes, one);
  EXPECT_EQ(bytes, expected);
}

TEST(StateFile, BringsIncidentsBackAsTheyWere) {
  SpadeState state;
  state.incidents = {TargetHash(1).key(), 8, some_incidents()};
  const std::string bytes = encode_state(state);
  const auto read = decode_state(bytes);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->incidents.cases.size(), 8U);
  EXPECT_EQ(encode_state(*read), bytes);
  for (std::size_t i = 0; i < 8; ++i) {
    IncidentCase before = state.incidents.cases[i];
    IncidentCase after = read->incidents.cases[i];
    before.classify(true);
    after.classify(true);
    EXPECT_EQ(incident_message(after.incident), incident_message(before.incident));
    EXPECT_EQ(after.incident.examples.size(), before.incident.examples.size());
    EXPECT_TRUE(after.open);
  }
}

TEST(StateFile, RefusesIncidentsThatCannotBe) {
  const auto is_refused = [](const std::function<void(SpadeState&)>& spoil) {
    SpadeState state;
    state.incidents = {TargetHash(1).key(), 8, some_incidents()};
    spoil(state);
    return !decode_state(encode_state(state));
  };
  EXPECT_FALSE(is_refused([](SpadeState&) {}));
  EXPECT_TRUE(is_refused([](SpadeState& state) { state.incidents.last_id = 7; }));
  const auto spoiled = [&is_refused](const std::function<void(IncidentCase&)>& spoil) {
    return is_refused([&spoil](SpadeState& state) { spoil(state.incidents.cases[0]); });
  };
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.id = 0; }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.kind = static_cast<IncidentKind>(99); }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.family = static_cast<IncidentFamily>(4); }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.first = one.incident.last + Duration(1); }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.first = Timestamp::min(); }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.last = Timestamp::max(); }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.max_score = NAN; }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.examples.resize(Incident::kMostExamples + 1); }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.incident.examples[0].transport = Transport{5}; }));
  EXPECT_TRUE(spoiled([](IncidentCase& one) { one.target.votes = -1; }));
}

TEST(StateFile, BringsTablesBackAsTheyWere) {
  const Directory directory;
  ProbabilityTable table = make_table();
  table.advance(1'700'000'000);
  record_some(table, 5000);
  table.advance(1'700'000'000 + kInterval + 1);
  record_some(table, 50'000, 2);
  ASSERT_TRUE(write_state(directory.file("state"), snapshot_of(table)));

  const auto read = read_state(directory.file("state"), kNow);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_TRUE(read->found && read->damage.empty());
  EXPECT_EQ(read->state.thresholds[0].detector, "closed-dport");
  EXPECT_EQ(read->state.histories[0].values, (std::vector<double>{1, 2.5, -3}));
  ProbabilityTable restored = make_table();
  const auto without_room = restore_table(read->state.tables[0], Downtime::ignored, restored);
  ASSERT_TRUE(without_room) << without_room.error().message;
  EXPECT_EQ(*without_room, 0U);
  EXPECT_EQ(contents(restored), contents(table));
  EXPECT_EQ(restored.counts({}).at[0], table.counts({}).at[0]);
}

TEST(StateFile, LeavesTheDowntimeOutOrDecaysForIt) {
  ProbabilityTable table = make_table();
  table.advance(1'700'000'000);
  for (int i = 0; i < 8; ++i) table.record(Key{FeatureValue{0, 1}, FeatureValue{0, 80}});
  const SpadeState state = snapshot_of(table);
  const std::int64_t later = 1'700'000'000 + 2 * kInterval + 1;

  ProbabilityTable as_it_was = make_table();
  ASSERT_TRUE(restore_table(state.tables[0], Downtime::ignored, as_it_was));
  as_it_was.advance(later);
  EXPECT_EQ(as_it_was.counts({}).at[0], 8);
  as_it_was.advance(later + kInterval + 1);
  EXPECT_EQ(as_it_was.counts({}).at[0], 4);

  ProbabilityTable decayed = make_table();
  ASSERT_TRUE(restore_table(state.tables[0], Downtime::decayed, decayed));
  decayed.advance(later);
  EXPECT_EQ(decayed.counts({}).at[0], 2);

  // The configured decay counts, not that of the file.
  ProbabilityTable other = make_table({240, 0.25, 0.1});
  ASSERT_TRUE(restore_table(state.tables[0], Downtime::decayed, other));
  other.advance(later);
  EXPECT_EQ(other.counts({}).at[0], 0.5);
}

TEST(StateFile, CountsWhatASmallerTableHasNoRoomFor) {
  ProbabilityTable table = make_table();
  record_some(table, 50'000);
  const std::size_t entries = table.entries();
  ProbabilityTable small = make_table(kDecay, ProbabilityTable::kMinEntries);
  const auto without_room = restore_table(snapshot_of(table).tables[0], Downtime::ignored, small);
  ASSERT_TRUE(without_room) << without_room.error().message;
  EXPECT_EQ(*without_room, entries - ProbabilityTable::kMinEntries);
  EXPECT_EQ(small.entries(), ProbabilityTable::kMinEntries);
}

TEST(StateFile, RefusesEveryFlippedBitAndEveryTruncation) {
  ProbabilityTable table = make_table();
  record_some(table, 60);
  const std::string good = encode_state(snapshot_of(table));
  ASSERT_TRUE(decode_state(good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      ASSERT_FALSE(decode_state(bad)) << "bit " << bit << " of byte " << at;
    }
    ASSERT_FALSE(decode_state(std::string_view(good).substr(0, at))) << at;
  }
  EXPECT_FALSE(decode_state(good + '\0'));
}

TEST(StateFile, SaysWhereItIsDamaged) {
  ProbabilityTable table = make_table();
  record_some(table, 60);
  std::string bytes = encode_state(snapshot_of(table));
  bytes[30] = static_cast<char>(bytes[30] ^ 1);
  const auto read = decode_state(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message.substr(0, 16), "byte 12: damaged");
  EXPECT_NE(decode_state(bytes.substr(0, 25)).error().message.find("byte 12: cut short"), std::string::npos);
  EXPECT_NE(decode_state(std::string_view("SPADEst\n\4\0\0\0", 12)).error().message.find("byte 8: version 4"),
            std::string::npos);
}

TEST(StateFile, PutsADamagedFileAsideAndStartsClean) {
  const Directory directory;
  const std::string path = directory.file("state");
  for (int i = 0; i < 2; ++i) {
    write_bytes(path, "SPADEst\nnonsense");
    const auto read = read_state(path, kNow);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->found);
    EXPECT_TRUE(read->state.tables.empty());
    EXPECT_NE(read->damage.find("byte 8"), std::string::npos) << read->damage;
  }
  EXPECT_EQ(directory.names(), (std::vector<std::string>{"state.damaged-1700000000", "state.damaged-1700000000-2"}));
  const auto none = read_state(path, kNow);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->found);
}

TEST(StateFile, LeavesThatOfTheOriginalAlone) {
  const Directory directory;
  const std::string path = directory.file("spade.rcv");
  using namespace std::string_literals;
  const std::string original = "v\x05\x08\0netspade\x02\x02\x04\x08\x04\x03\x02\x01"s;
  write_bytes(path, original);
  const auto read = read_state(path, kNow);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, path + " is a state file of Spade 030125, which is left as it is: name another");
  EXPECT_FALSE(write_state(path, {}));
  EXPECT_EQ(directory.names(), (std::vector<std::string>{"spade.rcv"}));
  std::ifstream file(path, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), original);
}

TEST(StateFile, IsForItsOwnerAlone) {
  const Directory directory;
  const std::string path = directory.file("state");
  write_bytes(path, "");
  std::filesystem::permissions(path, std::filesystem::perms(0644));
  ASSERT_TRUE(write_state(path, {}));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
}

TEST(StateFile, IsTheLastCheckpointAfterAKill) {
  const Directory directory;
  const std::string path = directory.file("state");
  ProbabilityTable table = make_table();
  record_some(table, 20'000);
  const SpadeState state = snapshot_of(table);
  ASSERT_TRUE(write_state(path, state));
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (SpadeState next = state;; ++next.second) static_cast<void>(write_state(path, next));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(3000 + 777 * i));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto read = read_state(path, kNow);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_TRUE(read->found);
    ASSERT_EQ(read->damage, "");
    ASSERT_EQ(read->state.tables[0].entries.size(), table.entries());
  }
  EXPECT_EQ(directory.names(), std::vector<std::string>{"state"}) << "what a killed writer leaves is taken away";
}

TEST(SpadeSnapshot, CanBeRestoredWhateverHappensBetweenItsSlices) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random(seed);
    ProbabilityTable table = make_table(kDecay, ProbabilityTable::kMinEntries);
    std::int64_t now = 1'700'000'000;
    table.advance(now);
    const auto work = [&](int observations) {
      for (int i = 0; i < observations; ++i)
        table.record(Key{FeatureValue{0, random() % 2 == 0 ? random() % 5 : random()}, FeatureValue{0, random() % 9}});
    };
    work(3000);
    SpadeSnapshot snapshot(head_of(table), {&table});
    while (!snapshot.take_slice(64)) {
      work(200);
      if (random() % 4 == 0) table.advance(now += kInterval);
    }
    const SpadeState state = std::move(snapshot).finish();
    const auto decoded = decode_state(encode_state(state));
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_GT(decoded->tables[0].entries.size(), 50U);
    ProbabilityTable restored = make_table();
    const auto result = restore_table(decoded->tables[0], Downtime::decayed, restored);
    ASSERT_TRUE(result) << result.error().message;
    // Every path that was saved is one that the stream can have made.
    restored.for_each([&](std::span<const FeatureValue> path, double count) {
      ASSERT_GE(count, kDecay.cutoff);
      ASSERT_TRUE(path.size() == 1 || path[1].low < 9);
    });
  }
}

}  // namespace
}  // namespace spidd
