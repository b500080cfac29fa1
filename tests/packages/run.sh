#!/bin/sh
# Tests the packages: the installed library itself, and an outside project that is compiled with pkg-config and with
# CMake, shared and static, against each kind of tree, and uploads to a US3 emulator.
#
#   run.sh EMULATOR LIB_DIR VERSION MAJOR
#
# The trees: `make install` with DESTDIR, the same with folders of its own choice, the tarball where it was unpacked
# and where it was moved to, and the Debian packages. The project is compiled and run with the source tree out of
# sight. A tool that is missing is said, and left out; with REQUIRE_ALL=1 it is a failure.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/packages
emulator=$1
lib=$(cd "$2" && pwd)
version=$3 major=$4
multiarch=$(${CC:-cc} -print-multiarch)
. "$root/scripts/testing.sh"
. "$here/library.sh"

# ---- out of sight ------------------------------------------------------------------------------------

# Runs a command that cannot see the source tree, if the system allows hiding it.
out_of_sight() {
    if [ "$can_hide" = yes ]; then
        # shellcheck disable=SC2016 # expanded inside
        unshare --mount --map-root-user sh -c 'mount -t tmpfs none "$1" && shift && exec "$@"' hide "$root" "$@"
    else
        "$@"
    fi
}

can_hide=yes
out_of_sight sh -c "! [ -e '$root/Makefile' ]" 2>/dev/null || can_hide=no
[ "$can_hide" = yes ] || echo "note: this system does not let us hide the source tree; the project lies elsewhere all the same"

# ---- the project -------------------------------------------------------------------------------------

uploads=0

# uploads_to_us3 PROGRAM: really, with a callback that says which upload it was.
uploads_to_us3() {
    uploads=$((uploads + 1))
    out_of_sight timeout 60 "$1" "$US3_TEST_DIR/config.json" "$US3_TEST_DIR/video" "upload-$uploads" "$US3_TEST_CALLBACK" &&
        grep -q "upload-$uploads" "$US3_TEST_CALLBACKS"
}

# loads_from PROGRAM LIBDIR: the library that the loader takes is the one in this tree.
loads_from() {
    loaded=$(ldd "$1" | sed -n "s/.*libus3\.so\.$major => \([^ ]*\).*/\1/p")
    [ -n "$loaded" ] && [ "$(realpath "$loaded")" = "$(realpath "$2")/libus3.so.$version" ] || {
        echo "$1 loads ${loaded:-no libus3.so.$major}, not that of $2"
        return 1
    }
}

loads_none() {
    [ -x "$1" ] && ! ldd "$1" 2>/dev/null | grep us3
}

# check_programs LABEL DIR shared|static LIBDIR
check_programs() {
    for program in upload_c upload_cpp; do
        if [ "$3" = shared ]; then
            check "$1, $program: loads the library of this tree" loads_from "$2/$program" "$4"
        else
            check "$1, $program: loads no libus3" loads_none "$2/$program"
        fi
        check "$1, $program: uploads" uploads_to_us3 "$2/$program"
    done
}

# A fresh copy of the project, in `project`.
copy_project() {
    project=$tmp/project
    rm -rf "$project"
    cp -R "$here/project" "$project"
}

# with_pkg_config LABEL LIBDIR LINK: the environment says where us3.pc is.
with_pkg_config() {
    copy_project
    check "$1, pkg-config, $3: compiles" out_of_sight env -u MAKEFLAGS make -C "$project" "LINK=$3"
    # A library in a folder of one's own is found with LD_LIBRARY_PATH, or an rpath.
    [ "$3" != shared ] || export LD_LIBRARY_PATH="$2"
    check_programs "$1, pkg-config, $3" "$project" "$3" "$2"
    unset LD_LIBRARY_PATH
}

# with_cmake LABEL LIBDIR PREFIX shared|static [CMAKE_OPTION…]
with_cmake() {
    label="$1, CMake, $4" cmake_lib=$2 cmake_prefix=$3 kind=$4
    shift 4
    label="$label${*:+ $*}"
    copy_project
    check "$label: configures" out_of_sight cmake -S "$project" -B "$project/out" -DCMAKE_PREFIX_PATH="$cmake_prefix" "$@"
    check "$label: compiles" out_of_sight env -u MAKEFLAGS cmake --build "$project/out"
    check_programs "$label" "$project/out" "$kind" "$cmake_lib"
}

cmake_refuses() {
    copy_project
    ! cmake -S "$project" -B "$project/out" -DCMAKE_PREFIX_PATH="$1" "-DWANTED=$2"
}

# with_all LABEL LIBDIR PREFIX: pkg-config is told where by its environment.
with_all() {
    if here_is pkg-config "$1 with pkg-config" pkg-config; then
        check "$1: pkg-config knows version $version" [ "$(pkg-config --modversion us3)" = "$version" ]
        with_pkg_config "$1" "$2" shared
        with_pkg_config "$1" "$2" static
    fi
    if here_is cmake "$1 with CMake" cmake; then
        with_cmake "$1" "$2" "$3" shared
        with_cmake "$1" "$2" "$3" static "-DWANTED=0.1 COMPONENTS static"
    fi
}

# ---- the trees ---------------------------------------------------------------------------------------

install_to() {
    env "$@" "$root/scripts/install.sh" install "$lib" "$version" "$major" >/dev/null
}

