#!/usr/bin/env bash
# Makes a Debian root file system image: bootstrap, green tarball, configuration by Ansible, tests, squashfs.
#
# MIRROR   where the packages come from          VARS     the image's settings, a file in vars/
# WORK     everything is made in here            RELEASE  the Debian release
# VERBOSE  not empty: show all that apt and dpkg say
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../steps.sh
. "$here/../steps.sh"
: "${MIRROR:?}" "${WORK:?}" "${VARS:=good.yml}" "${RELEASE:=bookworm}"
root=$WORK/root

start() {
  echo "golden-image $RELEASE from $MIRROR, settings $VARS"
  mmdebstrap --version
  ansible-playbook --version | head -n 1 || true
  df -h --output=size,avail,target "$WORK"
  rm -rf --one-file-system -- "$root" "$WORK"/*.tar "$WORK"/*.squashfs
}

# shellcheck disable=SC2016  # mmdebstrap's own shell fills in the $1 of the hook
kickstart() {
  mmdebstrap ${VERBOSE:+--verbose} --mode=root --format=directory --variant=minbase --include=python3,python3-apt \
    --aptopt='Acquire::Retries "0"' --aptopt='Acquire::http::Timeout "10"' --aptopt='Acquire::Languages "none"' \
    --setup-hook='install -Dm644 /etc/hosts "$1/etc/hosts"' \
    "$RELEASE" "$root" "$MIRROR"
  test -x "$root/usr/bin/python3"
}

green() {
  tar -C "$root" --one-file-system --numeric-owner -cf "$WORK/green.tar" .
  ls -l "$WORK/green.tar"
}

play() {
  cd "$here"
  ANSIBLE_CONFIG=$here/ansible.cfg ansible-playbook -i image, -e "image_root=$root" -e "@vars/$VARS" "$1"
}

check() {
  cd "$here"
  pytest -p no:cacheprovider -rA --connection=chroot --hosts="$root" "tests/test_$1.py"
}

pack() {
  mksquashfs "$root" "$WORK/golden.squashfs" -noappend -no-progress -processors 1 -comp gzip -Xcompression-level 1
  sha256sum "$WORK/golden.squashfs"
}

step   0 start     -- start
step   5 kickstart -- kickstart
step  10 green     -- green
step  20 base      -- play base.yml
step  30 services  -- play services.yml
step  70 packages  -- check packages
step  80 services-up -- check services
step  90 hygiene   -- check hygiene
step  95 pack      -- pack
step 100 "done"    -- echo "golden image is ready"
