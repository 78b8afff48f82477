"""Disks, file systems, mounts, memory and the limits of the machine."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, ROOT, SYMPTOM, Rule

RULES: Final = (
    Rule(
        "disk.full",
        "resource",
        (
            r"(?i)no space left on device|\bENOSPC\b|disk (?:is )?full|not enough (?:free )?(?:disk )?space"
            r"|insufficient (?:free )?(?:disk )?space|out of disk space|low on disk space|filesystem (?:is )?full"
            r"|There is not enough space on the disk|\(28: No space|need(?:s|ed)? .{0,40}(?:more"
            r"|additional) (?:disk )?space|no free (?:blocks|extents)|Insufficient (?:free |suitable )?(?:allocatable )?(?:space|extents)"
            r"|write error.*full|curl: \(23\) .*(?:write|writing)"
        ),
        "tar: ./usr/lib/libfoo.so: Cannot write: No space left on device",
        "space left on device: 12 GB",
        weight=ROOT,
        unless=(
            r"(?i)partitioning|(?:^|\W)(?:will|would|might|may|could) (?:be|run|fill|need|cause|lead|get|have|not have)\b|curl: \(23\) (?:Failed writing body"
            r"|client returned)"
        ),
    ),
    Rule(
        "disk.full",
        "resource",
        r"(?i)could not allocate block in ext\d filesystem",
        "mkfs.ext4: Could not allocate block in ext2 filesystem while populating file system",
        "could not allocate an address",
        weight=ROOT,
    ),
    Rule(
        "disk.inodes",
        "resource",
        r"(?i)out of inodes|no free inodes|inodes? (?:exhausted|limit)|could not (?:allocate|create) .*inode",
        "mkfs.ext4: out of inodes while populating file system",
        "inode size 256",
        weight=ROOT,
    ),
    Rule(
        "disk.quota",
        "resource",
        r"(?i)disk quota exceeded|\bEDQUOT\b|quota exceeded.*(?:disk|storage|file)|user block limit reached",
        "cp: error writing '/home/ci/x': Disk quota exceeded",
        "quota ok",
        weight=ROOT,
    ),
    Rule(
        "disk.read_only",
        "resource",
        r"(?i)read-only file ?system|\bEROFS\b|Remounting filesystem read-only|remounted read-only",
        "mkdir: cannot create directory '/work/out': Read-only file system",
        "mounted read-only",
        weight=CAUSE + 6,
        unless=r"(?i)warning|\[ *\d+\.\d+\].*mounted filesystem",
    ),
    Rule(
        "disk.io_error",
        "infrastructure",
        (
            r"(?i)input/output error|\bEIO\b|I/O error, dev|Buffer I/O error|critical (?:medium|target) error"
            r"|Medium Error|uncorrectable (?:error|ECC)|Stale (?:NFS )?file handle|\bESTALE\b"
            r"|nfs: server .* not responding|structure needs cleaning"
        ),
        "dd: error reading '/dev/sdb': Input/output error",
        "I/O scheduler registered",
        weight=CAUSE + 4,
        unless=r"fd0|sr0",
    ),
    Rule(
        "disk.fs_error",
        "infrastructure",
        (
            r"ata\d+.*(?:failed command|exception Emask)|nvme\d.*(?:I/O .*timeout|I/O error)|JBD2: .*(?:IO errors?|I/O error)|EXT4-fs error|XFS .*(?:[Cc]orruption|metadata I/O error"
            r"|[Ss]hutdown)|BTRFS (?:error|critical)"
        ),
        "[  812.1] EXT4-fs error (device sda1): ext4_lookup:1590: comm tar: deleted inode referenced: 131",
        "EXT4-fs (sda1): mounted filesystem",
        weight=PHRASE,
    ),
    Rule(
        "fs.corrupt",
        "dirty",
        (
            r"(?i)UNEXPECTED INCONSISTENCY|run fsck MANUALLY|file system (?:is |was )?not (?:cleanly )?unmounted"
            r"|needs journal recovery|qcow2: (?:Image is corrupt|Marking image as corrupt)|image (?:'\S+' )?is corrupt"
            r"|Image contains internal (?:errors|snapshots)|ERROR cluster \d+ refcount"
            r"|errors were found on the image|Bad magic number in super-block"
        ),
        "/dev/vda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
        "/dev/vda1: clean, 11/65536 files",
        weight=CAUSE + 2,
        unless=r"(?i)recover(?:y|ing) (?:complete|journal)|No errors were found",
    ),
    Rule(
        "oom.killed",
        "resource",
        (
            r"(?i)\bOut of memory: Killed|oom-kill(?:er)?[: ]|oom_reaper|invoked oom-killer"
            r"|Killed process \d+ \(.*(?:rss|vm)|memory cgroup out of memory|OOMKilled|signal: killed.*memory"
            r"|ran out of memory|Cannot allocate memory|\bENOMEM\b|fatal error: runtime: out of memory"
            r"|std::bad_alloc|virtual memory exhausted|\bMemoryError\b|memory exhausted|out of memory\b"
            r"|failed to allocate memory|Cannot set up guest memory|insufficient memory"
            r"|not (?:have )?enough (?:free )?memory|JavaScript heap out of memory|OutOfMemoryError"
            r"|There is insufficient memory for the Java Runtime|Container killed on request. Exit code is 137"
            r"|Java heap space|GC overhead limit exceeded|internal compiler error: Killed|c(?:\+\+|c"
            r"|lang)(?:\+\+)?: fatal error: Killed signal|g(?:\+\+|cc|fortran): fatal error: Killed|collect2: fatal error: .*Killed|anaconda.*(?:not enough"
            r"|insufficient) (?:memory|RAM)|requires? (?:at least )?\d+ ?[MG]i?B of (?:memory|RAM)"
        ),
        "[ 1234.5] Out of memory: Killed process 4242 (cc1plus) total-vm:812344kB, anon-rss:700000kB",
        "memory: 2 GB available",
        weight=ROOT,
        unless=r"(?i)oom[-_]score|oom[-_]kill(?:er)? (?:disabled|enabled)|-XX:|HeapDumpOnOutOfMemory|exitOnOutOfMemory",
    ),
    Rule(
        "limit.processes",
        "resource",
        (
            r"(?i)fork: (?:retry: )?(?:Resource temporarily unavailable|Cannot allocate)|(?:can't|cannot|unable to"
            r"|could not) (?:fork|create (?:new )?(?:native )?thread|start new thread)|pthread_create\b.*(?:failed|unavailable)"
            r"|unable to create new native thread|Resource temporarily unavailable.*(?:fork|clone|thread)"
            r"|runtime: failed to create new OS thread|BlockingIOError.*\[Errno 11\]|pids? limit"
        ),
        "bash: fork: retry: Resource temporarily unavailable",
        "forked 3 children",
        weight=ROOT - 2,
    ),
    Rule(
        "limit.open_files",
        "resource",
        (
            r"(?i)too many open files|\bEMFILE\b|\bENFILE\b|inotify (?:watch|instance)s? (?:limit|reached)"
            r"|System limit for number of file watchers"
        ),
        "OSError: [Errno 24] Too many open files: '/etc/hosts'",
        "open files: 1024",
        weight=ROOT - 1,
    ),
    Rule(
        "limit.file_size",
        "resource",
        (
            r"(?i)file size limit exceeded|\bEFBIG\b|file too large\b|CPU time limit exceeded"
            r"|Argument list too long|\bE2BIG\b"
        ),
        "build.sh: line 46: 13888 File size limit exceeded tar -cf out.tar .",
        "limits unchanged",
        weight=CAUSE + 6,
    ),
    Rule(
        "mount.busy",
        "dirty",
        (
            r"(?i)(?:rm|rmdir|umount|losetup|mdadm|kpartx|partprobe|qemu-nbd|resize2fs|mkswap|lvcreate|vgcreate|mkfs\S*|mke2fs|wipefs|parted|sgdisk|sfdisk|dmsetup|lvremove|vgremove"
            r"|pvcreate|cryptsetup|mount|btrfs|zpool|unlink|mv): .{0,200}(?:device or resource busy|target is busy"
            r"|is (?:apparently )?in use|busy)|umount.*target is busy|is (?:already )?mounted; will not make"
            r"|contains a mounted filesystem|Device or resource busy: '|\[Errno 16\]|\bEBUSY\b"
            r"|Can't open /dev/\S+ exclusively|is apparently in use by the system|Logical volume .* (?:in use"
            r"|contains a filesystem in use)|already mounted (?:or mount point busy|on )"
        ),
        "rm: cannot remove '/work/root/proc': Device or resource busy",
        "udevadm: device or resource busy, ignoring",
        weight=CAUSE - 8,
        unless=r"(?i)ignor|retry|cgroup",
    ),
    Rule(
        "loop.none",
        "resource",
        (
            r"(?i)(?:could not|cannot|can't) find (?:any |a )?(?:free |unused )?loop device"
            r"|losetup: .*(?:failed to set up loop device|cannot find an unused loop)|no free loop"
            r"|failed to setup loop device"
        ),
        "losetup: cannot find an unused loop device",
        "losetup: /dev/loop0 set up",
        weight=CAUSE + 3,
        unless=r"(?i)busy|No such file|Permission denied|Operation not permitted",
    ),
    Rule(
        "left.over",
        "dirty",
        (
            r"(?i)already exists and is not (?:an )?empty|directory not empty|destination path '.*' already exists"
            r"|(?:directory|target|output(?: directory)?|VM|domain|container|volume group|logical volume|image"
            r"|network|pool) ['\"]?\S{1,120}['\"]? already exists|File exists$|\bEEXIST\b"
            r"|already exists in (?:volume group|the)|name .* is already in use|is already (?:defined|registered"
            r"|running)|Output directory exists|would be overwritten by (?:merge|checkout)|leftover|stale (?:pid"
            r"|lock) ?file|Address already in use|EADDRINUSE|port is already allocated|has already been taken|a logical volume .* exists"
        ),
        "fatal: destination path 'src' already exists and is not an empty directory.",
        "created directory",
        weight=PHRASE + 3,
        unless=r"(?i)skipping|^ok:|useradd|groupadd|warning|using existing",
    ),
    Rule(
        "git.dirty",
        "dirty",
        (
            r"(?i)fatal: Unable to create '.*\.lock': File exists|Another git process seems to be running"
            r"|error: Your local changes to the following files|not possible because you have unmerged files"
            r"|index file (?:corrupt|smaller than expected)|(?:loose )?object .* is (?:corrupt|empty)"
            r"|refusing to merge unrelated"
        ),
        "fatal: Unable to create '/src/.git/index.lock': File exists.",
        "git index refreshed",
        weight=CAUSE + 2,
    ),
    Rule(
        "mkfs.existing",
        "dirty",
        r"(?i)appears to contain an existing (?:file ?system|partition table|raid|label)|contains an? (?:existing )?\S+ (?:file ?system|signature|superblock|partition table)\b.*(?:refus|abort|use .*force|-f\b)|Use the -f option to (?:force )?overwrit|already contains a (?:file ?system|partition table|signature)|(?:existing|stale) (?:signature|superblock|label)s? (?:found|detected|on)",
        "mkfs.xfs: /dev/vdb1 appears to contain an existing filesystem (ext4).",
        "mkfs.xfs: done",
        weight=CAUSE + 2,
    ),
    Rule(
        "mount.failed",
        "config",
        (
            r"(?i)^mount: .*(?:wrong fs type|special device .* does not exist|unknown filesystem type"
            r"|can't find in /etc/fstab|mount point does not exist|must be superuser|failed to setup"
            r"|permission denied|bad option|only root can)|mount\(2\) system call failed|mount error\(\d+\)"
            r"|mount\.nfs: .*(?:denied|no such)"
        ),
        (
            "mount: /mnt: wrong fs type, bad option, bad superblock on /dev/loop0, missing codepage or helper"
            " program, or other error."
        ),
        "mount: ok",
        weight=PHRASE + 5,
    ),
    Rule(
        "mkfs.failed",
        "config",
        (
            r"(?i)^(?:mkfs\S*|mke2fs|mkswap|mksquashfs|xorriso|genisoimage|mkisofs|parted|sfdisk|sgdisk|fdisk"
            r"|wipefs|tune2fs|resize2fs|(?:\S*/)?grub2?-\w+|dracut|mkinitramfs|update-initramfs"
            r"|qemu-img|virt-(?:resize|customize|sysprep|make-fs)|guestfish|libguestfs)(?:\[\d+\])?: (?:error"
            r"|fatal|.*(?:failed|cannot|could not|unable|invalid|illegal|not found|does not exist|unrecognized"
            r"|unknown|bad|required|too (?:long|large|big|small|short|many)|can be no (?:longer|larger|more)|can't find|cant find|no longer than|larger than))"
        ),
        "grub2-install: error: will not proceed with blocklists.",
        "mkfs.ext4: done",
        weight=SYMPTOM + 5,
        unless=r"(?i)warning|ignoring|will not be installed",
    ),
    Rule(
        "mkfs.failed",
        "config",
        (
            r"(?i)Error: (?:Could not stat device|Unable to satisfy all constraints"
            r"|The location .* is outside of the device|unrecognised disk label)|(?:file ?system|partition"
            r"|image) (?:is )?too small|(?:Volume group|Physical volume|Logical volume) .*(?:not found"
            r"|doesn't exist|cannot process)|Device /dev/\S+ (?:not found|excluded by a filter)|\bPartition doesn't exist|does not fit (?:in"
            r"|into|on) |will not fit|would be larger than|exceeds the size of the"
        ),
        "Error: Can't have a partition outside the disk! image too small",
        "partition aligned",
        weight=PHRASE,
    ),
    Rule(
        "lock.held",
        "contention",
        (
            r"(?i)Failed to get (?:shared )?\"?write\"? lock|Is another process using the image"
            r"|lock(?:file)? (?:is )?(?:already )?held by|(?:could not|unable to|cannot|failed to|can't) (?:acquire|obtain"
            r"|get|take|lock) (?:an? |the )?(?:[\w-]+ ){0,3}lock\b"
            r"|resource (?:is )?locked by|database is locked|blocked by another (?:process|job|run)"
            r"|another (?:process|instance|build|job|operation) (?:is |has )?(?:already )?(?:running|using"
            r"|in progress|locked|holding)|Waiting for (?:another|other) .* lock|timeout.*(?:waiting for"
            r"|acquiring).*lock|lock wait timeout|deadlock (?:found|detected)|\bEWOULDBLOCK\b"
            r"|Timeout waiting to lock|flock: .*(?:timeout|fail)|operation (?:is )?already in progress"
            r"|concurrent (?:modification|update|request)|Text file busy|\bETXTBSY\b"
        ),
        'qemu-system-x86_64: -drive file=disk.raw: Failed to get "write" lock',
        "lock acquired",
        weight=CAUSE - 2,
        unless=r"(?i)Permission denied|Read-only|No such file",
    ),
    Rule(
        "device.busy",
        "contention",
        r"(?i)device or resource busy|been unable to inform the kernel of the change|resource (?:is )?busy\b|resource temporarily unavailable",
        "open /dev/kvm: Device or resource busy",
        "device ready",
        weight=SYMPTOM - 8,
        unless=r"(?i)warn|ignor|^W:|\[ *\d+\.\d+\]|udev|cgroup",
    ),
)
