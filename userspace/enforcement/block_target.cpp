// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Block targets and their text forms.
#include <charconv>

#include "userspace/enforcement/block_list.h"

namespace spidd {
namespace {

constexpr std::string_view kBetween = " <-> ";
constexpr std::string_view kDomain = " domain ";

bool has_ports(Transport transport) { return transport == Transport::tcp || transport == Transport::udp; }

Result<std::uint16_t> parse_number(std::string_view text, unsigned least, std::string_view what) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > 65535)
    return fail("'{}' is not {} from {} to 65535", text, what, least);
  return static_cast<std::uint16_t>(number);
}

// "198.51.100.7:443", "[2001:db8::1]:443"
Result<Endpoint> parse_endpoint(std::string_view text, unsigned least_port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail("'{}' has no port: write ADDRESS:PORT", text);
  std::string_view address = text.substr(0, colon);
  const bool bracketed = address.size() >= 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  if (bracketed == parsed->is_ipv4()) return fail("'{}' must be written ADDRESS:PORT or [IPV6]:PORT", text);
  const auto port = parse_number(text.substr(colon + 1), least_port, "a port");
  if (!port) return tl::unexpected<Error>(port.error());
  return Endpoint{*parsed, *port};
}

Result<BlockTarget> parse_host(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  if (!prefix) return tl::unexpected<Error>(prefix.error());
  if (prefix->covers(IpPrefix{IpAddress::from_ipv4(0), 96})) return fail("'{}' would block everything", text);
  return HostTarget{*prefix};
}

Result<BlockTarget> parse_flow(Transport transport, std::string_view text, std::size_t between) {
  FlowKey key;
  key.transport = transport;
  std::string_view second = text.substr(between + kBetween.size());
  if (const std::size_t domain = second.find(kDomain); domain != std::string_view::npos) {
    const auto number = parse_number(second.substr(domain + kDomain.size()), 0, "a domain");
    if (!number) return tl::unexpected<Error>(number.error());
    key.domain = *number;
    second = second.substr(0, domain);
  }
  auto low = parse_endpoint(text.substr(0, between), 0);
  if (!low) return tl::unexpected<Error>(low.error());
  auto high = parse_endpoint(second, 0);
  if (!high) return tl::unexpected<Error>(high.error());
  if (*high < *low) std::swap(*low, *high);
  key.low = low->address;
  key.high = high->address;
  key.port_low = low->port;
  key.port_high = high->port;
  return FlowTarget{key};
}

}  // namespace

BlockTarget block_target(BlockScope scope, const FlowKey& key, const Endpoint& server) {
  switch (scope) {
    case BlockScope::flow:
      return FlowTarget{key};
    case BlockScope::host:
      return HostTarget{IpPrefix::of_host(server.address)};
    case BlockScope::endpoint:
      break;
  }
  return EndpointTarget{server.address, has_ports(key.transport) ? server.port : std::uint16_t{0}, key.transport};
}

std::string to_string(const BlockTarget& target) {
  if (const auto* host = std::get_if<HostTarget>(&target))
    return host->prefix.length == 128 ? host->prefix.address.to_string() : host->prefix.to_string();
  if (const auto* endpoint = std::get_if<EndpointTarget>(&target)) {
    return fmt::format("{} {}", transport_name(endpoint->transport),
                       has_ports(endpoint->transport) ? Endpoint{endpoint->address, endpoint->port}.to_string()
                                                      : endpoint->address.to_string());
  }
  const FlowKey& key = std::get<FlowTarget>(target).key;
  std::string text =
      fmt::format("{} {}{}{}", transport_name(key.transport), Endpoint{key.low, key.port_low}.to_string(), kBetween,
                  Endpoint{key.high, key.port_high}.to_string());
  if (key.domain != 0) text += fmt::format("{}{}", kDomain, key.domain);
  return text;
}

Result<BlockTarget> parse_block_target(std::string_view text) {
  const std::size_t end = text.find_first_of(" /");
  const auto transport = parse_transport(text.substr(0, end));
  if (!transport) return parse_host(text);
  if (end == std::string_view::npos) return fail("'{}' names no address", text);
  const std::string_view rest = text.substr(end + 1);
  if (const std::size_t between = rest.find(kBetween); between != std::string_view::npos)
    return parse_flow(*transport, rest, between);
  if (has_ports(*transport)) {
    const auto endpoint = parse_endpoint(rest, 1);
    if (!endpoint) return tl::unexpected<Error>(endpoint.error());
    return EndpointTarget{endpoint->address, endpoint->port, *transport};
  }
  const auto address = IpAddress::parse(rest);
  if (!address) return tl::unexpected<Error>(address.error());
  if (address->is_ipv4() != (*transport == Transport::icmp))
    return fail("'{}': {} is not spoken at this address", text, transport_name(*transport));
  return EndpointTarget{*address, 0, *transport};
}

}  // namespace spidd
