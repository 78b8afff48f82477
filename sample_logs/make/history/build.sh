#!/usr/bin/env bash
# The golden image in small, a second or two a build: the same states, real tools, no Debian in it.
#
# MIRROR    where the parts come from     WORK     everything is made in here; WORK/archive keeps finished images
# SETTINGS  key=value lines, in here      LOCK     held while the shared cache is brought up to date
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../steps.sh
. "$here/../steps.sh"
: "${MIRROR:?}" "${WORK:?}" "${SETTINGS:=good.settings}" "${LOCK:=$WORK/cache.lock}"
root=$WORK/root
parts=(base tools docs)

start() {
  echo "golden-image in small from $MIRROR, settings $SETTINGS"
  rm -rf -- "$root" "$WORK/parts" "$WORK"/*.tar "$WORK"/image.*
  mkdir -p "$root" "$WORK/parts" "$WORK/archive"
}

fetch() { curl --silent --show-error --fail --max-time 5 --output "$WORK/parts/$1" "$MIRROR/$1"; }

kickstart() {
  local part
  fetch SHA256SUMS
  for part in "${parts[@]}"; do fetch "$part.tar.xz"; done
  (cd "$WORK/parts" && sha256sum --check --quiet SHA256SUMS)
  for part in "${parts[@]}"; do tar -C "$root" -xJf "$WORK/parts/$part.tar.xz"; done
}

green() {
  tar -C "$root" --numeric-owner -cf "$WORK/green.tar" .
  sha256sum "$WORK/green.tar"
}

base() { python3 "$here/configure.py" "$here/$SETTINGS" "$root/etc"; }

services() {
  flock --timeout 0.2 "$LOCK" cp -r "$root/docs" "$WORK/cache" || { echo "services: the cache is locked by another job"; return 1; }
  gzip -1 -r "$root/docs"
}

pack() {
  mkfs.ext4 -q -L golden -d "$root" "$WORK/image.ext4" 64M
  gzip -1 --keep "$WORK/image.ext4"
  cp "$WORK/image.ext4.gz" "$WORK/archive/image-$(date +%s%N).gz"
}

check_files() {
  e2fsck -fn "$WORK/image.ext4"
  debugfs -R 'stat /etc/hostname' "$WORK/image.ext4" 2>/dev/null | grep 'Type: regular'
}

# The service is given a fixed time to come up, which is how a test becomes a flaky one.
check_service() {
  python3 "$here/service.py" "$root/etc" &
  local service=$! status=0
  sleep 0.13
  curl --silent --show-error --fail --max-time 2 http://127.0.0.1:8099/hostname || status=$?
  kill "$service"
  wait "$service" 2>/dev/null || true
  [ "$status" -eq 0 ] || { echo "FAILED test_service_answers: curl ended with $status"; return 1; }
}

step   0 start     -- start
step   5 kickstart -- kickstart
step  10 green     -- green
step  20 base      -- base
step  30 services  -- services
step  40 pack      -- pack
step  70 files     -- check_files
step  80 service   -- check_service
step 100 "done"    -- echo "golden image is ready"
