# Checks of an installed libus3.so and libus3.a. To be sourced by run.sh.

# The newest glibc that libus3.so may ask for, which is that of Debian 11. docs/packages.md says what decides it.
OLDEST_GLIBC=2.31
MAX_SIZE=$((6 * 1000 * 1000))

# check_library LABEL LIBDIR
check_library() {
    so=$2/libus3.so.$version
    check "$1: the links of libus3.so" links_are_right "$2"
    check "$1: libus3.so is stripped" sh -c "! readelf -SW '$so' | grep -E '\.(symtab|debug)'"
    check "$1: libus3.a has no debugging information" sh -c "! readelf -SW '$2/libus3.a' 2>/dev/null | grep '\.debug_info'"
    check "$1: libus3.so is under 6 MB" [ "$(wc -c <"$so")" -lt "$MAX_SIZE" ]
    check "$1: libus3.so needs libraries of the C library only" needs_only_libc "$so"
    check "$1: libus3.so has its soname" has "$so" "soname: \[libus3.so.$major\]"
    check "$1: libus3.so is bound at once (-z now)" has "$so" 'FLAGS_1.*NOW'
    check "$1: libus3.so stays loaded (-z nodelete)" has "$so" 'FLAGS_1.*NODELETE'
    check "$1: libus3.so has relro" sh -c "readelf -lW '$so' | grep GNU_RELRO"
    check "$1: libus3.so has no executable stack" sh -c "readelf -lW '$so' | grep 'GNU_STACK.* RW '"
    check "$1: libus3.so searches no folders of its own" sh -c "! readelf -dW '$so' | grep -E 'R(UN)?PATH|TEXTREL'"
    check "$1: libus3.so exports the functions of us3.h only" exports_are_right "$so"
    if [ "$(uname -m)" = x86_64 ]; then
        check "$1: libus3.so runs on glibc $OLDEST_GLIBC (it asks for $(newest_glibc "$so"))" glibc_is_old_enough "$so"
    fi
}

has() {
    readelf -dW "$1" | tee "$tmp/dynamic" | grep -q "$2" || {
        cat "$tmp/dynamic"
        return 1
    }
}

links_are_right() {
    [ "$(readlink "$1/libus3.so")" = "libus3.so.$major" ] && [ "$(readlink "$1/libus3.so.$major")" = "libus3.so.$version" ] &&
        [ -f "$1/libus3.so.$version" ] && ! [ -L "$1/libus3.so.$version" ]
}

needs_only_libc() {
    readelf -dW "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' >"$tmp/needed"
    [ -s "$tmp/needed" ] &&
        ! grep -vE '^(libc|libm|libdl|librt|libpthread|libgcc_s|ld-linux-[a-z0-9-]+)\.so\.[0-9]+$' "$tmp/needed"
}

functions_of_header() {
    ${CC:-cc} -E -P -x c "$root/include/us3.h" | grep -oE '\bus3_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

exports_are_right() {
    functions_of_header >"$tmp/functions"
    nm -D --defined-only "$1" | awk '{print $3}' | sed 's/@.*//' | sort -u >"$tmp/exported"
    [ -s "$tmp/functions" ] && diff "$tmp/functions" "$tmp/exported"
}

newest_glibc() {
    readelf -VW "$1" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -V | tail -n 1
}

glibc_is_old_enough() {
    newest=$(newest_glibc "$1")
    [ -n "$newest" ] && [ "$(printf '%s\n' "$newest" "$OLDEST_GLIBC" | sort -V | tail -n 1)" = "$OLDEST_GLIBC" ] || {
        nm -D --undefined-only "$1" | grep "GLIBC_$newest"
        return 1
    }
}

# symbols_are_listed DEB: dpkg works out by this list which version a program needs.
symbols_are_listed() {
    functions_of_header >"$tmp/functions"
    dpkg-deb -I "$1" symbols | sed -n 's/^ \(us3_[a-z0-9_]*\)@Base .*/\1/p' | sort -u >"$tmp/listed"
    diff "$tmp/functions" "$tmp/listed"
}
