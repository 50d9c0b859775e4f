// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// "Did you mean ...?" for the words of a configuration file.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace spidd {

// The candidate that `word` was probably meant to be: the fewest insertions, deletions, replacements and swaps of
// neighbours away, and at most a third of its length. "" if none is near. Words beyond 64 bytes have no neighbour.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates);

// "; did you mean 'openvpn'?", or "" if no candidate is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace spidd
