#!/bin/sh
# Compiles a C program of a document and runs it: c.sh FILE ARGUMENT…
set -eu

file=$1
shift
# shellcheck disable=SC2086 # CC and CFLAGS are lists of words
${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -I"$US3_ROOT/include" -o "${file%.c}" "$file" \
    -L"$US3_LIB" -lus3 -lpthread -Wl,-rpath,"$US3_LIB"
exec "./${file%.c}" "$@"
