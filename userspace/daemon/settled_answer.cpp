// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/settled_answer.h"

#include <limits>

#include "userspace/report/events.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostPairs = kRowCount;

// By the names of the meters: another set has others, or as many in another order.
std::string meters_name() { return fmt::format("{} to {}", kMeterCount, meter_name(kMeterCount - 1)); }

template <class T>
T value_of(const ordered_json& answer, const char* key, T otherwise) {
  const auto found = answer.find(key);
  if constexpr (std::is_same_v<T, std::string>)
    return found != answer.end() && found->is_string() ? found->get<std::string>() : otherwise;
  else
    return found != answer.end() && found->is_number_unsigned() ? found->get<T>() : otherwise;
}

Result<void> read_rows(const ordered_json& answer, Fingerprint& fingerprint) {
  const auto rows = answer.find("rows");
  if (rows == answer.end() || !rows->is_array() || rows->size() % 2 != 0 || rows->size() / 2 > kMostPairs)
    return fail("no rows of counts");
  unsigned next = 0;
  for (std::size_t i = 0; i < rows->size(); i += 2) {
    const auto number = [&](std::size_t at, std::uint64_t least, std::uint64_t most) {
      const auto& value = (*rows)[at];
      if (!value.is_number_unsigned()) return std::optional<std::uint64_t>();
      const auto n = value.get<std::uint64_t>();
      return n >= least && n <= most ? std::optional(n) : std::nullopt;
    };
    const auto row = number(i, next, kRowCount - 1);
    const auto count = number(i + 1, 1, std::numeric_limits<std::uint16_t>::max());
    if (!row || !count) return fail("rows that are out of order or range");
    fingerprint.rows.push_back({static_cast<std::uint16_t>(*row), static_cast<std::uint16_t>(*count)});
    fingerprint.measurements[*row / kBinsPerMeter] += static_cast<std::uint32_t>(*count);
    next = static_cast<unsigned>(*row) + 1;
  }
  return {};
}

}  // namespace

ordered_json settled_flow_json(const SettledFlow& flow, MeterRules rules) {
  auto rows = ordered_json::array();
  for (const RowCount row : flow.fingerprint.rows) {
    rows.push_back(row.row);
    rows.push_back(row.count);
  }
  return {{"flow_id", event_flow_id(flow.key, flow.start)},
          {"transport", transport_name(flow.key.transport)},
          {"client", flow.client.to_string()},
          {"server", flow.server.to_string()},
          {"start", format_timestamp(flow.start)},
          {"label", flow.label},
          {"view", view_name(flow.view)},
          {"payload_packets", flow.fingerprint.payload_packets},
          {"structured", flow.structured},
          {"joined_late", flow.joined_late},
          {"strict", rules == MeterRules::strict},
          {"meters", meters_name()},
          {"rows", std::move(rows)}};
}

Result<MeasuredFlow> parse_settled_flow(const ordered_json& answer) {
  if (!answer.is_object()) return fail("the daemon's answer is no flow");
  if (value_of<std::string>(answer, "meters", "") != meters_name())
    return fail("the daemon measures with other meters: it is of another version");
  MeasuredFlow flow;
  const auto transport = parse_transport(value_of<std::string>(answer, "transport", ""));
  if (!transport) return tl::unexpected(transport.error());
  const auto view = parse_view(value_of<std::string>(answer, "view", ""));
  if (!view) return tl::unexpected(view.error());
  flow.transport = *transport;
  flow.view = *view;
  const auto strict = answer.find("strict");
  if (strict != answer.end() && *strict == true) flow.rules = MeterRules::strict;
  const auto structured = answer.find("structured");
  flow.structured = structured != answer.end() && *structured == true;
  const auto joined_late = answer.find("joined_late");
  flow.joined_late = joined_late != answer.end() && *joined_late == true;
  flow.client = value_of<std::string>(answer, "client", "-");
  flow.server = value_of<std::string>(answer, "server", "-");
  flow.label = value_of<std::string>(answer, "label", "");
  const auto packets = value_of<std::uint64_t>(answer, "payload_packets", 0);
  if (packets == 0 || packets > kMaxMeasuredPackets) return fail("the daemon's answer has no packets");
  flow.fingerprint.payload_packets = static_cast<unsigned>(packets);
  if (auto rows = read_rows(answer, flow.fingerprint); !rows)
    return std::move(rows).error().within("the daemon's answer");
  return flow;
}

}  // namespace spidd
