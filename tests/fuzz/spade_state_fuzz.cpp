// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's state file, as it is and behind its checksums: the input is also read as parts (type, u16 length, payload),
// that are framed and summed as they must be. Whatever is accepted is the same after it was written and read again, and
// can be restored or is refused.
#include <string>

#include "tests/fuzz/fuzz_check.h"
#include "userspace/base/crc32c.h"
#include "userspace/spade/incidents.h"
#include "userspace/spade/state_file.h"

namespace {

class Nobody : public spidd::IncidentSink {
 public:
  void incident(const spidd::Incident& incident, spidd::IncidentCause /*cause*/, spidd::Timestamp /*now*/) override {
    FUZZ_CHECK(!spidd::incident_message(incident).empty());
  }
};

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

std::string framed(std::string_view input, char version) {
  std::string file("SPADEst\n\0\0\0\0", 12);
  file[8] = version;
  const auto add = [&](std::uint32_t type, std::string_view payload) {
    std::string part;
    put_u32(part, type);
    put_u32(part, static_cast<std::uint32_t>(payload.size()));
    part += payload;
    put_u32(part, spidd::crc32c(part));
    file += part;
  };
  std::uint32_t parts = 1;
  while (input.size() >= 3) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(input[at]); };
    const std::uint32_t type = byte(0);
    const std::size_t length = byte(1) + std::size_t{256} * byte(2);
    input.remove_prefix(3);
    const std::string_view payload = input.substr(0, length);
    input.remove_prefix(payload.size());
    add(type, payload);
    ++parts;
  }
  std::string count;
  put_u32(count, parts);
  add(6, count);
  return file;
}

void check(std::string_view bytes) {
  const auto state = spidd::decode_state(bytes);
  if (!state) {
    FUZZ_CHECK(!state.error().message.empty());
    return;
  }
  const std::string again = spidd::encode_state(*state);
  const auto same = spidd::decode_state(again);
  FUZZ_CHECK(same.has_value());
  FUZZ_CHECK(spidd::encode_state(*same) == again);
  for (const auto& saved : state->tables) {
    spidd::ProbabilityTable table(saved.features, saved.decay, spidd::ProbabilityTable::kMinEntries, 1);
    const auto without_room = spidd::restore_table(saved, spidd::Downtime::decayed, table);
    if (!without_room) continue;
    FUZZ_CHECK(table.entries() + *without_room == saved.entries.size());
    table.advance(1'700'000'000);
    table.for_each([](std::span<const spidd::FeatureValue>, double count) { FUZZ_CHECK(count > 0); });
  }
  Nobody nobody;
  spidd::Incidents incidents({}, {}, 1, nobody);
  incidents.restore(state->incidents);
  FUZZ_CHECK(incidents.bytes() <= spidd::Incidents::most_bytes({}));
  const std::vector<const spidd::Incident*> open = incidents.open();
  FUZZ_CHECK(open.size() <= state->incidents.cases.size());
  for (const spidd::Incident* incident : open) {
    spidd::Observation packet;
    packet.time = incident->last;
    packet.source = incident->host;
    static_cast<void>(incidents.in_quarantine(packet));
  }
  incidents.advance(spidd::Timestamp(std::chrono::seconds(1'700'000'000)));
  incidents.close_all();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check(input);
  for (const char version : {'\2', '\3'}) check(framed(input, version));
  return 0;
}
