#!/usr/bin/env bash
# Makes a small image the way the large ones are made: fetch, unpack, configure, pack, test. Real tools, a few seconds.
#
#   DEMO_MIRROR=http://127.0.0.1:8000 ./build.sh [FOLDER]
#
# The image and everything on the way to it lands in FOLDER (default: ./demo-image). The only thing that can go wrong
# is real: the mirror may not be up yet. Runs just the same with and without the toolkit.
set -euo pipefail

# Gains states where the toolkit is installed and runs as before where it is not.
# shellcheck disable=SC2015  # as in the manual: A && B || C is meant
command -v toolkit >/dev/null && eval "$(toolkit shell)" || state() { while [ "$1" != -- ]; do shift; done; shift; "$@"; }
command -v state_output >/dev/null || state_output() { export "${@?}"; }

mirror=${DEMO_MIRROR:?is not set: start one with "python3 -m toolkit.demo.server" and give its address}
work=${1:-demo-image}
root=$work/root
release=1.2

start() {
  # Whatever an earlier run left is taken away: each run starts from nothing.
  rm -rf -- "$work"
  mkdir -p "$work/download" "$root"
  printf 'building hello-image %s in %s on %s\n' "$release" "$work" "$(uname -sm)"
  tar --version | head -n 1
}

# The system's tools do not always include curl, Python is needed anyway.
fetch_file() {
  printf 'fetching %s/%s\n' "$mirror" "$1"
  python3 - "$mirror/$1" "$work/download/$1" <<'PYTHON'
import sys, urllib.error, urllib.request

url, target = sys.argv[1:]
try:
    with urllib.request.urlopen(url, timeout=10) as answer, open(target, "wb") as file:
        file.write(answer.read())
except urllib.error.HTTPError as error:
    sys.exit(f"fetch: {url}: the server answered {error.code} {error.reason}")
except OSError as error:
    sys.exit(f"fetch: {url}: {error}")
PYTHON
}

kickstart() {
  local file
  fetch_file SHA256SUMS
  for file in packages.txt base-files.txt hello-service; do fetch_file "$file"; done
  (cd "$work/download" && sha256sum --check SHA256SUMS)
}

green() {
  local mode path number
  while read -r mode path; do
    case $mode in \#*) continue ;; esac
    mkdir -p "$root/$(dirname "$path")"
    case $path in */) mkdir -p "$root/$path" ;; *) : >"$root/$path" ;; esac
    chmod "$mode" "$root/$path"
  done <"$work/download/base-files.txt"
  # Ballast, so that packing and hashing have something to do.
  for number in $(seq 1 40); do
    head -c 262144 /dev/zero | tr '\0' "$((number % 10))" >"$root/usr/share/doc/volume-$number.txt"
  done
  install -m 0755 "$work/download/hello-service" "$root/usr/bin/hello-service"
  tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner -cf "$work/green.tar" .
  printf 'green image: %s bytes, %s entries\n' "$(stat -c %s "$work/green.tar")" "$(tar -tf "$work/green.tar" | wc -l)"
}

configure() {
  printf 'NAME="Hello"\nVERSION_ID="@RELEASE@"\n' >"$root/etc/os-release"
  sed -i "s/@RELEASE@/$release/" "$root/etc/os-release"
  echo hello >"$root/etc/hostname"
  printf 'greeting = Good morning\naudience = %s\n' "$(sed -n 's/^VERSION_ID="\(.*\)"/release \1/p' "$root/etc/os-release")" \
    >"$root/etc/hello/service.conf"
  sed 's/^/  /' "$root/etc/hello/service.conf"
}

pack() {
  tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner -czf "$work/image.tar.gz" .
  local image=$work/image.tar.gz
  # A real file system where the tools and the right to make one are there; the tarball alone is an image too.
  if PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4 >/dev/null; then
    PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -L hello -d "$root" "$work/image.ext4" 64M
    image=$work/image.ext4
  fi
  (cd "$work" && sha256sum "$(basename "$image")" | tee image.sha256)
  state_output IMAGE="$image"
}

check_files() {
  (cd "$work" && sha256sum --check image.sha256)
  tar -tzf "$work/image.tar.gz" | grep -x ./usr/bin/hello-service
  echo "ok: the service is in the image"
}

check_service() {
  local said
  mkdir -p "$work/unpacked"
  tar -C "$work/unpacked" -xzf "$work/image.tar.gz" ./usr/bin/hello-service ./etc/hello/service.conf
  said=$(python3 "$work/unpacked/usr/bin/hello-service" "$work/unpacked/etc/hello/service.conf")
  [ "$said" = "Good morning, release $release!" ] || { echo "FAILED: the service said '$said'"; return 1; }
  echo "ok: the service says '$said'"
}

finish() {
  printf 'done: %s, %s bytes\n' "$1" "$(stat -c %s "$1")"
}

state   0 start     -- start
state   5 kickstart -- kickstart
state  10 green     -- green
state  20 configure -- configure
state  40 pack      -- pack
state  70 files     -- check_files
state  80 service   -- check_service
state 100 "done"    -- finish "${IMAGE:?}"
