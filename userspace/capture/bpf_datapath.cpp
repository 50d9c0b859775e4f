// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The start steps in their order, and their undoing.
#include "userspace/capture/bpf_datapath.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "bpf/abi.h"
#include "userspace/capture/bpf_interfaces.h"
#include "userspace/capture/bpf_privileges.h"
#include "userspace/capture/bpffs.h"

namespace spidd {
namespace {

Result<> check_kernel() {
  utsname kernel{};
  int major = 0;
  int minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2) return {};
  if (major < 6 || (major == 6 && minor < 1)) {
    return fail("kernel {} is too old: spidd needs 6.1 or later", kernel.release);
  }
  return {};
}

Result<> check_settings(const BpfSettings& settings) {
  if (settings.interfaces.empty()) return fail("no interface to watch is given");
  if (settings.interfaces.size() > SPIDD_MAX_INTERFACES) {
    return fail("{} interfaces are too many: one daemon watches at most {}", settings.interfaces.size(),
                SPIDD_MAX_INTERFACES);
  }
  std::set<std::string> names;
  for (const std::string& name : settings.interfaces) {
    if (!names.insert(name).second) return fail("the interface {} is given twice", name);
  }
  if (settings.workers == 0 || settings.workers > SPIDD_MAX_RINGS) {
    return fail("{} workers are not possible: 1 to {}", settings.workers, SPIDD_MAX_RINGS);
  }
  if (settings.max_flows == 0 || settings.max_drops == 0 || settings.max_never_block == 0 ||
      settings.max_known_attempts == 0) {
    return fail("the sizes of the flow, drop, never-block and known-attempt tables must not be 0");
  }
  return {};
}

Result<std::vector<InterfaceInfo>> find_interfaces(const std::vector<std::string>& names) {
  std::vector<InterfaceInfo> interfaces;
  for (const std::string& name : names) {
    auto interface = find_interface(name);
    if (!interface) return tl::unexpected(interface.error());
    interfaces.push_back(*std::move(interface));
  }
  return interfaces;
}

std::size_t config_bytes() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (sizeof(spidd_config) + page - 1) / page * page;
}

std::uint64_t nanoseconds(Duration duration) {
  return static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count());
}

std::optional<Hook> take_hook(std::vector<Hook>& hooks, unsigned ifindex, HookDirection direction) {
  const auto found = std::find_if(hooks.begin(), hooks.end(), [&](const Hook& hook) {
    return hook.ifindex == ifindex && hook.direction == direction;
  });
  if (found == hooks.end()) return std::nullopt;
  Hook hook = std::move(*found);
  hooks.erase(found);
  return hook;
}

Result<UniqueFd> duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno(errno, "duplicate a descriptor");
  return copy;
}

std::string maps_directory(const std::string& pin_directory) { return pin_directory + "/maps"; }
std::string hooks_directory(const std::string& pin_directory) { return pin_directory + "/hooks"; }

// Detaches what it can; the first error is the one returned.
Result<> detach_all(std::vector<Hook>& hooks) {
  Result<> first;
  std::vector<Hook> left;
  for (Hook& hook : hooks) {
    if (auto detached = detach_hook(hook); !detached) {
      if (first) first = std::move(detached);
      left.push_back(std::move(hook));
    }
  }
  hooks = std::move(left);
  return first;
}

}  // namespace

Result<BpfDatapath> BpfDatapath::start(const BpfSettings& settings) {
  quieten_libbpf();
  if (auto ok = check_kernel(); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_privileges(); !ok) return tl::unexpected(ok.error());
  if (auto ok = check_settings(settings); !ok) return tl::unexpected(ok.error());
  const auto interfaces = find_interfaces(settings.interfaces);
  if (!interfaces) return tl::unexpected(interfaces.error());

  BpfDatapath datapath;
  datapath.settings_ = settings;
  if (auto ok = datapath.open_pin_directory(); !ok) return tl::unexpected(ok.error());
  std::vector<Hook> previous = list_pinned_hooks(hooks_directory(datapath.pin_directory_));

  const auto build_up = [&]() -> Result<> {
    if (auto ok = datapath.open_maps(!previous.empty()); !ok) return ok;
    if (auto ok = datapath.fill_config(); !ok) return ok;
    if (auto ok = datapath.create_rings(); !ok) return ok;
    auto watched = register_interfaces(datapath.objects_.map("interfaces"), *interfaces);
    if (!watched) return tl::unexpected(watched.error());
    datapath.interfaces_ = *std::move(watched);
    if (auto ok = datapath.attach_interfaces(*interfaces, previous); !ok) return ok;
    return detach_all(previous);
  };
  if (auto built = build_up(); !built) {
    if (!datapath.took_over_ && previous.empty()) {
      if (auto undone = datapath.stop(); !undone) datapath.warnings_.push_back(undone.error().message);
    }
    return tl::unexpected(built.error());
  }
  return datapath;
}

