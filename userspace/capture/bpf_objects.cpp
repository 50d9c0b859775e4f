// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Opening the built-in objects, sharing maps between them, adopting pinned maps.
#include "userspace/capture/bpf_objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <xdp/libxdp.h>

#include <cstdarg>
#include <cstdio>
#include <optional>
#include <utility>

#include "bpf/abi.h"
#include "bpf/egress_tc.skel.h"
#include "bpf/flow_verdict.skel.h"
#include "bpf/ingress_tc.skel.h"
#include "bpf/ingress_xdp.skel.h"
#include "userspace/base/log.h"
#include "userspace/capture/bpffs.h"

namespace spidd {
namespace {

using BytesFunction = const void* (*)(std::size_t*);

struct BuiltInObject {
  const char* name;  // of the object and of the one program in it
  BytesFunction bytes;
};

// In the order of BpfProgram.
constexpr std::array<BuiltInObject, 4> kObjects = {{
    {"ingress_xdp", ingress_xdp_bpf__elf_bytes},
    {"ingress_tc", ingress_tc_bpf__elf_bytes},
    {"egress_tc", egress_tc_bpf__elf_bytes},
    {"flow_verdict", flow_verdict_bpf__elf_bytes},
}};

int log_libbpf(libbpf_print_level, const char* format, std::va_list arguments) {
  if (log_level() < LogLevel::debug) return 0;
  char line[1024];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  std::string_view text(line);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  log_message(LogLevel::debug, text);
  return length;
}

int log_libxdp(libxdp_print_level level, const char* format, std::va_list arguments) {
  return log_libbpf(static_cast<libbpf_print_level>(level), format, arguments);
}

// The size that the settings ask for, nothing where the object's own is right.
std::optional<std::uint32_t> wanted_entries(const BpfSettings& settings, std::string_view map) {
  if (map == "flows") return settings.max_flows;
  if (map == "ports" && !settings.port_counters) return 1;
  if (map == "drop_flow" || map == "drop_endpoint" || map == "drop_prefix") return settings.max_drops;
  if (map == "never_block") return settings.max_never_block;
  if (map == "known_attempts") return settings.max_known_attempts;
  return std::nullopt;
}

Result<UniqueFd> ring_template() {
  UniqueFd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, 65536, nullptr));
  if (!ring) return fail_errno(errno, "create a ring buffer");
  return ring;
}

// What a pinned map says about itself against what this program's object declares.
Result<> check_shape(const bpf_map* declared, int pinned) {
  bpf_map_info info{};
  std::uint32_t length = sizeof info;
  const char* const name = bpf_map__name(declared);
  if (bpf_obj_get_info_by_fd(pinned, &info, &length) != 0) return fail_errno(errno, "inspect the pinned map {}", name);
  if (info.type != static_cast<std::uint32_t>(bpf_map__type(declared)) ||
      info.key_size != bpf_map__key_size(declared) || info.value_size != bpf_map__value_size(declared)) {
    return fail(
        "the pinned map {} has another shape (type {}, key {}, value {} bytes) than this spidd's (type {}, key "
        "{}, value {} bytes)",
        name, info.type, info.key_size, info.value_size, static_cast<unsigned>(bpf_map__type(declared)),
        bpf_map__key_size(declared), bpf_map__value_size(declared));
  }
  return {};
}

Result<> check_version(int config_map) {
  const std::uint32_t key = 0;
  spidd_config config{};
  if (bpf_map_lookup_elem(config_map, &key, &config) != 0) return fail_errno(errno, "read the pinned map config");
  if (config.abi_version != SPIDD_ABI_VERSION) {
    return fail("the pinned maps are of ABI version {}, this spidd speaks version {}", config.abi_version,
                SPIDD_ABI_VERSION);
  }
  return {};
}

std::optional<std::string> size_difference(const bpf_map* declared, int pinned) {
  bpf_map_info info{};
  std::uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(pinned, &info, &length) != 0 || info.max_entries == bpf_map__max_entries(declared)) {
    return std::nullopt;
  }
  return fmt::format("the map {} taken over from the last run keeps its {} entries instead of {} until a clean stop",
                     bpf_map__name(declared), info.max_entries, bpf_map__max_entries(declared));
}

}  // namespace

void quieten_libbpf() {
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  libbpf_set_print(log_libbpf);
  libxdp_set_print(log_libxdp);
}

void BpfObjectCloser::operator()(bpf_object* object) const { bpf_object__close(object); }

BpfObjects::BpfObjects(const BpfSettings& settings) : settings_(settings) {}

