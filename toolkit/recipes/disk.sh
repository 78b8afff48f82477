#!/bin/sh
# Checkpoints of a disk image, or of any other single file.
#
#   checkpoint = 'sh "$TOOLKIT_RECIPES/disk.sh" save build/green.qcow2'
#   restore    = 'sh "$TOOLKIT_RECIPES/disk.sh" restore build/green.qcow2'
#
# Where the file system can share blocks (btrfs, XFS, bcachefs) a checkpoint is a reflink: made at once, and free until the image
# changes. Elsewhere it is a sparse copy. With a third word, `snapshot`, a qcow2 image keeps the checkpoint inside itself:
# at once as well, wherever it lies; but it is gone with the image, so `reset` must not remove it, and
#
#   discard    = 'sh "$TOOLKIT_RECIPES/disk.sh" discard build/green.qcow2 snapshot'
#
# belongs to it. No machine may be running from the image meanwhile.
set -eu

[ $# -ge 2 ] || { echo "usage: disk.sh save|restore|discard IMAGE [snapshot]" >&2; exit 2; }
verb=$1 image=$2 way=${3:-copy}
kept=${TOOLKIT_CHECKPOINT:?is set where a checkpoint hook runs}/image
name=toolkit-$TOOLKIT_BUILD-$TOOLKIT_STATE-$TOOLKIT_ATTEMPT

case $verb-$way in
save-copy)
    cp --reflink=auto --sparse=always --preserve=mode,ownership,timestamps -- "$image" "$kept"
    ;;
restore-copy)
    # Beside the image first: a rename replaces it whole, or not at all.
    trap 'rm -f -- "$image.restoring"' EXIT
    cp --reflink=auto --sparse=always --preserve=mode,ownership,timestamps -- "$kept" "$image.restoring"
    sync -- "$image.restoring"
    mv -f -- "$image.restoring" "$image"
    ;;
save-snapshot)
    qemu-img snapshot -c "$name" "$image"
    ;;
restore-snapshot)
    qemu-img snapshot -a "$name" "$image"
    ;;
discard-snapshot)
    [ ! -e "$image" ] || ! qemu-img snapshot -l "$image" | grep -qF " $name " || qemu-img snapshot -d "$name" "$image"
    ;;
discard-copy) ;;
*)
    echo "disk.sh: '$verb $way' is not known" >&2
    exit 2
    ;;
esac
