// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/control_socket.h"

#include <grp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

namespace spidd {

namespace {

constexpr const char* kStandardGroup = "spidd";

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return fail("the path of a socket has 1 to {} characters: '{}'", sizeof(address.sun_path) - 1, path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

// Only a socket that nobody answers is removed, never another kind of file.
Result<> remove_stale_socket(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, "{}", path);
  }
  if (!S_ISSOCK(status.st_mode)) return fail("{} exists and is not a socket", path);
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), generic(address), sizeof(address)) == 0 || errno == EAGAIN)
    return fail("another spidd answers on {}", path);
  if (::unlink(path.c_str()) != 0) return fail_errno(errno, "remove {}", path);
  return {};
}

// The standard group is a convenience: where it does not exist, or cannot be given away, the daemon's own group stays.
Result<> set_owner(const ControlSettings& settings) {
  const bool standard = settings.group.empty();
  const std::string name = standard ? kStandardGroup : settings.group;
  const group* const entry = ::getgrnam(name.c_str());
  if (entry == nullptr && !standard) return fail("there is no group '{}'", name);
  if (entry != nullptr && ::chown(settings.socket_path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0 &&
      !standard)
    return fail_errno(errno, "give {} to the group '{}'", settings.socket_path, name);
  if (::chmod(settings.socket_path.c_str(), settings.mode) != 0)
    return fail_errno(errno, "set the mode of {}", settings.socket_path);
  return {};
}

}  // namespace

Result<ControlSocket> ControlSocket::open(const ControlSettings& settings,
                                          std::function<std::string(std::string_view)> error_line) {
  const std::string& path = settings.socket_path;
  const auto address = socket_address(path);
  if (!address) return tl::unexpected<Error>(address.error());
  std::error_code code;
  const auto directory = std::filesystem::path(path).parent_path();
  if (!directory.empty() && !std::filesystem::exists(directory, code))
    if (std::filesystem::create_directories(directory, code); code)
      return fail_errno(code.value(), "create {}", directory.string());
  if (auto removed = remove_stale_socket(path, *address); !removed)
    return tl::unexpected<Error>(std::move(removed.error()));

  ControlSocket socket;
  socket.settings_ = settings;
  socket.error_line_ = std::move(error_line);
  socket.listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.listener_) return fail_errno(errno, "create a socket");
  // Nobody may connect before group and mode are what the settings say.
  const mode_t previous = ::umask(0777);
  const int bound = ::bind(socket.listener_.get(), generic(*address), sizeof(*address));
  const int bind_error = errno;
  ::umask(previous);
  if (bound != 0) {
    socket.listener_.reset();
    return fail_errno(bind_error, "bind {}", path);
  }
  if (auto owned = set_owner(settings); !owned) return tl::unexpected<Error>(std::move(owned.error()));
  if (::listen(socket.listener_.get(), 64) != 0) return fail_errno(errno, "listen on {}", path);
  socket.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!socket.epoll_) return fail_errno(errno, "epoll_create1");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket.listener_.get();
  if (::epoll_ctl(socket.epoll_.get(), EPOLL_CTL_ADD, socket.listener_.get(), &event) != 0)
    return fail_errno(errno, "epoll_ctl");
  return socket;
}

ControlSocket::~ControlSocket() {
  if (listener_) ::unlink(settings_.socket_path.c_str());
}

void ControlSocket::serve(const Handler& handler) {
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == listener_.get()) {
      accept_clients();
      continue;
    }
    const auto found = clients_.find(event.data.fd);
    if (found == clients_.end()) continue;
    Client& client = found->second;
    bool keep = (event.events & EPOLLERR) == 0;
    if (keep && (event.events & EPOLLOUT) != 0) keep = flush(client) && answer_lines(client, handler);
    if (keep && (event.events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) != 0) keep = receive(client, handler);
    if (keep)
      watch(client);
    else
      disconnect(event.data.fd);
  }
}

void ControlSocket::accept_clients() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    if (clients_.size() >= settings_.max_clients) {
      ++counters_.clients_refused;
      const std::string line = error_line_(fmt::format("{} clients are connected already", clients_.size())) + "\n";
      static_cast<void>(::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
      continue;
    }
    const int number = fd.get();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.fd = number;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, number, &event) != 0) continue;
    clients_[number].fd = std::move(fd);
    ++counters_.clients;
  }
}

bool ControlSocket::receive(Client& client, const Handler& handler) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  client.in.append(buffer.data(), static_cast<std::size_t>(got));
  return answer_lines(client, handler);
}

// Answers one request after the other: the next one is looked at when the answer before it has left.
bool ControlSocket::answer_lines(Client& client, const Handler& handler) {
  std::size_t begin = 0;
  while (!client.closing &&
         (client.out.empty() || (client.subscribed && client.out.size() < settings_.max_queued_bytes))) {
    const std::size_t end = client.in.find('\n', begin);
    const std::size_t length = (end == std::string::npos ? client.in.size() : end) - begin;
    if (length > kMaxRequestBytes) {
      ++counters_.lines_too_long;
      client.out += error_line_(fmt::format("a request has at most {} bytes", kMaxRequestBytes)) + "\n";
      client.closing = true;
      break;
    }
    if (end == std::string::npos) break;
    ++counters_.requests;
    const Reply reply = handler(std::string_view(client.in).substr(begin, length));
    begin = end + 1;
    client.out += reply.line;
    client.out += '\n';
    if (reply.subscribe && !client.subscribed) {
      client.subscribed = true;
      ++subscribers_;
    }
    if (!flush(client)) return false;
  }
  client.in.erase(0, begin);
  return flush(client);
}

bool ControlSocket::flush(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t sent =
        ::send(client.fd.get(), client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    client.sent += static_cast<std::size_t>(sent);
  }
  client.out.clear();
  client.sent = 0;
  return !client.closing;
}

// Asks for what the client is waiting for: room to write, or, when everything is written, its next request.
void ControlSocket::watch(Client& client) {
  const bool writable_wanted = !client.out.empty();
  if (writable_wanted == client.writable_wanted) return;
  client.writable_wanted = writable_wanted;
  epoll_event event{};
  event.events = writable_wanted ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
  event.data.fd = client.fd.get();
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), &event));
}

void ControlSocket::disconnect(int fd) {
  const auto found = clients_.find(fd);
  if (found->second.subscribed) --subscribers_;
  clients_.erase(found);
}

void ControlSocket::publish(std::string_view line) {
  if (subscribers_ == 0) return;
  std::vector<int> gone;
  for (auto& [fd, client] : clients_) {
    if (!client.subscribed) continue;
    if (client.out.size() - client.sent + line.size() > settings_.max_queued_bytes) {
      ++counters_.subscribers_cut_off;
      gone.push_back(fd);
      continue;
    }
    if (client.sent > client.out.size() / 2) {
      client.out.erase(0, client.sent);
      client.sent = 0;
    }
    client.out.append(line);
    client.out += '\n';
    if (flush(client))
      watch(client);
    else
      gone.push_back(fd);
  }
  for (const int fd : gone) disconnect(fd);
}

}  // namespace spidd
