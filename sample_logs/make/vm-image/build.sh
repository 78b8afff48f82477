#!/usr/bin/env bash
# Makes a virtual machine's disk: kickstart checked, root file system, ext4, GPT disk, qcow2, and a boot on the serial console.
#
# KERNEL   folder with vmlinuz and the modules      KICKSTART   the answers file, in here
# FS_SIZE  size of the root file system             INIT        the image's init script, in here
# ROOT     what the kernel is told its root is      BOOT_LIMIT  seconds until a boot is given up
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../steps.sh
. "$here/../steps.sh"
: "${WORK:?}" "${KERNEL:?}" "${KICKSTART:=good.ks}" "${FS_SIZE:=48M}" "${INIT:=init}" "${ROOT:=/dev/vda1}" "${BOOT_LIMIT:=120}"
root=$WORK/rootfs

start() {
  echo "vm-image: $KICKSTART, $FS_SIZE, root on $ROOT"
  qemu-img --version | head -n 1
  qemu-system-x86_64 --version | head -n 1
  rm -rf --one-file-system -- "$root" "$WORK"/*.img "$WORK"/*.qcow2 "$WORK"/initramfs* "$WORK"/console.log
}

kickstart() {
  ksvalidator --version RHEL9 "$here/$KICKSTART"
  echo "$KICKSTART is valid"
}

tree() {
  mkdir -p "$root"/{bin,sbin,dev,proc,sys,etc,tmp,lib/modules,var}
  cp /usr/bin/busybox "$root/bin/"
  install -m 0755 "$here/$INIT" "$root/sbin/init"
  cp -r "$KERNEL/modules/." "$root/lib/modules/"
  hostname >"$root/etc/hostname"
  find "$root" | wc -l
}

initramfs() {
  local tree=$WORK/initramfs.d
  mkdir -p "$tree"/{bin,dev,proc,sys,root}
  cp /usr/bin/busybox "$tree/bin/"
  cp -r "$KERNEL/modules" "$tree/modules"
  install -m 0755 "$here/initramfs-init" "$tree/init"
  (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$WORK/initramfs.gz"
  ls -l "$WORK/initramfs.gz"
}

filesystem() {
  mkfs.ext4 -L root -d "$root" "$WORK/root.img" "$FS_SIZE"
  e2fsck -fn "$WORK/root.img"
}

disk() {
  local sectors
  sectors=$(($(stat -c %s "$WORK/root.img") / 512))
  truncate -s $(((sectors + 4096) * 512)) "$WORK/disk.img"
  sfdisk "$WORK/disk.img" <<SFDISK
label: gpt
start=2048, size=$sectors, type=L, name=root
SFDISK
  dd if="$WORK/root.img" of="$WORK/disk.img" bs=1M seek=1 conv=notrunc
}

convert() {
  qemu-img convert -O qcow2 "$WORK/disk.img" "$WORK/vm.qcow2"
  qemu-img info "$WORK/vm.qcow2"
}

verify() {
  qemu-img check "$WORK/vm.qcow2"
  qemu-img compare "$WORK/disk.img" "$WORK/vm.qcow2"
}

boot() {
  timeout "$BOOT_LIMIT" qemu-system-x86_64 -machine q35,accel=tcg -m 256 -nographic -no-reboot -nic none \
    -kernel "$KERNEL/vmlinuz" -initrd "$WORK/initramfs.gz" -append "console=ttyS0 panic=-1 root=$ROOT" \
    -drive "file=$WORK/vm.qcow2,if=virtio,format=qcow2" </dev/null 2>&1 | tee "$WORK/console.log"
  # A kernel that panics and a machine that switches itself off both end qemu with 0.
  grep -q "selftest:" "$WORK/console.log" || { echo "boot: the machine ended before its self-test"; return 1; }
}

selftest() {
  grep -o "selftest: .*" "$WORK/console.log" | tr -d '\r'
  grep -q "selftest: all good" "$WORK/console.log"
}

step   0 start      -- start
step   5 kickstart  -- kickstart
step  10 tree       -- tree
step  20 initramfs  -- initramfs
step  30 filesystem -- filesystem
step  40 disk       -- disk
step  50 convert    -- convert
step  60 verify     -- verify
step  70 boot       -- boot
step  80 selftest   -- selftest
step 100 "done"     -- echo "virtual machine image is ready"
