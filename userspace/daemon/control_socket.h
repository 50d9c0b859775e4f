// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The Unix stream socket that spidctl and other programs talk to: lines in, lines out. What a line means is none of its
// business: it hands each one to a function and sends back what that returns (userspace/daemon/requests.h).
//
// Clients are not trusted to be polite: a line is at most kMaxRequestBytes bytes, a client is not read from while it
// leaves its answer unread, a subscriber that does not keep up is cut off, and the number of clients is bounded.
// Nothing here blocks. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/daemon/config.h"

namespace spidd {

class ControlSocket {
 public:
  struct Reply {
    std::string line;        // without the newline
    bool subscribe = false;  // from now on the client gets what publish() is given
  };
  using Handler = std::function<Reply(std::string_view line)>;

  struct Counters {
    std::uint64_t clients = 0;              // accepted
    std::uint64_t clients_refused = 0;      // too many
    std::uint64_t requests = 0;             // lines
    std::uint64_t lines_too_long = 0;       // the client is disconnected
    std::uint64_t subscribers_cut_off = 0;  // too slow
  };

  // Creates the socket's directory if need be. A socket left by a dead daemon is replaced; one that is answered is an
  // error. `error_line` is what a client is told that is refused or disconnected, given the reason.
  static Result<ControlSocket> open(const ControlSettings& settings,
                                    std::function<std::string(std::string_view reason)> error_line);
  ControlSocket(ControlSocket&&) noexcept = default;
  ControlSocket& operator=(ControlSocket&&) = delete;
  // Disconnects everybody and removes the socket.
  ~ControlSocket();

  // Becomes readable when there is something to serve().
  int fd() const { return epoll_.get(); }
  // Accepts, reads, answers and writes as far as possible without waiting.
  void serve(const Handler& handler);
  // Sends a line to every subscriber. Not from within the handler.
  void publish(std::string_view line);

  std::size_t clients() const { return clients_.size(); }
  std::size_t subscribers() const { return subscribers_; }
  const Counters& counters() const { return counters_; }

 private:
  struct Client {
    UniqueFd fd;
    std::string in;
    std::string out;
    std::size_t sent = 0;  // of `out`
    bool subscribed = false;
    bool closing = false;  // once `out` is sent
    bool writable_wanted = false;
  };

  ControlSocket() = default;
  void accept_clients();
  // False if the client is to be disconnected.
  bool receive(Client& client, const Handler& handler);
  bool answer_lines(Client& client, const Handler& handler);
  bool flush(Client& client);
  void watch(Client& client);
  void disconnect(int fd);

  ControlSettings settings_;
  std::function<std::string(std::string_view)> error_line_;
  UniqueFd listener_;
  UniqueFd epoll_;
  std::map<int, Client> clients_;  // by descriptor
  std::size_t subscribers_ = 0;
  Counters counters_;
};

}  // namespace spidd