Result<BpfObjectPointer> BpfObjects::open(BpfProgram program) const {
  const BuiltInObject& built_in = kObjects[static_cast<std::size_t>(program)];
  std::size_t length = 0;
  const void* const bytes = built_in.bytes(&length);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = built_in.name);
  BpfObjectPointer object(bpf_object__open_mem(bytes, length, &options));
  if (!object) return fail_errno(errno, "open the built-in object {}", built_in.name);

  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (bpf_map__is_internal(map)) continue;
    const char* const name = bpf_map__name(map);
    int status = 0;
    if (const auto shared = maps_.find(std::string_view(name)); shared != maps_.end()) {
      status = bpf_map__reuse_fd(map, shared->second.get());
    } else if (const auto entries = wanted_entries(settings_, name)) {
      status = bpf_map__set_max_entries(map, *entries);
    }
    if (status != 0) return fail_errno(status, "prepare the map {}", name);
  }
  return object;
}

Result<> BpfObjects::adopt_pinned_maps(const std::string& directory, std::vector<std::string>& warnings) {
  const auto object = open(BpfProgram::egress_tc);
  if (!object) return tl::unexpected(object.error());
  std::map<std::string, UniqueFd, std::less<>> adopted;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object->get()) {
    if (bpf_map__is_internal(map)) continue;
    const std::string name = bpf_map__name(map);
    UniqueFd pinned(bpf_obj_get(fmt::format("{}/{}", directory, name).c_str()));
    if (!pinned && errno == ENOENT) continue;
    if (!pinned) return fail_errno(errno, "open the pinned map {}/{}", directory, name);
    // The version first: it is the reason for every other difference, and the one that people can act on.
    if (name == "config") {
      if (auto same = check_version(pinned.get()); !same) return same;
    }
    adopted.emplace(name, std::move(pinned));
  }
  bpf_object__for_each_map(map, object->get()) {
    const auto pinned = adopted.find(std::string_view(bpf_map__name(map)));
    if (pinned == adopted.end()) continue;
    if (auto same = check_shape(map, pinned->second.get()); !same) return same;
    if (auto difference = size_difference(map, pinned->second.get())) warnings.push_back(*std::move(difference));
  }
  maps_ = std::move(adopted);
  return {};
}

Result<> BpfObjects::create_maps() {
  // Loaded in any case, so it brings the maps.
  const auto loaded = program(BpfProgram::egress_tc);
  if (!loaded) return tl::unexpected(loaded.error());
  return {};
}

Result<> BpfObjects::pin_maps(const std::string& directory) {
  if (auto made = make_directories(directory); !made) return made;
  for (const auto& [name, fd] : maps_) {
    if (bpf_obj_pin(fd.get(), fmt::format("{}/{}", directory, name).c_str()) != 0 && errno != EEXIST) {
      return fail_errno(errno, "pin the map {} in {}", name, directory);
    }
  }
  return {};
}

int BpfObjects::map(std::string_view name) const {
  const auto found = maps_.find(name);
  return found == maps_.end() ? -1 : found->second.get();
}

Result<int> BpfObjects::program(BpfProgram program) {
  const char* const name = kObjects[static_cast<std::size_t>(program)].name;
  BpfObjectPointer& object = objects_[static_cast<std::size_t>(program)];
  if (!object) {
    auto opened = open(program);
    if (!opened) return tl::unexpected(opened.error());
    UniqueFd ring;
    if (maps_.find("rings") == maps_.end()) {
      auto created = ring_template();
      if (!created) return tl::unexpected(created.error());
      ring = *std::move(created);
      bpf_map* const rings = bpf_object__find_map_by_name(opened->get(), "rings");
      if (rings != nullptr && bpf_map__set_inner_map_fd(rings, ring.get()) != 0) {
        return fail_errno(errno, "prepare the map rings");
      }
    }
    if (const int status = bpf_object__load(opened->get()); status != 0) {
      return fail_errno(status, "load the kernel program {} (log level debug shows the verifier's reasons)", name);
    }
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, opened->get()) {
      if (bpf_map__is_internal(map) || maps_.find(std::string_view(bpf_map__name(map))) != maps_.end()) continue;
      UniqueFd shared(::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0));
      if (!shared) return fail_errno(errno, "keep the map {}", bpf_map__name(map));
      maps_.emplace(bpf_map__name(map), std::move(shared));
    }
    object = *std::move(opened);
  }
  bpf_program* const found = bpf_object__find_program_by_name(object.get(), name);
  if (found == nullptr) return fail("the built-in object {} has no program of that name", name);
  return bpf_program__fd(found);
}

}  // namespace spidd
