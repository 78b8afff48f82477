#!/bin/sh
# Checkpoints of a folder, such as the root file system that an image is made from.
#
#   checkpoint = 'sh "$TOOLKIT_RECIPES/tree.sh" save build/root'
#   restore    = 'sh "$TOOLKIT_RECIPES/tree.sh" restore build/root'
#
# A tarball with owners, modes, ACLs, extended attributes and sparse files as they are; whatever is mounted below the folder
# is left out. Restoring unpacks beside the folder and then changes places, so what a half-done step left is gone.
set -eu

[ $# -eq 2 ] || { echo "usage: tree.sh save|restore FOLDER" >&2; exit 2; }
verb=$1 folder=${2%/}
kept=${TOOLKIT_CHECKPOINT:?is set where a checkpoint hook runs}/tree.tar
exactly='--numeric-owner --acls --xattrs --sparse'

# Nothing that is mounted may be packed away with the rest, or removed with it.
unmounted() {
    here=$(realpath -m -- "$1")
    while read -r _ where _; do
        where=$(printf '%b' "$where")
        case $where in
        "$here" | "$here"/*) echo "tree.sh: $where is mounted: unmount it first" >&2; exit 1 ;;
        esac
    done </proc/mounts
}

case $verb in
save)
    # shellcheck disable=SC2086 - several words
    tar --create --file="$kept" $exactly --one-file-system --directory="$folder" .
    ;;
restore)
    unmounted "$folder"
    rm -rf --one-file-system -- "$folder.restoring" "$folder.spoilt"
    mkdir -p -- "$folder.restoring"
    # shellcheck disable=SC2086 - several words
    tar --extract --file="$kept" $exactly --xattrs-include='*' --preserve-permissions --directory="$folder.restoring"
    [ ! -e "$folder" ] || mv -- "$folder" "$folder.spoilt"
    mv -- "$folder.restoring" "$folder"
    rm -rf --one-file-system -- "$folder.spoilt"
    ;;
*)
    echo "tree.sh: '$verb' is not known" >&2
    exit 2
    ;;
esac
