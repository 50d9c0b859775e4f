// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// bpf_link and netlink attachment. tcx has no function in libbpf 1.1, so its numbers are the kernel's.
#include "userspace/capture/bpf_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include <cerrno>

namespace spidd {
namespace {

// include/uapi/linux/bpf.h since 6.6.
constexpr int kTcxIngress = 46;
constexpr int kTcxEgress = 47;
constexpr std::uint32_t kBefore = 1U << 3U;  // BPF_F_BEFORE; with no other program named: at the head

// Leaves the handles and priorities that people use by hand alone.
constexpr std::uint32_t kFilterHandle = 0x5350;
constexpr std::uint32_t kFilterPriority = 10;

bpf_tc_hook tc_hook(unsigned ifindex, HookDirection direction) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = direction == HookDirection::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return hook;
}

const char* direction_name(HookDirection direction) {
  return direction == HookDirection::ingress ? "ingress" : "egress";
}

}  // namespace

Result<UniqueFd> attach_xdp_link(int program, unsigned ifindex) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
  UniqueFd link(bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options));
  if (!link) return fail_errno(errno, "attach to native XDP");
  return link;
}

Result<UniqueFd> attach_tcx_link(int program, unsigned ifindex, HookDirection direction) {
  const bool ingress = direction == HookDirection::ingress;
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = ingress ? kBefore : 0);
  UniqueFd link(bpf_link_create(program, static_cast<int>(ifindex),
                                static_cast<bpf_attach_type>(ingress ? kTcxIngress : kTcxEgress), &options));
  if (!link) return fail_errno(errno, "attach to tcx {}", direction_name(direction));
  return link;
}

Result<> update_link(int link, int program) {
  if (bpf_link_update(link, program, nullptr) != 0) return fail_errno(errno, "replace the program of a link");
  return {};
}

Result<> detach_link(int link) {
  if (bpf_link_detach(link) != 0) return fail_errno(errno, "detach a link");
  return {};
}

Result<unsigned> link_ifindex(int link) {
  bpf_link_info info{};
  std::uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(link, &info, &length) != 0) return fail_errno(errno, "inspect a pinned link");
  // Links of XDP and of tcx have it in the same place.
  return info.xdp.ifindex;
}

Result<> attach_clsact(int program, unsigned ifindex, HookDirection direction) {
  bpf_tc_hook qdisc = tc_hook(ifindex, direction);
  if (const int status = bpf_tc_hook_create(&qdisc); status != 0 && status != -EEXIST) {
    return fail_errno(status, "add the clsact qdisc");
  }
  const bpf_tc_hook hook = tc_hook(ifindex, direction);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE, .handle = kFilterHandle,
              .priority = kFilterPriority);
  if (const int status = bpf_tc_attach(&hook, &options); status != 0) {
    return fail_errno(status, "add a tc {} filter", direction_name(direction));
  }
  return {};
}

Result<> detach_clsact(unsigned ifindex, HookDirection direction) {
  const bpf_tc_hook hook = tc_hook(ifindex, direction);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = kFilterHandle, .priority = kFilterPriority);
  const int status = bpf_tc_detach(&hook, &options);
  // ENODEV, EINVAL: the interface or its qdisc is gone, and the filter with it.
  if (status != 0 && status != -ENOENT && status != -ENODEV && status != -EINVAL) {
    return fail_errno(status, "remove the tc {} filter", direction_name(direction));
  }
  return {};
}

std::string describe_xdp_program(unsigned ifindex) {
  std::uint32_t id = 0;
  if (bpf_xdp_query_id(static_cast<int>(ifindex), 0, &id) != 0 || id == 0) return {};
  const UniqueFd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) return fmt::format("id {}", id);
  return fmt::format("{} (id {})", info.name, id);
}

}  // namespace spidd
