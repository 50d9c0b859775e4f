// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// JSON lines: {"block": {...}} and {"unblock": {...}}; times are nanoseconds since the Unix epoch.
#include "userspace/enforcement/block_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace spidd {
namespace {

using Json = nlohmann::json;

// Out-of-date lines that are worth keeping to save a rewrite.
constexpr std::size_t kSpareLines = 1024;

struct TargetWriter {
  Json operator()(const HostTarget& host) const {
    return {{"prefix", host.prefix.address.to_string()}, {"length", host.prefix.length}};
  }
  Json operator()(const EndpointTarget& endpoint) const {
    return {{"address", endpoint.address.to_string()},
            {"port", endpoint.port},
            {"transport", static_cast<unsigned>(endpoint.transport)}};
  }
  Json operator()(const FlowTarget& flow) const {
    return {{"low", flow.key.low.to_string()},
            {"high", flow.key.high.to_string()},
            {"port_low", flow.key.port_low},
            {"port_high", flow.key.port_high},
            {"transport", static_cast<unsigned>(flow.key.transport)},
            {"domain", flow.key.domain}};
  }
};

IpAddress address_of(const Json& json, const char* name) {
  const auto address = IpAddress::parse(json.at(name).get<std::string>());
  if (!address) throw std::invalid_argument(address.error().message);
  return *address;
}

// The readers throw, as nlohmann's accessors do: a line is good or it is not.
Transport transport_of(const Json& json) {
  const auto number = json.at("transport").get<unsigned>();
  for (const Transport transport : {Transport::icmp, Transport::tcp, Transport::udp, Transport::icmp6}) {
    if (static_cast<unsigned>(transport) == number) return transport;
  }
  throw std::invalid_argument("transport");
}

BlockTarget target_of(const Json& json) {
  if (json.contains("prefix")) {
    const IpPrefix prefix{address_of(json, "prefix"), json.at("length").get<unsigned>()};
    if (prefix.length > 128) throw std::invalid_argument("length");
    return HostTarget{prefix};
  }
  if (json.contains("address")) {
    return EndpointTarget{address_of(json, "address"), json.at("port").get<std::uint16_t>(), transport_of(json)};
  }
  return FlowTarget{{address_of(json, "low"), address_of(json, "high"), json.at("port_low").get<std::uint16_t>(),
                     json.at("port_high").get<std::uint16_t>(), transport_of(json),
                     json.at("domain").get<std::uint16_t>()}};
}

Json json_of(const Block& block) {
  return {{"target", std::visit(TargetWriter{}, block.target)},
          {"since", block.since.time_since_epoch().count()},
          {"expires", block.expires.time_since_epoch().count()},
          {"rule", block.rule},
          {"label", block.label},
          {"rule_number", block.rule_number}};
}

Block block_of(const Json& json) {
  Block block;
  block.target = target_of(json.at("target"));
  block.since = Timestamp(Duration(json.at("since").get<std::int64_t>()));
  block.expires = Timestamp(Duration(json.at("expires").get<std::int64_t>()));
  block.rule = json.at("rule").get<std::string>();
  block.label = json.at("label").get<std::string>();
  block.rule_number = json.at("rule_number").get<std::uint16_t>();
  return block;
}

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string line_of_block(const Block& block) { return line_of({{"block", json_of(block)}}); }

Result<> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "write {}", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<BlockJournal> BlockJournal::open(std::string path) {
  BlockJournal journal(std::move(path));
  if (auto read = journal.read(); !read) return tl::unexpected(read.error());
  // Also ends a last line that was cut short, which the next one would be appended to.
  if (auto written = journal.rewrite(); !written) return tl::unexpected(written.error());
  return journal;
}

Result<> BlockJournal::read() {
  std::ifstream file(path_);
  if (!file) return ::access(path_.c_str(), F_OK) == 0 ? Result<>(fail_errno(errno, "read {}", path_)) : Result<>();
  for (std::string line; std::getline(file, line);) {
    try {
      const Json json = Json::parse(line);
      if (json.contains("block")) {
        Block block = block_of(json.at("block"));
        const BlockTarget target = block.target;
        blocks_.insert_or_assign(target, std::move(block));
      } else {
        blocks_.erase(target_of(json.at("unblock")));
      }
    } catch (const std::exception&) {
      ++damaged_lines_;
    }
  }
  return {};
}

std::vector<Block> BlockJournal::blocks() const {
  std::vector<Block> all;
  all.reserve(blocks_.size());
  for (const auto& [target, block] : blocks_) all.push_back(block);
  return all;
}

const Block* BlockJournal::find(const BlockTarget& target) const {
  const auto found = blocks_.find(target);
  return found == blocks_.end() ? nullptr : &found->second;
}

Result<> BlockJournal::add(const Block& block) {
  blocks_.insert_or_assign(block.target, block);
  return append(line_of_block(block));
}

Result<> BlockJournal::remove(const BlockTarget& target) {
  if (blocks_.erase(target) == 0) return {};
  return append(line_of({{"unblock", std::visit(TargetWriter{}, target)}}));
}

Result<> BlockJournal::append(const std::string& line) {
  if (lines_ > 2 * blocks_.size() + kSpareLines) return rewrite();
  ++lines_;
  return write_all(file_.get(), line, path_);
}

Result<> BlockJournal::rewrite() {
  const std::string temporary = path_ + ".new";
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, "create {}", temporary);
  std::string text;
  for (const auto& [target, block] : blocks_) text += line_of_block(block);
  if (auto written = write_all(file.get(), text, temporary); !written) return written;
  if (::fsync(file.get()) != 0) return fail_errno(errno, "write {}", temporary);
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) return fail_errno(errno, "replace {}", path_);
  file_ = std::move(file);
  lines_ = blocks_.size();
  return {};
}

}  // namespace spidd
