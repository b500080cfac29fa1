#!/bin/sh
# Runs the tests of bindings/python: builds its wheel with the library of LIB_DIR, installs it into a fresh virtual
# environment, and runs the tests there, away from the source tree, with a US3 emulator and a callback service.
# Then the types, the examples, and whether the generated code is what the header says. What the documents show is
# run by tests/docs.
#
#   run.sh EMULATOR LIB_DIR [NAME…]      only test_NAME.py
#
# CHECK_ONLY=text in the environment runs only the tests whose name contains it. Without Python, or the tools of
# bindings/python/tools.txt and a package index to get them from, nothing runs, which is said; with
# REQUIRE_ALL=1 it is a failure.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
here=$root/tests/hosts/python
emulator=$1
lib=$(cd "$2" && pwd)
shift 2
. "$root/scripts/testing.sh"

PYTHON=${PYTHON:-python3}
# Far longer than all tests take.
PROGRAM_TIMEOUT_S=${HOST_TEST_TIMEOUT_S:-600}
export PYTHON PYTHONDONTWRITEBYTECODE=1
build=$root/build/test/python
tools=$root/build/python/tools
venv=$build/venv

tools_are_here() {
    "$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || {
        missing "the Python binding" "$PYTHON is not here, is older than 3.9, or has no venv (Debian: apt-get install python3 python3-venv)"
        return 1
    }
    "$root/scripts/python-tools.sh" "$tools" || {
        missing "the Python binding" "bindings/python/tools.txt could not be installed: is the package index in reach?"
        return 1
    }
}

install_wheel() {
    mkdir -p "$build"
    # The library of the tests is full of debug information.
    strip --strip-debug -o "$build/libus3.so.0" "$lib/libus3.so.0"
    wheel=$("$root/scripts/wheel.sh" "$tools/bin/python" "$build/libus3.so.0" "$build/wheel")
    rm -rf "$venv"
    "$PYTHON" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
}

# What is installed, and nothing else: from a folder outside the source tree, and the library in the wheel.
in_venv() {
    (cd "$US3_TEST_DIR" && env -u US3_LIBRARY -u PYTHONPATH timeout --foreground "$PROGRAM_TIMEOUT_S" \
        "$venv/bin/python" -X dev -W error::ResourceWarning "$@")
}

check_types() {
    "$tools/bin/mypy" --cache-dir "$build/mypy" --config-file "$root/bindings/python/pyproject.toml" "$root/bindings/python/src/us3" &&
        (cd "$tmp" && "$tools/bin/mypy" --cache-dir "$build/mypy" --strict --python-executable "$venv/bin/python" "$here/typed_user.py")
}

check_wheel() {
    in_venv -c 'import us3, os; from us3 import _library; root = os.path.dirname(us3.__file__); print(root)
assert "site-packages" in root, root
assert _library._path() == os.path.join(root, "libus3.so.0"), _library._path()
assert os.path.exists(os.path.join(root, "py.typed"))' &&
        ls "$build/wheel" | grep -Eq '^us3-[0-9.]+-py3-none-(many)?linux_[a-z0-9_]+\.whl$'
}

run_example() {
    head -c 300000 /dev/urandom >"$US3_TEST_DIR/video.mp4"
    in_venv "$root/bindings/python/examples/many_uploads.py" config.json video.mp4 many/ >"$tmp/printed" &&
        grep '100 of 100 uploads stored' "$tmp/printed"
}

tools_are_here || {
    summary "Python tests"
    exit
}
install_wheel
build_callback_service "$tmp/callback_service"
start_test_servers "$tmp/python" "$emulator" "$tmp/callback_service"
write_config
US3_TEST_INCLUDE=$root/include
export US3_TEST_INCLUDE
check "declarations: they are what include/us3.h says" "$tools/bin/python" "$root/bindings/python/generate.py" --check
check "wheel: it carries the library" check_wheel
run_counted "the Python tests" in_venv "$here/run.py" "$@"
if [ $# -eq 0 ]; then
    check "types: mypy --strict" check_types
    check "examples: many_uploads.py" run_example
fi
summary "Python tests"
