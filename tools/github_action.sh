#!/usr/bin/env bash
# Starts localaik in a container and waits until it answers: the one step of action.yml. The inputs come as INPUT_...
# variables, the outputs go to the files that GITHUB_OUTPUT and GITHUB_ENV name.
set -euo pipefail

ROOT=$(dirname "$0")/..
REPOSITORY=localaik/localaik
LABEL=org.localaik.action
POLL_SECONDS=0.2

fail() { # message, shown at the top of the job's page
  local text=${1//'%'/%25}
  printf '::error title=localaik::%s\n' "${text//$'\n'/%0A}"
  exit 1
}

# What a container prints must not be taken for a workflow command.
show_log() {
  local mute
  mute=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '::group::Last lines of the log of %s\n::stop-commands::%s\n' "$INPUT_NAME" "$mute"
  docker logs --tail 40 "$INPUT_NAME" 2>&1 || true
  printf '::%s::\n::endgroup::\n' "$mute"
}

# Lines that say something.
lines() { grep -v '^[[:space:]]*\(#.*\)\?$' <<<"${1//$'\r'/}" || true; }

check_inputs() {
  local name='^[A-Za-z0-9][A-Za-z0-9_.-]*$'
  [[ $INPUT_TARGET =~ $name ]] || fail "target: '$INPUT_TARGET' is not the name of an image's target."
  [[ -z $INPUT_VERSION || $INPUT_VERSION =~ $name ]] || fail "version: '$INPUT_VERSION' is not a version."
  [[ $INPUT_NAME =~ $name ]] || fail "name: '$INPUT_NAME' can't be the name of a container."
  [[ $INPUT_PORT =~ ^[0-9]{1,5}$ ]] && [ "$((10#$INPUT_PORT))" -le 65535 ] ||
    fail "port: '$INPUT_PORT' is not a port from 0 to 65535."
  [[ $INPUT_WAIT =~ ^[0-9]{1,6}$ ]] || fail "wait: '$INPUT_WAIT' is not a number of seconds."
  [[ $INPUT_SET_ENV =~ ^(true|false)$ ]] || fail "set-env: '$INPUT_SET_ENV' is neither true nor false."
  local line
  while IFS= read -r line; do
    [[ -z $line || $line =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || fail "env: a line is not NAME=value."
  done < <(lines "$INPUT_ENV")
}

# The release that this script belongs to, unless another one is wanted.
image() {
  local version=${INPUT_VERSION:-$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/localaik/__init__.py")}
  if [ -n "$INPUT_IMAGE" ]; then
    echo "$INPUT_IMAGE"
  elif [ "$version" = newest ]; then
    echo "$REPOSITORY:$INPUT_TARGET"
  else
    echo "$REPOSITORY:v${version#v}-$INPUT_TARGET"
  fi
}

# By a file, so that no value shows in the list of processes.
settings() {
  [ -z "$INPUT_UPSTREAM" ] || echo "LOCALAIK_UPSTREAM=$INPUT_UPSTREAM"
  lines "$INPUT_ENV"
}

start() {
  local options=()
  mapfile -t options < <(lines "$INPUT_ARGS")
  # A machine that is kept between jobs has the container of the last one.
  if [ "$(docker container inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$INPUT_NAME" 2>/dev/null)" = started ]; then
    docker rm --force --volumes "$INPUT_NAME" >/dev/null
  fi
  docker run --detach --name "$INPUT_NAME" --label "$LABEL=started" --publish "127.0.0.1:$((10#$INPUT_PORT)):8090" \
    --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --env-file <(settings) "${options[@]}" "$(image)" >/dev/null || fail "docker run did not start $(image)."
}

published_port() { docker port "$INPUT_NAME" 8090/tcp | sed -n 's/^127\.0\.0\.1:\([0-9]*\)$/\1/p'; }

wait_until_ready() { # URL of the server
  local deadline=$((SECONDS + INPUT_WAIT)) state
  until curl --fail --silent --max-time 5 --output /dev/null "$1/health"; do
    state=$(docker container inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$INPUT_NAME")
    if [ "${state% *}" = exited ]; then
      show_log
      fail "The server ended with status ${state#* } before it answered."
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      show_log
      fail "No answer from $1/health within $INPUT_WAIT s."
    fi
    sleep "$POLL_SECONDS"
  done
}

# The SDKs ask for a key even where the server wants none. One that the job has stays.
environment() { # URL of the server
  printf '%s\n' "OPENAI_BASE_URL=$1/v1" "GOOGLE_GEMINI_BASE_URL=$1"
  [ -n "${OPENAI_API_KEY:-}" ] || echo OPENAI_API_KEY=localaik
  [ -n "${GEMINI_API_KEY:-}${GOOGLE_API_KEY:-}" ] || echo GEMINI_API_KEY=localaik
}

check_inputs
docker version >/dev/null 2>&1 || fail "Docker is needed and does not answer here. Hosted runners have it on Linux."
start
port=$(published_port) || true
if [ -z "$port" ]; then
  show_log
  fail "The container ended at once."
fi
url=http://127.0.0.1:$port
[ "$((10#$INPUT_WAIT))" -eq 0 ] || wait_until_ready "$url"
printf '%s\n' "url=$url" "openai-base-url=$url/v1" "gemini-base-url=$url" "container=$INPUT_NAME" >>"$GITHUB_OUTPUT"
[ "$INPUT_SET_ENV" = false ] || environment "$url" >>"$GITHUB_ENV"
echo "localaik: $(image) at $url"
