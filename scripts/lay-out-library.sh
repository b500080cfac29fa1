#!/bin/sh
# Copies a built libus3.so under its full version, with the links of an installed library: libus3.so.0, which programs
# load, and libus3.so, which the linker uses.
#
#   lay-out-library.sh BUILT_DIR LIB_DIR VERSION MAJOR
set -eu

built=$1 lib=$2 version=$3 major=$4

mkdir -p "$lib"
# Copies to a new name first: the file must not change for a program that has the old library mapped.
cp "$built/libus3.so" "$lib/.libus3.so.new"
mv -f "$lib/.libus3.so.new" "$lib/libus3.so.$version"
ln -sf "libus3.so.$version" "$lib/libus3.so.$major"
ln -sf "libus3.so.$major" "$lib/libus3.so"
