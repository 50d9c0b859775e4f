// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The datagrams a service manager gets, on a real socket.
#include "userspace/daemon/service_notify.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace spidd {
namespace {

using testing::StartsWith;

class ServiceNotifyTest : public testing::Test {
 protected:
  ServiceNotifyTest() : name_("spidd-test-" + std::to_string(::getpid())) {
    manager_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data(), name_.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
    EXPECT_EQ(::bind(manager_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  ~ServiceNotifyTest() override { ::unsetenv("NOTIFY_SOCKET"); }

  std::string received() {
    std::array<char, 512> buffer{};
    const ssize_t got = ::recv(manager_.get(), buffer.data(), buffer.size(), 0);
    return got < 0 ? "nothing" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }

  UniqueFd manager_;
  std::string name_;
};

TEST_F(ServiceNotifyTest, TellsAnAbstractSocketWhatHappens) {
  ::setenv("NOTIFY_SOCKET", ("@" + name_).c_str(), 1);
  ::setenv("WATCHDOG_USEC", "20000000", 1);
  ServiceNotify notify = ServiceNotify::from_environment();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(notify.watchdog_interval(), std::chrono::seconds(20));
  notify.ready("watching eth0");
  EXPECT_EQ(received(), "READY=1\nSTATUS=watching eth0");
  notify.reloading();
  EXPECT_THAT(received(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  notify.alive();
  EXPECT_EQ(received(), "WATCHDOG=1");
  notify.stopping();
  EXPECT_EQ(received(), "STOPPING=1");
}

TEST_F(ServiceNotifyTest, IgnoresAWatchdogMeantForAnotherProcess) {
  ::setenv("NOTIFY_SOCKET", ("@" + name_).c_str(), 1);
  ::setenv("WATCHDOG_USEC", "20000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(ServiceNotify::from_environment().watchdog_interval(), std::nullopt);
}

TEST_F(ServiceNotifyTest, IsSilentWithoutAServiceManager) {
  ServiceNotify notify = ServiceNotify::from_environment();
  notify.ready("x");
  EXPECT_EQ(received(), "nothing");
}

}  // namespace
}  // namespace spidd
