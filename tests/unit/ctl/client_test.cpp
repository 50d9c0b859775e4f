// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl's end of the control socket, against the daemon's end of it.
#include "userspace/ctl/client.h"

#include <gmock/gmock.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "userspace/daemon/control_socket.h"
#include "userspace/daemon/requests.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    std::string pattern = testing::TempDir() + "spidd-client-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    settings_.socket_path = directory_ + "/control.sock";
  }
  ~ClientTest() override {
    stop();
    std::filesystem::remove_all(directory_);
  }

  // Serves with `handler` until stop().
  void serve(ControlSocket::Handler handler) {
    socket_.emplace(*ControlSocket::open(settings_, [](std::string_view reason) { return error_line(reason); }));
    server_ = std::thread([this, handler = std::move(handler)] {
      while (!stopping_) {
        pollfd ready{socket_->fd(), POLLIN, 0};
        ::poll(&ready, 1, 5);
        socket_->serve(handler);
        if (socket_->subscribers() > 0 && published_ < 2)
          socket_->publish(event_line(fmt::format(R"({{"number":{}}})", ++published_)));
      }
    });
  }
  void stop() {
    stopping_ = true;
    if (server_.joinable()) server_.join();
    socket_.reset();
  }

  std::string directory_;
  ControlSettings settings_;
  std::optional<ControlSocket> socket_;
  std::thread server_;
  std::atomic<bool> stopping_ = false;
  int published_ = 0;
};

TEST_F(ClientTest, SendsTheRequestAndGivesTheResult) {
  serve([](std::string_view line) {
    EXPECT_TRUE(parse_request(line)) << line;
    return ControlSocket::Reply{success_line({{"echo", ordered_json::parse(line)}}), false};
  });
  const auto result = ask_daemon(settings_.socket_path, "flows", {{"limit", 7}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ((*result)["echo"]["command"], "flows");
  EXPECT_EQ((*result)["echo"]["limit"], 7);
}

TEST_F(ClientTest, GivesTheDaemonsError) {
  serve([](std::string_view) { return ControlSocket::Reply{error_line("no such thing"), false}; });
  const auto result = ask_daemon(settings_.socket_path, "status");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "no such thing");
}

TEST_F(ClientTest, TakesAnswersOfManyMegabytes) {
  serve([](std::string_view) { return ControlSocket::Reply{success_line(std::string(5'000'000, 'x')), false}; });
  const auto result = ask_daemon(settings_.socket_path, "status");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->get<std::string>().size(), 5'000'000U);
}

TEST_F(ClientTest, ReceivesEventsUntilTheDaemonEnds) {
  serve([](std::string_view) { return ControlSocket::Reply{success_line(true), true}; });
  auto client = Client::connect(settings_.socket_path);
  ASSERT_TRUE(client) << client.error().message;
  ASSERT_TRUE(client->request("subscribe"));
  EXPECT_EQ((*client->next_event())["number"], 1);
  EXPECT_EQ((*client->next_event())["number"], 2);
  stop();
  const auto end = client->next_event();
  ASSERT_FALSE(end);
  EXPECT_THAT(end.error().message, HasSubstr("closed the connection"));
}

TEST_F(ClientTest, SurvivesAnswersThatAreNone) {
  std::vector<std::string> answers = {"[1,2", "", "7", R"({"ok":1})", R"({"ok":false,"error":[]})", R"({"ok":"true"})"};
  const std::size_t count = answers.size();
  serve([&answers](std::string_view) {
    const std::string next = answers.back();
    answers.pop_back();
    return ControlSocket::Reply{next, false};
  });
  for (std::size_t i = 0; i < count; ++i) EXPECT_FALSE(ask_daemon(settings_.socket_path, "status"));
}

TEST_F(ClientTest, SaysWhetherSpiddRuns) {
  const auto absent = ask_daemon(settings_.socket_path, "status");
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().message, HasSubstr("is spidd running?"));
  serve([](std::string_view) { return ControlSocket::Reply{}; });
  const std::string kept = settings_.socket_path + ".kept";
  std::filesystem::rename(settings_.socket_path, kept);
  stop();
  const auto dead = ask_daemon(kept, "status");
  ASSERT_FALSE(dead);
  EXPECT_THAT(dead.error().message, HasSubstr("spidd is not running"));
  EXPECT_FALSE(ask_daemon(std::string(200, 'x'), "status"));
}

}  // namespace
}  // namespace spidd
