"""What some tools say in words that a more general rule would take for something else."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    Rule(
        "pinned.hash",
        "dependency",
        (
            r"^verifying \S+@v\S+: checksum mismatch|This download does NOT match an earlier download recorded in go\.sum"
            r"|hash mismatch in fixed-output derivation|^ERROR: \S+ has wrong (?:md5|sha\d+) hash|do_fetch: Checksum failure fetching"
            r"|sha512-\S+ integrity checksum failed|checksum for `\S+ v\S+` changed between lock files"
            r"|The remote archive doesn't match the expected checksum"
        ),
        "verifying github.com/acme/frob@v1.0.0: checksum mismatch",
        "verifying the checksum of base.qcow2",
        weight=CAUSE + 4,
    ),
    Rule(
        "fs.damaged",
        "infrastructure",
        (
            r"XFS \(\S+\): (?:Metadata (?:CRC error|corruption)|Corruption (?:of|detected)|Unmount and run xfs_repair)"
            r"|mount: .*can't read superblock on|Bad magic number in super-?block|squashfs.*(?:unable to read|data probably corrupt)"
        ),
        "XFS (loop2p3): Metadata CRC error detected at xfs_agf_read_verify+0x9c/0xe0, xfs_agf block 0x1",
        "EXT4-fs (vda1): error count since last fsck: 0",
        weight=CAUSE - 2,
    ),
    Rule(
        "guestfs.appliance",
        "infrastructure",
        r"libguestfs: error: (?:appliance closed the connection unexpectedly|guestfs_launch failed|guest kernel panicked)",
        "libguestfs: error: appliance closed the connection unexpectedly.",
        "libguestfs: trace: launch = 0",
        weight=CAUSE - 9,
    ),
    Rule(
        "timeout.command",
        "timeout",
        r"^timeout: sending signal [A-Z]+ to command",
        "timeout: sending signal TERM to command './kickstart.sh'",
        "timeout: 2700",
        weight=CAUSE + 2,
    ),
    Rule(
        "lock.file",
        "contention",
        (
            r"(?i)can't lock file '\S+' - got timeout|^(?:Error: )?Failed to lock the file\b|unable to lock database\b"
            r"|\bToo many connections$|remaining connection slots are reserved|sorry, too many clients already"
            r"|Could not acquire change log lock|holds? the state lock\b"
        ),
        "TASK ERROR: can't lock file '/var/lock/qemu-server/lock-121.conf' - got timeout",
        "lock file removed",
        weight=CAUSE - 4,
    ),
    Rule(
        "redis.memory",
        "resource",
        r"\bOOM command not allowed when used memory\b",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "used memory 12 MB",
        weight=CAUSE,
    ),
    Rule(
        "hsm.gone",
        "infrastructure",
        r"\bCKR_(?:DEVICE_REMOVED|DEVICE_ERROR|TOKEN_NOT_PRESENT|DEVICE_MEMORY)\b",
        "C_Login failed: CKR_DEVICE_REMOVED",
        "C_Login: CKR_OK",
        weight=CAUSE,
    ),
    Rule(
        "configure.missing",
        "dependency",
        (
            r"^configure: error: (?:Package requirements \(|.*(?:librar|header|package|\blib\w+|-devel?\b).*(?:not found|required|missing"
            r"|not met|could not be found|cannot find))|^No package '\S+' found$|^\s+Could NOT find \w+ \(missing: "
            r"|^Package '\S+', required by 'virtual:world', not found|meson\.build:\d+:\d+: ERROR: Dependency \"?\S+ not found"
        ),
        "configure: error: Package requirements (frob >= 2.1) were not met:",
        "configure: creating ./config.status",
        weight=CAUSE - 6,
    ),
    Rule(
        "module.missing",
        "dependency",
        (
            r"cannot load such file -- [^/.\s]\S* \(LoadError\)|^(?:Error: |\s*throw new Error\(['\"])?Cannot find module '[^./']"
            r"|No candidate version available for \S+$"
        ),
        "Error: Cannot find module 'express'",
        "Error: Cannot find module './lib/frob'",
        weight=PHRASE + 12,
    ),
    Rule(
        "scan.findings",
        "test",
        r"^Total: [1-9]\d* \((?:UNKNOWN: \d+, )?(?:LOW: \d+, )?(?:MEDIUM: \d+, )?HIGH: \d+, CRITICAL: \d+\)",
        "Total: 3 (HIGH: 2, CRITICAL: 1)",
        "Total: 0 (HIGH: 0, CRITICAL: 0)",
        weight=SYMPTOM,
    ),
    Rule(
        "check.phase",
        "test",
        r"^error: in phase '(?:check|check-\w+|validate-runpath)': |^error: builder for .* failed .*in phase 'check",
        "error: in phase 'check': uncaught exception:",
        "starting phase `check'",
        weight=CAUSE - 10,
    ),
    Rule(
        "bazel.test",
        "test",
        r"^//\S+ +FAILED (?:in \d|TO BUILD)|tests pass(?:es)? and [1-9]\d* fails? (?:locally|remotely)",
        "//app:net_test                                                        FAILED in 1.2s",
        "//app:net_test                                                        PASSED in 1.2s",
        weight=CAUSE - 10,
    ),
    Rule(
        "net.curl_code",
        "network",
        r"\bcurl (?:error|failed: exited with|exited with|exit (?:code|status)) \(?(?:5|6|7|28|35|52|55|56|92)\b",
        "Error: Cannot reach update server https://cdn.example/update, curl error 7",
        "curl error 22",
        weight=CAUSE - 10,
    ),
    Rule(
        "net.client",
        "network",
        (
            r"\bConnection(?:Refused|Reset|TimedOut|Aborted)\b|error sending request for url|Can't contact LDAP server"
            r"|^PXE-E(?:11|18|32|51|52)\b|\btftp: .*\btime-?out\b|TFTP open timeout"
        ),
        "error: ConnectionRefused downloading package manifest lodash",
        "ConnectionPool ready",
        weight=PHRASE + 2,
        unless=r"(?i)localhost|127\.0\.0\.1|\bclass |\bexcept\b|--- PASS|\bok$",
    ),
    Rule(
        "resolve.not_found",
        "dependency",
        r"^\[CandidateNotFound\]|^\[error\] +not found: https?://|^Error: No results matching query were found",
        "[error]   not found: https://repo.example/com/acme/lib/9.9/lib-9.9.pom",
        "[error]   download error",
        weight=CAUSE - 10,
    ),
    Rule(
        "quota.limit",
        "resource",
        r"\bServiceLimitExceeded\b|\bresource_limit_exceeded\b|\bThe maximum number of \w+ has been reached\b",
        'Resource handler returned message: "The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)"',
        "the maximum number of jobs is 4",
        weight=CAUSE + 2,
    ),
    Rule(
        "dotnet.test",
        "test",
        r"^Failed! +- Failed: +[1-9]",
        "Failed!  - Failed:     1, Passed:    12, Skipped:     0, Total:    13, Duration: 2 s - app.dll (net8.0)",
        "Passed!  - Failed:     0, Passed:    13, Skipped:     0, Total:    13, Duration: 2 s - app.dll (net8.0)",
        weight=CAUSE - 6,
    ),
    Rule(
        "disk.smart",
        "infrastructure",
        r"FAILED SMART self-check|SMART overall-health self-assessment test result: FAILED",
        "Device: /dev/sda [SAT], FAILED SMART self-check. BACK UP DATA NOW!",
        "SMART overall-health self-assessment test result: PASSED",
        weight=CAUSE,
    ),
    Rule(
        "slurm.node",
        "infrastructure",
        r"\bCANCELLED AT \S+ DUE TO NODE FAILURE\b",
        "slurmstepd: error: *** JOB 8812 ON node7 CANCELLED AT 2026-03-03T10:11:12 DUE TO NODE FAILURE ***",
        "job 8812 on node7",
        weight=CAUSE + 4,
    ),
    Rule(
        "slurm.time_limit",
        "timeout",
        r"\bCANCELLED AT \S+ DUE TO TIME LIMIT\b",
        "slurmstepd: error: *** JOB 8812 ON node7 CANCELLED AT 2026-03-03T10:11:12 DUE TO TIME LIMIT ***",
        "the time limit is 45 min",
        weight=CAUSE + 4,
    ),
    Rule(
        "slurm.memory",
        "resource",
        r"\bDetected [1-9]\d* oom[_-]kill events? in\b",
        "slurmstepd: error: Detected 1 oom_kill event in StepId=8812.0. Some of the step tasks have been OOM Killed.",
        "Detected 0 oom_kill events in StepId=8812.0",
        weight=CAUSE + 4,
    ),
    Rule(
        "kickstart.section",
        "config",
        r"\bdoes not end with %end\b",
        "anaconda: %packages of ks.cfg does not end with %end.",
        "%end",
        weight=CAUSE,
    ),
    Rule(
        "link.missing",
        "dependency",
        r"\bld(?:\.\w+)?: error: unable to find library -l",
        "ld.lld: error: unable to find library -lfrob",
        "ld.lld: warning: -lfrob is unused",
        weight=CAUSE - 6,
    ),
)
