#!/usr/bin/env bash
# Prints the base images of a Dockerfile with the digests that their tags have now, as build arguments: one NAME=image@digest
# for each `ARG ..._IMAGE=` above the first stage. A build that gets them is made of the same bases on every platform.
# Argument: the Dockerfile. Needs docker buildx and the network.
set -euo pipefail

sed '/^FROM /,$d' "$1" | sed -n 's/^ARG \([A-Z0-9_]*_IMAGE\)=\([^@[:space:]]*\).*$/\1 \2/p' |
  while read -r name image; do
    digest=$(docker buildx imagetools inspect "$image" | sed -n 's/^Digest: *//p')
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "No digest of $image: $digest" >&2; exit 1; }
    echo "$name=$image@$digest"
  done
