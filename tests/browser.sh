#!/usr/bin/env bash
# Print where a Chromium is; on Debian or Ubuntu, as root, install one where there is none.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    command -v "$name" && exit
done
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
    echo "no Chromium, and only root can install one" >&2
    exit 1
}
log=$(mktemp)
{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes chromium; } \
    </dev/null >"$log" 2>&1 || { echo "cannot install Chromium: $(tail -n 1 "$log")" >&2; exit 1; }
rm "$log"
command -v chromium
