#!/usr/bin/env bash
# Installs what `make jepsen` needs beyond a build, and says so. Quick and silent when nothing is missing.
#
#   nftables     cuts links between nodes
#   iptables     hands packets to user space, which delays, loses and reorders them
#   xfsprogs     `xfs_io shutdown` cuts the power of a file system
#   gcc          builds the library that makes disks and clocks fail inside a node
#
# Whatever is missing and cannot be installed is named by `keeper-jepsen probe`, and by every run that needs it.
set -euo pipefail

say() { printf '==> %s\n' "$*" >&2; }
has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

missing=()
for pair in nft:nftables iptables-legacy:iptables xfs_io:xfsprogs mkfs.xfs:xfsprogs mkfs.ext4:e2fsprogs gcc:gcc \
    ip:iproute2 nsenter:util-linux losetup:mount sysctl:procps; do
    has "${pair%%:*}" || missing+=("${pair##*:}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if ! has apt-get || [ "$(id -u)" -ne 0 ]; then
    say "not installed, and only root can by apt-get: ${missing[*]}; faults that need them will be refused"
    exit 0
fi
say "installing ${missing[*]} (faults are made with them)"
apt() { DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >/dev/null 2>&1; }
apt install -y --no-install-recommends "${missing[@]}" ||
    { apt update && apt install -y --no-install-recommends "${missing[@]}"; } ||
    say "could not be installed: ${missing[*]}; faults that need them will be refused"
