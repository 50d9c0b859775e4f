// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's log, with what its tables hold, for whoever asks for it. Packets do not wait for it: tables are copied in
// slices between them, and another thread makes the text.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <string>

#include "userspace/spade/spade.h"
#include "userspace/spade/state_file.h"

namespace spidd {

// Belongs to the thread of the watch.
class ScoreLogs {
 public:
  struct Request {
    std::size_t most_lines = 0;             // of each list of a table
    bool every_table = false;               // also if no statistics are set: what it is about
    std::function<void(std::string)> done;  // called on another thread
  };
  static constexpr std::size_t kMostWaiting = 8;

  // False if too many wait already.
  bool ask(Request request);
  // There is something to copy.
  bool busy() const { return !requests_.empty(); }
  // The next slice. The tables must stay until forget_copy().
  void tend(const Spade& spade);
  // Of tables that will go: it is made anew.
  void forget_copy() { copy_.reset(); }
  // Everything that was asked for, now.
  void finish(const Spade& spade);

 private:
  void make(const Spade& spade);

  std::deque<Request> requests_;
  std::optional<SpadeSnapshot> copy_;  // for the first of them
  std::future<void> making_;           // the text of the one before
};

}  // namespace spidd
