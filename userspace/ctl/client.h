// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The other end of the daemon's control socket: one request, one answer; or, after "subscribe", events without end.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace spidd {

class Client {
 public:
  // The error says whether spidd runs and whether permission is what is missing.
  static Result<Client> connect(const std::string& socket_path);

  // Sends {"version":1,"command":command, ...arguments}. The "result" of the answer, or its "error".
  Result<nlohmann::ordered_json> request(const std::string& command,
                                         nlohmann::ordered_json arguments = nlohmann::ordered_json::object());

  // The next event after a subscription; waits for it. Error when the daemon ends or has cut this client off.
  Result<nlohmann::ordered_json> next_event();

 private:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<std::string> read_line();

  UniqueFd fd_;
  std::string received_;
};

// Connects, asks and disconnects.
Result<nlohmann::ordered_json> ask_daemon(const std::string& socket_path, const std::string& command,
                                          nlohmann::ordered_json arguments = nlohmann::ordered_json::object());

}  // namespace spidd
