#!/bin/sh
# Compiles a C++ program of a document and runs it: cpp.sh FILE ARGUMENT…
set -eu

file=$1
shift
if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "there is no C++ compiler (Debian: apt-get install g++)"
    exit 77
fi
# shellcheck disable=SC2086 # CXX and CFLAGS are lists of words
${CXX:-c++} -std=c++17 -Wall -Wextra -Werror ${CFLAGS:-} -I"$US3_ROOT/include" -o "${file%.cpp}" "$file" \
    -L"$US3_LIB" -lus3 -lpthread -Wl,-rpath,"$US3_LIB"
exec "./${file%.cpp}" "$@"
