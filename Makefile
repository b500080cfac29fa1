# What a C user types. `make help` lists it.
#
# Honours CC, CXX, CFLAGS, CARGO, CARGO_TARGET_DIR and CARGO_BUILD_TARGET. Cargo decides what is out
# of date, so the targets that call it are phony and cheap when nothing has changed.

CARGO ?= cargo
CFLAGS ?= -O2 -g

export CC CXX CFLAGS PREFIX DESTDIR LIBDIR INCLUDEDIR STRIP

VERSION := $(shell sed -n 's/^version *= *"\([^"]*\)".*/\1/p' Cargo.toml | head -n 1)
MAJOR := $(firstword $(subst ., ,$(VERSION)))

# Passed to cargo on its command line, so that cargo ignores a target folder that is configured elsewhere.
TARGET_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
PROFILES := $(TARGET_DIR)$(if $(CARGO_BUILD_TARGET),/$(CARGO_BUILD_TARGET))
CARGO_FLAGS = --locked --target-dir "$(TARGET_DIR)"

LIB_DIR := build/lib
# The other libraries that a program with libus3.a must link: written by the compiler, read by scripts/install.sh.
STATIC_NEEDS = $(abspath $(PROFILES))/release/libus3.native-static-libs
TEST_LIB_DIR := build/test/lib

.DEFAULT_GOAL := all
.PHONY: all lib built install uninstall tarball deb wheel generated bindings demo probe docs
.PHONY: test test-rust test-c test-header test-cpp test-go test-lua test-python test-packages test-docs dev-build
.PHONY: fmt lint header check-header check-docs abi abi-update test-sanitize test-tsan soak model loom fuzz
.PHONY: bench bench-leaves bench-guard bench-guard-update bench-programs
.PHONY: deps clean help need-cargo need-cc

# ---- building -------------------------------------------------------------------------------------

all: lib ## build libus3.so and libus3.a (release) into build/lib

# `cargo rustc --crate-type` leaves out the rlib: with it, cargo would not do link-time optimisation.
lib: need-cargo
	options=$$(scripts/old-glibc.sh build/old_glibc.o) && scripts/header.sh write $(CARGO) rustc $(CARGO_FLAGS) --release --package us3 --lib \
		--crate-type cdylib,staticlib -- --print "native-static-libs=$(STATIC_NEEDS)" $$options
	@scripts/lay-out-library.sh "$(PROFILES)/release" "$(LIB_DIR)" "$(VERSION)" "$(MAJOR)"
	@cp "$(PROFILES)/release/libus3.a" "$(LIB_DIR)/libus3.a"
	@cp "$(STATIC_NEEDS)" "$(LIB_DIR)/native-static-libs"
	@echo "$(LIB_DIR): libus3.so.$(VERSION), libus3.a; the header is include/us3.h"

# A file and not the target `lib`: if the library is up to date, `sudo make install` needs no cargo and creates no
# files of root in the target folder.
BUILT := $(LIB_DIR)/libus3.so.$(VERSION)
$(BUILT): Cargo.toml Cargo.lock build.rs packaging/old_glibc.c $(shell find src -type f)
	$(MAKE) lib

built: $(BUILT)

install: $(BUILT) ## install under PREFIX (/usr/local); DESTDIR, LIBDIR and INCLUDEDIR are honoured
	@scripts/install.sh install "$(LIB_DIR)" "$(VERSION)" "$(MAJOR)"

uninstall: ## remove what install installed, with the same variables
	@scripts/install.sh uninstall "$(LIB_DIR)" "$(VERSION)" "$(MAJOR)"

deb: $(BUILT) need-cargo ## make the Debian packages, in build/packages
	@scripts/deb.sh "$(VERSION)" "$(CARGO)"

tarball: $(BUILT) need-cargo ## make a tree that works wherever it is unpacked, in build/packages
	@scripts/tarball.sh "$(LIB_DIR)" "$(VERSION)" "$(MAJOR)" "$(CARGO)"

wheel: lib ## build the Python wheel into build/python, with libus3.so in it
	@scripts/python-tools.sh build/python/tools
	@scripts/wheel.sh build/python/tools/bin/python "$(LIB_DIR)/libus3.so.$(MAJOR)" build/python

generated: header bindings ## write all that is made of src/ffi: the header, what the bindings know of it, Debian's symbols
	@scripts/symbols.sh "$(VERSION)"

