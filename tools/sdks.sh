#!/usr/bin/env bash
# Installs the official SDKs that the contract tests use beside those of the virtual environment: the packages of Node, a
# program in Go, an older SDK of Python. Everything goes to .sdks/. Node and Go are those of the machine where they are new
# enough, else they are installed there too, as Python wheels. Argument: a Python that can make virtual environments.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
sources=tests/sdk
target=.sdks
NODE_MAJOR=22
GO_MINOR=$(sed -n 's/^go 1\.\([0-9]*\).*/\1/p' $sources/go/go.mod)

say() { printf '%s\n' "$*"; }

environment() { # folder, requirements file
  [ -x "$1/bin/python" ] || "$python" -m venv "$1"
  "$1/bin/python" -m pip --disable-pip-version-check --quiet install -r "$2"
}

toolchains() {
  [ -x "$target/toolchains/bin/go" ] || say "Installing Node and Go"
  environment "$target/toolchains" $sources/toolchains.txt
  PATH=$PWD/$target/toolchains/bin:$PATH
}

new_enough() {
  { command -v node && command -v npm && command -v go; } >/dev/null 2>&1 || return 1
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $NODE_MAJOR ] || return 1
  local minor
  minor=$(go version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
  [ -n "$minor" ] && [ "$minor" -ge "$GO_MINOR" ]
}

mkdir -p $target/node $target/go
new_enough || toolchains
say "Node $(node -p process.version), $(go version | cut -d' ' -f3)"

if ! cmp -s $sources/node/package-lock.json $target/node/installed.json; then
  say "Installing the SDKs of Node"
  cp $sources/node/package.json $sources/node/package-lock.json $target/node/
  (cd $target/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  cp $sources/node/package-lock.json $target/node/installed.json
fi
cp $sources/node/*.mjs $target/node/
ln -sfn "$(node -p process.execPath)" $target/node/node

say "Installing the SDK of Python that is one version back"
environment $target/python $sources/python/requirements.txt

say "Building the SDKs of Go (a minute or two the first time)"
(cd $sources/go && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "../../../$target/go/driver" .)
