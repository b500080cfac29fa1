#!/bin/sh
# Runs the tests of bindings/python: builds its wheel with the library of LIB_DIR, installs it into a fresh virtual
# environment, and runs the tests there, away from the source tree, with a US3 emulator and a callback service.
# Then the types, the examples, and whether the generated code is what the header says.
#
#   run.sh EMULATOR LIB_DIR [NAME…]      only test_NAME.py
#
# CHECK_ONLY=text in the environment runs only the tests whose name contains it. Without Python, or the tools of
# bindings/python/tools.txt and a package index to get them from, nothing runs, which is said, and is a failure
# where REQUIRE_ALL is set.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
here=$root/tests/hosts/python
emulator=$1
lib=$(cd "$2" && pwd)
shift 2
. "$root/tests/hosts/servers.sh"
trap remove_hosts EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

PYTHON=${PYTHON:-python3}
# Far longer than all tests take.
PROGRAM_TIMEOUT_S=${HOST_TEST_TIMEOUT_S:-600}
export PYTHON PYTHONDONTWRITEBYTECODE=1
build=$root/build/test/python
tools=$root/build/python/tools
venv=$build/venv

"$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
    left_out "the Python tests, because $PYTHON is not here, is older than 3.9, or has no venv (Debian: apt-get install python3 python3-venv)"
"$root/scripts/python-tools.sh" "$tools" ||
    left_out "the Python tests, because bindings/python/tools.txt could not be installed: is the package index in reach?"

passed=0
failed=0

pass() {
    passed=$((passed + 1))
    echo "ok    $*"
}

fail() {
    failed=$((failed + 1))
    echo "FAIL  $*"
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

check_that() {
    what=$1
    shift
    if "$@" >"$hosts_tmp/check" 2>&1; then
        pass "$what"
    else
        fail "$what"
        cat "$hosts_tmp/check"
    fi
}

run_tests() {
    status=0
    in_venv "$here/run.py" "$@" >"$hosts_tmp/log" 2>&1 || status=$?
    cat "$hosts_tmp/log"
    passed=$((passed + $(grep -c '^ok ' "$hosts_tmp/log" || true)))
    failures=$(grep -c '^FAIL ' "$hosts_tmp/log" || true)
    failed=$((failed + failures))
    if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then
        fail "the Python tests ended with status $status before their end"
    fi
}

check_types() {
    "$tools/bin/mypy" --cache-dir "$build/mypy" --config-file "$root/bindings/python/pyproject.toml" "$root/bindings/python/src/us3" &&
        (cd "$hosts_tmp" && "$tools/bin/mypy" --cache-dir "$build/mypy" --strict --python-executable "$venv/bin/python" "$here/typed_user.py")
}

check_wheel() {
    in_venv -c 'import us3, os; from us3 import _library; root = os.path.dirname(us3.__file__); print(root)
assert "site-packages" in root, root
assert _library._path() == os.path.join(root, "libus3.so.0"), _library._path()
assert os.path.exists(os.path.join(root, "py.typed"))' &&
        ls "$build/wheel" | grep -Eq '^us3-[0-9.]+-py3-none-(many)?linux_[a-z0-9_]+\.whl$'
}

run_example() {
    expected=$1
    shift
    in_venv "$@" >"$hosts_tmp/example" 2>&1 || { cat "$hosts_tmp/example"; return 1; }
    grep "$expected" "$hosts_tmp/example" || { cat "$hosts_tmp/example"; return 1; }
}

install_wheel
host_servers python
US3_TEST_INCLUDE=$root/include
export US3_TEST_INCLUDE
check_that "declarations: they are what include/us3.h says" "$tools/bin/python" "$root/bindings/python/generate.py" --check
check_that "wheel: it carries the library" check_wheel
run_tests "$@"
if [ $# -eq 0 ]; then
    check_that "types: mypy --strict" check_types
    head -c 300000 /dev/urandom >"$US3_TEST_DIR/video.mp4"
    check_that "examples: many_uploads.py" run_example '100 of 100 uploads stored' \
        "$root/bindings/python/examples/many_uploads.py" config.json video.mp4 many/
    awk '/^```python$/ {on = 1; next} /^```$/ {on = 0} on' "$root/README.md" >"$hosts_tmp/readme.py"
    check_that "examples: the README's" run_example 'the callback service answered {.received' \
        "$hosts_tmp/readme.py" video.mp4 "$US3_TEST_CALLBACK"
    awk '/^```python$/ {on = 1; next} /^```$/ {on = 0} on' "$root/bindings/python/README.md" |
        sed "s|https://example.com/uploaded|$US3_TEST_CALLBACK|" >"$hosts_tmp/manual.py"
    check_that "examples: the manual's" run_example 'received' "$hosts_tmp/manual.py"
fi
echo "Python tests: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
