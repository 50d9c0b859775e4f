// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Choice of hooks. Ingress: dispatcher, native XDP, tc. Egress and tc ingress: tcx, clsact.
#include "userspace/capture/interface_hooks.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "userspace/capture/bpf_attach.h"
#include "userspace/capture/bpf_dispatcher.h"
#include "userspace/capture/bpffs.h"

namespace spidd {
namespace {

constexpr std::array<HookKind, 4> kKinds = {HookKind::xdp_dispatcher, HookKind::xdp_native, HookKind::tcx,
                                            HookKind::clsact};

std::string_view direction_name(HookDirection direction) {
  return direction == HookDirection::ingress ? "ingress" : "egress";
}

bool has_link(HookKind kind) { return kind == HookKind::xdp_native || kind == HookKind::tcx; }

constexpr unsigned short kIp6Gre = 823;  // ARPHRD_IP6GRE, missing from the C library's header

enum class Framing { ethernet, layer3, other };

Framing framing_of(unsigned short link_type) {
  switch (link_type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return Framing::ethernet;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_RAWIP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case kIp6Gre:
      return Framing::layer3;
    default:
      return Framing::other;
  }
}

// "ingress-7-xdp-native"
std::optional<Hook> hook_of_pin(const std::string& directory, std::string_view name) {
  Hook hook;
  hook.pin = fmt::format("{}/{}", directory, name);
  const std::size_t first = name.find('-');
  if (first == std::string_view::npos) return std::nullopt;
  const std::string_view direction = name.substr(0, first);
  if (direction != "ingress" && direction != "egress") return std::nullopt;
  hook.direction = direction == "ingress" ? HookDirection::ingress : HookDirection::egress;
  const std::string_view rest = name.substr(first + 1);
  const auto number = std::from_chars(rest.data(), rest.data() + rest.size(), hook.ifindex);
  if (number.ec != std::errc{} || number.ptr == rest.data() + rest.size() || *number.ptr != '-') return std::nullopt;
  const std::string_view kind_name(number.ptr + 1,
                                   static_cast<std::size_t>(rest.data() + rest.size() - number.ptr - 1));
  for (const HookKind kind : kKinds) {
    if (hook_kind_name(kind) != kind_name) continue;
    hook.kind = kind;
    return hook;
  }
  return std::nullopt;
}

Result<> pin(int fd, const std::string& path) {
  ::unlink(path.c_str());
  if (bpf_obj_pin(fd, path.c_str()) != 0) return fail_errno(errno, "pin {}", path);
  return {};
}

Result<> unpin(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove {}", path);
  return {};
}

}  // namespace

std::string_view hook_kind_name(HookKind kind) {
  switch (kind) {
    case HookKind::xdp_dispatcher:
      return "xdp-dispatcher";
    case HookKind::xdp_native:
      return "xdp-native";
    case HookKind::tcx:
      return "tcx";
    case HookKind::clsact:
      return "clsact";
  }
  return "";
}

Result<InterfaceInfo> find_interface(const std::string& name) {
  InterfaceInfo interface;
  interface.name = name;
  interface.ifindex = name.size() < IFNAMSIZ ? ::if_nametoindex(name.c_str()) : 0;
  if (interface.ifindex == 0) return fail("there is no interface '{}' (ip link lists those there are)", name);
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (!socket || ::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) {
    return fail_errno(errno, "read the link type of {}", name);
  }
  const unsigned short link_type = request.ifr_hwaddr.sa_family;
  const Framing framing = framing_of(link_type);
  if (framing == Framing::other) {
    return fail("{} cannot be watched: its frames are neither Ethernet nor bare IP (link type {})", name, link_type);
  }
  interface.layer3 = framing == Framing::layer3;
  return interface;
}

std::vector<Hook> list_pinned_hooks(const std::string& directory) {
  std::vector<Hook> hooks;
  for (const std::string& name : list_directory(directory)) {
    if (auto hook = hook_of_pin(directory, name)) hooks.push_back(*std::move(hook));
  }
  return hooks;
}

Result<> detach_hook(const Hook& hook) {
  Result<> detached;
  const UniqueFd pinned(bpf_obj_get(hook.pin.c_str()));
  if (hook.kind == HookKind::clsact) {
    detached = detach_clsact(hook.ifindex, hook.direction);
  } else if (pinned) {
    detached = has_link(hook.kind) ? detach_link(pinned.get()) : detach_from_dispatcher(pinned.get(), hook.ifindex);
  }
  // The pin goes only with the attachment: it is what the next run finds it by.
  return detached ? unpin(hook.pin) : std::move(detached);
}

HookAttacher::HookAttacher(BpfObjects& objects, const BpfSettings& settings, std::string directory,
                           std::vector<std::string>& warnings)
    : objects_(objects), settings_(settings), directory_(std::move(directory)), warnings_(warnings) {}

std::string HookAttacher::pin_path(unsigned ifindex, HookDirection direction, HookKind kind) const {
  return fmt::format("{}/{}-{}-{}", directory_, direction_name(direction), ifindex, hook_kind_name(kind));
}

bool HookAttacher::still_wanted(const InterfaceInfo& interface, const Hook& previous) const {
  if (previous.kind == HookKind::tcx && !settings_.use_tcx) return false;
  if (previous.direction == HookDirection::egress || interface.layer3) return true;
  switch (settings_.ingress) {
    case IngressHook::automatic:
      return true;
    case IngressHook::dispatcher:
      return previous.kind == HookKind::xdp_dispatcher;
    case IngressHook::native:
      return previous.kind == HookKind::xdp_native;
    case IngressHook::tc:
      return !has_link(previous.kind) ? previous.kind == HookKind::clsact : previous.kind == HookKind::tcx;
  }
  return false;
}

Result<> HookAttacher::take_over(const Hook& previous) {
  if (previous.kind == HookKind::xdp_dispatcher) {
    const UniqueFd running(bpf_obj_get(previous.pin.c_str()));
    if (!running) return fail_errno(errno, "open {}", previous.pin);
    const auto current = is_current_in_dispatcher(running.get(), objects_, previous.ifindex);
    if (!current) return tl::unexpected(current.error());
    if (*current) return {};
    // A dispatcher cannot exchange a program: the new one joins before the old one leaves, so that no packet passes
    // unseen; for a moment both count.
    const auto joined = attach_to_dispatcher(objects_, previous.ifindex);
    if (!joined) return tl::unexpected(joined.error());
    if (auto left = detach_from_dispatcher(running.get(), previous.ifindex); !left) return left;
    return pin(joined->get(), previous.pin);
  }
  const auto program = objects_.program(previous.direction == HookDirection::egress ? BpfProgram::egress_tc
                                        : previous.kind == HookKind::xdp_native     ? BpfProgram::ingress_xdp
                                                                                    : BpfProgram::ingress_tc);
  if (!program) return tl::unexpected(program.error());
  if (previous.kind == HookKind::clsact) {
    if (auto replaced = attach_clsact(*program, previous.ifindex, previous.direction); !replaced) return replaced;
    return pin(*program, previous.pin);
  }
  const UniqueFd link(bpf_obj_get(previous.pin.c_str()));
  if (!link) return fail_errno(errno, "open {}", previous.pin);
  const auto ifindex = link_ifindex(link.get());
  if (!ifindex) return tl::unexpected(ifindex.error());
  if (*ifindex != previous.ifindex) return fail("the interface of {} is gone", previous.pin);
  return update_link(link.get(), *program);
}

Result<Hook> HookAttacher::attach(const InterfaceInfo& interface, HookDirection direction,
                                  std::optional<Hook> previous) {
  if (previous) {
    if (still_wanted(interface, *previous) && take_over(*previous)) return *std::move(previous);
    if (auto detached = detach_hook(*previous); !detached) {
      return std::move(detached.error())
          .within(fmt::format("replace the hook of an earlier run on {}", interface.name));
    }
  }
  return direction == HookDirection::ingress ? attach_ingress(interface) : attach_tc(interface, direction);
}

Result<Hook> HookAttacher::attach_kind(const InterfaceInfo& interface, HookDirection direction, HookKind kind) {
  const auto attach_link = [&]() -> Result<UniqueFd> {
    if (kind == HookKind::xdp_dispatcher) return attach_to_dispatcher(objects_, interface.ifindex);
    const auto program = objects_.program(kind == HookKind::xdp_native          ? BpfProgram::ingress_xdp
                                          : direction == HookDirection::ingress ? BpfProgram::ingress_tc
                                                                                : BpfProgram::egress_tc);
    if (!program) return tl::unexpected(program.error());
    if (kind == HookKind::xdp_native) return attach_xdp_link(*program, interface.ifindex);
    if (kind == HookKind::tcx) return attach_tcx_link(*program, interface.ifindex, direction);
    if (auto added = attach_clsact(*program, interface.ifindex, direction); !added)
      return tl::unexpected(added.error());
    return UniqueFd(::fcntl(*program, F_DUPFD_CLOEXEC, 0));
  };
  auto attached = attach_link();
  if (!attached) return tl::unexpected(std::move(attached.error()));
  Hook hook{direction, interface.ifindex, kind, pin_path(interface.ifindex, direction, kind)};
  if (auto pinned = pin(attached->get(), hook.pin); !pinned) {
    attached->reset();
    if (auto undone = detach_hook(hook); !undone) return tl::unexpected(undone.error());
    return tl::unexpected(pinned.error());
  }
  return hook;
}

Result<Hook> HookAttacher::attach_tc(const InterfaceInfo& interface, HookDirection direction) {
  if (settings_.use_tcx && !tcx_refused_) {
    auto hook = attach_kind(interface, direction, HookKind::tcx);
    if (hook || hook.error().code != EINVAL) return hook;
    tcx_refused_ = true;
  }
  return attach_kind(interface, direction, HookKind::clsact);
}

Result<Hook> HookAttacher::attach_ingress(const InterfaceInfo& interface) {
  const IngressHook wanted = settings_.ingress;
  if (interface.layer3 || wanted == IngressHook::tc) return attach_tc(interface, HookDirection::ingress);

  if (wanted == IngressHook::dispatcher || (wanted == IngressHook::automatic && !dispatcher_refused_)) {
    auto hook = attach_kind(interface, HookDirection::ingress, HookKind::xdp_dispatcher);
    if (hook || wanted == IngressHook::dispatcher) return hook;
    dispatcher_refused_ = hook.error().code == ENOTSUP;
  }
  auto hook = attach_kind(interface, HookDirection::ingress, HookKind::xdp_native);
  if (hook || wanted == IngressHook::native || hook.error().code == EPERM) return hook;

  const std::string other = describe_xdp_program(interface.ifindex);
  if (hook.error().code != EOPNOTSUPP || !other.empty()) {
    warnings_.push_back(
        other.empty()
            ? fmt::format("{}: {}; its ingress is watched by tc instead", interface.name, hook.error().message)
            : fmt::format("{}: the XDP program {} is attached and cannot be shared on this kernel; ingress is "
                          "watched by tc, behind it",
                          interface.name, other));
  }
  return attach_tc(interface, HookDirection::ingress);
}

}  // namespace spidd
