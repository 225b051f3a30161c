#!/usr/bin/env bash
# Asks for the headers of each model file that a Dockerfile names, without the file itself. Fails if one is gone, or if the
# host tells another SHA-256 than the Dockerfile. Argument: the Dockerfile. Needs curl and the network.
set -euo pipefail

# Each `ARG ..._URL=` with a value, and the `ARG ..._SHA256=` that follows it: name, URL, hash.
files() { # Dockerfile
  sed -n 's/^ARG \([A-Z0-9_]*\)_\(URL\|SHA256\)="\?\([^" ]\+\)"\?$/\1 \2 \3/p' "$1" |
    awk '$2 == "URL" { name = $1; url = $3 } $2 == "SHA256" && $1 == name { print name, url, $3 }'
}

status=0
count=0
while read -r name url sha256; do
  count=$((count + 1))
  if ! headers=$(curl --fail --silent --show-error --head --location --retry 3 --max-time 60 "$url" 2>&1); then
    echo "$name: $url: ${headers##*$'\n'}"
    status=1
    continue
  fi
  # Hosts of large files tell their hash in a header of the redirect.
  told=$(sed -n 's/^x-linked-etag: "\?\([0-9a-f]\{64\}\)"\?\r\?$/\1/Ip' <<<"$headers" | head -n 1)
  if [ -n "$told" ] && [ "$told" != "$sha256" ]; then
    echo "$name: $url: SHA-256 is $told, not $sha256"
    status=1
  else
    echo "$name: $url: there"
  fi
done < <(files "$1")
[ "$count" -gt 0 ] || { echo "$1 names no model file." >&2; exit 1; }
exit $status