Result<> BpfDatapath::open_pin_directory() {
  auto directory = prepare_pin_directory(settings_, warnings_);
  if (!directory) return tl::unexpected(directory.error());
  pin_directory_ = *std::move(directory);
  auto lock = lock_directory(pin_directory_);
  if (!lock) return tl::unexpected(lock.error());
  lock_ = *std::move(lock);
  return make_directories(hooks_directory(pin_directory_));
}

Result<> BpfDatapath::open_maps(bool programs_attached) {
  const std::string directory = maps_directory(pin_directory_);
  objects_ = BpfObjects(settings_);
  if (auto adopted = objects_.adopt_pinned_maps(directory, warnings_); !adopted) {
    if (programs_attached) {
      return fail(
          "{}, and programs of an earlier run that use them are still attached: end them with that version, or "
          "give them up with: spidd --detach",
          adopted.error().message);
    }
    warnings_.push_back(fmt::format("{}; nothing uses them, so they were replaced", adopted.error().message));
    if (auto removed = remove_tree(directory); !removed) return removed;
  }
  took_over_ = objects_.map("config") >= 0;
  if (auto created = objects_.create_maps(); !created) return created;
  return objects_.pin_maps(directory);
}

Result<> BpfDatapath::fill_config() {
  void* const mapped = ::mmap(nullptr, config_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, objects_.map("config"), 0);
  if (mapped == MAP_FAILED) return fail_errno(errno, "map the configuration of the kernel programs");
  config_ = static_cast<spidd_config*>(mapped);
  // Mode, counts and generation belong to enforcement: after a take-over the kernel goes on with those it has.
  if (!took_over_) {
    config_->mode = SPIDD_MODE_OBSERVE;
    config_->drop_generation = 1;
  }
  config_->new_flow_limit = settings_.new_flow_limit;
  config_->udp_idle_ns = nanoseconds(settings_.udp_idle);
  config_->tcp_idle_ns = nanoseconds(settings_.tcp_idle);
  config_->heartbeat_limit_ns = nanoseconds(settings_.heartbeat_limit);
  config_->heartbeat_ns = coarse_now_ns();
  config_->fail_policy = settings_.fail_policy == FailPolicy::open ? SPIDD_FAIL_OPEN : SPIDD_FAIL_KEEP;
  config_->abi_version = SPIDD_ABI_VERSION;
  return {};
}

Result<> BpfDatapath::create_rings() {
  const int rings = objects_.map("rings");
  for (std::uint32_t worker = 0; worker < settings_.workers; ++worker) {
    auto ring = BpfRing::create("ring", settings_.ring_bytes);
    if (!ring) return tl::unexpected(ring.error());
    const int fd = ring->fd();
    if (bpf_map_update_elem(rings, &worker, &fd, BPF_ANY) != 0) {
      return fail_errno(errno, "put ring buffer {} in place", worker);
    }
    rings_.emplace_back(*std::move(ring));
  }
  config_->rings = settings_.workers;
  if (auto created = create_observation_ring(); !created) return created;
  // Of an earlier run with more workers.
  for (std::uint32_t unused = settings_.workers; unused < SPIDD_MAX_RINGS; ++unused) {
    bpf_map_delete_elem(rings, &unused);
  }
  return {};
}

Result<> BpfDatapath::create_observation_ring() {
  const int rings = objects_.map("rings");
  const std::uint32_t index = SPIDD_OBSERVATION_RING;
  // Nobody reads the counts of an earlier run.
  spidd_attempt_key key{};
  while (bpf_map_get_next_key(objects_.map("known_attempts"), nullptr, &key) == 0 &&
         bpf_map_delete_elem(objects_.map("known_attempts"), &key) == 0) {
  }
  config_->observation_limit = 0;
  if (settings_.observation_limit == 0) {
    bpf_map_delete_elem(rings, &index);
    return {};
  }
  auto ring = BpfRing::create("observations", settings_.observation_ring_bytes);
  if (!ring) return tl::unexpected(ring.error());
  const int fd = ring->fd();
  if (bpf_map_update_elem(rings, &index, &fd, BPF_ANY) != 0) {
    return fail_errno(errno, "put the ring buffer of observations in place");
  }
  observation_ring_.emplace(*std::move(ring));
  return {};
}

