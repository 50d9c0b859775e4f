// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the daemon tells its service manager: the datagrams of sd_notify(3), without its library. Without a service
// manager (no NOTIFY_SOCKET in the environment) nothing is sent.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "userspace/base/time.h"
#include "userspace/base/unique_fd.h"

namespace spidd {

class ServiceNotify {
 public:
  // Takes the address from the environment; call once, early: the variables are removed for child processes.
  static ServiceNotify from_environment();

  void ready(std::string_view status);
  void status(std::string_view status);
  // Followed by ready() when the reload is over.
  void reloading();
  void stopping();
  // How often alive() is expected at least; nothing if the manager does not watch.
  std::optional<Duration> watchdog_interval() const { return watchdog_; }
  void alive();

 private:
  void send(const std::string& message);

  UniqueFd socket_;
  std::string address_;  // "/path" or "@abstract"
  std::optional<Duration> watchdog_;
};

}  // namespace spidd
