// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/requests.h"

#include <algorithm>
#include <array>
#include <span>

namespace spidd {

namespace {

using nlohmann::json;

constexpr std::size_t kMostQuoted = 64;  // characters of the client's words in an error

std::string excerpt(std::string_view text) { return fmt::format("'{}'", text.substr(0, kMostQuoted)); }

// The keys of a request, each asked for once; what nobody asked for is an error.
class Arguments {
 public:
  explicit Arguments(const json& request) : request_(request) {}

  const json* find(const char* key) {
    known_.push_back(key);
    const auto found = request_.find(key);
    return found == request_.end() ? nullptr : &*found;
  }

  Result<std::uint64_t> number(const char* key, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most) {
    const json* const value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_number_unsigned()) return fail("'{}' must be a whole number", key);
    const auto number = value->get<std::uint64_t>();
    if (number < least || number > most) return fail("'{}' = {} is not within {} to {}", key, number, least, most);
    return number;
  }

  Result<std::string> text(const char* key) {
    const json* const value = find(key);
    if (value == nullptr) return fail("missing '{}'", key);
    if (!value->is_string()) return fail("'{}' must be a string", key);
    return value->get<std::string>();
  }

  // For commands that read their own keys, and add them to those known.
  const json& request() const { return request_; }
  std::vector<std::string>& known() { return known_; }

  Result<> refuse_unknown() const {
    for (const auto& item : request_.items())
      if (std::ranges::find(known_, item.key()) == known_.end()) return fail("unknown key {}", excerpt(item.key()));
    return {};
  }

 private:
  const json& request_;
  std::vector<std::string> known_ = {"version", "command"};
};

template <class T>
Result<Request> read_limit(Arguments& arguments) {
  T request;
  const auto limit = arguments.number("limit", request.limit, 1, kMostRows);
  if (!limit) return error_of(limit);
  request.limit = *limit;
  return request;
}

Result<Request> read_alerts(Arguments& arguments) {
  AlertsRequest request;
  const auto since = arguments.number("since", 0, 0, ~std::uint64_t{0});
  if (!since) return error_of(since);
  const auto limit = arguments.number("limit", request.limit, 1, kMostRows);
  if (!limit) return error_of(limit);
  request.since = *since;
  request.limit = *limit;
  return request;
}

Result<BlockTarget> read_target(Arguments& arguments) {
  const auto text = arguments.text("target");
  if (!text) return error_of(text);
  return parse_block_target(*text);
}

Result<Request> read_block(Arguments& arguments) {
  auto target = read_target(arguments);
  if (!target) return error_of(target);
  const auto text = arguments.text("for");
  if (!text) return error_of(text);
  const auto duration = parse_duration(*text);
  if (!duration) return error_of(duration);
  return BlockRequest{std::move(*target), *duration};
}

Result<Request> read_unblock(Arguments& arguments) {
  auto target = read_target(arguments);
  if (!target) return error_of(target);
  return UnblockRequest{std::move(*target)};
}

template <class T>
Result<Request> read_plain(Arguments&) {
  return T{};
}

Result<Request> read_settled_flow(Arguments& arguments) {
  if (arguments.find("id") == nullptr) return fail("missing 'id'");
  const auto id = arguments.number("id", 0, 0, ~std::uint64_t{0});
  if (!id) return error_of(id);
  return SettledFlowRequest{*id};
}

Result<Request> read_explain(Arguments& arguments) {
  const auto flow = read_settled_flow(arguments);
  if (!flow) return flow;
  ExplainRequest request{std::get<SettledFlowRequest>(*flow).id, ""};
  if (arguments.find("against") == nullptr) return request;
  auto label = arguments.text("against");
  if (!label) return error_of(label);
  request.against = std::move(*label);
  return request;
}

Result<Request> read_learn(Arguments& arguments) {
  auto request = parse_learn_request(arguments.request(), arguments.known());
  if (!request) return error_of(request);
  return std::move(*request);
}

Result<Request> read_site(Arguments& arguments) {
  auto request = parse_site_request(arguments.request(), arguments.known());
  if (!request) return error_of(request);
  return std::move(*request);
}

constexpr std::array<std::string_view, 6> kSpadeVerbs = {"status", "tables", "stats", "survey", "advise", "incidents"};

Result<Request> read_spade(Arguments& arguments) {
  const auto verb = arguments.text("verb");
  if (!verb) return error_of(verb);
  const auto found = std::ranges::find(kSpadeVerbs, std::string_view(*verb));
  if (found == kSpadeVerbs.end()) return fail("{} is none of {}", excerpt(*verb), fmt::join(kSpadeVerbs, ", "));
  return SpadeRequest{static_cast<SpadeRequest::Verb>(found - kSpadeVerbs.begin())};
}

struct Command {
  std::string_view name;
  Result<Request> (*read)(Arguments&);
};
constexpr std::array<Command, 17> kCommands = {{
    {"status", read_plain<StatusRequest>},
    {"flows", read_limit<FlowsRequest>},
    {"ended_flows", read_limit<EndedFlowsRequest>},
    {"alerts", read_alerts},
    {"ports", read_limit<PortsRequest>},
    {"drops", read_limit<DropsRequest>},
    {"block", read_block},
    {"unblock", read_unblock},
    {"policy_reload", read_plain<PolicyReloadRequest>},
    {"counters", read_plain<CountersRequest>},
    {"metrics", read_plain<MetricsRequest>},
    {"subscribe", read_plain<SubscribeRequest>},
    {"settled_flow", read_settled_flow},
    {"explain", read_explain},
    {"learn", read_learn},
    {"site", read_site},
    {"spade", read_spade},
}};

Result<> check_version(const json& request) {
  const auto version = request.find("version");
  if (version == request.end()) return fail("missing 'version': this spidd speaks version {}", kProtocolVersion);
  if (!version->is_number_integer()) return fail("'version' must be a whole number");
  if (*version != kProtocolVersion)
    return fail("the request is of protocol version {}, this spidd speaks version {}", excerpt(version->dump()),
                kProtocolVersion);
  return {};
}

}  // namespace

Result<Request> parse_request(std::string_view line) {
  const json request = json::parse(line, nullptr, false);
  if (request.is_discarded()) return fail("the request is not JSON");
  if (!request.is_object()) return fail("a request is a JSON object");
  if (auto good = check_version(request); !good) return error_of(good);
  const auto name = request.find("command");
  if (name == request.end()) return fail("missing 'command'");
  if (!name->is_string()) return fail("'command' must be a string");
  const auto& word = name->get_ref<const std::string&>();
  const auto command = std::ranges::find(kCommands, std::string_view(word), &Command::name);
  if (command == kCommands.end()) return fail("unknown command {}", excerpt(word));
  Arguments arguments(request);
  Result<Request> result = command->read(arguments);
  if (!result) return error_of(result);
  if (auto known = arguments.refuse_unknown(); !known) return error_of(known);
  return result;
}

std::string success_line(const nlohmann::ordered_json& result) {
  return success_line_of(result.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string success_line_of(std::string_view result_json) {
  return fmt::format(R"({{"version":{},"ok":true,"result":{}}})", kProtocolVersion, result_json);
}

std::string error_line(std::string_view message) {
  return fmt::format(R"({{"version":{},"ok":false,"error":{}}})", kProtocolVersion,
                     json(message).dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string event_line(std::string_view event_json) {
  return fmt::format(R"({{"version":{},"event":{}}})", kProtocolVersion, event_json);
}

}  // namespace spidd
