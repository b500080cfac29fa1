#!/bin/sh
# Installs the libraries from LIB_DIR (made by `make lib`), the headers, and the files for pkg-config and CMake.
#
#   install.sh install|uninstall LIB_DIR VERSION MAJOR
#
# From the environment, as in every Makefile: PREFIX (/usr/local), LIBDIR (PREFIX/lib), INCLUDEDIR
# (PREFIX/include), DESTDIR (put before every path that is written, part of none), STRIP (strip; `:`
# leaves the symbols). RELOCATABLE=1 writes an us3.pc that finds everything from where it lies itself, for
# a tree that is to be moved; us3Config.cmake always does.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
action=$1 built=$2 version=$3 major=$4
prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
includedir=${INCLUDEDIR:-$prefix/include}
to_lib=${DESTDIR:-}$libdir
to_include=${DESTDIR:-}$includedir

for dir in "$prefix" "$libdir" "$includedir"; do
    case $dir in
        # These characters have a meaning in sed, pkg-config or CMake, and are not needed in folder names.
        *[!A-Za-z0-9/._+~@:,-]*)
            echo "install: $dir contains a blank or another character that pkg-config files cannot carry" >&2
            exit 1
            ;;
        /*) ;;
        *)
            echo "install: $dir is not an absolute path" >&2
            exit 1
            ;;
    esac
done

relative() {
    realpath -m --relative-to="$2" "$1"
}

# The libraries that libus3.a needs, as the compiler printed them. libgcc_s and libc are left out: every compiler
# driver adds them itself, in the form that fits the program.
libs_private() {
    for lib in $(cat "$built/native-static-libs"); do
        case $lib in
            -lgcc_s | -lgcc_eh | -lc) ;;
            *) echo "$lib" ;;
        esac
    done | awk '!seen[$0]++' | paste -s -d ' '
}

# A folder in us3.pc, relative to its prefix, so that the prefix can be changed with pkg-config.
in_prefix() {
    # shellcheck disable=SC2016 # a variable of pkg-config's
    case $1 in
        "$prefix"/*) printf '${prefix}/%s' "${1#"$prefix"/}" ;;
        *) echo "$1" ;;
    esac
}

# fill IN: prints the template IN with the variables of the build.
fill() {
    pc_prefix=$prefix
    if [ "${RELOCATABLE:-0}" = 1 ]; then
        # shellcheck disable=SC2016 # likewise
        pc_prefix='${pcfiledir}'/$(relative "$prefix" "$libdir/pkgconfig")
    fi
    private=$(libs_private)
    sed -e "s|@PREFIX@|$pc_prefix|" -e "s|@LIBDIR@|$(in_prefix "$libdir")|" \
        -e "s|@INCLUDEDIR@|$(in_prefix "$includedir")|" \
        -e "s|@INCLUDEDIR_FROM_LIBDIR@|$(relative "$includedir" "$libdir")|" \
        -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" -e "s|@POINTER_SIZE@|$(pointer_size)|g" \
        -e "s|@LIBS_PRIVATE@|$private|" -e "s|@CMAKE_LIBS_PRIVATE@|$(printf %s "$private" | sed 's/-l//g')|" "$1"
}

# Of the library, not of this machine.
pointer_size() {
    case $(head -c 5 "$built/libus3.so.$version" | od -An -tx1 | tr -d ' ') in
        7f454c4601) echo 4 ;;
        *) echo 8 ;;
    esac
}

# put MODE FROM TO: copies to a new name first and then renames, because a program may have the old file mapped.
put() {
    install -m "$1" "$2" "$3.new"
    mv -f "$3.new" "$3"
}

put_filled() {
    fill "$1" >"$tmp/filled"
    put 644 "$tmp/filled" "$2"
}

put_stripped() {
    cp "$2" "$tmp/stripped"
    chmod u+w "$tmp/stripped"
    "${STRIP:-strip}" "$1" "$tmp/stripped"
    put 644 "$tmp/stripped" "$3"
}

install_all() {
    for file in "libus3.so.$version" libus3.a native-static-libs; do
        [ -f "$built/$file" ] || {
            echo "install: $built/$file is missing: run make first" >&2
            exit 1
        }
    done
    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' EXIT
    trap 'exit 130' HUP INT TERM

    install -d "$to_include" "$to_lib/pkgconfig" "$to_lib/cmake/us3"
    put_stripped --strip-unneeded "$built/libus3.so.$version" "$to_lib/libus3.so.$version"
    put_stripped --strip-debug "$built/libus3.a" "$to_lib/libus3.a"
    ln -sfn "libus3.so.$version" "$to_lib/libus3.so.$major"
    ln -sfn "libus3.so.$major" "$to_lib/libus3.so"
    for header in us3.h us3.hpp; do
        put 644 "$root/include/$header" "$to_include/$header"
    done
    put_filled "$root/packaging/us3.pc.in" "$to_lib/pkgconfig/us3.pc"
    for file in us3Config.cmake us3ConfigVersion.cmake; do
        put_filled "$root/packaging/$file.in" "$to_lib/cmake/us3/$file"
    done
    echo "installed libus3 $version in $to_lib and $to_include"
    if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" -eq 0 ]; then
        # Updates the loader's cache. If this fails, the library is found after the next update.
        ldconfig 2>/dev/null || true
    fi
}

uninstall_all() {
    rm -f "$to_lib/libus3.so.$version" "$to_lib/libus3.so.$major" "$to_lib/libus3.so" "$to_lib/libus3.a" \
        "$to_include/us3.h" "$to_include/us3.hpp" "$to_lib/pkgconfig/us3.pc" \
        "$to_lib/cmake/us3/us3Config.cmake" "$to_lib/cmake/us3/us3ConfigVersion.cmake"
    rmdir "$to_lib/cmake/us3" 2>/dev/null || true
    echo "removed libus3 $version from $to_lib and $to_include"
}

case $action in
    install) install_all ;;
    uninstall) uninstall_all ;;
    *)
        echo "install: $action is neither install nor uninstall" >&2
        exit 1
        ;;
esac
