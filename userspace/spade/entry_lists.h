// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Lists that a table's entries stand in: by the scaling at which they are due, and by age.
#pragma once

#include "userspace/spade/entry_store.h"

namespace spidd {

// Circular lists with a head, through one of the two pairs of links.
template <EntryId EntryPlace::*Previous, EntryId EntryPlace::*Next>
struct EntryLinks {
  static void make_empty(EntryStore& store, EntryId head) {
    store.place(head).*Previous = store.place(head).*Next = head;
  }
  static bool is_empty(const EntryStore& store, EntryId head) { return store.place(head).*Next == head; }

  static void append(EntryStore& store, EntryId head, EntryId id) {
    const EntryId last = store.place(head).*Previous;
    store.place(id).*Previous = last;
    store.place(id).*Next = head;
    store.place(last).*Next = id;
    store.place(head).*Previous = id;
  }
  // Nothing for what is in no list.
  static void remove(EntryStore& store, EntryId id) {
    EntryPlace& entry = store.place(id);
    if (entry.*Next == 0) return;
    store.place(entry.*Previous).*Next = entry.*Next;
    store.place(entry.*Next).*Previous = entry.*Previous;
    entry.*Previous = entry.*Next = 0;
  }
  // All of `from` to the end of `to`.
  static void splice(EntryStore& store, EntryId to, EntryId from) {
    if (is_empty(store, from)) return;
    const EntryId first = store.place(from).*Next;
    const EntryId last = store.place(from).*Previous;
    const EntryId end = store.place(to).*Previous;
    store.place(end).*Next = first;
    store.place(first).*Previous = end;
    store.place(last).*Next = to;
    store.place(to).*Previous = last;
    make_empty(store, from);
  }
};
using DueList = EntryLinks<&EntryPlace::due_previous, &EntryPlace::due_next>;
using AgeList = EntryLinks<&EntryPlace::age_previous, &EntryPlace::age_next>;

}  // namespace spidd
