#!/usr/bin/env bash
# Looks for inputs that break a property of a decoder: `scripts/fuzz.sh TARGET SECONDS`. What it finds worth keeping goes
# to target/fuzz/corpus, what breaks to target/fuzz/artifacts: put the smallest of those into fuzz/corpus/TARGET, where
# the tests replay it for ever.
#
# There is no sanitizer: the workspace forbids unsafe code, and properties bound memory themselves. So RocksDB, which no
# decoder needs, is linked as any build made it; without one at hand it is compiled, which takes half an hour, once.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${1:-}" seconds="${2:-60}"
if [ -z "$target" ] || [ ! -d "fuzz/corpus/$target" ]; then
    printf 'fuzz: name a TARGET, one of: %s\n' "$(ls fuzz/corpus | tr '\n' ' ')" >&2
    exit 2
fi

command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
rustup toolchain list | grep -q nightly || rustup toolchain install nightly --profile minimal

# shellcheck source=scripts/env.sh
. scripts/env.sh
if [ -z "${ROCKSDB_LIB_DIR:-}" ]; then
    built="$(compgen -G "$CARGO_TARGET_DIR/release/build/librocksdb-sys-*/out/librocksdb.a" | head -n 1 || true)"
    lz4="$(compgen -G "$CARGO_TARGET_DIR/release/build/lz4-sys-*/out/liblz4.a" | head -n 1 || true)"
    if [ -n "$built" ] && [ -n "$lz4" ]; then
        export ROCKSDB_STATIC=1 LZ4_STATIC=1
        ROCKSDB_LIB_DIR="$(dirname "$built")" LZ4_LIB_DIR="$(dirname "$lz4")"
        export ROCKSDB_LIB_DIR LZ4_LIB_DIR
    else
        echo "fuzz: no build of RocksDB is at hand: compiling it, for half an hour" >&2
    fi
fi

export CARGO_TARGET_DIR="$CARGO_TARGET_DIR/fuzz" KEEPER_FUZZ="$target"
found="$CARGO_TARGET_DIR/corpus/$target" broken="$CARGO_TARGET_DIR/artifacts/$target/"
mkdir -p "$found" "$broken"
exec cargo +nightly fuzz run --sanitizer none decoders "$found" "fuzz/corpus/$target" -- \
    -artifact_prefix="$broken" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=1200000 -len_control=50 \
    ${FUZZ_ARGS:-}
