#!/usr/bin/env bash
# Installs the tools for building, tests and checks that are missing, from Debian packages.
#
#   deps.sh         installs; elsewhere, or without root, says what is missing and for what, and fails
#   deps.sh check   only says
#
# It does not install the Rust compiler for libus3: see https://rustup.rs. The sanitizers use a Rust compiler of
# Debian (rustc-web), because its package contains the source of the standard library.
set -euo pipefail

# program:package:reason. Instead of a program: a file's path, a <header>, or an import of Python's.
tools=(
    "cc:gcc:the C tests, and the C parts of TLS"
    "make:make:everything"
    "nm:binutils:the tests of the libraries' symbols"
    "timeout:coreutils:the tests"
    "python3:python3:the Python host, the examples of the documents"
    "import ensurepip:python3-venv:the Python host's wheel"
    "c++:g++:the C++ host"
    "clang++:clang:the C++ host with a second compiler"
    "go:golang-go:the Go host"
    "luajit:luajit:the LuaJIT host"
    "cmake:cmake:the packages, with find_package"
    "pkg-config:pkg-config:the Go host, and the packages with pkg-config"
    "dpkg-buildpackage:dpkg-dev:the Debian packages"
    "dh:debhelper:the Debian packages"
    "fakeroot:fakeroot:the Debian packages"
    "unshare:util-linux:the packages, with the source tree out of sight"
    "doxygen:doxygen:the API reference"
    "valgrind:valgrind:the C tests under memcheck"
    "clang-19:clang-19:the sanitizers"
    "llvm-symbolizer-19:llvm-19:the sanitizers"
    "/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.tsan-x86_64.a:libclang-rt-19-dev:the sanitizers"
    "/usr/bin/rustc:rustc-web:the sanitizers, over Rust code as well"
    "/usr/bin/cargo:cargo-web:the sanitizers, over Rust code as well"
    "/usr/lib/rustlib/src/rust/library/Cargo.lock:rust-web-src:the sanitizers, over Rust code as well"
    "abidiff:abigail-tools:the binary interface"
    "curl:curl:the examples of the documents, the tests of the LuaJIT host, the benchmarks"
    "openssl:openssl:the examples of the documents"
    "<curl/curl.h>:libcurl4-openssl-dev:the benchmarks"
    "<openssl/ssl.h>:libssl-dev:the test of a host that has its own OpenSSL"
)

present() {
    case $1 in
        "<"*) echo "#include $1" | cc -x c -E -o /dev/null - 2>/dev/null ;;
        "import "*) python3 -c "$1" 2>/dev/null ;;
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
for tool in "${tools[@]}"; do
    IFS=: read -r program package reason <<<"$tool"
    present "$program" && continue
    missing+=("$package")
    printf 'missing: %-22s for %s\n' "$package" "$reason"
done
if ! command -v cargo >/dev/null; then
    echo "missing: Rust 1.89 or newer: install it from https://rustup.rs"
fi
if [ "${#missing[@]}" -eq 0 ]; then
    command -v cargo >/dev/null || exit 1
    echo "deps: every tool is here"
    exit 0
fi
[ "${1:-install}" = install ] || exit 1
if ! command -v apt-get >/dev/null; then
    echo "deps: this is not a Debian machine: install what these Debian packages bring: ${missing[*]}" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "deps: run as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
command -v cargo >/dev/null
