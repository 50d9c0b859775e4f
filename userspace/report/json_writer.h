// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Writes JSON text straight into a string: for events, of which a capture file gives tens of thousands. Keys are
// written as given; values are escaped, and bytes that are not UTF-8 become U+FFFD, so that the output is always valid
// JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/base/ip_address.h"
#include "userspace/base/time.h"

namespace spidd {

// Appends to `out`, which must outlive the writer. Requires: as many closes as objects and arrays, at most 32 deep, and
// keys that need no escaping.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void object();                      // {
  void object(std::string_view key);  // "key":{
  void close();                       // }
  void array(std::string_view key);   // "key":[  of objects
  void close_array();                 // ]

  void text(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::uint64_t value);
  // Null if it is not finite or beyond 1e12. Requires: decimals 1..6.
  void real(std::string_view key, double value, unsigned decimals = 3);
  void boolean(std::string_view key, bool value);
  void time(std::string_view key, Timestamp value);  // as format_timestamp()
  void address(std::string_view key, const IpAddress& value);

 private:
  void key(std::string_view key);

  std::string& out_;
  std::uint32_t filled_ = 0;  // bit d: the object at depth d has a member
  unsigned depth_ = 0;
};

}  // namespace spidd
