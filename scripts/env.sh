# shellcheck shell=bash
# The one environment every build runs in; sourced, never executed. RocksDB is compiled again whenever the compiler's
# name changes, so whoever calls cargo by hand sources this first: `. scripts/env.sh`.

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"

# A cache in front of the compiler lets RocksDB's objects survive `cargo clean` and a change of flags.
if command -v ccache >/dev/null 2>&1; then
    export CXX="${CXX:-ccache g++}" CC="${CC:-ccache gcc}"
fi
