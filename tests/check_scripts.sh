#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs shellcheck over every shell script and mandoc's lint over the manual pages.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."
find . -name build -prune -o -path ./.git -prune -o -type f -name '*.sh' -print0 |
  xargs -0 shellcheck -x .ci/run packaging/completion/spidctl.bash
find packaging/man -name '*.[58]' -print0 | xargs -0 mandoc -T lint -W warning
