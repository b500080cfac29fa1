#!/bin/sh
# Compiles packaging/old_glibc.c on x86-64 with glibc, and prints the options for rustc. On other machines, and when
# cross-compiling, it prints nothing: libus3.so then needs the glibc with which it is built.
#
#   old-glibc.sh OBJECT
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
object=$1

[ "$(uname -m)" = x86_64 ] && [ -z "${CARGO_BUILD_TARGET:-}" ] || exit 0
getconf GNU_LIBC_VERSION >/dev/null 2>&1 || exit 0

mkdir -p "$(dirname "$object")"
# shellcheck disable=SC2086 # CC is a list of words
${CC:-cc} -O2 -fPIC -Wall -Wextra -Werror -fno-builtin -c -o "$object" "$root/packaging/old_glibc.c"
# Older glibcs have the functions in these two libraries. The linker must keep them, although nothing here needs them.
echo "-C link-arg=$object -C link-arg=-Wl,--no-as-needed,-l:libpthread.so.0,-l:libdl.so.2,--as-needed"
