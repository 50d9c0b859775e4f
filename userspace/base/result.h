// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Errors as values that cannot be ignored.
//
//   Result<Policy> load_policy(const std::string& path);
//   auto policy = load_policy(path);
//   if (!policy) return std::move(policy).error().within("start");
//
// The message is for the administrator and is built outward: "attach eth0: load ingress program: Operation not
// permitted". A function either returns an error or logs it, never both; only main programs log.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace spidd {

struct Error {
  std::string message;
  int code = 0;  // errno where a system call failed, else 0

  // The same error with what was being attempted in front: "context: message".
  tl::unexpected<Error> within(std::string_view context) && {
    return tl::unexpected<Error>(Error{fmt::format("{}: {}", context, message), code});
  }
};

template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// The error of a result, for one of another type: if (!models) return error_of(models);
template <class T>
tl::unexpected<Error> error_of(const Result<T>& failed) {
  return tl::unexpected<Error>(failed.error());
}
template <class T>
tl::unexpected<Error> error_of(Result<T>& failed) {
  return tl::unexpected<Error>(std::move(failed.error()));
}

// Makes the error of a Result: return fail("port {} is out of range", port);
template <class... Args>
tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...), 0});
}

// The same for a failed system or libbpf call: ": <reason of code>" is appended. `code` may be negative.
template <class... Args>
tl::unexpected<Error> fail_errno(int code, fmt::format_string<Args...> format, Args&&... args) {
  const int positive = code < 0 ? -code : code;
  return tl::unexpected<Error>(Error{
      fmt::format("{}: {}", fmt::format(format, std::forward<Args>(args)...), std::strerror(positive)), positive});
}

}  // namespace spidd
