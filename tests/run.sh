#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Installs what is needed, builds, and runs every test, none of them skipped. The last lines are the counted results.
#   sudo tests/run.sh [--short] [--no-install]
#     --short       other kernels (vmtests/) with their bpf tests and one netns test only; unit tests only with sanitizers
#     --no-install  the packages are there already
# Everything it writes is in build/; it can be run again, and then builds only what has changed.
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/.."
# The tests that are left out: each form of the tests in virtual machines contains the other.
exclude_label='^vm$'
unit_tests=ON
install=true
for argument in "$@"; do
  case $argument in
    --short)
      exclude_label='^vm-full$'
      unit_tests=OFF
      ;;
    --no-install) install=false ;;
    *)
      sed -n '4,6s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
done
if [ "$(id -u)" != 0 ]; then
  echo "tests/run.sh: must be root: BPF programs and network namespaces are tested" >&2
  exit 1
fi

jobs=$(nproc)
results=()
failed=0

# build NAME TARGET CMAKE-ARGUMENTS...
build() {
  local name=$1 target=$2
  shift 2
  echo "== build $name"
  cmake -S . -B "build/$name" -G Ninja "$@" >"build/$name-configure.log" || {
    cat "build/$name-configure.log"
    exit 1
  }
  cmake --build "build/$name" --target "$target" --parallel "$jobs"
}

# test_build NAME CTEST-ARGUMENTS...: all must pass and none be skipped.
test_build() {
  local name=$1 log=build/$1-tests.log
  shift
  echo "== test $name"
  local status
  set +e
  REQUIRE_PRIVILEGED_TESTS=1 ctest --test-dir "build/$name" --parallel "$jobs" --output-on-failure "$@" |
    tee "$log" | grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test +#[0-9]+: .* Passed)'
  status=${PIPESTATUS[0]}
  set -e
  if grep -qE '\*\*\*(Skipped|Not Run)' "$log"; then
    echo "$name: tests were skipped:"
    grep -E '\*\*\*(Skipped|Not Run)' "$log"
    status=1
  fi
  if grep -q 'No tests were found' "$log"; then
    status=1
  fi
  [ "$status" = 0 ] || failed=1
  results+=("$name: $(grep -E 'tests passed|No tests were found' "$log" | tail -n 1)")
}

if $install; then
  packaging/install-dependencies.sh build demonstration test
fi
mkdir -p build
build release all -DCMAKE_BUILD_TYPE=Release -DSPIDD_UNIT_TESTS=$unit_tests
test_build release --label-exclude "$exclude_label"
# -O0: a third less time to compile than -O1, and the tests take seconds.
build asan unprivileged_tests -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O0 -g1" \
  -DSPIDD_SANITIZE=address,undefined
test_build asan --label-regex '^(unit|replay)$'

echo "== results"
printf '%s\n' "${results[@]}"
exit "$failed"
