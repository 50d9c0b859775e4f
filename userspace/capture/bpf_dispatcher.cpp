// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// libxdp: it needs the unloaded object, because it loads it as an extension of the dispatcher it makes.
#include "userspace/capture/bpf_dispatcher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "userspace/capture/bpf_privileges.h"

namespace spidd {
namespace {

// libxdp's default is 50: packets are dropped before others spend time on them.
constexpr unsigned kRunPriority = 10;

struct ProgramCloser {
  void operator()(xdp_program* program) const { xdp_program__close(program); }
};
using ProgramPointer = std::unique_ptr<xdp_program, ProgramCloser>;

struct MultiprogCloser {
  void operator()(xdp_multiprog* programs) const { xdp_multiprog__close(programs); }
};
using MultiprogPointer = std::unique_ptr<xdp_multiprog, MultiprogCloser>;

// libxdp returns errors as pointers.
template <class Pointer>
Pointer checked(typename Pointer::pointer raw, int& error) {
  error = static_cast<int>(libxdp_get_error(raw));
  return Pointer(error == 0 ? raw : nullptr);
}

MultiprogPointer programs_of(unsigned ifindex) {
  int error = 0;
  return checked<MultiprogPointer>(xdp_multiprog__get_from_ifindex(static_cast<int>(ifindex)), error);
}

std::uint32_t program_id(int program) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &length) == 0 ? info.id : 0;
}

bool is_in_dispatcher(int program, unsigned ifindex) {
  const MultiprogPointer programs = programs_of(ifindex);
  if (!programs || xdp_multiprog__is_legacy(programs.get())) return false;
  const std::uint32_t id = program_id(program);
  for (xdp_program* each = xdp_multiprog__next_prog(nullptr, programs.get()); each != nullptr;
       each = xdp_multiprog__next_prog(each, programs.get())) {
    if (xdp_program__id(each) == id) return true;
  }
  return false;
}

}  // namespace

Result<UniqueFd> attach_to_dispatcher(const BpfObjects& objects, unsigned ifindex) {
  if (!has_capability(CAP_SYS_ADMIN)) {
    return fail_errno(ENOTSUP, "attach to the XDP dispatcher: without the capability sys_admin libxdp cannot share it");
  }
  const auto object = objects.open(BpfProgram::ingress_xdp);
  if (!object) return tl::unexpected(object.error());
  const bpf_program* const main = bpf_object__find_program_by_name(object->get(), "ingress_xdp");
  if (main == nullptr) return fail("the built-in object ingress_xdp has no program of that name");

  int error = 0;
  DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .obj = object->get(), .prog_name = bpf_program__name(main));
  const ProgramPointer program = checked<ProgramPointer>(xdp_program__create(&options), error);
  if (!program) return fail_errno(error, "prepare the XDP program");
  if (xdp_program__set_run_prio(program.get(), kRunPriority) != 0 ||
      xdp_program__set_chain_call_enabled(program.get(), XDP_PASS, true) != 0) {
    return fail("prepare the XDP program: libxdp refused its run configuration");
  }
  error = xdp_program__attach(program.get(), static_cast<int>(ifindex), XDP_MODE_NATIVE, 0);
  if (error != 0) return fail_errno(error, "attach to the XDP dispatcher");

  const int fd = xdp_program__fd(program.get());
  if (!is_in_dispatcher(fd, ifindex)) {
    // libxdp attached it alone, without a link.
    LIBBPF_OPTS(bpf_xdp_attach_opts, alone, .old_prog_fd = fd);
    if (const int status = bpf_xdp_detach(static_cast<int>(ifindex), XDP_FLAGS_DRV_MODE, &alone); status != 0) {
      return fail_errno(status, "take back an XDP program that libxdp attached without a dispatcher");
    }
    return fail_errno(ENOTSUP, "attach to the XDP dispatcher: this kernel does not let programs be extended");
  }
  UniqueFd kept(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!kept) return fail_errno(errno, "keep the XDP program");
  return kept;
}

Result<> detach_from_dispatcher(int program, unsigned ifindex) {
  if (!is_in_dispatcher(program, ifindex)) return {};
  int error = 0;
  const int copy = ::fcntl(program, F_DUPFD_CLOEXEC, 0);
  const ProgramPointer attached = checked<ProgramPointer>(xdp_program__from_fd(copy), error);
  if (!attached) return fail_errno(error, "find the XDP program in the dispatcher");
  error = xdp_program__detach(attached.get(), static_cast<int>(ifindex), XDP_MODE_NATIVE, 0);
  if (error != 0) return fail_errno(error, "leave the XDP dispatcher");
  return {};
}

Result<bool> is_current_in_dispatcher(int program, BpfObjects& objects, unsigned ifindex) {
  if (!is_in_dispatcher(program, ifindex)) return false;
  const auto own = objects.program(BpfProgram::ingress_xdp);
  if (!own) return tl::unexpected(own.error());
  bpf_prog_info attached_info{};
  bpf_prog_info own_info{};
  std::uint32_t length = sizeof attached_info;
  if (bpf_obj_get_info_by_fd(program, &attached_info, &length) != 0) return fail_errno(errno, "inspect a program");
  length = sizeof own_info;
  if (bpf_obj_get_info_by_fd(*own, &own_info, &length) != 0) return fail_errno(errno, "inspect a program");
  return std::memcmp(attached_info.tag, own_info.tag, sizeof own_info.tag) == 0;
}

}  // namespace spidd
