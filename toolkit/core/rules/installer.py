"""Machines that install themselves and boot: anaconda and kickstart, dracut, the kernel."""

from __future__ import annotations

from typing import Final

from toolkit.core.rules.rule import CAUSE, PHRASE, SYMPTOM, Rule

RULES: Final = (
    # ---- anaconda and kickstart
    Rule(
        "kickstart.fetch",
        "network",
        (
            r"(?i)(?:failed to|unable to|could ?n[o']t|error) (?:fetch|download|get|retrieve"
            r"|load) (?:the )?(?:kickstart|ks\.cfg|.*\.ks\b|.*install\.img|.*squashfs\.img|.*updates\.img"
            r"|.*stage2)|anaconda: failed to fetch (?:kickstart|stage2)|dracut.*(?:Warning|FATAL).*(?:curl|fetch"
            r"|anaconda.*(?:stage2|repo))"
        ),
        "dracut-initqueue[812]: anaconda: failed to fetch kickstart from http://ks.example/green.cfg",
        "anaconda: fetching kickstart from http://ks.example/green.cfg",
        weight=CAUSE + 1,
        fatal=True,
        unless=r"\b40[134]\b|Not Found|No such file",
    ),
    Rule(
        "kickstart.missing",
        "config",
        (
            r"(?i)(?:kickstart(?: file)?[ :'\"]|/ks\.cfg|\.ks\b|install\.img|squashfs\.img).{0,120}(?:\b404\b"
            r"|Not Found|No such file|does not exist|missing)|dracut-initqueue.*\b404\b"
        ),
        "Error: kickstart file ks/green.ks does not exist",
        "kickstart file read",
        weight=CAUSE + 4,
    ),
    Rule(
        "kickstart.invalid",
        "config",
        (
            r"(?i)The following problem occurred on line \d+ of the kickstart|KickstartParseError"
            r"|KickstartValueError|KickstartVersionError|Unknown command:|unknown kickstart|kickstart.*(?:syntax"
            r"|parse|parsing|validation) (?:error|failed)|Unknown (?:option|section)s?:? .*kickstart"
            r"|Section (?:%\w+ )?does not end with %end|no partitions? defined|autopart.*(?:not allowed|conflict)"
            r"|ksvalidator.*(?:error|problem)|Expected %end|error parsing (?:kickstart|ks)"
            r"|The installation (?:source|method) .*(?:invalid|not set)"
        ),
        "The following problem occurred on line 14 of the kickstart file: Unknown command: reboo",
        "kickstart validated",
        weight=CAUSE + 5,
        fatal=True,
    ),
    Rule(
        "anaconda.source",
        "network",
        (
            r"(?i)error setting up (?:base )?(?:repository|software source|repo)|Error setting up repository"
            r"|failed to (?:set up|setup) (?:the )?(?:installation source|base repo)"
            r"|The installation source is (?:not|un)available|Error in POSTIN scriptlet in rpm package.*network"
            r"|Unable to (?:download|retrieve) (?:treeinfo|\.treeinfo)|cannot (?:download|retrieve) .*(?:treeinfo"
            r"|comps)|failed to download the following packages|Error downloading packages"
            r"|software source.*(?:failed|unreachable)|payload(?:\.\w+)*: .*(?:DownloadError|failed to download)"
            r"|DownloadError|PayloadSetupError|SourceSetupError"
        ),
        "anaconda[1801]: Error setting up base repository",
        "anaconda: setting up the installation source",
        weight=CAUSE - 4,
        unless=r"\b40[134]\b",
    ),
    Rule(
        "anaconda.tree",
        "config",
        r"(?i)Could not find an installable distribution|Error validating install (?:location|media)|does not (?:seem|appear) to be (?:an? )?(?:valid )?(?:install(?:able|ation)? (?:tree|media|source)|distribution)",
        "ERROR    Error validating install location: Could not find an installable distribution at http://192.0.2.1/9/",
        "found an installable distribution",
        weight=CAUSE + 3,
    ),
    Rule(
        "anaconda.packages",
        "dependency",
        (
            r"(?i)The following software marked for installation has errors|You have specified that the (?:package"
            r"|group|module).* should be installed\.? ?.*does not exist|NoSuchPackage|NoSuchGroup"
            r"|MissingSpecsError|BrokenSpecsError|DependencyError|Group .* (?:is not available|does not exist)"
            r"|Failed to resolve the transaction|The transaction process has ended with errors"
            r"|DNF error: Error in POSTIN|error populating transaction|PayloadInstall(?:ation)?Error"
            r"|NonCriticalInstallationError"
        ),
        "The following software marked for installation has errors. Problem: nothing provides libfoo needed by bar",
        "software selection complete",
        weight=CAUSE - 2,
        fatal=True,
    ),
    Rule(
        "anaconda.storage",
        "config",
        (
            r"(?i)StorageError|storage configuration failed|Failed to (?:find|match) (?:a )?(?:disk|suitable)"
            r"|no (?:usable )?disks (?:detected|selected|found)|not enough (?:free )?space (?:on disks"
            r"|for automatic partitioning)|Unable to allocate requested partition scheme"
            r"|could not allocate requested partitions|bootloader stage1 device|you have not (?:defined"
            r"|created) a (?:bootloader|root|/boot/efi)|NotEnoughFreeSpaceError|PartitioningError|BootLoaderError"
            r"|Unable to find a suitable stage1|disk .* given in \w+ command does not exist"
            r"|Specified nonexistent (?:disk|partition|device)"
        ),
        "anaconda: Unable to allocate requested partition scheme.",
        "storage configuration complete",
        weight=CAUSE + 1,
        fatal=True,
    ),
    Rule(
        "anaconda.script",
        "config",
        (
            r"(?i)Error (?:code )?\d* ?(?:running|encountered running"
            r"|executing) (?:the )?(?:kickstart )?(?:%?(?:pre|post|pre-install|onerror)|script)"
            r"|error code \d+ (?:encountered )?running the kickstart script|%(?:pre|post|pre-install"
            r"|onerror)\b(?: script| section|:).{0,40}(?:failed|error|exited|non-?zero)|(?:kickstart"
            r"|ks)[- ](?:post|script).{0,40}(?:failed|exited with)|ScriptError"
        ),
        "Error code 1 running the kickstart script at line 88",
        "running the kickstart script at line 88",
        weight=CAUSE - 1,
        fatal=True,
    ),
    Rule(
        "anaconda.crash",
        "unknown",
        (
            r"(?i)anaconda.{0,40}(?:traceback|exception report|unhandled exception|has crashed)"
            r"|an unknown error has occurred|anaconda .* exception|Pane is dead|The installer will now terminate"
            r"|Installation (?:failed|aborted)|An error occurred during the installation"
            r"|Install(?:ation)? (?:has )?(?:failed|stopped) due to"
        ),
        "An unknown error has occurred, look at the /tmp/anaconda-tb* file(s) for more details",
        "anaconda started",
        weight=SYMPTOM,
        fatal=True,
    ),
    Rule(
        "anaconda.asks",
        "config",
        (
            r"(?i)text mode provides a limited set|Please (?:make|select) (?:your|a) (?:choice|selection)"
            r"|\[!\] .*\((?:Not|No|Nothing|Error|Installation source)|Not enough information to (?:continue"
            r"|proceed)|requires (?:user )?(?:interaction|input)|kickstart (?:installation|insufficient)"
            r"|Kickstart insufficient|The .* spoke .* incomplete|Would you like to use VNC"
            r"|non-?interactive.*(?:required|failed)|Question time"
        ),
        "Kickstart insufficient: the installation cannot continue without a root password",
        "interaction is off",
        weight=SYMPTOM + 15,
        unless=r"(?i)limited set",
    ),
    Rule(
        "dracut.no_root",
        "config",
        (
            r"(?i)ALERT! +\S+ does not exist|Dropping to (?:a |an emergency |debug )?shell"
            r"|Gave up waiting for root|Unable to mount root fs|VFS: Cannot open root device"
            r"|dracut.*does not exist|/dev/(?:disk/by-\w+|mapper|root)\S* does not exist"
            r"|No root device|Don't know how to handle 'root=|can't find command 'root=|Failed to mount (?:/sysroot|/new_root|Root)"
            r"|Cannot find device .*root|Kernel panic.*(?:Unable to mount root|No working init"
            r"|Attempted to kill init.*exitcode=0x0*(?:100|200|7f00))|no init found|error: (?:no such device"
            r"|file .*vmlinuz.* not found|unknown filesystem)\b.*(?:grub|rescue)?"
        ),
        "ALERT!  UUID=3b8c does not exist.  Dropping to a shell!",
        "Mounted /sysroot",
        weight=CAUSE + 6,
        fatal=True,
    ),
    Rule(
        "dracut.no_root",
        "config",
        r"dracut.*Could not boot",
        "dracut Warning: Could not boot.",
        "dracut: booting",
        weight=PHRASE,
    ),
    Rule(
        "dracut.timeout",
        "timeout",
        (
            r"(?i)dracut-initqueue(?:\[\d+\])?: (?:Warning: )?(?:dracut-initqueue )?time-?out"
            r"|Warning: dracut-initqueue timeout|starting (?:initqueue )?timeout scripts"
            r"|Timed out waiting for device|Dependency failed for (?:/sysroot|Root|Initrd)"
        ),
        "dracut-initqueue[480]: Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks",
        "dracut-initqueue started",
        weight=CAUSE - 6,
    ),
    Rule(
        "boot.emergency",
        "config",
        (
            r"(?i)You are in emergency mode|Entering (?:emergency|rescue) mode|Give root password for maintenance"
            r"|Press Enter for (?:emergency )?(?:shell|maintenance)"
            r"|Cannot open access to console, the root account is locked|grub rescue>|No bootable (?:device|medium"
            r"|option)|Boot failed[.:]|Operating System not found|BdsDxe: failed to (?:load|start)"
            r"|failed to load Boot\d|FATAL: No bootable medium"
        ),
        "You are in emergency mode. After logging in, type journalctl -xb to view system logs",
        "Started Emergency Shell unit skipped",
        weight=CAUSE,
        fatal=True,
    ),
    Rule(
        "kernel.panic",
        "unknown",
        (
            r"Kernel panic - not syncing|(?i:kernel BUG at|BUG: unable to handle|general protection fault"
            r"|Oops: \d{4}|hung_task: blocked)"
        ),
        "[    3.2] Kernel panic - not syncing: Fatal exception in interrupt",
        "kernel.panic = 10",
        weight=CAUSE,
        fatal=False,
    ),
    Rule(
        "kernel.hardware",
        "infrastructure",
        r"(?i)Fatal (?:hardware error|Machine check)|\[Hardware Error\]: .*(?:fatal|uncorrected|panic)",
        "Kernel panic - not syncing: Fatal Machine check",
        "Machine check polling timer started",
        weight=CAUSE + 2,
    ),
    Rule(
        "kernel.hang",
        "infrastructure",
        (
            r"(?i)task \S+ blocked for more than \d+ seconds|soft lockup - CPU#\d+ stuck|rcu_\w+ self-detected stall|Machine check"
            r"|Hardware Error|EDAC .*(?:UE|uncorrected)|NMI watchdog.*lockup|clocksource.*unstable.*skew"
            r"|thermal.*(?:critical|shutdown)"
        ),
        "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [qemu:812]",
        "watchdog enabled",
        weight=PHRASE + 5,
    ),
)
