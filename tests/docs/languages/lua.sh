#!/bin/sh
# Runs a LuaJIT program of a document: lua.sh FILE ARGUMENT…
set -eu

if ! command -v luajit >/dev/null; then
    echo "there is no LuaJIT (Debian: apt-get install luajit)"
    exit 77
fi
export LUA_PATH="$US3_ROOT/bindings/lua/?.lua;;" US3_LIBRARY="$US3_LIB/libus3.so.0"
exec luajit "$@"
