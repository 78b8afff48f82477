"""Virtual machines and what runs in them: qemu, libvirt, libguestfs, systemd."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    # ---- qemu, libvirt, guests
    Rule(
        "qemu.file_missing",
        "config",
        (
            r"qemu(?:-system-\w+|-img|-kvm)?: .*(?:Could not open '.*': No such file|could not load (?:PC BIOS"
            r"|kernel|initrd)|No such file or directory|Could not open '.*'|failed to find romfile)"
            r"|Could not open '.*\.(?:raw|qcow2|img|iso)': No such file|(?i:error: Failed to (?:open file"
            r"|read file).*(?:xml|qcow2))"
        ),
        "qemu-system-x86_64: -drive file=disk-9.raw: Could not open 'disk-9.raw': No such file or directory",
        "qemu-img: created disk",
        weight=CAUSE + 3,
        unless=r"Permission denied|lock",
    ),
    Rule(
        "qemu.option",
        "config",
        (
            r"qemu(?:-system-\w+|-img|-kvm)?: (?:-\S+.*)?.*(?:invalid option|unsupported machine type"
            r"|Property .* not found|is not a valid (?:device|machine)|Parameter .* (?:is missing|expects)"
            r"|Invalid parameter|unrecognized option|not supported by this"
            r"|invalid (?:object|accelerator)|drive with .* already|unable to find CPU model"
            r"|Unknown (?:file format|driver)|is not supported)|virt-install: error: "
            r"|ERROR +(?:Validating install media|Error: --|Unknown .* option|Error with storage parameters"
            r"|Unknown OS name)"
        ),
        "qemu-system-x86_64: -nographicc: invalid option",
        "qemu-system-x86_64: terminating on signal 15 from pid 1 (timeout)",
        weight=CAUSE + 2,
    ),
    Rule(
        "kvm.denied",
        "config",
        (
            r"(?i)Could not access KVM kernel module|failed to initialize kvm|KVM (?:is not available"
            r"|not supported|acceleration not available)|/dev/kvm.*(?:Permission denied|No such file|not found)"
            r"|kvm: disabled by bios|HW virtualization is not (?:enabled|available)|VT-x is (?:not available"
            r"|disabled)|emulator .* does not support virt type 'kvm'|nested virtualization"
        ),
        "Could not access KVM kernel module: Permission denied",
        "KVM is available",
        weight=CAUSE + 3,
    ),
    Rule(
        "libvirt.missing",
        "config",
        (
            r"(?i)error: failed to get (?:domain|network|pool)|Domain not found|no domain with matching name"
            r"|Network not found|network '.*' is not active|Storage pool not found|Cannot (?:get interface"
            r"|access storage file)|error: (?:Failed to (?:define|create|start) (?:domain|network|pool)"
            r"|unsupported configuration)|XML error|Requested operation is not valid|not find capabilities for"
        ),
        "error: Cannot access storage file '/images/green.qcow2': No such file or directory",
        "Domain green started",
        weight=CAUSE - 8,
    ),
    Rule(
        "libvirt.exists",
        "dirty",
        (
            r"(?i)Could not set up host forwarding rule|Guest name '.*' is already in use|domain '.*' already exists|operation failed: domain .* already"
            r"|Disk .* is already in use by other guests|domain is already (?:running|active)|(?:storage volume"
            r"|network) '.*' (?:exists|already)"
        ),
        "ERROR    Guest name 'green' is already in use.",
        "Guest name 'green' accepted",
        weight=CAUSE + 4,
    ),
    Rule(
        "libvirt.down",
        "infrastructure",
        (
            r"(?i)Failed to connect (?:socket )?to (?:the )?(?:hypervisor|'?/var/run/libvirt|libvirt)"
            r"|unable to connect to (?:libvirt|'qemu:///|server at '/)|libvirtd.*(?:not running|is down)"
            r"|internal error: (?:process exited while connecting to monitor|qemu unexpectedly closed the monitor"
            r"|client socket is closed|End of file while reading)|monitor socket did not show up"
            r"|Cannot recv data: Connection reset"
        ),
        "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused",
        "connected to the hypervisor",
        weight=CAUSE + 3,
    ),
    Rule(
        "service.loading",
        "unavailable",
        r"^\(error\) LOADING\b|(?i:the database system is (?:starting up|in recovery|shutting down))|(?i:\bis loading the dataset)|(?i:not (?:yet )?ready to accept connections)",
        "psql: error: FATAL:  the database system is starting up",
        "database system is ready to accept connections",
        weight=PHRASE + 8,
    ),
    Rule(
        "guest.no_address",
        "timeout",
        (
            r"(?i)(?:timeout|timed out|gave up|failed).{0,40}(?:waiting for|getting|obtain\w*"
            r"|finding) .{0,40}(?:IP address|\bDHCP\b|guest agent|VM to (?:boot|become|start)|domain to (?:shut"
            r"|get)|login prompt|boot to complete|cloud-init)|boot timed out|no login prompt|no DHCP (?:offers|lease)|(?:VM|guest|machine"
            r"|instance|host) (?:did not|didn't|failed to) (?:boot|come up|start|respond|become ready"
            r"|shut ?down) (?:in|within|after)|Guest agent is not (?:responding|connected)|SSH (?:did not"
            r"|never) (?:come up|become)"
        ),
        "Timeout waiting for the IP address of domain green",
        "waiting for the IP address",
        weight=CAUSE - 3,
    ),
    Rule(
        "guestfs.failed",
        "config",
        (
            r"(?i)libguestfs: error:|virt-(?:customize|sysprep|resize|builder|sparsify|v2v): error:"
            r"|guestfish: .*error|no operating systems? (?:were|was) found|guestfs_launch failed"
            r"|appliance closed the connection unexpectedly|cannot find any suitable libguestfs supermin"
        ),
        "virt-customize: error: no operating systems were found in the guest image",
        "virt-customize: Finishing off",
        weight=CAUSE - 10,
    ),
    # ---- systemd
    Rule(
        "systemd.no_unit",
        "config",
        (
            r"(?i)Could not find the requested service|Unit \S+ (?:not found|could not be found|not loaded"
            r"|does not exist)|Failed to (?:enable|start|stop|restart|get|disable|mask) (?:unit"
            r"|\S+\.service)[:,]? .*(?:not found|does not exist|No such file)|Unit file \S+ does not exist"
            r"|service .*: (?:unrecognized|not-found)|unrecognized service"
        ),
        "Failed to enable unit: Unit file build-agent.service does not exist.",
        "Unit sshd.service started",
        weight=CAUSE,
    ),
    Rule(
        "systemd.failed",
        "config",
        (
            r"(?i)Job for \S+ failed because|Failed to start \S.*|Unable to (?:start|restart|reload"
            r"|enable) service|\S+\.service: (?:Failed with result|Main process exited, code=exited, status=[1-9])"
            r"|Unit \S+ entered failed state|Start request repeated too quickly|A dependency job for \S+ failed"
            r"|unit .* is masked|Failed to (?:start|restart|enable|reload) \S+\.(?:service|socket|timer|mount)"
        ),
        "Job for nginx.service failed because the control process exited with error code.",
        "nginx.service started",
        weight=SYMPTOM + 14,
    ),
    Rule(
        "systemd.not_booted",
        "config",
        (
            r"(?i)System has not been booted with systemd as init|Failed to connect to (?:the )?(?:system )?bus"
            r"|Running in chroot, ignoring (?:request|command)|Failed to (?:get|create) (?:D-Bus|bus) connection"
        ),
        "System has not been booted with systemd as init system (PID 1). Can't operate.",
        "Failed to nothing",
        weight=SYMPTOM + 12,
        unless=r"ignoring",
    ),
    Rule(
        "systemd.timeout",
        "timeout",
        (
            r"(?i)Job for \S+ (?:failed because a timeout was exceeded|timed out)|(?:start|stop|reload)\S* operation"
            r" timed out\. Terminating|Failed with result 'timeout'"
        ),
        "Job for postgresql.service failed because a timeout was exceeded.",
        "Job for postgresql.service finished",
        weight=CAUSE - 4,
    ),
    Rule(
        "image.selftest",
        "test",
        (
            r"(?i)\bself-?test[: ]+(?:FAIL(?:ED|URE)?|not ok|error)|did not pass (?:its|the) (?:self|acceptance"
            r"|smoke|sanity|health)[- ]?(?:test|check)|(?:smoke|sanity|health|acceptance|boot"
            r"|readiness)[- ](?:test|check)s? (?:has |have )?failed|verification failed: "
        ),
        "SELFTEST: FAIL",
        "SELFTEST: ok",
        weight=CAUSE - 2,
        unless=r"(?i)signature|certificate|gpg|checksum",
    ),
    Rule(
        "image.invalid",
        "config",
        (
            r"(?i)(?:image|iso|qcow2|disk) (?:is )?(?:not (?:a valid|in \w+ format)|invalid|unreadable)"
            r"|Could not read (?:image header|L1 table)|not a bootable disk|unknown image format"
            r"|ISO.*checksum (?:mismatch|failed)|implantisomd5|media check.*(?:fail|error)"
        ),
        "qemu-img: error: image is not in qcow2 format",
        "image valid",
        weight=PHRASE + 5,
    ),
)
