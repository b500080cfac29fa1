#!/bin/sh
# Makes build/packages/libus3-VERSION-linux-MACHINE.tar.gz from LIB_DIR (made by `make lib`): an archive that works
# wherever it is unpacked. The build is reproducible.
#
#   tarball.sh LIB_DIR VERSION MAJOR CARGO
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
lib=$1 version=$2 major=$3 cargo=$4
name=libus3-$version-linux-$(uname -m)
out=$root/build/packages
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' HUP INT TERM

# Ignores the caller's settings: a tarball has its own layout.
unset LIBDIR INCLUDEDIR
PREFIX=/$name DESTDIR=$stage RELOCATABLE=1 "$root/scripts/install.sh" install "$lib" "$version" "$major" >/dev/null
cp "$root/README.md" "$root/CHANGELOG.md" "$root/LICENSE-APACHE" "$root/LICENSE-MIT" "$stage/$name/"
"$root/scripts/third-party.sh" "$cargo" >"$stage/$name/THIRD-PARTY"

mkdir -p "$out"
tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@${SOURCE_DATE_EPOCH:-0}" \
    -C "$stage" -cf - "$name" | gzip -n9 >"$out/$name.tar.gz"
echo "build/packages/$name.tar.gz"
