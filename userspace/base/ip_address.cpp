// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Text forms and prefix arithmetic of addresses. Everything works on the 16 mapped bytes, so that IPv4 needs no second
// code path; only text knows the family.
#include "userspace/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace spidd {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

bool same_leading_bits(const IpAddress& a, const IpAddress& b, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest)) == 0;
}

IpAddress without_host_bits(IpAddress address, unsigned bits) {
  for (unsigned i = 0; i < address.bytes.size(); ++i) {
    const unsigned kept = bits > 8 * i ? std::min(bits - 8 * i, 8U) : 0;
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00U >> kept));
  }
  return address;
}

}  // namespace

bool IpAddress::is_ipv4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

bool IpAddress::is_loopback() const {
  if (is_ipv4()) return bytes[12] == 127;
  constexpr IpAddress kLoopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return *this == kLoopback;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv4()) {
    ::inet_ntop(AF_INET, bytes.data() + kMappedPrefix.size(), text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  }
  return text;
}

IpAddress IpAddress::from_ipv4(std::uint32_t host_order) {
  IpAddress address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  for (unsigned i = 0; i < 4; ++i) address.bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN] = "";
  if (text.size() < sizeof terminated && text.find('\0') == std::string_view::npos) {
    std::copy(text.begin(), text.end(), terminated);
    IpAddress address;
    if (::inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) return address;
    in_addr ipv4{};
    if (::inet_pton(AF_INET, terminated, &ipv4) == 1) return from_ipv4(ntohl(ipv4.s_addr));
  }
  return fail("\"{}\" is not an IPv4 or IPv6 address", text);
}

bool IpPrefix::contains(const IpAddress& other) const { return same_leading_bits(address, other, length); }

bool IpPrefix::covers(const IpPrefix& other) const { return length <= other.length && contains(other.address); }

std::string IpPrefix::to_string() const {
  if (length == 128) return address.to_string();
  const bool ipv4 = length >= kMappedBits && address.is_ipv4();
  return fmt::format("{}/{}", address.to_string(), ipv4 ? length - kMappedBits : length);
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  auto address = IpAddress::parse(address_text);
  if (!address) return fail("\"{}\" is neither an address nor a prefix such as 192.0.2.0/24 or 2001:db8::/32", text);
  if (slash == std::string_view::npos) return of_host(*address);

  const unsigned offset = address_text.find(':') == std::string_view::npos ? kMappedBits : 0;
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc{} || end != digits.data() + digits.size() || bits > 128 - offset) {
    return fail("\"{}\": the prefix length must be a number from 0 to {}", text, 128 - offset);
  }
  const IpPrefix prefix{without_host_bits(*address, bits + offset), bits + offset};
  if (prefix.address != *address) return fail("\"{}\" has host bits set; did you mean {}?", text, prefix.to_string());
  return prefix;
}

}  // namespace spidd
