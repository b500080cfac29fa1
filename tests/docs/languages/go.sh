#!/bin/sh
# Vets a Go program of a document and runs it: go.sh FILE ARGUMENT…
# It is put into a module of its own, which takes the binding from bindings/go.
set -eu

file=$1
shift
if ! command -v go >/dev/null; then
    echo "there is no Go (Debian: apt-get install golang-go)"
    exit 77
fi
here=$PWD
binding=$US3_ROOT/bindings/go
module=$(sed -n 's/^module *//p' "$binding/go.mod")
mkdir -p "${file%.go}"
cp "$file" "${file%.go}/main.go"
cd "${file%.go}"
cat >go.mod <<END
module example

go 1.19

require $module v0.0.0

replace $module => $binding
END
export CGO_CFLAGS="-I$US3_ROOT/include" CGO_LDFLAGS="-L$US3_LIB -Wl,-rpath,$US3_LIB"
export GOFLAGS=-mod=mod GOPROXY=off
go vet .
go build -o "$here/${file%.go}.program" .
cd "$here"
exec "./${file%.go}.program" "$@"
