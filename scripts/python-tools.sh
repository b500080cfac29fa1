#!/bin/sh
# Makes a virtual environment with the tools that build and check the Python package, in the versions of
# bindings/python/tools.txt. Does nothing if it is up to date.
#
#   python-tools.sh VENV
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$1
tools=$root/bindings/python/tools.txt

cmp -s "$tools" "$venv/tools.txt" && exit 0
rm -rf "$venv"
"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$tools"
cp "$tools" "$venv/tools.txt"
