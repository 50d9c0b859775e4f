// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/layered_adapter.h"
#include "userspace/spade/mean_adapter.h"
#include "userspace/spade/threshold_observer.h"
#include "userspace/spade/weighted_adapter.h"

namespace spidd {

std::unique_ptr<ThresholdAdapter> make_adapter(const AdapterSettings& settings, SpadeProfile profile) {
  struct Make {
    SpadeProfile profile;
    std::unique_ptr<ThresholdAdapter> operator()(const WeightedAdapter& adapter) const {
      return std::make_unique<WeightedThreshold>(adapter, profile);
    }
    std::unique_ptr<ThresholdAdapter> operator()(const LayeredAdapter& adapter) const {
      return std::make_unique<LayeredThreshold>(adapter, profile);
    }
    std::unique_ptr<ThresholdAdapter> operator()(const MeanAdapter& adapter) const {
      return std::make_unique<MeanThreshold>(adapter, profile);
    }
  };
  return std::visit(Make{profile}, settings);
}

const std::string& adapter_detector(const AdapterSettings& settings) {
  return std::visit([](const auto& adapter) -> const std::string& { return adapter.id; }, settings);
}

}  // namespace spidd
