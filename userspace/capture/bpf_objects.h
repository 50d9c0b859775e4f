// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The BPF objects built into this program and the one set of maps they share.
//
// Every object declares the maps of bpf/maps.h; the first one loaded creates those that were not adopted from pins, all
// others are given the same descriptors. Programs are loaded when first asked for: most hosts need only some of them.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_settings.h"

struct bpf_object;

namespace spidd {

enum class BpfProgram : std::uint8_t { ingress_xdp, ingress_tc, egress_tc, flow_verdict };

struct BpfObjectCloser {
  void operator()(bpf_object* object) const;
};
using BpfObjectPointer = std::unique_ptr<bpf_object, BpfObjectCloser>;

// Owns objects and map descriptors. Control thread only.
class BpfObjects {
 public:
  BpfObjects() = default;
  explicit BpfObjects(const BpfSettings& settings);

  // Opens the maps pinned in `directory` (none if it does not exist) for reuse. Refused with an error that says what
  // differs if they are of another ABI version or shape; the object is then as before. Maps of another size are taken
  // as they are, with a warning.
  Result<> adopt_pinned_maps(const std::string& directory, std::vector<std::string>& warnings);
  // Creates the maps that were not adopted.
  Result<> create_maps();
  // Pins every map that is not pinned yet.
  Result<> pin_maps(const std::string& directory);

  // -1 if there is no such map.
  int map(std::string_view name) const;
  // Descriptor of the program, loaded by the first call. Valid as long as this object.
  Result<int> program(BpfProgram program);
  // A second copy, opened but not loaded, on the same maps: libxdp loads it as a part of its dispatcher.
  Result<BpfObjectPointer> open(BpfProgram program) const;

 private:
  BpfSettings settings_;
  std::map<std::string, UniqueFd, std::less<>> maps_;
  std::array<BpfObjectPointer, 4> objects_;
};

// Sends what libbpf and libxdp would print to the log, at level debug. Also opts in to libbpf's strict behaviour.
void quieten_libbpf();

}  // namespace spidd