# In a staging folder, as packagers do it: what is written names the final place only.
destdir() {
    tree=$tmp/stage
    install_to PREFIX=/opt/us3 DESTDIR="$tree"
    check_library "make install" "$tree/opt/us3/lib"
    check "make install: no file names the staging folder" sh -c "! grep -r '$tree' '$tree' && ! grep -r '$root' '$tree'"
    export PKG_CONFIG_SYSROOT_DIR="$tree" PKG_CONFIG_LIBDIR="$tree/opt/us3/lib/pkgconfig"
    with_all "make install" "$tree/opt/us3/lib" "$tree/opt/us3"
    if command -v pkg-config >/dev/null; then
        with_pkg_config "make install" "$tree/opt/us3/lib" all-static
    fi
    unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
    if command -v cmake >/dev/null; then
        with_cmake "make install" "$tree/opt/us3/lib" "$tree/opt/us3" static -DBUILD_SHARED_LIBS=OFF
        with_cmake "make install" "$tree/opt/us3/lib" "$tree/opt/us3" static -DTARGET=us3::us3_static
        with_cmake "make install" "$tree/opt/us3/lib" "$tree/opt/us3" shared -DTARGET=us3::us3_shared -DBUILD_SHARED_LIBS=OFF
        with_cmake "make install" "$tree/opt/us3/lib" "$tree/opt/us3" shared "-DWANTED=$version EXACT COMPONENTS shared static"
        check "CMake: a version that is not there" cmake_refuses "$tree/opt/us3" "$((major + 1)).0"
        check "CMake: a component that is not there" cmake_refuses "$tree/opt/us3" "COMPONENTS nonsense"
    fi
    PREFIX=/opt/us3 DESTDIR=$tree "$root/scripts/install.sh" uninstall "$lib" "$version" "$major" >/dev/null
    check "make uninstall leaves no file" sh -c "! find '$tree' ! -type d | grep ."
}

own_folders() {
    tree=$tmp/own
    install_to PREFIX="$tree" LIBDIR="$tree/lib/$multiarch" INCLUDEDIR="$tree/include/us3-0"
    export PKG_CONFIG_LIBDIR="$tree/lib/$multiarch/pkgconfig"
    with_all "LIBDIR and INCLUDEDIR" "$tree/lib/$multiarch" "$tree"
    unset PKG_CONFIG_LIBDIR
}

tarball() {
    "$root/scripts/tarball.sh" "$lib" "$version" "$major" "${CARGO:-cargo}" >/dev/null
    name=libus3-$version-linux-$(uname -m)
    mkdir "$tmp/first" "$tmp/second"
    tar -xzf "$root/build/packages/$name.tar.gz" -C "$tmp/first"
    tree=$tmp/first/$name
    check_library "tarball" "$tree/lib"
    check "tarball: has the licences" [ -s "$tree/THIRD-PARTY" -a -s "$tree/LICENSE-MIT" -a -s "$tree/LICENSE-APACHE" ]
    export PKG_CONFIG_LIBDIR="$tree/lib/pkgconfig"
    with_all "tarball" "$tree/lib" "$tree"
    mv "$tree" "$tmp/second/moved"
    tree=$tmp/second/moved
    export PKG_CONFIG_LIBDIR="$tree/lib/pkgconfig"
    with_all "tarball, moved" "$tree/lib" "$tree"
    unset PKG_CONFIG_LIBDIR
}

debian() {
    here_is dpkg-buildpackage "the Debian packages" dpkg-dev && here_is dh "the Debian packages" debhelper || return 0
    failed_before=$failed
    check "make deb" "$root/scripts/deb.sh" "$version" "${CARGO:-cargo}"
    [ "$failed" -eq "$failed_before" ] || return 0
    tree=$tmp/debian
    for package in libus3-0 libus3-dev; do
        file=$(ls "$root/build/packages/${package}_$version-"*.deb)
        check "$package: everything belongs to root" sh -c "! dpkg-deb -c '$file' | grep -v ' root/root '"
        dpkg-deb -x "$file" "$tree"
        check "$package: has its licence" [ -s "$tree/usr/share/doc/$package/copyright" ]
    done
    check "libus3-0: lists the functions of us3.h" symbols_are_listed "$(ls "$root/build/packages/libus3-0_"*.deb)"
    check_library "Debian" "$tree/usr/lib/$multiarch"
    export PKG_CONFIG_SYSROOT_DIR="$tree" PKG_CONFIG_LIBDIR="$tree/usr/lib/$multiarch/pkgconfig"
    with_all "Debian" "$tree/usr/lib/$multiarch" "$tree/usr"
    unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
}

# What docs/packages.md shows stands in the project, line by line.
documented() {
    sed -nE '/^```c?make$/,/^```$/p' "$root/docs/packages.md" | grep -v '^```' | grep . |
        sed -e 's/us3 0\.1 REQUIRED/us3 ${WANTED} REQUIRED/' -e 's/us3::us3/${TARGET}/' >"$tmp/shown"
    [ -s "$tmp/shown" ] && ! grep -vxFf "$here/project/Makefile" "$tmp/shown" >"$tmp/not-in-makefile" && return
    ! grep -vxFf "$here/project/CMakeLists.txt" "$tmp/not-in-makefile"
}

# Of this caller's own installation, not of these.
unset PREFIX DESTDIR LIBDIR INCLUDEDIR STRIP RELOCATABLE

cxx=${CXX:-c++}
if ! here_is "${cxx%% *}" "the packages, with a project in C and C++" g++; then
    summary "Packages"
    exit
fi
build_callback_service "$tmp/callback_service"
start_test_servers "$tmp/servers" "$emulator" "$tmp/callback_service"
write_config
head -c 9000000 /dev/urandom >"$US3_TEST_DIR/video"
cd "$tmp"
check "docs/packages.md shows what the project does" documented
destdir
own_folders
tarball
debian
summary "Packages"
