#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Builds the Debian package from the files of this tree into a directory, without touching the tree.
#   packaging/build-deb.sh [DIRECTORY]      default: build/deb
# Needs: packaging/install-dependencies.sh build package
set -euo pipefail

project_dir=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")
out=$(readlink -m "${1:-$project_dir/build/deb}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# dpkg wants ./debian, the tree has packaging/debian: a copy of the tree gets a link.
mkdir -p "$out" "$scratch/spidd"
tar -C "$project_dir" --exclude=./build --exclude='./build-*' --exclude=./.git -cf - . | tar -C "$scratch/spidd" -xf -
ln -s packaging/debian "$scratch/spidd/debian"
(cd "$scratch/spidd" && dpkg-buildpackage --build=binary --no-sign)
mv "$scratch"/*.deb "$out/"
ls -l "$out"/*.deb
