#!/usr/bin/env bash
# What pip can't install: poppler (pages of PDF files), the fonts that PDF files expect, the OpenMP runtime of the engine.
# Installs what is missing where it may (Debian and Ubuntu, as root or with sudo), else prints what to type. Arguments:
# more Debian packages to see to. The status is always 0: without poppler the server runs too, and says what it misses.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1; }
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

if ! has apt-get; then
  if ! has pdftoppm; then
    echo "PDF files need poppler, which is not installed. Install it with one of these:"
    echo "  brew install poppler            (macOS)"
    echo "  sudo dnf install poppler-utils  (Fedora)"
    echo "  sudo pacman -S poppler          (Arch)"
  fi
  exit 0
fi

missing=()
for package in poppler-utils fonts-liberation libgomp1 "$@"; do
  installed "$package" || missing+=("$package")
done
# A poppler that was not installed as a package serves as well.
if has pdftoppm; then missing=("${missing[@]/#poppler-utils/}"); fi
read -ra missing <<<"${missing[*]-}" || true
[ "${#missing[@]}" -gt 0 ] || exit 0

install() {
  echo "Installing ${missing[*]}"
  "$@" apt-get update -qq &&
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

if [ "$(id -u)" = 0 ]; then
  install env && exit 0
elif has sudo && sudo -n true 2>/dev/null; then
  install sudo && exit 0
fi
echo "PDF files and the engine need packages that are not installed. Install them with:"
echo "  sudo apt-get install ${missing[*]}"