# The declarations of include/us3.h in the bindings. The tests of each binding fail when they are stale.
bindings: need-cc ## generate what the Lua and Python bindings know of the header
	@scripts/lua-cdef.sh
	@scripts/python-tools.sh build/python/tools
	@build/python/tools/bin/python bindings/python/generate.py

# The emulator is built in the dev profile, as by `make test`: that compiles much faster.
demo: lib need-cc ## run the five operations against a local US3 with real callbacks
	$(CARGO) build $(CARGO_FLAGS) --workspace --bin us3-emulator
	@scripts/demo.sh "$(PROFILES)/debug/us3-emulator" "$(LIB_DIR)"

# The output is kept in report.md. The shell waits until the probe has cleaned up, also after Ctrl-C.
PROBE_DIR := build/probe
probe: lib need-cc ## try on the live service what libus3 assumes: CONFIG=config.json CALLBACK=http://host:port/
	@[ -n "$(CONFIG)" ] || { echo "make probe needs an account: make probe CONFIG=config.json; docs/assumptions.md tells more" >&2; exit 2; }
	@mkdir -p "$(PROBE_DIR)"
	$(CC) -std=c99 $(CFLAGS) -Iinclude -o "$(PROBE_DIR)/us3-probe" examples-c/probe.c examples-c/probe/*.c -L"$(LIB_DIR)" -lus3 -lpthread -Wl,-rpath,"$(abspath $(LIB_DIR))"
	@trap : INT TERM HUP; status=0; "$(PROBE_DIR)/us3-probe" $(if $(LISTEN),--listen "$(LISTEN)") $(if $(CALLBACK),--callback "$(CALLBACK)") $(PROBE_OPTIONS) \
		"$(CONFIG)" >"$(PROBE_DIR)/report.md" || status=$$?; cat "$(PROBE_DIR)/report.md"; echo "The report is $(PROBE_DIR)/report.md" >&2; exit $$status

docs: ## build the API reference into build/docs; needs Doxygen
	@scripts/docs.sh build "$(VERSION)"

# ---- tests ----------------------------------------------------------------------------------------

# If the toolchain of a host language is missing, a warning says that its tests are left out; with REQUIRE_ALL=1 that
# is a failure.

test: test-rust test-c test-header test-cpp test-go test-lua test-python test-packages test-docs ## run all tests: everything below, as far as test-docs

test-rust: need-cargo ## run the tests of the engine and the emulator
	$(CARGO) test $(CARGO_FLAGS) --workspace

# The other tests use the profile of the Rust tests, so that nothing is compiled twice.
dev-build: need-cargo
	@scripts/header.sh write $(CARGO) build $(CARGO_FLAGS) --workspace
	@scripts/lay-out-library.sh "$(PROFILES)/debug" "$(TEST_LIB_DIR)" "$(VERSION)" "$(MAJOR)"

test-c: dev-build need-cc ## run the C tests only; TESTS="config policy" picks some
	@tests/c/run.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" $(TESTS)

test-header: need-cc ## compile include/us3.h alone, as C99, C17 and C++17
	@tests/c/header.sh

test-cpp: dev-build need-cc ## run the C++ tests only; MODE=sanitize: under the sanitizers
	@tests/hosts/cpp/run.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" $(MODE)

test-go: dev-build ## run the Go tests only; TESTS=Reader picks those whose name matches
	@tests/hosts/go/run.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" "$(TESTS)"

test-lua: dev-build need-cc ## run the LuaJIT tests only; TESTS="tasks misuse" picks some
	@tests/hosts/lua/run.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" $(TESTS)

test-python: dev-build need-cc ## run the Python tests only; TESTS="tasks asyncio" picks some
	@tests/hosts/python/run.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" $(TESTS)

test-packages: dev-build $(BUILT) need-cc ## install, pack, and use the packages as strangers do
	@CARGO="$(CARGO)" tests/packages/run.sh "$(PROFILES)/debug/us3-emulator" "$(LIB_DIR)" "$(VERSION)" "$(MAJOR)"

test-docs: dev-build need-cc ## compile and run every example of the documents; PAGES="README.md" picks some
	@tests/docs/run.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" $(PAGES)

# ---- checks ---------------------------------------------------------------------------------------

fmt: need-cargo ## format the Rust code
	$(CARGO) fmt --all

lint: need-cargo ## check the format, and clippy with every warning an error
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings

header: need-cargo ## write include/us3.h from src/ffi
	@scripts/header.sh write $(CARGO) build $(CARGO_FLAGS) --workspace

check-header: need-cargo ## fail when include/us3.h is not what the build generates
	@scripts/header.sh check $(CARGO) build $(CARGO_FLAGS) --workspace

check-docs: ## fail when something in include/us3.h is not documented; needs Doxygen
	@scripts/docs.sh check "$(VERSION)"

abi: dev-build need-cc ## compare the binary interface with abi/libus3.abi
	@scripts/abi.sh check "$(TEST_LIB_DIR)"

abi-update: dev-build need-cc ## write abi/libus3.abi anew; CONTRIBUTING.md says when
	@scripts/abi.sh update "$(TEST_LIB_DIR)"

test-sanitize: dev-build need-cc ## run tests under memcheck and the sanitizers; SANITIZE="memcheck address thread" picks some
	@TESTS="$(TESTS)" scripts/sanitize.sh "$(PROFILES)/debug/us3-emulator" "$(TEST_LIB_DIR)" "$(VERSION)" "$(MAJOR)" $(SANITIZE)

test-tsan: ## run the tests that use many threads under ThreadSanitizer, the Rust code with the C code
	@$(MAKE) --no-print-directory test-sanitize SANITIZE=thread

soak: need-cargo ## many threads and random failures for US3_SOAK_SECONDS (60); US3_SOAK_SEED repeats a run
	US3_SOAK_SECONDS=$${US3_SOAK_SECONDS:-60} $(CARGO) test $(CARGO_FLAGS) --package us3 --test soak -- --nocapture

loom: need-cargo ## try every interleaving of small cases of the locks, queues and threads of our own
	@scripts/loom.sh "$(CARGO)" $(CARGO_FLAGS)

model: need-cargo ## explore more orders of losses, delays and kills than the tests do; takes some minutes
	US3_MODEL=large $(CARGO) test $(CARGO_FLAGS) --release --package us3 --test model -- --nocapture --test-threads 1 promises::

fuzz: ## run each fuzz target for a minute, or FUZZ_SECONDS; FUZZ="policy config" picks some
	@fuzz/run.sh $(FUZZ)

# ---- measuring -------------------------------------------------------------------------------------

# The library is built twice: `soft` is built without SHA instructions and AVX-512, as for processors that lack them.
bench: lib bench-programs ## measure against curl and the kernel's limits; BENCH="parts put tls small many rest" picks, BENCH_RUNS=7
	RUSTFLAGS='$(RUSTFLAGS) --cfg sha1_backend="soft" --cfg disable_dispatch_avx512' $(CARGO) rustc --locked --target-dir "$(TARGET_DIR)/soft" --release --package us3 --lib --crate-type cdylib
	@scripts/lay-out-library.sh "$(TARGET_DIR)/soft$(if $(CARGO_BUILD_TARGET),/$(CARGO_BUILD_TARGET))/release" build/bench/soft "$(VERSION)" "$(MAJOR)"
	@python3 benches/run.py build/bench "$(LIB_DIR)" --soft build/bench/soft --runs "$${BENCH_RUNS:-7}" --results benches/results.md $(BENCH)

bench-leaves: need-cargo ## time signing, ETags and policies with Criterion
	$(CARGO) bench $(CARGO_FLAGS) --package us3 --bench leaves

bench-guard: lib bench-programs ## count instructions under valgrind and compare with benches/guard.json
	@python3 benches/guard.py build/bench "$(LIB_DIR)"

bench-guard-update: lib bench-programs ## write benches/guard.json anew; CONTRIBUTING.md says when
	@python3 benches/guard.py build/bench "$(LIB_DIR)" --update

bench-programs: lib need-cc
	$(CARGO) build $(CARGO_FLAGS) --release --package us3-sink
	@benches/build.sh "$(PROFILES)/release" "$(LIB_DIR)" build/bench

# ---- the rest -------------------------------------------------------------------------------------

deps: ## install the tools for every host and check, from Debian packages
	@scripts/deps.sh

clean: ## remove everything that was built
	rm -rf build
	$(CARGO) clean --target-dir "$(TARGET_DIR)"

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-26s %s\n", $$1, $$2}'

need-cargo:
	@command -v $(firstword $(CARGO)) >/dev/null || { echo "libus3 is built with Rust, and cargo is not here: install Rust 1.89 or newer from https://rustup.rs" >&2; exit 1; }

need-cc:
	@command -v $(firstword $(CC)) >/dev/null || { echo "The C programs need a C compiler, and $(firstword $(CC)) is not here: install one (Debian: apt-get install gcc) or name yours with CC=…" >&2; exit 1; }
