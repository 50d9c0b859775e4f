// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/service_notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace spidd {

namespace {

std::optional<Duration> watchdog_from_environment() {
  const char* const interval = std::getenv("WATCHDOG_USEC");
  const char* const pid = std::getenv("WATCHDOG_PID");
  if (interval == nullptr) return {};
  if (pid != nullptr && fmt::format("{}", ::getpid()) != pid) return {};
  std::uint64_t microseconds = 0;
  const char* const end = interval + std::strlen(interval);
  if (std::from_chars(interval, end, microseconds).ptr != end || microseconds == 0) return {};
  return std::chrono::microseconds(microseconds);
}

}  // namespace

ServiceNotify ServiceNotify::from_environment() {
  ServiceNotify notify;
  if (const char* const address = std::getenv("NOTIFY_SOCKET"); address != nullptr) {
    notify.address_ = address;
    notify.watchdog_ = watchdog_from_environment();
    notify.socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
  for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  return notify;
}

void ServiceNotify::ready(std::string_view status) { send(fmt::format("READY=1\nSTATUS={}", status)); }

void ServiceNotify::status(std::string_view status) { send(fmt::format("STATUS={}", status)); }

void ServiceNotify::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1000000 + now.tv_nsec / 1000));
}

void ServiceNotify::stopping() { send("STOPPING=1"); }

void ServiceNotify::alive() { send("WATCHDOG=1"); }

// A manager that does not listen is no reason for the sensor to fail: nothing is done about errors.
void ServiceNotify::send(const std::string& message) {
  if (!socket_) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (address_.empty() || address_.size() >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address_.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  static_cast<void>(::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), length));
}

}  // namespace spidd
