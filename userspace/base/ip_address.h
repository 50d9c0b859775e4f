// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// IPv4 and IPv6 addresses and prefixes. IPv4 is held IPv4-mapped (::ffff:a.b.c.d), as in bpf/abi.h: one type, one code
// path; text is printed in the family's own form.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/base/result.h"

namespace spidd {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // network order

  auto operator<=>(const IpAddress&) const = default;

  bool is_ipv4() const;
  bool is_loopback() const;
  std::string to_string() const;

  static IpAddress from_ipv4(std::uint32_t host_order);
  // Numeric text only, no names: "192.0.2.1", "2001:db8::1".
  static Result<IpAddress> parse(std::string_view text);
};

// Works on the mapped bytes, as the kernel's tries do: "::/0" contains every IPv4 address too.
struct IpPrefix {
  IpAddress address;      // host bits are zero
  unsigned length = 128;  // 0..128; an IPv4 prefix of n bits has 96 + n

  auto operator<=>(const IpPrefix&) const = default;

  bool contains(const IpAddress& other) const;
  bool covers(const IpPrefix& other) const;
  std::string to_string() const;  // a bare address if it is one host

  // "192.0.2.0/24", "2001:db8::/32", or a bare address. Host bits set in the text are an error that names the prefix
  // probably meant.
  static Result<IpPrefix> parse(std::string_view text);
  static IpPrefix of_host(const IpAddress& address) { return {address, 128}; }
};

}  // namespace spidd
