// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names of features.
#include "userspace/spade/feature.h"

namespace spidd {

std::string_view feature_name(Feature feature) {
  switch (feature) {
    case Feature::source:
      return "sip";
    case Feature::destination:
      return "dip";
    case Feature::source_port:
      return "sport";
    case Feature::destination_port:
      return "dport";
    case Feature::icmp_type_code:
      return "icmptype+code";
  }
  return {};
}

}  // namespace spidd
