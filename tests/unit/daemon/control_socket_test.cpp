// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The control socket with real clients: partial lines, too long ones, too many clients, slow subscribers.
#include "userspace/daemon/control_socket.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

using testing::HasSubstr;

class Peer {
 public:
  explicit Peer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  // What the socket took of the text.
  std::size_t send(std::string_view text) {
    const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  // Everything that has arrived; `closed` says whether the other side is gone.
  std::string receive() {
    std::string text;
    std::array<char, 65536> buffer;
    for (;;) {
      const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        closed = got == 0 || errno != EAGAIN;
        return text;
      }
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  bool connected = false;
  bool closed = false;

 private:
  UniqueFd fd_;
};

class ControlSocketTest : public testing::Test {
 protected:
  ControlSocketTest() {
    std::string pattern = testing::TempDir() + "spidd-control-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    settings_.socket_path = directory_ + "/sub/control.sock";
    settings_.max_clients = 3;
    settings_.max_queued_bytes = 65536;
  }
  ~ControlSocketTest() override { std::filesystem::remove_all(directory_); }

  ControlSocket open() {
    auto socket =
        ControlSocket::open(settings_, [](std::string_view reason) { return "error: " + std::string(reason); });
    EXPECT_TRUE(socket) << socket.error().message;
    return std::move(*socket);
  }

  // Serves until nothing is left to do.
  void serve(ControlSocket& socket) {
    for (int quiet = 0; quiet < 3;) {
      pollfd ready{socket.fd(), POLLIN, 0};
      quiet = ::poll(&ready, 1, 1) == 0 ? quiet + 1 : 0;
      socket.serve([this](std::string_view line) { return answer(line); });
    }
  }

  ControlSocket::Reply answer(std::string_view line) {
    lines_.emplace_back(line);
    if (line == "subscribe") return {"subscribed", true};
    if (line == "big") return {std::string(1U << 22U, 'b'), false};
    return {"got " + std::string(line), false};
  }

  std::string directory_;
  ControlSettings settings_;
  std::vector<std::string> lines_;
};

TEST_F(ControlSocketTest, AnswersLinesHoweverTheyAreCut) {
  ControlSocket socket = open();
  Peer peer(settings_.socket_path);
  peer.send("on");
  serve(socket);
  EXPECT_EQ(peer.receive(), "");
  peer.send("e\ntwo\nth");
  serve(socket);
  EXPECT_EQ(peer.receive(), "got one\ngot two\n");
  peer.send("ree\n");
  serve(socket);
  EXPECT_EQ(peer.receive(), "got three\n");
  EXPECT_EQ(socket.counters().requests, 3U);
}

TEST_F(ControlSocketTest, AnswersAClientThatHasClosedItsSide) {
  ControlSocket socket = open();
  Peer peer(settings_.socket_path);
  peer.send("one\n");
  peer.half_close();
  serve(socket);
  EXPECT_EQ(peer.receive(), "got one\n");
  EXPECT_TRUE(peer.closed);
  EXPECT_EQ(socket.clients(), 0U);
}

TEST_F(ControlSocketTest, DisconnectsAClientWhoseLineIsTooLong) {
  ControlSocket socket = open();
  Peer peer(settings_.socket_path);
  const std::string piece(10000, 'x');
  for (int i = 0; i < 8; ++i) {
    peer.send(piece);
    serve(socket);
  }
  EXPECT_THAT(peer.receive(), HasSubstr("error: a request has at most 65536 bytes"));
  EXPECT_TRUE(peer.closed);
  EXPECT_EQ(socket.counters().lines_too_long, 1U);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(ControlSocketTest, RefusesMoreClientsThanAllowedAndServesAgainWhenOneIsGone) {
  ControlSocket socket = open();
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(std::make_unique<Peer>(settings_.socket_path));
  serve(socket);
  EXPECT_EQ(socket.clients(), 3U);
  EXPECT_THAT(peers[3]->receive(), HasSubstr("error: 3 clients"));
  EXPECT_TRUE(peers[3]->closed);
  EXPECT_EQ(socket.counters().clients_refused, 1U);
  peers.pop_back();
  peers.pop_back();
  serve(socket);
  Peer again(settings_.socket_path);
  again.send("one\n");
  serve(socket);
  EXPECT_EQ(again.receive(), "got one\n");
}

TEST_F(ControlSocketTest, DoesNotReadFromAClientThatLeavesItsAnswerUnread) {
  ControlSocket socket = open();
  Peer peer(settings_.socket_path);
  peer.send("big\nbig\nbig\n");
  serve(socket);
  EXPECT_EQ(lines_.size(), 1U);
  std::size_t received = 0;
  for (int i = 0; i < 1000 && received < 3 * ((1U << 22U) + 1); ++i) {
    received += peer.receive().size();
    serve(socket);
  }
  EXPECT_EQ(received, 3 * ((1U << 22U) + 1));
  EXPECT_EQ(lines_.size(), 3U);
}

TEST_F(ControlSocketTest, PublishesToSubscribersOnly) {
  ControlSocket socket = open();
  Peer subscriber(settings_.socket_path);
  Peer other(settings_.socket_path);
  subscriber.send("subscribe\n");
  serve(socket);
  EXPECT_EQ(socket.subscribers(), 1U);
  socket.publish("event 1");
  socket.publish("event 2");
  EXPECT_EQ(subscriber.receive(), "subscribed\nevent 1\nevent 2\n");
  EXPECT_EQ(other.receive(), "");
}

TEST_F(ControlSocketTest, CutsOffASubscriberThatDoesNotKeepUp) {
  ControlSocket socket = open();
  Peer slow(settings_.socket_path);
  Peer quick(settings_.socket_path);
  slow.send("subscribe\n");
  quick.send("subscribe\n");
  serve(socket);
  const std::string event(1000, 'e');
  std::size_t received = 0;
  for (int i = 0; i < 2000; ++i) {
    socket.publish(event);
    received += quick.receive().size();
    socket.serve([this](std::string_view line) { return answer(line); });
  }
  serve(socket);
  EXPECT_EQ(socket.counters().subscribers_cut_off, 1U);
  EXPECT_EQ(socket.subscribers(), 1U);
  received += quick.receive().size();
  EXPECT_EQ(received, 11 + 2000 * 1001U);
}

TEST_F(ControlSocketTest, LimitsWhatASubscriberCanMakeItQueue) {
  ControlSocket socket = open();
  Peer peer(settings_.socket_path);
  peer.send("subscribe\n");
  serve(socket);
  std::string many;
  for (int i = 0; i < 30; ++i) many += "big\n";
  peer.send(many);
  serve(socket);
  EXPECT_LE(lines_.size(), 3U);
}

TEST_F(ControlSocketTest, HasTheModeAskedForAndGoesWithItsOwner) {
  {
    const ControlSocket socket = open();
    struct stat status {};
    ASSERT_EQ(::stat(settings_.socket_path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
  }
  EXPECT_FALSE(std::filesystem::exists(settings_.socket_path));
}

TEST_F(ControlSocketTest, ReplacesADeadSocketButNothingElse) {
  const auto error_line = [](std::string_view) { return std::string(); };
  std::filesystem::create_directories(directory_ + "/sub");
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, settings_.socket_path.data(), settings_.socket_path.size());
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  {
    const ControlSocket socket = open();
    const auto second = ControlSocket::open(settings_, error_line);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("another spidd answers"));
    EXPECT_TRUE(Peer(settings_.socket_path).connected);
  }
  std::ofstream(settings_.socket_path) << "precious";
  const auto refused = ControlSocket::open(settings_, error_line);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("is not a socket"));
  EXPECT_TRUE(std::filesystem::exists(settings_.socket_path));
}

TEST_F(ControlSocketTest, NamesAnUnknownGroup) {
  settings_.group = "no-such-group-here";
  const auto refused = ControlSocket::open(settings_, [](std::string_view) { return std::string(); });
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no group 'no-such-group-here'"));
}

}  // namespace
}  // namespace spidd
