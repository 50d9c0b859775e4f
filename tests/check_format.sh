#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Checks, or with --fix restores, the format of C++ and BPF C with clang-format 14 (Debian 12).
#   tests/check_format.sh [--fix]
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."
mode=(--dry-run --Werror)
if [ "${1:-}" = --fix ]; then
  mode=(-i)
fi
find userspace tests \( -name '*.h' -o -name '*.cpp' \) -print0 | xargs -0 clang-format "${mode[@]}"
find bpf tests \( -path 'bpf/*.h' -o -name '*.c' \) -print0 |
  xargs -0 clang-format --style=file:bpf/.clang-format "${mode[@]}"
