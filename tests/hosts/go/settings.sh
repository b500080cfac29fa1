# How Go programs are built in tests: without a network, with the caches below build. To be sourced, with `root` set.

export GOCACHE="$root/build/test/go/cache" GOPATH="$root/build/test/go/path"
export GOPROXY=off GOFLAGS=-mod=mod GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=1
