#!/bin/sh
# Vets a Go program of a document and runs it: go.sh FILE ARGUMENT…
# It is put into a module of its own, which takes the package from bindings/go and finds the library with pkg-config.
set -eu

file=$1
shift
for tool in go pkg-config; do
    command -v $tool >/dev/null && continue
    echo "there is no $tool (Debian: apt-get install golang-go pkg-config)"
    exit 77
done
program=$PWD/${file%.go}.program
export PKG_CONFIG_PATH="$US3_PREFIX/lib/pkgconfig" CGO_LDFLAGS="-Wl,-rpath,$US3_PREFIX/lib"
mkdir -p "$program.module"
cp "$file" "$program.module/main.go"
(
    cd "$program.module"
    go mod init example.com/upload
    go mod edit -require=libus3/us3@v0.0.0 -replace="libus3/us3=$US3_ROOT/bindings/go"
    go vet .
    go build -o "$program" .
)
exec "$program" "$@"
