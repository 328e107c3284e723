#!/usr/bin/env bash
# Builds the daemon of an older commit, once, and prints the folder it lies in. The ref is the newest release tag unless
# one is named; before the first tag it is the last commit of release 0.2.0.
set -euo pipefail

readonly RELEASE_BEFORE=20d31e3

ref=${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || echo "$RELEASE_BEFORE")}
commit=$(git rev-parse --verify --quiet "$ref^{commit}") || {
    echo "there is no commit $ref here: fetch it, or name another by OLD=ref" >&2
    exit 1
}
folder="${CARGO_TARGET_DIR:-$PWD/target}/old/$commit"
if [ ! -x "$folder/release/keeper" ]; then
    echo "==> building $ref, once, into $folder" >&2
    mkdir -p "$folder"
    [ -d "$folder/source" ] || git worktree add --detach "$folder/source" "$commit" >&2
    # Dependencies that did not change come out of the compiler cache, RocksDB above all.
    (cd "$folder/source" && CARGO_TARGET_DIR="$folder" cargo build --workspace --locked --release --bin keeper >&2)
    git worktree remove --force "$folder/source"
fi
echo "$folder/release"
