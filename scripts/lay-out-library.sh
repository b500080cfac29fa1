#!/bin/sh
# Lays a built libus3.so out as an installed one: the file under its full version, the name that
# programs ask for at run time (libus3.so.0) and the one that the linker asks for (libus3.so).
#
#   lay-out-library.sh BUILT_DIR LIB_DIR VERSION MAJOR
set -eu

built=$1 lib=$2 version=$3 major=$4

mkdir -p "$lib"
# Under a new name first: a program that has the old library mapped must not see it change.
cp "$built/libus3.so" "$lib/.libus3.so.new"
mv -f "$lib/.libus3.so.new" "$lib/libus3.so.$version"
ln -sf "libus3.so.$version" "$lib/libus3.so.$major"
ln -sf "libus3.so.$major" "$lib/libus3.so"
