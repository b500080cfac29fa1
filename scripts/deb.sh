#!/bin/sh
# Makes build/packages/libus3-0_….deb and libus3-dev_….deb with Debian's own tools, from the result of `make lib`.
# Needs neither root nor a network.
#
#   deb.sh VERSION CARGO
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
version=$1 cargo=$2
out=$root/build/packages
work=$root/build/deb

for tool in dpkg-buildpackage dh; do
    command -v $tool >/dev/null || {
        echo "The Debian packages are made with $tool, and it is not here (Debian: apt-get install dpkg-dev debhelper)" >&2
        exit 1
    }
done
packaged=$(sed -n '1s/^libus3 (\(.*\)-[^-]*) .*/\1/p' "$root/packaging/debian/changelog")
[ "$packaged" = "$version" ] || {
    echo "packaging/debian/changelog begins with version $packaged, and Cargo.toml says $version: add an entry" >&2
    exit 1
}

rm -rf "$work"
mkdir -p "$work/libus3" "$out"
cp -R "$root/packaging/debian" "$work/libus3/debian"
"$root/scripts/third-party.sh" "$cargo" >"$work/THIRD-PARTY"
# The log is long, so it is only shown after a failure.
if ! (cd "$work/libus3" && SOURCE=$root THIRD_PARTY=$work/THIRD-PARTY dpkg-buildpackage -us -uc -b) >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
rm -f "$out"/libus3-0_*.deb "$out"/libus3-dev_*.deb
cp "$work"/*.deb "$out/"
(cd "$root" && ls build/packages/*.deb)
