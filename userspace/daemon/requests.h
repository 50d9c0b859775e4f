// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The requests of the control protocol as data, and the form of its answers. Pure functions: what a request does is the
// daemon's business (userspace/daemon/answers.h). The protocol by example: userspace/daemon/README.md.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/daemon/learn_requests.h"
#include "userspace/daemon/protocol.h"
#include "userspace/daemon/site_requests.h"
#include "userspace/enforcement/block_list.h"

namespace spidd {

struct StatusRequest {};
struct FlowsRequest {
  std::size_t limit = 100;
};
struct EndedFlowsRequest {
  std::size_t limit = 100;
};
struct AlertsRequest {
  std::uint64_t since = 0;  // number of the last event already known
  std::size_t limit = 100;
};
struct PortsRequest {
  std::size_t limit = 20;
};
struct DropsRequest {
  std::size_t limit = 1000;
};
struct BlockRequest {
  BlockTarget target;
  Duration duration{};
};
struct UnblockRequest {
  BlockTarget target;
};
struct PolicyReloadRequest {};
struct CountersRequest {};
struct MetricsRequest {};
struct SubscribeRequest {};
struct SpadeRequest {
  enum class Verb : std::uint8_t { status, tables, stats, survey, advise, incidents };
  Verb verb = Verb::status;
};
struct SettledFlowRequest {
  std::uint64_t id = 0;  // event_flow_id()
};

struct ExplainRequest {
  std::uint64_t id = 0;  // event_flow_id()
  std::string against;   // label to compare with; "" = what stood in its way
};

using Request =
    std::variant<StatusRequest, LearnRequest, FlowsRequest, EndedFlowsRequest, AlertsRequest, PortsRequest,
                 DropsRequest, BlockRequest, UnblockRequest, PolicyReloadRequest, CountersRequest, MetricsRequest,
                 SubscribeRequest, SettledFlowRequest, ExplainRequest, SiteRequest, SpadeRequest>;

// Reads one line, however hostile. Unknown commands, unknown or missing keys and another protocol version are errors.
Result<Request> parse_request(std::string_view line);

// {"version":1,"ok":true,"result":...}, {"version":1,"ok":false,"error":"..."} and {"version":1,"event":...}. Bytes
// that are not UTF-8 are replaced.
std::string success_line(const nlohmann::ordered_json& result);
std::string success_line_of(std::string_view result_json);
std::string error_line(std::string_view message);
std::string event_line(std::string_view event_json);

}  // namespace spidd