Result<> BpfDatapath::attach_interfaces(const std::vector<InterfaceInfo>& interfaces, std::vector<Hook>& previous) {
  // Loaded now, because privileges may be gone when the first source is opened.
  if (auto loaded = objects_.program(BpfProgram::flow_verdict); !loaded) return tl::unexpected(loaded.error());
  HookAttacher attacher(objects_, settings_, hooks_directory(pin_directory_), warnings_);
  for (std::size_t each = 0; each < interfaces.size(); ++each) {
    const InterfaceInfo& interface = interfaces[each];
    for (const HookDirection direction : {HookDirection::ingress, HookDirection::egress}) {
      auto hook = attacher.attach(interface, direction, take_hook(previous, interface.ifindex, direction));
      if (!hook) return std::move(hook.error()).within(fmt::format("watch {}", interface.name));
      (direction == HookDirection::ingress ? interfaces_[each].ingress : interfaces_[each].egress) = hook->kind;
      hooks_.push_back(*std::move(hook));
    }
  }
  return {};
}

BpfDatapath::BpfDatapath(BpfDatapath&& other) noexcept
    : settings_(std::move(other.settings_)),
      pin_directory_(std::move(other.pin_directory_)),
      lock_(std::move(other.lock_)),
      took_over_(other.took_over_),
      warnings_(std::move(other.warnings_)),
      objects_(std::move(other.objects_)),
      rings_(std::move(other.rings_)),
      observation_ring_(std::move(other.observation_ring_)),
      config_(std::exchange(other.config_, nullptr)),
      interfaces_(std::move(other.interfaces_)),
      hooks_(std::move(other.hooks_)) {}

BpfDatapath::~BpfDatapath() {
  if (config_ != nullptr) ::munmap(config_, config_bytes());
}

Result<> BpfDatapath::stop(bool keep) {
  if (keep) return {};
  auto detached = detach_all(hooks_);
  // Hooks that would not go keep their pins and so can be found again.
  if (!detached) return detached;
  return remove_tree(pin_directory_);
}

Result<std::unique_ptr<BpfSource>> BpfDatapath::open_source(unsigned worker) {
  if (worker >= rings_.size() || !rings_[worker]) return fail("ring {} does not exist or has a reader already", worker);
  const auto verdict_program = objects_.program(BpfProgram::flow_verdict);
  if (!verdict_program) return tl::unexpected(verdict_program.error());
  auto flows = duplicate(objects_.map("flows"));
  if (!flows) return tl::unexpected(flows.error());
  auto verdict = duplicate(*verdict_program);
  if (!verdict) return tl::unexpected(verdict.error());
  auto source = std::make_unique<BpfSource>(*std::move(rings_[worker]), *std::move(flows), *std::move(verdict));
  rings_[worker].reset();
  return source;
}

Result<std::unique_ptr<ObservationSource>> BpfDatapath::open_observations() {
  if (!observation_ring_) return fail("observations are switched off, or have a reader already");
  auto known = duplicate(objects_.map("known_attempts"));
  if (!known) return tl::unexpected(known.error());
  auto source = std::make_unique<ObservationSource>(*std::move(observation_ring_), *std::move(known),
                                                    settings_.max_known_attempts);
  observation_ring_.reset();
  // Not before: nobody would empty the ring.
  config_->observation_limit = settings_.observation_limit;
  return source;
}

DropMapHandles BpfDatapath::drop_maps() const {
  return {objects_.map("drop_flow"), objects_.map("drop_endpoint"), objects_.map("drop_prefix"),
          objects_.map("drop_hits"), objects_.map("never_block"),   config_};
}

Result<DatapathCounters> BpfDatapath::counters() const { return read_counters(objects_.map("counters")); }

Result<std::vector<PortCounters>> BpfDatapath::ports() const {
  if (!settings_.port_counters) return std::vector<PortCounters>{};
  return read_ports(objects_.map("ports"));
}

Result<std::size_t> BpfDatapath::flows(std::size_t limit, const std::function<void(const KernelFlow&)>& visit) const {
  return read_flows(objects_.map("flows"), KernelClock(), limit, visit);
}

Result<std::vector<std::string>> BpfDatapath::drop_privileges() const {
  std::set<unsigned> needed;
  for (const Hook& hook : hooks_) {
    // Ending a link takes no capability, removing a filter and rebuilding a dispatcher do.
    if (hook.kind == HookKind::clsact) needed.insert(CAP_NET_ADMIN);
    if (hook.kind == HookKind::xdp_dispatcher) needed.insert({CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN});
  }
  const std::vector<unsigned> list(needed.begin(), needed.end());
  return keep_capabilities(list);
}

Result<> remove_pinned_datapath(const BpfSettings& settings) {
  quieten_libbpf();
  for (const std::string& directory : {settings.pin_directory, own_mount_directory(settings)}) {
    if (!is_on_bpffs(directory)) continue;
    auto lock = lock_directory(directory);
    if (!lock) return tl::unexpected(lock.error());
    std::vector<Hook> hooks = list_pinned_hooks(hooks_directory(directory));
    if (auto detached = detach_all(hooks); !detached) return detached;
    if (auto removed = remove_tree(directory); !removed) return removed;
  }
  return {};
}

}  // namespace spidd
