#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Checks what the compiler cannot: that userspace/ includes point from right to left of the data flow, that only the folders
# that talk to the kernel see the kernel's ABI, and that every file begins with its licence and purpose.
#   tests/check_layers.sh [PROJECT]
set -euo pipefail

cd "${1:-$(dirname "$(readlink -f "$0")")/..}"
order=(base capture flow spid spade policy enforcement report learning engine daemon ctl)
sees_abi='^(userspace/(capture|enforcement)|tests/(bpf|bench|support)|tests/unit/(capture|enforcement)|tests/fuzz)/'
failures=0

complain() {
  echo "$*" >&2
  failures=$((failures + 1))
}

declare -A rank=()
for i in "${!order[@]}"; do
  rank[${order[i]}]=$i
done

while IFS=: read -r file line include; do
  own=${file#userspace/}
  own=${own%%/*}
  other=${include#*\"userspace/}
  other=${other%%/*}
  if [ -z "${rank[$own]:-}" ] || [ -z "${rank[$other]:-}" ]; then
    complain "$file:$line: folder '$own' or '$other' has no place in the order: ${order[*]}"
  elif [ "${rank[$other]}" -gt "${rank[$own]}" ]; then
    complain "$file:$line: $own/ includes $other/, which comes after it: ${order[*]}"
  fi
done < <(grep -rnE '^#include "userspace/' userspace --include='*.h' --include='*.cpp' || true)

while IFS=: read -r file line _; do
  [[ $file =~ $sees_abi ]] || complain "$file:$line: only the folders that talk to the kernel include bpf/"
done < <(grep -rnE '^#include "bpf/' userspace tests --include='*.h' --include='*.cpp' || true)

while IFS=: read -r file line include; do
  complain "$file:$line: includes are written from the project's root: $include"
done < <(grep -rnE '^#include "' userspace tests --include='*.h' --include='*.cpp' |
  grep -vE '#include "(userspace|bpf|tests)/' || true)

while read -r file; do
  head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause' ||
    complain "$file: the first line is not the SPDX licence"
done < <(find userspace bpf tests packaging vmtests -type f \
  \( -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name '*.sh' -o -name '*.py' -o -name CMakeLists.txt \))

while read -r file; do
  grep -q '^#pragma once' "$file" || complain "$file: no #pragma once"
done < <(find userspace tests -name '*.h')

if [ "$failures" -gt 0 ]; then
  echo "$failures violations" >&2
  exit 1
fi
