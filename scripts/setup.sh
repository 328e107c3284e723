#!/usr/bin/env bash
# Installs what a build needs beyond Rust, a C++ compiler and make, and says so. Quick and silent when nothing is missing.
#
#   libclang-dev   RocksDB's bindings are made from its headers by bindgen, which loads libclang. Required.
#   ccache         keeps the compiled RocksDB across changes of flags. Without it builds work, only slower.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    compgen -G '/usr/lib/llvm*/lib/libclang*.so*' >/dev/null && compgen -G '/usr/lib/llvm*/lib/clang/*/include/stddef.h' \
        >/dev/null && return 0
    # Distributions that install LLVM into the system's own folders.
    compgen -G '/usr/lib*/libclang.so*' >/dev/null && compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null
}

install() {
    has apt-get || fail "$1 is missing and this system has no apt-get: install it by your own package manager, then try again"
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "$1 is missing: run 'apt-get install $1' as root, then try again"
        run=(sudo)
        # Without a terminal a password cannot be asked for.
        [ -t 0 ] || run=(sudo -n)
    fi
    say "installing $1 ($2)"
    local log
    log="$(mktemp)"
    apt() { "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >>"$log" 2>&1; }
    local done=no
    if apt install -y --no-install-recommends "$1"; then
        done=yes
    elif apt update && apt install -y --no-install-recommends "$1"; then
        # A fresh image has no package lists yet.
        done=yes
    else
        tail -n 5 "$log" >&2
    fi
    rm -f "$log"
    [ "$done" = yes ]
}

for tool in cargo g++ make python3; do
    has "$tool" || fail "$tool is missing: install it first (Rust from https://rustup.rs, the others by your package manager)"
done

has_libclang || install libclang-dev "RocksDB's bindings need it" ||
    fail "libclang-dev could not be installed: run 'apt-get install libclang-dev', or set LIBCLANG_PATH, then try again"

if ! has ccache && [ -z "${CXX:-}" ] && ! (install ccache "keeps the compiled RocksDB"); then
    say "going on without ccache: a change of flags will compile RocksDB again"
fi

# shellcheck source=scripts/env.sh
. scripts/env.sh
if [ -z "${ROCKSDB_LIB_DIR:-}" ] &&
    ! compgen -G "$CARGO_TARGET_DIR/release/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; then
    say "the first build compiles RocksDB: 20 to 35 minutes on two cores, once"
fi
